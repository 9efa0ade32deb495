"""What the command line needs beside the other routes to speak through a server: records as they are kept, and who works.

The forms are those of this version's journal; programs of others take the other routes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from buildwright.api import steering
from buildwright.api.asking import Asking, CleanText, OwnBuild, ProjectId, stating
from buildwright.api.openapi import KEYED
from buildwright.api.problems import responses
from buildwright.api.routes.builds import Started
from buildwright.api.site import CallerOf, CorrelationOf, SiteOf
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.snapshot import dump
from buildwright.core.spec import Spec
from buildwright.errors import NotFound
from buildwright.views.overview import WorkerHolds

router = APIRouter(prefix="/api/machine", tags=["the command line's own"])


class Recorded(Asking):
    """A build by the very records that its first event has."""

    spec: Spec
    options: Options
    repository: Annotated[CleanText, Field(max_length=2000)] = ""
    base: Annotated[CleanText, Field(max_length=250)] = ""
    project_id: ProjectId | Literal[""] = ""


class Found(BaseModel):
    """One build of yours."""

    build_id: str


class State(BaseModel):
    """A build as of its newest event, in the form of a snapshot."""

    state: str


class CrewOf(BaseModel):
    """Who works on a build."""

    runner: str | None
    in_cluster: bool
    workers: int
    holdings: tuple[WorkerHolds, ...]


class Made(BaseModel):
    """The tasks of a spec."""

    graph: Graph


class StepWanted(Asking):
    """One step of a build that is driven by hand."""

    mode: Literal["auto", "plan_only", "implement_only", "verify_only"] = "auto"
    message: Annotated[CleanText, Field(max_length=20_000)] = ""


class StepTaken(BaseModel):
    """The step is asked for; somebody makes it."""

    step_id: str


@router.get("/find", responses=responses(404))
async def find(
    site: SiteOf,
    caller: CallerOf,
    build: Annotated[
        str, Query(pattern=r"^[A-Za-z0-9-]{0,64}$", description='The id or its beginning; "": newest.')
    ] = "",
) -> Found:
    """The build that an id, the beginning of one, or nothing at all means."""
    rows = await site.records.runs.page(caller.user_id, 500 if build else 1)
    fitting = [row.build_id for row in rows if row.build_id.startswith(build)]
    if build and not fitting:  # older than the newest 500
        fitting = [row.build_id for row in await site.app.builds.rows(20, build) if row.user_id == caller.user_id]
    if build in fitting or len(fitting) == 1:
        return Found(build_id=build if build in fitting else fitting[0])
    if fitting:
        some = ", ".join(name[:12] for name in fitting[:5])
        raise NotFound(f"{build} is the beginning of {len(fitting)} builds: {some}", fix="type more of the id")
    if not build:
        raise NotFound("there is no build yet", fix="start one with `buildwright build SPEC --repo PATH`")
    raise NotFound(f"there is no build {build}", fix="see `buildwright status --all` for the builds there are")


@router.get("/builds/{build_id}/state", responses=responses(403, 404))
async def state(build: OwnBuild) -> State:
    """The build as of its newest event."""
    return State(state=dump(build))


@router.get("/builds/{build_id}/crew", responses=responses(403, 404))
async def crew(site: SiteOf, build: OwnBuild) -> CrewOf:
    """Who works on the build."""
    found = await site.app.crew(build.id)
    return CrewOf(**found._asdict())


@router.post(
    "/builds",
    status_code=202,
    response_model=Started,
    responses=responses(400, 403, 409, 502, 507),
    openapi_extra=KEYED,
)
async def start(
    wanted: Recorded, request: Request, site: SiteOf, caller: CallerOf, correlation_id: CorrelationOf
) -> Response:
    """Start a build; it runs by itself, unless it is driven by hand."""

    async def work() -> tuple[int, dict[str, Any], str]:
        build_id = await steering.start(
            site, caller, correlation_id, wanted.spec, wanted.options, wanted.repository, wanted.base, wanted.project_id
        )
        await site.hosting.begin(build_id)
        location = f"/api/builds/{build_id}"
        return 202, {"build_id": build_id, "location": location}, location

    return await site.asked.once(request, caller.user_id, "POST /api/machine/builds", work)


@router.post("/builds/{build_id}/step", status_code=202, responses=responses(400, 403, 404, 409))
async def step(site: SiteOf, caller: CallerOf, build: OwnBuild, wanted: StepWanted) -> StepTaken:
    """Ask for one step of a build that is driven by hand."""
    await site.rates.take(steering.BUILDS, caller.user_id)
    with stating(build):
        step_id = await site.app.step(build.id, wanted.mode, wanted.message)
    await site.hosting.begin(build.id)
    return StepTaken(step_id=step_id)


@router.post("/plans", responses=responses(400, 403, 502, 507))
async def plan(wanted: Recorded, site: SiteOf, caller: CallerOf) -> Made:
    """The tasks of a spec. Nothing is kept."""
    await site.rates.take(steering.BUILDS, caller.user_id)
    steering.check_commands(site, caller, wanted.spec, wanted.options)
    repository = await steering.checked_target(site, caller, wanted.repository, wanted.options)
    return Made(graph=await site.app.plan(wanted.spec, wanted.options, repository, wanted.base))
