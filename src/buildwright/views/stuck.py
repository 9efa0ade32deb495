"""How a build was stuck: the failures, the diagnosis, and the context that it was made from. Pure; must never decide."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from buildwright.core.event import BuildStuck, Recorded
from buildwright.core.finding import TaskAdvice
from buildwright.core.record import Record
from buildwright.errors import NotFound


class StuckContext(Record):
    """What was known when the build was stuck: the same JSON that the diagnosing advisor reads."""

    build: dict[str, Any]
    """Title, agent, checks and the failures in a row."""
    tasks: tuple[dict[str, Any], ...]
    """Id, title and goal of each task that failed."""
    history: tuple[dict[str, Any], ...]
    """Each refused or broken attempt at them, oldest first."""
    log: tuple[dict[str, Any], ...]
    """The newest lines of the build's log."""
    tail: tuple[str, ...]
    """The last of these lines as text."""


class StuckView(Record):
    """One time that a build was stuck."""

    build: str
    number: int
    """Counts the times from 1."""
    times: int
    """How often the build has been stuck."""
    at: datetime
    failures: int
    tasks: tuple[str, ...]
    errors: tuple[str, ...] = ()
    """The reason of each of these tasks."""
    cause: str = ""
    """The cause of the failures, if a diagnosis found one."""
    advice: tuple[TaskAdvice, ...] = ()
    ask_person: bool = False
    no_advice: str = ""
    """Why there is no diagnosis."""
    context: StuckContext | None = None
    """None when it is no longer kept."""


def stuck_event(build_id: str, history: Sequence[Recorded], number: int = 0) -> tuple[StuckView, str]:
    """Return one time that the build was stuck (0: the newest), and the digest of its context. Raises NotFound."""
    found = [(recorded.at, recorded.event) for recorded in history if isinstance(recorded.event, BuildStuck)]
    if not found:
        raise NotFound(f"build {build_id} has never been stuck", fix=f"see `buildwright events {build_id}`")
    if not 0 <= number <= len(found):
        raise NotFound(f"build {build_id} was stuck {len(found)} times, not {number}", fix="leave the number out")
    at, event = found[number - 1]
    view = StuckView(
        build=build_id,
        number=number or len(found),
        times=len(found),
        at=at,
        failures=event.failures,
        tasks=event.tasks,
        errors=event.errors,
        cause=event.advice,
        advice=event.task_advice,
        ask_person=event.ask_person,
        no_advice=event.no_advice,
    )
    return view, event.context


def with_context(view: StuckView, content: bytes) -> StuckView:
    """Return the view with its context, from the bytes of the artifact."""
    return view.model_copy(update={"context": StuckContext.model_validate(json.loads(content))})
