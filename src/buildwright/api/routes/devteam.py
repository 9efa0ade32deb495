"""The automation API (D10-D12): begin an execution for a project, look at it, pause, resume, stop it. No rule of a build.

The newest execution of a project is meant everywhere. Which steps are allowed:

    pause: running -> paused        resume: paused -> running        stop: running -> stopping -> stopped

A step that was made already is answered with the state, and records nothing. Any other is 409 with the `state`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from buildwright.api import steering
from buildwright.api.asking import Asking, CleanText
from buildwright.api.openapi import KEYED
from buildwright.api.orders import Initialize, ProjectInPath, asked_for, check_owner, told
from buildwright.api.problems import responses
from buildwright.api.site import Caller, CallerOf, CorrelationOf, Site, SiteOf
from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.views import running_tasks, task_counts
from buildwright.core.workflow import DEVTEAM_AUTOMATION, StageState, current_stage, stages_of
from buildwright.errors import IllegalMove, NotFound
from buildwright.wiring.intake import INITIALIZE, build_id_of

if TYPE_CHECKING:
    from buildwright.store.inbox import Received

router = APIRouter(prefix="/api/devteam/automation", tags=["devteam automation"])

State = Literal["pending", "running", "paused", "stopping", "stopped", "completed", "failed"]
_STATES: dict[Control, State] = {
    Control.RUNNING: "running",
    Control.PAUSED: "paused",
    Control.STOPPING: "stopping",
    Control.STOPPED: "stopped",
}


class Begun(BaseModel):
    """The execution will begin, also if the server ends now."""

    executionId: str = Field(description="The id of its build, too.")  # noqa: N815  the wire's name
    eventId: str  # noqa: N815  the wire's name


class TaskCounts(BaseModel):
    """Tasks by how far they are. `total` is 0 before there is a plan."""

    total: int = 0
    done: int = 0
    running: int = 0
    waiting: int = 0
    failed: int = 0
    skipped: int = 0


class Links(BaseModel):
    """Where to go on."""

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
    status: State
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


class Resume(Asking):
    """How to go on: as it is; or with the failed tasks tried again, or given up."""

    choice: Literal["go", "retry", "skip"] = "go"
    message: CleanText = Field(default="", max_length=20_000, description="For the agent that tries again.")


class _Standing(NamedTuple):
    """An execution: the event that asked for it, its build if there is one, and its state."""

    row: Received
    build: Build | None
    state: State


@router.post(
    "/initialize",
    status_code=202,
    response_model=Begun,
    responses=responses(400, 403, 409, 502, 507),
    openapi_extra=KEYED,
)
async def initialize(
    wanted: Initialize, request: Request, site: SiteOf, caller: CallerOf, correlation_id: CorrelationOf
) -> Response:
    """Begin an execution. Location is its status. A repeat with the same Idempotency-Key, for six hours, is 409 with Location."""

    async def make() -> tuple[Any, dict[str, Any], str]:
        row = await asked_for(site, caller, correlation_id, wanted)
        told(site.log, row)
        answer = {"executionId": build_id_of(row.event_id), "eventId": row.event_id}
        return row, answer, _place("status", wanted.projectId)

    scope = "POST /api/devteam/automation/initialize"
    answer = await site.asked.receive(request, caller.user_id, scope, make, repeat_conflicts=True)
    site.intake.wake()
    return answer


@router.get("/status/{projectId}", responses=responses(403, 404))
async def status(project: ProjectInPath, site: SiteOf, caller: CallerOf) -> Execution:
    """How far the newest execution of the project is."""
    return _shown(await _standing(site, caller, project))


@router.post("/pause/{projectId}", responses=responses(403, 404, 409))
async def pause(project: ProjectInPath, site: SiteOf, caller: CallerOf) -> Execution:
    """running to paused: nothing new starts, what runs may finish. A paused one stays as it is."""

    async def work(build: Build) -> None:
        await site.app.pause(build.id)

    return await _steer(site, caller, project, "paused", "running", lambda _: True, work)


@router.post("/resume/{projectId}", responses=responses(400, 403, 404, 409))
async def resume(project: ProjectInPath, site: SiteOf, caller: CallerOf, wanted: Resume | None = None) -> Execution:
    """paused to running. One that was resumed already stays as it is; one that never paused is refused."""
    how = wanted or Resume()

    async def work(build: Build) -> None:
        await site.app.resume(build.id, how.choice, how.message)

    def repeated(build: Build) -> bool:
        return "build.resumed" in build.moments

    return await _steer(site, caller, project, "running", "paused", repeated, work)


@router.post("/stop/{projectId}", responses=responses(403, 404, 409))
async def stop(project: ProjectInPath, site: SiteOf, caller: CallerOf) -> Execution:
    """running to stopping to stopped: agents are ended, nothing more lands, lanes are removed. Again is harmless."""

    async def work(build: Build) -> None:
        await site.app.stop(build.id, "stopped by the user")

    return await _steer(site, caller, project, "stopping", "running", lambda _: True, work)


async def _steer(
    site: Site,
    caller: Caller,
    project: str,
    to: State,
    since: State,
    repeated: Callable[[Build], bool],
    work: Callable[[Build], Awaitable[None]],
) -> Execution:
    """Bring the execution from one state `to` another. Raises IllegalMove with the state when it is in neither."""
    await site.rates.take(steering.BUILDS, caller.user_id)
    there = {to, "stopped"} if to == "stopping" else {to}
    for again in (True, True, False):
        standing = await _standing(site, caller, project)
        build = standing.build
        if build is not None and standing.state in there and repeated(build):
            break
        if build is None or standing.state != since:
            raise _refused(standing.state, f"it cannot become {to} from there")
        try:
            await work(build)
        except IllegalMove as refused:
            # Somebody else was first, and where it is now decides; or this state has more to say than its name.
            now = await _standing(site, caller, project)
            if again and now.state != standing.state:
                continue
            raise _refused(now.state, refused.message, refused.fix) from refused
        await site.hosting.begin(build.id)
        site.log(
            f"execution-{to}",
            executionId=build.id,
            projectId=project,
            correlationId=build.correlation_id,
        )
        break
    return _shown(await _standing(site, caller, project))


def _refused(state: State, why: str, fix: str | None = None) -> IllegalMove:
    fixes = {"paused": "resume it first", "pending": "wait until it has begun"}
    error = IllegalMove(f"the execution is {state}: {why}", fix=fix or fixes.get(state, "look at its status"))
    error.state = state
    return error


async def _standing(site: Site, caller: Caller, project: str) -> _Standing:
    """Raises NotFound for a project without an execution, Forbidden for another user's."""
    await check_owner(site, caller, project)
    row = await site.records.inbox.latest(project, INITIALIZE, caller.user_id)
    if row is None:
        raise NotFound("this project has no execution", fix="begin one: POST /api/devteam/automation/initialize")
    if not row.build_id:
        return _Standing(row, None, "failed" if row.status == "failed" else "pending")
    try:
        build = await site.seen.newest(row.build_id)
    except NotFound:  # removed since; what was kept of it is all there is
        return _Standing(row, None, "completed" if row.status == "done" else "failed")
    return _Standing(
        row, build, _STATES.get(build.control) or ("completed" if build.outcome == "succeeded" else "failed")
    )


def _shown(standing: _Standing) -> Execution:
    row, build, state = standing
    kept = row.task_context
    return Execution(
        executionId=build_id_of(row.event_id),
        projectId=row.project_id,
        status=state,
        workflow=DEVTEAM_AUTOMATION.name,
        stage=current_stage(build) if build else kept.get("stage", DEVTEAM_AUTOMATION.stages[0].name),
        stages=list(stages_of(build)) if build else _kept_stages(row),
        progress=100 if state == "completed" else _progress(build),
        currentTask=_current_task(build) if build else None,
        tasks=_counts(build) if build else TaskCounts(),
        startedAt=build.created_at if build else None,
        updatedAt=max(row.updated_at, build.updated_at) if build else row.updated_at,
        completedAt=build.finished_at if build else row.updated_at if state in {"failed", "completed"} else None,
        correlationId=row.correlation_id,
        error=_error(row, build, state),
        links=Links(
            self=_place("status", row.project_id),
            pause=_place("pause", row.project_id),
            resume=_place("resume", row.project_id),
            stop=_place("stop", row.project_id),
            event=f"/events/{row.task_id}",
            build=f"/api/builds/{build_id_of(row.event_id)}",
        ),
    )


def _kept_stages(row: Received) -> list[StageState]:
    kept = [StageState.model_validate(state) for state in row.task_context.get("stages", [])]
    return kept or [StageState(name=stage.name, status="pending") for stage in DEVTEAM_AUTOMATION.stages]


def _progress(build: Build | None) -> int:
    return min(99, 100 * (build.done + build.skipped) // build.total) if build and build.total else 0


def _counts(build: Build) -> TaskCounts:
    counts = task_counts(build)
    running = sum(counts.get(phase.value, 0) for phase in (TaskPhase.WORKING, TaskPhase.JUDGING, TaskPhase.MERGING))
    over = build.done + build.skipped + len(build.failed)
    return TaskCounts(
        total=build.total,
        done=build.done,
        running=running,
        waiting=build.total - over - running,
        failed=len(build.failed),
        skipped=build.skipped,
    )


def _current_task(build: Build) -> str | None:
    begun = [(at, task) for task in running_tasks(build) if (at := build.task(task).attempt_at) is not None]
    return max(begun)[1] if begun else None


def _error(row: Received, build: Build | None, state: State) -> str:
    if state in {"running", "pending", "completed"}:
        return ""
    if build is None:
        return row.message
    if build.pause is not None:
        return build.pause.message if build.pause.reason != "user" else ""
    return build.message


def _place(what: str, project: str) -> str:
    return f"/api/devteam/automation/{what}/{project}"
