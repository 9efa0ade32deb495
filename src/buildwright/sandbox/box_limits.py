"""Limits of a box that no engine of containers holds, or not this one: watched from outside, where no box stops the watch.

An engine of an unprivileged user sets no limits on machines with cgroups of version 1, nor where version 2 is not
delegated to its user. Must never take the word of anything in the box for what runs there.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

from buildwright.errors import GateBroken
from buildwright.ports import Command
from buildwright.process_table import new_mark, stat_of
from buildwright.sandbox.container_engine import IN_MEMORY, BoxWanted, ContainerBox
from buildwright.sandbox.disk_use import watch_disk
from buildwright.sandbox.execution import watch
from buildwright.sandbox.processes import Family

_CREDENTIALS = struct.Struct("3i")
_users: Counter[int] = Counter()
"""How many commands of this process are kept to each processor."""


def are_held(wanted: BoxWanted, cpus: float, limits: Mapping[str, float]) -> bool:
    """Return whether the kernel holds what was asked for. `limits` is what it says in the box: engines leave some out."""
    memory, share = limits.get("memory", math.inf), limits.get("cpus", math.inf)
    return memory <= wanted.memory_bytes and share <= cpus * 1.01


@contextmanager
def processors(box: ContainerBox, cpus: float) -> Iterator[list[int]]:
    """Yield the processors that a command has to keep to, whole ones; none where the kernel holds its share."""
    ours = sorted(os.sched_getaffinity(0), key=lambda one: (_users[one], one))
    chosen = [] if box.held else ours[: math.ceil(cpus)]
    _users.update(chosen)
    try:
        yield chosen
    finally:
        _users.subtract(chosen)


@asynccontextmanager
async def watched(box: ContainerBox, command: Command, control: socket.socket) -> AsyncIterator[asyncio.Task[str]]:
    """Yield a task that ends with the limit that a command breaks: that on disk and, where the kernel does not hold them,
    the others, for which the command is then ended.

    `control` leads to our program in the box, from which all processes of the command descend: it adopts them. Raises
    GateBroken when they cannot be seen from here.
    """
    pid, _, _ = _CREDENTIALS.unpack(control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    family = Family(pid, new_mark("box")) if pid > 0 and stat_of(pid) is not None else None
    if family is None and not box.held:
        raise GateBroken(
            "the container engine does not hold the limits of memory and processors, and its processes are not seen here",
            fix='let it use cgroups (podman: `cgroups = "enabled"`), or run it on this machine itself',
        )
    watching = asyncio.create_task(_watch(box, command, family))
    try:
        yield watching
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(box: ContainerBox, command: Command, family: Family | None) -> str:
    in_memory = (*IN_MEMORY, "/dev/shm")  # noqa: S108
    watches = [asyncio.create_task(watch_disk(command, family.look if family is not None else list, in_memory))]
    if family is not None and not box.held:
        most = replace(command, memory_bytes=box.wanted.memory_bytes, processes=box.wanted.processes)
        watches.append(asyncio.create_task(watch(family, most, in_memory)))
    try:
        done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in watches:
            one.cancel()
    if family is not None and not box.held:
        # Our program in the box goes as well, and with it the box.
        family.kill()
    return next(iter(done)).result()
