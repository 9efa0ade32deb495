"""The automation API: start, read, pause, resume and stop a project's execution. Must never hold a rule of a build.

All routes mean the newest execution of a project. The allowed steps:

    pause: running -> paused        resume: paused -> running        stop: running -> stopping -> stopped

A step that was made already is answered with the state, and records nothing. Any other is 409 with the `state`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from buildwright.api import operations
from buildwright.api.access import check_name
from buildwright.api.bodies import Router
from buildwright.api.event_requests import Initialize, ProjectInPath, asked_for, told
from buildwright.api.openapi import KEYED
from buildwright.api.params import CleanText
from buildwright.api.problems import responses
from buildwright.api.state import Caller, CallerOf, CorrelationOf, ServerState, SiteOf
from buildwright.core.build import Build
from buildwright.engine.build_command import BuildCommand
from buildwright.engine.commands import PauseBuild, StopBuild
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import IllegalMove, NotFound
from buildwright.request_model import RequestModel
from buildwright.views.automation import (
    DEVTEAM_AUTOMATION,
    Execution,
    Links,
    StageState,
    TaskCounts,
    begun_last,
    current_stage,
    execution_counts,
    stages_of,
)
from buildwright.views.project import progress_of
from buildwright.views.statuses import WITHOUT_BUILD, ExecutionStatus, execution_status
from buildwright.wiring.event_consumer import INITIALIZE, build_id_of

if TYPE_CHECKING:
    from buildwright.store.inbox import Received

router = Router(prefix="/api/devteam/automation", tags=["devteam automation"])


class Begun(BaseModel):
    """The execution is kept, and will begin even if the server ends now."""

    executionId: str = Field(description="The id of its build, too.")  # noqa: N815  the wire's name
    eventId: str  # noqa: N815  the wire's name


class Resume(RequestModel):
    """How to go on: as it is; or with the failed tasks tried again, or given up."""

    choice: Literal["go", "retry", "skip"] = "go"
    message: CleanText = Field(default="", max_length=20_000, description="For the agent that tries again.")


class _Standing(NamedTuple):
    """An execution: the event that asked for it, its build if there is one, and its state."""

    row: Received
    build: Build | None
    state: ExecutionStatus


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
    """Begin an execution. Location is its status.

    A repeat with the same Idempotency-Key, within six hours, is answered with 409 and Location.
    """

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
    """Return how far the newest execution of the project is."""
    return _shown(await _standing(site, caller, project))


@router.post("/pause/{projectId}", responses=responses(403, 404, 409))
async def pause(project: ProjectInPath, site: SiteOf, caller: CallerOf) -> Execution:
    """Pause a running execution: nothing new starts, what runs may finish. A paused one stays as it is."""
    return await _steer(site, caller, project, "paused", "running", PauseBuild())


@router.post("/resume/{projectId}", responses=responses(400, 403, 404, 409))
async def resume(project: ProjectInPath, site: SiteOf, caller: CallerOf, wanted: Resume | None = None) -> Execution:
    """Resume a paused execution. One that was resumed already stays as it is; one that was never paused is refused."""
    how = wanted or Resume()
    return await _steer(site, caller, project, "running", "paused", ResumeBuild(how.choice, how.message))


@router.post("/stop/{projectId}", responses=responses(403, 404, 409))
async def stop(project: ProjectInPath, site: SiteOf, caller: CallerOf) -> Execution:
    """Stop a running execution: agents are ended, nothing more lands, lanes are removed. Harmless to repeat."""
    return await _steer(site, caller, project, "stopping", "running", StopBuild("stopped by the user"))


async def _steer(
    site: ServerState, caller: Caller, project: str, to: ExecutionStatus, since: ExecutionStatus, command: BuildCommand
) -> Execution:
    """Bring the execution from one state `to` another. Raises IllegalMove with the state when it is in neither."""
    await site.rates.take(operations.BUILDS, caller.user_id)
    there = {to, "stopped"} if to == "stopping" else {to}
    for again in (True, True, False):
        standing = await _standing(site, caller, project)
        build = standing.build
        if build is not None and standing.state in there and (to != "running" or "build.resumed" in build.moments):
            break  # another request asked for it before
        if build is None or standing.state != since:
            raise _refused(standing.state, f"it cannot become {to} from there")
        try:
            await site.app.ask(build.id, command, caller.user_id)
        except IllegalMove as refused:
            # Another request was first, and the state now decides; or the reason is more than the name of the state.
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


def _refused(state: ExecutionStatus, why: str, fix: str | None = None) -> IllegalMove:
    fixes = {"paused": "resume it first", "pending": "wait until it has begun"}
    error = IllegalMove(f"the execution is {state}: {why}", fix=fix or fixes.get(state, "look at its status"))
    error.state = state
    return error


async def _standing(site: ServerState, caller: Caller, project: str) -> _Standing:
    """Return the newest execution of a project.

    Raises NotFound when there is none, Forbidden when the name is another user's.
    """
    row = await site.records.inbox.latest(project, INITIALIZE, caller.user_id)
    if row is None:
        await check_name(site, caller, project)
        raise NotFound("this project has no execution", fix="begin one: POST /api/devteam/automation/initialize")
    try:
        build = await site.seen.newest(row.build_id) if row.build_id else None
    except NotFound:  # removed since then; only its record is left
        build = None
    return _Standing(row, build, execution_status(build) if build else WITHOUT_BUILD[row.status])


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
        progress=progress_of(build) if build else 100 * (state == "completed"),
        currentTask=begun_last(build) if build else None,
        tasks=execution_counts(build) if build else TaskCounts(),
        startedAt=build.created_at if build else None,
        updatedAt=max(row.updated_at, build.updated_at) if build else row.updated_at,
        completedAt=build.finished_at if build else row.updated_at if state in {"failed", "completed"} else None,
        correlationId=row.correlation_id,
        error=_error(row, build, state),
        links=Links(
            self=_place("status", row.project_id),
            **{step: _place(step, row.project_id) for step in ("pause", "resume", "stop")},
            event=f"/events/{row.task_id}",
            build=f"/api/builds/{build_id_of(row.event_id)}",
        ),
    )


def _kept_stages(row: Received) -> list[StageState]:
    kept = [StageState.model_validate(state) for state in row.task_context.get("stages", [])]
    return kept or [StageState(name=stage.name, status="pending") for stage in DEVTEAM_AUTOMATION.stages]


def _error(row: Received, build: Build | None, state: ExecutionStatus) -> str:
    if state in {"running", "pending", "completed"}:
        return ""
    if build is None:
        return row.message
    if build.pause is not None:
        return build.pause.message if build.pause.reason != "user" else ""
    return build.message


def _place(what: str, project: str) -> str:
    return f"/api/devteam/automation/{what}/{project}"
