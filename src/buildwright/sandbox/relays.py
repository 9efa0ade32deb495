"""Opens what a command in a sandbox may reach outside: sockets of ours, shown inside, and the program that serves them.

Must never show a socket that leads anywhere but to what the command names.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from buildwright.ports import Command, Reach
from buildwright.sandbox.box_network import counted
from buildwright.sandbox.egress import LOOPBACK, Egress, pass_on
from buildwright.temporary_folders import SHORT, temporary_folder

INSIDE = Path("/run/buildwright")
"""Where the folder of the sockets is seen inside."""
_PROGRAM, _CONFIG, _COUNTERS = "relay.py", "relays.json", "counters"
_PROXY = "http://127.0.0.1:{}"
_LOCAL = ",".join(LOOPBACK)
_JAVA = " ".join(f"-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort={{}}" for scheme in ("http", "https"))
_FIRST_FREE_PORT = 1024
"""The ports below are root's (ip(7), ip_unprivileged_port_start)."""
_BY_PROXY = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"), _PROXY),
    **dict.fromkeys(("NO_PROXY", "no_proxy", "npm_config_noproxy"), _LOCAL),
    # Settings of the user's own that are lent to set-up may name another proxy: these are stronger.
    **dict.fromkeys(("npm_config_proxy", "npm_config_https_proxy", "PIP_PROXY", "CARGO_HTTP_PROXY"), _PROXY),
    **dict.fromkeys(("YARN_HTTP_PROXY", "YARN_HTTPS_PROXY"), _PROXY),
    "NODE_USE_ENV_PROXY": "1",
    "MAVEN_OPTS": _JAVA,
    "GRADLE_OPTS": _JAVA,
}
"""Variables by which programs and package managers find a proxy."""


class Relays(NamedTuple):
    """What the sandbox adds for a command: the folder to show at `INSIDE`, and the words before the command."""

    folder: Path | None = None
    argv: tuple[str, ...] = ()
    egress: Egress | None = None

    @property
    def shown(self) -> tuple[Path, ...]:
        """What the words before the command need to see."""
        return (Path(sys.base_prefix),) if self.argv else ()

    @property
    def refused(self) -> tuple[str, ...]:
        """The places that the command asked for and may not reach."""
        return tuple(self.egress.refused) if self.egress is not None else ()


@asynccontextmanager
async def relayed(
    command: Command, user: int | None = None, within: Path | None = None, python: str = ""
) -> AsyncIterator[Relays]:
    """Serve what a command without network may reach. `user` is the user that runs it, if it is another one.

    `within` is a folder that is seen at `INSIDE` already, `python` the program that runs ours there.
    """
    if command.network or (command.reach is None and not command.relays):
        yield Relays()
        return
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(temporary_folder("buildwright-relays-", within or SHORT))
        seen = INSIDE / folder.name if within is not None else INSIDE
        egress = Egress(command.reach, os.environ, command.on_refused) if command.reach is not None else None
        if egress is not None:
            await stack.enter_async_context(egress.listening(folder / "proxy"))
        relays = {**_own_loopback(command.reach), **command.relays}
        if command.on_refused is not None:
            await stack.enter_async_context(counted(folder / _COUNTERS, command.on_refused))
        for port, place in relays.items():
            await stack.enter_async_context(_leading(folder / str(port), *place))
        told = {
            "relays": [(port, str(seen / str(port))) for port in relays],
            "proxy": str(seen / "proxy") if egress is not None else "",
            "counters": str(seen / _COUNTERS) if command.on_refused is not None else "",
            "variables": _variables(command.env),
        }
        (folder / _CONFIG).write_text(json.dumps(told), encoding="utf-8")
        shutil.copyfile(Path(__file__).with_name("relay_program.py"), folder / _PROGRAM)
        if user is not None:
            for path in (folder, *folder.iterdir()):
                os.chown(path, user, user)
        # The Python below our environment, which a project's tools may well use, too: ours is not shown inside.
        program = (
            python or os.path.realpath(sys.executable),
            "-I",
            "-S",
            str(seen / _PROGRAM),
            str(seen / _CONFIG),
        )
        yield Relays(folder, program, egress)


def _own_loopback(reach: Reach | None) -> dict[int, tuple[str, int]]:
    """Return the ports of this machine's loopback that are reached, such as a mirror's: clients ask no proxy for them."""
    places = (*reach.hosts, *reach.trusted) if reach is not None else ()
    return {
        port: (place.host, port)
        for place in places
        for port in place.ports
        if place.host in LOOPBACK and port >= _FIRST_FREE_PORT
    }


def _variables(mine: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the proxy; options of Java come after those that the command has."""
    return {
        name: f"{mine[name]} {value}" if name.endswith("_OPTS") and mine.get(name) else value
        for name, value in _BY_PROXY.items()
    }


@asynccontextmanager
async def _leading(path: Path, host: str, port: int) -> AsyncIterator[None]:
    """Listen on a socket at `path` and pass each connection on to an address."""
    under_way: set[asyncio.Task[None]] = set()

    async def carry(near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        with contextlib.closing(near):
            try:
                far_reader, far = await asyncio.open_connection(host, port)
            except OSError:
                return
            with contextlib.closing(far):
                await asyncio.gather(pass_on(near_reader, far), pass_on(far_reader, near))

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(carry(reader, writer))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
