"""PostgreSQL, Redis and worker processes for one measurement, below one folder, gone at the end. Measures nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import asyncpg
import psutil

from bench.buildwright_core import spec_of
from bench.workload import Graph, Job
from buildwright.core.limits import Delivery, Limits, Options
from buildwright.engine.commands import NewBuild
from buildwright.settings import Settings
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.supervisor.servers import POSTGRES, REDIS, LocalServer
from buildwright.wiring import App, open_app

PATIENCE = 120.0
"""Seconds after which something that was waited for counts as failed."""
LOOK_SECONDS = 0.005
_JOB = Job(0.0, ())


@dataclass(slots=True)
class Worker:
    """A worker process: its home has its log."""

    process: subprocess.Popen[bytes]
    home: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self, event: str) -> Iterator[dict[str, Any]]:
        """What the worker has logged under that name."""
        for line in (self.home / "log").read_text(errors="replace").splitlines():
            if f'"{event}"' in line:
                entry = json.loads(line)
                if entry.get("event") == event:
                    yield entry

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it and all it has started; by SIGKILL if it takes too long. Harmless when it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


@dataclass(slots=True)
class Cluster:
    """A database, a Redis and a hub of their own, used by an App in this process and by workers in theirs."""

    folder: Path
    environment: dict[str, str]
    app: App
    workers: list[Worker] = field(default_factory=list)

    @property
    def builds(self) -> PostgresBuilds:
        return cast("PostgresBuilds", self.app.builds)

    def spawn(self, slots: int) -> Worker:
        """One more worker; it may not listen yet."""
        number = len(self.workers)
        home = self.folder / f"w{number}"
        home.mkdir(parents=True)
        environment = {**self.environment, "BUILDWRIGHT_HOME": str(home)}
        argv = [sys.executable, "-m", "buildwright", "worker", "--slots", str(slots), "--name", f"w{number}"]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(argv, cwd=home, env=environment, stdout=log, stderr=log)
        worker = Worker(process, home)
        self.workers.append(worker)
        return worker

    async def at_work(self, count: int, slots: int) -> None:
        """Let `count` workers begin; returns when each has taken part in a build."""
        fresh = [self.spawn(slots) for _ in range(count)]
        await until(lambda: all(_spoke(worker) for worker in fresh), "a worker did not begin")
        # Each has to import what an action takes before it is measured, and to connect.
        while not all(any(worker.log("taken")) for worker in fresh):
            await self.finish(await self.start(tuple(_JOB for _ in range(4 * count * slots)), Limits(concurrency=64)))

    async def start(self, graph: Graph, limits: Limits, agent: str = "noop", **more: Any) -> str:
        """A new build without lanes; returns its id."""
        delivery = Delivery(kind="none")
        options = Options(agent=agent, lanes=False, gates=False, delivery=delivery, limits=limits, **more)
        return await self.app.start(NewBuild(spec_of(graph), options))

    async def finish(self, *build_ids: str) -> None:
        """Wait until builds have finished. Raises SystemExit when one does not, or not well."""
        deadline = time.monotonic() + PATIENCE
        for build_id in build_ids:
            while True:
                (row,) = await self.builds.rows(1, build_id)
                if row.control in {"finished", "stopped"}:
                    break
                if row.control == "paused" or time.monotonic() > deadline:
                    raise SystemExit(f"build {build_id} did not finish: {row.control}")
                await asyncio.sleep(LOOK_SECONDS)
            if row.outcome != "succeeded":
                raise SystemExit(f"build {build_id} ended as {row.outcome}")

    def taken(self, build_id: str) -> list[dict[str, Any]]:
        """What the workers have logged of actions of a build that they took, worker by worker."""
        return [entry for worker in self.workers for entry in worker.log("taken") if entry["executionId"] == build_id]

    def cli(self, *argv: str) -> tuple[float, str]:
        """Seconds and output of a command as a user types it. Raises SystemExit when it fails."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "buildwright", *argv]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(f"buildwright {' '.join(argv)}: {done.stdout}{done.stderr}")
        return seconds, done.stdout

    def end_workers(self) -> None:
        """End all workers, so that what they have is let go."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.terminate()
                worker.process.send_signal(signal.SIGCONT)
        for worker in self.workers:
            worker.end()


class Stage:
    """The servers, which several clusters use in turn."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres, self._redis = LocalServer(folder / "postgres", POSTGRES), LocalServer(folder / "redis", REDIS)
        self._urls = ("", "")
        self._numbers = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def raised(cls, folder: Path) -> AsyncIterator[Stage]:
        """Start the servers below `folder`, durable as `cluster up` has them; stop them at the end."""
        stage = cls(folder)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            stage._urls = await stage._postgres.start(), await stage._redis.start()
            yield stage
        finally:
            await stage._redis.stop(at_once=True)
            await stage._postgres.stop(at_once=True)
            shutil.rmtree(folder, ignore_errors=True)

    async def addresses(self) -> tuple[str, str]:
        """An empty database, and a database of Redis that nobody uses."""
        number = next(self._numbers)
        connection = await asyncpg.connect(self._urls[0])
        try:
            await connection.execute(f"CREATE DATABASE bench{number}")
        finally:
            await connection.close()
        database, redis = (url.rpartition("/")[0] for url in self._urls)
        return f"{database}/bench{number}", f"{redis}/{number % 64}"

    @asynccontextmanager
    async def cluster(self, workers: int = 0, slots: int = 4) -> AsyncIterator[Cluster]:
        """A fresh cluster with that many workers, warm."""
        database, redis = await self.addresses()
        folder = self._folder / database.rpartition("/")[2]
        folder.mkdir()
        hub = folder / "hub.git"
        await asyncio.to_thread(subprocess.run, ["git", "init", "-q", "--bare", str(hub)], check=True)
        environment = {
            **os.environ,
            "BUILDWRIGHT_HOME": str(folder / "home"),
            "BUILDWRIGHT_HUB": str(hub),
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "NO_COLOR": "1",
        }
        async with open_app(Settings.load(environment=environment, directory=folder)) as app:
            cluster = Cluster(folder, environment, app)
            try:
                await cluster.at_work(workers, slots)
                yield cluster
            finally:
                await asyncio.to_thread(cluster.end_workers)

    def cpu(self, workers: Sequence[Worker] = ()) -> dict[str, float]:
        """Processor seconds so far: of the workers, of PostgreSQL, of Redis, of this process."""
        return {
            "workers": sum(_cpu(worker.pid) for worker in workers),
            "postgresql": _cpu(self._postgres.process.pid),
            "redis": _cpu(self._redis.process.pid),
            "driver": _cpu(os.getpid(), alone=True),
        }


def _cpu(pid: int, *, alone: bool = False) -> float:
    process = psutil.Process(pid)
    family = [process] if alone else [process, *process.children(recursive=True)]
    total = 0.0
    for one in family:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if not alone:
            total += times.children_user + times.children_system
    return total


async def until(so: Callable[[], bool], otherwise: str) -> float:
    """The time (`time.time()`) at which something became so. Raises SystemExit when it does not."""
    deadline = time.monotonic() + PATIENCE
    while not so():
        if time.monotonic() > deadline:
            raise SystemExit(otherwise)
        await asyncio.sleep(LOOK_SECONDS)
    return time.time()


def _spoke(worker: Worker) -> bool:
    if worker.process.poll() is not None:
        raise SystemExit(f"a worker ended: {(worker.home / 'log').read_text(errors='replace')[-1500:]}")
    return any(worker.log("begins"))
