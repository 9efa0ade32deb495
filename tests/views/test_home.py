from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from buildwright.core import event as e
from buildwright.core.event import AnyEvent
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.interview import InterviewCost
from buildwright.core.limits import Limits, Options
from buildwright.core.task import Task
from buildwright.views.forecast import forecast_of, seconds_left
from buildwright.views.home import SeenBuild, card_of, health_of, news_of, projects_of
from buildwright.views.inbox import inbox_of
from buildwright.views.interview import InterviewEntry
from tests.core.machine import START
from tests.views.test_overview import FAILED, LATER, PASSED, build_of, finished, journal, landed, started

ASKS = Verdict(
    tree="t1",
    reports=(
        Report(
            gate="scope",
            kind="scope",
            ok=False,
            findings=(
                Finding(
                    code="scope.protected", message="ci.yml is protected", file="ci.yml", fingerprint="1c9e02d4a7b3"
                ),
            ),
        ),
    ),
)
ASKED = (started("money"), finished("money"), e.PatchJudged(task="money", attempt=1, verdict=ASKS))
GIVEN_UP = (
    e.BuildPaused(reason="user"),
    e.StopRequested(how="abort"),
    e.BuildFinished(outcome="aborted", message="given up"),
)
ENTRY = InterviewEntry(
    project_id="p2",
    name="shop",
    title="",
    folder="",
    answers=1,
    remaining=(),
    is_complete=False,
    cost=InterviewCost(),
    updated_at=START,
)


@pytest.mark.parametrize(
    ("events", "colour", "cause"),
    [
        ((), "green", "Everything goes as planned."),
        (FAILED, "red", "task money failed 2 times."),
        (ASKED, "yellow", "attempts in a row"),
        ((e.BuildPaused(reason="user"),), "yellow", "You have paused it."),
        (GIVEN_UP, "red", "given up."),
    ],
)
def test_health_says_why(events: tuple[AnyEvent, ...], colour: str, cause: str) -> None:
    health = health_of(build_of(journal(*events)))
    assert health.colour == colour
    assert cause in health.cause


def test_a_build_without_a_process_says_so_in_its_health_and_in_the_inbox() -> None:
    build = build_of(journal())
    assert health_of(build, unattended=True).cause == "No process carries it out."
    (need,) = inbox_of([build], (), [build.id])
    assert (need.kind, need.blocks, need.remedies[0].command) == ("runner", 4, "buildwright run 3fa9c2d1")


def test_the_inbox_has_each_choice_as_a_command_and_as_a_request() -> None:
    (need,) = inbox_of([build_of(journal(*FAILED))])
    assert (need.kind, need.task, need.blocks, need.blocked) == ("pause", "money", 4, "4 tasks")
    assert [(one.name, one.command, one.body) for one in need.remedies] == [
        ("retry", "buildwright resume 3fa9c2d1 --retry", {"choice": "retry"}),
        ("skip", "buildwright resume 3fa9c2d1 --skip", {"choice": "skip"}),
        ("abort", "buildwright resume 3fa9c2d1 --abort", {"choice": "abort"}),
    ]
    assert {one.path for one in need.remedies} == {"/api/builds/3fa9c2d1-0000/resume"}
    assert need.evidence == "/api/builds/3fa9c2d1-0000/why/money"
    assert need.findings


def test_a_spent_budget_names_the_field_that_ends_the_pause() -> None:
    options = Options(limits=Limits(budget_usd=Decimal(1)))
    (need,) = inbox_of([build_of(journal(e.BuildPaused(reason="budget", message="spent"), options=options))])
    assert need.remedies[0].body == {"choice": "go", "budget_usd": "2.00"}
    assert need.remedies[0].command == "buildwright resume 3fa9c2d1 --max-cost 2.00"


def test_what_blocks_most_comes_first_and_an_interview_last() -> None:
    approval, pause = build_of(journal(*ASKED)), build_of(journal(e.BuildPaused(reason="user")))
    found = inbox_of([approval, pause], [ENTRY])
    assert [(need.kind, need.blocks) for need in found] == [("pause", 4), ("finding", 2), ("interview", 0)]
    assert [f"blocks {need.blocked}" for need in found] == ["blocks 4 tasks", "blocks 2 tasks", "blocks its build"]
    (approve,) = found[1].remedies
    assert (approve.body, approve.takes) == ({"finding": "1c9e02d4a7b3"}, "reason")
    assert found[1].task == "money"


def test_a_pause_that_ends_by_itself_comes_after_what_does_not() -> None:
    by_itself = build_of(journal(e.BuildPaused(reason="trouble", message="overloaded", until=LATER)))
    asked = build_of(journal(e.BuildPaused(reason="user"), tasks=(Task(id="one", title="One"),)))
    assert [need.until for need in inbox_of([by_itself, asked])] == [None, LATER]


def test_an_ended_build_needs_nobody() -> None:
    assert inbox_of([build_of(journal(*GIVEN_UP))]) == ()


def test_news_are_few_and_say_what_still_holds() -> None:
    events = (started("money"), finished("money"), *landed("money"), *_failed("month"), e.BuildPaused(reason="user"))
    recorded = journal(*events)
    lines, more = news_of([SeenBuild(build_of(recorded), recorded)])
    assert [(line.kind, line.tasks) for line in lines] == [
        ("paused", ()),
        ("failed", ("month",)),
        ("landed", ("money",)),
        ("planned", ()),
    ]
    assert more == 0
    assert lines[2].words == "1 task landed: money."
    assert (lines[2].commit, lines[2].evidence) == ("c1", "/api/builds/3fa9c2d1-0000/why/money")
    few, left = news_of([SeenBuild(build_of(recorded), recorded)], most=2)
    assert ([line.kind for line in few], left) == (["paused", "failed"], 2)
    resumed = journal(*events, e.BuildResumed())
    assert "paused" not in [line.kind for line in news_of([SeenBuild(build_of(resumed), resumed)])[0]]


def _failed(task: str) -> tuple[AnyEvent, ...]:
    return (
        started(task),
        e.AgentBroke(task=task, attempt=1, kind="crashed", message="broke"),
        e.TaskFailed(task=task, message="broke"),
    )


def test_projects_that_need_a_person_come_first_and_empty_ones_are_there() -> None:
    calm, paused = build_of(journal()), build_of(journal(e.BuildPaused(reason="user"))).evolve({"project_id": "q"})
    cards = [card_of(build, LATER) for build in (calm, paused)]
    projects = projects_of(cards, {"p": "Ledger", "r": "Later"}, {"p": 3}, inbox_of([calm, paused]))
    assert [(one.id, one.name, one.registered, one.more_builds) for one in projects] == [
        ("q", "q", False, 0),
        ("p", "Ledger", True, 3),
        ("r", "Later", True, 0),
    ]
    assert projects[2].health.cause == "Nothing has been built yet."


DONE_TWO = (
    started("month"), e.TokensUsed(task="month", attempt=1, model="m", cost_usd=Decimal("0.10"), input_tokens=10),
    finished("month"), *landed("month"),
    started("money"), e.TokensUsed(task="money", attempt=1, model="m", cost_usd=Decimal("0.40"), input_tokens=10),
    e.AgentBroke(task="money", attempt=1, kind="crashed", message="broke"), e.TaskRetried(task="money"),
    started("money", 2), e.TokensUsed(task="money", attempt=2, model="m", cost_usd=Decimal("0.20"), input_tokens=10),
    finished("money", 2), e.PatchJudged(task="money", attempt=2, verdict=PASSED),
    e.MergePrepared(task="money", attempt=2, onto="c1", commit="c2", tree="t1"),
    e.ChangeLanded(task="money", attempt=2, commit="c2", tree="t1"),
)  # fmt: skip


def test_the_time_and_the_money_that_are_left_come_from_what_was_done() -> None:
    recorded = journal(*DONE_TWO, options=Options(limits=Limits(budget_usd=Decimal(5))))
    build = build_of(recorded)
    assert seconds_left(build_of(journal(*DONE_TWO[:6])), LATER) is None
    left = seconds_left(build, LATER)
    assert left is not None
    assert 0 < left.low <= left.high
    told = forecast_of(build, recorded, LATER)
    assert (told.spent_usd, told.left_usd, told.open_tasks, told.from_tasks) == (Decimal("0.70"), Decimal("4.30"), 2, 2)
    assert told.total_usd is not None
    # Two open tasks of 4 minutes together, at 0.10 or 0.30 dollars a minute.
    assert 0.7 + 0.4 <= round(told.total_usd.low, 2) <= round(told.total_usd.high, 2) <= 0.7 + 1.2
    assert told.words.endswith("within its budget.")
    assert [(one.result, one.attempts, one.cost_usd) for one in told.thrown_away] == [("agent", 1, Decimal("0.40"))]
    assert [point.cost_usd for point in told.points] == [Decimal("0.10"), Decimal("0.50"), Decimal("0.70")]
    assert forecast_of(build, recorded, LATER + timedelta(0)) == told


def test_without_two_done_tasks_the_forecast_says_that_it_does_not_know() -> None:
    recorded = journal(started("money"))
    told = forecast_of(build_of(recorded), recorded, LATER)
    assert (told.total_usd, told.seconds_left, told.open_tasks) == (None, None, 4)
    assert told.words == "It has cost $0.00. No model was asked yet."
    asked = journal(started("money"), e.TokensUsed(task="money", attempt=1, model="m", cost_usd=Decimal("0.10")))
    assert "fewer than 2 tasks are done" in forecast_of(build_of(asked), asked, LATER).words
    little = journal(started("money"), e.TokensUsed(task="money", attempt=1, model="m", cost_usd=Decimal("0.0042")))
    assert forecast_of(build_of(little), little, LATER).words.startswith("It has cost $0.0042. ")
