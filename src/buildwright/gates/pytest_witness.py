"""Lets pytest tell what it did in a second place, with canaries. Must never take one place's word against the other.

Every pytest that a check starts, by whatever command, loads a copy of `pytest_plugin` through its environment. Its
record (one file a session) and the JUnit report must agree with each other and with the canaries' plan.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.core.finding import Finding
from buildwright.gates.changed import read_bytes
from buildwright.gates.junit import CaseResult, Outcome, Tally
from buildwright.gates.reporting import finding

_SETTINGS_LINE = "SETTINGS: dict[str, Any] = {}"
_LARGEST_RECORD = 50_000_000


class Session(NamedTuple):
    """One run of pytest. `exit_code` is None when it did not come to its end."""

    cases: tuple[CaseResult, ...]
    exit_code: int | None
    broken: tuple[str, ...] = ()
    """Files that could not be collected."""
    collected_only: bool = False
    retried: tuple[str, ...] = ()
    """Tests that a plugin of the project (pytest-rerunfailures) ran again."""


class PytestWitness:
    """The plugin of one run and what it saw."""

    def __init__(self, private: Path) -> None:
        """Make the plugin in a directory below `private`."""
        self._name = f"{_word()}_{_word()}"
        self._folder = private / _word()
        self._record = private / _word()
        self._record.mkdir()
        self._canaries = {outcome: f"test_{_word()}_{_word()}" for outcome in ("passed", "failed", "skipped")}
        settings = {"record": str(self._record), "canaries": self._canaries}
        source = Path(__file__).with_name("pytest_plugin.py").read_text("utf-8")
        self._folder.mkdir()
        written = source.replace(_SETTINGS_LINE, f"SETTINGS: dict[str, Any] = {json.dumps(settings)}")
        (self._folder / f"{self._name}.py").write_text(written, "utf-8")

    @property
    def option(self) -> str:
        """Return what PYTEST_ADDOPTS must have."""
        return f"-p {self._name}"

    @property
    def import_path(self) -> str:
        """Return what PYTHONPATH must have."""
        return str(self._folder)

    def is_missing(self, output: bytes) -> bool:
        """Return whether a pytest said that it cannot import the plugin."""
        return f"No module named '{self._name}'".encode() in output

    @property
    def names(self) -> frozenset[str]:
        """Return the canaries' names, which stand in reports."""
        return frozenset(self._canaries.values())

    def sessions(self) -> list[Session]:
        """Return what was seen since the last call, canaries included, oldest first, and forget it."""
        found = []
        for path in sorted(self._record.iterdir(), key=lambda one: one.stat().st_mtime_ns):
            content = read_bytes(self._record, path.name, _LARGEST_RECORD)
            path.unlink(missing_ok=True)
            if content is not None:
                found.append(_session(list(_lines(content))))
        return found

    def disagreements(self, session: Session) -> Iterator[Finding]:
        """Yield what shows that a session was bent: it ended early, or a canary did not do as planned."""
        if session.exit_code is None:
            yield finding(
                "test.cut_short",
                "pytest was ended from inside before it could report: the tests that were left have proven nothing.",
                fix="let no code of the project or its tests end the process (os._exit, a signal, a crash)",
            )
            return
        seen = {case.name.rpartition("::")[2]: case.outcome for case in session.cases}
        ran = any(name not in self.names for name in seen)
        if not ran or session.collected_only:
            return
        for planned, name in self._canaries.items():
            if seen.get(name) != planned:
                what = "was dropped" if name not in seen else f"was reported as {seen[name]}"
                yield finding(
                    "test.bent",
                    f"A test that must be {planned} {what}: something in the project changes outcomes or drops tests.",
                    fix="remove the hook or plugin that changes what pytest reports",
                )

    def own_tests(self, report: Tally) -> Tally:
        """Return a report without the canaries in it."""
        mine = [case for case in report.cases if self._is_canary(case.name)]
        skipped = sum(case.outcome == "skipped" for case in mine)
        return Tally(
            report.ran - len(mine) + skipped if report.ran is not None else None,
            report.skipped - skipped,
            tuple(one for one in report.findings if not self._names_canary(one)),
            tuple(case for case in report.cases if case not in mine),
            report.retried,
        )

    def tally(self, sessions: Sequence[Session], told: Tally | None) -> Tally:
        """Return what the sessions together did, without canaries; `told` (report and console) says why a test failed.

        A session that failed while the others hide its exit code fails the whole.
        """
        cases = tuple(case for session in sessions for case in session.cases if not self._is_canary(case.name))
        cases = tuple({case.name: case for case in cases}.values())
        findings = list(told.findings) if told is not None else []
        broken = [name for session in sessions for name in session.broken]
        failed = [case.name for case in cases if case.outcome == "failed"]
        untold = [name for name in (*failed, *broken) if not findings]
        findings += [finding("test.failed", f"{name} failed.", name.partition("::")[0]) for name in untold]
        skipped = sum(case.outcome == "skipped" for case in cases)
        passed = {case.name for case in cases if case.outcome == "passed"}
        retried = dict.fromkeys(name for session in sessions for name in session.retried if name in passed)
        return Tally(len(cases) - skipped, skipped, tuple(findings), cases, tuple(retried))

    def _is_canary(self, name: str) -> bool:
        return name.rpartition("::")[2] in self.names

    def _names_canary(self, one: Finding) -> bool:
        return any(name in one.message for name in self.names)


def _word() -> str:
    """Return a random word that no code can look for."""
    return "".join(secrets.choice("bcdfghjklmnprstvz") + secrets.choice("aeiou") for _ in range(4))


def _lines(content: bytes) -> Iterator[Mapping[str, Any]]:
    for line in content.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict):
            yield said


def _session(said: list[Mapping[str, Any]]) -> Session:
    outcomes: dict[str, Outcome] = {}
    broken = []
    exit_code, collected_only = None, False
    for line in said:
        if "end" in line:
            exit_code, collected_only = int(line["end"]), bool(line.get("collectonly"))
        elif "test" in line and line.get("outcome") == "error":
            broken.append(str(line["test"]))
        elif "test" in line:
            _note(outcomes, str(line["test"]), line)
    retried = tuple(str(line["test"]) for line in said if "test" in line and line.get("outcome") == "rerun")
    cases = tuple(CaseResult(name, outcome, name.partition("::")[0]) for name, outcome in outcomes.items())
    return Session(cases, exit_code, tuple(broken), collected_only, retried)


def _note(outcomes: dict[str, Outcome], name: str, line: Mapping[str, Any]) -> None:
    """Keep the worst of a test's reports. An expected failure proves as little as a skipped test."""
    outcome = line.get("outcome")
    now: Outcome = "failed" if outcome == "failed" else "skipped" if outcome == "skipped" or line["xfail"] else "passed"
    rank = {"passed": 0, "skipped": 1, "failed": 2}
    before = outcomes.get(name)
    if before is None or rank[now] >= rank[before]:
        outcomes[name] = now
