"""The state that a sign of life gives: an agent that has begun does not go back to where it was set up."""

from __future__ import annotations

from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.graph import Graph
from buildwright.core.task import Task
from buildwright.engine.messages import Inboxes
from tests.store.process import AT, created

BEGUN = (
    e.TargetPrepared(commit="c", tree="t"),
    e.PlanMade(graph=Graph(tasks=(Task(id="a", title="A"),))),
    e.TaskStarted(task="a", attempt=1),
)
AGAIN = (
    e.AgentBroke(task="a", attempt=1, kind="crashed", message="no"),
    e.TaskRetried(task="a"),
    e.TaskStarted(task="a", attempt=2),
)


def after(*events: AnyEvent) -> Build:
    build: Build | None = None
    for seq, event in enumerate((created("b"), *events), 1):
        build = apply(build, Recorded(seq, AT, event))
    assert build is not None
    return build


def status(inboxes: Inboxes, build: Build) -> str:
    (beat,) = inboxes.beats(build, ["a"])
    return beat.status


def test_an_agent_whose_change_is_taken_is_still_running_and_the_next_one_is_set_up() -> None:
    inboxes, first, second = Inboxes(), after(*BEGUN), after(*BEGUN, *AGAIN)
    assert status(inboxes, first) == "initializing"
    with inboxes.inbox(first, "a"):
        assert status(inboxes, first) == "running"
    assert status(inboxes, first) == "running"
    assert status(inboxes, second) == "initializing"
    with inboxes.inbox(second, "a"):
        assert status(inboxes, second) == "running"
