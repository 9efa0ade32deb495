"""The table of statuses: what it says of every state that a build can be in, against what was recorded before there was one.

`data/statuses.csv` was written by the ten separate pieces of code that the table replaced.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import get_args

import pytest
from immutables import Map

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build, Control, Stage, TaskPhase, TaskState
from buildwright.core.event import AnyEvent, Outcome, Recorded
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.views.overview import headline, state_word
from buildwright.views.runtime import head_change
from buildwright.views.statuses import (
    BUSY,
    ENDS,
    MET,
    TABLE,
    TASKS,
    WITHOUT_BUILD,
    ReceivedStatus,
    StatusRow,
    TaskStatus,
    execution_status,
    phase_status,
    position_of,
    project_status,
    runtime_phase,
    stream_status,
)
from tests.core.machine import START

RECORDED = list(
    csv.DictReader((Path(__file__).parent / "data" / "statuses.csv").read_text(encoding="utf-8").splitlines())
)
GRAPH = Graph(tasks=tuple(Task(id=phase.value, title=phase.value) for phase in TaskPhase))
BEGUN: tuple[AnyEvent, ...] = (
    e.BuildCreated(build_id="b", project_id="p", user_id="u", repository="/r", spec=Spec(title="t"), options=Options()),
    e.TargetPrepared(commit="c", tree="t"),
    e.PlanMade(graph=GRAPH),
)
PLANNED = fold([Recorded(seq, START, event) for seq, event in enumerate(BEGUN, 1)])


def build_of(recorded: dict[str, str]) -> Build:
    """A build in the state of a line of the recording: its tasks have their phases as names."""
    phases = [TaskPhase(name) for name in recorded["tasks"].split("+") if name]
    stage = Stage(recorded["stage"])
    return PLANNED.evolve(
        {
            "version": int(recorded["version"]),
            "stage": stage,
            "plan": None if stage in {Stage.CREATED, Stage.PLANNING} else PLANNED.plan,
            "control": Control(recorded["control"]),
            "outcome": recorded["outcome"] or None,
            "active": Map({phase.value: None for phase in phases}),
            "tasks": Map({phase.value: TaskState(phase) for phase in phases}),
            "failures_in_row": ("x",) * int(recorded["failures"]),
        }
    )


def said(build: Build) -> dict[str, str]:
    """All that the table says of a build, by the names of the recording."""
    return {
        "runtime": runtime_phase(build),
        "project": project_status(build.control, build.outcome or "", build.version),
        "execution": execution_status(build),
        "stream": stream_status(build),
        "words": state_word(build),
        "headline": headline(build),
    }


def test_every_state_is_called_what_it_was_called() -> None:
    assert len(RECORDED) == 311
    for recorded in RECORDED:
        words = said(build_of(recorded))
        assert words == {name: recorded[name] for name in words}, recorded


def test_the_recording_has_every_combination() -> None:
    live = {(line["stage"], line["control"]) for line in RECORDED if not line["outcome"]}
    controls = {Control.RUNNING, Control.PAUSED, Control.STOPPING}
    assert live == {(stage, control) for stage in Stage if stage is not Stage.FINISHED for control in controls}
    assert {(line["outcome"], line["control"]) for line in RECORDED if line["outcome"]} == {
        (outcome, ENDS[outcome][1]) for outcome in get_args(Outcome)
    }
    assert len({line["tasks"] for line in RECORDED}) == 2**4


@pytest.mark.parametrize("row", TABLE)
def test_every_row_decides_for_some_build_or_task(row: StatusRow) -> None:
    if row.task_status is not None:
        assert row.task is not None
        assert TASKS[row.task] == (row.task_status, row.group)
    for column in ("runtime", "project", "execution", "stream", "doing"):
        if getattr(row, column) is not None:
            assert any(_first(column, build_of(line)) is row for line in RECORDED), column


def _first(column: str, build: Build) -> StatusRow:
    outcome, control, stage, task, is_new = position_of(build)
    return next(
        row
        for row in TABLE
        if getattr(row, column) is not None
        and row.outcome in {None, outcome}
        and row.control in {None, control}
        and row.stage in {None, stage}
        and row.task in {None, task}
        and row.is_new in {None, is_new}
    )


def test_every_phase_of_a_task_has_a_status_and_a_group() -> None:
    assert set(TASKS) == set(TaskPhase)
    assert {phase: status.value for phase, (status, _) in TASKS.items()} == {
        TaskPhase.WAITING: "todo",
        TaskPhase.READY: "todo",
        TaskPhase.PARKED: "todo",
        TaskPhase.WORKING: "doing",
        TaskPhase.JUDGING: "doing",
        TaskPhase.MERGING: "doing",
        TaskPhase.REJECTED: "doing",
        TaskPhase.DONE: "done",
        TaskPhase.SKIPPED: "done",
        TaskPhase.FAILED: "blocked",
    }
    assert {TaskPhase.WORKING, TaskPhase.JUDGING, TaskPhase.MERGING} == BUSY
    assert {phase for phase, (status, _) in TASKS.items() if status is TaskStatus.DONE} == MET


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_the_head_row_and_the_machine_agree_about_an_end(outcome: Outcome) -> None:
    finished = e.BuildFinished(outcome=outcome)
    asked: tuple[AnyEvent, ...] = () if outcome in {"succeeded", "failed"} else (e.StopRequested(),)
    build = fold([Recorded(seq, START, event) for seq, event in enumerate((*BEGUN, *asked, finished), 1)])
    head = head_change([finished])
    assert (head["phase"], head["control"]) == (runtime_phase(build), build.control) == ENDS[outcome]


def test_an_execution_without_a_build_has_the_status_of_its_event() -> None:
    assert set(WITHOUT_BUILD) == set(get_args(ReceivedStatus))


@pytest.mark.parametrize(
    ("over", "failed", "is_current", "paused", "ended", "status"),
    [
        (2, 0, True, True, True, "completed"),
        (2, 0, False, False, False, "completed"),
        (1, 1, True, True, False, "paused"),
        (1, 0, True, True, False, "paused"),
        (1, 0, False, True, False, "pending"),
        (1, 1, False, True, False, "failed"),
        (1, 1, True, False, False, "failed"),
        (1, 0, True, False, True, "failed"),
        (0, 0, False, False, True, "pending"),
        (0, 0, True, False, False, "active"),
    ],
)
def test_a_phase_of_the_plan(over: int, failed: int, is_current: bool, paused: bool, ended: bool, status: str) -> None:
    found = phase_status(tasks=2, over=over, failed=failed, is_current=is_current, paused=paused, ended=ended)
    assert found == status
