"""A program in the sandbox whose standard input and output carry JSON messages, one a line. Must never trust a line.

The messages are those of JSON-RPC 2.0, as the library `agent-client-protocol` takes them.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from buildwright.agents.program_agent import LineOutput
from buildwright.errors import BuildwrightError
from buildwright.ports import Command, Completed, Sandbox

_PIECE = 65_536


class RunningAgent:
    """A running program, and the ends of its pipes that are ours."""

    def __init__(self, sandbox: Sandbox, command: Command) -> None:
        self.done: Completed | None = None
        """How it ended; None while it runs, and when it was ended by us."""
        self.trouble: BuildwrightError | None = None
        """Why it could not be started."""
        self.errors = deque[str](maxlen=20)
        """The end of its standard error."""
        self._sandbox = sandbox
        self._command = command
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Start it; return what reads its output and writes its input."""
        loop = asyncio.get_running_loop()
        (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
        self._running = asyncio.create_task(self._run(theirs_in, theirs_out))
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours_in, "rb", buffering=0)
        )
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(ours_out, "wb", buffering=0)
        )
        return reader, asyncio.StreamWriter(transport, protocol, None, loop)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._running is None or self._running.done()

    @property
    def ran_out_of_time(self) -> bool:
        """Whether the limit of its time has ended it."""
        return self.done is not None and self.done.exit_code is None

    def when_over(self, tell: Callable[[], None]) -> None:
        """Have its end told."""
        if self._running is not None:
            self._running.add_done_callback(lambda _: tell())

    async def wait(self, seconds: float) -> None:
        """Wait at most these seconds for its end."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=seconds)

    async def end(self) -> None:
        """End it with everything that it started."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self, source: int, target: int) -> None:
        try:
            self.done = await self._sandbox.run(replace(self._command, streams=(source, target)), self._wrote_error)
        except BuildwrightError as trouble:
            self.trouble = trouble
        finally:
            os.close(source)
            # Only now its output ends for our reader.
            os.close(target)

    def _wrote_error(self, piece: bytes) -> None:
        self.errors.extend(line for line in piece.decode("utf-8", "replace").splitlines() if line.strip())


class AgentWire:
    """Carries the messages between the program and the library, which would not survive a line that is none.

    It has the library's protocol `Transport`.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stray: Callable[[bytes], None]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._stray = stray
        self._lines = LineOutput()

    async def send(self, message: dict[str, Any]) -> None:
        """Write one message. Raises ConnectionError when the program is gone."""
        self._writer.write(json.dumps(message).encode() + b"\n")
        await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, None when there are no more."""
        while True:
            for line in self._lines.take():
                if (message := _message(line)) is not None:
                    return message
                self._stray(line)
            piece = await self._reader.read(_PIECE)
            if not piece:
                return None
            self._lines.feed(piece)

    async def close(self) -> None:
        """Close the program's input, by which it knows that no more is asked."""
        self._writer.close()


def _message(line: bytes) -> dict[str, Any] | None:
    """Return the message in a line, None for anything that the library could not take."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not isinstance(message.get("method", ""), str):
        return None
    if not isinstance(message.get("id"), int | str | None) or not isinstance(message.get("error"), dict | None):
        return None
    return message
