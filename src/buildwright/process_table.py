"""Reads the system's process table (proc(5)). Must never change a process, or trust a bare pid: pids are reused."""

from __future__ import annotations

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
