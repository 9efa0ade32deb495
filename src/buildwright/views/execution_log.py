"""The log of a build's tasks, by the names of other systems: each event in words. Pure data; must never read a journal."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from buildwright.core.record import Record, UtcTime

TaskEventType = Literal[
    "task_started",
    "task_completed",
    "task_failed",
    "task_skipped",
    "checkpoint_created",
    "checkpoint_restored",
    "validation_run",
    "discovery_recorded",
    "info",
    "error",
]


class TaskLogEntry(Record):
    """An event of a build, as the view `task_execution_log` has it."""

    id: int
    """The number of the event."""
    execution_id: str = Field(description="The build.")
    loop_id: str = Field(description="The project.")
    task_id: str = Field(description='"" for what is of the whole build.')
    instance_id: str = Field(description='Task and attempt, such as `a#2`; "" for what is of no attempt.')
    event_type: TaskEventType
    message: str
    context: dict[str, Any] = Field(description="The fields of the event that are not their defaults.")
    timestamp: UtcTime
