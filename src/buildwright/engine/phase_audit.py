"""The audit of a phase: what its tasks were to touch and what landed, put together for the auditor. Must never judge."""

from __future__ import annotations

from buildwright.core import event as e
from buildwright.core.action import AuditPhase
from buildwright.core.build import Build, TaskState
from buildwright.core.finding import Report, Verdict
from buildwright.engine.action_context import ActionContext
from buildwright.engine.judge import consent_of
from buildwright.ports import EndedPhase


async def audit_phase(bench: ActionContext, action: AuditPhase, build: Build) -> e.PhaseAudited:
    """Return what the audit says of a phase. Doing it again records nothing twice in the ledger.

    Raises what the auditor raises.
    """
    auditor = bench.world.auditor
    verdict, entry = Verdict(tree=build.head_tree), None
    if auditor is not None:
        audited = await auditor.audit(ended_phase(bench, action, build))
        verdict, entry = Verdict(tree=audited.tree, reports=audited.reports), audited.entry
    name = build.phase_name(action.phase)
    for report in verdict.reports:
        if not report.ok:
            bench.logbook.note("gate", f"audit of {name}, {report.gate}: refused, {len(report.findings)} findings")
    bench.logbook.note("gate", f"audit of {name}: {'passed' if verdict.ok else 'refused'}")
    return e.PhaseAudited(phase=action.phase, base=action.base, head=action.head, verdict=verdict, entry=entry)


def ended_phase(bench: ActionContext, action: AuditPhase, build: Build) -> EndedPhase:
    """Return what the auditor is to know of a phase, from the state of the build."""
    plan = build.plan
    assert plan is not None
    mine = [task for task, place in zip(plan.graph.tasks, plan.milestone, strict=True) if place == action.phase]
    landed = [state for _, state in build.tasks.items() if state.commit]
    named = [task.files_expected for task in mine]
    return EndedPhase(
        build_id=build.id,
        repository=build.repository,
        name=build.phase_name(action.phase),
        base=action.base,
        head=action.head,
        claimed=tuple(dict.fromkeys(path for files in named for path in files)) if all(named) else (),
        judged=frozenset(path for state in landed if state.patch is not None for path in state.patch.paths),
        commits=frozenset(state.commit for state in landed),
        reports=_reports(build, action.head, landed),
        allow=build.options.allow,
        consent=consent_of(build, "", bench.world.mask),
    )


def _reports(build: Build, head: str, landed: list[TaskState]) -> tuple[Report, ...]:
    """Return the reports of the newest verdict on the tree of a commit: that of the whole result, or of its task."""
    if build.verdict is not None and head == build.head:
        return build.verdict.reports
    verdicts = [state.verdict for state in landed if state.commit == head and state.verdict is not None]
    return verdicts[0].reports if verdicts else ()
