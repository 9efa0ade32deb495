"""What a check of the audit is given and what it returns. Pure data; must never judge.

A check is one record with a function; another package adds its own by an entry point (see `registry`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from buildwright.audit.comparison import Comparison
from buildwright.audit.ledger import LedgerState
from buildwright.core.finding import NOT_RUN, Finding, Report
from buildwright.core.record import Record
from buildwright.core.sanitize import ForeignText, Identifier

AuditResult = Literal["passed", "warned", "failed", "not run"]


@dataclass(frozen=True)
class AuditInput:
    """What every check may look at."""

    comparison: Comparison
    claimed: tuple[str, ...] = ()
    """Files that the change says it touches: paths, directories or globs; empty when nothing was said."""
    phase: str = ""
    allow: tuple[str, ...] = ()
    """Paths that a person has opened."""
    authors: tuple[str, ...] = ()
    """Addresses that a person vouches for, beside those of the history."""
    reports: tuple[Report, ...] | None = None
    """What the project's own checks said of this tree, run by us just now; None when they were not run."""
    ledger: LedgerState = field(default_factory=LedgerState)
    """The ledger of this repository, as it was found."""
    landed: frozenset[str] = frozenset()
    """Commits that builds of this home have landed."""
    secret_rules: Path | None = None
    """Where the compiled rules of the search for secrets are kept; None for the system's cache."""
    allowed_secrets: Collection[str] = ()
    """Fingerprints of the secrets that a person allowed in this repository."""
    cache: Path | None = None
    """A directory of our own for what may be found again by the content of a file; None to keep nothing."""


class AuditCheck(NamedTuple):
    """One check. `judge` returns what it found; a single note `check.not_run` says that it does not apply, and why."""

    code: str
    name: str
    judge: Callable[[AuditInput], Awaitable[Sequence[Finding]]]


class AuditOutcome(Record):
    """What one check said. `findings` are ordered, errors first."""

    code: Identifier
    name: Identifier
    result: AuditResult
    findings: tuple[Finding, ...] = ()
    dropped: int = 0
    seconds: float = 0.0


class DependencyChange(Record):
    """A name that a manifest declares anew, or no more. `type` is that of a package URL, such as `pypi`."""

    type: Identifier
    name: ForeignText
    change: Literal["added", "removed"]
    manifest: Identifier


class AuditReport(Record):
    """The result of an audit: the exact trees, and one outcome per check."""

    repository: Identifier
    base: Identifier
    head: Identifier
    tree: Identifier
    """The tree that was judged: the head's, or that of the working tree."""
    phase: ForeignText = ""
    claimed: tuple[Identifier, ...] = ()
    outcomes: tuple[AuditOutcome, ...] = ()
    reports: tuple[Report, ...] = ()
    """The project's own checks, with their evidence."""
    dependencies: tuple[DependencyChange, ...] = ()
    """What changed manifests declare anew and no more."""
    seconds: float = 0.0
    entry: int | None = None
    """The number of its entry in the ledger; None when the ledger took none."""

    @property
    def ok(self) -> bool:
        return not any(one.result == "failed" for one in self.outcomes)


def result_of(findings: Sequence[Finding]) -> AuditResult:
    """Return how a check with these findings ended."""
    if any(one.severity == "error" for one in findings):
        return "failed"
    if any(one.severity == "warning" for one in findings):
        return "warned"
    return "not run" if any(one.code == NOT_RUN for one in findings) else "passed"
