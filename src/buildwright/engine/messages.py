"""Messages of the user to running agents, and the receipts. Must never hold state: that is in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.event import AgentHeartbeat
from buildwright.ports import Message
from buildwright.views.statuses import BUSY, agent_status


class Inboxes:
    """The inboxes of the attempts that run in this process."""

    def __init__(self) -> None:
        self._inboxes: dict[str, asyncio.Queue[Message]] = {}
        self._offered: dict[str, set[str]] = {}
        self._begun: dict[str, int] = {}
        """The newest attempt of each task whose agent has begun here. It may have ended: its change is taken then."""

    def beats(self, build: Build, tasks: Iterable[str]) -> Iterator[AgentHeartbeat]:
        """Yield the signs of life of the attempts of those tasks, which this process works on.

        While the build is paused an attempt that waits to be judged gives none: perhaps no process is at it.
        """
        percent = 100 * (build.done + build.skipped) // max(build.total, 1)
        for task in tasks:
            state = build.task(task)
            if state.phase is TaskPhase.WORKING or (state.phase in BUSY and build.control is Control.RUNNING):
                status = agent_status(state, at_work=self._begun.get(task) == state.attempt)
                assert status is not None
                yield AgentHeartbeat(task=task, attempt=state.attempt, status=status, percent=percent)

    @contextmanager
    def inbox(self, build: Build, task: str) -> Iterator[asyncio.Queue[Message]]:
        """Yield the inbox of a task's attempt while it runs, with the waiting messages in it.

        It also has the messages that the attempt heard after its newest checkpoint, before its process died.
        """
        self._inboxes[task] = asyncio.Queue()
        self._begun[task] = build.task(task).attempt
        self._offered[task] = set()
        try:
            for note in build.task(task).heard:
                self._inboxes[task].put_nowait(Message(note.id, note.text))
            self.offer(build)
            yield self._inboxes[task]
        finally:
            del self._inboxes[task], self._offered[task]

    def offer(self, build: Build) -> None:
        """Put every message that no agent has heard into the inboxes it is meant for, once per inbox."""
        for note in build.notes_to_agents:
            for task, inbox in self._inboxes.items():
                if note.task in {"", task} and note.id not in self._offered[task]:
                    self._offered[task].add(note.id)
                    inbox.put_nowait(Message(note.id, note.text))
