"""Estimates: from what tasks took before, wide where builds differed, and never without saying what they are from."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.core import event as e
from buildwright.core.decide import decide
from buildwright.core.event import Recorded
from buildwright.core.fork import forked
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.views.choices import choices_of
from buildwright.views.estimate import EstimateView
from buildwright.views.forecast import open_tasks
from buildwright.wiring.estimate import LEAST_SAMPLES, TaskSample, awaited_estimate, begun_estimate, estimate
from tests.adapters.memory_store import MemoryBuilds
from tests.core.machine import START
from tests.views.test_overview import FAILED, LATER, PASSED, TASKS, build_of, finished, journal, landed, started

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


SPEC = Spec(title="Ledger", form="markdown", text="Keep amounts.\n")
ASKED_FIRST = Options(agent="direct", approve_plan=True)


async def paused_for_approval(*events: e.AnyEvent) -> tuple[str, int, EstimateView | None]:
    """Return, for a build of a spec after these events: its pause, how many tasks its way on names, and what is estimated."""
    begun = e.BuildCreated(
        build_id="3fa9c2d1-0000", project_id="p", user_id="u", repository="/repo", spec=SPEC, options=ASKED_FIRST
    )
    made: list[e.AnyEvent] = [begun, *events]
    build = build_of([Recorded(seq, START + timedelta(seconds=seq), event) for seq, event in enumerate(made, 1)])
    (pause,) = decide(build).facts
    assert isinstance(pause, e.BuildPaused)
    recorded = [Recorded(seq, START + timedelta(seconds=seq), event) for seq, event in enumerate([*made, pause], 1)]
    build = build_of(recorded)
    awaited = await awaited_estimate(MemoryBuilds(), build)
    (go,) = (one.price for one in choices_of(build, recorded, LATER, awaited).choices if one.name == "go")
    return pause.message, int(go.words.split()[0]), awaited


def replanned(*done: e.AnyEvent) -> tuple[e.AnyEvent, ...]:
    """A plan that its user approves, what is done of it, and the plan for a spec that has another task."""
    return (
        e.TargetPrepared(commit="c0", tree="t0", branch="main"),
        e.PlanMade(graph=Graph(tasks=TASKS)),
        e.BaseJudged(verdict=PASSED),
        e.BuildPaused(reason="approval"),
        e.BuildResumed(),
        *done,
        e.SpecChanged(text="Keep amounts, and days.\n"),
        e.PlanChanged(spec=1, tasks=(Task(id="days", title="Days", depends_on=("money",)),)),
    )


async def test_a_plan_that_waits_again_is_estimated_without_what_is_over() -> None:
    new = await paused_for_approval(*replanned())
    assert (new[0], new[1], new[2] and new[2].tasks) == ("the plan waits for your approval: 5 tasks in 2 waves", 5, 5)
    skipped = await paused_for_approval(*replanned(*FAILED, e.TaskSkipped(task="money"), e.BuildResumed()))
    assert (skipped[0], skipped[1]) == ("the plan waits for your approval: 4 tasks in 2 waves", 4)
    assert skipped[2] is not None
    assert (skipped[2].tasks, skipped[2].basis) == (4, "prices")


async def test_where_something_has_landed_the_build_itself_says_what_the_rest_takes() -> None:
    done = (started("money"), finished("money"), *landed("money"))
    message, tasks, awaited = await paused_for_approval(*replanned(*done))
    assert (message, tasks, awaited) == ("the plan waits for your approval: 4 tasks in 2 waves", 4, None)


async def test_what_a_fork_was_expected_to_take_is_without_what_was_over_before_it() -> None:
    over = (*FAILED, e.TaskSkipped(task="money"), e.BuildResumed(), started("month"), finished("month"))
    recorded = journal(*over, *landed("month"))
    past = build_of(recorded)
    fork = forked(recorded, past, past.options, None, "", ())
    begun = e.BuildCreated(
        build_id="fork",
        project_id="p",
        user_id="u",
        repository="/repo",
        spec=past.spec,
        options=past.options.model_copy(update={"agent": "direct"}),
    )
    head = e.TargetPrepared(commit="c0", tree="t0", branch="main")
    made: list[e.AnyEvent] = [begun, fork, head, e.PlanMade(graph=Graph(tasks=TASKS))]
    build = build_of([Recorded(seq, START + timedelta(seconds=seq), event) for seq, event in enumerate(made, 1)])
    expected = await begun_estimate(MemoryBuilds(), build)
    assert expected is not None
    assert expected.tasks == len(open_tasks(build)) == 2
