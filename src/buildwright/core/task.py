"""A planned unit of work. Pure data; must never know how far a task has come (that is `build.TaskState`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from buildwright.core.paths import normal_path
from buildwright.core.record import Record, TaskId
from buildwright.core.sanitize import ForeignText, Identifier

TaskAction = Literal["create", "modify", "delete", "change"]


class Validation(Record):
    """A command of the task's own that must succeed on the patched tree, beside the project's checks."""

    command: ForeignText = Field(min_length=1)
    expected: ForeignText = "exit code 0"


class Task(Record):
    """One planned unit of work: small enough for one agent in one lane."""

    id: TaskId
    title: ForeignText = Field(min_length=1, max_length=200)
    goal: ForeignText = ""
    action: TaskAction = "change"
    requirements: tuple[ForeignText, ...] = ()
    acceptance: tuple[ForeignText, ...] = ()
    depends_on: tuple[TaskId, ...] = ()
    files_expected: tuple[Identifier, ...] = ()
    """Paths relative to the repository root that the task means to touch, in their normal form; a folder ends in "/".

    Two running tasks never share one, nor a file in a folder of the other.
    """
    milestone: ForeignText = ""
    priority: int = 0
    """Higher runs earlier among tasks with the same remaining path."""
    critical: bool = False
    """A critical task that fails stops the whole build."""
    code_template: ForeignText = ""
    validation: Validation | None = None
    tests_first: tuple[TaskId, ...] = ()
    """Later tasks with the code that this one's tests test: until all of them are there, these tests must fail."""
    agent: Annotated[Identifier, Field(max_length=2_000)] = ""
    """The agent that makes it; "" for the one that a rule of the user, or the build, names."""
    minutes: float = Field(default=1.0, gt=0)
    """Expected effort in minutes; the weight of the critical path."""

    @field_validator("files_expected")
    @classmethod
    def _one_spelling(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(normal_path, paths)))
