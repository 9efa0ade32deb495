"""Properties of the whole machine: it replays, it rests, it ends for good, and its bookkeeping agrees with the naive count."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.core import event as e
from buildwright.core.apply import apply, fold
from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.event import EVENT_TYPES, Recorded, decode, encode
from buildwright.core.graph import Graph
from buildwright.core.heap import keys_of
from buildwright.core.limits import Options
from buildwright.core.paths import overlapping
from buildwright.core.snapshot import dump, parse
from buildwright.errors import IllegalMove
from tests.core.machine import Machine, graphs, options

HOLDING = {TaskPhase.WORKING, TaskPhase.JUDGING, TaskPhase.MERGING, TaskPhase.REJECTED}


def check(build: Build, *, redone: bool = False) -> None:
    """What must hold after every event. When tasks are `redone`, others may be on their way before what they need."""
    if build.plan is None:
        return
    phases = {task.id: build.task(task.id).phase for task in build.plan.graph.tasks}
    working = [task for task, phase in phases.items() if phase is TaskPhase.WORKING]
    assert build.working == len(working) <= build.options.limits.concurrency
    assert set(build.active) == {task for task, phase in phases.items() if phase in HOLDING}
    assert build.done == sum(phase is TaskPhase.DONE for phase in phases.values())
    assert build.skipped == sum(phase is TaskPhase.SKIPPED for phase in phases.values())
    assert set(build.failed) == {task for task, phase in phases.items() if phase is TaskPhase.FAILED}
    over = {TaskPhase.DONE, TaskPhase.SKIPPED}
    held: dict[str, str] = {}
    for task in build.plan.graph.tasks:
        needs_met = all(phases[need] in over for need in task.depends_on)
        earlier = [
            t
            for t in build.plan.graph.tasks
            if build.plan.milestones.index(t.milestone) < build.plan.milestones.index(task.milestone)
        ]
        milestone_open = all(phases[t.id] in over for t in earlier)
        if phases[task.id] is TaskPhase.WAITING:
            assert not (needs_met and milestone_open), f"{task.id} could start and is not ready"
        elif not redone or phases[task.id] in {TaskPhase.READY, TaskPhase.PARKED}:
            assert needs_met
            assert milestone_open
        if phases[task.id] in HOLDING and not build.task(task.id).again:
            assert overlapping(task.files_expected, held, task.id) is None, f"a file of {task.id} is held twice"
            held.update(dict.fromkeys(task.files_expected, task.id))
    ready = {build.plan.id_at(rank) for rank in keys_of(build.ready)}
    assert {task for task, phase in phases.items() if phase is TaskPhase.READY} <= ready
    places = [build.plan.milestones.index(t.milestone) for t in build.plan.graph.tasks if phases[t.id] not in over]
    if places:
        assert build.milestone == min(places), "another milestone is open than the first that is not over"
        assert build.open_in_milestone == places.count(build.milestone)
    assert {car.task for car in build.train} == {task for task, phase in phases.items() if phase is TaskPhase.MERGING}


@settings(max_examples=300, deadline=None)
@given(graph=graphs(), chosen=options(), data=st.data())
def test_every_run_rests_and_replays(graph: Graph, chosen: Options, data: st.DataObject) -> None:
    machine = Machine(graph, chosen, lambda n: data.draw(st.integers(0, n - 1)))
    for _ in range(6):
        machine.run()
        if machine.build.is_terminal:
            break
        machine.answer_pause()
    else:
        machine.take(e.StopRequested()) if machine.build.control in {Control.RUNNING, Control.PAUSED} else None
        machine.run()
    build: Build = machine.build
    assert build.is_terminal

    stored = [(r.seq, r.at, r.event.type, encode(r.event)) for r in machine.journal]
    restored = [Recorded(seq, at, decode(kind, text)) for seq, at, kind, text in stored]
    state: Build | None = None
    cut = data.draw(st.integers(0, len(restored) - 1))
    for place, recorded in enumerate(restored):
        state = apply(state, recorded)
        check(state)
        if place == cut:
            assert dump(parse(dump(state))) == dump(state)
            state = parse(dump(state))
    assert state is not None
    assert dump(state) == dump(build)
    assert dump(fold(restored)) == dump(build)

    if build.outcome == "succeeded":
        assert build.all_tasks_done
    for kind in EVENT_TYPES:
        event = next((r.event for r in machine.journal if r.event.type == kind), None)
        if event is not None and not isinstance(event, e.BuildCreated):
            with pytest.raises(IllegalMove):
                apply(build, Recorded(build.version + 1, build.updated_at, event))


@settings(max_examples=100, deadline=None)
@given(graph=graphs(), chosen=options(), data=st.data())
def test_lucky_builds_succeed_and_start_in_dependency_order(graph: Graph, chosen: Options, data: st.DataObject) -> None:
    lucky = iter(lambda: 1, 0)
    machine = Machine(graph, chosen, lambda n: 0 if n == 4 else min(next(lucky), n - 1))
    machine.run()
    assert machine.build.outcome == "succeeded"
    finished = [
        r.event.task
        for r in machine.journal
        if r.event.type in {"change.landed", "agent.finished"} and (r.event.type == "change.landed") == chosen.lanes
    ]
    place = {task: index for index, task in enumerate(finished)}
    assert set(place) == {task.id for task in graph.tasks}
    for task in graph.tasks:
        for need in task.depends_on:
            assert place[need] < place[task.id]


def test_a_journal_starts_with_its_creation() -> None:
    with pytest.raises(IllegalMove, match=r"build\.created"):
        fold([Recorded(1, Machine(*_tiny()).build.created_at, e.BuildPaused(reason="user"))])
    with pytest.raises(ValueError, match="empty journal"):
        fold([])


def test_events_come_in_order() -> None:
    machine = Machine(*_tiny())
    with pytest.raises(IllegalMove, match="does not follow"):
        apply(machine.build, Recorded(5, machine.build.created_at, e.BuildPaused(reason="user")))


def test_a_late_result_of_an_earlier_attempt_is_refused() -> None:
    machine = Machine(*_tiny())
    while not any(r.event.type == "task.started" for r in machine.journal):
        machine.step()
    with pytest.raises(IllegalMove, match="attempt 2"):
        machine.take(e.AgentFinished(task="T0", attempt=2))
    with pytest.raises(IllegalMove, match="no task nope"):
        machine.take(e.AgentFinished(task="nope", attempt=1))


def _tiny() -> tuple[Graph, Options, Callable[[int], int]]:
    from buildwright.core.task import Task

    graph = Graph(tasks=(Task(id="T0", title="one"),))
    return graph, Options(lanes=False, gates=False), lambda _: 0
