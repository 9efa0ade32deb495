"""What the network of a box counts: tries that pass the proxy by, told at the end of the command."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from buildwright.ports import Command, Reach
from buildwright.sandbox import Bubblewrap

TRIES = """
import contextlib, os, socket, sys
def connect(family, kind, where):
    with contextlib.suppress(OSError), socket.socket(family, kind) as one:
        one.connect(where)
        one.send(b"x")
if "outside" in sys.argv:
    connect(socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80))
    connect(socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53))
    connect(socket.AF_INET6, socket.SOCK_STREAM, ("2001:db8::1", 80))
if "name" in sys.argv:
    with contextlib.suppress(OSError):
        socket.getaddrinfo("far.invalid", 80)
if "closed" in sys.argv:
    connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 4444))
if "own" in sys.argv:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect(socket.AF_INET, socket.SOCK_STREAM, server.getsockname())
        socket.getaddrinfo("localhost", 80)
if "lies" in sys.argv:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        read, write = os.pipe()
        one.connect("/run/buildwright/counters")
        socket.send_fds(one, [b"no numbers"], [read])
"""


async def tried(lane: Path, *words: str) -> list[str]:
    lane.mkdir()
    (lane / "tries.py").write_text(TRIES)
    told: list[str] = []
    command = Command(
        (sys.executable, "tries.py", *words), lane, {"PATH": "/usr/bin:/bin"}, reach=Reach(), on_refused=told.append
    )
    done = await Bubblewrap().run(command)
    assert done.exit_code == 0, done.output
    return told


async def test_each_way_past_the_proxy_is_counted_and_told(tmp_path: Path) -> None:
    told = await tried(tmp_path / "lane", "outside", "name", "closed", "own")
    assert told[0] == "an address outside, past the proxy (3 times)"
    assert told[1].startswith("a name, or another datagram that no process takes (")
    assert told[2] == "a port of its own loopback that is closed (1 time)"


@pytest.mark.parametrize("word", ["own", "lies"])
async def test_what_stays_inside_is_not_told_and_nobody_can_lie_about_it(tmp_path: Path, word: str) -> None:
    assert await tried(tmp_path / "lane", word) == []


async def test_what_one_command_tries_is_not_told_of_another(tmp_path: Path) -> None:
    words = (("outside",), ("own",), ("closed",))
    every = await asyncio.gather(*(tried(tmp_path / one[0], *one) for one in words))
    assert [[text.partition(" (")[0] for text in told] for told in every] == [
        ["an address outside, past the proxy"],
        [],
        ["a port of its own loopback that is closed"],
    ]
