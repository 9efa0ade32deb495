"""Audits a phase of a build: the checks of the audit over all that its tasks landed. Must never run a command.

The gates have judged every change of it by the words of its task. What the audit alone would refuse, though they let it
land, is a warning here: an honest change is not refused a second time for what was settled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from buildwright.audit.check import AuditOutcome
from buildwright.audit.comparison import AuditRange
from buildwright.audit.run import Auditor, AuditRequest
from buildwright.core.finding import Finding, Report
from buildwright.ports import AuditedPhase, EndedPhase

_OF_CHANGES = ("scope.", "minimal.")
"""Families about how a file was changed: settled for the files of changes that landed."""
_SETTLED = frozenset({"tests.none", "evidence.none", "order.late", "scope.empty"})
"""What may be said of runs that Buildwright chose and ordered, and of tasks that were done by proof, without a change."""


class BuildAuditor:
    """Audits phases in the mirrors of builds. It has the port `PhaseAuditor`."""

    def __init__(
        self,
        auditor: Auditor,
        mirror: Callable[[str, str, str], Awaitable[Path]],
        name_of: Callable[[str], str],
    ) -> None:
        """`mirror` returns the repository that has two commits of a build; `name_of` the one name of a repository."""
        self._auditor = auditor
        self._mirror = mirror
        self._name_of = name_of

    async def audit(self, phase: EndedPhase) -> AuditedPhase:
        """Return what every check says, and record it in the ledger of the user's repository."""

        def weigh(finding: Finding) -> Finding:
            named = phase.consent(finding)
            return named.model_copy(update={"severity": "warning"}) if _is_settled(named, phase) else named

        mirror = await self._mirror(phase.build_id, phase.base, phase.head)
        report = await self._auditor.audit(
            AuditRequest(
                str(mirror),
                AuditRange(phase.base, phase.head),
                phase.claimed,
                phase.name,
                phase.allow,
                write=False,
                of=self._name_of(phase.repository),
                build=phase.build_id,
                landed=phase.commits,
                reports=phase.reports,
                weigh=weigh,
            )
        )
        return AuditedPhase(report.tree, tuple(_report(one) for one in report.outcomes), report.entry)


def _is_settled(finding: Finding, phase: EndedPhase) -> bool:
    if finding.severity != "error":
        return False
    return finding.code in _SETTLED or (finding.code.startswith(_OF_CHANGES) and finding.file in phase.judged)


def _report(outcome: AuditOutcome) -> Report:
    """Return what a check says. What a person approved stands with the verdict that it was approved in."""
    return Report(
        gate=f"{outcome.code} {outcome.name}",
        ok=outcome.result != "failed",
        findings=tuple(one for one in outcome.findings if not one.approved),
        dropped=outcome.dropped,
    )
