"""Carries out an audit: compares, runs the project's checks, asks every check, and records the result in the ledger.

The audit of a phase of a build never runs a command: the gates have judged every change of it by the words of its task.
What the audit alone would refuse, though they let it land, is a warning there: an honest change is not refused a second
time for what was settled.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from buildwright.audit.check import AuditCheck, AuditInput, AuditOutcome, AuditReport, result_of
from buildwright.audit.comparison import AuditRange, Comparison, compare, landed_commits
from buildwright.audit.dependencies import dependency_changes
from buildwright.audit.dsse import StatementSigner, canonical
from buildwright.audit.ledger import Ledger, LedgerState, render
from buildwright.audit.registry import audit_checks
from buildwright.audit.scope import RENDERED, diff_log
from buildwright.confined_fs import write_beneath
from buildwright.core.finding import Finding, Report
from buildwright.core.limits import Options
from buildwright.core.sanitize import sanitize
from buildwright.core.secrets import mask
from buildwright.errors import Conflict
from buildwright.gates.checks import ChecksGate
from buildwright.gates.reporting import judgement
from buildwright.ports import AuditedPhase, EndedPhase, GateTools, Judged, as_found
from buildwright.workspace.git import Git

_OF_CHANGES = ("scope.", "minimal.")
"""Families about how a file was changed: settled for the files of changes that landed."""
_SETTLED = frozenset({"tests.none", "evidence.none", "order.late", "scope.empty"})
"""What may be said of runs that Buildwright chose and ordered, and of tasks that were done by proof, without a change."""


@dataclass(frozen=True)
class AuditRequest:
    """What to audit and against what."""

    repository: str
    span: AuditRange = field(default_factory=AuditRange)
    claimed: tuple[str, ...] = ()
    phase: str = ""
    allow: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    run_checks: bool = True
    write: bool = True
    """Whether the ledger is also written for people, below `evidence/` in the working tree."""
    of: str = ""
    """The name under which the ledger and the allowed secrets are kept; "" for the repository's own."""
    build: str = ""
    """The build that is audited; a phase of it is recorded once."""
    landed: frozenset[str] = frozenset()
    """Commits that are known to be landed by a build."""
    reports: tuple[Report, ...] | None = None
    """What the project's own checks said of the head, when they need not run again."""
    weigh: Callable[[Finding], Finding] = as_found
    """Returns a finding as it counts for the caller, for example as a note if a person has approved it."""


class Auditor:
    """Audits repositories and keeps a ledger of each, below `home`."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        tools: Callable[[], Awaitable[GateTools]],
        now: Callable[[], datetime],
        mask: Callable[[str], str] = mask,
        allowed_secrets: Callable[[str], Collection[str]] = lambda _: (),
    ) -> None:
        """`tools` gives what the project's own commands run with; it is asked only when they are to run.

        `mask` takes secrets out of what is reported and recorded; `allowed_secrets` gives the fingerprints of those
        that a person allowed in a repository.
        """
        self._mask = mask
        self._allowed_secrets = allowed_secrets
        self._home = home
        self._environment = environment
        self._tools = tools
        self._now = now
        self._git = Git(home, environment)

    @property
    def signer(self) -> StatementSigner:
        """The key of this home, made on first use."""
        return StatementSigner(self._home / "keys")

    async def audit(self, request: AuditRequest) -> AuditReport:
        """Return what every check says of the change. Raises BadRepository, GitFailed, BadSettings, GateBroken."""
        began = time.monotonic()
        async with compare(self._git, request.repository, self._environment, request.span) as comparison:
            name = request.of or comparison.source.location
            folder = self._folder(name)
            ledger = Ledger(folder)
            signer = self.signer
            reports = request.reports
            if request.run_checks and reports is None:
                reports = await self._reports(comparison, request)
            given = AuditInput(
                comparison,
                claimed=request.claimed,
                phase=request.phase,
                allow=request.allow,
                authors=request.authors,
                reports=reports,
                ledger=ledger.read((signer.public,)),
                landed=request.landed or await self._landed(comparison),
                secret_rules=self._home / "secret-rules",
                allowed_secrets=self._allowed_secrets(name),
                cache=folder,
            )
            outcomes = tuple([await _outcome(check, given, request.weigh) for check in audit_checks()])
            found = AuditReport(
                repository=name,
                base=comparison.base,
                head=comparison.head,
                tree=comparison.patch.tree,
                phase=request.phase,
                claimed=request.claimed,
                outcomes=outcomes,
                reports=reports or (),
                dependencies=tuple(await dependency_changes(comparison)),
                seconds=time.monotonic() - began,
            )
            report = sanitize(found, self._mask)
            state = given.ledger
            if (entry := _recorded(state, report, request.build)) is None:
                with suppress(Conflict):  # the check of the ledger has said what is wrong with it
                    state = ledger.append(_entries(report, diff_log(comparison), request.build), signer, self._now())
                    entry = len(state.entries) - 1
            report = report.model_copy(update={"entry": entry})
            if request.write and comparison.source.work_tree is not None:
                write_beneath(comparison.source.work_tree, RENDERED[0], render(state).encode())
            return report

    def _folder(self, name: str) -> Path:
        return self._home / "audit" / hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:16]

    async def _landed(self, comparison: Comparison) -> frozenset[str]:
        """Return the commits that builds of this home have landed; they are looked for only if there may be some."""
        if not any(commit.build for commit in comparison.commits):
            return frozenset()
        return await landed_commits(self._git, self._home)

    async def _reports(self, comparison: Comparison, request: AuditRequest) -> tuple[Report, ...]:
        """Run the project's own checks on exactly the judged tree, and with the tests of the base beside it."""
        patch = comparison.patch
        base = comparison.before

        async def read_base(path: str) -> bytes | None:
            await comparison.read(entry for entry in (base.get(path),) if entry is not None)
            return comparison.content(base.get(path))

        gate = ChecksGate(await self._tools())
        async with comparison.checkout(patch.tree) as files:
            judged = Judged(
                build_id="audit",
                task=None,
                tree=patch.tree,
                patch=patch if comparison.base else None,
                files=files,
                options=Options(allow=request.allow),
                base_tree=patch.base_tree,
                checkout=comparison.checkout,
                read_base=read_base,
            )
            return tuple(one.report for one in await gate.judge(judged))


async def _outcome(check: AuditCheck, given: AuditInput, weigh: Callable[[Finding], Finding]) -> AuditOutcome:
    began = time.monotonic()
    findings = [weigh(one) for one in await check.judge(given)]
    bounded = judgement(check.name, "other", findings).report
    return AuditOutcome(
        code=check.code,
        name=check.name,
        result=result_of(findings),
        findings=bounded.findings,
        dropped=bounded.dropped,
        seconds=time.monotonic() - began,
    )


def _recorded(ledger: LedgerState, report: AuditReport, build: str) -> int | None:
    """Return the number of the entry that a build's phase has already: a killed process may have left it."""
    wanted = (build, report.phase, report.base, report.head)
    for entry in ledger.of_tree(report.tree, "audit") if build else ():
        if (entry.get("build"), entry["phase"], entry["base"], entry["head"]) == wanted:
            return int(entry["seq"])
    return None


def _entries(report: AuditReport, changes: Sequence[str], build: str) -> Sequence[Mapping[str, Any]]:
    """Return what the ledger keeps: each run of a check with its proof, then the audit."""
    runs = [
        {
            "type": "check",
            "tree": proof.tree,
            "name": one.gate,
            "kind": one.kind,
            "ok": one.ok,
            "command": proof.command,
            "exit_code": proof.exit_code,
            "started_at": proof.started_at.isoformat(),
            "milliseconds": round(proof.seconds * 1000),
            "output": proof.output_digest,
            "tests": proof.tests,
            "surface": proof.surface,
            "sandbox": proof.sandbox,
        }
        for one in report.reports
        if (proof := one.evidence) is not None
    ]
    found = [one.model_dump(mode="json", exclude={"seconds"}) for one in report.outcomes]
    told = {
        "type": "audit",
        "tree": report.tree,
        "base": report.base,
        "head": report.head,
        "phase": report.phase,
        "claimed": list(report.claimed),
        "ok": report.ok,
        "changes": list(changes),
        "results": {one.code: one.result for one in report.outcomes},
        "findings": hashlib.sha256(canonical(found)).hexdigest(),
        **({"build": build} if build else {}),
    }
    return [*runs, told]


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
