"""Marks of a build's budget: each is told once, also of answers that arrive after a pause."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task

AT = datetime(2026, 1, 1, tzinfo=UTC)
BUDGET = Options(gates=False, limits=Limits(budget_usd=Decimal("0.10")))
GRAPH = Graph(tasks=(Task(id="a", title="A"), Task(id="b", title="B")))


def begun(*more: AnyEvent) -> Build:
    """A build with both tasks under way, and more events."""
    events: list[AnyEvent] = [
        e.BuildCreated(
            build_id="b", project_id="p", user_id="u", spec=Spec(title="t"), options=BUDGET, repository="/r"
        ),
        e.TargetPrepared(commit="c0", tree="t0"),
        e.PlanMade(graph=GRAPH),
        e.TaskStarted(task="a", attempt=1, base="c0"),
        e.TaskStarted(task="b", attempt=1, base="c0"),
        *more,
    ]
    return fold([Recorded(place, AT, event) for place, event in enumerate(events, 1)])


def used(task: str) -> e.TokensUsed:
    return e.TokensUsed(task=task, attempt=1, model="m", cost_usd=Decimal("0.06"))


def test_a_mark_that_is_reached_after_the_pause_is_told_once() -> None:
    refused = e.BuildPaused(reason="budget", message="The build's budget is spent.", task="b", fault="limits")
    told = e.BudgetReached(percent=100, spent_usd=Decimal("0.12"), budget_usd=Decimal("0.10"))
    paused = begun(refused, used("a"), used("b"))
    assert decide(paused).facts == (told,)
    again = decide(begun(refused, used("a"), used("b"), told))
    assert again.facts == ()
    assert not again.start
    assert {action.key for action in again.actions} == {action.key for action in decide(begun(refused)).actions}
