"""Finds and ends processes that a killed process of ours left running, by the mark of its commands.

Must never touch a process without such a mark, of another home, or whose owner lives. A command in bubblewrap needs no
mark: it dies with its owner.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from buildwright.ports import Leftover
from buildwright.process_table import is_abandoned, pid_namespace, start_of, stat_of
from buildwright.sandbox.processes import children_of, environment_of, send

_MOST_ROUNDS = 50
_PATIENCE_SECONDS = 5.0
_ROUND_SECONDS = 0.005


def end_orphans(home: str) -> int:
    """Kill what commands of dead owners of this home left running; return the number of processes.

    `home` is the tag that their sandbox was given. Blocks for some milliseconds.
    """
    stopped: set[int] = set()
    for _ in range(_MOST_ROUNDS):
        # Stopped first, then searched again, so that none can start another one unseen.
        fresh = _orphans({home}) - stopped
        if not fresh:
            break
        for pid in fresh:
            send(pid, signal.SIGSTOP)
        stopped |= fresh
    for pid in stopped:
        send(pid, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any(_lives(pid) for pid in stopped) and time.monotonic() < deadline:
        time.sleep(_ROUND_SECONDS)
    return len(stopped)


def orphans(homes: Collection[str]) -> dict[int, Leftover]:
    """Return what `end_orphans` would end for these homes, by process id. Empty where there is no /proc."""
    described = {pid: _described(pid) for pid in sorted(_orphans(homes))}
    return {pid: left for pid, left in described.items() if left is not None}


def _described(pid: int) -> Leftover | None:
    """Return a description for `doctor`; None when the process has ended meanwhile."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        since = datetime.fromtimestamp(Path(f"/proc/{pid}").stat().st_mtime, UTC)
    except OSError:
        return None
    return Leftover("a process that a killed run has left", f"process {pid}: {words[:120]}", since, 0)


def _orphans(homes: Collection[str]) -> set[int]:
    """Return marked processes whose owner is dead, all processes of their sessions, and all descendants."""
    begins, mine = f"{pid_namespace()}/".encode(), os.getsid(0)
    sessions: dict[int, int] = {}
    found: set[int] = set()
    for pid in _all():
        stat = stat_of(pid)
        if stat is None or stat.has_ended or stat.session == mine:
            continue  # our own session: Buildwright may itself run as the agent's command of another Buildwright
        sessions[pid] = stat.session
        values = (entry.partition(b"=")[2] for entry in environment_of(pid))
        marks = (value for value in values if value.startswith(begins))
        if any(is_abandoned(mark.decode("ascii", "replace"), homes) for mark in marks):
            found.add(pid)
    # Each command leads a session of its own, so every process in a session with a marked one belongs to it.
    theirs = {sessions[pid] for pid in found}
    waiting = [pid for pid, session in sessions.items() if pid in found or session in theirs]
    found.update(waiting)
    while waiting:
        for child in children_of(waiting.pop()):
            if child not in found and _lives(child):
                found.add(child)
                waiting.append(child)
    return found


def _all() -> list[int]:
    if not Path("/proc").is_dir():
        return []
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _lives(pid: int) -> bool:
    return start_of(pid) != ""
