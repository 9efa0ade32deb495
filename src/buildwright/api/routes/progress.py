"""How far a build is, as its pages draw it: on the spec, by phases. Must never change a build."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Path, Query

from buildwright.api.bodies import Router
from buildwright.api.params import OwnBuild, TaskName, stating
from buildwright.api.problems import responses
from buildwright.api.responses import estimate_of
from buildwright.api.state import SiteOf
from buildwright.views.choices import ChoicesView, choices_of
from buildwright.views.forecast import CostForecast, forecast_of
from buildwright.views.phases import PhaseGraph, PhaseRail, graph_of_phase, rail_of
from buildwright.views.plan_table import PlanTable, WithoutTask, plan_table, without_task
from buildwright.views.receipts import Receipts, receipts_of
from buildwright.views.spec_progress import SpecProgress, spec_progress
from buildwright.wiring.estimate import awaited_estimate

router = Router(prefix="/api/builds/{build_id}", tags=["builds"])


@router.get("/spec-progress", responses=responses(403, 404))
async def build_spec_progress(build: OwnBuild) -> SpecProgress:
    """Return the user's own spec with the state of each of its parts: by which tasks, commits and checks it is built."""
    return await asyncio.to_thread(spec_progress, build)


@router.get("/phases", responses=responses(403, 404))
async def build_phases(site: SiteOf, build: OwnBuild) -> PhaseRail:
    """Return the phases in their order: how many tasks are where, what the audit said, and the time that is left."""
    events = await site.app.builds.read(build.id)
    return await asyncio.to_thread(rail_of, build, events, site.app.clock.now())


@router.get("/phases/{number}/graph", responses=responses(403, 404))
async def build_phase_graph(
    number: Annotated[int, Path(ge=1, le=100_000, description="Number of the phase, from 1.")],
    site: SiteOf,
    build: OwnBuild,
) -> PhaseGraph:
    """Return the tasks of one phase with their places in its picture, and why each waits."""
    return await asyncio.to_thread(graph_of_phase, build, number, site.app.clock.now())


@router.get("/choices", responses=responses(403, 404))
async def build_choices(site: SiteOf, build: OwnBuild) -> ChoicesView:
    """Return the ways out of the build's pause, each with its price (time, money, tasks lost), as command and request."""
    events = await site.app.builds.read(build.id) if build.pause is not None else []
    awaited = await estimate_of(site, build, awaited_estimate) if build.pause is not None else None
    return await asyncio.to_thread(choices_of, build, events, site.app.clock.now(), awaited)


@router.get("/forecast", responses=responses(403, 404))
async def build_forecast(site: SiteOf, build: OwnBuild) -> CostForecast:
    """Return what the build has cost, what it is likely to cost in the end, and what was thrown away."""
    events = await site.app.builds.read(build.id)
    return await asyncio.to_thread(forecast_of, build, events, site.app.clock.now())


@router.get("/messages", responses=responses(403, 404))
async def build_messages(
    site: SiteOf,
    build: OwnBuild,
    limit: Annotated[int, Query(ge=1, le=1_000, description="The newest of them.")] = 1_000,
) -> Receipts:
    """Return your messages with their way: queued, taken in by which attempt before which turn, and what changed then."""
    events = await site.app.builds.read(build.id)
    return await asyncio.to_thread(receipts_of, build, events, limit)


@router.get("/plan/tasks", responses=responses(403, 404, 409))
async def build_plan_table(build: OwnBuild) -> PlanTable:
    """Return the plan as a table: each task whole, with what it has reached and whether it may be changed."""
    with stating(build):
        return await asyncio.to_thread(plan_table, build)


@router.get("/plan/without/{task}", responses=responses(403, 404, 409))
async def build_without_task(build: OwnBuild, task: TaskName) -> WithoutTask:
    """Return what goes with a task that is dropped: what others need of it, and its parts of the spec."""
    with stating(build):
        return await asyncio.to_thread(without_task, build, task)
