"""What each way out of a pause is likely to cost. Pure; must never choose.

The prices are of what the choice itself brings: an attempt, the rest of the build, or what is lost by it. They come from
the build's own history; those of a plan that waits, and of which nothing has landed, from earlier builds or published
prices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import Recorded
from buildwright.core.figures import count, money, money_range
from buildwright.core.record import Record
from buildwright.core.work_clock import ClockHistory
from buildwright.views.estimate import EstimateView, Range
from buildwright.views.explain import attempts_of
from buildwright.views.forecast import cost_left, open_tasks, range_of, seconds_left
from buildwright.views.inbox import Remedy, pause_remedies, pause_words
from buildwright.views.overview import pause_view
from buildwright.views.statuses import MET


class Price(Record):
    """What a choice is likely to take, and what is lost by it.

    From the build's own history, or for a plan that waits from earlier builds or published prices: `basis` says which.
    """

    seconds: Range | None = None
    """None when nothing is known of it."""
    cost_usd: Range | None = None
    """None when nothing is known of it, or a price is not."""
    lost_tasks: tuple[str, ...] = ()
    """Tasks that will not be built."""
    without: tuple[str, ...] = ()
    """Tasks that need those, and continue without them."""
    lost_requirements: tuple[str, ...] = ()
    """What these tasks were asked for."""
    lost_usd: Decimal = Decimal(0)
    """Money already spent on work that is lost by it."""
    basis: str
    """Where the figures come from, in words."""
    words: str
    """All of it in one line."""


class PricedChoice(Remedy):
    """One way out of a pause, with its price."""

    price: Price


class ChoicesView(Record):
    """The ways out of a build's pause."""

    build: str
    version: int
    paused: bool
    reason: str = ""
    """As in `build.paused`; "" when the build is not paused."""
    words: str = ""
    """Why it is paused."""
    task: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """When it goes on by itself, if it does."""
    findings: tuple[str, ...] = ()
    choices: tuple[PricedChoice, ...] = ()


class _Tried(NamedTuple):
    """An attempt that has ended."""

    task: str
    seconds: float
    cost_usd: float | None
    """None where a price is not known."""


def choices_of(
    build: Build, events: Sequence[Recorded], now: datetime, awaited: EstimateView | None = None
) -> ChoicesView:
    """Return the ways out of a build's pause with their prices, from its state and its whole journal.

    `awaited` is the estimate of a plan that waits for its user's word, where one is known.
    """
    pause = build.pause
    if pause is None:
        return ChoicesView(build=build.id, version=build.version, paused=False)
    tried = _tried(events)
    return ChoicesView(
        build=build.id,
        version=build.version,
        paused=True,
        reason=pause.reason,
        words=pause_words(pause),
        task=pause.task,
        since=pause.since,
        until=pause.until,
        findings=pause_view(build, pause).findings,
        choices=tuple(
            PricedChoice(**dict(remedy), price=_price(build, remedy.name, tried, now, awaited))
            for remedy in pause_remedies(build, pause)
        ),
    )


def price_of_redoing(tasks: Sequence[str], events: Sequence[Recorded]) -> Price:
    """Return what it is likely to take to make these tasks of a build once more, from its whole journal."""
    return _of_attempts(tasks, _tried(events))


def _price(build: Build, name: str, tried: Sequence[_Tried], now: datetime, awaited: EstimateView | None) -> Price:
    match name:
        case "retry" if build.failed:
            return _of_attempts(build.failed, tried)
        case "skip":
            return _of_skipping(build)
        case "abort":
            return _of_ending(build)
        case "approve":
            basis = "its change is judged again as it is"
            return Price(
                seconds=Range(low=0, high=0), cost_usd=Range(low=0, high=0), basis=basis, words="costs no attempt"
            )
        case _:
            return _of_the_rest(build, now) if awaited is None else _of_the_plan(awaited)


def _of_attempts(tasks: Sequence[str], tried: Sequence[_Tried]) -> Price:
    """Return the price of one more attempt at each of these tasks."""
    own = [one for one in tried if one.task in tasks]
    known = own or tried
    if not known:
        return Price(basis="no attempt has ended yet", words="it is not known what an attempt takes")
    times = range_of([one.seconds for one in known])
    costs = [one.cost_usd for one in known]
    usd = range_of([cost for cost in costs if cost is not None]) if None not in costs else None
    of = "at these tasks" if own else "at other tasks of this build"
    number = len(tasks)
    price = Price(
        seconds=Range(low=times.low * number, high=times.high * number),
        cost_usd=Range(low=usd.low * number, high=usd.high * number) if usd is not None else None,
        basis=f"{count(len(known), 'attempt')} {of}",
        words="",
    )
    return _said(price, f"{count(number, 'more attempt')}: ")


def _of_skipping(build: Build) -> Price:
    """Return what is lost when the failed tasks are given up."""
    plan = build.plan
    assert plan is not None
    lost = build.failed
    behind = dict.fromkeys(one for task in lost for one in plan.needing(task) if build.task(one).phase not in MET)
    without = tuple(one for one in behind if one not in lost)
    price = Price(
        seconds=Range(low=0, high=0),
        cost_usd=Range(low=0, high=0),
        lost_tasks=lost,
        without=without,
        lost_requirements=_requirements(build, lost),
        lost_usd=sum((build.task(task).cost_usd for task in lost), Decimal(0)),
        basis="the plan",
        words="",
    )
    words = f"loses {count(len(lost), 'task')}"
    words += f"; {', '.join(without[:3])}{' and others' if without[3:] else ''} would do without it" if without else ""
    return price.model_copy(update={"words": words + _lost_money(price.lost_usd)})


def _of_ending(build: Build) -> Price:
    """Return what is lost when the build ends here."""
    plan = build.plan
    if plan is None:
        return Price(lost_usd=build.usage.cost_usd, basis="the plan", words="nothing is built")
    lost = tuple(plan.graph.tasks[index].id for index in open_tasks(build))
    price = Price(
        seconds=Range(low=0, high=0),
        cost_usd=Range(low=0, high=0),
        lost_tasks=lost,
        lost_requirements=_requirements(build, lost),
        lost_usd=sum((build.task(task).cost_usd for task in lost), Decimal(0)),
        basis="the plan",
        words="",
    )
    landed = sum(state.phase is TaskPhase.DONE for state in build.tasks.values())
    words = f"loses {count(len(lost), 'task')}; what has landed stays ({count(landed, 'task')})"
    return price.model_copy(update={"words": words + _lost_money(price.lost_usd)})


def _of_the_rest(build: Build, now: datetime) -> Price:
    """Return the price of all that is still to do."""
    left = open_tasks(build)
    seconds = seconds_left(build, now)
    basis = "what the done tasks of this build took" if seconds is not None else "too few tasks are done to say more"
    price = Price(seconds=seconds, cost_usd=cost_left(build, left), basis=basis, words="")
    return _said(price, f"{count(len(left), 'task')} still to do: ")


def _of_the_plan(estimate: EstimateView) -> Price:
    """Return the price of a plan of which nothing is built yet."""
    here = f"{count(estimate.of_tasks, 'task')} of {count(estimate.of_builds, 'build')} here"
    basis = here if estimate.basis == "history" else "a guess from published prices"
    price = Price(seconds=estimate.seconds, cost_usd=estimate.cost_usd, basis=basis, words="")
    return _said(price, f"{count(estimate.tasks, 'task')} to do: ")


def _said(price: Price, before: str) -> Price:
    time, cost = price.seconds, price.cost_usd
    parts = [_time(time)] if time is not None else []
    parts += [money_range(cost.low, cost.high)] if cost is not None else []
    return price.model_copy(update={"words": before + (", ".join(parts) or "it is not known what that takes")})


def _time(seconds: Range) -> str:
    if seconds.high < 90:
        return _span("{:.0f}", seconds.low, seconds.high) + " s"
    return _span("{:.0f}", seconds.low / 60, seconds.high / 60) + " min"


def _span(form: str, low: float, high: float) -> str:
    """Return both ends, or one where they look alike."""
    ends = (form.format(low), form.format(high))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _lost_money(usd: Decimal) -> str:
    return f"; {money(usd)} was spent on that" if usd else ""


def _requirements(build: Build, tasks: Iterable[str]) -> tuple[str, ...]:
    assert build.plan is not None
    named = (line for task in tasks for line in build.plan.task(task).requirements)
    return tuple(dict.fromkeys(named))


def _tried(events: Sequence[Recorded]) -> list[_Tried]:
    """Return the attempts that have ended, with what each took."""
    history = ClockHistory(events)
    of_task: defaultdict[str, list[Recorded]] = defaultdict(list)
    spent: defaultdict[tuple[str, int], list[Decimal | None]] = defaultdict(list)
    for recorded in events:
        of_task[getattr(recorded.event, "task", "")].append(recorded)
        if isinstance(recorded.event, e.TokensUsed):
            spent[recorded.event.task, recorded.event.attempt].append(recorded.event.cost_usd)
    return [
        _Tried(task, attempt.seconds, None if None in costs else float(sum(filter(None, costs), Decimal(0))))
        for task, of in of_task.items()
        for attempt in (attempts_of(task, of, history) if task else ())
        if attempt.seconds is not None
        for costs in (spent[task, attempt.number],)
    ]
