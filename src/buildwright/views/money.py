"""What people are told of budgets and of providers' limits. Pure; must never say more than the journal knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal
from types import MappingProxyType
from typing import NamedTuple

from buildwright.core.build import Build
from buildwright.core.event import BudgetReached
from buildwright.core.money import empty_purses
from buildwright.core.record import Record

_OF_PURSE = {
    "build": "",
    "task": " of task {task}",
    "day": " of the day ({day}, UTC)",
    "project": " of the project",
    "month": " of the month ({day}, UTC)",
}
_FOR_PURSE = {"task": "for each task", "day": "for the day", "project": "for the project"}


class LimitView(Record):
    """A provider that answers no request for this model until then."""

    provider: str
    model: str
    until: datetime


class WayOn(NamedTuple):
    """A way out of a pause for a budget: in words, with the field of the request and a value, "" without one.

    `also` are further fields with their values, where several budgets are spent.
    """

    words: str
    takes: str = ""
    value: str = ""
    also: Mapping[str, str] = MappingProxyType({})


def limits_that_last(build: Build, now: datetime) -> tuple[LimitView, ...]:
    """Return the limits that are in force now, as far as the build has met them."""
    lasting = (one for one in build.provider_limits if one.until > now and not build.is_terminal)
    return tuple(LimitView(**one._asdict()) for one in lasting)


def limit_words(provider: str, model: str, until: datetime, now: datetime) -> str:
    """Return what requests wait for."""
    return f"waits for the provider's limit until {until_words(until, now)} ({provider}, {model})"


def until_words(until: datetime, now: datetime) -> str:
    """Return a time that is to come, in UTC: with its seconds when it is near, with its date on another day."""
    form = "%H:%M" if until - now > timedelta(minutes=2) else "%H:%M:%S"
    today = until.astimezone(UTC).date() == now.astimezone(UTC).date()
    return until.astimezone(UTC).strftime(form if today else f"%Y-%m-%d {form}") + " UTC"


def budget_words(event: BudgetReached) -> str:
    """Return how much is spent of whose budget."""
    return f"{event.percent} % of the budget" + _OF_PURSE[event.purse].format(task=event.task, day=event.day)


def ways_on(build: Build, since: datetime) -> Iterator[WayOn]:
    """Yield how a build can go on that has been paused for a budget since then: what is spent has to be raised at once."""
    empty = empty_purses(build, since)
    if any(mark.purse == "month" for mark in empty):
        yield WayOn("have an owner of the server raise the month's budget (`buildwright user set`), then continue")
        yield WayOn("wait until the next month (UTC), then continue with its budget")
        return
    spent = dict[str, tuple[Decimal, Decimal]]()
    for mark in reversed(empty):  # of several tasks the one that has spent the most
        budget, most = spent.get(mark.purse, (mark.budget_usd, mark.spent_usd))
        spent[mark.purse] = max(budget, mark.budget_usd), max(most, mark.spent_usd)
    raised = {f"options.{purse}_budget_usd": _larger(*spent[purse]) for purse in reversed(spent)}
    words = [_FOR_PURSE[purse] for purse in reversed(spent)]
    own = build.budget_usd
    if not spent or (own is not None and build.usage.cost_usd >= own):
        raised["budget_usd"] = _larger(own or Decimal(0), build.usage.cost_usd)
        words += ["for the build"] if spent else []
    (takes, value), *further = raised.items()
    listed = f" {', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(f" {one}" for one in words)
    yield WayOn(
        f"continue with {'larger budgets' if further else 'a larger budget'}{listed}", takes, value, dict(further)
    )
    if [*raised] == ["options.day_budget_usd"]:
        yield WayOn("wait until tomorrow (00:00 UTC), then continue with the new day's budget")


def _larger(most: Decimal, spent: Decimal) -> str:
    return str((2 * max(most, spent, Decimal("0.005"))).quantize(Decimal("0.01"), ROUND_UP))
