"""When the phases of a plan are audited, and what becomes of a build of which the audit refuses one."""

from __future__ import annotations

from typing import Any

import pytest

from buildwright.core import action as a
from buildwright.core import event as e
from buildwright.core.build import Build, Control, PhaseMark, PhaseSpan
from buildwright.core.decide import decide
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Commits, Options
from buildwright.core.snapshot import dump, parse
from buildwright.core.task import Task
from buildwright.errors import IllegalMove
from tests.core.machine import Machine, outcome

GRAPH = Graph(
    tasks=(Task(id="a", title="A", milestone="One"), Task(id="b", title="B", milestone="Two")),
    milestones=("One", "None", "Two"),
)
MISSING = Finding(
    code="routes.missing", message="GET /health is not implemented.", file="phases.md", line=5, fix="do it"
)


class Audited(Machine):
    """A build whose every action goes well but for the audits of the phases in `refused`."""

    def __init__(self, refused: tuple[int, ...] = (), graph: Graph = GRAPH, **more: Any) -> None:
        self.refused = refused
        super().__init__(graph, Options(**more), lambda _: 1)

    @property
    def at(self) -> Build:
        build: Build = self.build
        return build

    def go(self, last: type[e.Event] | None = None) -> list[str]:
        """Go on until the build rests or an event of this type was taken; return the kinds of audits and landings."""
        began = len(self.journal)
        while self.at.control is Control.RUNNING:
            decision = decide(self.at)
            assert decision.facts or decision.actions
            for fact in decision.facts or self.effect(decision.actions[-1]):
                self.take(fact)
                if last is not None and isinstance(fact, last):
                    return self.kinds(began)
        return self.kinds(began)

    def kinds(self, began: int) -> list[str]:
        shown = (e.ChangeLanded, e.PhaseAudited, e.PhaseMarked, e.BuildDelivered, e.BuildPaused, e.BuildFinished)
        return [one.event.type for one in self.journal[began:] if isinstance(one.event, shown)]

    def effect(self, action: a.Action) -> list[Any]:
        if not isinstance(action, a.AuditPhase):
            return outcome(self.at, action, lambda _: 1)
        report = Report(gate="W3 routes", ok=action.phase not in self.refused, findings=(MISSING,))
        verdict = Verdict(tree="t", reports=(report,))
        mark = f"mark-{action.phase}" if self.at.marks_phases else ""
        return [
            e.PhaseAudited(phase=action.phase, base=action.base, head=action.head, verdict=verdict, entry=3, mark=mark)
        ]


def test_each_phase_is_audited_once_and_before_anything_is_delivered() -> None:
    build = Audited()
    assert build.go(e.ChangeLanded) == ["change.landed"]
    first = build.at.head
    assert build.at.unaudited == (PhaseSpan(0, "base", first),)
    assert parse(dump(build.at)) == build.at
    assert build.go(e.ChangeLanded) == ["phase.audited", "change.landed"]
    assert build.at.unaudited == (PhaseSpan(2, first, build.at.head),)
    assert [type(one) for one in decide(build.at).actions] == [a.AuditPhase]
    assert build.go() == ["phase.audited", "build.delivered", "build.finished"]
    again = Audited()
    again.go(e.PhaseAudited)
    with pytest.raises(IllegalMove):
        again.take(again.journal[-1].event)


def test_a_refused_phase_pauses_the_build_with_the_check_the_place_and_the_fix() -> None:
    build = Audited(refused=(0,))
    assert build.go() == ["change.landed", "phase.audited", "build.paused"]
    pause = build.at.pause
    assert pause is not None
    assert pause.reason == "audit"
    assert "One" in pause.message
    assert "W3 routes" in pause.message
    assert "phases.md:5: GET /health is not implemented." in pause.message
    assert "Fix: do it" in pause.message
    build.take(e.BuildResumed())
    assert build.go()[-2:] == ["build.delivered", "build.finished"]
    assert build.at.outcome == "succeeded"


@pytest.mark.parametrize("phase", [0, 2])
def test_nothing_of_a_refused_phase_is_delivered_when_failures_end_the_build(phase: int) -> None:
    build = Audited(refused=(phase,), on_failure="fail")
    assert build.go()[-2:] == ["phase.audited", "build.finished"]
    assert build.at.outcome == "failed"
    assert build.at.delivered == ""
    assert "W3 routes" in build.at.message


def test_a_phase_is_marked_as_complete_before_anything_of_the_next_one_lands() -> None:
    build = Audited(commits=Commits(mark_phases=True))
    assert build.go(e.PhaseMarked) == ["change.landed", "phase.audited", "phase.marked"]
    assert (build.at.head, build.at.phase_base, build.at.unmarked) == ("mark-0", "mark-0", ())
    with pytest.raises(IllegalMove):
        build.take(build.journal[-1].event)
    assert build.go(e.PhaseAudited) == ["change.landed", "phase.audited"]
    assert build.at.unmarked == (PhaseMark(2, build.at.head, "mark-2"),)
    assert parse(dump(build.at)) == build.at
    assert [type(one) for one in decide(build.at).actions] == [a.MarkPhase]
    assert build.go() == ["phase.marked", "build.delivered", "build.finished"]
    assert build.at.delivered_commit == "mark-2"


def test_no_phase_begins_before_the_one_before_it_is_audited_and_marked() -> None:
    build = Audited(commits=Commits(mark_phases=True))
    build.go(e.ChangeLanded)
    assert (decide(build.at).facts, [type(one) for one in decide(build.at).actions]) == ((), [a.AuditPhase])
    build.go(e.PhaseAudited)
    assert (decide(build.at).facts, [type(one) for one in decide(build.at).actions]) == ((), [a.MarkPhase])
    build.go(e.PhaseMarked)
    assert [type(fact) for fact in decide(build.at).facts] == [e.TaskStarted]
    without = Audited()
    without.go(e.ChangeLanded)
    assert [type(fact) for fact in decide(without.at).facts] == [e.TaskStarted]


def test_a_phase_that_was_refused_is_marked_once_the_user_lets_it_go_on() -> None:
    build = Audited(refused=(0,), commits=Commits(mark_phases=True))
    assert build.go() == ["change.landed", "phase.audited", "build.paused"]
    build.take(e.BuildResumed())
    assert build.go()[0] == "phase.marked"


def test_a_plan_without_named_phases_has_none_to_mark() -> None:
    build = Audited(graph=Graph(tasks=(Task(id="a", title="A"),)), commits=Commits(mark_phases=True))
    assert build.go() == ["change.landed", "phase.audited", "build.delivered", "build.finished"]


@pytest.mark.parametrize("off", [{"audit": False}, {"gates": False}, {"lanes": False, "gates": False}])
def test_nobody_audits_what_is_not_to_be_judged(off: dict[str, Any]) -> None:
    build = Audited(refused=(0, 2), **off)
    assert "phase.audited" not in build.go()
    assert build.at.outcome == "succeeded"


def test_the_last_phase_waits_for_the_verdict_on_the_final_tree() -> None:
    build = Audited()
    while not build.at.unaudited or build.at.unaudited[0].phase != 2:
        build.go(e.ChangeLanded)
    final = build.at.evolve({"stage": "verifying"})
    assert [type(one) for one in decide(final).actions] == [a.VerifyBuild]
