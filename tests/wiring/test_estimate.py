"""Estimates: from what tasks took before, wide where builds differed, and never without saying what they are from."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.core.graph import Graph, compile_plan
from buildwright.core.task import Task
from buildwright.wiring.estimate import LEAST_SAMPLES, TaskSample, estimate

CHAIN = tuple(Task(id=f"t{n}", title="T", depends_on=(f"t{n - 1}",) if n else ()) for n in range(6))
WIDE = tuple(Task(id=f"t{n}", title="T") for n in range(6))


def taking(tokens: int, dollars: str | None, seconds: float, attempts: int = 1) -> TaskSample:
    return TaskSample(tokens, Decimal(dollars) if dollars is not None else None, seconds, attempts)


def no_price(_tokens_in: int, _tokens_out: int) -> Decimal | None:
    return None


def test_tasks_that_all_took_the_same_are_estimated_exactly() -> None:
    found = estimate(compile_plan(Graph(tasks=CHAIN)), 4, [[taking(1000, "0.25", 60.0)] * LEAST_SAMPLES], no_price)
    assert found.tokens is not None
    assert found.cost_usd is not None
    assert found.seconds is not None
    assert (found.tokens.low, found.tokens.high) == (6000, 6000)
    assert (found.cost_usd.low, found.cost_usd.high) == (1.5, 1.5)
    assert (found.seconds.low, found.seconds.high) == (360, 360), "a chain takes its tasks one after the other"
    assert (found.basis, found.of_tasks, found.of_builds) == ("history", LEAST_SAMPLES, 1)


@pytest.mark.parametrize(("slots", "seconds"), [(1, 360), (2, 180), (4, 120), (6, 60), (100, 60)])
def test_time_follows_from_how_many_run_at_once(slots: int, seconds: float) -> None:
    found = estimate(compile_plan(Graph(tasks=WIDE)), slots, [[taking(0, "0", 60.0)] * LEAST_SAMPLES], no_price)
    assert found.seconds is not None
    assert found.seconds.low == found.seconds.high == seconds
    assert (found.tokens, found.cost_usd) == (None, None), "an agent that asks no model has no cost"


def test_builds_that_differ_make_the_range_wide() -> None:
    plan = compile_plan(Graph(tasks=WIDE))
    cheap, dear = [taking(100, "0.01", 10.0)] * 20, [taking(10_000, "1.00", 900.0, 3)] * 20
    alike = estimate(plan, 2, [cheap, cheap], no_price)
    differing = estimate(plan, 2, [cheap, dear], no_price)
    assert alike.cost_usd is not None
    assert differing.cost_usd is not None
    assert alike.cost_usd.low == pytest.approx(0.06)
    assert differing.cost_usd.low <= 0.06 + 1e-9
    assert differing.cost_usd.high == pytest.approx(6.0)
    assert differing.attempts is not None
    assert differing.attempts.high == 18


def test_a_cost_is_not_made_up_when_a_price_was_not_known() -> None:
    samples = [taking(100, None, 10.0), *[taking(100, "0.01", 10.0)] * LEAST_SAMPLES]
    found = estimate(compile_plan(Graph(tasks=WIDE)), 2, [samples], no_price)
    assert found.cost_usd is None
    assert found.tokens is not None


def test_without_a_history_prices_are_what_is_known() -> None:
    plan = compile_plan(Graph(tasks=WIDE))
    few = [[taking(100, "0.01", 10.0)] * (LEAST_SAMPLES - 1)]
    dear = estimate(plan, 2, few, lambda tokens_in, tokens_out: Decimal(tokens_in + 5 * tokens_out) / 1_000_000)
    assert dear.basis == "prices"
    assert dear.cost_usd is not None
    assert 0 < dear.cost_usd.low < dear.cost_usd.high
    assert estimate(plan, 2, few, no_price).cost_usd is None


@given(st.integers(1, 40), st.integers(1, 8), st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_the_same_input_has_the_same_estimate(tasks: int, slots: int, sizes: list[int]) -> None:
    plan = compile_plan(Graph(tasks=tuple(Task(id=f"t{n}", title="T") for n in range(tasks))))
    history = [[taking(size, "0.10", float(size)) for size in sizes]]
    first, second = (estimate(plan, slots, history, no_price) for _ in range(2))
    assert first == second
    for span in filter(None, (first.tokens, first.cost_usd, first.seconds, first.attempts)):
        assert 0 <= span.low <= span.high
