"""A worker that shows its metrics, in a cluster of its own."""

from __future__ import annotations

import asyncio
import socket
import time
import urllib.request
from pathlib import Path

import asyncpg

from tests.cli.conftest import WRITES, Program, write_tasks
from tests.engine.harness import make_repository
from tests.services import fresh_database, redis_of_this_worker
from tests.telemetry.collector import collecting
from tests.telemetry.test_meters import samples


async def test_a_worker_counts_what_it_does_and_tells_of_it(program: Program, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository")
    tasks = write_tasks(program.directory / "tasks.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with fresh_database() as url:
        shared = {
            "DATABASE_URL": url,
            "REDIS_URL": redis_of_this_worker(),
            "BUILDWRIGHT_HUB": str(tmp_path / "hub.git"),
        }
        with collecting() as collector:
            traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
            own = {"BUILDWRIGHT_HOME": str(tmp_path / "worker")}
            worker = program.start("worker", "--json", "--metrics-port", str(port), **shared, **own, **traced)
            try:
                assert metrics(port)["process_start_time_seconds"] > 0
                await signed_on(url)  # a moment after it serves metrics
                arguments = ("--repo", repository, "--agent", "shell", "--agent-command", WRITES, "--sandbox", "none")
                done = program("build", tasks, *arguments, "--no-gates", "--json", **shared)
                assert done.code == 0, done.err
                # The end is in the journal, where the build's command has seen it, before the worker has counted it.
                found = metrics(port, "buildwright_builds_finished_total{outcome=succeeded}")
            finally:
                worker.terminate()
                out, err = worker.communicate(timeout=program.patience)
    assert (worker.returncode, err) == (0, ""), out
    assert found["buildwright_builds_finished_total{outcome=succeeded}"] == 1
    assert found["buildwright_attempts_total{agent=shell,result=landed}"] == 2
    assert found["buildwright_queue_latency_seconds_count{action=run-agent}"] == 2
    assert {span.name for span in collector.spans} >= {"build", "run-agent", "land-change"}
    assert len({span.trace for span in collector.spans}) == 1


async def signed_on(url: str) -> None:
    """Wait until a worker has said that it lives: a build without one is refused at once."""
    connection = await asyncpg.connect(url)
    async with asyncio.timeout(60):
        while not await connection.fetchval("SELECT count(*) FROM workers"):
            await asyncio.sleep(0.1)
    await connection.close()


def metrics(port: int, counted: str = "process_start_time_seconds") -> dict[str, float]:
    """What the worker serves, once it does and `counted` is among it."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                found = samples(answer.read())
            if found.get(counted):
                return found
        except OSError:  # nobody listens yet, or answers in time
            pass
        assert time.monotonic() < deadline, f"{counted} never came"
        time.sleep(0.1)
