"""How a build was stuck: the failures, the diagnosis, and the context that it was made from. Pure; must never decide."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from buildwright.core.apply import fold
from buildwright.core.event import BuildStuck, Recorded
from buildwright.core.finding import PlanProposal, TaskAdvice
from buildwright.core.graph import Plan
from buildwright.core.record import Record
from buildwright.core.task import Task, Validation
from buildwright.errors import NotFound


class StuckContext(Record):
    """What was known when the build was stuck: the same JSON that the diagnosing advisor reads."""

    build: dict[str, Any]
    """Title, agent, checks and the failures in a row."""
    tasks: tuple[dict[str, Any], ...]
    """Id, title and goal of each task that failed."""
    models: tuple[str, ...] = ()
    """Other models that the build's options name."""
    lessons: tuple[str, ...] = ()
    """What was learned before about these tasks."""
    plan: tuple[dict[str, Any], ...] = ()
    """Id, title, phase and place of the plan's tasks, the first of them."""
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
    proposal: PlanProposal | None = None
    """The changed plan that the diagnosis proposes."""
    proposed: tuple[str, ...] = ()
    """How it differs from the plan that there was, a line each."""
    no_proposal: str = ""
    """Why what was proposed cannot be had."""
    context: StuckContext | None = None
    """None when it is no longer kept."""


def stuck_event(build_id: str, history: Sequence[Recorded], number: int = 0) -> tuple[StuckView, str]:
    """Return one time that the build was stuck (0: the newest), and the digest of its context. Raises NotFound."""
    found = [
        (recorded.at, recorded.event, place)
        for place, recorded in enumerate(history)
        if isinstance(recorded.event, BuildStuck)
    ]
    if not found:
        raise NotFound(f"build {build_id} has never been stuck", fix=f"see `buildwright events {build_id}`")
    if not 0 <= number <= len(found):
        raise NotFound(f"build {build_id} was stuck {len(found)} times, not {number}", fix="leave the number out")
    at, event, place = found[number - 1]
    plan = fold(list(history[:place])).plan if event.proposal is not None else None
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
        proposal=event.proposal,
        proposed=proposal_lines(plan, event.proposal) if plan is not None and event.proposal is not None else (),
        no_proposal=event.no_proposal,
    )
    return view, event.context


def proposal_lines(plan: Plan, proposal: PlanProposal) -> tuple[str, ...]:
    """Return how a proposed plan differs: `+` a new task, `~` a field of a task that is new, `-` a task that is gone."""
    lines = []
    for task in proposal.tasks:
        if task.id not in plan.position:
            lines.append(f"+ {task.id}: {task.title}" + (f": {task.goal}" if task.goal else ""))
            lines += [f"+ {task.id}, {name}: {value}" for name, value in _fields(task) if value]
            continue
        old = dict(_fields(plan.task(task.id), *_WORDS))
        lines += [
            f"~ {task.id}, {name}: {value or 'none'}"
            for name, value in _fields(task, *_WORDS)
            if value != old.get(name)
        ]
    lines += [f"- {name}: {plan.task(name).title}" for name in proposal.dropped if name in plan.position]
    return tuple(lines)


_WORDS = ("title", "goal")


def _fields(task: Task, *more: str) -> list[tuple[str, str]]:
    """Return the fields of a task that a user should see, as text; all of them that can change what runs."""
    shown = (*more, *(name for name in Task.model_fields if name not in {"id", "title", "goal"}))
    plain = Task(id=task.id, title=task.title)
    found = []
    for name in shown:
        value = getattr(task, name)
        text = (
            value.command if isinstance(value, Validation) else ", ".join(value) if isinstance(value, tuple) else value
        )
        found.append((name.replace("_", " "), str(text) if name in more or value != getattr(plain, name) else ""))
    return found


def with_context(view: StuckView, content: bytes) -> StuckView:
    """Return the view with its context, from the bytes of the artifact."""
    return view.model_copy(update={"context": StuckContext.model_validate(json.loads(content))})
