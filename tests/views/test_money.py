"""The ways on from a budget that is spent, in words and as a request."""

from __future__ import annotations

from decimal import Decimal

from buildwright.core import event as e
from buildwright.core.limits import Limits, Options
from buildwright.views.money import ways_on
from tests.core.machine import START
from tests.views.test_overview import build_of, journal, started


def test_of_several_tasks_the_one_that_has_spent_the_most_counts() -> None:
    spent = [
        e.BudgetReached(percent=100, spent_usd=usd, budget_usd=Decimal("0.3"), purse="task", task=task)
        for task, usd in (("money", Decimal("0.9")), ("month", Decimal("0.4")))
    ]
    options = Options(limits=Limits(task_budget_usd=Decimal("0.3")))
    (way, *_) = ways_on(build_of(journal(started("money"), started("month"), *spent, options=options)), START)
    assert (way.takes, way.value) == ("options.task_budget_usd", "1.80")
