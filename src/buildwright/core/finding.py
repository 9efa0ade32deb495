"""Findings, reports and evidence of the gates, and the diagnosis of a stuck build. Pure data; must never judge."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from buildwright.core.record import Record, TaskId, UtcTime
from buildwright.core.sanitize import ForeignText, Identifier

Severity = Literal["error", "warning", "note"]
CheckKind = Literal["scope", "syntax", "typecheck", "lint", "test", "build", "validation", "other"]

MOST_FINDINGS = 50
"""A report keeps at most this many findings; `dropped` counts the others, which the log artifact holds."""
LONGEST_MESSAGE = 2_000


NOT_RUN = "check.not_run"
"""Code of the note that a gate leaves in place of a check that does not concern the change."""


class Finding(Record):
    """One thing a gate noticed."""

    code: ForeignText
    """Stable name of the rule, for example `pytest.failed`, `ruff.F401`, `scope.protected`."""
    message: ForeignText = Field(max_length=LONGEST_MESSAGE)
    severity: Severity = "error"
    file: ForeignText | None = None
    line: int | None = None
    fix: ForeignText = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{where}{self.message} [{self.code}]"


class Evidence(Record):
    """The proof of a verdict: which tree was judged by which command, and its output."""

    tree: Identifier
    """Git tree id of exactly what was judged."""
    command: ForeignText
    """From the user, the project's own files, or a task planned by a model."""
    exit_code: int | None
    """None when the command was ended (time limit) before it could exit."""
    seconds: float
    output_digest: Identifier
    """SHA-256 of the whole output; an artifact of that digest holds it."""
    started_at: UtcTime
    tests: int | None = None
    """Number of tests that ran (not skipped), if the command is a test run."""
    sandbox: Identifier = "none"
    surface: Literal["", "base"] = ""
    """"base" when tests, settings and scripts of the base were laid over the change, "" when they were the tree's own."""


class Report(Record):
    """The report of one gate on one tree. A refusal is data; a gate that could not judge raises `GateBroken`."""

    gate: ForeignText
    """For a check, its name, which may come from the project's own files."""
    kind: CheckKind = "other"
    ok: bool
    findings: tuple[Finding, ...] = Field(default=(), max_length=MOST_FINDINGS)
    dropped: int = 0
    """Number of findings beyond the limit; only the log has them."""
    evidence: Evidence | None = None


class Verdict(Record):
    """All reports on one tree. Passed only when every gate passed."""

    tree: Identifier
    reports: tuple[Report, ...] = ()

    @property
    def ok(self) -> bool:
        return all(report.ok for report in self.reports)

    @property
    def whole(self) -> bool:
        """Whether every check was run: none was left out because it did not concern the change."""
        return not any(finding.code == NOT_RUN for report in self.reports for finding in report.findings)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of the gates that refused, in gate order."""
        return tuple(finding for report in self.reports if not report.ok for finding in report.findings)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Return the warnings of the gates that passed: what this verdict does not prove, in gate order."""
        passed = (report for report in self.reports if report.ok)
        return tuple(finding for report in passed for finding in report.findings if finding.severity == "warning")


class TaskAdvice(Record):
    """What the next attempt at one task should do differently."""

    task: TaskId
    text: ForeignText = Field(min_length=1)


class Diagnosis(Record):
    """Why attempts fail one after the other."""

    cause: ForeignText = Field(min_length=1)
    advice: tuple[TaskAdvice, ...] = ()
    ask_person: bool = False
    """No attempt can mend it: a person has to install, allow or decide something first."""
