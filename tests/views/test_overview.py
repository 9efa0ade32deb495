from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Build, TaskPhase
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Evidence, Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Delivery, Limits, Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadGraph, NotFound
from buildwright.views.command_lines import resume_line
from buildwright.views.explain import why
from buildwright.views.forecast import forecast_of
from buildwright.views.home import card_of
from buildwright.views.overview import build_view, headline, plan_view, running_tasks, task_counts, task_view
from tests.core.machine import START, graphs

LATER = START + timedelta(hours=1)
TASKS = (
    Task(id="money", title="Amounts", minutes=2, files_expected=("money.py",), goal="Exact amounts"),
    Task(id="month", title="Months", files_expected=("month.py",)),
    Task(id="entry", title="Entries", depends_on=("money", "month"), minutes=3),
    Task(id="notes", title="Notes", files_expected=("money.py",)),
)
PATCH = Patch(base_tree="t0", tree="t1", changes=(FileChange(path="money.py", kind="added", mode="100644"),))
PROOF = Evidence(
    tree="t1", command="pytest", exit_code=1, seconds=1.5, output_digest="0" * 64, started_at=START, tests=7
)
REFUSED = Verdict(
    tree="t1",
    reports=(
        Report(gate="scope", kind="scope", ok=True),
        Report(
            gate="tests",
            kind="test",
            ok=False,
            evidence=PROOF,
            findings=(
                Finding(code="pytest.failed", message="1 != 2", file="test_money.py", line=4),
                Finding(code="pytest.failed", message="3 != 4"),
            ),
        ),
    ),
)
PASSED = Verdict(tree="t1", reports=(Report(gate="tests", kind="test", ok=True),))


def journal(*events: AnyEvent, options: Options | None = None, tasks: Sequence[Task] = TASKS) -> list[Recorded]:
    """A legal journal, one event a second: created, prepared, planned, and then `events`."""
    first: list[AnyEvent] = [
        e.BuildCreated(
            build_id="3fa9c2d1-0000",
            project_id="p",
            user_id="u",
            repository="/repo",
            spec=Spec(title="Ledger", form="tasks", graph=Graph(tasks=tuple(tasks))),
            options=options or Options(limits=Limits(attempts=2, concurrency=2)),
        ),
        e.TargetPrepared(commit="c0", tree="t0", branch="main"),
        e.PlanMade(graph=Graph(tasks=tuple(tasks))),
    ]
    return [Recorded(seq, START + timedelta(seconds=seq), event) for seq, event in enumerate([*first, *events], 1)]


def build_of(recorded: Sequence[Recorded]) -> Build:
    build: Build | None = None
    for each in recorded:
        build = apply(build, each)
    assert build is not None
    return build


def started(task: str, attempt: int = 1) -> e.TaskStarted:
    return e.TaskStarted(task=task, attempt=attempt, base="c0")


def finished(task: str, attempt: int = 1) -> e.AgentFinished:
    return e.AgentFinished(task=task, attempt=attempt, patch=PATCH, summary="wrote money.py")


def landed(task: str, attempt: int = 1) -> tuple[AnyEvent, ...]:
    """From a finished agent to the integration branch."""
    return (
        e.PatchJudged(task=task, attempt=attempt, verdict=PASSED),
        e.MergePrepared(task=task, attempt=attempt, onto="c0", commit="c1", tree="t1"),
        e.ChangeLanded(task=task, attempt=attempt, commit="c1", tree="t1"),
    )


FAILED = (
    started("money"),
    finished("money"),
    e.PatchJudged(task="money", attempt=1, verdict=REFUSED),
    e.TaskRetried(task="money"),
    started("money", 2),
    finished("money", 2),
    e.PatchJudged(task="money", attempt=2, verdict=REFUSED),
    e.TaskFailed(task="money", message="the change did not pass the checks", findings=REFUSED.findings),
    e.BuildPaused(reason="failure", message="task money failed 2 times", task="money"),
)


def explain(task: str, *events: AnyEvent, now: datetime = LATER) -> str:
    recorded = journal(*events)
    return why(build_of(recorded), task, recorded, now).answer


def test_a_fresh_plan_waits() -> None:
    view = build_view(build_of(journal()), LATER)
    assert (view.total, view.counts, view.running, view.omitted) == (4, {"waiting": 4}, (), 0)
    assert (view.stage, view.control, headline(build_of(journal()))) == ("working", "running", "building")
    assert [task.id for task in view.tasks] == ["money", "month", "entry", "notes"]
    assert view.seconds == 3599.0


def test_running_and_done_tasks_are_counted_and_timed() -> None:
    used = e.TokensUsed(
        task="money", attempt=1, model="m", input_tokens=100, output_tokens=20, cost_usd=Decimal("0.02")
    )
    build = build_of(journal(started("money"), started("month"), used, finished("money"), *landed("money")))
    view = build_view(build, LATER)
    assert view.counts == {"done": 1, "working": 1, "waiting": 2}
    assert [task.id for task in view.running] == ["month"]
    money = view.tasks[0]
    assert (money.phase, money.commit, money.seconds, money.tokens, money.cost_usd) == (
        "done",
        "c1",
        6.0,
        120,
        Decimal("0.02"),
    )
    assert (view.usage.tokens, view.usage.cost_usd) == (120, Decimal("0.02"))


def test_the_list_is_bounded_and_shows_what_needs_eyes_first() -> None:
    tasks = tuple(Task(id=f"T{n}", title=f"Task {n}") for n in range(50))
    build = build_of(journal(started("T40"), started("T45"), tasks=tasks))
    view = build_view(build, LATER, limit=3)
    assert [task.id for task in view.tasks] == ["T40", "T45", "T0"]
    assert view.omitted == 47


def test_a_view_survives_json() -> None:
    view = build_view(build_of(journal(*FAILED)), LATER)
    assert type(view).model_validate(json.loads(view.model_dump_json())) == view


def test_a_pause_after_a_failure_has_its_findings_and_three_ways_out() -> None:
    view = build_view(build_of(journal(*FAILED)), LATER)
    assert view.pause is not None
    assert [choice.name for choice in view.pause.choices] == ["retry", "skip", "abort"]
    assert view.pause.findings[0] == "test_money.py:4: 1 != 2 [pytest.failed]"
    assert view.counts == {"failed": 1, "waiting": 3}
    assert view.tasks[0].reason == "test_money.py:4: 1 != 2 [pytest.failed] (and 1 more)"


@pytest.mark.parametrize("reason", ["user", "delivery", "plan", "budget", "trouble"])
def test_other_pauses_can_go_on_or_end(reason: str) -> None:
    paused = e.BuildPaused.model_validate({"reason": reason})
    view = build_view(build_of(journal(paused)), LATER)
    assert view.pause is not None
    assert [choice.name for choice in view.pause.choices] == ["go", "abort"]


@given(graph=graphs(), dice=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_counts_agree_with_the_tasks_whatever_happens(graph: Graph, dice: object) -> None:
    recorded = journal(tasks=graph.tasks)
    created = recorded[0].event
    assert isinstance(created, e.BuildCreated)
    recorded[2] = recorded[2]._replace(event=e.PlanMade(graph=graph))
    build = build_of(recorded)
    for _ in range(6):
        facts = decide(build).facts
        for fact in facts:
            build = apply(build, Recorded(build.version + 1, LATER, fact))
        counts = task_counts(build)
        assert sum(counts.values()) == build.total
        for phase in (TaskPhase.WORKING, TaskPhase.DONE, TaskPhase.FAILED, TaskPhase.SKIPPED):
            assert counts.get(phase.value, 0) == sum(state.phase is phase for state in build.tasks.values())
        for task in running_tasks(build)[:1]:
            broke = e.AgentBroke(task=task, attempt=build.task(task).attempt, kind="crashed", message="x")
            build = apply(build, Recorded(build.version + 1, LATER, broke))


def test_a_plan_shows_waves_and_the_critical_path() -> None:
    view = plan_view(Graph(tasks=TASKS))
    assert [(task.id, task.wave, task.on_critical_path) for task in view.tasks] == [
        ("money", 1, True),
        ("month", 1, False),
        ("entry", 2, True),
        ("notes", 2, False),
    ]
    assert (view.critical_path, view.minutes, view.total_minutes, view.widest) == (("money", "entry"), 5.0, 7.0, 2)


def test_tasks_that_share_a_file_do_not_count_as_at_once() -> None:
    files = (("src/a.py",), ("src/",), ("lib/",), ("./lib/b.py",))
    tasks = tuple(Task(id=f"t{place}", title="T", files_expected=some) for place, some in enumerate(files))
    assert plan_view(Graph(tasks=tasks)).widest == 2


def test_a_bad_plan_is_refused() -> None:
    with pytest.raises(BadGraph, match="nowhere"):
        plan_view(Graph(tasks=(Task(id="a", title="A", depends_on=("nowhere",)),)))


def test_why_it_waits() -> None:
    assert explain("entry", started("money")) == "It waits for money (working), month (ready)."
    assert explain("month") == "It is ready and starts when one of the 2 slots is free."
    held = explain("notes", started("money"), e.TaskWaited(task="notes", file="money.py", holder="money"))
    assert held == "It waits for money.py, which money works on."
    assert explain("entry", *FAILED) == (
        "It cannot start: money failed. It waits for month (ready). The build is paused, so nothing new starts."
    )


def test_why_it_waits_for_a_milestone() -> None:
    tasks = (Task(id="a", title="A", milestone="one"), Task(id="b", title="B", milestone="two"))
    recorded = journal(tasks=tasks)
    answer = why(build_of(recorded), "b", recorded, LATER).answer
    assert answer == "It belongs to phase two, which opens when the 1 open tasks of one have landed."


def test_why_it_runs_failed_landed_or_was_skipped() -> None:
    assert explain("money", started("money")) == "An agent works on attempt 1 of 2."
    assert explain("money", started("money"), finished("money")) == "The checks run on attempt 1."
    waits = explain("money", started("money"), finished("money"), landed("money")[0])
    assert waits == "It passed the checks and waits to be merged: place 1 of 1 in the queue."
    assert explain("money", *FAILED) == "It failed after 2 attempts: the change did not pass the checks."
    done = explain("money", started("money"), finished("money"), *landed("money"))
    assert done == "It is done: attempt 1 passed and landed as c1."
    assert explain("money", *FAILED, e.TaskSkipped(task="money")).startswith("It was given up by the user")


def test_what_was_worked_on_when_the_build_was_stopped_is_not_shown_as_at_work() -> None:
    stopped = build_of(journal(started("money"), e.BuildFinished(outcome="stopped", message="enough")))
    view = build_view(stopped, LATER)
    assert (view.tasks[0].id, view.tasks[0].phase, view.running) == ("money", "waiting", ())
    assert task_counts(stopped) == {"waiting": 4}
    said = explain("money", started("money"), e.BuildFinished(outcome="stopped", message="enough"))
    assert said.startswith("Attempt 1 was cut short: the build ended before (stopped).")


LATE = Finding(
    code="check.timeout", message="tests timed out after 120 s", fix="raise the limit with --gate-time SECONDS"
)
LATE_CHECK = Verdict(tree="t1", reports=(Report(gate="tests", kind="test", ok=False, findings=(LATE,)),))


@pytest.mark.parametrize(
    ("events", "failed", "takes", "value"),
    [
        (
            (finished("money"), e.PatchJudged(task="money", attempt=1, verdict=LATE_CHECK)),
            e.TaskFailed(task="money", message="the change did not pass the checks", findings=(LATE,)),
            "options.gate_seconds",
            "240",
        ),
        (
            (e.AgentBroke(task="money", attempt=1, kind="timeout", message="it timed out"),),
            e.TaskFailed(task="money", message="timeout: it timed out"),
            "options.task_seconds",
            "600",
        ),
    ],
)
def test_what_a_limit_of_time_ended_is_offered_more_time(
    events: Sequence[AnyEvent], failed: AnyEvent, takes: str, value: str
) -> None:
    recorded = journal(started("money"), *events, failed)
    (paused,) = [fact for fact in decide(build_of(recorded)).facts if isinstance(fact, e.BuildPaused)]
    assert (paused.reason, paused.fault) == ("failure", "limits")
    view = build_view(build_of(journal(started("money"), *events, failed, paused)), LATER)
    assert view.pause is not None
    assert [choice.name for choice in view.pause.choices] == ["retry", "skip", "abort"]
    retry = view.pause.choices[0]
    assert (retry.takes, retry.value) == (takes, value)
    option = "--gate-time 240" if value == "240" else "--task-time 600"
    assert resume_line("3fa9c2d1-0000", retry) == f"buildwright resume 3fa9c2d1 --retry {option}"


def test_the_time_of_a_task_that_is_given_up_ends_with_its_failure() -> None:
    paused = build_of(journal(*FAILED))
    skipped = build_of(journal(*FAILED, e.TaskSkipped(task="money")))
    assert task_view(skipped, "money", LATER).seconds == task_view(paused, "money", LATER).seconds


def test_why_tells_attempts_with_their_evidence() -> None:
    recorded = journal(*FAILED)
    view = why(build_of(recorded), "money", recorded, LATER)
    assert [(attempt.number, attempt.outcome, attempt.seconds) for attempt in view.attempts] == [
        (1, "refused", 2.0),
        (2, "refused", 2.0),
    ]
    assert view.attempts[1].detail == "refused by tests"
    assert [attempt.has_change for attempt in view.attempts] == [True, True]
    assert view.findings == tuple(map(str, REFUSED.findings))
    assert view.reports[1].evidence == PROOF
    assert (view.changed, view.task.goal) == (("money.py",), "Exact amounts")


def test_a_crashed_agent_is_an_attempt_too() -> None:
    broke = e.AgentBroke(task="money", attempt=1, kind="timeout", message="300 s are over")
    recorded = journal(started("money"), broke)
    view = why(build_of(recorded), "money", recorded, LATER)
    assert [(attempt.outcome, attempt.detail) for attempt in view.attempts] == [
        ("agent failed", "timeout: 300 s are over")
    ]
    assert not view.attempts[0].has_change
    assert view.answer == "Attempt 1 was refused: timeout: 300 s are over."


def test_an_unknown_task_names_those_that_look_like_it() -> None:
    recorded = journal()
    with pytest.raises(NotFound) as caught:
        why(build_of(recorded), "mon", recorded, LATER)
    assert caught.value.fix == "name one of these: money, month, ..."
    with pytest.raises(NotFound, match="no plan yet"):
        why(build_of(recorded[:2]), "money", recorded[:2], LATER)


def test_nothing_is_in_work_once_a_build_has_ended() -> None:
    started = (e.TaskStarted(task="money", attempt=1), e.TaskStarted(task="month", attempt=1))
    crashed = e.AgentBroke(task="money", attempt=1, kind="crashed", message="no")
    failed = (*started, crashed, e.TaskFailed(task="money", message="no"))
    at_work = build_of(journal(*failed))
    assert running_tasks(at_work) == ["month"]
    recorded = journal(*failed, e.BuildFinished(outcome="failed", message="the critical task money failed"))
    ended = build_of(recorded)
    assert running_tasks(ended) == []
    assert build_view(ended, LATER).running == ()
    said = why(ended, "month", recorded, LATER)
    assert said.answer == "Attempt 1 was cut short: the build ended before (failed)."
    assert said.state.reason == "cut short: the build ended before"


def test_a_delivery_after_the_end_says_where_it_goes_and_how_the_build_had_ended() -> None:
    landing = (started("money"), finished("money"), *landed("money"))
    delivered = e.BuildDelivered(kind="branch", ref="refs/heads/x", commit="c1")
    over = (*landing, delivered, e.BuildFinished(outcome="succeeded"))
    done = build_of(journal(*over, tasks=TASKS[:1]))
    assert build_view(done, LATER).delivering is None
    asked = e.DeliveryRequested(delivery=Delivery(kind="pr", branch="mine"))
    view = build_view(build_of(journal(*over, asked, tasks=TASKS[:1])), LATER)
    assert view.delivering is not None
    assert (view.outcome, view.delivering.outcome, view.delivering.attempt) == ("", "succeeded", 1)
    assert view.delivering.words == "What has landed is being delivered as a pull request, branch mine."
    assert not view.delivering.stopping
    stopped = build_view(build_of(journal(*over, asked, e.StopRequested(), tasks=TASKS[:1])), LATER).delivering
    assert stopped is not None
    assert (stopped.stopping, stopped.words) == (True, "The delivery is being stopped.")
    failed = e.DeliveryFailed(message="no answer", temporary=True)
    again = build_view(build_of(journal(*over, asked, failed, tasks=TASKS[:1])), LATER).delivering
    assert again is not None
    assert (again.attempt, again.words.endswith("the one before failed: no answer")) == (2, True)


def test_every_view_shows_the_budget_that_counts_now() -> None:
    spent = (e.TokensUsed(task="money", attempt=1, model="m", cost_usd=Decimal("1.2")),)
    pause = (e.BuildPaused(reason="budget"), e.BuildResumed(budget_usd=Decimal("2.4")))
    recorded = journal(started("money"), *spent, *pause, options=Options(limits=Limits(budget_usd=Decimal(1))))
    build = build_of(recorded)
    assert build_view(build, LATER).budget_usd == Decimal("2.4")
    told = forecast_of(build, recorded, LATER)
    assert (told.budget_usd, told.left_usd) == (Decimal("2.4"), Decimal("1.2"))
    assert card_of(build, LATER).budget_usd == Decimal("2.4")
