"""Agents that touch no file: one does nothing, one sleeps. For measuring the engine; never for building."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

from buildwright.core.activity import Activity, Finished
from buildwright.ports import Assignment, Message


class NoopAgent:
    """Finishes at once."""

    name = "noop"
    resumes = False
    touches_files = False
    uses_model: Literal["always", "if given", "never"] = "never"

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:  # noqa: ARG002
        yield Finished(ok=True)


class SleepAgent:
    """Sleeps as long as the task's goal says (`sleep 0.25`, in seconds), then finishes."""

    name = "sleep"
    resumes = False
    touches_files = False
    uses_model: Literal["always", "if given", "never"] = "never"

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:  # noqa: ARG002
        await asyncio.sleep(float(assignment.task.goal.removeprefix("sleep ")))
        yield Finished(ok=True)
