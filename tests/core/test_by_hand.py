"""Builds that are driven by hand: one action a step, the same end as by itself, and nothing that nobody asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.core import action as a
from buildwright.core import event as e
from buildwright.core.apply import apply, fold
from buildwright.core.build import Build, Control, Stage, TaskPhase
from buildwright.core.decide import allowed_modes, decide
from buildwright.core.event import AnyEvent, Recorded, StepMode, decode, encode
from buildwright.core.graph import Graph
from buildwright.core.limits import Commits, Limits, Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.snapshot import dump, parse
from buildwright.core.task import Task
from buildwright.errors import IllegalMove
from buildwright.views.explain import why
from buildwright.views.overview import build_view, headline
from buildwright.views.statuses import BuildPhase, runtime_phase
from tests.core.machine import START, Machine, graphs, options, outcome, verdict
from tests.core.test_machine import check

World = Callable[[Build, a.Action], AnyEvent]
ACTIONS: dict[str, type[Any]] = {action.__name__: action for action in get_args(a.Action)}


def lucky(build: Build, action: a.Action) -> AnyEvent:
    (event,) = outcome(build, action, lambda n: 0 if n == 4 else min(1, n - 1))
    return event


class Hand:
    """Drives a build step by step. `done` has the actions, in order."""

    def __init__(self, graph: Graph, chosen: Options, world: World = lucky) -> None:
        self.machine = Machine(graph, chosen.model_copy(update={"by_hand": True}), lambda _: 0)
        self.world = world
        self.done: list[str] = []
        self.settle()

    @property
    def build(self) -> Build:
        build: Build = self.machine.build
        return build

    def settle(self) -> None:
        while facts := decide(self.build).facts:
            for fact in facts:
                self.machine.take(fact)

    def ask(self, mode: StepMode = "auto") -> None:
        self.machine.take(e.StepRequested(id=f"s{self.build.version}", mode=mode))
        self.settle()

    def end(self) -> None:
        """End the action that the step is, if it is one."""
        decision = decide(self.build)
        if self.build.step is None:
            return
        (action,) = decision.actions
        assert decision.start
        self.done.append(type(action).__name__)
        self.machine.take(self.world(self.build, action))
        self.settle()

    def step(self, mode: StepMode = "auto") -> None:
        self.ask(mode)
        self.end()
        assert self.build.step is None, "one action is one step"


def chain(*ids: str) -> Graph:
    return Graph(tasks=tuple(Task(id=name, title=name, depends_on=ids[:place][-1:]) for place, name in enumerate(ids)))


@pytest.mark.parametrize("kind", list(ACTIONS))
def test_every_action_has_a_mode(kind: str) -> None:
    fields: dict[str, Any] = {"task": "t", "attempt": 1, "tree": "t", "onto": "o", "commit": "c", "number": 1}
    fields |= {"phase": 0, "base": "b", "head": "h"}
    action = ACTIONS[kind]
    made = action(**{name: fields[name] for name in action.__annotations__})
    assert made.mode in {"plan_only", "implement_only", "verify_only"}


KEYS = {
    "PrepareTarget": "prepare-target",
    "MakePlan": "make-plan",
    "RevisePlan": "revise-plan/3",
    "JudgeBase": "judge-base/t",
    "SealTests": "seal-tests/a",
    "RunAgent": "run-agent/a/2",
    "JudgePatch": "judge-patch/a/2/t",
    "PrepareMerge": "prepare-merge/a/2/o",
    "JudgeMerge": "judge-merge/a/2/t",
    "LandChange": "land-change/a/2/c",
    "Diagnose": "diagnose/3",
    "VerifyBuild": "verify-build/t",
    "AuditPhase": "audit-phase/1/h",
    "MarkPhase": "mark-phase/1/c",
    "Deliver": "deliver/c/2",
}
"""As boards have them: none may ever change."""


def test_keys_of_actions_never_change() -> None:
    fields: dict[str, Any] = {"task": "a", "attempt": 2, "tree": "t", "onto": "o", "commit": "c", "number": 3}
    fields |= {"phase": 1, "base": "b", "head": "h"}
    made = {kind: action(**{name: fields[name] for name in action.__annotations__}) for kind, action in ACTIONS.items()}
    assert {kind: action.key for kind, action in made.items()} == KEYS
    assert len({*made.values()}) == len(KEYS), "actions of two kinds are never equal"


def test_one_task_takes_one_step_for_each_thing_that_is_done() -> None:
    hand = Hand(chain("a"), Options())
    seen: list[tuple[str, str, tuple[str, ...]]] = []
    while not hand.build.is_terminal:
        modes = tuple(sorted(allowed_modes(hand.build)))
        before = len(hand.done)
        hand.step()
        seen.append((hand.build.stage.value, " ".join(hand.done[before:]), modes))
    assert seen == [
        ("planning", "PrepareTarget", ("auto", "plan_only")),
        ("working", "", ("auto", "plan_only")),  # the plan is in the spec
        ("working", "JudgeBase", ("auto", "verify_only")),  # no agent before the base is judged
        ("working", "RunAgent", ("auto", "implement_only")),
        ("working", "JudgePatch", ("auto", "verify_only")),
        ("working", "PrepareMerge", ("auto", "verify_only")),
        ("delivering", "LandChange", ("auto", "verify_only")),
        ("finished", "Deliver", ("auto", "verify_only")),
    ]
    assert hand.build.outcome == "succeeded"


def test_without_lanes_each_fact_that_begins_something_is_a_step() -> None:
    hand = Hand(chain("a", "b"), Options(lanes=False, gates=False))
    steps = []
    while not hand.build.is_terminal:
        before = len(hand.machine.journal)
        hand.step()
        steps.append([r.event.type for r in hand.machine.journal[before + 1 :]])
    assert steps == [
        ["target.prepared"],
        ["plan.made"],
        ["task.started", "agent.finished"],
        ["task.started", "agent.finished"],
        ["build.delivered", "build.finished"],
    ]


def test_nothing_happens_without_a_step() -> None:
    hand = Hand(chain("a"), Options())
    while True:
        decision = decide(hand.build)
        if hand.build.is_terminal:
            break
        assert decision.facts == ()
        assert not decision.start
        hand.machine.take(e.MessageSent(id=f"m{hand.build.version}", text="hello"))
        assert decide(hand.build) == decision
        hand.step()


def test_what_is_in_flight_when_the_pause_comes_goes_on() -> None:
    hand = Hand(chain("a"), Options(gates=False))
    hand.step()
    hand.step()
    hand.ask()
    (action,) = decide(hand.build).actions
    hand.machine.take(e.BuildPaused(reason="user"))
    assert hand.build.step is None
    assert decide(hand.build).actions == (action,)
    hand.machine.take(e.BuildResumed())
    assert decide(hand.build).actions == (action,)
    assert not decide(hand.build).start
    hand.ask("implement_only")
    assert decide(hand.build).actions == (action,)
    assert decide(hand.build).start


def test_a_stop_ends_it_between_steps_and_in_one() -> None:
    for asked in (False, True):
        hand = Hand(chain("a"), Options())
        if asked:
            hand.ask()
        hand.machine.take(e.StopRequested())
        hand.settle()
        assert (hand.build.outcome, hand.build.step) == ("stopped", None)


def test_the_choice_stays_whatever_is_said_meanwhile() -> None:
    hand = Hand(chain("a", "b"), Options())
    for _ in range(2):
        hand.step()
    hand.ask()
    decision = decide(hand.build)
    assert [type(action) for action in decision.actions] == [a.JudgeBase]
    for event in (e.MessageSent(id="m", text="hello"), e.TokensUsed(model="m", input_tokens=1)):
        hand.machine.take(event)
        assert decide(hand.build) == decision


def test_what_is_refused_and_what_it_says() -> None:
    alone = Machine(chain("a"), Options(), lambda _: 0)
    with pytest.raises(IllegalMove, match="runs by itself") as caught:
        alone.take(e.StepRequested(id="s"))
    assert "--by-hand" in str(caught.value.fix)
    hand = Hand(chain("a"), Options())
    hand.ask()
    with pytest.raises(IllegalMove, match="has not made the step"):
        hand.ask()
    hand.machine.take(e.BuildPaused(reason="user"))
    with pytest.raises(IllegalMove, match="the build is paused"):
        hand.ask()
    assert allowed_modes(hand.build) == frozenset()


def test_what_follows_from_a_step_needs_no_other() -> None:
    """A refused change is retried or given up at once; only what begins waits."""
    refuse: World = lambda build, action: (  # noqa: E731
        e.PatchJudged(task=action.task, attempt=action.attempt, verdict=verdict(action.tree, ok=False))
        if isinstance(action, a.JudgePatch)
        else lucky(build, action)
    )
    hand = Hand(chain("a"), Options(limits=Limits(attempts=2)), refuse)
    for _ in range(5):
        hand.step()
    assert hand.build.task("a").phase is TaskPhase.READY
    assert runtime_phase(hand.build) is BuildPhase.ITERATING
    hand.step("implement_only")
    hand.step("verify_only")
    assert hand.build.pause is not None
    assert hand.build.pause.reason == "failure"
    hand.machine.take(e.TaskRetried(task="a", by="user", message="try harder"))
    hand.machine.take(e.BuildResumed())
    assert allowed_modes(hand.build) == {"auto", "implement_only"}


def test_failures_in_a_row_are_looked_into_by_a_step_that_verifies() -> None:
    broke: World = lambda build, action: (  # noqa: E731
        e.AgentBroke(task=action.task, attempt=action.attempt, kind="crashed", message="boom")
        if isinstance(action, a.RunAgent)
        else lucky(build, action)
    )
    hand = Hand(chain("a"), Options(limits=Limits(attempts=9, stuck_after=1)), broke)
    for _ in range(4):
        hand.step()
    assert allowed_modes(hand.build) == {"auto", "verify_only"}
    hand.step("verify_only")
    assert hand.done[-1] == "Diagnose"
    assert allowed_modes(hand.build) == {"auto", "implement_only"}


# --- Whole builds --------------------------------------------------------------------------------------------------


class Fated:
    """A world in which what comes of an attempt depends on nothing but the task and its number."""

    def __init__(self, fates: dict[str, list[str]]) -> None:
        self.fates = fates

    def __call__(self, build: Build, action: a.Action) -> AnyEvent:
        match action:
            case a.RunAgent(task, attempt):
                if self.fate(task, attempt) == "broke":
                    return e.AgentBroke(task=task, attempt=attempt, kind="crashed", message="boom")
                patch = Patch(
                    base_tree=build.head, tree=f"{task}-{attempt}", changes=(FileChange(path=task, kind="added"),)
                )
                return e.AgentFinished(task=task, attempt=attempt, patch=patch if build.options.lanes else None)
            case a.JudgePatch(task, attempt, tree):
                ok = self.fate(task, attempt) != "refused"
                return e.PatchJudged(task=task, attempt=attempt, verdict=verdict(tree, ok))
            case a.PrepareMerge(task, attempt, onto):
                landed = "+".join(sorted({*onto.split("+"), f"{task}-{attempt}"}))
                return e.MergePrepared(task=task, attempt=attempt, onto=onto, commit=landed, tree=f"tree {landed}")
            case _:
                return lucky(build, action)

    def fate(self, task: str, attempt: int) -> str:
        fates = self.fates[task]
        return fates[attempt - 1] if attempt <= len(fates) else "good"


def by_itself(graph: Graph, chosen: Options, world: World, roll: Callable[[int], int]) -> Build:
    machine = Machine(graph, chosen, roll)
    for _ in range(2_000):
        if machine.build.is_terminal:
            break
        decision = decide(machine.build)
        for fact in decision.facts or [world(machine.build, decision.actions[roll(len(decision.actions))])]:
            machine.take(fact)
    build: Build = machine.build
    return build


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), chosen=options(), data=st.data())
def test_a_build_by_hand_ends_as_one_that_goes_by_itself(graph: Graph, chosen: Options, data: st.DataObject) -> None:
    limits = chosen.limits.model_copy(update={"attempts": 3, "stuck_after": 1_000})
    chosen = chosen.model_copy(
        update={"limits": limits, "commits": Commits()}
    )  # by hand no phase is audited nor marked
    fates = st.lists(st.sampled_from(["broke", "refused"]), max_size=2)
    world = Fated({task.id: data.draw(fates) for task in graph.tasks})
    alone = by_itself(graph, chosen, world, lambda n: data.draw(st.integers(0, n - 1)))
    hand = Hand(graph, chosen, world)
    for _ in range(2_000):
        if hand.build.is_terminal:
            break
        hand.step(data.draw(st.sampled_from(sorted(allowed_modes(hand.build)))))
    assert hand.build.outcome == alone.outcome == "succeeded"
    for task in graph.tasks:
        mine, other = hand.build.task(task.id), alone.task(task.id)
        assert (mine.phase, mine.attempt) == (other.phase, other.attempt)
    assert (hand.build.head, hand.build.head_tree) == (alone.head, alone.head_tree)


@settings(max_examples=150, deadline=None)
@given(graph=graphs(most=5), chosen=options(), data=st.data())
def test_every_build_by_hand_rests_between_steps_and_replays(
    graph: Graph, chosen: Options, data: st.DataObject
) -> None:
    def roll(n: int) -> int:
        return data.draw(st.integers(0, n - 1))

    def world(build: Build, action: a.Action) -> AnyEvent:
        (event,) = outcome(build, action, roll)
        return event

    hand = Hand(graph, chosen, world)
    hand.machine.roll = roll
    for _ in range(400):
        if hand.build.is_terminal:
            break
        check(hand.build)
        assert len(hand.build.active) <= 1
        if hand.build.control is Control.PAUSED:
            hand.machine.answer_pause()
            hand.settle()
            continue
        modes = sorted(allowed_modes(hand.build))
        assert "auto" in modes
        before = len(hand.machine.journal)
        hand.step(data.draw(st.sampled_from(modes)))
        kinds = [type(r.event) for r in hand.machine.journal[before:]]
        ends = [kind for kind in kinds if kind.ends_step and kind not in {e.BuildPaused, e.BuildFinished}]
        assert len(ends) == 1, "a step is one action"
    else:
        hand.machine.take(e.StopRequested())
        hand.settle()
    stored = [(r.seq, r.at, r.event.type, encode(r.event)) for r in hand.machine.journal]
    restored = [Recorded(seq, at, decode(kind, text)) for seq, at, kind, text in stored]
    cut = data.draw(st.integers(1, len(restored)))
    state = fold(restored[:cut])
    assert dump(parse(dump(state))) == dump(state)
    assert dump(fold(restored[cut:], parse(dump(state)))) == dump(hand.build)


# --- What is older, and what is shown ------------------------------------------------------------------------------


def test_snapshots_and_journals_from_before_load() -> None:
    machine = Machine(chain("a"), Options(), lambda _: 0)
    machine.step()
    text: dict[str, Any] = json.loads(dump(machine.build))
    del text["step"], text["options"]["by_hand"]
    old = parse(json.dumps(text))
    assert (old, old.step, old.options.by_hand) == (machine.build, None, False)
    created = encode(machine.journal[0].event)
    assert "by_hand" not in created
    assert fold([Recorded(1, START, decode("build.created", created))]).options.by_hand is False
    with pytest.raises(KeyError):
        parse(json.dumps({name: value for name, value in text.items() if name != "id"}))


def test_it_is_shown_as_waiting() -> None:
    hand = Hand(chain("a", "b"), Options())
    view = build_view(hand.build, START)
    assert view.steps is not None
    assert (headline(hand.build), view.steps.asked, view.steps.allowed) == (
        "waits for a step",
        None,
        ("auto", "plan_only"),
    )
    hand.ask()
    view = build_view(hand.build, START)
    assert view.steps is not None
    assert (headline(hand.build), view.steps.asked, view.steps.allowed) == ("starting", "auto", ())
    hand.end()
    for _ in range(2):
        hand.step()

    def answer() -> str:
        return why(hand.build, "a", hand.machine.journal, START).answer

    assert answer() == "It is ready, and starts with a step when no other task is at work."
    hand.ask()
    assert answer() == "An agent works on attempt 1 of 3."
    hand.end()
    assert answer() == "Attempt 1 is made and waits for a step to be checked."
    hand.step()
    assert answer().endswith("It continues with the next step.")
    assert build_view(Machine(chain("a"), Options(), lambda _: 0).build, START).steps is None


def test_a_late_end_does_not_end_a_step_twice() -> None:
    hand = Hand(chain("a"), Options(gates=False))
    while hand.build.stage is not Stage.WORKING:
        hand.step()
    hand.step()
    late = hand.machine.journal[-1].event
    hand.ask()
    with pytest.raises(IllegalMove):
        apply(hand.build, Recorded(hand.build.version + 1, START, late))
