"""The build's log: lines for people, buffered, written a few times a second. Not part of the truth; never waited for."""

from __future__ import annotations

import asyncio
from types import TracebackType

from buildwright.engine.world import World
from buildwright.ports import LogEntry

LONGEST_LINE = 8_192
FLUSH_SECONDS = 0.2


class Logbook:
    """Collects lines of one build and writes them in groups; what is left is written at the end."""

    def __init__(self, world: World, build_id: str) -> None:
        self._world = world
        self._build_id = build_id
        self._waiting: list[LogEntry] = []
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Logbook:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._flush()

    def note(self, kind: str, text: str, task: str = "", attempt: int = 0) -> None:
        """Add lines. Long ones are folded to their first part; a carriage return keeps only what stood last."""
        for line in text.splitlines():
            shown = line.rsplit("\r", 1)[-1][:LONGEST_LINE]
            if shown.strip():
                entry = LogEntry(self._world.clock.now(), task, attempt, kind, shown)
                self._waiting.append(entry)
                if self._world.on_log is not None:
                    self._world.on_log(entry)
        if self._waiting and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._soon(), name="logbook")

    async def _soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        if lines:
            await self._world.builds.write_log(self._build_id, lines)
