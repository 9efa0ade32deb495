"""A build that has ended is delivered at its user's request, and ends as it had: by rules alone."""

from __future__ import annotations

from typing import Literal

import pytest

from buildwright.core import action as a
from buildwright.core import event as e
from buildwright.core.build import Build, Control, Stage
from buildwright.core.decide import decide
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.snapshot import dump, parse
from buildwright.core.task import Task
from buildwright.engine.commands import after
from buildwright.engine.deliver_command import DeliverBuild
from buildwright.engine.task_commands import ChangeTasks
from buildwright.errors import IllegalMove
from tests.core.machine import Machine


class Ended(Machine):
    """A build that has ended well, or was stopped after its first task had landed."""

    def __init__(self, *, stopped: bool = False, by_hand: bool = False) -> None:
        tasks = (Task(id="a", title="A"), Task(id="b", title="B", depends_on=("a",)))
        options = Options(audit=False, by_hand=by_hand, limits=Limits(attempts=2, pushes=2))
        super().__init__(Graph(tasks=tasks), options, lambda n: int(n == 8))  # lucky, and it changes a file
        while not (self.build.is_terminal or (stopped and self.build.done)):
            if by_hand and self.build.waits_for_step:
                self.take(e.StepRequested(id="s"))
            assert self.step()
        if stopped:
            self.take(e.StopRequested(message="enough"))
            self.settle()

    def settle(self) -> None:
        while facts := decide(self.build).facts:
            for fact in facts:
                self.take(fact)

    def ask(self, deliver: Literal["pr", "push", "branch", "files"] = "pr", branch: str = "") -> None:
        for fact in DeliverBuild(deliver, branch).facts(self.build, "id"):
            self.take(fact)

    def wanted(self) -> list[a.Action]:
        decided = decide(self.build)
        assert decided.facts == ()
        return list(decided.actions)


def standing(build: Build) -> tuple[object, ...]:
    return build.outcome, build.message, build.control, build.stage, build.past_end, build.finished_at


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("by_hand", [False, True])
def test_nothing_but_its_delivery_is_made_and_it_ends_as_it_had(stopped: bool, by_hand: bool) -> None:
    site = Ended(stopped=stopped, by_hand=by_hand)
    before, verdict, tasks = standing(site.build), site.build.verdict, site.build.tasks
    site.ask("pr", "other")
    assert (site.build.control, site.build.stage, site.build.outcome) == (Control.RUNNING, Stage.DELIVERING, None)
    assert (site.build.options.delivery.kind, site.build.options.delivery.branch) == ("pr", "other")
    assert site.build.is_whole is not stopped
    assert parse(dump(site.build)) == site.build
    assert site.wanted() == [a.Deliver(site.build.head, 1)]
    site.take(e.DeliveryFailed(message="away"))
    assert site.wanted() == [a.Deliver(site.build.head, 2)]
    site.take(e.BuildDelivered(kind="pr", ref="refs/heads/other", commit=site.build.head, draft=stopped))
    site.settle()
    assert standing(site.build) == before
    assert (site.build.verdict, site.build.tasks, site.build.delivered_commit) == (verdict, tasks, site.build.head)


@pytest.mark.parametrize("temporary", [True, False])
def test_a_delivery_that_fails_leaves_the_build_as_it_had_ended_and_can_be_asked_for_again(temporary: bool) -> None:
    site = Ended()
    before = standing(site.build)
    site.ask()
    for _ in range(2 if temporary else 1):
        site.take(e.DeliveryFailed(message="no", temporary=temporary))
    site.settle()
    assert standing(site.build) == before
    assert (site.build.delivery_error, site.build.delivered_commit) == ("no", "")
    site.ask("branch")
    assert (site.build.delivery_error, site.wanted()) == ("", [a.Deliver(site.build.head, 1)])


def test_a_pull_request_lasts_and_other_places_are_for_once() -> None:
    site = Ended()
    usual = site.build.options.delivery
    site.ask("push", "other")
    site.take(e.BuildDelivered(kind="push", ref="refs/heads/other", commit=site.build.head))
    site.settle()
    assert (site.build.options.delivery.branch, site.build.lasting_delivery) == ("other", usual)
    site.ask("branch")
    assert site.build.options.delivery.branch == usual.branch, "not that of the last time"
    site.take(e.BuildDelivered(kind="branch", commit=site.build.head))
    site.settle()
    site.take(e.BuildReopened())
    assert (site.build.options.delivery, site.build.usual_delivery) == (usual, None)
    site.settle()
    site = Ended()
    site.ask("pr", "other")
    site.take(e.BuildDelivered(kind="pr", ref="refs/heads/other", commit=site.build.head, pull_request="http://x"))
    site.settle()
    site.take(e.BuildReopened())
    assert (site.build.options.delivery.kind, site.build.options.delivery.branch) == ("pr", "other")
    assert site.build.pull_request_ref == "refs/heads/other"


def test_it_can_be_stopped_and_takes_no_other_command() -> None:
    site = Ended()
    before = standing(site.build)
    site.ask()
    with pytest.raises(IllegalMove, match="is being delivered"):
        after(site.build, ChangeTasks((Task(id="c", title="C"),)), "id", site.build.updated_at)
    with pytest.raises(IllegalMove, match="has not ended"):
        DeliverBuild().facts(site.build, "id")
    site.take(e.StopRequested())
    site.settle()
    assert standing(site.build) == before


def test_half_of_a_result_goes_to_a_draft_or_a_branch_alone() -> None:
    site = Ended(stopped=True)
    for target in ("push", "files"):
        with pytest.raises(IllegalMove, match="half of a result"):
            site.ask(target)
    site.ask("branch")
    site.take(e.BuildDelivered(kind="branch", commit=site.build.head))
    site.settle()
    assert site.build.outcome == "stopped"
