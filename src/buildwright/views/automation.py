"""An execution of the development team: workflow, stages of a build in it, record and status. Must never decide.

A workflow is data over the one engine: each stage says which events begin and end it, which option it needs and what
works in it. A build's place in it follows from the build's state alone, in O(stages + active tasks).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from buildwright.core.build import Build, Stage, TaskPhase
from buildwright.core.record import Record, UtcTime
from buildwright.errors import Refused
from buildwright.views.overview import running_tasks
from buildwright.views.statuses import TASKS, ExecutionStatus, StageStatus, phase_shown

Need = Literal["lanes", "gates", "delivery"]

SCHEMA_VERSION = 1
"""Version of `TaskContext`. Fields are only ever added to a version."""
MOST_ARTIFACTS = 1000
"""Number of tasks that a context lists; it counts the others."""
MOST_FILES = 200
"""Number of files that it names of one task."""


@dataclass(frozen=True, slots=True)
class WorkflowStage:
    """One stage of a workflow. Events are given by their wire names; a build must keep the moments of each."""

    name: str
    begins: tuple[str, ...]
    """The first of these events begins the stage; for the last stage, the last of them."""
    ends: tuple[str, ...]
    """The last of these events ends the stage."""
    during: Stage | None = None
    """The stage works while the build is in this stage."""
    phases: Set[TaskPhase] = frozenset()
    """The stage works while a task is in one of these phases."""
    per_task: bool = False
    """Whether every task goes through it, some more than once: it is over only when it is over for all tasks."""
    needs: Need | None = None
    """An option or result without which the stage has nothing to do."""
    blamed_for: Set[str] = frozenset()
    """Rejections (`event.Rejection`) of a failed task that make this the failed stage."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """Stages in order. A released version never changes its meaning."""

    id: str
    name: str
    version: int
    stages: tuple[WorkflowStage, ...]


# fmt: off
_STAGES = (
    WorkflowStage("SELECT", ("build.created",), ("build.created",)),
    WorkflowStage("PREP", ("build.created",), ("plan.made",), Stage.PLANNING),
    WorkflowStage("INIT REPO", ("build.created",), ("target.prepared",), Stage.CREATED, needs="lanes"),
    WorkflowStage("EXECUTE", ("task.started",), ("agent.finished", "agent.broke"), phases={TaskPhase.WORKING},
                  per_task=True, blamed_for={"agent", "empty"}),
    WorkflowStage("VERIFY", ("agent.finished",), ("patch.judged", "merge.judged", "build.verified"), Stage.VERIFYING,
                  {TaskPhase.JUDGING}, per_task=True, needs="gates", blamed_for={"gate"}),
    WorkflowStage("MERGE", ("merge.prepared", "merge.conflicted"), ("change.landed",), phases={TaskPhase.MERGING},
                  per_task=True, needs="lanes", blamed_for={"conflict", "train"}),
    WorkflowStage("PUSH", ("change.landed", "build.verified"), ("build.delivered",), Stage.DELIVERING, needs="delivery"),
)
# fmt: on
"""SELECT: the goal is read and fixed. PREP: it becomes a plan of tasks, while INIT REPO mirrors the repository."""
DEVTEAM_AUTOMATION = Workflow("9a65464c-1611-54e0-b166-23c2462ed3a6", "DEVTEAM_AUTOMATION", version=1, stages=_STAGES)

_ALL = (DEVTEAM_AUTOMATION,)
WORKFLOWS: Mapping[str, Workflow] = {key: workflow for workflow in _ALL for key in (workflow.name, workflow.id)}
"""The registry: every workflow by its name and by its id."""


def workflow_of(name_or_id: str) -> Workflow:
    """Return the workflow of a name or id. Raises Refused, which names the known ones."""
    found = WORKFLOWS.get(name_or_id)
    if found is None:
        names = ", ".join(workflow.name for workflow in _ALL)
        raise Refused(f"there is no workflow {name_or_id[:100]!r}", fix=f"choose one of {names}, by name or id")
    return found


class StageState(Record):
    """The state of a build in one stage."""

    name: str
    status: StageStatus
    """In a build that succeeds it only goes from pending to running to done or skipped."""
    began_at: UtcTime | None = None
    ended_at: UtcTime | None = None


def stages_of(build: Build, workflow: Workflow = DEVTEAM_AUTOMATION) -> tuple[StageState, ...]:
    """Return the state of every stage of the workflow, in its order."""
    missing, phases = _missing(build), _phases(build)
    states = [_state(build, stage, missing, phases) for stage in workflow.stages]
    if build.outcome == "succeeded":
        return tuple(states)
    if build.outcome is not None:
        failed = _blamed(build, workflow, states) if build.outcome == "failed" else len(states)
        states = [_broken_off(build, state, place - failed) for place, state in enumerate(states)]
    return tuple(states)


def current_stage(build: Build, workflow: Workflow = DEVTEAM_AUTOMATION) -> str:
    """Return the name of the first stage that works, else that is open, else due; else of the failed or last one."""
    states = stages_of(build, workflow)
    phases = _phases(build)
    for stage, state in zip(workflow.stages, states, strict=True):
        if state.status in {"running", "pending"} and _works(build, stage, phases):
            return state.name
    for status in ("running", "pending"):
        if left := [state.name for state in states if state.status == status]:
            return left[0]
    failed = [state.name for state in states if state.status == "failed"]
    begun = [state.name for state in states if state.began_at is not None]
    return (failed or begun[-1:])[0]


def _missing(build: Build) -> frozenset[Need]:
    """Return what the stages may need and this build lacks."""
    missing: set[Need] = set()
    if not build.options.lanes:
        missing |= {"lanes", "gates", "delivery"}
    if not build.options.gates:
        missing.add("gates")
    if build.options.delivery.kind == "none" or (build.all_tasks_done and build.head == build.base):
        missing.add("delivery")
    return frozenset(missing)


def _phases(build: Build) -> frozenset[TaskPhase]:
    return frozenset(build.task(task).phase for task in build.active)


def _works(build: Build, stage: WorkflowStage, phases: frozenset[TaskPhase]) -> bool:
    return build.stage is stage.during or bool(phases & stage.phases)


def _state(build: Build, stage: WorkflowStage, missing: frozenset[Need], phases: frozenset[TaskPhase]) -> StageState:
    if stage.needs in missing:
        return StageState(name=stage.name, status="skipped")
    working = _works(build, stage, phases)
    begins = [build.moments[event] for event in stage.begins if event in build.moments]
    ends = [build.moments[event].last for event in stage.ends if event in build.moments]
    if stage.during is Stage.DELIVERING:
        # It begins with the last of its events; a tree that was refused is not delivered.
        refused = build.verdict is not None and not build.verdict.ok
        begun = (working or bool(ends)) and not refused
        began_at = max((moment.last for moment in begins), default=None)
    else:
        begun = bool(begins) or build.stage is stage.during
        began_at = min((moment.first for moment in begins), default=None)
    over = build.all_tasks_done and not working if stage.per_task else bool(ends)
    if not begun:
        return StageState(name=stage.name, status="skipped" if over else "pending")
    if not over:
        return StageState(name=stage.name, status="running", began_at=began_at)
    return StageState(name=stage.name, status="done", began_at=began_at, ended_at=max(ends, default=began_at))


def _blamed(build: Build, workflow: Workflow, states: list[StageState]) -> int:
    """Return the place of the failed stage in a build that has failed."""
    rejections = {build.task(task).rejection for task in build.failed}
    for place, stage in enumerate(workflow.stages):
        if stage.blamed_for & rejections:
            return place
    if build.verdict is not None and not build.verdict.ok:
        return next(place for place, stage in enumerate(workflow.stages) if stage.during is Stage.VERIFYING)
    return next((place for place, state in enumerate(states) if state.status == "running"), len(states) - 1)


def _broken_off(build: Build, state: StageState, place: int) -> StageState:
    """Return the stage of a build that did not succeed; `place` counts from the failed one."""
    if place == 0:
        return state.model_copy(update={"status": "failed", "ended_at": build.finished_at})
    if state.status not in {"running", "pending"}:
        return state
    if place < 0 and state.status == "running" and build.outcome == "failed":
        return state.model_copy(update={"status": "done", "ended_at": build.finished_at})
    return state.model_copy(update={"status": "skipped", "ended_at": build.finished_at if state.began_at else None})


# --- The record of an execution ------------------------------------------------------------------------------------


class TaskArtifacts(Record):
    """The result of one task."""

    task: str
    phase: str
    attempt: int = 0
    filesModified: tuple[str, ...] = ()  # noqa: N815  the wire's name
    """At most `MOST_FILES` paths; `files` counts all."""
    files: int = 0
    commit: str = ""
    summary: str = ""
    verification: Literal["passed", "failed", "none"] = "none"
    findings: tuple[str, ...] = ()


class PlannedStep(Record):
    """One task of the plan."""

    id: str
    title: str
    depends_on: tuple[str, ...] = ()


class TaskContext(Record):
    """The result of an execution so far. Kept with the event that asked for it."""

    schema_version: int = SCHEMA_VERSION
    workflow: str
    workflow_id: str
    workflow_version: int
    executionId: str  # noqa: N815  the wire's name
    projectId: str  # noqa: N815  the wire's name
    correlationId: str  # noqa: N815  the wire's name
    version: int
    """The last event of the build that it includes."""
    stage: str
    stages: tuple[StageState, ...]
    outcome: str = ""
    plan: tuple[PlannedStep, ...] = ()
    artifacts: tuple[TaskArtifacts, ...] = ()
    omitted: int = 0
    """Number of tasks beyond `MOST_ARTIFACTS`, in neither list."""
    base: str = ""
    head: str = ""
    delivered: str = ""
    verification: Literal["passed", "failed", "none"] = "none"
    """Verdict on the final tree, when it had to be judged once more."""


def task_context(build: Build, project: str = "", workflow: Workflow = DEVTEAM_AUTOMATION) -> dict[str, Any]:
    """Return the build as the record of an execution of a workflow, as JSON data. `project` is the caller's name."""
    planned = build.plan.graph.tasks if build.plan is not None else ()
    shown = planned[:MOST_ARTIFACTS]
    context = TaskContext(
        workflow=workflow.name,
        workflow_id=workflow.id,
        workflow_version=workflow.version,
        executionId=build.id,
        projectId=project or build.project_id,
        correlationId=build.correlation_id,
        version=build.version,
        stage=current_stage(build, workflow),
        stages=stages_of(build, workflow),
        outcome=build.outcome or "",
        plan=tuple(PlannedStep(id=task.id, title=task.title, depends_on=task.depends_on) for task in shown),
        artifacts=tuple(_artifacts(build, task.id) for task in shown),
        omitted=len(planned) - len(shown),
        base=build.base,
        head=build.head,
        delivered=build.delivered,
        verification=_said(build.verdict.ok if build.verdict is not None else None),
    )
    return context.model_dump(mode="json")


def _artifacts(build: Build, task_id: str) -> TaskArtifacts:
    state = build.task(task_id)
    paths = state.patch.paths if state.patch is not None else ()
    return TaskArtifacts(
        task=task_id,
        phase=state.phase.value,
        attempt=state.attempt,
        filesModified=paths[:MOST_FILES],
        files=len(paths),
        commit=state.commit,
        summary=state.summary[:2000],
        verification=_said(state.verdict.ok if state.verdict is not None else None),
        findings=tuple(map(str, state.findings)),
    )


def _said(ok: bool | None) -> Literal["passed", "failed", "none"]:
    return "none" if ok is None else "passed" if ok else "failed"


# --- The status of an execution ------------------------------------------------------------------------------------


class TaskCounts(BaseModel):
    """Numbers of tasks by their progress. `total` is 0 before there is a plan."""

    total: int = 0
    done: int = 0
    running: int = 0
    waiting: int = 0
    failed: int = 0
    skipped: int = 0


class Links(BaseModel):
    """Addresses of related resources."""

    self: str
    pause: str
    resume: str
    stop: str
    event: str
    build: str


class Execution(BaseModel):
    """The newest execution of a project."""

    executionId: str  # noqa: N815  the wire's name
    projectId: str  # noqa: N815  the wire's name
    status: ExecutionStatus
    workflow: str
    stage: str = Field(description="The stage that it is in, or was in when it ended.")
    stages: list[StageState]
    progress: int = Field(
        ge=0, le=100, description="Percent of the tasks that are over; 100 only when it is completed."
    )
    currentTask: str | None = Field(description="The task that was begun last of those at work.")  # noqa: N815
    tasks: TaskCounts
    startedAt: AwareDatetime | None  # noqa: N815  the wire's name
    updatedAt: AwareDatetime  # noqa: N815  the wire's name
    completedAt: AwareDatetime | None  # noqa: N815  the wire's name
    correlationId: str  # noqa: N815  the wire's name
    error: str = Field(description='Why it has failed, was stopped or is paused; "" if nothing is wrong.')
    links: Links


def execution_counts(build: Build) -> TaskCounts:
    """Return the numbers of tasks by group, in O(active tasks)."""
    running = sum(TASKS[phase_shown(build, build.task(task))][1] == "running" for task in build.active)
    over = build.done + build.skipped + len(build.failed)
    return TaskCounts(
        total=build.total,
        done=build.done,
        running=running,
        waiting=build.total - over - running,
        failed=len(build.failed),
        skipped=build.skipped,
    )


def begun_last(build: Build) -> str | None:
    """Return the working task whose attempt began last; None without one."""
    begun = [(at, task) for task in running_tasks(build) if (at := build.task(task).attempt_at) is not None]
    return max(begun)[1] if begun else None
