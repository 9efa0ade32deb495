"""What people are told of budgets and of providers' limits. Pure; must never say more than the journal knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import NamedTuple

from buildwright.core.build import Build
from buildwright.core.event import BudgetReached
from buildwright.core.money import empty_purse
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
    """A way out of a pause for a budget: in words, with the field of the request and a value, "" without one."""

    words: str
    takes: str = ""
    value: str = ""


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
    """Yield how a build can go on that has been paused for a budget since then."""
    empty = empty_purse(build, since)
    if empty is None:
        yield WayOn(
            "continue with a larger budget", "budget_usd", _larger(build.budget_usd or Decimal(0), build.usage.cost_usd)
        )
        return
    if empty.purse == "month":
        yield WayOn("have an owner of the server raise the month's budget (`buildwright user set`), then continue")
        yield WayOn("wait until the next month (UTC), then continue with its budget")
        return
    words = f"continue with a larger budget {_FOR_PURSE[empty.purse]}"
    yield WayOn(words, f"options.{empty.purse}_budget_usd", _larger(empty.budget_usd, empty.spent_usd))
    if empty.purse == "day":
        yield WayOn("wait until tomorrow (00:00 UTC), then continue with the new day's budget")


def _larger(most: Decimal, spent: Decimal) -> str:
    return str((2 * max(most, spent, Decimal("0.005"))).quantize(Decimal("0.01"), ROUND_UP))
