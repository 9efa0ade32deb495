"""A worker that shows its metrics, in a cluster of its own."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

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
                arguments = ("--repo", repository, "--agent", "shell", "--agent-command", WRITES, "--sandbox", "none")
                done = program("build", tasks, *arguments, "--no-gates", "--json", **shared)
                assert done.code == 0, done.err
                found = metrics(port)
            finally:
                worker.terminate()
                out, err = worker.communicate(timeout=program.patience)
    assert (worker.returncode, err) == (0, ""), out
    assert found["buildwright_builds_finished_total{outcome=succeeded}"] == 1
    assert found["buildwright_attempts_total{agent=shell,result=landed}"] == 2
    assert found["buildwright_queue_latency_seconds_count{action=run-agent}"] == 2
    assert {span.name for span in collector.spans} >= {"build", "run-agent", "land-change"}
    assert len({span.trace for span in collector.spans}) == 1


def metrics(port: int) -> dict[str, float]:
    """What the worker serves, once it does."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                return samples(answer.read())
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.1)
