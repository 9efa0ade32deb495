"""No-op tasks per second over 1, 2 and 4 workers, beside bare asyncpg and Celery alone; and whose processor time it takes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import redis

from bench.cluster import floor
from bench.cluster.stage import LOOK_SECONDS, PATIENCE, Stage
from bench.measure import ROOT
from bench.workload import Job
from buildwright.core.limits import Limits

SLOTS = 4
"""Of each worker; a worker of the floor has as many connections, one of Celery as many threads."""
CONCURRENCY = 32
"""Actions of one build that are wanted at once: more than four workers have slots."""


async def ours(stage: Stage, workers: int, builds: int, tasks: int) -> dict[str, Any]:
    """`builds` builds at once of `tasks` tasks each that need nothing, from before the first is made to the end of all."""
    graph, limits = tuple(Job(0.0, ()) for _ in range(tasks)), Limits(concurrency=CONCURRENCY)
    async with stage.cluster(workers, SLOTS) as cluster:
        before, began = stage.cpu(cluster.workers), time.perf_counter()
        started = await asyncio.gather(*(cluster.start(graph, limits) for _ in range(builds)))
        await cluster.finish(*started)
        seconds, after = time.perf_counter() - began, stage.cpu(cluster.workers)
    cores = {name: (after[name] - before[name]) / seconds for name in after}
    return _rate("buildwright", workers, builds, tasks, seconds) | {"cores": cores}


async def bare(stage: Stage, workers: int, tasks: int) -> dict[str, Any]:
    """The same number of jobs by bare asyncpg: take and end, two commits."""
    url, _ = await stage.addresses()
    await floor.prepare(url)
    argv = [sys.executable, "-m", "bench.cluster.floor", url, str(SLOTS)]
    with _processes(workers, argv, os.environ.copy(), Path(os.devnull)):
        connection = await asyncpg.connect(url)
        try:
            await _all_done(url, connection, 1, 20 * workers)  # everybody is there and warm
            await asyncio.sleep(0.5)
            began = time.perf_counter()
            await _all_done(url, connection, 1_000_000, tasks)
            return _rate("bare asyncpg", workers, 1, tasks, time.perf_counter() - began)
        finally:
            await connection.close()


async def _all_done(url: str, connection: asyncpg.Connection, first: int, tasks: int) -> None:
    deadline = time.monotonic() + PATIENCE
    await floor.post(url, first, tasks)
    while await floor.left(connection):
        if time.monotonic() > deadline:
            raise SystemExit("the floor did not finish")
        await asyncio.sleep(LOOK_SECONDS)


async def celery_alone(stage: Stage, folder: Path, workers: int, tasks: int) -> dict[str, Any]:
    """The same number of tasks by Celery alone, acknowledged late."""
    _, url = await stage.addresses()
    environment = {**os.environ, "BENCH_REDIS_URL": url, "BENCH_TRACE": str(folder / "trace")}
    with _processes(workers, celery_argv("threads", SLOTS), environment, folder / "celery.log"):
        await asyncio.to_thread(_send, url, 20 * workers)
        await asyncio.sleep(1.0)
        began = time.perf_counter()
        await asyncio.to_thread(_send, url, tasks)
        return _rate("Celery alone", workers, 1, tasks, time.perf_counter() - began)


def celery_argv(pool: str, concurrency: int) -> list[str]:
    """The command of a worker of Celery alone."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=CRITICAL")
    app = ("-A", "bench.cluster.celery_alone", "worker", "-n", f"bench{time.monotonic_ns()}@%h")
    return [sys.executable, "-m", "celery", *app, "-P", pool, "-c", str(concurrency), *quiet]


def _send(url: str, tasks: int) -> None:
    """Send tasks, and wait until all are acknowledged."""
    from celery import Celery

    queue = redis.Redis.from_url(url)
    with Celery("sender", broker=url, set_as_current=False) as app, app.producer_or_acquire() as producer:
        for _ in range(tasks):
            app.send_task("noop", producer=producer, ignore_result=True)
    deadline = time.monotonic() + PATIENCE
    while queue.llen("celery") or queue.hlen("unacked"):
        if time.monotonic() > deadline:
            raise SystemExit("Celery did not finish")
        time.sleep(LOOK_SECONDS)
    queue.close()


@contextmanager
def _processes(count: int, argv: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """That many processes, killed at the end."""
    with log.open("ab") as sink:
        started = [
            subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=sink, stderr=sink, start_new_session=True)
            for _ in range(count)
        ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def _rate(who: str, workers: int, builds: int, tasks: int, seconds: float) -> dict[str, Any]:
    return {"who": who, "workers": workers, "builds": builds, "rate": builds * tasks / seconds}


async def measure(stage: Stage, folder: Path, *, tiny: bool) -> list[dict[str, Any]]:
    """One round."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks, each, most = (20, 5, 2) if tiny else (500, 100, 4)
    rows: list[dict[str, Any]] = []
    for workers in (1, 2, 4)[: 1 if tiny else 3]:
        rows.append(await bare(stage, workers, 4 * tasks))
        rows.append(await celery_alone(stage, folder, workers, tasks))
        rows.append(await ours(stage, workers, 1, tasks))
        rows.append(await ours(stage, workers, most * 2, each))
    return rows
