"""What counts as going in circles and what does not, what counts as failures in a row, and that old journals still replay."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.action import Diagnose
from buildwright.core.apply import fold
from buildwright.core.build import Build, TaskPhase, TaskState
from buildwright.core.decide import decide
from buildwright.core.event import Recorded, decode, encode
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.repetition import (
    KEPT_FINDINGS,
    refused,
    rejections,
    same_change,
    same_findings,
    same_reasons,
)
from buildwright.core.snapshot import dump, parse
from buildwright.core.task import Task
from buildwright.errors import IllegalMove
from buildwright.views.explain import why
from buildwright.views.overview import build_view, headline
from tests.core.machine import Machine

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def finding(message: str, **more: Any) -> Finding:
    return Finding(code="test.failed", message=message, file="a.py", **more)


def patch(tree: str, base: str = "tree-base") -> Patch:
    return Patch(base_tree=base, tree=tree, changes=(FileChange(path="a.py", kind="modified"),))


def told(attempts: list[tuple[int, str, str]], current: int) -> TaskState:
    """A task whose attempts (number, tree, message) were refused, now at `current`."""
    state = TaskState(TaskPhase.REJECTED)
    for number, tree, message in attempts:
        state = state._replace(attempt=number)
        state = state._replace(refused=refused(state, patch(tree), [finding(message)] if message else []))
    return state._replace(attempt=current)


def test_findings_are_the_same_apart_from_numbers_order_and_warnings() -> None:
    one = [finding("took 12 ms at 0x7f3a, line 3"), finding("second")]
    two = [finding("second"), finding("took 9 ms at 0xBEEF, line 41"), finding("by the way", severity="warning")]
    assert same_reasons(one) == same_reasons(two)
    assert same_reasons(one) != same_reasons(one[:1])
    assert same_reasons([finding("x")]) != same_reasons([finding("x").model_copy(update={"file": "b.py"})])
    assert same_reasons([finding("only", severity="warning")]) != ""
    assert same_reasons([]) == ""


@pytest.mark.parametrize(
    ("attempts", "current", "row"),
    [
        ([], 1, 0),
        ([(1, "t1", "x")], 1, 1),
        ([(1, "t1", "x 1"), (2, "t2", "x 2"), (3, "t3", "x 3")], 3, 3),
        ([(1, "t1", "y"), (2, "t2", "x"), (3, "t3", "x")], 3, 2),
        ([(1, "t1", "x"), (3, "t3", "x")], 3, 1),  # attempt 2 broke or conflicted
        ([(1, "t1", "x"), (2, "t2", "x")], 3, 0),  # the current attempt was refused by a conflict
        ([(1, "t1", ""), (2, "t2", "")], 2, 0),  # nothing was said, so nothing was said again
    ],
)
def test_only_attempts_in_a_row_count(attempts: list[tuple[int, str, str]], current: int, row: int) -> None:
    assert same_findings(told(attempts, current)) == row


def test_a_change_comes_back_only_on_the_same_base() -> None:
    state = told([(1, "t1", "x"), (2, "t2", "y")], 3)
    assert same_change(state) is None
    back = same_change(state._replace(patch=patch("t1")))
    assert back is not None
    assert (back.attempt, back.findings[0].message) == (1, "x")
    assert same_change(state._replace(patch=patch("t1", base="moved"))) is None


def test_few_findings_are_kept() -> None:
    state = TaskState(TaskPhase.REJECTED, attempt=1)
    (kept,) = refused(state, patch("t"), [finding(str(n)) for n in range(40)])
    assert len(kept.findings) == KEPT_FINDINGS


class Scene(Machine):
    """One or more tasks whose attempts end as the test says."""

    def __init__(self, *names: str, **limits: Any) -> None:
        graph = Graph(tasks=tuple(Task(id=name, title=name) for name in names))
        options = Options(on_failure=limits.pop("on_failure", "pause"), limits=Limits(**limits))
        super().__init__(graph, options, lambda _: 0)
        self.take(e.TargetPrepared(commit="base", tree="tree-base"))
        self.settle()
        self.take(e.BaseJudged(verdict=Verdict(tree="tree-base")))
        self.settle()

    def settle(self) -> None:
        while facts := decide(self.build).facts:
            for fact in facts:
                self.take(fact)

    def hand_in(self, task: str, tree: str, base: str = "tree-base") -> None:
        self.take(e.AgentFinished(task=task, attempt=self.build.task(task).attempt, patch=patch(tree, base)))
        self.settle()

    def refuse(self, task: str, tree: str, message: str, base: str = "tree-base") -> None:
        self.hand_in(task, tree, base)
        said = (Report(gate="checks", kind="test", ok=False, findings=(finding(message),)),)
        judged = e.PatchJudged(
            task=task, attempt=self.build.task(task).attempt, verdict=Verdict(tree=tree, reports=said)
        )
        self.take(judged)
        self.settle()

    def conflict(self, task: str, tree: str) -> None:
        self.hand_in(task, tree)
        attempt = self.build.task(task).attempt
        self.take(e.PatchJudged(task=task, attempt=attempt, verdict=Verdict(tree=tree)))
        self.take(e.MergeConflicted(task=task, attempt=attempt, onto=self.build.head, files=("a.py",), tree="marked"))
        self.settle()

    def crash(self, task: str) -> None:
        attempt = self.build.task(task).attempt
        self.take(e.AgentBroke(task=task, attempt=attempt, kind="crashed", message="boom"))
        self.settle()

    def diagnose(self, **fields: Any) -> None:
        build: Build = self.build
        row = build.failures_in_row
        number = fields.pop("number", build.diagnoses + 1)
        self.take(e.BuildStuck(failures=len(row), tasks=tuple(dict.fromkeys(row)), number=number, **fields))
        self.settle()

    def of(self, kind: str) -> list[Any]:
        return [recorded.event for recorded in self.journal if recorded.event.type == kind]


def test_the_same_change_fails_the_task_with_the_old_findings_and_without_the_gates() -> None:
    scene = Scene("a", attempts=9, stuck_after=9)
    scene.refuse("a", "t1", "one")
    scene.refuse("a", "t2", "two")
    scene.hand_in("a", "t1")
    assert [loop.kind for loop in scene.of("loop.detected")] == ["patch"]
    state = scene.build.task("a")
    assert (state.phase, state.attempt) == (TaskPhase.FAILED, 3)
    assert [each.message for each in state.findings] == ["one"]
    assert "attempt 3 made exactly the change that was refused in attempt 1" in scene.build.pause.message
    assert not [action for action in decide(scene.build).actions if action.key.startswith("judge-patch")]
    attempts = why(scene.build, "a", scene.journal, NOW).attempts
    assert [attempt.outcome for attempt in attempts] == ["refused"] * 3
    scene.take(e.TaskRetried(task="a", by="user", message="differently"))
    scene.take(e.BuildResumed())
    scene.settle()
    scene.hand_in("a", "t1")
    assert scene.build.task("a").phase is TaskPhase.JUDGING, "after the user's word it is judged again"
    assert dump(parse(dump(scene.build))) == dump(scene.build)


def test_a_snapshot_has_the_fields_of_a_task_by_their_names_so_that_their_order_is_free() -> None:
    scene = Scene("a", attempts=3)
    scene.refuse("a", "t1", "one")
    kept = json.loads(dump(scene.build))
    turned = {task: dict(reversed(state.items())) for task, state in kept["tasks"].items()}
    assert turned["a"].pop("later_diagnosis") == "", "as a snapshot from before this field"
    read = parse(json.dumps({**kept, "tasks": turned}))
    assert read.task("a") == scene.build.task("a")
    assert read.task("a").refused[0].tree == "t1"


def test_a_moved_base_a_conflict_and_a_crash_are_no_loop() -> None:
    scene = Scene("a", attempts=9, stuck_after=9, loop_after=2)
    scene.refuse("a", "t1", "one")
    scene.refuse("a", "t1", "other", base="moved")
    scene.conflict("a", "t3")
    scene.refuse("a", "t4", "other")
    scene.crash("a")
    scene.refuse("a", "t5", "other")
    assert not scene.of("loop.detected")
    scene.refuse("a", "t6", "other")
    assert [loop.kind for loop in scene.of("loop.detected")] == ["finding"]


def test_what_a_task_remembers_is_gone_once_it_is_done() -> None:
    scene = Scene("a", "b", attempts=3)
    scene.refuse("a", "t1", "one")
    assert len(scene.build.task("a").refused) == 1
    scene.hand_in("a", "t2")
    scene.take(e.PatchJudged(task="a", attempt=2, verdict=Verdict(tree="t2")))
    scene.take(e.MergePrepared(task="a", attempt=2, onto="base", commit="c", tree="t2"))
    scene.take(e.ChangeLanded(task="a", attempt=2, commit="c", tree="t2"))
    state = scene.build.task("a")
    assert (state.phase, state.refused, state.loop) == (TaskPhase.DONE, (), "")


def test_failures_of_all_tasks_are_in_one_row_and_conflicts_are_not_in_it() -> None:
    scene = Scene("a", "b", attempts=9, concurrency=2)
    scene.crash("a")
    scene.conflict("b", "t1")
    scene.crash("b")
    assert scene.build.failures_in_row == ("a", "b")
    assert not scene.build.needs_diagnosis
    scene.refuse("a", "t2", "x")
    assert scene.build.needs_diagnosis
    assert headline(scene.build) == "looking for the cause of the failures"
    decision = decide(scene.build)
    assert not decision.facts, "nothing is retried or started before the diagnosis"
    assert Diagnose(1) in decision.actions
    assert [action.key for action in decision.actions if action.key.startswith("run-agent")] == ["run-agent/b/3"]
    scene.diagnose(advice="it is the clock")
    assert scene.build.task("a").phase is TaskPhase.WORKING
    assert build_view(scene.build, NOW).diagnosis == "it is the clock"
    assert why(scene.build, "b", scene.journal, NOW).diagnosis == "it is the clock"
    assert scene.build.task("b").diagnosis == "", "an attempt that runs is told nothing new"
    scene.crash("a")
    scene.crash("b")
    assert scene.build.task("b").diagnosis == "it is the clock", "the next one is"
    assert not scene.build.needs_diagnosis, "one diagnosis for a row"


def test_a_diagnosis_that_comes_late_or_twice_is_refused() -> None:
    scene = Scene("a", attempts=9, stuck_after=1)
    with pytest.raises(IllegalMove, match="not stuck any more"):
        scene.diagnose()
    scene.crash("a")
    scene.diagnose()
    with pytest.raises(IllegalMove, match="comes too late"):
        scene.diagnose(number=1)
    scene.take(e.BuildPaused(reason="user"))
    scene.take(e.BuildResumed())
    scene.settle()
    scene.crash("a")
    assert Diagnose(2) in decide(scene.build).actions


def test_a_person_is_asked_once_and_with_the_diagnosis() -> None:
    scene = Scene("a", attempts=3, stuck_after=3)
    for _ in range(3):
        scene.crash("a")
    scene.diagnose(advice="install libfoo", ask_person=True)
    assert scene.build.pause.reason == "failure", "its attempts are used up, and that is asked about"
    assert build_view(scene.build, NOW).diagnosis == "install libfoo"
    scene.take(e.TaskRetried(task="a", by="user"))
    scene.take(e.BuildResumed())
    scene.settle()
    assert scene.build.task("a").phase is TaskPhase.WORKING


def test_the_history_has_what_counted_against_a_task() -> None:
    scene = Scene("a", "b", attempts=9, stuck_after=9)
    scene.crash("a")
    scene.conflict("a", "t1")
    scene.refuse("a", "t2", "no good")
    scene.hand_in("a", "t2")
    scene.crash("b")
    history = rejections(scene.journal, {"a"})
    assert [(each.kind, each.attempt) for each in history] == [("agent", 1), ("conflict", 2), ("gate", 3), ("gate", 4)]
    assert "no good" in history[2].findings[0]
    assert "exactly the change" in history[3].reason


def test_a_journal_from_before_still_replays() -> None:
    scene = Scene("a", attempts=9, stuck_after=2)
    scene.crash("a")
    scene.crash("a")
    old = decode("build.stuck", '{"failures": 2, "tasks": ["a"], "errors": ["agent: boom"]}')
    stored = [(r.seq, r.at, r.event.type, encode(r.event)) for r in scene.journal]
    again = [Recorded(seq, at, decode(kind, text)) for seq, at, kind, text in stored]
    build = fold([*again, Recorded(len(again) + 1, NOW, old)])
    assert (build.stuck, build.diagnosis, build.diagnoses) == (True, "", 1)
    # One that counted conflicts too was stuck earlier than this version would say.
    early = Scene("a", attempts=9)
    early.take(old)
    assert early.build.stuck
