"""Compares a test run with the run of the base, test by test. Pure: by identity and never by count.

A test that passed before a change must pass after it. What may differ: a test that moved to another file or became
parametrised under its own name, one that the task's words name or whose behaviour they say will change, and one in a
file that a person has opened (`--allow PATH`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from buildwright.core.finding import Finding
from buildwright.core.paths import is_covered
from buildwright.core.task import Task
from buildwright.gates.junit import CaseResult
from buildwright.gates.reporting import finding

MOST_NAMED = 10
"""Findings of one kind; the others are counted in the last."""

_CHANGES = re.compile(
    r"\b(?:renam|remov|delet|replac|drop|deprecat|instead|no longer|rewrit|migrat|now (?:return|rais|accept|reject|mean)"
    r"|chang|breaking)\w*",
    re.IGNORECASE,
)


class Licence(NamedTuple):
    """What allows tests of the base to end differently: the task's own words, and paths that a person has opened."""

    words: str = ""
    allow: tuple[str, ...] = ()
    deletes: bool = False
    """Whether the task is to delete something."""

    def covers(self, case: CaseResult) -> bool:
        """Return whether the change of this test's outcome was asked for."""
        path = case.file or case.name.partition("::")[0]
        if is_covered(path, self.allow):
            return True
        bare = bare_name(case.name)
        if bare and re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", self.words):
            return True
        # "Rename mean to average" is about test_mean: the words name what it tests and say that it changes.
        subject = [word for word in re.split(r"[\W_]+", bare.lower()) if word not in {"", "test", "tests", "it", "of"}]
        spoken = set(re.findall(r"[a-z0-9]+", self.words.lower()))
        return bool(subject) and subject[0] in spoken and self._says_change(subject[0])

    def _says_change(self, subject: str) -> bool:
        """Return whether one sentence of the task both names the subject and speaks of a change."""
        sentences = re.split(r"[.;\n]", self.words)
        named = (one for one in sentences if re.search(rf"\b{re.escape(subject)}\b", one, re.IGNORECASE))
        return any(_CHANGES.search(one) for one in named)


def licence_of(task: Task | None, allow: tuple[str, ...]) -> Licence:
    """Return what a task and the options of its build allow."""
    if task is None:
        return Licence(allow=allow)
    words = "\n".join((task.title, task.goal, *task.acceptance, *task.requirements))
    return Licence(words, allow, task.action == "delete")


def bare_name(name: str) -> str:
    """Return a test's own name, without file, class and parameters."""
    return re.split(r"::|\.(?=[A-Za-z_]\w*$)", name)[-1].partition("[")[0]


def no_longer_passing(
    before: Sequence[CaseResult], after: Sequence[CaseResult], licence: Licence, *, is_base_surface: bool
) -> list[Finding]:
    """Return a finding for each test that passed before and does not after.

    `is_base_surface` says that both runs had the same tests and settings, so that no test can have moved.
    """
    now = {case.name: case.outcome for case in after}
    wanted = [case for case in before if case.outcome == "passed" and now.get(case.name) != "passed"]
    asked = [case for case in wanted if licence.covers(case) or (licence.deletes and case.name not in now)]
    open_cases = [case for case in wanted if case not in asked]
    if not is_base_surface:
        open_cases = list(_not_moved(open_cases, before, after, now))
    notes = [
        finding("tests.changed_as_asked", f"{case.name} passed before; the task says that it changes.", severity="note")
        for case in asked
    ]
    return [*_bounded([_lost(case, now.get(case.name), is_base_surface) for case in open_cases]), *notes[:MOST_NAMED]]


def _not_moved(
    cases: Iterable[CaseResult], before: Sequence[CaseResult], after: Sequence[CaseResult], now: Mapping[str, str]
) -> Iterator[CaseResult]:
    """Yield those that are not found again as a new test of the same bare name, each new test taken once."""
    old = {case.name for case in before}
    spare = Counter(bare_name(case.name) for case in after if case.name not in old and case.outcome == "passed")
    for case in cases:
        name = bare_name(case.name)
        if case.name not in now and spare[name] > 0:
            spare[name] -= 1
        else:
            yield case


def _lost(case: CaseResult, outcome: str | None, is_base_surface: bool) -> Finding:
    file = case.file or None
    opened = f"; a person can open it with `--allow {file}`" if file else ""
    if outcome == "failed" and is_base_surface:
        message = f"{case.name} passed before this change and fails with it (run as it was before the change)."
        return finding("tests.broken", message, file, fix=f"keep what this test asks for{opened}")
    how = {None: "is gone", "skipped": "is skipped", "failed": "fails"}[outcome]
    message = f"{case.name} passed before this change and {how} now."
    fix = f"bring the test back as it was, unless the task says that it changes{opened}"
    return finding("tests.lost", message, file, fix=fix)


def _bounded(findings: list[Finding]) -> list[Finding]:
    if len(findings) <= MOST_NAMED:
        return findings
    rest = len(findings) - MOST_NAMED
    last = findings[MOST_NAMED - 1]
    return [
        *findings[: MOST_NAMED - 1],
        last.model_copy(update={"message": f"{last.message} And {rest} more tests like it."}),
    ]
