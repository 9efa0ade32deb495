"""Agents without a model: one does nothing, one sleeps, one writes a line. Must never run a command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Literal

from buildwright.confined_fs import write_beneath
from buildwright.core.activity import Activity, Finished, Wrote
from buildwright.ports import Agent, Assignment, Message


class NoopAgent:
    """Finishes at once."""

    name = "noop"
    resumes = False
    touches_files = False
    uses_model: Literal["always", "if given", "never"] = "never"

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:  # noqa: ARG002
        yield Finished(ok=True)


class SleepAgent(NoopAgent):
    """Sleeps as long as the task's goal says (`sleep 0.25`, in seconds), then finishes."""

    name = "sleep"

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:  # noqa: ARG002
        await asyncio.sleep(float(assignment.task.goal.removeprefix("sleep ")))
        yield Finished(ok=True)


class TouchAgent(NoopAgent):
    """Sleeps like `SleepAgent`, then writes one line to `tasks/<task id>.txt` in its lane."""

    name = "touch"
    touches_files = True

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:  # noqa: ARG002
        if assignment.task.goal.startswith("sleep "):
            await asyncio.sleep(float(assignment.task.goal.removeprefix("sleep ")))
        path, content = f"tasks/{assignment.task.id}.txt", f"{assignment.task.title}\n".encode()
        write_beneath(assignment.lane, path, content)
        yield Wrote(path=path, size_bytes=len(content))
        yield Finished(ok=True)


PLAIN_AGENTS: dict[str, Callable[[], Agent]] = {"noop": NoopAgent, "sleep": SleepAgent, "touch": TouchAgent}
