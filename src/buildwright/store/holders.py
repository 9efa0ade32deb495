"""Who holds a lease: `host:pid:start-time`, and whether that process lives. Never trusts a bare pid: they are used again.

The host part names one space of process ids: containers may share a host name, and a machine that has started anew has
other processes.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

_CLOCK_SLACK = 2.0
"""Seconds by which two readings of one process's start may differ when the system's clock was set."""


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
    """The holder string of the calling process; its start in seconds since the epoch."""
    import psutil

    return f"{this_host()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def may_live(holder: str) -> bool:
    """False only when it is certain that the holder is gone: a process of this host that no longer runs."""
    host, _, rest = holder.rpartition(":")[0].rpartition(":")
    pid, started = rest, holder.rpartition(":")[2]
    if host != this_host() or not pid.isdecimal():
        return True
    try:
        start = float(started)
    except ValueError:
        return True
    import psutil

    try:
        process = psutil.Process(int(pid))
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - start) <= _CLOCK_SLACK
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
