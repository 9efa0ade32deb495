"""Findings, reports and evidence of the gates, and the diagnosis of a stuck build. Pure data; must never judge."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue

from buildwright.core.record import Record, TaskId, UtcTime
from buildwright.core.sanitize import ForeignText, Identifier, UserText
from buildwright.core.task import Task
from buildwright.core.terminal import lines_of

Severity = Literal["error", "warning", "note"]
CheckKind = Literal["scope", "syntax", "typecheck", "lint", "test", "build", "validation", "other"]

MOST_FINDINGS = 50
"""A report keeps at most this many findings; `dropped` counts the others, which the log artifact holds."""
LONGEST_MESSAGE = 2_000


SUPPLIED = "setup.supplied"
NOT_GRANTED = "setup.not_granted"
"""Code of the note that a verdict rests on more than the tree, such as files of the user: it is not kept."""

NOT_RUN = "check.not_run"
"""Code of the note that a gate leaves in place of a check that does not concern the change."""
NOT_REVIEWED = "review.not_done"
"""Code of the warning that stands in place of a review."""


CONSENT: Mapping[str, bool] = {
    "scope": True,
    "reach": True,
    "tests": True,
    "suppressions": True,
    "surface": True,
    "secrets": True,
    "dependencies": True,
    "boundaries": True,
    "sealed": True,
    "review": True,
    "scope.empty": False,
    "scope.submodule": False,
    "scope.unsafe": False,
}
"""Whether a person may approve findings of a family (the code up to its first dot), or of one code, which comes first.

Families are here whose findings ask whether a change is wanted. Any other finding says that something does not work.
"""

_VARYING = re.compile(
    r"(?<![\w./])/(?:[^\s/:'\"`]+/)+"  # directories of an absolute path: those of a checkout
    r"|(?<=:)\d+(?::\d+)?(?![\d.])|\b(?:line|lines|column|col)\s+\d+(?:\s*(?:-|to)\s*\d+)?"
    r"|\b\d+(?:\.\d+)?\s?(?:ms|s|seconds?)\b|0x[0-9a-fA-F]+"
)
"""The parts of a message that differ between two judgements of one thing: places in files, times, addresses."""


class Finding(Record):
    """One thing a gate noticed."""

    code: ForeignText
    """Stable name of the rule, for example `pytest.failed`, `ruff.F401`, `scope.protected`."""
    message: ForeignText = Field(max_length=LONGEST_MESSAGE)
    severity: Severity = "error"
    file: ForeignText | None = None
    line: int | None = None
    fix: ForeignText = ""
    fingerprint: Identifier = ""
    """Names it over attempts and shifted lines (see `fingerprint_of`); "" in older journals."""
    approved: UserText = ""
    """Who approved it and why: then it is a note. "" when no user has."""

    def __str__(self) -> str:
        approved = f" (approved by {self.approved})" if self.approved else ""
        return f"{self._placed} [{' '.join(filter(None, (self.code, self.fingerprint)))}]{approved}"

    @property
    def _placed(self) -> str:
        """The message with its place in front, where it does not name the file itself."""
        if not self.file:
            return self.message
        name = rf"[`']?(?<![\w./-]){re.escape(self.file)}(?![\w/-]|\.\w)[`']?"
        if self.line:
            return f"{self.file}:{self.line}: {re.sub(rf'^{name}:? ', '', self.message)}"
        return self.message if re.search(name, self.message) else f"{self.file}: {self.message}"

    @property
    def reason(self) -> tuple[str, ...]:
        """Return the lines that matter, for people (see `lines_of`), and the fix."""
        return (*lines_of(str(self)), *((f"fix: {self.fix}",) if self.fix else ()))

    @property
    def can_be_approved(self) -> bool:
        """Whether it keeps a change from landing, and a person may approve it."""
        return self.severity == "error" and bool(self.fingerprint) and needs_consent(self.code)


def needs_consent(code: str) -> bool:
    """Return whether findings of this code ask for a person's consent, so that a person may approve them."""
    return CONSENT.get(code, CONSENT.get(code.partition(".")[0], False))


def fingerprint_of(finding: Finding, task: str) -> str:
    """Return the name of a task's finding, 12 hexadecimal digits: equal for the same thing in another attempt.

    Made of the code, the file and the message, without what differs between two judgements of the same thing.
    """
    said = (finding.code, finding.file or "", unvarying(finding.message), task)
    return hashlib.sha256("\0".join(said).encode("utf-8", "replace")).hexdigest()[:12]


def unvarying(message: str) -> str:
    """Return a message on one line, "#" in place of what differs between two judgements of the same thing."""
    return " ".join(_VARYING.sub("#", message).split())


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
    instructions: Identifier = ""
    """Digest (SHA-256) of what the advisor was instructed, in a report that a model made; "" in any other."""

    @property
    def result(self) -> Literal["passed", "refused", "not done"]:
        """Return how it ended. A review that could not be made refuses nothing, but it has not passed either."""
        if any(finding.code == NOT_REVIEWED for finding in self.findings):
            return "not done"
        return "passed" if self.ok else "refused"


class Verdict(Record):
    """All reports on one tree. Passed only when every gate passed."""

    tree: Identifier
    reports: tuple[Report, ...] = ()
    not_reached: tuple[ForeignText, ...] = ()
    """Names of the gates that were not asked, because one before them refused."""

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


class PlanProposal(Record):
    """A changed plan that an advisor proposes. It counts only when the user accepts it."""

    tasks: tuple[Task, ...] = ()
    """Tasks that are new, or take the place of the one with their id."""
    dropped: tuple[TaskId, ...] = ()
    reason: ForeignText = ""


class Diagnosis(Record):
    """Why attempts fail one after the other."""

    cause: ForeignText = Field(min_length=1)
    advice: tuple[TaskAdvice, ...] = ()
    ask_person: bool = False
    """No attempt can mend it: a person has to install, allow or decide something first."""
    plan: JsonValue = None
    """A changed plan, as it was answered: what cannot be used of it must not spoil the rest."""
