"""Log lines on their way to the database, collected and written in batches, one for each build. Must never fail a build.

They are not part of the truth: a killed process loses its last ones, and a line counts those that could not be written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from buildwright.core.event import AnyEvent, BuildFinished
from buildwright.ports import LogEntry

_GATHER_SECONDS = 0.1
_MOST_GATHERED = 1000
_MOST_WAITING = 20_000
_PATIENCE_SECONDS = 1.0
"""Seconds for which the last lines of a build may hold up what ends it."""


class LogBuffer:
    """Lines that are not written yet. Call `drain` before reading, and before the writer is closed."""

    def __init__(self, write: Callable[[str, Sequence[LogEntry]], asyncio.Future[None]]) -> None:
        """`write` stores lines of one build, after those of earlier calls; called on the event loop, must not block."""
        self._store = write
        self._gathered: dict[str, list[LogEntry]] = {}
        """By build, as the next two."""
        self._lost: dict[str, int] = {}
        self._writes: dict[asyncio.Future[None], str] = {}
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None

    async def add(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        """Add lines; waits only when the disk cannot keep up."""
        gathered = self._gathered.setdefault(build_id, [])
        gathered.extend(entries)
        self._waiting += len(entries)
        if len(gathered) >= _MOST_GATHERED:
            self._write(build_id)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._write_all)
        if self._waiting > _MOST_WAITING:
            await self.drain()

    async def drain(self, build_id: str = "", seconds: float | None = None) -> None:
        """Wait until the lines of a build, or of all, are written or counted as lost; no longer than `seconds`."""
        if build_id:
            self._write(build_id)
        else:
            self._write_all()
        if writes := [write for write, of in self._writes.items() if build_id in {"", of}]:
            await asyncio.wait(writes, timeout=seconds)

    async def before(self, build_id: str, events: Iterable[AnyEvent], *, ended: bool = False) -> None:
        """Write a build's lines before an event that ends it, or its last action: a reader of the log leaves then."""
        if ended or any(isinstance(event, BuildFinished) for event in events):
            await self.drain(build_id, _PATIENCE_SECONDS)

    def _write_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for build_id in list(self._gathered):
            self._write(build_id)

    def _write(self, build_id: str) -> None:
        entries = self._gathered.pop(build_id, None)
        if not entries:
            return
        count, lines = len(entries), entries
        if lost := self._lost.pop(build_id, 0):
            text = f"{lost} log lines before this one could not be written"
            lines = [LogEntry(entries[0].at, "", 0, "engine", text), *entries]
        write = self._store(build_id, lines)
        self._writes[write] = build_id
        write.add_done_callback(partial(self._written, count=count, lost=lost))

    def _written(self, write: asyncio.Future[None], *, count: int, lost: int) -> None:
        build_id = self._writes.pop(write)
        self._waiting -= count
        if write.cancelled() or write.exception() is not None:
            self._lost[build_id] = self._lost.get(build_id, 0) + lost + count
