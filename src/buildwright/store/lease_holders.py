"""Holders of leases, `host:pid:start`, and whether they live. Must never trust a bare pid: they are used again.

The host part names one space of process ids: containers may share a host name, a rebooted machine has new processes.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

from buildwright.process_table import stat_of

_HAS_PROC = Path("/proc/self/stat").exists()
_HALTED = frozenset("Tt")


@cache
def this_host() -> str:
    """Return this host's name, boot id and process id namespace, without a colon; the name alone without /proc."""
    name = socket.gethostname().replace(":", "-")
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{name}/{start}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return name


def this_process() -> str:
    """Return the holder string of this process."""
    return holder_of(os.getpid())


def holder_of(pid: int) -> str:
    """Return the holder string of a process on this host."""
    stat = stat_of(pid)
    return f"{this_host()}:{pid}:{stat.start if stat else 0}"


def is_here(holder: str) -> bool:
    """Return whether the holder is, or was, a process of this host."""
    return holder.rpartition(":")[0].rpartition(":")[0] == this_host()


def in_words(holder: str) -> str:
    """Return a holder for people: its process id, and its host where that is not this one."""
    host, _, pid = holder.rpartition(":")[0].rpartition(":")
    return f"process {pid}" if is_here(holder) else f"process {pid} on {host.partition('/')[0]}" if pid else holder


def may_live(holder: str) -> bool:
    """Return False only when the holder is certainly gone: a process of this host that no longer runs."""
    return _lives(holder) is not False


def surely_lives(holder: str) -> bool:
    """Return whether the holder is another process of this host that runs and is not halted (Ctrl-Z).

    False for this process: what it could not release (the disk was full) must not block itself.
    """
    return holder != this_process() and _lives(holder) is True


def _lives(holder: str) -> bool | None:
    """Return whether the holder lives; None when this host cannot know, or it is halted and may not come back."""
    host, _, pid = holder.rpartition(":")[0].rpartition(":")
    started = holder.rpartition(":")[2]
    if host != this_host() or not pid.isdecimal() or not started.isdecimal() or not _HAS_PROC:
        return None
    found = stat_of(int(pid))
    if found is None or found.has_ended or found.start != started:
        return False
    return None if found.state in _HALTED else True
