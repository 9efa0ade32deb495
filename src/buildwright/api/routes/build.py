"""The build runtime over HTTP: builds that a client drives by hand, step by step. Must never hold a rule of a build."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Literal, Self

from fastapi import Query, Request
from pydantic import ConfigDict, Field, JsonValue, model_validator
from starlette.responses import Response

from buildwright.api import operations
from buildwright.api.bodies import Router
from buildwright.api.openapi import KEYED
from buildwright.api.params import After, BuildId, CleanText, Limit, OwnBuild, ProjectId, own_build, stating
from buildwright.api.problems import responses
from buildwright.api.responses import can_publish, response_of
from buildwright.api.routes.steer import ask, body_of, command_of
from buildwright.api.state import CallerOf, CorrelationOf, ServerState, SiteOf
from buildwright.core.build import Build
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.limits import Options
from buildwright.core.spec import BuildPlan, ProductDocument, ProjectBrief, Spec
from buildwright.core.task import Task
from buildwright.engine.commands import NewBuild, TakeStep
from buildwright.engine.resume_command import ResumeBuild
from buildwright.request_model import RequestModel
from buildwright.views.runtime import BuildResponse, CanPublish

router = Router(prefix="/api/build", tags=["build runtime"])

Wait = Annotated[float, Query(ge=0, le=operations.LONGEST_WAIT, description="Seconds to wait for the end of it.")]
_WAITED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": BuildResponse,
        "description": "It takes longer: this is the state now, and Location is where to look.",
    }
}


class SeedRequest(RequestModel):
    """The results of an interview."""

    brief: ProjectBrief | None = None
    build_plan: BuildPlan | None = None
    product_doc: ProductDocument | None = None


_SOMETHING: dict[str, JsonValue] = {
    "anyOf": [
        {"properties": {"seed": {"required": ["brief"], "properties": {"brief": {"type": "object"}}}}},
        {"required": ["tasks"], "properties": {"tasks": {"minItems": 1}}},
    ]
}


class StartBuild(RequestModel):
    """A build to be made. `seed` is what to build; with `tasks` no model needs to plan it."""

    model_config = ConfigDict(json_schema_extra=_SOMETHING)

    project_id: ProjectId
    seed: SeedRequest
    repository: Annotated[CleanText, Field(max_length=2000)] = Field(
        default="", description='Path on the server, or URL, of the git repository to build on; "" for none.'
    )
    base: Annotated[CleanText, Field(max_length=250)] = Field(default="", description="Branch or commit to start from.")
    tasks: list[Task] = Field(default_factory=list, max_length=20_000, description="A complete task list.")
    options: Options = Field(default_factory=Options)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.seed.brief is None and not self.tasks:
            raise ValueError("there is nothing to build: give seed.brief or tasks")
        return self


class StepBuild(RequestModel):
    """One step of a build."""

    build_id: BuildId
    user_message: Annotated[CleanText, Field(max_length=20_000)] | None = Field(
        default=None, description="What the next agent is told."
    )
    mode: Literal["auto", "plan_only", "implement_only", "verify_only"] = "auto"


@router.post("/start", response_model=BuildResponse, responses=responses(400, 403, 409, 502, 507), openapi_extra=KEYED)
async def start_build(
    wanted: StartBuild, request: Request, site: SiteOf, caller: CallerOf, correlation_id: CorrelationOf
) -> Response:
    """Make a build in the phase `planning`. Nothing of it happens before the first step."""

    async def work() -> tuple[int, dict[str, Any], str]:
        options = wanted.options.model_copy(
            update={"by_hand": True, "lanes": bool(wanted.repository) and wanted.options.lanes}
        )
        spec = await asyncio.to_thread(spec_of, wanted)
        new = NewBuild(spec, options, wanted.repository, wanted.base, wanted.project_id)
        build_id = await operations.start(site, caller, correlation_id, new)
        answer = await response_of(site, await site.seen.newest(build_id))
        return 200, json.loads(answer), place_of(build_id)

    return await site.asked.once(request, caller.user_id, "POST /api/build/start", work)


@router.post(
    "/step", response_model=BuildResponse, responses={**_WAITED, **responses(400, 403, 404, 409)}, openapi_extra=KEYED
)
async def step_build(
    wanted: StepBuild, request: Request, site: SiteOf, caller: CallerOf, wait_seconds: Wait = 55.0
) -> Response:
    """Make one step: plan and pick a task, make a patch, validate and check it, have it reviewed, or apply fixes."""

    async def work() -> tuple[int, dict[str, Any], str]:
        build = await own_build(site, caller, wanted.build_id, "steer")
        await site.rates.take(operations.BUILDS, caller.user_id)
        with stating(build):
            _, step_id = await site.app.ask(build.id, TakeStep(wanted.mode, wanted.user_message or ""), caller.user_id)
        await site.hosting.begin(build.id)
        build, made = await operations.stepped(site, build, step_id, wait_seconds)
        return 200 if made else 202, json.loads(await response_of(site, build)), place_of(build.id)

    return await site.asked.once(request, caller.user_id, "POST /api/build/step", work)


@router.get("/{build_id}", response_model=BuildResponse, responses=responses(403, 404))
async def get_build(site: SiteOf, build: OwnBuild, history_after: After = 0, history_limit: Limit = 100) -> Response:
    """Return the build as it is now, with a page of its history."""
    return await _answer(site, build, 200, history_after, history_limit)


@router.post("/{build_id}/abort", response_model=BuildResponse, responses={**_WAITED, **responses(403, 404, 409)})
async def abort_build(site: SiteOf, caller: CallerOf, build: OwnBuild, wait_seconds: Wait = 20.0) -> Response:
    """End the build: agents are ended, nothing more lands. Harmless to repeat."""
    await site.rates.take(operations.BUILDS, caller.user_id)
    build = await operations.stop(site, caller, build, "aborted by the user", wait_seconds)
    return await _answer(site, build, 200 if build.is_terminal else 202)


async def resume_build(site: SiteOf, caller: CallerOf, build: OwnBuild, wanted: Any = None) -> Response:
    """Answer the pause of the build with one of `pause.choices`. Nothing begins before the next step is asked for."""
    await site.rates.take(operations.BUILDS, caller.user_id)
    command = command_of(ResumeBuild, wanted)
    if not command.holds(build):
        build, _ = await ask(site, caller, build, command)
    await site.hosting.begin(build.id)
    return await _answer(site, build, 200)


resume_build.__annotations__["wanted"] = body_of(ResumeBuild)
router.add_api_route(
    "/{build_id}/resume",
    resume_build,
    methods=["POST"],
    response_model=BuildResponse,
    responses=responses(400, 403, 404, 409),
)


@router.get("/{build_id}/can-publish", responses=responses(403, 404))
async def can_publish_build(build: OwnBuild) -> CanPublish:
    """Return whether the build is ready, and validation and checks have passed."""
    return await can_publish(build)


def spec_of(wanted: StartBuild) -> Spec:
    """Return the spec of a request, as the planner and the core take it. Raises BadGraph."""
    seed = wanted.seed
    graph = Graph(tasks=tuple(wanted.tasks)) if wanted.tasks else None
    if graph is not None:
        compile_plan(graph)
    return Spec(
        title=seed.brief.title[:200] if seed.brief else wanted.project_id,
        form="interview" if seed.brief else "tasks",
        text=seed.model_dump_json(exclude_defaults=True) if seed.brief else "",
        brief=seed.brief,
        build_plan=seed.build_plan,
        product_doc=seed.product_doc,
        graph=graph,
    )


def place_of(build_id: str) -> str:
    """Return the path where a build can be read."""
    return f"/api/build/{build_id}"


async def _answer(site: ServerState, build: Build, status: int, after: int = 0, limit: int = 100) -> Response:
    headers = {"Location": place_of(build.id)} if status == 202 else None
    return Response(await response_of(site, build, after, limit), status, headers, media_type="application/json")
