"""Prefect on the workloads, with its defaults and the server it starts itself. Run by its own environment.

NOT durable in this mode: a task's state goes to the server over a socket and is written later, and a second run of the
flow starts over. `recorded_at_return` in the result counts the tasks whose end was in the database when the flow returned.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path
from threading import Semaphore

from bench.meter import Meter, Trace, arguments
from bench.workload import SLOTS, WARM_UP, Graph, chain, graph_of

given = arguments()
TEMPLATE = os.environ.get("BENCH_PREFECT_HOME", "")
if TEMPLATE and not (given.state / "prefect.db").exists():
    # The very first start migrates a database for half a minute; nobody pays that twice, so it is not measured.
    shutil.copytree(TEMPLATE, given.state, dirs_exist_ok=True)
os.environ.update(
    PREFECT_HOME=str(given.state),
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="true",
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="180",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_LOGGING_LEVEL="ERROR",
    PREFECT_LOGGING_TO_API_ENABLED="false",
    DO_NOT_TRACK="1",
)

from prefect import __version__, flow, task  # noqa: E402  (reads the environment when imported)
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

measured = graph_of(given.workload, given.n)
meter = Meter("prefect", __version__, given.workload, given.n or len(measured))
trace = Trace(given.state / "trace") if given.workload == "w4" else None
free = Semaphore(SLOTS)


@task
def step(i: int, seconds: float, needs: list[int]) -> int:  # noqa: ARG001  (Prefect orders tasks by what they are given)
    with free:
        meter.began()
        if trace:
            trace.started(i)
        if seconds:
            time.sleep(seconds)
        if trace:
            trace.ended(i)
        return i


@flow
def in_line(graph: Graph) -> int:
    last = 0
    for i, job in enumerate(graph):
        last = step(i, job.seconds, [last])
    return last


def submitted(graph: Graph) -> int:
    futures: list[object] = []
    for i, job in enumerate(graph):
        futures.append(step.submit(i, job.seconds, [futures[needed] for needed in job.needs]))
    return max(future.result() for future in futures)


def recorded(home: Path) -> int:
    """Task runs whose end is in the database now."""
    with sqlite3.connect(home / "prefect.db") as reader:
        return reader.execute("SELECT count(*) FROM task_run WHERE state_type = 'COMPLETED'").fetchone()[0]


def main() -> None:
    if given.workload in {"w1", "w4"}:
        whole = in_line
    else:
        # Waiting tasks sit in pool threads; with 16 threads they would hold the slots, so `free` is the limit instead.
        threads = len(measured) if given.workload == "w3" else SLOTS
        whole = flow(submitted, name="submitted", task_runner=ThreadPoolTaskRunner(max_workers=threads))
    whole = whole.with_options(validate_parameters=False)
    if trace:
        whole(measured)
    else:
        whole(chain(WARM_UP))
        before = recorded(given.state)
        meter.start()
        whole(measured)
        meter.stop()
        meter.extra["recorded_at_return"] = recorded(given.state) - before
    meter.report(len(measured))


if __name__ == "__main__":
    main()
