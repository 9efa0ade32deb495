"""How far a build is, in every vocabulary, as one table from the core's states. Pure; must never look at the journal.

The core has four words for it: `Outcome`, `Control`, `Stage` and, of each task, `TaskPhase`. All others are read from
`TABLE`: the first row that fits a build and has an entry in the column decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Literal, NamedTuple

from buildwright.core.build import Build, Control, Stage, TaskPhase, TaskState
from buildwright.core.event import Outcome


class BuildPhase(StrEnum):
    """The phase of a build in the build runtime; the column `phase` of the head row."""

    PLANNING = "planning"
    IMPLEMENTING = "implementing"
    VERIFYING = "verifying"
    REVIEWING = "reviewing"
    ITERATING = "iterating"
    READY = "ready"
    ABORTED = "aborted"
    ERROR = "error"


class TaskStatus(StrEnum):
    """The status of a task in the build runtime. `blocked` has failed for good; a task given up by the user is done."""

    TODO = "todo"
    DOING = "doing"
    DONE = "done"
    BLOCKED = "blocked"


class AgentStatus(StrEnum):
    """The state of the agent of one attempt (`instance_id`), by `agent_status`. One that is `completed`, `failed` or
    `stuck` has ended."""

    INITIALIZING = "initializing"
    """Its lane is opened and set up."""
    RUNNING = "running"
    IDLE = "idle"
    """Its change is judged or merged."""
    COMPLETED = "completed"
    FAILED = "failed"
    STUCK = "stuck"
    """It failed, as the last of several in a row."""


BuildStatusName = Literal["pending", "running", "paused", "completed", "failed", "cancelled"]
"""The status of a project's build. Aborted at a pause is a failure; stopped on request is not."""
ExecutionStatus = Literal["pending", "running", "paused", "stopping", "stopped", "completed", "failed"]
"""The status of an execution of the development team."""
StreamStatus = Literal["running", "paused", "stopping", "stopped", "succeeded", "failed"]
"""The status in an `execution-update`."""
TaskGroup = Literal["waiting", "running", "done", "failed", "skipped"]
"""The five counts of an execution's tasks."""
PhaseStatus = Literal["pending", "active", "paused", "completed", "failed"]
"""The status of a phase of the plan (a milestone), by `phase_status`."""
StageStatus = Literal["pending", "running", "done", "failed", "skipped"]
"""The status of a stage of a workflow (`automation`). `skipped`: not carried out, or not to its end."""
ReceivedStatus = Literal["received", "started", "done", "failed"]
"""The progress of an event from another system."""


class StatusRow(NamedTuple):
    """One row: the builds it fits (None: any), and the words for them (None: a later row decides)."""

    outcome: Outcome | None
    control: Control | None
    stage: Stage | None
    task: TaskPhase | None
    """Phase of the working task furthest behind. A task whose last attempt failed counts as rejected until its next
    change is judged."""
    runtime: BuildPhase | None
    project: BuildStatusName | None
    execution: ExecutionStatus | None
    stream: StreamStatus | None
    doing: str | None
    """What a running build does, in words for people."""
    task_status: TaskStatus | None = None
    """Status of a task in this phase."""
    group: TaskGroup | None = None
    """Group of a task in this phase."""
    is_new: bool | None = None
    """Whether the build has no event but its first."""


_: None = None
# fmt: off
TABLE = (
    #         outcome      control           stage  task  runtime             project      execution    stream       doing
    StatusRow("succeeded", Control.FINISHED, _,     _,    BuildPhase.READY,   "completed", "completed", "succeeded", _),
    StatusRow("failed",    Control.FINISHED, _,     _,    BuildPhase.ERROR,   "failed",    "failed",    "failed",    _),
    StatusRow("stopped",   Control.STOPPED,  _,     _,    BuildPhase.ABORTED, "cancelled", "stopped",   "stopped",   _),
    StatusRow("aborted",   Control.STOPPED,  _,     _,    BuildPhase.ABORTED, "failed",    "stopped",   "stopped",   _),
    StatusRow(_,           Control.PAUSED,   _,     _,    _,                  "paused",    "paused",    "paused",    _),
    StatusRow(_,           Control.STOPPING, _,     _,    _,                  "running",   "stopping",  "stopping",  _),
    StatusRow(_, _, _, _, _, "pending", _, _, _, is_new=True),
    StatusRow(_, _, Stage.CREATED,    _, BuildPhase.PLANNING,  _, _, _, "starting"),
    StatusRow(_, _, Stage.PLANNING,   _, BuildPhase.PLANNING,  _, _, _, "planning"),
    StatusRow(_, _, Stage.VERIFYING,  _, BuildPhase.VERIFYING, _, _, _, "verifying"),
    StatusRow(_, _, Stage.DELIVERING, _, BuildPhase.VERIFYING, _, _, _, "delivering"),
    # The phases of a task, those furthest behind first.
    StatusRow(_, _, _, TaskPhase.REJECTED, BuildPhase.ITERATING,    _, _, _, _, TaskStatus.DOING,   "waiting"),
    StatusRow(_, _, _, TaskPhase.WORKING,  BuildPhase.IMPLEMENTING, _, _, _, _, TaskStatus.DOING,   "running"),
    StatusRow(_, _, _, TaskPhase.JUDGING,  BuildPhase.VERIFYING,    _, _, _, _, TaskStatus.DOING,   "running"),
    StatusRow(_, _, _, TaskPhase.MERGING,  BuildPhase.REVIEWING,    _, _, _, _, TaskStatus.DOING,   "running"),
    StatusRow(_, _, _, TaskPhase.WAITING,  _,                       _, _, _, _, TaskStatus.TODO,    "waiting"),
    StatusRow(_, _, _, TaskPhase.READY,    _,                       _, _, _, _, TaskStatus.TODO,    "waiting"),
    StatusRow(_, _, _, TaskPhase.PARKED,   _,                       _, _, _, _, TaskStatus.TODO,    "waiting"),
    StatusRow(_, _, _, TaskPhase.DONE,     _,                       _, _, _, _, TaskStatus.DONE,    "done"),
    StatusRow(_, _, _, TaskPhase.SKIPPED,  _,                       _, _, _, _, TaskStatus.DONE,    "skipped"),
    StatusRow(_, _, _, TaskPhase.FAILED,   _,                       _, _, _, _, TaskStatus.BLOCKED, "failed"),
    # A build that goes on, and the stage in which its tasks are worked on.
    StatusRow(_, _, _, _, BuildPhase.IMPLEMENTING, "running", "running", "running", "building"),
)
# fmt: on

ENDS: Mapping[str, tuple[BuildPhase, Control]] = {
    row.outcome: (row.runtime, row.control)
    for row in TABLE
    if row.outcome is not None and row.runtime is not None and row.control is not None
}
"""The head row's values for an outcome of the build."""
TASKS: Mapping[TaskPhase, tuple[TaskStatus, TaskGroup]] = {
    row.task: (row.task_status, row.group)
    for row in TABLE
    if row.task is not None and row.task_status is not None and row.group is not None
}
BUSY = frozenset(phase for phase, (_status, group) in TASKS.items() if group == "running")
"""Phases of a task that an agent, a gate or the merge train works on."""
AGENTS: Mapping[TaskPhase, AgentStatus] = {
    TaskPhase.WORKING: AgentStatus.RUNNING,
    TaskPhase.JUDGING: AgentStatus.IDLE,
    TaskPhase.MERGING: AgentStatus.IDLE,
    TaskPhase.REJECTED: AgentStatus.FAILED,
    TaskPhase.DONE: AgentStatus.COMPLETED,
}
"""The state of the agent of a task's newest attempt, by the phase of the task. In other phases it has ended before."""
_ANSWERED = frozenset({TaskPhase.JUDGING, TaskPhase.MERGING, TaskPhase.DONE, TaskPhase.SKIPPED})
"""Phases of a task whose newest attempt has a change that was not refused."""
MET = frozenset({TaskPhase.DONE, TaskPhase.SKIPPED})
"""Phases of a task that free the tasks that depend on it."""
WITHOUT_BUILD: Mapping[str, ExecutionStatus] = {
    "received": "pending",
    "started": "failed",
    "done": "completed",
    "failed": "failed",
}
"""The status of an execution without a build (not yet or no more), by the `ReceivedStatus` of its event."""


class Position(NamedTuple):
    """The states of a build that the table is read by. `stage` and `task` may be None for columns without them."""

    outcome: str = ""
    control: str = Control.RUNNING
    stage: Stage | None = None
    task: TaskPhase | None = None
    is_new: bool = False


def phase_shown(build: Build, state: TaskState) -> TaskPhase:
    """Return the phase of a task: one that was worked on when its build ended waits, for nothing works on it now."""
    return TaskPhase.WAITING if build.is_terminal and state.phase in BUSY else state.phase


def position_of(build: Build) -> Position:
    """Return the states of a build, in O(active tasks)."""
    at_work = {_phase_at_work(build.task(task_id)) for task_id in build.active}
    if any(build.task(task_id).phase not in _ANSWERED for task_id in build.failures_in_row):
        at_work.add(TaskPhase.REJECTED)
    behind = next((phase for phase in TASKS if phase in at_work), None)
    return Position(build.outcome or "", build.control, build.stage, behind, build.version <= 1)


def _phase_at_work(state: TaskState) -> TaskPhase:
    again = state.phase is TaskPhase.WORKING and state.attempt > 1
    return TaskPhase.REJECTED if again else state.phase


def agent_status(state: TaskState, *, at_work: bool = True) -> AgentStatus | None:
    """Return the state of the agent of a task's newest attempt; None when it ended before. `at_work`: it has begun."""
    if state.phase is TaskPhase.WORKING and not at_work:
        return AgentStatus.INITIALIZING
    return AGENTS.get(state.phase) if state.attempt else None


class Words(NamedTuple):
    """The words of the table for a build in one position, by its columns."""

    runtime: BuildPhase
    project: BuildStatusName
    execution: ExecutionStatus
    stream: StreamStatus
    doing: str


@lru_cache(4096)
def words_of(position: Position) -> Words:
    """Return the words of the table for a build in this position."""
    rows = [
        row
        for row in TABLE
        if all(wanted in {None, there} for wanted, there in zip((*row[:4], row.is_new), position, strict=True))
    ]
    said = ([entry for row in rows if (entry := getattr(row, column)) is not None] for column in Words._fields)
    return Words._make(entries[0] for entries in said)


def runtime_phase(build: Build) -> BuildPhase:
    """Return the phase for the build runtime. The working task furthest behind decides."""
    return words_of(position_of(build)).runtime


def project_status(control: str, outcome: str, version: int) -> BuildStatusName:
    """Return the status of a project's build from its head row. A build that is about to end still runs."""
    return words_of(Position(outcome, control, is_new=version <= 1)).project


def execution_status(build: Build) -> ExecutionStatus:
    """Return the status of the execution that the build is."""
    return words_of(Position(build.outcome or "", build.control)).execution


def stream_status(build: Build) -> StreamStatus:
    """Return the status in the frames of the build."""
    return words_of(Position(build.outcome or "", build.control)).stream


def doing(build: Build) -> str:
    """Return what a running build does, by its stage alone."""
    return words_of(Position(stage=build.stage)).doing


def phase_status(*, tasks: int, over: int, failed: int, is_current: bool, paused: bool, ended: bool) -> PhaseStatus:
    """Return the status of a phase of the plan from its tasks (`over`: landed or given up) and from its build."""
    if over == tasks:
        return "completed"
    if is_current and paused:
        return "paused"
    if failed or (is_current and ended):
        return "failed"
    return "active" if is_current else "pending"


_REFUSAL = re.compile(r": refused(?:, \d+ findings)?$")


def is_refusal(kind: str, text: str) -> bool:
    """Return whether a line of the log, of this kind, says that a gate or the audit refused."""
    return kind == "gate" and _REFUSAL.search(text) is not None


_FAILED = {
    "ran": re.compile(r"^\$ .* \(exit code -?[1-9][0-9]*\)$", re.DOTALL),
    "command": re.compile(r" exited with code -?[1-9][0-9]*$"),
}


def is_failure(kind: str, text: str) -> bool:
    """Return whether a line of the log, of this kind, says that a command failed: of an agent, or one that judges."""
    found = _FAILED.get(kind)
    return found is not None and found.search(text) is not None
