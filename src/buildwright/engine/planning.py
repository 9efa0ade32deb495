"""The planner's turn: a spec becomes a graph. Must never touch a file."""

from __future__ import annotations

from collections.abc import Sequence

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.core.graph import compile_plan
from buildwright.core.sanitize import sanitize
from buildwright.engine.action_context import ActionContext
from buildwright.engine.usage import budget, spent
from buildwright.errors import BadGraph, BadSettings, BadSpec, ModelFailed
from buildwright.ports import ModelAccess


async def make_plan(bench: ActionContext, build: Build) -> Sequence[AnyEvent]:
    """Ask the planner. The cost of its requests is recorded whether or not there is a plan."""
    world = bench.world
    if world.planner is None or world.gateway is None:
        raise BadSpec(
            "this spec is not a complete task list, and there is no planner", fix="give a task list as JSON or YAML"
        )
    try:
        # A refused plan is asked for anew; the same answer again would be refused again.
        attempt = build.plans_rejected + 1
        door = await world.gateway.open(ModelAccess(build.id, "", attempt, build.options, budget=budget(build)))
    except BadSettings as missing:
        return (e.PlanRejected(message=f"{missing} Fix: {missing.fix}"),)
    context = await world.plan_context(build) if world.plan_context else ""
    bench.logbook.note("engine", "planning: asking the model for a graph of tasks")
    try:
        graph = await world.planner.plan(build.spec, context, build.options.planner_model or build.options.model, door)
        made = sanitize(e.PlanMade(graph=graph), world.mask)
        compile_plan(made.graph)  # cleaned, the names of two milestones can be the same
        outcome: AnyEvent = made
    except BadGraph as bad:
        outcome = e.PlanRejected(message=f"the planner's graph cannot be built: {bad}")
    except ModelFailed as failure:
        outcome = e.PlanRejected(message=f"the planner's model failed ({failure.kind}): {failure}")
    finally:
        costs = spent(world.gateway, door, build)
        await world.gateway.shut(door)
    return (*costs, outcome)
