"""Working time: pauses, waits for a step and what lies between an end and going on are in no time of a build or a task."""

from __future__ import annotations

from datetime import timedelta

import pytest

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.core.work_clock import ClockHistory
from buildwright.views.explain import attempts_of
from buildwright.views.overview import running_clocks, seconds_of
from tests.core.machine import START

GRAPH = Graph(tasks=(Task(id="T", title="t"), Task(id="U", title="u")))
PATCH = Patch(base_tree="x", tree="y", changes=(FileChange(path="a", kind="added"),))
CREATED = e.BuildCreated(
    build_id="b", project_id="p", user_id="u", repository="/r", base="main", spec=Spec(title="s"), options=Options()
)
BEGIN: list[tuple[float, AnyEvent]] = [
    (0, CREATED),
    (0, e.TargetPrepared(commit="c", tree="t")),
    (0, e.PlanMade(graph=GRAPH)),
    (1, e.TaskStarted(task="T", attempt=1, base="c")),
]
BROKEN = e.AgentBroke(task="T", attempt=1, kind="crashed", message="no")
FAILED: list[tuple[float, AnyEvent]] = [*BEGIN, (3, BROKEN), (3, e.TaskFailed(task="T", message="no"))]
PAUSE = e.BuildPaused(reason="failure", message="no", task="T")
RESUME = e.BuildResumed()


def told(*events: tuple[float, AnyEvent]) -> list[Recorded]:
    return [Recorded(seq, START + timedelta(seconds=at), event) for seq, (at, event) in enumerate(events, 1)]


def at(seconds: float, build: Build) -> tuple[float, float | None]:
    """The times of the build and of its task T."""
    now = START + timedelta(seconds=seconds)
    return seconds_of(build, now), build.task("T").seconds(build.clock, now)


def test_a_pause_is_in_no_time() -> None:
    paused = fold(told(*FAILED, (3, PAUSE)))
    assert at(100, paused) == (3, 2)
    assert not running_clocks(paused)
    skipped = fold(told(*FAILED, (3, PAUSE), (50, e.TaskSkipped(task="T")), (50, RESUME)))
    assert at(60, skipped) == (13, 2)
    assert running_clocks(skipped) == {"": START + timedelta(seconds=47)}


def test_a_task_that_goes_on_after_its_end_takes_no_longer_for_that() -> None:
    retried = [*FAILED, (3, PAUSE), (50, e.TaskRetried(task="T", by="user")), (50, RESUME)]
    again = fold(told(*retried, (52, e.TaskStarted(task="T", attempt=2, base="c"))))
    assert at(60, again) == (13, 12)
    assert running_clocks(again)["T"] == START + timedelta(seconds=48)
    # without a pause, while another task is at work
    other = [*FAILED, (4, e.TaskStarted(task="U", attempt=1, base="c")), (20, e.TaskRetried(task="T", by="user"))]
    assert at(25, fold(told(*other))) == (25, 7)


def test_what_is_at_work_when_the_build_pauses_counts_until_it_ends() -> None:
    done = e.AgentFinished(task="T", attempt=1, patch=PATCH)
    assert at(100, fold(told(*BEGIN, (3, PAUSE), (9, done)))) == (9, 8)
    assert at(100, fold(told(*BEGIN, (3, PAUSE), (9, done), (90, RESUME)))) == (19, 18)


@pytest.mark.parametrize("how", ["stop", "abort"])
def test_the_time_between_an_end_and_going_on_is_in_no_time(how: str) -> None:
    stopped: list[tuple[float, AnyEvent]] = [*BEGIN, (3, e.StopRequested())]
    if how == "abort":
        stopped = [*BEGIN, (3, PAUSE), (7, e.StopRequested(how="abort"))]
    outcome: e.Outcome = "aborted" if how == "abort" else "stopped"
    ended = [*stopped, (7, e.BuildFinished(outcome=outcome))]
    worked = 7 if how == "stop" else 3
    assert at(500, fold(told(*ended)))[0] == worked
    assert at(500, fold(told(*ended, (490, e.BuildReopened()))))[0] == worked + 10


def test_a_build_driven_by_hand_is_at_work_while_it_makes_a_step() -> None:
    by_hand = CREATED.model_copy(update={"options": Options(by_hand=True)})
    events: list[tuple[float, AnyEvent]] = [
        (0, by_hand),
        (10, e.StepRequested(id="1", mode="plan_only")),
        (12, e.TargetPrepared(commit="c", tree="t")),
        (30, e.StepRequested(id="2", mode="plan_only")),
    ]
    assert seconds_of(fold(told(*events[:3])), START + timedelta(seconds=25)) == 2
    assert seconds_of(fold(told(*events)), START + timedelta(seconds=35)) == 7


def test_the_history_says_what_the_clock_did() -> None:
    events = told(*BEGIN, (3, PAUSE), (50, RESUME), (60, BROKEN))
    (attempt,) = attempts_of("T", events, ClockHistory(events))
    assert attempt.seconds == 12
    assert at(60, fold(events))[1] == 12
