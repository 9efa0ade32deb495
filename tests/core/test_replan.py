"""A plan that changes while it is built: every task keeps what it has reached, and the books stay right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build, Control, Stage, TaskPhase
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.snapshot import dump
from buildwright.core.task import Task
from buildwright.engine.task_commands import ChangeTasks
from buildwright.errors import BadGraph, IllegalMove, NotFound, Refused
from buildwright.views.plan_table import plan_table
from tests.core.machine import Machine, graphs, options
from tests.core.test_machine import check


def task(name: str, *needs: str, goal: str = "", milestone: str = "") -> Task:
    return Task(id=name, title=name.upper(), goal=goal, depends_on=needs, milestone=milestone)


def machine(*tasks: Task, lucky: bool = True, attempts: int = 1) -> Machine:
    limits = Limits(attempts=attempts, concurrency=1)
    chosen = Options(gates=False, audit=False, limits=limits)
    made = Machine(Graph(tasks=tasks), chosen, lambda n: int(n == 8) if lucky else n - 1)
    while made.build.plan is None:
        assert made.step()
    return made


def ask(made: Machine, command: ChangeTasks) -> None:
    for fact in command.facts(made.build, "id"):
        made.take(fact)
    check(made.build)


def test_an_added_task_waits_for_what_it_needs_and_is_built() -> None:
    made = machine(task("a"), task("b", "a"))
    ask(made, ChangeTasks(tasks=(task("c", "b"), task("d"))))
    assert made.build.task("d").phase is TaskPhase.READY
    assert made.build.task("c").phase is TaskPhase.WAITING
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 4)


def test_a_build_whose_tasks_are_all_done_goes_on_with_another() -> None:
    chosen = Options(audit=False)
    made = Machine(Graph(tasks=(task("a"), task("b"))), chosen, lambda n: int(n == 8))
    while not made.build.all_tasks_done:
        assert made.step()
    ask(made, ChangeTasks(tasks=(task("c", "a"),)))
    assert (made.build.stage, made.build.task("c").phase) == (Stage.WORKING, TaskPhase.READY)


def test_a_dropped_task_is_not_waited_for() -> None:
    made = machine(task("a"), task("b"), task("c", "b"), task("d", "a", "b"))
    ask(made, ChangeTasks(drop=("b",)))
    assert made.build.task("c").phase is TaskPhase.READY
    assert made.build.plan is not None
    assert made.build.plan.task("d").depends_on == ("a",)
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 3)


def test_a_pause_for_approval_says_what_of_the_changed_plan_waits() -> None:
    made = machine(task("a"), task("b", "a"))
    while not made.build.done:
        assert made.step()
    made.take(e.BuildPaused(reason="approval", message="the plan waits for your approval: 1 task in 1 wave"))
    ask(made, ChangeTasks(tasks=(task("c", "b"), task("d", "c"))))
    assert made.build.pause is not None
    assert made.build.pause.message == "the plan waits for your approval: 3 tasks in 3 waves"
    ask(made, ChangeTasks(drop=("b", "c", "d")))
    assert made.build.pause is not None
    assert made.build.pause.message == "the plan waits for your approval: 0 tasks in 0 waves"


def test_the_last_open_task_can_be_dropped() -> None:
    made = machine(task("a"), task("b", "a"))
    while made.build.task("a").phase is not TaskPhase.DONE:
        assert made.step()
    made.take(e.BuildPaused(reason="user"))
    ask(made, ChangeTasks(drop=("b",)))
    assert made.build.stage is Stage.DELIVERING
    made.take(e.BuildResumed())
    made.run()
    assert made.build.outcome == "succeeded"


def test_a_failed_task_that_is_edited_is_tried_again_and_the_build_goes_on() -> None:
    made = machine(task("a"), task("b", "a"), lucky=False)
    made.run()
    assert made.build.failed == ("a",)
    attempt = made.build.task("a").attempt
    ask(made, ChangeTasks(tasks=(task("a", goal="another way"),)))
    state = made.build.task("a")
    assert (made.build.control, state.phase, state.attempt) == (Control.RUNNING, TaskPhase.READY, attempt)
    assert state.allowed == attempt + 1
    made.roll = lambda n: int(n == 8)
    made.run()
    assert (made.build.outcome, made.build.task("a").attempt) == ("succeeded", attempt + 1)


def test_what_cannot_be_changed_is_said_and_changes_nothing() -> None:
    made = machine(task("a"), task("b", "a"), task("x"))
    while made.build.task("a").phase is not TaskPhase.DONE:
        assert made.step()
    while made.build.working == 0:
        assert made.step()
    (busy,) = [name for name in "bx" if made.build.task(name).phase is TaskPhase.WORKING]
    before = made.build
    refused: list[tuple[ChangeTasks, type[Exception], str]] = [
        (ChangeTasks(tasks=(task("a", goal="new"),)), IllegalMove, "done"),
        (ChangeTasks(drop=("a",)), IllegalMove, "done"),
        (ChangeTasks(drop=(busy,)), IllegalMove, "an agent or a check works on it"),
        (ChangeTasks(drop=("nix",)), NotFound, "no task nix"),
        (ChangeTasks(tasks=(task("c", "d"), task("d", "c"))), BadGraph, "circle"),
        (ChangeTasks(tasks=(task("c", "nix"),)), BadGraph, "nix"),
        (ChangeTasks(tasks=(task("c"), task("c"))), Refused, "twice"),
        (ChangeTasks(), Refused, "nothing"),
    ]
    for command, kind, words in refused:
        with pytest.raises(kind, match=words):
            ask(made, command)
        assert made.build is before
    made.take(e.BuildPaused(reason="user"))
    with pytest.raises(IllegalMove, match="works on it, or it waits for the build to continue") as paused:
        ask(made, ChangeTasks(drop=(busy,)))
    (row,) = [row for row in plan_table(made.build).rows if row.task.id == busy]
    assert "or it waits for the build to continue. Tell its agent something, wait, or resume the build." in row.why_not
    assert paused.value.fix == "wait until that is over, or resume the build; or tell its agent with `say`"


def test_no_task_comes_into_a_phase_that_is_over() -> None:
    made = machine(task("a", milestone="one"), task("b", milestone="two"), task("c", milestone="two"))
    while made.build.milestone == 0:
        assert made.step()
    with pytest.raises(IllegalMove, match="one is over"):
        ask(made, ChangeTasks(tasks=(task("d", milestone="one"),)))
    ask(made, ChangeTasks(tasks=(task("d", milestone="three"),)))
    assert made.build.task("d").phase is TaskPhase.WAITING


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), more=graphs(most=4), chosen=options(), data=st.data())
def test_any_change_at_any_moment_keeps_the_books(
    graph: Graph, more: Graph, chosen: Options, data: st.DataObject
) -> None:
    made = Machine(graph, chosen, lambda n: data.draw(st.integers(0, n - 1)))
    for _ in range(4):
        for _ in range(data.draw(st.integers(0, 12))):
            made.step()
        if made.build.is_terminal:
            break
        known = [one.id for one in made.build.plan.graph.tasks] if made.build.plan else []
        fresh = [one.model_copy(update={"id": f"N{one.id}", "depends_on": (), "milestone": "m2"}) for one in more.tasks]
        edited = [made.build.plan.task(one).model_copy(update={"goal": "x"}) for one in known]
        tasks = data.draw(st.lists(st.sampled_from([*fresh, *edited]), max_size=3, unique_by=lambda one: one.id))
        left = [one for one in known if one not in {chosen_task.id for chosen_task in tasks}]
        drop = data.draw(st.lists(st.sampled_from(left), max_size=2, unique=True)) if left else []
        before: Build = made.build
        try:
            ask(made, ChangeTasks(tuple(tasks), tuple(drop)))
        except (IllegalMove, BadGraph, Refused):
            assert made.build is before
        else:
            gone = {one: state for one, state in before.tasks.items() if state.phase is TaskPhase.DONE}
            assert all(made.build.task(one) == state for one, state in gone.items())
        if made.build.control is Control.PAUSED and not made.build.failed:
            made.take(e.BuildResumed())
    check(made.build)
    assert dump(fold(made.journal)) == dump(made.build)
