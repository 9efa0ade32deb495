"""A build in the records of the build runtime's document, and its head row. Pure; must never decide.

The phase is the one of `statuses.runtime_phase` everywhere: in the state, in the head row (the writer knows the
build after it) and in each entry of the history. The other columns of the head row follow from the events alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypedDict

from pydantic import BaseModel, Field

from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.event import AnyEvent, Event, Recorded
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.patch import Patch
from buildwright.core.record import Record, UtcTime
from buildwright.core.review import review_in
from buildwright.core.task import Task
from buildwright.views.overview import PauseView
from buildwright.views.statuses import ENDS, TASKS, BuildPhase, TaskStatus, phase_shown, runtime_phase

# --- The records ---------------------------------------------------------------------------------------------------


def _now() -> datetime:
    """The time of a record that a program makes itself. What is read from a journal always has the time from there."""
    return datetime.now(UTC)


class ReviewDecision(StrEnum):
    """The decision of a reviewer."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"


class RuntimeTask(Record):
    """A task as it was planned, and how far it is."""

    id: str
    title: str
    goal: str
    acceptance: tuple[str, ...]
    depends_on: tuple[str, ...] = ()
    files_expected: tuple[str, ...] = ()
    status: TaskStatus = TaskStatus.TODO
    created_at: UtcTime = Field(default_factory=_now)
    completed_at: UtcTime | None = None


class BuildGraph(Record):
    """All tasks of a build."""

    tasks: tuple[RuntimeTask, ...]
    notes: str = ""
    created_at: UtcTime = Field(default_factory=_now)


class PatchSet(Record):
    """A change made by an agent. `diff` is "" until the caller fills it in: the text comes from the workspace."""

    id: str
    task_id: str
    diff: str = ""
    touched_files: tuple[str, ...]
    notes: str = ""
    created_at: UtcTime = Field(default_factory=_now)


class ValidationReport(Record):
    """The results of the validators: scope, syntax and the task's own command.

    `normalized_html` is the page of HTML that the change touched, if it is one, as a browser understands it. It is None
    until the caller fills it in, as for the text of a change.
    """

    ok: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    normalized_html: str | None = None
    js_valid: bool = True
    created_at: UtcTime = Field(default_factory=_now)


class CheckReport(Record):
    """The results of typecheck, lint and tests. `ok` also covers the build command, which has no field of its own."""

    ok: bool
    typecheck_ok: bool = True
    lint_ok: bool = True
    unit_ok: bool = True
    logs: str = ""
    created_at: UtcTime = Field(default_factory=_now)


class ReviewReport(Record):
    """A reviewer's decision and its reason."""

    decision: ReviewDecision
    reasons: tuple[str, ...] = ()
    required_fixes: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()
    created_at: UtcTime = Field(default_factory=_now)


class BuildHistoryEvent(Record):
    """One event, with the phase of the build after it."""

    ts: UtcTime = Field(default_factory=_now)
    phase: BuildPhase
    action: str
    details: dict[str, Any] = Field(default_factory=dict)


class BuildState(Record):
    """A whole build."""

    build_id: str
    project_id: str
    user_id: str
    phase: BuildPhase = BuildPhase.PLANNING
    current_task_id: str | None = None
    brief: dict[str, Any] = Field(default_factory=dict)
    build_plan: dict[str, Any] = Field(default_factory=dict)
    product_doc: dict[str, Any] = Field(default_factory=dict)
    build_graph: BuildGraph | None = None
    patch_sets: tuple[PatchSet, ...] = ()
    last_patch: PatchSet | None = None
    validation_reports: tuple[ValidationReport, ...] = ()
    last_validation: ValidationReport | None = None
    check_reports: tuple[CheckReport, ...] = ()
    last_checks: CheckReport | None = None
    review_reports: tuple[ReviewReport, ...] = ()
    last_review: ReviewReport | None = None
    history: tuple[BuildHistoryEvent, ...] = ()
    created_at: UtcTime = Field(default_factory=_now)
    updated_at: UtcTime = Field(default_factory=_now)
    completed_at: UtcTime | None = None

    @property
    def is_terminal(self) -> bool:
        return self.phase in {BuildPhase.READY, BuildPhase.ABORTED, BuildPhase.ERROR}

    @property
    def all_tasks_done(self) -> bool:
        return self.build_graph is not None and all(t.status is TaskStatus.DONE for t in self.build_graph.tasks)

    def get_current_task(self) -> RuntimeTask | None:
        """Return the task in work; of several, the one whose attempt started last."""
        tasks = self.build_graph.tasks if self.build_graph else ()
        return next((task for task in tasks if task.id == self.current_task_id), None)

    def get_blocked_tasks(self) -> list[RuntimeTask]:
        """Return the tasks still to do that wait for at least one dependency."""
        tasks = self.build_graph.tasks if self.build_graph else ()
        done = {task.id for task in tasks if task.status is TaskStatus.DONE}
        return [t for t in tasks if t.status is TaskStatus.TODO and any(needed not in done for needed in t.depends_on)]


class BuildResponse(BaseModel):
    """A build. `history` is a page of its events, oldest first."""

    pause: PauseView | None = Field(default=None, description="Why it is paused, and the ways out; null when not.")

    build_id: str
    project_id: str
    phase: BuildPhase
    current_task_id: str | None = None
    build_graph: BuildGraph | None = None
    last_patch: PatchSet | None = None
    last_validation: ValidationReport | None = None
    last_checks: CheckReport | None = None
    last_review: ReviewReport | None = None
    history: list[BuildHistoryEvent] = Field(default_factory=list)
    history_next: int | None = Field(
        default=None, description="`history_after` of the next page; null when this page has the newest event."
    )


class CanPublish(BaseModel):
    """Whether the result can be published, and if not, why."""

    can_publish: bool
    reasons: list[str] = Field(default_factory=list)


# --- The head row --------------------------------------------------------------------------------------------------


class HeadChange(TypedDict, total=False):
    """New values of columns of `build_runs`; unchanged columns are left out."""

    phase: BuildPhase
    control: Control
    outcome: str
    current_task_id: str
    completed: bool


def _finished(event: e.BuildFinished) -> HeadChange:
    phase, control = ENDS[event.outcome]
    return {
        "phase": phase,
        "control": control,
        "outcome": event.outcome,
        "current_task_id": "",
        "completed": True,
    }


_HEAD_CHANGES: dict[type[Event], Callable[[Any], HeadChange]] = {
    e.TaskStarted: lambda event: {"current_task_id": event.task},
    e.BuildPaused: lambda _: {"control": Control.PAUSED},
    e.BuildResumed: lambda _: {"control": Control.RUNNING},
    e.StopRequested: lambda _: {"control": Control.STOPPING},
    e.BuildFinished: _finished,
    e.DeliveryRequested: lambda _: {"control": Control.RUNNING, "outcome": "", "completed": False},
    e.BuildReopened: lambda _: {"control": Control.RUNNING, "outcome": "", "completed": False},
}


def head_change(events: Iterable[AnyEvent], after: Build | None = None) -> HeadChange:
    """Return the changes of the head row by a batch of events. `after` is the build after them, for its phase."""
    change: HeadChange = {} if after is None else {"phase": runtime_phase(after)}
    for event in events:
        of_event = _HEAD_CHANGES.get(type(event))
        if of_event is not None:
            change |= of_event(event)
    return change


# --- The whole state -----------------------------------------------------------------------------------------------

_VALIDATORS = frozenset({"scope", "syntax", "validation"})
_CHECKS = frozenset({"typecheck", "lint", "test", "build"})
_SCRIPTS = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx")


def state_of(build: Build, history: Sequence[Recorded] = ()) -> BuildState:
    """Return the whole build, in O(tasks + history).

    With the journal from its first event as `history`, every patch and report is listed, with its time; without it,
    only the newest of each task.
    """
    patches, verdicts = _from_history(history) if history else _from_tasks(build)
    validations = [v for at, verdict in verdicts if (v := _validation(verdict, at))]
    checks = [c for at, verdict in verdicts if (c := _check(verdict, at))]
    reviews = _reviews(build, verdicts if history else [])
    spec = build.spec
    return BuildState(
        build_id=build.id,
        project_id=build.project_id,
        user_id=build.user_id,
        phase=runtime_phase(build),
        current_task_id=_current_task(build),
        brief=spec.brief.model_dump(mode="json") if spec.brief else {},
        build_plan=spec.build_plan.model_dump(mode="json") if spec.build_plan else {},
        product_doc=spec.product_doc.model_dump(mode="json") if spec.product_doc else {},
        build_graph=_graph(build),
        patch_sets=tuple(patches),
        last_patch=patches[-1] if patches else None,
        validation_reports=tuple(validations),
        last_validation=validations[-1] if validations else None,
        check_reports=tuple(checks),
        last_checks=checks[-1] if checks else None,
        review_reports=tuple(reviews),
        last_review=reviews[-1] if reviews else None,
        history=tuple(history_events(with_builds(history))),
        created_at=build.created_at,
        updated_at=build.updated_at,
        completed_at=build.finished_at,
    )


def with_builds(history: Iterable[Recorded]) -> Iterator[tuple[Recorded, Build]]:
    """Yield each event of a whole journal with the build after it."""
    build: Build | None = None
    for recorded in history:
        build = apply(build, recorded)
        yield recorded, build


def history_events(history: Iterable[tuple[Recorded, Build]]) -> list[BuildHistoryEvent]:
    """Return events, each with the build after it, as history records. Specs and graphs are left out."""
    shown = []
    for recorded, build in history:
        phase = runtime_phase(build)
        left_out = {"type", "spec", "options", "graph"}
        details = recorded.event.model_dump(mode="json", exclude_defaults=True, exclude=left_out)
        if isinstance(recorded.event, e.PlanMade):
            details["tasks"] = len(recorded.event.graph.tasks)
        shown.append(BuildHistoryEvent(ts=recorded.at, phase=phase, action=recorded.event.type, details=details))
    return shown


def response_json(state: BuildState, pause: PauseView | None) -> bytes:
    """Return the state and the build's pause as the JSON of a `BuildResponse` without its page of the history."""
    fields = BuildResponse.model_fields.keys() - {"pause", "history", "history_next"}
    shown = state.model_dump_json(include=set(fields))
    paused = pause.model_dump_json() if pause is not None else "null"
    return b'%s,"pause":%s}' % (shown[:-1].encode(), paused.encode())


def publishable(state: BuildState) -> CanPublish:
    """Return whether the build is ready, and validation and checks have passed."""
    reasons = []
    if state.phase is not BuildPhase.READY:
        reasons.append(f"Build not in ready state (current: {state.phase.value})")
    if state.last_validation is None or not state.last_validation.ok:
        reasons.append("Validation failed or not run")
    if state.last_checks is None or not state.last_checks.ok:
        reasons.append("Checks failed or not run")
    return CanPublish(can_publish=not reasons, reasons=reasons)


def _current_task(build: Build) -> str | None:
    started = ((state.attempt_at, task) for task in build.active if (state := build.task(task)).attempt_at)
    return max(started, default=(None, None))[1]


def _graph(build: Build) -> BuildGraph | None:
    if build.plan is None:
        return None
    planned_at = build.moments["plan.made"].first
    tasks = tuple(_task(build, task, planned_at) for task in build.plan.graph.tasks)
    return BuildGraph(tasks=tasks, notes=build.plan.graph.notes, created_at=planned_at)


def _task(build: Build, task: Task, planned_at: UtcTime) -> RuntimeTask:
    state = build.task(task.id)
    return RuntimeTask(
        id=task.id,
        title=task.title,
        goal=task.goal,
        acceptance=task.acceptance,
        depends_on=task.depends_on,
        files_expected=task.files_expected,
        status=TASKS[phase_shown(build, state)][0],
        created_at=planned_at,
        completed_at=state.finished_at if state.phase is TaskPhase.DONE else None,
    )


def _from_history(history: Sequence[Recorded]) -> tuple[list[PatchSet], list[tuple[UtcTime, Verdict]]]:
    patches, verdicts = [], []
    for _, at, event in history:
        if isinstance(event, e.AgentFinished) and event.patch is not None:
            patches.append(_patch_set(event.task, event.attempt, event.patch, event.summary, at))
        elif isinstance(event, e.PatchJudged | e.MergeJudged | e.BaseJudged | e.BuildVerified):
            verdicts.append((at, event.verdict))
    return patches, verdicts


def _from_tasks(build: Build) -> tuple[list[PatchSet], list[tuple[UtcTime, Verdict]]]:
    patches, verdicts = [], []
    for task_id, state in build.tasks.items():
        at = state.finished_at or state.attempt_at or build.updated_at
        if state.patch is not None:
            patches.append(_patch_set(task_id, state.attempt, state.patch, state.summary, at))
        if state.verdict is not None:
            verdicts.append((at, state.verdict))
    patches.sort(key=lambda patch: (patch.created_at, patch.id))
    verdicts.sort(key=lambda timed: (timed[0], timed[1].tree))
    if build.verdict is not None:
        verdicts.append((build.updated_at, build.verdict))
    return patches, verdicts


def _reviews(build: Build, verdicts: Sequence[tuple[UtcTime, Verdict]]) -> list[ReviewReport]:
    """Return the reviews, oldest first: those of the verdicts, or without these the newest of each task."""
    if verdicts:
        made = [(at, report) for at, verdict in verdicts if (report := review_in(verdict)) is not None]
    else:
        states = [state for state in build.tasks.values() if state.review is not None]
        made = [(state.reviewed_at or build.updated_at, state.review) for state in states if state.review is not None]
        made.sort(key=lambda timed: timed[0])
    return [_review(report, at) for at, report in made]


def _patch_set(task: str, attempt: int, patch: Patch, notes: str, at: UtcTime) -> PatchSet:
    return PatchSet(id=f"{task}/{attempt}", task_id=task, touched_files=patch.paths, notes=notes, created_at=at)


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


def _review(report: Report, at: UtcTime) -> ReviewReport:
    errors = [finding for finding in report.findings if finding.severity == "error"]
    said = [_reason(finding) for finding in report.findings if finding.severity != "error"]
    return ReviewReport(
        decision=ReviewDecision.APPROVE if report.ok else ReviewDecision.REQUEST_CHANGES,
        reasons=tuple(said or [finding.message for finding in errors]),
        required_fixes=() if report.ok else tuple(map(_required_fix, errors)),
        blocked_by=() if report.ok else tuple(dict.fromkeys(finding.code for finding in errors)),
        created_at=at,
    )


def _reason(finding: Finding) -> str:
    return f"{finding.message} (approved by {finding.approved})" if finding.approved else finding.message


def _required_fix(finding: Finding) -> str:
    if finding.fix or not finding.file:
        return finding.fix or finding.message
    place = f"{finding.file}:{finding.line}" if finding.line else finding.file
    return f"{place}: {finding.message}"
