"""Who holds a lease: `host:pid:start`, and whether that process lives. Never trusts a bare pid: they are used again.

The host part names one space of process ids: containers may share a host name, and a machine that has started anew has
other processes.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path
from typing import NamedTuple

_HAS_PROC = Path("/proc/self/stat").exists()
_GONE = frozenset("ZX")
_HALTED = frozenset("Tt")


@cache
def this_host() -> str:
    """Name, start of the system and process id namespace of this host, without a colon; only the name where there is no /proc."""
    name = socket.gethostname().replace(":", "-")
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{name}/{start}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return name


def this_process() -> str:
    """The holder string of the calling process."""
    return holder_of(os.getpid())


def holder_of(pid: int) -> str:
    """The holder string of a process of this host."""
    return f"{this_host()}:{pid}:{_seen(pid).start}"


def is_here(holder: str) -> bool:
    """Whether the holder is, or was, a process of this host."""
    return holder.rpartition(":")[0].rpartition(":")[0] == this_host()


def may_live(holder: str) -> bool:
    """False only when it is certain that the holder is gone: a process of this host that no longer runs."""
    return _lives(holder) is not False


def surely_lives(holder: str) -> bool:
    """Whether the holder is another process of this host, which is there and has not been halted (Ctrl-Z).

    Not this one: it would know, and what it could not give up (the disk was full) must not be in its own way.
    """
    return holder != this_process() and _lives(holder) is True


def _lives(holder: str) -> bool | None:
    """None when it cannot be known from here, or when a halted process may not come back."""
    host, _, pid = holder.rpartition(":")[0].rpartition(":")
    started = holder.rpartition(":")[2]
    if host != this_host() or not pid.isdecimal() or not started.isdecimal() or not _HAS_PROC:
        return None
    found = _seen(int(pid))
    if found.state in _GONE or found.start != started:
        return False
    return None if found.state in _HALTED else True


class _Seen(NamedTuple):
    state: str
    start: str


def _seen(pid: int) -> _Seen:
    """State and start of a process, in ticks since the start of the system (proc(5)).

    Not a time of day: that moves whenever the clock is set, and then a living process would look like another one.
    """
    try:
        # The program's name stands in parentheses and may itself hold spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return _Seen("X", "0")
    return _Seen(fields[0], fields[19])
