"""How long a word of the user takes: `stop`, `say`, `pause` and `resume` on the command line, to what they are for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import psutil

from bench.cluster.stage import Cluster, Stage, until
from bench.workload import Job
from buildwright.core.event import AnyEvent, BuildPaused, BuildResumed, MessageSent, StopRequested
from buildwright.core.limits import Limits
from buildwright.engine.commands import StopBuild

WORKERS, SLOTS = 4, 2
QUIET = 1.5
"""Seconds after a pause within which a start would be noticed."""


async def measure(stage: Stage, *, tiny: bool) -> dict[str, list[tuple[float, float]]]:
    """One round: seconds since the user's word stood in the journal, and since the command had returned (0: not yet)."""
    times = 1 if tiny else 10
    async with stage.cluster(WORKERS, SLOTS) as cluster:
        found = await _say_and_stop(cluster, times)
        return found | await _pause_and_resume(cluster, times)


async def _say_and_stop(cluster: Cluster, times: int) -> dict[str, list[tuple[float, float]]]:
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
        heard.append(await _since(cluster, MessageSent, ("say", build_id, "hurry"), partial(_told, Path(messages))))
        ended.append(await _since(cluster, StopRequested, ("stop", build_id, "--yes"), partial(_gone, int(pid))))
    return {"say, to the agent's ear": heard, "stop, to the agent's end": ended}


def _told(messages: Path) -> bool:
    try:
        return messages.stat().st_size > 0
    except OSError:
        return False


def _gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


async def _since(
    cluster: Cluster, word: type[AnyEvent], argv: tuple[str, ...], so: Callable[[], bool]
) -> tuple[float, float]:
    def command() -> float:
        cluster.cli(*argv)
        return time.time()

    running = asyncio.create_task(asyncio.to_thread(command))
    at = await until(so, f"{argv[0]} came to nothing")
    return _both(at, await _recorded(cluster, argv[1], word), await running)


async def _pause_and_resume(cluster: Cluster, times: int) -> dict[str, list[tuple[float, float]]]:
    """A build of many short tasks: the last one that begins after `pause`, the first one after `resume`."""
    tasks = tuple(Job(0.25, ()) for _ in range(300 * times + 200))
    build_id = await cluster.start(tasks, Limits(concurrency=8), agent="sleep")
    last, first = [], []
    for _ in range(times):
        seen = len(cluster.taken(build_id))
        await until(lambda least=seen: len(cluster.taken(build_id)) > least + 4, "the build does not go on")
        await asyncio.to_thread(cluster.cli, "pause", build_id)
        paused = time.time()
        await asyncio.sleep(QUIET)
        quiet = _starts(cluster, build_id)
        last.append(_both(max(quiet), await _recorded(cluster, build_id, BuildPaused), paused))
        await asyncio.to_thread(cluster.cli, "resume", build_id, "--no-run")
        resumed = time.time()
        seen = len(quiet)
        await until(lambda least=seen: len(cluster.taken(build_id)) > least, "the build was not resumed")
        next_start = _starts(cluster, build_id)[seen]
        first.append(_both(next_start, await _recorded(cluster, build_id, BuildResumed), resumed))
    await cluster.app.ask(build_id, StopBuild())
    return {"pause, to the last start": last, "resume, to the next start": first}


def _both(at: float, recorded: float, returned: float) -> tuple[float, float]:
    return max(at - recorded, 0.0), max(at - returned, 0.0)


async def _recorded(cluster: Cluster, build_id: str, word: type[AnyEvent]) -> float:
    """When the newest event of that kind was recorded."""
    journal = await cluster.builds.read(build_id)
    return max(recorded.at.timestamp() for recorded in journal if isinstance(recorded.event, word))


def _starts(cluster: Cluster, build_id: str) -> list[float]:
    return sorted(datetime.fromisoformat(entry["timestamp"]).timestamp() for entry in cluster.taken(build_id))
