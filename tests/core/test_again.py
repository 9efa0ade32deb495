"""What landed is taken back, redone, or put on another base; what has ended goes on: the books stay right all the time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.core import event as e
from buildwright.core.action import Deliver
from buildwright.core.apply import fold
from buildwright.core.build import Build, Control, Stage, TaskPhase
from buildwright.core.decide import decide
from buildwright.core.event import Recorded, decode, encode
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.snapshot import dump, parse
from buildwright.engine.build_command import BuildCommand
from buildwright.engine.commands import SendMessage
from buildwright.engine.resume_command import Choice, ResumeBuild, ResumeOnBase
from buildwright.engine.task_commands import ChangeTasks, RedoTask, UndoTask
from buildwright.errors import BadGraph, IllegalMove, NotFound, Refused
from buildwright.ports import Target
from tests.core.machine import Machine, graphs, options, verdict
from tests.core.test_machine import check
from tests.core.test_replan import task


def machine(*needs: str, on_failure: str = "pause", gates: bool = True, lanes: bool = True) -> Machine:
    """A build of the tasks `a: b c` (that a needs b and c), whose every throw is lucky."""
    tasks = [task(name, *rest.split()) for name, _, rest in (one.partition(":") for one in needs)]
    limits = Limits(attempts=1, concurrency=1)
    chosen = Options(gates=gates, audit=False, lanes=lanes, on_failure=on_failure, limits=limits)
    return Machine(Graph(tasks=tuple(tasks)), chosen, lucky)


def lucky(n: int) -> int:
    return int(n == 8)


def ask(made: Machine, command: BuildCommand) -> None:
    before = made.build
    facts = command.facts(before, "id")
    for fact in facts:
        made.take(fact)
        check(made.build, redone=True)


def starts(made: Machine) -> list[str]:
    return [f"{r.event.task}{r.event.attempt}" for r in made.journal if isinstance(r.event, e.TaskStarted)]


def on_base(commit: str, choice: Choice = "go") -> ResumeOnBase:
    return ResumeOnBase(ResumeBuild(choice, rebase=True), "", Target(commit, f"tree-{commit}", "main"))


def test_a_landed_change_is_taken_back_and_the_task_given_up() -> None:
    made = machine("a", "b")
    made.run()
    assert made.build.outcome == "succeeded"
    commit, head = made.build.task("a").commit, made.build.head
    ask(made, UndoTask("a"))
    assert (made.build.control, made.build.stage, made.build.outcome) == (Control.RUNNING, Stage.WORKING, None)
    assert (made.build.task("a").phase, made.build.task("a").again) == (TaskPhase.MERGING, "undo")
    made.run()
    assert (made.build.outcome, made.build.done, made.build.skipped) == ("succeeded", 1, 1)
    assert (made.build.task("a").phase, made.build.task("a").commit) == (TaskPhase.SKIPPED, "")
    assert made.build.head.startswith(f"({head}-a")
    assert made.build.undone == (commit, made.build.head)
    assert made.build.delivered_commit == made.build.head
    assert starts(made) == ["a1", "b1"]


def test_a_task_that_is_redone_is_attempted_once_more_and_no_other_one() -> None:
    made = machine("a", "b", "c: b")
    made.run()
    ask(made, RedoTask("a", "another way"))
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 3)
    assert (made.build.task("a").attempt, made.build.task("a").guidance) == (2, ("another way",))
    assert starts(made) == ["b1", "a1", "c1", "a2"]


def test_what_rests_on_it_forbids_it_or_goes_too_the_newest_first() -> None:
    made = machine("a", "b: a", "c: b", "d")
    made.run()
    with pytest.raises(IllegalMove, match="tasks b, c need task a") as forbidden:
        ask(made, UndoTask("a"))
    assert "--with-dependents" in str(forbidden.value.fix)
    assert made.build.outcome == "succeeded"
    ask(made, RedoTask("a", with_dependents=True))
    assert [car.task for car in made.build.train] == ["c", "b", "a"]
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 4)
    assert starts(made)[-3:] == ["a2", "b2", "c2"]


def test_without_lanes_what_rests_on_it_goes_in_the_order_of_the_plan() -> None:
    made = machine("a", "b: a", "c: b", lanes=False)
    made.run()
    ask(made, RedoTask("a", with_dependents=True))
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 3)
    assert starts(made)[-3:] == ["a2", "b2", "c2"]


def test_a_task_that_was_given_up_is_done_after_all() -> None:
    made = machine("a", "b: a")
    made.run()
    ask(made, UndoTask("a", with_dependents=True))
    made.run()
    assert (made.build.outcome, made.build.skipped) == ("succeeded", 2)
    with pytest.raises(IllegalMove, match="has landed no change"):
        ask(made, UndoTask("b"))
    ask(made, RedoTask("b"))
    made.run()
    assert (made.build.outcome, made.build.task("b").phase, made.build.skipped) == ("succeeded", TaskPhase.DONE, 1)


def test_an_undo_that_is_refused_changes_nothing_and_is_said() -> None:
    made = machine("a", "b: a")
    made.run()
    head = made.build.head
    ask(made, UndoTask("a", with_dependents=True))
    while not made.build.train[0].commit:
        assert made.step()
    car = made.build.train[0]
    made.take(e.MergeJudged(task="b", attempt=1, verdict=verdict(car.tree, ok=False), round=made.build.judging_round))
    check(made.build, redone=True)
    assert (made.build.train, made.build.done, made.build.head) == ((), 2, head)
    made.run()
    assert made.build.pause is not None
    assert (made.build.pause.reason, made.build.pause.task) == ("undo", "b")
    assert "was not taken back" in made.build.pause.message
    ask(made, ResumeBuild())
    made.run()
    assert (made.build.outcome, made.build.head, made.build.done) == ("succeeded", head, 2)


def test_a_conflicting_undo_stays_landed() -> None:
    made = machine("a", "b", gates=False)
    made.run()
    ask(made, UndoTask("a"))
    made.take(e.MergeConflicted(task="a", attempt=1, onto=made.build.head, files=("f",), tree="t"))
    made.run()
    assert made.build.pause is not None
    assert "conflicts in f" in made.build.pause.message
    assert made.build.task("a").phase is TaskPhase.DONE


def test_what_had_landed_is_put_on_another_base_in_its_order() -> None:
    made = machine("a", "b: a", "c")
    made.run()
    order = sorted("abc", key=lambda one: made.build.task(one).landed)
    ask(made, on_base("new"))
    assert [car.task for car in made.build.train] == order
    assert (made.build.base, made.build.head, made.build.rebases) == ("new", "new", 1)
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 3)
    assert sorted("abc", key=lambda one: made.build.task(one).landed) == order
    assert made.build.head.startswith("(((new+")
    assert len(starts(made)) == 3
    judged = [r.event for r in made.journal if isinstance(r.event, e.BaseJudged)]
    assert [one.verdict.tree for one in judged] == ["tree-base", "tree-new"]


@pytest.mark.parametrize("choice", ["retry", "skip"])
def test_a_change_that_does_not_fit_on_the_new_base_is_asked_about(choice: str) -> None:
    made = machine("a", "b: a", "c")
    made.run()
    ask(made, on_base("new"))
    made.take(e.MergeConflicted(task="a", attempt=1, onto="new", files=("f",), tree="t"))
    check(made.build, redone=True)
    assert (made.build.failed, made.build.task("b").phase) == (("a",), TaskPhase.WAITING)
    made.run()
    assert made.build.pause is not None
    assert (made.build.pause.reason, made.build.pause.task) == ("failure", "a")
    assert "task a does not fit on the new base: it conflicts in f" in made.build.pause.message
    ask(made, ResumeBuild(choice))  # type: ignore[arg-type]
    made.run()
    assert made.build.outcome == "succeeded"
    assert starts(made)[3:] == (["a2"] if choice == "retry" else [])
    assert made.build.task("b").phase is TaskPhase.DONE


def test_no_task_begins_before_what_had_landed_is_there_again() -> None:
    made = machine("a", "b")
    while made.build.done == 0:
        assert made.step()
    made.take(e.BuildPaused(reason="user"))
    ask(made, on_base("new"))
    began = len(starts(made))
    while made.build.done == 0:
        assert made.step()
        assert len(starts(made)) == began
    made.run()
    assert made.build.outcome == "succeeded"


def test_the_base_that_it_stands_on_is_no_new_one() -> None:
    made = machine("a")
    made.run()
    with pytest.raises(IllegalMove, match="stands on base already"):
        ask(made, on_base("base"))
    with pytest.raises(Refused, match="not fetched"):
        ask(made, ResumeBuild(rebase=True))


def test_an_ended_build_goes_on_with_what_is_left() -> None:
    made = machine("a", "b: a", on_failure="fail")
    while not made.build.working:
        assert made.step()
    made.roll = lambda n: n - 1
    made.run()
    assert made.build.outcome == "failed"
    made.roll = lucky
    with pytest.raises(IllegalMove, match="task a has failed"):
        ask(made, ResumeBuild())
    ask(made, ResumeBuild("retry"))
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 2)
    with pytest.raises(IllegalMove, match="nothing of it is left"):
        ask(made, ResumeBuild())
    with pytest.raises(IllegalMove, match="has ended"):
        ask(made, ResumeBuild("abort"))
    ask(made, ChangeTasks(tasks=(task("c", "b"),)))
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 3)
    assert sum(isinstance(r.event, e.BuildDelivered) for r in made.journal) == 2


@pytest.mark.parametrize("late", [False, True], ids=["before-the-answer", "after-the-answer"])
def test_what_was_delivered_for_a_look_is_not_the_result_of_a_build_that_goes_on(late: bool) -> None:
    made = machine("a", "b: a", on_failure="fail", gates=False)
    while not (made.build.done and made.build.working):
        assert made.step()
    made.take(e.AgentBroke(task="b", attempt=1, kind="crashed", message="boom"))
    while decide(made.build).facts:
        assert made.step()
    [wanted] = decide(made.build).actions
    assert isinstance(wanted, Deliver)
    for_a_look = e.BuildDelivered(kind="branch", ref="refs/heads/x", commit=made.build.head, in_part=True)
    made.take(e.BuildPaused(reason="user"))
    for fact in [] if late else [for_a_look]:
        made.take(fact)
    ask(made, ResumeBuild("skip"))
    for fact in [for_a_look] if late else []:
        made.take(fact)
    made.run()
    assert (made.build.outcome, made.build.delivered_in_part) == ("succeeded", False)
    delivered = [r.event.in_part for r in made.journal if isinstance(r.event, e.BuildDelivered)]
    assert delivered == [True, False]


@pytest.mark.parametrize("tried_again", [False, True])
def test_a_task_that_waits_for_an_earlier_phase_again_lets_go_of_its_file(tried_again: bool) -> None:
    graph = Graph(
        tasks=(
            task("a").model_copy(update={"milestone": "one", "files_expected": ("f.py",)}),
            task("b").model_copy(update={"milestone": "two", "files_expected": ("f.py",)}),
        ),
        milestones=("one", "two"),
    )
    made = Machine(graph, Options(gates=False, audit=False, limits=Limits(attempts=2)), lucky)
    while made.build.task("b").phase is not TaskPhase.WORKING:
        assert made.step()
    made.take(e.AgentBroke(task="b", attempt=1, kind="crashed", message="boom"))
    if tried_again:
        made.take(e.TaskRetried(task="b"))
    ask(made, RedoTask("a"))
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 2)
    assert starts(made) == ["a1", "b1", "a2", "b2"]


@pytest.mark.parametrize("choice", ["go", "skip", "retry"])
def test_what_is_said_with_an_answer_reaches_the_agents_that_go_on(choice: Choice) -> None:
    made = machine("a", "b")
    while not made.build.working:
        assert made.step()
    [name] = made.build.active
    if choice == "go":
        made.take(e.BuildPaused(reason="user"))
    else:
        made.take(e.AgentBroke(task=name, attempt=1, kind="crashed", message="boom"))
        while made.build.pause is None:
            assert made.step()
    ask(made, ResumeBuild(choice, "use tabs"))
    told = [r.event.text for r in made.journal if isinstance(r.event, e.MessageSent)]
    assert (told, made.build.task(name).guidance) == (([], ("use tabs",)) if choice == "retry" else (["use tabs"], ()))


@pytest.mark.parametrize(
    ("resume", "why"),
    [(ResumeBuild(from_attempt=1), "made again"), (ResumeBuild(base="x", rebase=True), "one base only")],
)
def test_parts_of_an_answer_that_say_nothing_together_are_refused(resume: ResumeBuild, why: str) -> None:
    made = machine("a")
    made.take(e.BuildPaused(reason="user"))
    with pytest.raises(Refused, match=why):
        resume.facts_on(made.build, "id")


def test_a_build_that_its_base_has_ended_needs_another_base_or_that_this_one_is_accepted() -> None:
    made = machine("a", on_failure="fail")
    made.take(e.TargetPrepared(commit="base", tree="tree"))
    made.take(e.BaseJudged(verdict=verdict("x", ok=False)))
    made.run()
    assert (made.build.outcome, made.build.plan) == ("failed", None)
    with pytest.raises(IllegalMove, match="base does not pass") as refused:
        ask(made, ResumeBuild())
    assert "--rebase, or --accept-base" in (refused.value.fix or "")
    ask(made, on_base("mended"))
    made.run()
    assert (made.build.outcome, made.build.done) == ("succeeded", 1)


def test_a_stopped_build_goes_on_where_it_was() -> None:
    made = machine("a", "b")
    while not made.build.working:
        assert made.step()
    made.take(e.StopRequested())
    made.run()
    assert made.build.outcome == "stopped"
    ask(made, ResumeBuild(budget_usd=None))
    made.run()
    assert (made.build.outcome, starts(made)) == ("succeeded", ["a1", "b1"])


def test_what_is_not_for_ended_builds_stays_refused() -> None:
    made = machine("a")
    made.run()
    (say,) = SendMessage("hello").facts(made.build, "id")
    with pytest.raises(IllegalMove):
        made.take(say)
    assert not SendMessage.reopens


@settings(max_examples=80, deadline=None)
@given(graph=graphs(), chosen=options(), data=st.data())
def test_any_of_it_at_any_moment_keeps_the_books(graph: Graph, chosen: Options, data: st.DataObject) -> None:
    made = Machine(graph, chosen, lambda n: data.draw(st.integers(0, n - 1)))
    for round_ in range(6):
        for _ in range(data.draw(st.integers(0, 30))):
            if not made.step():
                break
            check(made.build, redone=True)
        before: Build = made.build
        name = data.draw(st.sampled_from([one.id for one in graph.tasks]))
        chosen_one: BuildCommand = data.draw(
            st.sampled_from(
                [
                    UndoTask(name),
                    UndoTask(name, with_dependents=True),
                    RedoTask(name),
                    RedoTask(name, "again", with_dependents=True),
                    on_base(f"base-{round_}", "retry"),
                    on_base(f"base-{round_}", "skip" if before.failed else "go"),
                    ResumeBuild("retry"),
                    ChangeTasks(tasks=(task(f"N{round_}"),)),
                ]
            )
        )
        if isinstance(chosen_one, ResumeOnBase) and not before.base:
            continue
        try:
            ask(made, chosen_one)
        except (IllegalMove, NotFound, BadGraph, Refused):
            made.build, made.journal = before, made.journal[: before.version]
        if made.build.control is Control.PAUSED and not made.build.failed and data.draw(st.booleans()):
            made.take(e.BuildResumed())
    made.roll = lucky
    for _ in range(8):
        made.run()
        check(made.build, redone=True)
        if made.build.is_terminal:
            break
        made.answer_pause()
    assert made.build.is_terminal
    assert made.build.outcome != "succeeded" or made.build.all_tasks_done
    stored = [Recorded(seq, at, decode(event.type, encode(event))) for seq, at, event in made.journal]
    cut = data.draw(st.integers(1, len(stored)))
    assert dump(fold(stored)) == dump(made.build)
    assert dump(fold(stored[cut:], parse(dump(fold(stored[:cut]))))) == dump(made.build)
