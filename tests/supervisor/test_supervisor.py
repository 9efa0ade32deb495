from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from buildwright.settings import Settings
from buildwright.supervisor.processes import ProcessId, ended, find_marked, identify, send
from buildwright.supervisor.state import load
from buildwright.supervisor.supervisor import (
    LOG,
    MARK,
    STATE,
    ClusterSize,
    Supervisor,
    is_settled,
    request_size,
    start_supervisor,
    supervisor_of,
)
from tests.servers import PostgresServer, RedisServer
from tests.services import ROOT


class Cluster:
    """A cluster with stand-ins for workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres, self.redis = PostgresServer(folder / "postgres"), RedisServer(folder / "redis")

    async def up(self, size: ClusterSize, kind: str = "sleeps") -> ProcessId:
        request_size(self.folder, size)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        supervisor = start_supervisor(
            self.folder, environment, [sys.executable, "-m", "tests.supervisor.standing", str(self.folder), kind]
        )
        await self.until(lambda state: state["keeper"][0] == supervisor.pid and state["phase"] == "up")
        if kind != "dies":
            await self.until(lambda state: is_settled(state, size))
        return supervisor

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                state = load(self.folder / STATE)
                if state and condition(state):
                    return state
                await asyncio.sleep(0.05)

    def pids(self) -> dict[str, int]:
        """Everything that is kept, by name."""
        state = load(self.folder / STATE) or {}
        workers = {name: worker["pid"] for name, worker in state["workers"].items()}
        return workers | {"postgres": self.postgres.process().pid, "redis": self.redis.process().pid}

    def workers(self) -> list[int]:
        """What really runs, whatever the supervisor believes."""
        folders = (self.folder / "workers").glob("*/")
        return sorted(process.pid for folder in folders for process in find_marked(f"{MARK}={folder}"))

    def log(self) -> str:
        return (self.folder / LOG).read_text("utf-8")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    cluster = Cluster(tmp_path / "a home with blanks" / "cluster")
    cluster.folder.mkdir(parents=True)
    yield cluster
    supervisor = supervisor_of(cluster.folder)
    if supervisor is not None:
        send(supervisor, signal.SIGQUIT)
        assert await ended(supervisor, 30)
    await Supervisor(cluster.folder, {}, lambda *_: [], lambda _: None).end(at_once=True)
    assert cluster.workers() == []
    assert not cluster.postgres.alive()
    assert not cluster.redis.alive()


async def test_whatever_is_killed_comes_back_and_the_data_is_kept(cluster: Cluster) -> None:
    supervisor = await cluster.up(ClusterSize(workers=2, slots=3))
    connection = await asyncpg.connect(cluster.postgres.url())
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS a")
    await connection.close()
    for name in ("postgres", "redis", "w1"):
        before = cluster.pids()
        os.kill(before[name], signal.SIGKILL)
        await cluster.until(lambda _, name=name, pid=before[name]: cluster.pids()[name] != pid)  # type: ignore[misc]
        await cluster.until(lambda state: is_settled(state, ClusterSize(2, 3)))
        after = cluster.pids()
        assert {each for each in before if before[each] != after[each]} == {name}
        assert cluster.postgres.alive() and cluster.redis.alive()  # noqa: PT018 - one statement of two halves
    connection = await asyncpg.connect(cluster.postgres.url())
    assert await connection.fetchval("SELECT a FROM kept") == 7
    await connection.close()
    assert supervisor.alive
    for line in ("PostgreSQL has ended", "Redis has ended", "has ended by signal 9"):
        assert line in cluster.log()

    state = load(cluster.folder / STATE) or {}
    assert (cluster.folder / STATE).stat().st_mode & 0o777 == 0o600
    environment = psutil.Process(cluster.pids()["w1"]).environ()
    assert environment["DATABASE_URL"] == state["database_url"] == cluster.postgres.url()
    assert environment["REDIS_URL"] == state["redis_url"] == cluster.redis.url()
    assert environment["BUILDWRIGHT_HUB"] == state["hub"]
    assert environment["BUILDWRIGHT_HOME"] == str(cluster.folder / "workers" / "w1")
    secrets = [url.partition("@")[0].rpartition(":")[2] for url in (state["database_url"], state["redis_url"])]
    logs = "".join(path.read_text("utf-8", "replace") for path in cluster.folder.rglob("*.log"))
    shown = [" ".join(psutil.Process(pid).cmdline()) for pid in (*cluster.pids().values(), supervisor.pid)]
    assert not [secret for secret in secrets if secret in logs or any(secret in line for line in shown)]

    settings = Settings.load({"BUILDWRIGHT_HOME": str(cluster.folder.parent)}, cluster.folder)
    assert (settings.database_url, settings.redis_url, settings.hub) == (
        state["database_url"],
        state["redis_url"],
        state["hub"],
    )
    assert not [secret for secret in secrets if secret in repr(settings)]


async def test_a_killed_supervisor_is_followed_by_one_that_adopts_everything(cluster: Cluster) -> None:
    first = await cluster.up(ClusterSize(workers=2))
    before = cluster.pids()
    os.kill(first.pid, signal.SIGKILL)
    assert await ended(first, 10)
    assert all(identify(pid).alive for pid in before.values())
    assert supervisor_of(cluster.folder) is None

    second = await cluster.up(ClusterSize(workers=2))
    assert cluster.pids() == before
    connection = await asyncpg.connect(cluster.postgres.url())
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS a")
    await connection.close()
    assert cluster.workers() == sorted([before["w1"], before["w2"]])

    third = subprocess.run(
        [sys.executable, "-m", "tests.supervisor.standing", str(cluster.folder), "sleeps"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        check=False,
        text=True,
    )
    assert third.returncode == 7
    assert "another supervisor already runs" in third.stdout

    send(second, signal.SIGTERM)
    assert await ended(second, 30)
    assert not any(identify(pid).alive for pid in before.values())
    assert not (cluster.folder / STATE).exists()
    assert Settings.load({"BUILDWRIGHT_HOME": str(cluster.folder.parent)}, cluster.folder).database_url == ""

    await cluster.up(ClusterSize(workers=1))
    connection = await asyncpg.connect(cluster.postgres.url())
    assert await connection.fetchval("SELECT a FROM kept") == 7
    await connection.close()


async def test_adopted_workers_start_anew_when_a_server_has_moved(cluster: Cluster) -> None:
    supervisor = await cluster.up(ClusterSize(workers=1))
    before, port = cluster.pids(), cluster.postgres.record.port
    for process in (supervisor, cluster.postgres.process()):
        send(process, signal.SIGKILL)
        assert await ended(process, 10)
    with socket.create_server(("127.0.0.1", port)):
        await cluster.up(ClusterSize(workers=1))
    after = cluster.pids()
    assert cluster.postgres.record.port != port
    assert {name for name in before if before[name] != after[name]} == {"postgres", "w1"}
    assert psutil.Process(after["w1"]).environ()["DATABASE_URL"] == cluster.postgres.url()


async def test_more_and_fewer_workers(cluster: Cluster) -> None:
    await cluster.up(ClusterSize(workers=1))
    first = cluster.workers()
    request_size(cluster.folder, ClusterSize(workers=3))
    await cluster.until(lambda state: is_settled(state, ClusterSize(3)))
    assert set(first) < set(cluster.workers())
    assert len(cluster.workers()) == 3
    request_size(cluster.folder, ClusterSize(workers=1))
    await cluster.until(lambda state: is_settled(state, ClusterSize(1)))
    assert cluster.workers() == first
    request_size(cluster.folder, ClusterSize(workers=1, slots=5))
    await cluster.until(lambda state: is_settled(state, ClusterSize(1, 5)))
    assert len(cluster.workers()) == 1
    assert cluster.workers() != first


async def test_a_worker_that_cannot_live_is_tried_less_and_less_often(cluster: Cluster) -> None:
    await cluster.up(ClusterSize(workers=1), kind="dies")
    state = await cluster.until(lambda state: state["workers"]["w1"]["deaths"] >= 3)
    assert state["phase"] == "up"
    assert 2 <= cluster.log().count("has ended with exit code 3") <= state["workers"]["w1"]["deaths"]
    assert cluster.postgres.alive()


async def test_at_once_does_not_wait_for_workers_that_stay(cluster: Cluster) -> None:
    supervisor = await cluster.up(ClusterSize(workers=2), kind="stays")
    send(supervisor, signal.SIGTERM)
    await cluster.until(lambda state: state["phase"] == "stopping")
    assert len(cluster.workers()) == 2
    send(supervisor, signal.SIGQUIT)
    assert await ended(supervisor, 15)
    assert cluster.workers() == []
    assert not cluster.postgres.alive()
