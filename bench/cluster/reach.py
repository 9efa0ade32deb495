"""How long a word of the user takes: from `stop`, `say`, `pause` and `resume` on the command line to what they are for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil

from bench.cluster.stage import Cluster, Stage, until
from bench.workload import Job
from buildwright.core.limits import Limits

WORKERS, SLOTS = 4, 2
QUIET = 1.5
"""Seconds after a pause within which a start would be noticed."""


async def measure(stage: Stage, *, tiny: bool) -> dict[str, list[float]]:
    """One round: seconds from the return of the command (0: before it had returned)."""
    times = 1 if tiny else 10
    async with stage.cluster(WORKERS, SLOTS) as cluster:
        found = await _say_and_stop(cluster, times)
        return found | await _pause_and_resume(cluster, times)


async def _say_and_stop(cluster: Cluster, times: int) -> dict[str, list[float]]:
    """A shell agent notes its number and where it is told things; it hears in its file, and ends with its process."""
    heard, ended = [], []
    for number in range(times):
        note = cluster.folder / f"note{number}"
        command = f'echo "$$ $BUILDWRIGHT_MESSAGES_FILE" > {note}.new; mv {note}.new {note}; exec sleep 600'
        build_id = await cluster.start(
            (Job(0.0, ()),), Limits(task_seconds=900), agent="shell", agent_command=command, sandbox="none"
        )
        await until(note.exists, "the agent did not begin")
        pid, messages = note.read_text().split()
        heard.append(await _after(cluster, ("say", build_id, "hurry"), lambda: _size(messages) > 0))
        ended.append(await _after(cluster, ("stop", build_id, "--yes"), lambda: not psutil.pid_exists(int(pid))))
    return {"say, to the agent's ear": heard, "stop, to the agent's end": ended}


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


async def _after(cluster: Cluster, argv: tuple[str, ...], so: Callable[[], bool]) -> float:
    await asyncio.to_thread(cluster.cli, *argv)
    returned = time.time()
    return max(await until(so, f"{argv[0]} came to nothing") - returned, 0.0) if not so() else 0.0


async def _pause_and_resume(cluster: Cluster, times: int) -> dict[str, list[float]]:
    """A build of many short tasks: the last one that begins after `pause`, the first one after `resume`."""
    tasks = tuple(Job(0.05, ()) for _ in range(200 * times + 200))
    build_id = await cluster.start(tasks, Limits(concurrency=8), agent="sleep")
    last, first = [], []
    for _ in range(times):
        seen = len(cluster.taken(build_id))
        await until(lambda least=seen: len(cluster.taken(build_id)) > least + 4, "the build does not go on")
        await asyncio.to_thread(cluster.cli, "pause", build_id)
        paused = time.time()
        await asyncio.sleep(QUIET)
        last.append(max(max(_starts(cluster, build_id)) - paused, 0.0))
        await asyncio.to_thread(cluster.cli, "resume", build_id, "--detach")
        resumed = time.time()
        seen = len(cluster.taken(build_id))
        if seen == len(_starts(cluster, build_id, before=paused + QUIET)):
            await until(lambda least=seen: len(cluster.taken(build_id)) > least, "the build was not resumed")
        first.append(max(min(at for at in _starts(cluster, build_id) if at > paused + QUIET) - resumed, 0.0))
    await cluster.app.stop(build_id)
    return {"pause, to the last start": last, "resume, to the next start": first}


def _starts(cluster: Cluster, build_id: str, before: float = float("inf")) -> list[float]:
    starts = [datetime.fromisoformat(entry["timestamp"]).timestamp() for entry in cluster.taken(build_id)]
    return [at for at in starts if at < before]
