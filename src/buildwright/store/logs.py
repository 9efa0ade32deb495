"""Log lines on their way to the database, collected and written in batches. Must never delay or fail the build.

They are not part of the truth: a killed process loses its last ones, and a line counts those that could not be written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from buildwright.core.event import AnyEvent, BuildFinished
from buildwright.ports import LogEntry

_GATHER_SECONDS = 0.1
_MOST_GATHERED = 1000
_MOST_WAITING = 20_000
Batch = dict[str, list[LogEntry]]
"""Lines by build."""


class LogBuffer:
    """Lines that are not written yet. Call `drain` before reading, and before the writer is closed."""

    def __init__(self, write: Callable[[Batch, dict[str, int]], asyncio.Future[None]]) -> None:
        """`write` stores a batch after a line on how many were lost; called on the event loop, must not block."""
        self._store = write
        self._batch: Batch = {}
        self._gathered = 0
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writes: set[asyncio.Future[None]] = set()
        self._lost: dict[str, int] = {}

    async def add(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        """Add lines; waits only when the disk cannot keep up."""
        self._batch.setdefault(build_id, []).extend(entries)
        self._gathered += len(entries)
        self._waiting += len(entries)
        if self._gathered >= _MOST_GATHERED:
            self._write()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._write)
        if self._waiting > _MOST_WAITING:
            await self.drain()

    async def drain(self) -> None:
        """Wait until all lines added so far are written, or counted as lost."""
        self._write()
        if self._writes:
            await asyncio.wait(tuple(self._writes))

    async def before(self, events: Iterable[AnyEvent]) -> None:
        """Write what was added before an event that ends a build: with that, a reader of its log leaves."""
        if any(isinstance(event, BuildFinished) for event in events):
            await self.drain()

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._batch:
            return
        batch, self._batch, self._gathered = self._batch, {}, 0
        lost, self._lost = self._lost, {}
        write = self._store(batch, lost)
        self._writes.add(write)
        write.add_done_callback(lambda done: self._written(done, batch, lost))

    def _written(self, write: asyncio.Future[None], batch: Batch, lost: dict[str, int]) -> None:
        self._writes.discard(write)
        self._waiting -= sum(map(len, batch.values()))
        if write.cancelled() or write.exception() is not None:
            for build_id, entries in batch.items():
                self._lost[build_id] = self._lost.get(build_id, 0) + lost.get(build_id, 0) + len(entries)


def lines_of(batch: Batch, lost: dict[str, int], build_id: str) -> list[LogEntry]:
    """Return the lines of one build, after one on how many were lost before."""
    entries = batch[build_id]
    if not lost.get(build_id) or not entries:
        return entries
    text = f"{lost[build_id]} log lines before this one could not be written"
    return [LogEntry(entries[0].at, "", 0, "engine", text), *entries]
