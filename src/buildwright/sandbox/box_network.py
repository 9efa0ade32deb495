"""What a box's own network counts: tries to get out that no proxy sees. Must never take the command's word for it.

The kernel counts for each network namespace by itself (proc(5), `/proc/net/snmp`). The program of the relays opens these
counters inside, before the command begins, and hands the open files out. A namespace stays as long as they are open, so
that they are read when the last process of the command is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from buildwright.core.figures import count

_LARGEST = 65_536
_FILES = 2
_COUNTERS: Mapping[str, tuple[str, ...]] = {
    "an address outside, past the proxy": ("Ip.OutNoRoutes", "Ip6OutNoRoutes"),
    "a name, or another datagram that no process takes": ("Udp.NoPorts", "Udp6NoPorts"),
    "a port of its own loopback that is closed": ("Tcp.AttemptFails",),
}
"""What was tried, and what the kernel counts it by. A name is looked up by datagrams, of which each look-up sends some."""


@asynccontextmanager
async def counted(path: Path, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Take the counters at a socket that is made at `path`, and at the end of the context tell what has been tried."""
    loop, given = asyncio.get_running_loop(), list[tuple[bytes, list[int]]]()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.setblocking(False)
    listening.bind(os.fspath(path))

    def take() -> None:
        """Take the first that comes, which is ours: the command has not begun when it is sent."""
        if given:
            return
        with contextlib.suppress(OSError):
            content, files, *_ = socket.recv_fds(listening, _LARGEST, _FILES)
            given.append((content, files))
        if given:
            loop.remove_reader(listening)
            listening.close()
            path.unlink(missing_ok=True)

    loop.add_reader(listening, take)
    try:
        yield
    finally:
        take()
        if not given:
            loop.remove_reader(listening)
            listening.close()
        for content, files in given:
            for text in _tried(content, files):
                tell(text)


def _tried(before: bytes, files: list[int]) -> list[str]:
    """Return what the counters say was tried since `before`, and close them."""
    after = dict[str, int]()
    for file in files:
        with open(file, encoding="ascii") as opened:  # noqa: PTH123  a descriptor
            opened.seek(0)  # it has been read inside
            after |= _counts(opened.read())
    held = dict[str, int]()
    for text in json.loads(before):
        held |= _counts(text)
    found = {what: sum(after.get(name, 0) - held.get(name, 0) for name in names) for what, names in _COUNTERS.items()}
    return [f"{what} ({count(number, 'time')})" for what, number in found.items() if number > 0]


def _counts(text: str) -> dict[str, int]:
    """Read a file of counters: lines of a name and a number, or pairs of lines, the names and the numbers of a kind."""
    found = dict[str, int]()
    lines = [line.split() for line in text.splitlines()]
    for number, line in enumerate(lines):
        if len(line) == 2 and not line[0].endswith(":"):
            found[line[0]] = int(line[1])
        elif number % 2 == 0 and line and line[0].endswith(":"):
            kind = line[0].removesuffix(":")
            found |= {
                f"{kind}.{name}": int(value) for name, value in zip(line[1:], lines[number + 1][1:], strict=False)
            }
    return found
