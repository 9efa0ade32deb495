"""Reads the system's process table (proc(5)). Must never change a process, or trust a bare pid: pids are reused."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple


class ProcessStat(NamedTuple):
    """The entry of one process. `start` is in clock ticks since the boot, which setting the clock does not change."""

    state: str
    """One letter, such as `R`, `S`, `T` (stopped), `Z` (dead, not reaped)."""
    parent: int
    session: int
    start: str

    @property
    def has_ended(self) -> bool:
        """Whether the process is dead and only waits to be reaped."""
        return self.state in "ZX"


def stat_of(pid: int) -> ProcessStat | None:
    """Return the entry of a process; None when it does not exist, or without /proc."""
    try:
        # The program's name is in parentheses and may itself hold spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return ProcessStat(fields[0], int(fields[1]), int(fields[3]), fields[19])


def start_of(pid: int) -> str:
    """Return the start of a living process in clock ticks since the boot, "" when it has ended."""
    stat = stat_of(pid)
    return "" if stat is None or stat.has_ended else stat.start


def pid_namespace() -> str:
    """Return the namespace of our pids, "-" without /proc: in a container the same pid is another process."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "-"


def new_mark(home: str) -> str:
    """Return a mark for one command: its owner (namespace, process id, start in ticks), its home, and a random part.

    `home` is the tag of the home whose later processes may end what the command leaves.
    """
    owner = f"{pid_namespace()}/{os.getpid()}/{start_of(os.getpid()) or '-'}"
    return f"{owner}/{home}/{secrets.token_hex(8)}"


def is_abandoned(mark: str, homes: Collection[str]) -> bool:
    """Return whether a mark is of one of these homes, and of an owner that is dead."""
    match mark.split("/"):
        case [namespace, pid, start, home, _] if namespace == pid_namespace() and home in homes and pid.isdecimal():
            return start_of(int(pid)) != start
        case _:
            return False
