"""Lets a library that starts a program by its path start it in the sandbox. Must never run it anywhere else.

The library starts a launcher, which hands its arguments, standard input and output over; they become a command of the
sandbox, with its walls and limits. The library talks through its own pipes, of which nothing is copied.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from buildwright.errors import GateBroken, ToolMissing
from buildwright.ports import Command, Completed, Sandbox
from buildwright.temporary_folders import SHORT, temporary_folder

_PATIENCE = 10.0
"""Seconds that the launcher may take to hand over."""
_NOT_STARTED, _KILLED = 127, 137


class Launcher:
    """The way from the library to the sandbox. `path` is what the library starts; only one start is served."""

    def __init__(
        self, path: Path, door: socket.socket, sandbox: Sandbox, command: Command, on_error: Callable[[bytes], None]
    ) -> None:
        self.path = path
        self.done: Completed | None = None
        """How the program ended; None while it runs, and when it was ended by us."""
        self.trouble: ToolMissing | GateBroken | None = None
        """Why the program could not be started."""
        self._door = door
        self._sandbox = sandbox
        self._command = command
        self._on_error = on_error
        self._serving = asyncio.create_task(self._serve())

    async def end(self) -> None:
        """End the program with everything it started."""
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)

    async def _serve(self) -> None:
        near, _ = await asyncio.get_running_loop().sock_accept(self._door)
        with near:
            code = _KILLED
            try:
                near.settimeout(_PATIENCE)
                handed = await asyncio.to_thread(_receive, near)
                near.setblocking(False)
                try:
                    code = await self._run(handed, near)
                finally:
                    for descriptor in handed.streams:
                        os.close(descriptor)
            finally:
                with contextlib.suppress(OSError):
                    near.send(bytes([code]))

    async def _run(self, handed: _HandedOver, near: socket.socket) -> int:
        """Run the program until it ends, or until the library has ended the launcher; return its exit code."""
        command = replace(self._command, argv=(*self._command.argv, *handed.argv), streams=handed.streams)
        running = asyncio.create_task(self._sandbox.run(command, self._on_error))
        gone = asyncio.create_task(asyncio.get_running_loop().sock_recv(near, 1))
        try:
            await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                return _KILLED
            self.done = await running
        except (ToolMissing, GateBroken) as trouble:
            self.trouble = trouble
            return _NOT_STARTED
        finally:
            gone.cancel()
            running.cancel()
            await asyncio.gather(running, gone, return_exceptions=True)
        return _KILLED if self.done.exit_code is None else self.done.exit_code & 255


class _HandedOver(NamedTuple):
    """What the library started the launcher with."""

    argv: tuple[str, ...]
    streams: tuple[int, int]


@asynccontextmanager
async def launching(sandbox: Sandbox, command: Command, on_error: Callable[[bytes], None]) -> AsyncIterator[Launcher]:
    """Yield the launcher of a command, which gets the library's arguments behind its own.

    `on_error` gets what the program writes to its standard error. When the context is left, nothing of it is left.
    """
    with temporary_folder("buildwright-start-", SHORT) as folder, socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "socket"))
        door.listen(1)
        door.setblocking(False)
        script = folder / "start.sh"
        program = Path(__file__).with_name("launcher_program.py")
        words = (sys.executable, "-I", "-S", str(program), str(folder / "socket"))
        # The library gives its parent's environment on, keys included: the launcher gets none.
        script.write_text(f'#!/bin/sh\nexec /usr/bin/env -i {shlex.join(words)} "$@"\n', encoding="utf-8")
        script.chmod(0o700)
        launcher = Launcher(script, door, sandbox, command, on_error)
        try:
            yield launcher
        finally:
            await launcher.end()


def _receive(near: socket.socket) -> _HandedOver:
    """Read what a launcher hands over. Raises OSError when it does not."""
    head, descriptors, _, _ = socket.recv_fds(near, 4, 2)
    try:
        length, told = int.from_bytes(head, "big"), b""
        while len(told) < length:
            piece = near.recv(65_536)
            if not piece:
                raise ConnectionError("the launcher ended before it had handed over")
            told += piece
        source, target = descriptors
        return _HandedOver(tuple(json.loads(told)), (source, target))
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
