"""Builds that run by themselves: start them and read them. Must never steer one; those routes are in `steer`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal, Self

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from starlette.responses import JSONResponse, Response

from buildwright.answers import Diff, EventPage, Status
from buildwright.api import operations
from buildwright.api.access import role_in_build
from buildwright.api.bodies import Router
from buildwright.api.openapi import KEYED
from buildwright.api.pages import LogPage, cursor_of, place_of, read_page
from buildwright.api.params import After, BuildId, CleanText, Limit, OwnBuild, ProjectId, TaskName, own_build
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, CorrelationOf, SiteOf
from buildwright.api.targets import check_commands
from buildwright.auth.rights import refusals
from buildwright.core.event import event_fields
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.limits import Options
from buildwright.core.snapshot import dump
from buildwright.core.spec import BuildPlan, ProductDocument, ProjectBrief, Spec
from buildwright.core.task import Task
from buildwright.engine.build_command import Words
from buildwright.engine.commands import NewBuild
from buildwright.engine.fork_command import ForkBuild
from buildwright.errors import Forbidden
from buildwright.ports import BuildRow
from buildwright.request_model import RequestModel
from buildwright.views.compare import CompareView, compare
from buildwright.views.execution_log import TaskLogEntry
from buildwright.views.explain import BaseView, KeptWorkView, WhyView, why, why_base
from buildwright.views.overview import PlanView, WorkerHolds, build_view
from buildwright.views.statuses import BuildPhase
from buildwright.views.stuck import StuckView
from buildwright.views.verdicts import GatesView
from buildwright.wiring.changes import file_stats
from buildwright.wiring.prompt import PromptView

router = Router(tags=["builds"])


_SOMETHING: dict[str, JsonValue] = {
    "oneOf": [
        {
            "required": ["spec"],
            "properties": {
                "spec": {"type": ["string", "object"]},
                "tasks": {"type": "array", "maxItems": 0},
                "brief": {"type": "null"},
            },
        },
        {"required": ["tasks"], "properties": {"tasks": {"type": "array", "minItems": 1}, "spec": {"type": "null"}}},
        {
            "required": ["brief"],
            "properties": {
                "brief": {"type": "object"},
                "tasks": {"type": "array", "maxItems": 0},
                "spec": {"type": "null"},
            },
        },
    ]
}


class NewBuildRequest(RequestModel):
    """A build to be made: a spec or task list (text or record), a complete list of tasks, or an interview's results."""

    model_config = ConfigDict(json_schema_extra=_SOMETHING)

    spec: Annotated[CleanText, Field(min_length=1)] | Spec | None = Field(
        default=None, description="The text of a spec, as it stands in a file; or the record that was read of one."
    )
    name: str = Field(
        default="spec.md",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$",
        description="What the file of `spec` would be called: its ending says what it is.",
    )
    title: Annotated[CleanText, Field(max_length=200)] = Field(default="", description="Of the build.")
    tasks: list[Task] = Field(default_factory=list, max_length=20_000)
    milestones: list[str] = Field(default_factory=list, max_length=1000)
    brief: ProjectBrief | None = None
    build_plan: BuildPlan | None = None
    product_doc: ProductDocument | None = None
    repository: Annotated[CleanText, Field(max_length=2000)] = Field(
        default="", description='Path on the server, or URL, of the git repository; "" for none.'
    )
    base: Annotated[CleanText, Field(max_length=250)] = Field(default="", description="Branch or commit to start from.")
    options: Options = Field(default_factory=Options)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.spec is None and not self.tasks and self.brief is None:
            raise ValueError("there is nothing to build: give spec, tasks or brief")
        if self.spec is not None and (self.tasks or self.brief is not None):
            raise ValueError("give spec, or tasks and brief, not both")
        return self


class WantedBuild(NewBuildRequest):
    """A build that runs by itself."""

    project_id: ProjectId | None = Field(default=None, description="Its project; else the name of the repository.")


class Started(BaseModel):
    """A build that was made, and that a process or worker carries out."""

    build_id: str
    location: str


class ForkRequest(RequestModel):
    """What is to be different in a build that goes on from a point of another one. Without anything it is a replay."""

    at: int = Field(default=0, ge=0, le=2**53, description="Number of the last event that counts; 0: all so far.")
    model: Annotated[CleanText, Field(max_length=200)] = Field(
        default="", description="The model that writes from here on."
    )
    plan: Graph | None = Field(default=None, description="A plan in place of the one there was.")
    prompt_note: Words = Field(default="", description="What every attempt is told beside its task.")


class BuildPage(BaseModel):
    """Builds, newest first."""

    items: list[BuildRow]
    next_cursor: str | None = Field(default=None, description="`cursor` of the next page; null on the last.")


class RunnersResponse(BaseModel):
    """The runners of a build: the process that holds it whole, or workers of a cluster."""

    runner: str | None
    in_cluster: bool
    workers: int = Field(description="How many workers of the cluster live.")
    holdings: tuple[WorkerHolds, ...]


class Snapshot(BaseModel):
    """A build as of its newest event, in the form of a snapshot of this version's journal."""

    state: str


class KeptPage(BaseModel):
    """All kept work of a build, by task and attempt."""

    items: list[KeptWorkView]


@router.post(
    "/api/builds",
    status_code=202,
    response_model=Started,
    responses=responses(400, 403, 409, 502, 507),
    openapi_extra=KEYED,
)
async def start_build(
    wanted: WantedBuild, request: Request, site: SiteOf, caller: CallerOf, correlation_id: CorrelationOf
) -> Response:
    """Start a build; it runs by itself. Location is where to read it."""

    async def work() -> tuple[int, dict[str, Any], str]:
        options = wanted.options.model_copy(update={"lanes": bool(wanted.repository) and wanted.options.lanes})
        spec = await asyncio.to_thread(spec_of, wanted)
        new = NewBuild(spec, options, wanted.repository, wanted.base, wanted.project_id or "")
        build_id = await operations.start(site, caller, correlation_id, new)
        await site.hosting.begin(build_id)
        location = f"/api/builds/{build_id}"
        return 202, {"build_id": build_id, "location": location}, location

    return await site.asked.once(request, caller.user_id, "POST /api/builds", work)


@router.post(
    "/api/builds/{build_id}/fork",
    status_code=202,
    response_model=Started,
    responses=responses(400, 403, 404, 409, 502, 507),
    openapi_extra=KEYED,
)
async def fork_build(
    wanted: ForkRequest, request: Request, site: SiteOf, caller: CallerOf, build: OwnBuild
) -> Response:
    """Start a build that goes on from a point of this one, which stays as it is. Location is where to read it."""

    async def work() -> tuple[int, dict[str, Any], str]:
        fork_id = await operations.fork(site, caller, build, ForkBuild(**dict(wanted)))
        await site.hosting.begin(fork_id)
        location = f"/api/builds/{fork_id}"
        return 202, {"build_id": fork_id, "location": location}, location

    return await site.asked.once(request, caller.user_id, f"POST /api/builds/{build.id}/fork", work)


@router.get("/api/builds", responses=responses(403))
async def list_builds(
    site: SiteOf,
    caller: CallerOf,
    project: ProjectId | None = None,
    state: BuildPhase | None = None,
    prefix: Annotated[str, Query(pattern=r"^[A-Za-z0-9-]{0,64}$", description="How their ids begin.")] = "",
    limit: Limit = 50,
    cursor: Annotated[str, Query(max_length=300)] = "",
    whose: Annotated[
        Literal["mine", "all"], Query(description="`all`: of every user; only for an owner of the server.")
    ] = "mine",
) -> BuildPage:
    """Return your builds and those of projects shared with you, newest first."""
    if whose == "all" and not caller.is_server_owner:
        raise Forbidden("only an owner of the server sees all builds", fix="leave `whose` out")
    user, shared = caller.user_id if whose == "mine" else "", await site.records.admission.shared(caller.user_id)
    chosen = (project or "", state.value if state else "", prefix, shared)
    rows = await site.records.runs.page(user, limit + 1, place_of(cursor), *chosen)
    last = rows[limit - 1] if len(rows) > limit else None
    return BuildPage(
        items=rows[:limit],
        next_cursor=cursor_of(last.created_at, last.build_id) if last else None,
    )


@router.get("/api/builds/{build_id}", response_model=Status, responses=responses(403, 404))
async def build_status(
    site: SiteOf,
    caller: CallerOf,
    build: OwnBuild,
    tasks: Annotated[int, Query(ge=0, le=10_000, description="At most this many tasks are listed.")] = 200,
) -> Response:
    """Return how far the build is, and what it needs."""
    view = build_view(build, site.app.clock.now(), tasks)
    crew = await site.app.crew(build.id)
    refused = refusals(await role_in_build(site, caller, build.user_id, build.project_id), "build")
    return JSONResponse({**view.model_dump(mode="json"), **crew.fields(), "refused": refused})


@router.get("/api/builds/{build_id}/state", responses=responses(403, 404))
async def build_state(build: OwnBuild) -> Snapshot:
    """Return the whole build as of its newest event, for clients of this version; others read status or events."""
    return Snapshot(state=dump(build))


@router.get("/api/builds/{build_id}/runners", responses=responses(403, 404))
async def build_runners(site: SiteOf, build: OwnBuild) -> RunnersResponse:
    """Return the process or the workers that carry out the build."""
    return RunnersResponse(**(await site.app.crew(build.id))._asdict())


@router.get("/api/builds/{build_id}/events", response_model=EventPage, responses=responses(403, 404))
async def build_events(site: SiteOf, build: OwnBuild, after: After = 0, limit: Limit = 100) -> Response:
    """Return the journal unchanged: a client that applies its entries in order has the build."""
    events = await site.app.builds.read(build.id, after, limit)
    items = [event_fields(recorded) | {"at": written(recorded.at)} for recorded in events]
    last = events[-1].seq if events else after
    return JSONResponse({"items": items, "next_after": last, "version": max(build.version, last)})


@router.get("/api/builds/{build_id}/logs", responses=responses(403, 404))
async def build_logs(
    site: SiteOf,
    build: OwnBuild,
    after: After = 0,
    limit: Limit = 100,
    task: TaskName = "",
    kind: Annotated[str, Query(pattern=r"^[a-z-]{0,40}$", description="Only lines of this kind.")] = "",
    search: Annotated[CleanText, Query(max_length=200, description="Only lines with this text, in any case.")] = "",
    tail: Annotated[bool, Query(description="The newest lines instead of those after `after`.")] = False,
) -> LogPage:
    """Return what agents, gates and git printed."""
    return await read_page(site.app.builds, build.id, after, limit, task=task, kind=kind, search=search, tail=tail)


@router.get("/api/builds/{build_id}/diff", responses=responses(403, 404, 502))
async def build_diff(
    site: SiteOf,
    build: OwnBuild,
    task: TaskName = "",
    attempt: Annotated[int, Query(ge=0, le=10**6, description="One attempt at the task, landed or not.")] = 0,
    binary: Annotated[bool, Query(description="With files that are no text, as `git apply` takes them.")] = False,
) -> Diff:
    """Return what the build, or one of its tasks or of their attempts, changed."""
    change = await site.app.change(build, task, attempt, binary=binary)
    files = file_stats(change.text)
    ends = {"old": change.old, "new": change.new}
    return Diff(build=build.id, task=task, attempt=attempt, **ends, files=files, diff=change.text)


@router.get("/api/builds/{build_id}/prompt", responses=responses(403, 404, 502))
async def build_prompt(
    site: SiteOf,
    build: OwnBuild,
    task: Annotated[TaskName, Query(min_length=1)],
    attempt: Annotated[int, Query(ge=0, le=10**6, description="0: the running or last one, else the one to come.")] = 0,
) -> PromptView:
    """Return what an attempt at a task was told, or what the next one would be told now."""
    return await site.app.prompt(build, task, attempt)


@router.get("/api/builds/{build_id}/compare", responses=responses(403, 404))
async def compare_builds(
    site: SiteOf,
    caller: CallerOf,
    build: OwnBuild,
    other: Annotated[BuildId, Query(description="Id of the build to compare it with.")],
) -> CompareView:
    """Return two builds of the caller's side by side: result, gates, attempts, tokens, cost and time."""
    second = await own_build(site, caller, other, "read")
    histories = [await site.app.builds.read(one.id) for one in (build, second)]
    return await asyncio.to_thread(compare, build, histories[0], second, histories[1], site.app.clock.now())


@router.get("/api/builds/{build_id}/kept", responses=responses(403, 404, 502))
async def build_kept(site: SiteOf, build: OwnBuild) -> KeptPage:
    """Return what is kept of attempts that did not land: refused, cut short, or stopped before their turn."""
    return KeptPage(items=[KeptWorkView.of(work) for work in await site.app.kept(build)])


@router.get("/api/builds/{build_id}/gates", responses=responses(403, 404))
async def build_gates(site: SiteOf, build: OwnBuild, task: TaskName = "") -> GatesView:
    """Return which gates judged which tree, what they found, what was not run, and what was approved."""
    return await site.app.gates(build, task)


@router.get("/api/builds/{build_id}/why/{task}", responses=responses(403, 404, 502))
async def explain(site: SiteOf, build: OwnBuild, task: TaskName) -> WhyView:
    """Return why a task waits, runs, failed or was skipped, and where it came from."""
    events = await site.app.builds.read(build.id)
    return why(build, task, events, site.app.clock.now(), await site.app.kept(build))


class TaskLogPage(BaseModel):
    """Entries of the log of a build's tasks, oldest first."""

    items: list[TaskLogEntry]


@router.get("/api/builds/{build_id}/task-execution-log", responses=responses(403, 404))
async def execution_log(
    site: SiteOf,
    build: OwnBuild,
    task: Annotated[str, Query(pattern=r"^[A-Za-z0-9._-]{0,80}$", description="Only entries of this task.")] = "",
    after: Annotated[int, Query(ge=0, le=2**53, description="Only entries with a larger id.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> TaskLogPage:
    """Return each event of a build in words, by the names of the SQL view `task_execution_log`."""
    return TaskLogPage(items=await site.records.runs.execution_log(build.id, after, limit, task))


@router.get("/api/builds/{build_id}/base", responses=responses(403, 404))
async def build_base(build: OwnBuild) -> BaseView:
    """Return what the gates say of the project before any change: what refuses it, with the lines that matter."""
    return why_base(build)


@router.get("/api/builds/{build_id}/stuck", responses=responses(403, 404))
async def build_stuck(site: SiteOf, build: OwnBuild, number: Annotated[int, Query(ge=0, le=10_000)] = 0) -> StuckView:
    """Return one time that the build was stuck (0: the newest): failures, diagnosis, and what it was made from."""
    return await site.app.stuck(build.id, number)


@router.post("/api/plans", response_model=PlanView, responses=responses(400, 403, 502, 507))
async def plan(wanted: NewBuildRequest, site: SiteOf, caller: CallerOf) -> Response:
    """Show what would be done: tasks, waves and the critical path. Nothing is kept."""
    await site.rates.take(operations.BUILDS, caller.user_id)
    check_commands(site, caller, Spec(title="plan"), wanted.options)
    repository = await operations.checked_target(site, caller, wanted.repository, wanted.options)
    # Large lists are read and written beside the loop, so that other requests do not wait for them.
    spec = await asyncio.to_thread(spec_of, wanted)
    view = await site.app.plan(NewBuild(spec, wanted.options, repository, wanted.base, user_id=caller.user_id))
    return Response(await asyncio.to_thread(view.model_dump_json), media_type="application/json")


def spec_of(wanted: NewBuildRequest) -> Spec:
    """Return the spec of a request. Raises BadSpec, BadGraph."""
    if wanted.spec is not None:
        from buildwright.advisors.spec_file import parse_spec

        spec = wanted.spec if isinstance(wanted.spec, Spec) else parse_spec(wanted.spec, wanted.name)
        if spec.graph is not None:
            compile_plan(spec.graph)
        return spec.model_copy(update={"title": wanted.title}) if wanted.title else spec
    graph = Graph(tasks=tuple(wanted.tasks), milestones=tuple(wanted.milestones)) if wanted.tasks else None
    if graph is not None:
        compile_plan(graph)
    form: Literal["interview", "tasks"] = "tasks" if wanted.brief is None else "interview"
    title = wanted.title or (wanted.brief.title[:200] if wanted.brief else "Tasks")
    artifacts = {"brief": wanted.brief, "build_plan": wanted.build_plan, "product_doc": wanted.product_doc}
    return Spec(title=title, form=form, graph=graph, **artifacts)


def written(moment: Any) -> str:
    """Return a time in the form that the journal is printed in everywhere."""
    return str(moment.isoformat()).replace("+00:00", "Z")
