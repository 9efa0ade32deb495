"""How the wire's view of a build (`wire`) follows from events. Pure; decides nothing.

Two views are made here and nowhere else: the head row, kept up event by event without looking at a build, and the whole
`BuildState`. While a build works, the row says what happened last (implementing or iterating) and the state what is
furthest behind; before and after that they say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypedDict

from buildwright.core import event as e
from buildwright.core.build import Build, Control, Stage, TaskPhase, TaskState
from buildwright.core.event import AnyEvent, Event, Recorded
from buildwright.core.finding import Report, Verdict
from buildwright.core.record import UtcTime
from buildwright.core.task import Task as PlannedTask
from buildwright.core.wire import (
    BuildGraph,
    BuildHistoryEvent,
    BuildPhase,
    BuildState,
    CheckReport,
    PatchSet,
    ReviewDecision,
    ReviewReport,
    Task,
    TaskStatus,
    ValidationReport,
)

# --- The head row --------------------------------------------------------------------------------------------------


class HeadChange(TypedDict, total=False):
    """New values of columns of `build_runs`; a column that stays is not in it."""

    phase: BuildPhase
    control: Control
    outcome: str
    current_task_id: str
    completed: bool


_ENDS = {
    "succeeded": BuildPhase.READY,
    "failed": BuildPhase.ERROR,
    "stopped": BuildPhase.ABORTED,
    "aborted": BuildPhase.ABORTED,
}


def _judged(event: e.PatchJudged | e.MergeJudged) -> HeadChange:
    return {} if event.verdict.ok else {"phase": BuildPhase.ITERATING}


def _finished(event: e.BuildFinished) -> HeadChange:
    ended = Control.STOPPED if event.outcome in {"stopped", "aborted"} else Control.FINISHED
    return {
        "phase": _ENDS[event.outcome],
        "control": ended,
        "outcome": event.outcome,
        "current_task_id": "",
        "completed": True,
    }


_HEAD_CHANGES: dict[type[Event], Callable[[Any], HeadChange]] = {
    e.PlanMade: lambda _: {"phase": BuildPhase.IMPLEMENTING},
    e.TaskStarted: lambda event: {"current_task_id": event.task},
    e.AgentBroke: lambda _: {"phase": BuildPhase.ITERATING},
    e.PatchJudged: _judged,
    e.MergeJudged: _judged,
    e.MergeConflicted: lambda _: {"phase": BuildPhase.ITERATING},
    e.ChangeLanded: lambda _: {"phase": BuildPhase.IMPLEMENTING},
    e.BuildVerified: lambda _: {"phase": BuildPhase.VERIFYING},
    e.BuildPaused: lambda _: {"control": Control.PAUSED},
    e.BuildResumed: lambda _: {"control": Control.RUNNING},
    e.StopRequested: lambda _: {"control": Control.STOPPING},
    e.BuildFinished: _finished,
}


def head_change(events: Iterable[AnyEvent]) -> HeadChange:
    """What a batch of events changes in the head row: usually nothing."""
    change: HeadChange = {}
    for event in events:
        of_event = _HEAD_CHANGES.get(type(event))
        if of_event is not None:
            change |= of_event(event)
    return change


# --- The whole state -----------------------------------------------------------------------------------------------

_STATUS = {
    TaskPhase.WAITING: TaskStatus.TODO,
    TaskPhase.READY: TaskStatus.TODO,
    TaskPhase.PARKED: TaskStatus.TODO,
    TaskPhase.WORKING: TaskStatus.DOING,
    TaskPhase.JUDGING: TaskStatus.DOING,
    TaskPhase.MERGING: TaskStatus.DOING,
    TaskPhase.REJECTED: TaskStatus.DOING,
    TaskPhase.DONE: TaskStatus.DONE,
    TaskPhase.SKIPPED: TaskStatus.DONE,
    TaskPhase.FAILED: TaskStatus.BLOCKED,
}
_VALIDATORS = frozenset({"scope", "syntax", "validation"})
_CHECKS = frozenset({"typecheck", "lint", "test", "build"})
_SCRIPTS = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx")


def phase_of(build: Build) -> BuildPhase:
    """The phase of a build. Of the tasks at work, the one furthest behind speaks: rejected, then working, judging, merging."""
    if build.outcome is not None:
        return _ENDS[build.outcome]
    if build.plan is None:
        return BuildPhase.PLANNING
    if build.stage in {Stage.VERIFYING, Stage.DELIVERING}:
        return BuildPhase.VERIFYING
    at_work = {build.task(task_id).phase for task_id in build.active}
    if build.failures_in_row or TaskPhase.REJECTED in at_work:
        return BuildPhase.ITERATING
    if TaskPhase.WORKING in at_work or not at_work:
        return BuildPhase.IMPLEMENTING
    return BuildPhase.VERIFYING if TaskPhase.JUDGING in at_work else BuildPhase.REVIEWING


def state_of(build: Build, history: Sequence[Recorded] = ()) -> BuildState:
    """The wire's view of a build, in O(tasks + history).

    With the journal from its first event as `history`, every patch and report is listed, with its time; without it the
    newest of each task.
    """
    patches, verdicts = _from_history(history) if history else _from_tasks(build)
    validations = [v for at, verdict in verdicts if (v := _validation(verdict, at))]
    checks = [c for at, verdict in verdicts if (c := _check(verdict, at))]
    reviews = [r for at, verdict in verdicts if (r := _review(verdict, at))]
    spec = build.spec
    return BuildState(
        build_id=build.id,
        project_id=build.project_id,
        user_id=build.user_id,
        phase=phase_of(build),
        current_task_id=_current_task(build),
        brief=spec.brief.model_dump(mode="json") if spec.brief else {},
        build_plan=spec.build_plan.model_dump(mode="json") if spec.build_plan else {},
        product_doc=spec.product_doc.model_dump(mode="json") if spec.product_doc else {},
        build_graph=_graph(build, history),
        patch_sets=tuple(patches),
        last_patch=patches[-1] if patches else None,
        validation_reports=tuple(validations),
        last_validation=validations[-1] if validations else None,
        check_reports=tuple(checks),
        last_checks=checks[-1] if checks else None,
        review_reports=tuple(reviews),
        last_review=reviews[-1] if reviews else None,
        history=tuple(history_events(history)),
        created_at=build.created_at,
        updated_at=build.updated_at,
        completed_at=build.finished_at,
    )


def history_events(history: Iterable[Recorded], phase: BuildPhase = BuildPhase.PLANNING) -> list[BuildHistoryEvent]:
    """Events in the wire's form. `phase` is that before the first of them. A spec or graph is left out for its size."""
    shown = []
    for recorded in history:
        phase = head_change([recorded.event]).get("phase", phase)
        left_out = {"type", "spec", "options", "graph"}
        details = recorded.event.model_dump(mode="json", exclude_defaults=True, exclude=left_out)
        if isinstance(recorded.event, e.PlanMade):
            details["tasks"] = len(recorded.event.graph.tasks)
        shown.append(BuildHistoryEvent(ts=recorded.at, phase=phase, action=recorded.event.type, details=details))
    return shown


def _current_task(build: Build) -> str | None:
    started = ((state.attempt_at, task) for task in build.active if (state := build.task(task)).attempt_at)
    return max(started, default=(None, None))[1]


def _graph(build: Build, history: Sequence[Recorded]) -> BuildGraph | None:
    if build.plan is None:
        return None
    planned_at = next((r.at for r in history if isinstance(r.event, e.PlanMade)), build.created_at)
    tasks = tuple(_task(task, build.task(task.id), planned_at) for task in build.plan.graph.tasks)
    return BuildGraph(tasks=tasks, notes=build.plan.graph.notes, created_at=planned_at)


def _task(task: PlannedTask, state: TaskState, planned_at: UtcTime) -> Task:
    return Task(
        id=task.id,
        title=task.title,
        goal=task.goal,
        acceptance=task.acceptance,
        depends_on=task.depends_on,
        files_expected=task.files_expected,
        status=_STATUS[state.phase],
        created_at=planned_at,
        completed_at=state.finished_at if state.phase is TaskPhase.DONE else None,
    )


def _from_history(history: Sequence[Recorded]) -> tuple[list[PatchSet], list[tuple[UtcTime, Verdict]]]:
    patches, verdicts = [], []
    for _, at, event in history:
        if isinstance(event, e.AgentFinished) and event.patch is not None:
            name = f"{event.task}/{event.attempt}"
            paths = event.patch.paths
            patches.append(
                PatchSet(id=name, task_id=event.task, touched_files=paths, notes=event.summary, created_at=at)
            )
        elif isinstance(event, e.PatchJudged | e.MergeJudged | e.BaseJudged | e.BuildVerified):
            verdicts.append((at, event.verdict))
    return patches, verdicts


def _from_tasks(build: Build) -> tuple[list[PatchSet], list[tuple[UtcTime, Verdict]]]:
    patches, verdicts = [], []
    for task_id, state in build.tasks.items():
        at = state.finished_at or state.attempt_at or build.updated_at
        if state.patch is not None:
            name = f"{task_id}/{state.attempt}"
            paths = state.patch.paths
            patches.append(PatchSet(id=name, task_id=task_id, touched_files=paths, notes=state.summary, created_at=at))
        if state.verdict is not None:
            verdicts.append((at, state.verdict))
    patches.sort(key=lambda patch: (patch.created_at, patch.id))
    verdicts.sort(key=lambda timed: (timed[0], timed[1].tree))
    if build.verdict is not None:
        verdicts.append((build.updated_at, build.verdict))
    return patches, verdicts


def _validation(verdict: Verdict, at: UtcTime) -> ValidationReport | None:
    reports = [report for report in verdict.reports if report.kind in _VALIDATORS]
    if not reports:
        return None
    findings = [(report, finding) for report in reports for finding in report.findings]
    return ValidationReport(
        ok=all(report.ok for report in reports),
        errors=tuple(str(finding) for _, finding in findings if finding.severity == "error"),
        warnings=tuple(str(finding) for _, finding in findings if finding.severity == "warning"),
        js_valid=not any(
            report.kind == "syntax" and not report.ok and (finding.file or "").endswith(_SCRIPTS)
            for report, finding in findings
        ),
        created_at=at,
    )


def _check(verdict: Verdict, at: UtcTime) -> CheckReport | None:
    reports = [report for report in verdict.reports if report.kind in _CHECKS]
    if not reports:
        return None

    def ok(kind: str) -> bool:
        return all(report.ok for report in reports if report.kind == kind)

    return CheckReport(
        ok=all(report.ok for report in reports),
        typecheck_ok=ok("typecheck"),
        lint_ok=ok("lint"),
        unit_ok=ok("test"),
        logs="\n".join(_log(report) for report in reports),
        created_at=at,
    )


def _log(report: Report) -> str:
    ran = f" $ {report.evidence.command}" if report.evidence else ""
    return "\n".join([f"{report.gate}: {'ok' if report.ok else 'failed'}{ran}", *map(str, report.findings)])


def _review(verdict: Verdict, at: UtcTime) -> ReviewReport | None:
    reports = [report for report in verdict.reports if report.gate == "review"]
    if not reports:
        return None
    findings = [finding for report in reports for finding in report.findings]
    errors = [finding for finding in findings if finding.severity == "error"]
    approved = all(report.ok for report in reports)
    return ReviewReport(
        decision=ReviewDecision.APPROVE if approved else ReviewDecision.REQUEST_CHANGES,
        reasons=tuple(finding.message for finding in findings),
        required_fixes=() if approved else tuple(finding.fix or finding.message for finding in errors),
        blocked_by=() if approved else tuple(dict.fromkeys(finding.code for finding in errors)),
        created_at=at,
    )
