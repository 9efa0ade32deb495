"""What every command of a user to a build has. Must never do an effect.

A command is a record with the rule that makes its facts; all of them are listed in `engine.commands`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, ClassVar, get_type_hints

from pydantic import Field

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Options
from buildwright.core.task import Task

Words = Annotated[str, Field(max_length=20_000)]


@dataclass(frozen=True, slots=True)
class BuildCommand(ABC):
    """A command to a build. A record with these traits; the annotations of its fields are the bounds of a request."""

    name: ClassVar[str]
    """The last part of its path, and the verb of the command line."""
    receipt: ClassVar[str] = ""
    """Name of the facts' id in an answer; "" when the answer is the build's standing."""
    reopens: ClassVar[bool] = False
    """Whether it may be given to a build that has ended, which then goes on."""
    wakes: ClassVar[bool] = False
    """Whether the build then has something to do, so that a process or worker must carry it out."""

    @abstractmethod
    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:
        """Return the facts to append to the newest state. Raises IllegalMove, NotFound when that forbids it."""

    def asks_of_machine(self) -> tuple[Options, Sequence[Task]]:
        """Return options and tasks that name the commands which the user asks this machine to run: none, as a rule."""
        return Options(), ()

    def holds(self, build: Build) -> bool:  # noqa: ARG002
        """Return whether the build already is as this command would have it, so that a request changes nothing."""
        return False


def reopened(build: Build) -> tuple[AnyEvent, ...]:
    """Return the fact that opens a build again that has ended; none for any other."""
    return (e.BuildReopened(),) if build.is_terminal else ()


def fields_of(kind: type[BuildCommand]) -> dict[str, Any]:
    """Return each field of a command with its annotation and default (`...` where it must be given), for `create_model`."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        field.name: (hints[field.name], ... if field.default is MISSING else field.default) for field in fields(kind)
    }
