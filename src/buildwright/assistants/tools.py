"""The tools: check, plan, start, look at builds, and the commands. Must never hold a rule of a build."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import AwareDatetime, Field, create_model

from buildwright.advisors.spec_file import parse_spec
from buildwright.answers import Costs, Diff, EventPage, Status
from buildwright.assistants.commands import command_tools
from buildwright.assistants.context import ToolContext
from buildwright.assistants.tool import OfBuild, Tool
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import event_fields
from buildwright.core.limits import Options
from buildwright.core.narrowed import narrowed
from buildwright.core.record import Record
from buildwright.engine.commands import NewBuild
from buildwright.errors import Refused
from buildwright.ports import CostKey
from buildwright.request_model import GivenAs, RequestModel
from buildwright.views.explain import BASE, BaseView, WhyView, why, why_base
from buildwright.views.overview import PlanView, Standing, build_view, headline, standing_of, task_counts
from buildwright.views.precheck import PrecheckView
from buildwright.views.stuck import StuckView
from buildwright.views.verdicts import WhyBuildView, why_build
from buildwright.wiring.changes import file_stats

MOST_TASKS = 50
"""Tasks that a status lists."""
LONGEST_WAIT = 600.0
"""Most seconds that a call may wait for a build."""
_STUCK = "stuck"
_KEYS = UUID("0a3a9a5e-1c52-4d0f-9f0e-6f3f6f0c6a57")
"""The namespace of the ids of builds that are started with a key."""
_OVER = (TaskPhase.DONE, TaskPhase.SKIPPED, TaskPhase.FAILED)
_OTHER = "What is to be other than by default; on the caller's own machine their files of options say what that is."
_BuildOptions = narrowed(Options, RequestModel)
_OF_A_PLAN = ("planner_model", "checks", "setup", "accept_base", "accept_checks", "sandbox", "cassette")
_known = _BuildOptions.model_fields
_plan_fields: dict[str, Any] = {name: (_known[name].annotation, _known[name]) for name in _OF_A_PLAN}
_PlanOptions = create_model("PlanOptions", __base__=RequestModel, **_plan_fields)


class CheckWanted(RequestModel):
    """A repository to check."""

    repository: str = Field(min_length=1, max_length=2000, description="Path or URL of the git repository.")
    base: str = Field("", max_length=250, description="Branch, tag or commit to look at; else what is checked out.")
    checks: tuple[str, ...] = Field(
        (),
        max_length=100,
        description="Commands that judge it, as `build --check` takes them; else those that are found.",
    )
    setup: tuple[str, ...] = Field((), max_length=100, description="Commands to run before the checks.")


class PlanWanted(RequestModel):
    """What is to be built, and where."""

    spec: str = Field(
        min_length=1,
        max_length=9_000_000,
        description="The text of a spec in Markdown, which a model plans; or a complete task list as JSON or YAML.",
    )
    repository: str = Field(
        min_length=1, max_length=2000, description="Path (on the machine that builds) or URL of the git repository."
    )
    base: str = Field("", max_length=250, description="Branch, tag or commit to build on; else what is checked out.")
    options: Annotated[Options, GivenAs(_PlanOptions)] = Field(default_factory=Options, description=_OTHER)


class StartWanted(PlanWanted):
    """A build to be started."""

    options: Annotated[Options, GivenAs(_BuildOptions)] = Field(default_factory=Options, description=_OTHER)
    title: str = Field("", max_length=200, description="Of the build; else that of the spec.")
    key: str = Field(
        "",
        max_length=200,
        description="Any text of yours. A repeat with the same one starts nothing, and returns the build of the first.",
    )


class StatusWanted(OfBuild):
    """A build to look at."""

    wait_seconds: float = Field(
        0.0, ge=0, le=LONGEST_WAIT, description="First wait this long for it to end, or to need its user."
    )


class EventsWanted(OfBuild):
    """A page of a journal."""

    after: int = Field(0, ge=0, le=2**53, description="Only events with a larger number.")
    limit: int = Field(100, ge=1, le=500, description="At most this many.")


class OfTask(OfBuild):
    """Names a task of a build, or the whole build."""

    task: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,79})?$", description="Id of the task.")


class DiffWanted(OfTask):
    """A change to look at."""

    attempt: int = Field(0, ge=0, le=10**6, description="One attempt at the task, landed or not.")
    most: int = Field(60_000, ge=1, le=2_000_000, description="Characters of the diff; the rest is left out.")


class CostsWanted(RequestModel):
    """Which sums of costs."""

    by: CostKey = Field("day", description="What to sum by; days are of UTC.")
    since: AwareDatetime | None = Field(None, description="Only requests at this time or later.")
    until: AwareDatetime | None = Field(None, description="Only requests before this time.")
    build: str = Field("", max_length=64, description="Only of this build: its id, or how it begins; `newest`.")


class WhyAnswer(Record):
    """Why: about the task, the base, the failures in a row, or without a task what the audits say. The others are null."""

    task: WhyView | None = None
    base: BaseView | None = None
    stuck: StuckView | None = None
    audits: WhyBuildView | None = None


class PartialDiff(Diff):
    """A change as a unified diff, as far as it was asked for."""

    omitted: int = Field(0, description="Characters that were left out at the end.")


async def _plan(context: ToolContext, wanted: PlanWanted) -> PlanView:
    return await context.client.plan(await _new(context, wanted))


async def _start(context: ToolContext, wanted: StartWanted) -> Standing:
    new = await _new(context, wanted, wanted.title)
    if wanted.key:
        new = replace(new, build_id=str(uuid5(_KEYS, wanted.key)))
    build_id = await context.client.start(new)
    await context.begin(build_id)
    return standing_of(await context.client.builds.load(build_id))


async def _new(context: ToolContext, wanted: PlanWanted, title: str = "") -> NewBuild:
    """Return the build that is asked for. Raises BadSpec, BadGraph, BadRepository, BadSettings."""
    spec = await asyncio.to_thread(parse_spec, wanted.spec, "spec")
    repository, own = await asyncio.to_thread(context.target, wanted.repository)
    given = wanted.options.model_dump(exclude_unset=True)
    options = Options.model_validate(_over(own.model_dump(exclude_unset=True), given))
    return NewBuild(spec.model_copy(update={"title": title}) if title else spec, options, repository, wanted.base)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return both, where they differ as `above` says, also inside of records."""
    inside = {
        name: _over(below[name], value)
        for name, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(name), dict)
    }
    return {**below, **above, **inside}


async def _loaded(context: ToolContext, wanted: OfBuild) -> Build:
    client = context.client
    return await client.builds.load(await client.find(wanted.build))


async def _status(context: ToolContext, wanted: StatusWanted) -> Status:
    client, build = context.client, await _loaded(context, wanted)
    if wanted.wait_seconds:
        build = await _settled(context, build, wanted.wait_seconds)
    build, _ = await client.bring_home(build)
    crew = await client.crew(build.id)
    now = client.clock.now() if crew.is_there else build.updated_at
    return Status(**dict(build_view(build, now, MOST_TASKS)), **crew.fields())


async def _settled(context: ToolContext, build: Build, seconds: float) -> Build:
    """Return the build once it has ended or needs its user, or after these seconds; tell each event meanwhile."""
    async with aclosing(context.client.news(build, seconds)) as looks:
        async for news in looks:
            build = news.build
            if news.steps:
                over = sum(task_counts(build).get(phase, 0) for phase in _OVER)
                await context.progress(build.version, f"{headline(build)}: {over} of {build.total} tasks are over")
            if not news.more and (build.is_terminal or build.waits_for_user):
                break
    return build


async def _events(context: ToolContext, wanted: EventsWanted) -> EventPage:
    build = await _loaded(context, wanted)
    events = await context.client.builds.read(build.id, wanted.after, wanted.limit)
    last = events[-1].seq if events else wanted.after
    return EventPage(items=[event_fields(one) for one in events], next_after=last, version=max(build.version, last))


async def _why(context: ToolContext, wanted: OfTask) -> WhyAnswer:
    client, build, task = context.client, await _loaded(context, wanted), wanted.task
    known = build.plan is not None and task in build.plan.position
    if not task:
        return WhyAnswer(audits=why_build(build, await client.gates(build)))
    if task == BASE and not known:
        return WhyAnswer(base=why_base(build))
    if task == _STUCK and not known:
        return WhyAnswer(stuck=await client.stuck(build.id))
    events, kept = await client.builds.read(build.id), await client.kept(build)
    return WhyAnswer(task=why(build, task, events, client.clock.now(), kept))


async def _diff(context: ToolContext, wanted: DiffWanted) -> PartialDiff:
    if wanted.attempt and not wanted.task:
        raise Refused("`attempt` is the number of an attempt at a task", fix="name the task, too")
    build = await _loaded(context, wanted)
    old, new, text = await context.client.change(build, wanted.task, wanted.attempt)
    return PartialDiff(
        build=build.id,
        task=wanted.task,
        attempt=wanted.attempt,
        old=old,
        new=new,
        files=file_stats(text),
        diff=text[: wanted.most],
        omitted=max(0, len(text) - wanted.most),
    )


async def _costs(context: ToolContext, wanted: CostsWanted) -> Costs:
    client = context.client
    between = (wanted.since, wanted.until, await client.find(wanted.build) if wanted.build else "")
    sums = await client.costs(wanted.by, *between)
    once = await client.costs("result", *between) if wanted.by == "requirement" else sums
    return Costs(
        by=wanted.by,
        sums=list(sums),
        cost_usd=sum((each.cost_usd for each in once), Decimal(0)),
        thrown_away_usd=sum((each.thrown_away_usd for each in once), Decimal(0)),
        kept=await client.kept_answers(*between),
        unpriced=sum(each.unpriced for each in once),
    )


def check_tool(look: Callable[[CheckWanted], Awaitable[PrecheckView]]) -> Tool:
    """Return the tool that checks a repository by `look`, for a server on the caller's own machine."""

    async def act(_context: ToolContext, wanted: CheckWanted) -> PrecheckView:
        return await look(wanted)

    words = (
        "Say which checks apply to a repository and whether it passes them, before any change, as a build does first."
    )
    return Tool("check", words, CheckWanted, PrecheckView, act)


TOOLS = (
    Tool(
        "plan",
        "Return the tasks of a spec, their order and the critical path, without building.",
        PlanWanted,
        PlanView,
        _plan,
    ),
    Tool(
        "start",
        "Start a build: a spec becomes tasks, agents change the code, checks judge it, the result is a new branch. It may cost"
        " money and take long. Returns at once; `status` with `wait_seconds` waits.",
        StartWanted,
        Standing,
        _start,
        reads=False,
    ),
    Tool(
        "status",
        "Return how far a build is, what runs now, what it cost, and what it needs.",
        StatusWanted,
        Status,
        _status,
    ),
    Tool(
        "events",
        "Return a page of the journal of a build: all that has happened, in order.",
        EventsWanted,
        EventPage,
        _events,
    ),
    Tool(
        "why",
        "Explain why a task waits, runs or failed. The task `base` is the project before any change, `stuck` the failures in a"
        " row; without a task: what the audits of the build say.",
        OfTask,
        WhyAnswer,
        _why,
    ),
    Tool("diff", "Return what a build, one of its tasks or one attempt changed.", DiffWanted, PartialDiff, _diff),
    Tool(
        "costs",
        "Return what requests to models cost, over all builds that the caller may see.",
        CostsWanted,
        Costs,
        _costs,
    ),
    *command_tools(),
)
"""All tools but `check`."""
