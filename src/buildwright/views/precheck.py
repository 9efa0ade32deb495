"""What is known of a repository before a build: what would judge it, and what that says of it now. Pure data."""

from __future__ import annotations

from buildwright.core.finding import Report, Verdict
from buildwright.core.record import Record


class FoundCommand(Record):
    """A command that prepares or judges the project, and what it was found from."""

    name: str
    command: str
    kind: str
    source: str
    concerns: str = ""
    """What of the project it is for, such as "of its API"; "" for a command that always runs."""


class PrecheckView(Record):
    """The answer of `check`. `ready` is None when nothing was run."""

    repository: str
    commit: str
    tree: str
    ready: bool | None
    setup: tuple[FoundCommand, ...] = ()
    checks: tuple[FoundCommand, ...] = ()
    interpreter: str = ""
    """The Python that the checks run on."""
    interpreter_why: str = ""
    node: str = ""
    """The Node that the checks run on, of a repository that pins one: its place, or that it is not here."""
    pins: tuple[str, ...] = ()
    """What the project pins of its tools' versions."""
    notes: tuple[str, ...] = ()
    """What the user should know: what is left out, what is not tested."""
    reasons: tuple[tuple[str, ...], ...] = ()
    """For each finding that refuses the project: the lines that matter, and the fix."""
    reports: tuple[Report, ...] = ()
    refused_by: tuple[str, ...] = ()
    """What refuses the project and was not accepted, as `--accept-base` takes it: checks, and codes of findings."""


def judged(view: PrecheckView, verdict: Verdict, refused_by: tuple[str, ...]) -> PrecheckView:
    """Return the view with what the checks say."""
    return view.model_copy(
        update={
            "ready": verdict.ok,
            "reasons": tuple(finding.reason for finding in verdict.findings if finding.severity == "error"),
            "reports": verdict.reports,
            "refused_by": refused_by,
        }
    )
