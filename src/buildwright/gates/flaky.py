"""Tells tests that fail by chance from tests that a change breaks. Must never excuse a test that the change wrote.

A run that only tests failed is tried again, each time in a checkout of its own: what a run leaves behind in its tree
must not let the next one pass. How often the tests must pass then is told by `rule_of`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from buildwright.core.finding import Finding
from buildwright.gates.comparison import MOST_NAMED
from buildwright.gates.junit import CaseResult
from buildwright.gates.project_run import NOT_FOUND, CheckRun, ProjectRun
from buildwright.gates.replay import SURROUNDINGS, looks_around
from buildwright.gates.reporting import clip, finding
from buildwright.gates.surface import is_prose, is_test
from buildwright.gates.test_output import runner_of
from buildwright.ports import Judged, Judgement

CHANCE = re.compile(
    rf"{SURROUNDINGS.pattern}|\b(?:[Rr]andom\w*|secrets\.|uuid\w*|shuffle|choice\(|urandom|nanoid|rand\b|crypto\."
    r"|sleep|setTimeout|setInterval|setImmediate|[Tt]hread\w*|asyncio|concurrent|multiprocessing|Promise\.(?:race|any)"
    r"|go func|exists\w*\(|is_file\(|is_dir\(|access(?:Sync)?\(|mkdir\w*\(|unlink\w*\(|id\(|hash\()|/dev/|/proc/"
)
"""What code looks at that gives another answer in another run of the same tree: chance, time, order, what runs left."""

_CODE = frozenset((".py", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"))
_DOTTED = re.compile(r"\w+(?:\.\w+)+")
"""The module and class that own a test, in reports of Python and Java."""
_IN_A_ROW = 3
_BY_SIGNAL = 128
"""Exit codes from here on tell of a signal, such as that of a crash."""
_TRIES = 2


Where = Literal["base", "before", "now"]
"""On the base itself, on the new code with the tests of the base, or on the new tree as it is."""

Find = Callable[[CheckRun, Path], Awaitable[list[Finding]]]
"""Tells what is wrong with a run of a check in a checkout."""


class TriedRun(NamedTuple):
    """A run of a check, and what is wrong with it."""

    run: CheckRun
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        return not any(one.severity == "error" for one in self.findings)


class Rule(NamedTuple):
    """When failed tests are excused: they must pass in `passes` of at most `tries` more runs, one after the other."""

    passes: int
    tries: int
    own: str = ""
    """Why they are never excused, "" if they may be."""


class Settled(NamedTuple):
    """All runs of a check, what is wrong in the end, and the tests that fail by chance."""

    runs: tuple[TriedRun, ...]
    findings: list[Finding]
    flaky: tuple[str, ...] = ()

    @property
    def last(self) -> CheckRun:
        """Return the run that counts: of a check that is refused the first, else the last."""
        return self.runs[-1 if self.flaky else 0].run

    def judgements(self, by: ProjectRun, name: str) -> list[Judgement]:
        """Return the judgement of the check, after those that keep the evidence of its other runs where they differ."""
        done = []
        if any(one.ok for one in self.runs):
            for number, one in enumerate(self.runs, 1):
                if one.run is not self.last:
                    notes = [said.model_copy(update={"severity": "note"}) for said in one.findings]
                    done.append(by.judgement(one.run, f"{name}, run {number} of {len(self.runs)}", notes))
        return [*done, by.judgement(self.last, name, self.findings)]


def failed_by_tests(run: CheckRun) -> tuple[CaseResult, ...]:
    """Return the tests by which alone a check failed; of one that names none, the check itself stands for them."""
    code = run.completed.exit_code
    is_bent = any(one.severity == "error" for one in run.wrong)
    if run.check.kind != "test" or code is None or code in {0, NOT_FOUND} or run.completed.limit or is_bent:
        return ()
    if run.tests is None:
        if runner_of(run.check.command) and code < _BY_SIGNAL:
            return ()  # a runner that counts its tests ended before any of them, and will do so again
        return (CaseResult(f"`{run.check.command}`", "failed"),)
    named = tuple(case for case in run.tests.cases if case.outcome == "failed")
    said = (CaseResult(one.message.partition("\n")[0], "failed", one.file or "") for one in run.tests.findings)
    return named or tuple(said)


async def rule_of(judged: Judged, tests: tuple[CaseResult, ...], known: Mapping[str, bool], where: Where) -> Rule:
    """Return the rule for tests that failed once.

    `known` are the names of tests that failed by chance earlier, with whether one did so on a tree without a change.
    """
    if judged.patch is None:
        return Rule(1, 1)  # a person waits for the verdict on the base, and nothing is compared with it yet
    if where == "base":
        return Rule(1, _TRIES)
    if where == "now" and (own := [case.name for case in tests if _is_own(judged, case)]):
        return Rule(1, 1, f"{_list(own)}: the change adds or changes what is tested here and how")
    is_known = all(known.get(case.name, False) for case in tests)
    if await looks_around(judged, CHANCE):
        new = "new lines of the change look at chance, time, order or what an earlier run left"
        return Rule(_IN_A_ROW, _IN_A_ROW) if is_known else Rule(1, 1, f"{_list([case.name for case in tests])}: {new}")
    if is_known or all(map(is_prose, judged.patch.paths)):
        return Rule(1, _TRIES)
    return Rule(_IN_A_ROW, _IN_A_ROW)


async def settle(
    first: TriedRun, rule: Rule, again: Callable[[], Awaitable[TriedRun | None]], known: Mapping[str, bool]
) -> Settled:
    """Try a failed check again by `again` (None: it could not be run) until the rule is met or cannot be any more."""
    tests = failed_by_tests(first.run)
    runs, passes = [first], 0
    while passes < rule.passes and len(runs) <= rule.tries:
        tried = await again()
        if tried is None:
            break
        runs.append(tried)
        passes = passes + 1 if tried.ok and _passed(tests, first.run, tried.run) else 0
        if passes + rule.tries - (len(runs) - 1) < rule.passes:
            break
    if passes < rule.passes:
        return Settled(tuple(runs), [*first.findings, _tried_again(runs)] if len(runs) > 1 else first.findings)
    if rule.own:
        return Settled(tuple(runs), [_own(rule, first, len(runs)), *first.findings])
    found = [*runs[-1].findings, *_flaky(tests, runs, known)]
    return Settled(tuple(runs), found, tuple(case.name for case in tests))


def _passed(tests: tuple[CaseResult, ...], first: CheckRun, now: CheckRun) -> bool:
    """Return whether a later run had all that the first had, and the tests in question passed in it."""
    if first.tests is None or now.tests is None:
        return first.tests is now.tests
    outcomes = {case.name: case.outcome for case in now.tests.cases}
    if first.tests.ran is not None and (now.tests.ran or 0) < first.tests.ran:
        return False
    return all(outcomes.get(case.name, "passed") == "passed" for case in tests)


def _is_own(judged: Judged, case: CaseResult) -> bool:
    """Return whether the patch may have written this test; in doubt it has."""
    paths = [PurePosixPath(path) for path in judged.patch.paths] if judged.patch else []
    touched = [path for path in paths if is_test(str(path))]
    # Of Cargo, the owner is the crate and then the file.
    owner = case.name.partition("::")[0].rpartition(" ")[2]
    file = PurePosixPath(case.file or owner)
    if any(path.name == file.name for path in paths):
        return True
    if any(not is_test(path.name) for path in touched):
        return True  # a helper, fixture or conftest.py: any test may use it
    if file.suffix in _CODE:
        return False
    if _DOTTED.fullmatch(owner):
        return any(path.stem in owner.split(".") for path in touched)
    return bool(touched)


def _list(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return clip(", ".join(names[:MOST_NAMED]), 800) + more


def _tried_again(runs: list[TriedRun]) -> Finding:
    failed = sum(not one.ok for one in runs)
    how = "failed again" if failed == len(runs) else f"failed in {failed} of {len(runs)} runs of the same tree"
    command = runs[0].run.check.command
    return finding("test.tried_again", f"`{command}` was tried again and {how}.", severity="note")


def _own(rule: Rule, first: TriedRun, runs: int) -> Finding:
    command = first.run.check.command
    message = f"{rule.own}. `{command}` failed in run 1 and passed in run {runs} of the same tree."
    return finding("test.flaky_new", message, fix="make test and code steady: the same outcome in every run")


def _flaky(tests: tuple[CaseResult, ...], runs: list[TriedRun], known: Mapping[str, bool]) -> list[Finding]:
    failed = ", ".join(str(number) for number, one in enumerate(runs, 1) if not one.ok)
    passed = ", ".join(str(number) for number, one in enumerate(runs, 1) if one.ok)
    how = f"of runs of `{runs[0].run.check.command}` on the same tree it failed in run {failed} and passed in run {passed}"
    fix = "make it steady: a test that fails by chance proves little"
    told = []
    for case in tests[:MOST_NAMED]:
        before = " Seen before in this repository." if case.name in known else ""
        message = f"{case.name} is flaky: {how}.{before}"
        told.append(finding("test.flaky", message, case.file or None, severity="warning", fix=fix))
    if len(tests) > MOST_NAMED:
        message = f"{_list([case.name for case in tests[MOST_NAMED:]])} are flaky in the same way."
        told.append(finding("test.flaky", message, severity="warning", fix=fix))
    return told
