"""Services that checks need: started beside each command in its sandbox, or reached on the machine's own loopback.

Must never open any other way out of the sandbox than to the addresses that the base's `buildwright.toml` names.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.core.finding import Finding
from buildwright.errors import GateBroken
from buildwright.gates.reporting import finding

READY_SECONDS = 30.0
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
_PATIENCE = 2.0
_LONGEST_SOCKET = 100
"""Bytes of a socket's path; Linux takes 107 (unix(7))."""


class Service(NamedTuple):
    """A service: a `command` that serves beside the checks, or the `address` of one that the user runs."""

    name: str
    command: str = ""
    ready: str | int = ""
    """A port of the loopback that is to answer, or a command that is to end with 0."""
    seconds: float = READY_SECONDS
    env: tuple[tuple[str, str], ...] = ()
    """Variables that the checks and the command get."""
    address: str = ""

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of the address."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)


class WrongService(ValueError):
    """What is wrong with a service in the file: where, and the fix."""

    def __init__(self, where: str, what: str, fix: str) -> None:
        super().__init__(f"{where}: {what}")
        self.fix = fix


def read_service(name: str, table: Mapping[str, Any]) -> Service:
    """Return a service from its table, whose keys are known. Raises WrongService."""
    where = f"services.{name}"
    if not _NAME.fullmatch(name):
        raise WrongService(where, "is no name of a service", "use letters, digits, - and _")
    wrong = partial(WrongService, where)
    command, address = table.get("command", ""), table.get("address", "")
    ready, seconds, env = table.get("ready", ""), table.get("seconds", READY_SECONDS), table.get("env", {})
    if not isinstance(command, str) or not isinstance(address, str) or bool(command) == bool(address):
        raise wrong(
            "needs either a command or an address", 'write command = "redis-server", or address = "localhost:6379"'
        )
    if command and (isinstance(ready, bool) or not isinstance(ready, str | int) or not ready):
        raise wrong(
            "does not say when it is ready", "write ready = 6379, a port, or ready = 'redis-cli ping', a command"
        )
    if isinstance(ready, int) and command and not 0 < ready < 65_536:
        raise wrong(f"{ready} is no port", "write a port from 1 to 65535")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 600:
        raise wrong("seconds is no number from 1 to 600", "write seconds = 60")
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise wrong("env is no table of texts", 'write env = { REDIS_URL = "redis://localhost:6379" }')
    host, colon, port = address.rpartition(":")
    if address and (
        not colon or host.strip("[]") not in _LOOPBACK or not port.isdecimal() or not 0 < int(port) < 65_536
    ):
        fix = 'write address = "localhost:5432"; other machines are reached with [network] checks = "all"'
        raise wrong(f"{address} is no address on this machine's loopback", fix)
    return Service(name, command, ready, float(seconds), tuple(env.items()), address)


def unanswered(services: Iterable[Service]) -> Iterator[Finding]:
    """Yield a finding for each address at which nothing answers."""
    for service in services:
        if not service.address:
            continue
        try:
            socket.create_connection(service.place, timeout=_PATIENCE).close()
        except OSError:
            message = f"Nothing answers at {service.address}, where the service {service.name} is to be."
            yield finding("setup.service_missing", message, fix=f"start {service.name}, or mend its address")


@asynccontextmanager
async def beside(
    services: Sequence[Service], command: str, private: Path, *, walled: bool
) -> AsyncIterator[tuple[str, ...]]:
    """Yield the arguments that run a command for a shell beside the services; `private` is seen in its sandbox.

    `walled`: the sandbox has a loopback of its own, so that addresses of this machine are reached through a socket.
    Raises GateBroken when no socket can be made.
    """
    if not any(one.command or walled for one in services):
        yield ("sh", "-c", command)
        return
    folder = private / f"services-{secrets.token_hex(3)}"
    folder.mkdir()
    program, config = folder / "run.py", folder / "services.json"
    shutil.copyfile(Path(__file__).with_name("service_runner.py"), program)
    async with contextlib.AsyncExitStack() as stack:
        forwards = []
        for number, service in enumerate(one for one in services if one.address and walled):
            path = folder / f"{number}.sock"
            await stack.enter_async_context(_way_out(path, *service.place))
            forwards.append({"port": service.place[1], "socket": str(path)})
        started = [
            {"name": one.name, "command": one.command, "ready": one.ready, "seconds": one.seconds}
            | {"log": str(folder / f"{one.name}.log")}
            for one in services
            if one.command
        ]
        config.write_text(json.dumps({"services": started, "forwards": forwards}), encoding="utf-8")
        yield (sys.executable, "-I", "-S", str(program), str(config), command)


@asynccontextmanager
async def _way_out(path: Path, host: str, port: int) -> AsyncIterator[None]:
    """Listen on a socket at `path` and pass each connection on to an address."""
    if len(str(path)) > _LONGEST_SOCKET:
        raise GateBroken(f"{path} is too long for a socket", fix="set TMPDIR to a folder with a shorter path")

    open_now: set[asyncio.Task[None]] = set()

    async def carry(near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        with contextlib.closing(near):
            try:
                far_reader, far = await asyncio.open_connection(host, port)
            except OSError:
                return
            with contextlib.closing(far):
                await asyncio.gather(_pass_on(near_reader, far), _pass_on(far_reader, near))

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(carry(reader, writer))
        open_now.add(task)
        task.add_done_callback(open_now.discard)

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
        path.unlink(missing_ok=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
