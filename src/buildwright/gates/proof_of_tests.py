"""Judges whether the new tests of a patch test anything: on the code before it, and on small faults in its lines.

Must never count against a change what could not be run: then a note says so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from buildwright.core.finding import Finding
from buildwright.core.limits import Check
from buildwright.core.task import Task
from buildwright.gates.baselines import BaselineResult
from buildwright.gates.changed import checkout
from buildwright.gates.compared import Compared, compared, is_open, names_in, opening, speaks_of
from buildwright.gates.mutants import FaultAnswer, TimeAllowed, Tries, faults_in, try_faults
from buildwright.gates.mutations import is_source
from buildwright.gates.new_tests import NewTest, narrowed, new_tests
from buildwright.gates.overlay import lay_surface_over
from buildwright.gates.project_run import CheckRun, ProjectRun
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.script import is_script, parse, text, walk
from buildwright.gates.surface import Surface
from buildwright.ports import Judged, Judgement

NAME = "new tests"
LONGEST = 30.0
"""Seconds for faults, if the time of a check allows as much."""
_SHARE = 4
"""The part of a check's time that faults may take."""
_RUNS = 3
"""Runs of the new tests that faults may take once one was noticed."""
_LEAST = 2
"""Faults that must have survived before a change is refused for it."""
_NOT_FOUND = 127
_MOST_NAMED = 3

_KEEPS = re.compile(
    r"(?:refactor|renam|restructur|reorgani[sz]|mov(?:e|ing)\b|extract|inlin|simplif|clean|tidy|dedup|split|document|"
    r"comment|typ(?:e|ing)\b|annotat|lint|format|optimi[sz]|speed|upgrad|bump|migrat|port\b|tests?\b|cover|check\b|"
    r"characteri[sz]|(?:make|keep) .*(?:easier|faster|quicker|simpler|smaller|shorter|readable|cleaner)|"
    r"(?:add|writ|improv|extend|rais|increas|giv|updat|fix|more)\w*(?: (?!with\b|and\b|plus\b)[\w'-]+){0,3} "
    r"(?:tests?|test suite|coverage|docs|documentation|docstrings?|comments?|types?|hints|annotations?|logging|caching))"
)
"""The beginnings of sentences by which a task asks for nothing, or nothing that tests could show."""
_ADDS = re.compile(r"(?:add|implement|creat|introduc|provid|support|offer|writ)\w*\b|(?:a |the )?new\b")
_ASKS_FOR_TESTS = (
    r"(?:add|writ|includ)\w*(?: (?!passing\b|all\b)[\w'-]+){0,3} tests?|(?:new|regression) tests?|(?:is|are) tested|"
    r"(?:with|has|have|by)(?: (?:a|an|new|its|own|unit|some|their))* tests?|tests? (?:cover|check|prove|show)\w*"
)


class ReadyTree(NamedTuple):
    """A checkout on which commands can be run, if its set-up succeeded."""

    run: ProjectRun
    checks: Sequence[Check]
    """Those that are found in it."""
    ready: bool
    """Whether its set-up succeeded."""


OpenRun = Callable[[Judged, Path, bool], AbstractAsyncContextManager[ReadyTree]]
"""Makes a checkout ready to run commands on it; True says that its set-up is done already."""


class _Wanted(NamedTuple):
    """The new tests of one check, by the names that its runner gave them when they passed."""

    check: Check
    """Asked for their files alone where that can be."""
    whole: Check
    names: frozenset[str]

    def not_passing(self, ran: CheckRun) -> frozenset[str]:
        """Return those that did not pass in a run."""
        passed = {case.name for case in ran.tests.cases if case.outcome == "passed"} if ran.tests is not None else set()
        return self.names - passed


class _Case(NamedTuple):
    """One patch with what is asked of its new tests."""

    judged: Judged
    product: Sequence[Compared]
    tests: Sequence[NewTest]
    wanted: Sequence[_Wanted]
    surface: Surface

    @property
    def size(self) -> int:
        """Return the number of new tests, each case of a parametrised one counted."""
        return sum(len(one.names) for one in self.wanted)


async def prove(
    judged: Judged, results: Mapping[Check, BaselineResult], surface: Surface, open_run: OpenRun
) -> list[Judgement]:
    """Return one judgement of the new tests; none when the patch has none, or changes no product beside them.

    `results` are those of the patched tree's checks, which passed; `surface` is that tree's.
    """
    case = await _case(judged, results, surface)
    if case is None:
        return []
    if not case.wanted:
        return [_of([_not_tried("no runner's results name them")])]
    findings = [judged.consent(one) for one in await _on_the_base(case, open_run)]
    codes = {one.code for one in findings}
    if "tests.prove_nothing" not in codes:
        findings += await _on_faults(case, open_run, is_proven="tests.proven" in codes)
    return [_of(findings)]


def _of(findings: Sequence[Finding]) -> Judgement:
    return judgement(NAME, "test", findings)


def _not_tried(why: str) -> Finding:
    return finding("tests.not_tried", f"Whether the new tests test anything was not tried: {why}.", severity="note")


async def _case(judged: Judged, results: Mapping[Check, BaselineResult], surface: Surface) -> _Case | None:
    """Return what is to be proven, None when nothing is: also for a path that a person opened."""
    if judged.task is None or judged.checkout is None or not judged.base_tree:
        return None
    files = await compared(judged)
    product = [file for file in files if is_source(file.path) and not surface.holds(file.path)]
    tests = [test for test in new_tests(files) if not is_open(judged, test.path, named=False)] if product else []
    if not tests:
        return None
    wanted = []
    for check, result in results.items():
        passed = [case for case in result.cases if case.outcome == "passed"]
        found = [(test, case) for test in tests for case in passed if check.kind == "test" and test.is_case(case)]
        if found:
            paths = sorted({test.path for test, _ in found})
            small = narrowed(check, checkout(judged), paths)
            wanted.append(_Wanted(small, check, frozenset(case.name for _, case in found)))
    return _Case(judged, product, tests, wanted, surface)


async def _on_the_base(case: _Case, open_run: OpenRun) -> list[Finding]:
    """Run the new tests, with the settings beside them, over the code before the patch: one of them must fail."""
    judged = case.judged
    if _keeps_behaviour(judged.task):
        return [_not_tried("on the code before this change, because the task asks for no new behaviour")]
    assert judged.checkout is not None
    assert judged.patch is not None
    failing = 0
    async with judged.checkout(judged.base_tree) as files:
        lay_surface_over(files, checkout(judged), judged.patch, case.surface)
        async with open_run(judged, files, False) as opened:
            if not opened.ready:
                return [_not_tried("the set-up fails on the code before this change")]
            async for one, ran in _runs(case.wanted, opened):
                if ran is None or ran.completed.exit_code in {None, _NOT_FOUND}:
                    return [_not_tried(f"`{one.check.command}` cannot be run on the code before this change")]
                failing += len(one.not_passing(ran))
    return [_proven(case, failing) if failing else _proves_nothing(case)]


async def _runs(wanted: Sequence[_Wanted], opened: ReadyTree) -> AsyncIterator[tuple[_Wanted, CheckRun | None]]:
    for one in wanted:
        yield one, await opened.run.run(one.check) if one.whole in opened.checks else None


def _keeps_behaviour(task: Task | None) -> bool:
    """Return whether title or goal of a task begin by asking for something else than new behaviour."""
    title, *others = _sentences(task)
    return _KEEPS.match(title) is not None or (not _adds(task) and any(map(_KEEPS.match, others)))


def _adds(task: Task | None) -> bool:
    return any(map(_ADDS.match, _sentences(task)))


def _sentences(task: Task | None) -> list[str]:
    """Return the sentences of title and goal, the title first; a task's other words say how it is accepted."""
    words = f"{task.title}\n{task.goal}" if task is not None else ""
    return [part.strip() for part in re.split(r"[.;:]\s|\n", words.casefold())]


def _proven(case: _Case, failing: int) -> Finding:
    message = f"Of {_tests(case.size)} {failing} fail on the code before this change, as they should."
    return finding("tests.proven", message, severity="note")


def _proves_nothing(case: _Case) -> Finding:
    added = _added(case)
    names = ", ".join(dict.fromkeys(test.title for test in case.tests[:_MOST_NAMED]))
    what = f" (`{'`, `'.join(added)}`)" if added else ""
    need = "none of them needs" if case.size > 1 else "it does not need"
    message = f"{_tests(case.size)} ({names}), run on the code before this change, passed: {need} what it adds{what}."
    about = _asks_for_tests(case) or any(test.speaks_of(name) for test in case.tests for name in added)
    path = case.tests[0].path
    return finding(
        "tests.prove_nothing",
        message[0].upper() + message[1:],
        path,
        severity="error" if added and about and _adds(case.judged.task) else "warning",
        fix=f"let one test claim what the code before does not do, or leave out what claims nothing new{opening(path)}",
    )


def _asks_for_tests(case: _Case) -> bool:
    return speaks_of(case.judged.task, _ASKS_FOR_TESTS)


def _tests(count: int) -> str:
    return "the new test" if count == 1 else f"the {count} new tests"


def _added(case: _Case) -> list[str]:
    """Return the names that the task speaks of and that the product's code has only with the patch."""
    now = {name for file in case.product for name in _identifiers(file.path, file.after or "")}
    then = {name for file in case.product for name in _identifiers(file.path, file.before or "")}
    spoken = names_in(case.judged.task)
    return sorted(name for name in now - then if name.casefold() in spoken)[:_MOST_NAMED]


def _identifiers(path: str, source: str) -> set[str]:
    """Return the names in the code of a Python, JavaScript or TypeScript file, without comments and texts."""
    try:
        if is_script(path):
            return {text(node) for node in walk(parse(path, source)) if "identifier" in node.type}
        nodes = list(ast.walk(ast.parse(source))) if path.endswith(".py") else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    fields = ("name", "id", "attr", "arg")
    return {name for node in nodes for field in fields if isinstance(name := getattr(node, field, None), str)}


async def _on_faults(case: _Case, open_run: OpenRun, *, is_proven: bool) -> list[Finding]:
    """Put small faults into the changed lines: the new tests must notice one.

    `is_proven` says that one of them needs the change, so that they are about it.
    """
    judged = case.judged
    faults = faults_in(case.product, judged.tree)
    if not faults:
        return [_not_tried("the changed lines hold nothing that a small fault could alter")]
    limit = min(LONGEST, judged.options.limits.gate_seconds / _SHARE)
    seconds = 0.0
    async with open_run(_within(judged, limit), checkout(judged), True) as opened:
        async for one, ran in _runs(case.wanted, opened):
            if ran is None or one.not_passing(ran):
                return [_not_tried(f"they do not pass by `{one.check.command}` within {limit:.0f} seconds")]
            seconds += ran.completed.seconds
    quick = _within(judged, min(limit, _RUNS * seconds + 1))
    async with open_run(quick, checkout(judged), True) as opened:

        async def ask() -> FaultAnswer:
            spent = 0.0
            async for one, ran in _runs(case.wanted, opened):
                spent += ran.completed.seconds if ran is not None else 0.0
                if ran is None or one.not_passing(ran):
                    return FaultAnswer(noticed=True, seconds=spent)
            return FaultAnswer(noticed=False, seconds=spent)

        tries = await try_faults(checkout(judged), faults, TimeAllowed(limit, _RUNS * seconds), ask)
    return _told(case, tries, is_proven=is_proven)


def _within(judged: Judged, seconds: float) -> Judged:
    """Return what is judged with less time for each check."""
    limits = judged.options.limits.model_copy(update={"gate_seconds": seconds})
    return replace(judged, options=judged.options.model_copy(update={"limits": limits}))


def _told(case: _Case, tries: Tries, *, is_proven: bool) -> list[Finding]:
    if not tries.tried:
        return [_not_tried("no changed file could be altered")]
    if not tries.noticed:
        return [_notices_nothing(case, tries, is_proven=is_proven)]
    left = f"; {tries.chosen - tries.tried} more were not tried, for time" if tries.tried < tries.chosen else ""
    message = f"The new tests notice {len(tries.noticed)} of {tries.tried} small faults in the changed lines{left}."
    return [
        finding("tests.notice_faults", message, severity="note"),
        *(
            finding(
                "tests.unnoticed", f"No new test notices when {fault.what}.", fault.path, fault.line, severity="note"
            )
            for fault in tries.survived
        ),
    ]


def _notices_nothing(case: _Case, tries: Tries, *, is_proven: bool) -> Finding:
    path = case.tests[0].path
    some = "; ".join(fault.what for fault in tries.survived[:_MOST_NAMED])
    if not tries.loaded:
        message = "No new test loads the files that this change alters: whatever stands in them, they pass."
        fix = "let them import the code itself, not a copy of it"
        return finding("tests.notice_nothing", message, path, severity="warning", fix=fix)
    is_sure = is_proven and tries.tried >= _LEAST and _asks_for_tests(case)
    message = f"The new tests pass with each of {tries.tried} small faults in the changed lines, such as {some}."
    return finding(
        "tests.notice_nothing",
        message,
        path,
        severity="error" if is_sure else "warning",
        fix=f"let them compare what the changed lines give with what is right{opening(path)}",
    )
