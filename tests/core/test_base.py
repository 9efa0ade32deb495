"""The base is judged before anything is paid for, and refuses, unless somebody accepts that by name."""

from __future__ import annotations

import pytest

from buildwright.core import action as a
from buildwright.core import event as e
from buildwright.core.build import Build, Control, Stage
from buildwright.core.decide import allowed_modes, decide
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.judged_base import base_troubles
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from tests.core.machine import Machine

GRAPH = Graph(tasks=(Task(id="a", title="a"),))


def refused(**codes: str) -> Verdict:
    """A verdict on the base: gates with the code that each refuses for; "" when it passes."""
    return Verdict(
        tree="tree-base",
        reports=tuple(
            Report(gate=gate, ok=not code, findings=(Finding(code=code, message=f"{gate} says no"),) if code else ())
            for gate, code in codes.items()
        ),
    )


def prepared(*, planned: bool, **chosen: object) -> Machine:
    """A build whose repository is mirrored. Not `planned`: its spec needs a planner."""
    machine = Machine(GRAPH, Options(**chosen), lambda _: 0)
    if not planned:
        build: Build = machine.build
        machine.build = build.evolve({"spec": Spec(title="t", text="# T")})
    machine.take(e.TargetPrepared(commit="base", tree="tree-base"))
    settle(machine)
    return machine


def settle(machine: Machine) -> None:
    while facts := decide(machine.build).facts:
        for fact in facts:
            machine.take(fact)


@pytest.mark.parametrize("planned", [True, False])
def test_nothing_is_wanted_beside_the_base(planned: bool) -> None:
    machine = prepared(planned=planned)
    assert decide(machine.build).actions == (a.JudgeBase("tree-base"),)
    machine.take(e.BaseJudged(verdict=refused(pytest="")))
    settle(machine)
    assert decide(machine.build).actions == ((a.RunAgent("a", 1),) if planned else (a.MakePlan(),))


@pytest.mark.parametrize("chosen", [{"gates": False}, {"lanes": False, "gates": False}])
def test_without_gates_or_lanes_there_is_nothing_to_judge(chosen: dict[str, object]) -> None:
    machine = prepared(planned=False, **chosen)
    assert decide(machine.build).actions == (a.MakePlan(),)


@pytest.mark.parametrize("planned", [True, False])
def test_a_base_that_fails_pauses_before_anything_is_paid_for(planned: bool) -> None:
    machine = prepared(planned=planned)
    machine.take(e.BaseJudged(verdict=refused(pytest="test.failed")))
    settle(machine)
    assert machine.build.control is Control.PAUSED
    assert machine.build.pause.reason == "base"
    assert "pytest says no" in machine.build.pause.message
    assert machine.build.working == 0
    machine.take(e.BuildResumed())
    settle(machine)
    assert type(decide(machine.build).actions[0]) is (a.RunAgent if planned else a.MakePlan)


@pytest.mark.parametrize(
    ("accepted", "troubles"),
    [
        ((), ["ruff says no", "pytest says no"]),
        (("ruff",), ["pytest says no"]),
        (("ruff", "test.failed"), []),
        (("nosuch",), ["ruff says no", "pytest says no"]),
    ],
)
def test_checks_are_accepted_by_name_and_findings_by_code(accepted: tuple[str, ...], troubles: list[str]) -> None:
    machine = prepared(planned=True, accept_checks=accepted)
    machine.take(e.BaseJudged(verdict=refused(mypy="", ruff="lint.E501", pytest="test.failed")))
    settle(machine)
    assert [one.message for one in base_troubles(machine.build)] == troubles
    assert (machine.build.control is Control.PAUSED) == bool(troubles)


def test_all_that_refuses_the_base_is_accepted_without_a_name() -> None:
    machine = prepared(planned=True, accept_base=True)
    machine.take(e.BaseJudged(verdict=refused(pytest="test.failed", ruff="lint.E501")))
    settle(machine)
    assert machine.build.control is Control.RUNNING


@pytest.mark.parametrize("planned", [True, False])
def test_who_is_not_to_be_asked_pays_nothing_for_a_base_that_fails(planned: bool) -> None:
    machine = prepared(planned=planned, on_failure="fail")
    machine.take(e.BaseJudged(verdict=refused(pytest="test.failed", checks="test.uncounted")))
    settle(machine)
    assert machine.build.outcome == "failed"
    assert "pytest says no" in machine.build.message
    assert "--accept-base pytest --accept-base test.uncounted" in machine.build.message
    assert machine.build.done == machine.build.working == machine.build.usage.requests == 0
    accepted = prepared(planned=planned, on_failure="fail", accept_checks=("pytest", "test.uncounted"))
    accepted.take(e.BaseJudged(verdict=refused(pytest="test.failed", checks="test.uncounted")))
    settle(accepted)
    assert type(decide(accepted.build).actions[0]) is (a.RunAgent if planned else a.MakePlan)


@pytest.mark.parametrize(
    ("gate", "code", "fault", "words"),
    [
        ("pytest", "test.failed", "base", "your project already fails its own checks"),
        ("setup", "setup.failed", "setup", "the set-up of your project already fails"),
        ("pytest", "check.tool_missing", "machine", "this machine lacks a program"),
        ("pytest", "check.timeout", "limits", "a limit ended a check"),
        ("setup", "check.timeout", "limits", "a limit ended a check"),
        ("pytest", "check.limit", "limits", "a limit ended a check"),
        ("checks", "checks.none", "base", "no tests or checks were found"),
    ],
)
def test_a_pause_for_the_base_says_whose_fault_it_is(gate: str, code: str, fault: str, words: str) -> None:
    machine = prepared(planned=True)
    machine.take(e.BaseJudged(verdict=refused(**{gate: code})))
    settle(machine)
    assert machine.build.pause.fault == fault
    assert words in machine.build.pause.message


def test_nothing_to_check_with_names_what_can_be_done() -> None:
    machine = prepared(planned=False)
    machine.take(e.BaseJudged(verdict=refused(checks="checks.none")))
    settle(machine)
    for choice in ("--check", "--no-gates", "--accept-base checks.none"):
        assert choice in machine.build.pause.message


def test_a_step_of_planning_judges_the_base_first() -> None:
    machine = prepared(planned=False, by_hand=True)
    assert machine.build.stage is Stage.PLANNING
    assert allowed_modes(machine.build) == {"auto", "plan_only", "verify_only"}
    machine.take(e.StepRequested(id="s1", mode="plan_only"))
    assert decide(machine.build).actions == (a.JudgeBase("tree-base"),)
    machine.take(e.BaseJudged(verdict=refused(pytest="")))
    settle(machine)
    assert machine.build.step is None
    assert allowed_modes(machine.build) == {"auto", "plan_only"}
