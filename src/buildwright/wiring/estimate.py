"""What a plan is likely to take, from what tasks of this home took or from published prices. Must never ask a model.

An estimate is a range: in four of five cases the build should end within it. With a history it is found by drawing whole
builds and tasks of theirs again and again (the bootstrap of Efron, 1979, in two stages), so that builds that differ from
each other make it wide.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from buildwright.core.build import Build, TaskPhase, landed_before
from buildwright.core.complexity import complexity_of
from buildwright.core.graph import Graph, Plan, compile_plan
from buildwright.core.limits import Options
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.core.models import NamedModel
from buildwright.core.replan import changed_graph, tasks_over
from buildwright.core.routing import first_choice
from buildwright.core.schedule import makespan
from buildwright.ports import BuildReader
from buildwright.views.estimate import EstimateOutcome, EstimateView, Range
from buildwright.views.overview import seconds_of

_LOOK_BACK = 100
_MOST_BUILDS = 20
LEAST_SAMPLES = 5
"""Tasks with an agent of the same kind below which there is no history to speak of."""
_DRAWS = 200
_MOST_DRAWN = 300
"""Tasks that one draw holds; a larger plan is scaled up from them."""
_LOW, _HIGH = 0.1, 0.9

_PUBLISHED = ((6_000, 800, 40.0), (120_000, 12_000, 600.0))
"""Input tokens, output tokens and seconds of a small task, done in one short turn, and of a large one that takes many turns
or attempts. Assumed, not measured: used only where there is no history, and said so."""


class TaskSample(NamedTuple):
    """What one finished task took, in all of its attempts. Money is None when a price was not known."""

    tokens: int
    cost_usd: Decimal | None
    seconds: float
    attempts: int


async def estimate_for(
    builds: BuildReader, graph: Graph, options: Options, user: str, before: datetime | None = None
) -> EstimateView:
    """Return what a plan is likely to take: from a user's newest builds by the same agent and model, made before a time.

    Raises BadGraph, StoreFailed.
    """
    agent, model = options.own(options.agent).base, _model_of(options)
    history: list[list[TaskSample]] = []
    ended = [row for row in await builds.rows(_LOOK_BACK) if row.user_id == user and row.outcome]
    for row in ended:
        if len(history) == _MOST_BUILDS or (before is not None and row.created_at >= before):
            continue
        found = await builds.load(row.build_id)
        chosen = found.options
        if (chosen.own(chosen.agent).base, _model_of(chosen)) == (agent, model) and (samples := samples_of(found)):
            history.append(samples)
    plan = compile_plan(graph)
    price = partial(_price, _asked_first(plan, options, model))  # its list takes long to read
    return await asyncio.to_thread(estimate, plan, options.limits.concurrency, history, price)


async def outcome_of(builds: BuildReader, build: Build) -> EstimateOutcome | None:
    """Return what an ended build took beside what was to be expected; None where nothing was known before it.

    Raises StoreFailed, Unreachable.
    """
    if not build.done or not build.is_terminal or (estimated := await begun_estimate(builds, build)) is None:
        return None
    return outcome(build, build.finished_at or build.updated_at, estimated)


async def begun_estimate(builds: BuildReader, build: Build) -> EstimateView | None:
    """Return what a build was likely to take when it began, without what was over where it was forked from.

    None where nothing was known. Raises StoreFailed, Unreachable.
    """
    given_up = build.fork.skipped if build.fork is not None else ()
    before = [task for task, state in build.tasks.items() if landed_before(state)]
    return await _known(builds, build, (*before, *given_up))


async def awaited_estimate(builds: BuildReader, build: Build) -> EstimateView | None:
    """Return what the plan that waits for its user's word is likely to take; None where none waits or nothing is known.

    None also once something of this build has landed: what it took itself says more (`views.choices`). Raises StoreFailed,
    Unreachable.
    """
    if build.pause is None or build.pause.reason != "approval":
        return None
    if any(state.phase is TaskPhase.DONE and not landed_before(state) for state in build.tasks.values()):
        return None
    return await _known(builds, build, tasks_over(build))


async def _known(builds: BuildReader, build: Build, without: Sequence[str]) -> EstimateView | None:
    """Return the estimate of a build's plan without these tasks; None where nothing is left to do, or nothing is known."""
    graph = changed_graph(build.plan, (), without) if build.plan is not None else None
    if graph is None or not graph.tasks:
        return None
    found = await estimate_for(builds, graph, build.options, build.user_id, build.created_at)
    return found if found.is_known else None


def _model_of(options: Options) -> str:
    """Return the model that writes, "" for an agent that asks none by itself."""
    from buildwright.agents.programs import PROGRAMS, program

    chosen = options.as_of(options.agent)
    if chosen.model or chosen.agent not in {"direct", "claude", *PROGRAMS}:
        return chosen.model
    return program(chosen.agent).default_model if chosen.agent in PROGRAMS else DEFAULT_MODEL


Asked = Counter[tuple[str, NamedModel | None]]
"""How many tasks ask a model first, by its id, beside what the user says of it."""


def _asked_first(plan: Plan, options: Options, model: str) -> Asked:
    """Return which model each task asks first: that of its name or its complexity, else `model`."""
    asked, found = options.as_of(options.agent).model, Asked()
    for index, task in enumerate(plan.graph.tasks):
        chosen = first_choice(options, asked, complexity_of(task, len(plan.dependents[index]))) if asked else None
        found[(chosen.id, chosen) if chosen is not None else (model, None)] += 1
    return found


def _price(asked: Asked, tokens_in: int, tokens_out: int) -> Decimal | None:
    """Return US dollars for these tokens, in the mean over the tasks; None where a price is not known."""
    from buildwright.gateway.access import price_of

    total = Decimal(0)
    for (model, chosen), tasks in asked.items():
        own = chosen if chosen is not None and chosen.cost(0, 0) is not None else None
        each = price_of(model, tokens_in, tokens_out, own) if model else None
        if each is None:
            return None
        total += each * tasks
    return total / max(asked.total(), 1)


def samples_of(build: Build) -> list[TaskSample]:
    """Return what the tasks of a build took that are done, and not by a proof without an attempt."""
    found = []
    for state in build.tasks.values():
        seconds = state.seconds(build.clock, build.updated_at)
        if state.phase is TaskPhase.DONE and state.attempt and seconds is not None:
            priced = state.cost_usd if state.cost_usd or not state.tokens else None
            found.append(TaskSample(state.tokens, priced, seconds, state.attempt))
    return found


def estimate(
    plan: Plan,
    slots: int,
    history: Sequence[Sequence[TaskSample]],
    price: Callable[[int, int], Decimal | None],
) -> EstimateView:
    """Return what a plan is likely to take with `slots` agents at once.

    `history` has the tasks of each earlier build; `price` returns US dollars for tokens of input and output, None where
    that is not known. The same input gives the same estimate. Takes O(draws * tasks * log(slots)), bounded for large plans.
    """
    builds = [samples for samples in history if samples]
    count = len(plan.graph.tasks)
    waves = max(plan.depth, default=-1) + 1
    known = sum(map(len, builds))
    if known < LEAST_SAMPLES:
        return _by_prices(plan, count, waves, slots, price)
    chance = random.Random(count)  # noqa: S311  no secret: the same plan has the same estimate
    drawn = min(count, _MOST_DRAWN)
    scale = count / drawn if drawn else 0.0
    draws = []
    for _ in range(_DRAWS):
        chosen = [chance.choice(builds) for _ in builds]
        pool = [sample for samples in chosen for sample in samples]
        draws.append([chance.choice(pool) for _ in range(drawn)])
    costs = [
        None if any(one.cost_usd is None for one in draw) else sum(one.cost_usd or 0 for one in draw) for draw in draws
    ]
    spent = [sum(one.tokens for one in draw) * scale for draw in draws]
    return EstimateView(
        tasks=count,
        waves=waves,
        tokens=_range(spent) if any(spent) else None,
        cost_usd=_range([float(cost or 0) * scale for cost in costs]) if any(spent) and None not in costs else None,
        seconds=_range([_taken_in_turn(plan, [one.seconds for one in draw], slots) for draw in draws[:50]]),
        attempts=_range([sum(one.attempts for one in draw) * scale for draw in draws]),
        basis="history",
        of_tasks=known,
        of_builds=len(builds),
    )


def outcome(build: Build, now: datetime, estimated: EstimateView) -> EstimateOutcome:
    """Return what a build has taken by now beside its estimate."""
    seconds, cost, wanted = seconds_of(build, now), build.usage.cost_usd, estimated.cost_usd
    value, most = (float(cost), wanted) if wanted is not None else (seconds, estimated.seconds)
    within = most is not None and most.low <= value <= most.high
    return EstimateOutcome(estimate=estimated, cost_usd=cost, seconds=seconds, within=within)


def _by_prices(
    plan: Plan, count: int, waves: int, slots: int, price: Callable[[int, int], Decimal | None]
) -> EstimateView:
    (low_in, low_out, low_time), (high_in, high_out, high_time) = _PUBLISHED
    least, most = price(low_in, low_out), price(high_in, high_out)
    known = least is not None and most is not None
    return EstimateView(
        tasks=count,
        waves=waves,
        tokens=Range(low=count * (low_in + low_out), high=count * (high_in + high_out)),
        cost_usd=Range(low=float(least or 0) * count, high=float(most or 0) * count) if known else None,
        seconds=Range(low=_taken_in_turn(plan, [low_time], slots), high=_taken_in_turn(plan, [high_time], slots)),
        basis="prices",
    )


def _range(values: Sequence[float]) -> Range:
    ordered = sorted(values)
    return Range(low=ordered[int(_LOW * (len(ordered) - 1))], high=ordered[int(_HIGH * (len(ordered) - 1))])


def _taken_in_turn(plan: Plan, seconds: Sequence[float], slots: int) -> float:
    """Return how long the plan takes; the tasks that start first take the first of these times, and so on in turn."""
    return makespan(plan, lambda place, _index: seconds[place % len(seconds)], slots)
