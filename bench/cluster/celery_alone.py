"""Celery over Redis without Buildwright: a task that does nothing and one that sleeps, acknowledged late. Nothing is durable.

Run as `python -m celery -A bench.cluster.celery_alone worker`, with BENCH_REDIS_URL, BENCH_TRACE and BENCH_VISIBILITY (s).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from celery import Celery

from bench.meter import Trace

app = Celery("bench", broker=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": float(os.environ.get("BENCH_VISIBILITY", "3600"))},
)
_trace = Trace(Path(os.environ["BENCH_TRACE"]))


@app.task(name="noop")
def noop() -> None:
    """Nothing."""


@app.task(name="nap")
def nap(seconds: float) -> None:
    """Say which process begins it, then sleep."""
    _trace.started(os.getpid())
    time.sleep(seconds)
