"""Messages of the user to running agents, and the receipts. Must never hold state: that is in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from buildwright.core.build import Build
from buildwright.ports import Message


class Inboxes:
    """The inboxes of the attempts that run in this process."""

    def __init__(self) -> None:
        self._inboxes: dict[str, asyncio.Queue[Message]] = {}
        self._offered: dict[str, set[str]] = {}

    @property
    def tasks(self) -> tuple[str, ...]:
        """Return the tasks whose agents run in this process now."""
        return tuple(self._inboxes)

    @contextmanager
    def inbox(self, build: Build, task: str) -> Iterator[asyncio.Queue[Message]]:
        """Yield the inbox of a task's attempt while it runs, with the waiting messages in it.

        It also has the messages that the attempt heard after its newest checkpoint, before its process died.
        """
        self._inboxes[task] = asyncio.Queue()
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
