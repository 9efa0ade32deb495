"""What a build is likely to take until its end, from what its own tasks took so far. Pure; must never ask a model.

A range is the tenth to the ninetieth of a hundred cases. Each case gives every task that is open a task that is done, at
random, and takes as long and costs as much as that, in proportion to the minutes that the plan gives both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, TypeVar

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase, landed_before
from buildwright.core.event import Recorded
from buildwright.core.figures import money, money_range
from buildwright.core.record import Record
from buildwright.core.schedule import makespan
from buildwright.core.work_clock import ClockHistory
from buildwright.views.costs import RESULTS
from buildwright.views.estimate import Range
from buildwright.views.explain import attempts_of
from buildwright.views.statuses import MET

T = TypeVar("T")
LEAST = 2
"""Tasks that must be done before anything is said of those that are open."""
_DRAWS = 40
_LOW, _HIGH = 0.1, 0.9
_RESULT = {
    "agent failed": "agent",
    "empty": "empty",
    "refused": "gate",
    "conflict": "conflict",
    "undone": "undone",
    "cut short": "stopped",
}
"""The result of an attempt, as costs are summed by it, by its outcome."""
_MOST_POINTS = 200


class SpentPoint(Record):
    """How much the build had cost by then."""

    at: datetime
    cost_usd: Decimal


class ThrownAway(Record):
    """Money spent on attempts that have ended and did not land, or were taken back, by what became of them."""

    result: str
    """A key of `views.costs.RESULTS`."""
    words: str
    attempts: int
    cost_usd: Decimal


class CostForecast(Record):
    """What a build has cost, and what it is likely to cost and take until its end."""

    build: str
    version: int
    spent_usd: Decimal
    unpriced: int
    """Requests whose price is not known; no sum here has them."""
    budget_usd: Decimal | None = None
    left_usd: Decimal | None = None
    """Of the budget; None without one."""
    total_usd: Range | None = None
    """What it is likely to have cost in the end; None while too few tasks are done, or a price is not known."""
    seconds_left: Range | None = None
    """Until the last task is done, without pauses; None as above."""
    open_tasks: int
    from_tasks: int
    """Done tasks that the forecast is made from."""
    words: str
    """All of it in one sentence or two."""
    thrown_away_usd: Decimal
    thrown_away: tuple[ThrownAway, ...] = ()
    points: tuple[SpentPoint, ...] = ()
    """How the cost grew, oldest first, at most 200 points."""


class DoneTask(NamedTuple):
    """What a task of the build took in all of its attempts, for each minute that was planned for it."""

    seconds: float
    cost_usd: float | None
    """None when its price is not known."""
    attempts: int


def done_tasks(build: Build) -> list[DoneTask]:
    """Return what the tasks took that were done in this build, by an agent."""
    if build.plan is None:
        return []
    found = []
    for name in build.plan.position:
        state = build.task(name)
        seconds = state.seconds(build.clock, build.updated_at)
        if state.phase is not TaskPhase.DONE or landed_before(state) or seconds is None:
            continue
        minutes = build.plan.task(name).minutes
        cost = float(state.cost_usd) / minutes if state.cost_usd or not state.tokens else None
        found.append(DoneTask(seconds / minutes, cost, state.attempt))
    return found


def open_tasks(build: Build) -> list[int]:
    """Return the places of the tasks in the plan that are neither done nor given up."""
    tasks = build.plan.graph.tasks if build.plan is not None else ()
    return [index for index, task in enumerate(tasks) if build.task(task.id).phase not in MET]


def seconds_left(build: Build, now: datetime) -> Range | None:
    """Return the seconds until the last task is done, without pauses; None while too few tasks are done, or at the end.

    Takes O(draws * tasks).
    """
    history, left, plan = done_tasks(build), open_tasks(build), build.plan
    if plan is None or build.is_terminal or len(history) < LEAST or not left:
        return None
    drawn, slots = _drawn(history), build.options.limits.concurrency
    minutes = {index: plan.graph.tasks[index].minutes for index in left}
    gone = {index: _elapsed(build, index, now) for index in left}

    def case() -> float:
        took = {i: max(1.0, next(drawn).seconds * minutes[i] - gone[i]) for i in left}
        return makespan(plan, lambda _place, index: took.get(index, 0.0), slots)

    return range_of([case() for _ in range(_DRAWS)])


def _elapsed(build: Build, index: int, now: datetime) -> float:
    """Return how long a task has been at work already, in seconds."""
    assert build.plan is not None
    state = build.task(build.plan.graph.tasks[index].id)
    return 0.0 if state.finished_at is not None else state.seconds(build.clock, now) or 0.0


def cost_left(build: Build, tasks: Sequence[int]) -> Range | None:
    """Return what these open tasks are likely to cost from now on, in US dollars; None when that is not known."""
    history, plan = done_tasks(build), build.plan
    prices = [one.cost_usd for one in history if one.cost_usd is not None]
    if plan is None or len(history) < LEAST or len(prices) < len(history):
        return None
    drawn = _drawn(prices)
    known = [(plan.graph.tasks[i].minutes, float(build.task(plan.graph.tasks[i].id).cost_usd)) for i in tasks]
    return range_of([sum(max(0.0, next(drawn) * minutes - spent) for minutes, spent in known) for _ in range(_DRAWS)])


def _drawn(values: Sequence[T]) -> Iterator[T]:
    """Yield these values in an order without a pattern, for ever: the same for the same number of values.

    A linear congruential generator (Knuth's MMIX), as nothing here may ask the machine for chance.
    """
    state = len(values)
    while True:
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        yield values[(state >> 32) % len(values)]


def range_of(values: Sequence[float]) -> Range:
    """Return the tenth to the ninetieth of a hundred values."""
    ordered = sorted(values)
    return Range(low=ordered[int(_LOW * (len(ordered) - 1))], high=ordered[int(_HIGH * (len(ordered) - 1))])


def forecast_of(build: Build, events: Sequence[Recorded], now: datetime) -> CostForecast:
    """Return the forecast of a build from its state and its whole journal."""
    left, budget, spent = open_tasks(build), build.budget_usd, build.usage.cost_usd
    more = Range(low=0, high=0) if build.is_terminal or not left else cost_left(build, left)
    total = Range(low=float(spent) + more.low, high=float(spent) + more.high) if more is not None else None
    wasted = tuple(thrown_away(build, events))
    return CostForecast(
        build=build.id,
        version=build.version,
        spent_usd=spent,
        unpriced=build.usage.unpriced,
        budget_usd=budget,
        left_usd=max(Decimal(0), budget - spent) if budget is not None else None,
        total_usd=total,
        seconds_left=seconds_left(build, now),
        open_tasks=len(left),
        from_tasks=len(done_tasks(build)),
        words=_words(build, total, len(left)),
        thrown_away_usd=sum((one.cost_usd for one in wasted), Decimal(0)),
        thrown_away=wasted,
        points=tuple(_points(events)),
    )


def thrown_away(build: Build, events: Sequence[Recorded]) -> list[ThrownAway]:
    """Return the money of attempts that ended and did not land, or were taken back, the largest sum first."""
    spent: defaultdict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for _, _, event in events:
        if isinstance(event, e.TokensUsed) and event.task:
            spent[event.task, event.attempt] += event.cost_usd or Decimal(0)
    sums: defaultdict[str, list[Decimal]] = defaultdict(list)
    for attempt, result in lost_attempts(build, events).items():
        if attempt in spent:
            sums[result].append(spent[attempt])
    found = [
        ThrownAway(result=name, words=RESULTS[name], attempts=len(costs), cost_usd=sum(costs, Decimal(0)))
        for name, costs in sums.items()
    ]
    return sorted(found, key=lambda one: (-one.cost_usd, one.result))


def lost_attempts(build: Build, events: Sequence[Recorded]) -> dict[tuple[str, int], str]:
    """Return the attempts, by task and number, that ended and did not land or were taken back: a key of `RESULTS` each."""
    history = ClockHistory(events)
    of_task: defaultdict[str, list[Recorded]] = defaultdict(list)
    for recorded in events:
        if task := getattr(recorded.event, "task", ""):
            of_task[task].append(recorded)
    found = dict[tuple[str, int], str]()
    for task, told in of_task.items():
        for attempt in attempts_of(task, told, history):
            ended = build.is_terminal and attempt.outcome in {"running", "finished", "passed"}
            if result := _RESULT.get("cut short" if ended else attempt.outcome):
                found[task, attempt.number] = result
    return found


def _points(events: Sequence[Recorded]) -> list[SpentPoint]:
    total, points = Decimal(0), list[SpentPoint]()
    for recorded in events:
        if isinstance(recorded.event, e.TokensUsed) and recorded.event.cost_usd:
            total += recorded.event.cost_usd
            points.append(SpentPoint(at=recorded.at, cost_usd=total))
    step = -(-len(points) // _MOST_POINTS) or 1
    return points[::-1][::step][::-1]


def _words(build: Build, total: Range | None, left: int) -> str:
    budget, spent = build.budget_usd, build.usage.cost_usd
    of = f" of {money(budget)}" if budget is not None else ""
    said = f"It has cost {money(spent)}{of}."
    if build.is_terminal or not left:
        return said
    if not build.usage.requests:
        return f"{said} No model was asked yet."
    if total is None:
        priced = "a request has no known price" if build.usage.unpriced else f"fewer than {LEAST} tasks are done"
        return f"{said} What it will cost is not known: {priced}."
    said += f" It is likely to cost {money_range(total.low, total.high)} in the end"
    if budget is None:
        return f"{said}; it has no budget."
    if total.low > budget:
        return f"{said}, which is more than its budget."
    return f"{said}, which may be more than its budget." if total.high > budget else f"{said}, within its budget."
