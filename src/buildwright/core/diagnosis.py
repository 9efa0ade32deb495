"""What an advisor says of a build that is stuck: the cause, and what to do about it. Pure data."""

from __future__ import annotations

from pydantic import Field

from buildwright.core.record import Record, TaskId


class TaskAdvice(Record):
    """What the next attempt at one task should do differently."""

    task: TaskId
    text: str = Field(min_length=1)


class Diagnosis(Record):
    """Why attempts fail one after the other."""

    cause: str = Field(min_length=1)
    advice: tuple[TaskAdvice, ...] = ()
    ask_person: bool = False
    """No attempt can mend it: somebody has to install, allow or decide something first."""
