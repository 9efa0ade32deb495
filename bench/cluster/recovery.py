"""How long an action lies after its worker has gone, until another begins it; Celery alone and DBOS beside it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import measure as runs
from bench.cluster.stage import LOOK_SECONDS, Cluster, Stage, until
from bench.cluster.throughput import celery_argv
from bench.contestants import Contestant
from bench.meter import traced
from bench.workload import CRASH_CHAIN, Job
from buildwright.core.limits import Limits
from buildwright.engine.commands import StopBuild

SHORT, DEFAULT = 1.0, 30.0
"""Heartbeats in seconds; a lease lasts three of them."""
VISIBLE_SECONDS = 3
"""Celery's visibility timeout: as long as our short leases. Celery's own default is an hour."""


async def killed(stage: Stage, times: int) -> list[float]:
    """kill -9, default heartbeat: the process is known to be dead on its host."""
    async with stage.cluster(2, 1) as cluster:
        return [await _taken_over(cluster, DEFAULT, signal.SIGKILL) for _ in range(times)]


async def silent(stage: Stage, heartbeat: float, times: int) -> list[float]:
    """Stopped in its tracks (SIGSTOP): nobody can know whether it lives, as if its machine were gone; the lease must run out."""
    async with stage.cluster(2, 1) as cluster:
        return [await _taken_over(cluster, heartbeat, signal.SIGSTOP) for _ in range(times)]


async def _taken_over(cluster: Cluster, heartbeat: float, blow: signal.Signals) -> float:
    limits = Limits(concurrency=1, heartbeat_seconds=heartbeat, task_seconds=3600)
    build_id = await cluster.start((Job(1800.0, ()),), limits, agent="sleep")
    holder = await _holder(cluster, build_id, but="")
    await asyncio.sleep(0.37)
    victim = next(worker for worker in cluster.workers if worker.pid == int(holder.split(":")[1]))
    victim.process.send_signal(blow)
    struck = time.time()
    await _holder(cluster, build_id, but=holder)
    seconds = time.time() - struck
    victim.process.kill()
    victim.process.wait()
    await cluster.app.ask(build_id, StopBuild())
    await cluster.at_work(1, 1)
    return seconds


async def _holder(cluster: Cluster, build_id: str, but: str) -> str:
    """Who has the build's only action, once it is somebody else than `but`."""
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        rows = await cluster.builds.board(build_id)
        if rows and rows[0].live and rows[0].holder != but:
            return rows[0].holder
        await asyncio.sleep(LOOK_SECONDS)
    raise SystemExit("nobody took the action up")


async def celery_alone(stage: Stage, folder: Path, times: int) -> list[float]:
    """kill -9 of a worker whose task is not acknowledged, until another worker begins that task."""
    from celery import Celery

    seconds = []
    for number in range(times):
        _, url = await stage.addresses()
        trace = folder / f"celery-trace-{number}"
        workers = [_celery_worker(url, trace) for _ in range(2)]
        try:
            with Celery("sender", broker=url, set_as_current=False) as app:
                app.send_task("nap", (600,), ignore_result=True)
            await until(lambda path=trace: len(traced(path)) == 1, "Celery did not begin")
            await asyncio.sleep(1.0)
            victim = next(worker for worker in workers if worker.pid == traced(trace)[0][1])
            victim.kill()
            struck = time.time()
            await until(lambda path=trace: len(traced(path)) == 2, "Celery did not deliver again")
            seconds.append(traced(trace)[1][2] - struck)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    return seconds


def _celery_worker(url: str, trace: Path) -> subprocess.Popen[bytes]:
    given = {"BENCH_REDIS_URL": url, "BENCH_TRACE": str(trace), "BENCH_VISIBILITY": str(VISIBLE_SECONDS)}
    silence = subprocess.DEVNULL
    return subprocess.Popen(
        celery_argv("solo", 1), cwd=runs.ROOT, env={**os.environ, **given}, stdout=silence, stderr=silence
    )


async def dbos(stage: Stage, contestant: Contestant, times: int) -> list[float]:
    """kill -9 in the middle of a chain; the same command again at once, until its next step begins. On PostgreSQL."""
    seconds = []
    for _ in range(times):
        url, _ = await stage.addresses()
        on_postgres = replace(contestant, env={**contestant.env, "BENCH_DATABASE_URL": url})
        result = await asyncio.to_thread(runs.measure, on_postgres, "w4", 0, CRASH_CHAIN // 2)
        seconds.append(float(result["first_task_seconds"]))
    return seconds


async def measure(stage: Stage, folder: Path, peer: Contestant | None, *, tiny: bool, long: bool) -> dict[str, Any]:
    """One round; with `long` also the default lease and Celery, which take over a minute, at the same time as the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting = asyncio.gather(silent(stage, DEFAULT, 1), celery_alone(stage, folder, 1)) if long else None
    found = {"killed": await killed(stage, 1 if tiny else 5)}
    found["silent, short lease"] = await silent(stage, SHORT, 1 if tiny else 3)
    if peer is not None and not tiny:
        found["DBOS"] = await dbos(stage, peer, 2)
    if waiting is not None:
        found["silent, default lease"], found["Celery alone"] = await waiting
    return found
