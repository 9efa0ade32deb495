"""The moves of money: marks of budgets that were told, and limits of providers that were met. Pure functions of a build."""

from __future__ import annotations

from datetime import datetime

from buildwright.core import event as e
from buildwright.core.build import Build, ProviderLimit, PurseMark, TaskPhase
from buildwright.core.progress import Changes
from buildwright.errors import IllegalMove


def budget_reached(build: Build, event: e.BudgetReached, _at: datetime) -> Changes:
    """Keep the newest mark of each purse; of days only that of the newest. Raises IllegalMove when it was told."""
    if event.purse == "build":
        if event.percent <= build.budget_mark:
            raise IllegalMove(f"{build.budget_mark} % of the budget were told already")
        return {"budget_mark": event.percent}
    mark = PurseMark(event.purse, event.task or event.day, event.percent, event.spent_usd, event.budget_usd)
    told = next((one for one in build.purse_marks if one[:2] == mark[:2]), None)
    if told is not None and told.budget_usd == mark.budget_usd and told.percent >= mark.percent:
        raise IllegalMove(f"{told.percent} % of that budget were told already")
    others = (
        one for one in build.purse_marks if one[:2] != mark[:2] and not one.purse == mark.purse in {"day", "month"}
    )
    return {"purse_marks": (*others, mark)}


def limit_met(build: Build, event: e.LimitMet, _at: datetime) -> Changes:
    """Keep until when a provider answers no request. Raises IllegalMove when it was told."""
    met = ProviderLimit(event.provider, event.model, event.until)
    if any(one[:2] == met[:2] and one.until >= met.until for one in build.provider_limits):
        raise IllegalMove("a longer limit was told already")
    return {"provider_limits": (*(one for one in build.provider_limits if one[:2] != met[:2]), met)}


def empty_purses(build: Build, at: datetime) -> tuple[PurseMark, ...]:
    """Return the purses that have nothing left by what was told, and whose budget is still the same; the newest first.

    A month's budget is no option of a build: that it was raised is known only when a request is made. A task that is
    over needs no more.
    """
    limits = build.options.limits
    now = {"task": limits.task_budget_usd, "day": limits.day_budget_usd, "project": limits.project_budget_usd}
    since = {"day": f"{at:%Y-%m-%d}", "month": f"{at:%Y-%m}"}
    return tuple(
        mark
        for mark in reversed(build.purse_marks)
        if mark.percent >= 100
        and (mark.purse == "month" or mark.budget_usd == now[mark.purse])
        and mark.part >= since.get(mark.purse, "")
        and not (mark.purse == "task" and build.task(mark.part).phase in {TaskPhase.DONE, TaskPhase.SKIPPED})
    )
