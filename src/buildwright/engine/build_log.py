"""The build's log: lines for people, buffered, written a few times a second. Never part of the truth, never waited for.

Must never end a build: lines that cannot be written are counted, and the log says so once it can be written again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from buildwright.core.terminal import Cleaner, clean
from buildwright.engine.adapters import Adapters
from buildwright.errors import CouldNot
from buildwright.ports import LogEntry

FLUSH_SECONDS = 0.2


class BuildLog:
    """Collects lines of one build and writes them in groups; what is left is written at the end."""

    def __init__(self, world: Adapters, build_id: str, *, keeps: bool = True) -> None:
        """Not `keeps`: lines are only passed on to the listener, for a build that is in no journal."""
        self._keeps = keeps
        self._world = world
        self._build_id = build_id
        self._waiting: list[LogEntry] = []
        self._writing: asyncio.Task[None] | None = None
        self._store = asyncio.Lock()
        """Held while lines are written: no reader may find a part of them, and no end of a build break that off."""
        self._unheard: asyncio.Queue[LogEntry] = asyncio.Queue()
        self._lost = 0

    async def __aenter__(self) -> BuildLog:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            async with self._store:
                self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self.flush()
        while error is None and not self._unheard.empty():
            self._tell(self._unheard.get_nowait())

    async def listen(self) -> None:
        """Pass every line on to this run's listener (`Adapters.on_log`). Raises what the listener raises.

        A task of its own, so that a failing listener ends the run with its own error, not as trouble of some action.
        """
        while True:
            self._tell(await self._unheard.get())

    def note(self, kind: str, text: str, task: str = "", attempt: int = 0) -> None:
        """Add a whole text, cleaned of secrets and of what a terminal would obey."""
        self._add(kind, clean(text, self._world.mask), task, attempt)

    @contextmanager
    def stream(self, kind: str, task: str = "", attempt: int = 0) -> Iterator[Callable[[str], None]]:
        """Yield a function that takes a text in pieces, cut anywhere. A line is added once it is whole.

        Each piece by itself would make a line of its own, and show a secret that was cut between two.
        """
        cleaner = Cleaner(self._world.mask)
        try:
            yield lambda piece: self._add(kind, cleaner.feed(piece), task, attempt)
        finally:
            self._add(kind, cleaner.end(), task, attempt)

    def _add(self, kind: str, cleaned: str, task: str, attempt: int) -> None:
        for line in cleaned.split("\n"):
            if line.strip():
                entry = LogEntry(self._world.clock.now(), task, attempt, kind, line)
                if self._keeps:
                    self._waiting.append(entry)
                self._unheard.put_nowait(entry)
        if self._waiting and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._soon(), name="logbook")

    def _tell(self, entry: LogEntry) -> None:
        if self._world.on_log is not None:
            self._world.on_log(entry)

    async def _soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write the waiting lines to the store, for the next reader of the log; all that were noted are there then."""
        async with self._store:
            lines, self._waiting = self._waiting, []
            if not lines:
                return
            lost = self._lost
            if lost:
                text = f"{lost} log lines before this one could not be written"
                lines = [LogEntry(lines[0].at, "", 0, "engine", text), *lines]
            try:
                await self._world.builds.write_log(self._build_id, lines)
            except CouldNot:
                self._lost = lost + len(lines) - bool(lost)
            else:
                self._lost = 0
