"""From wanted to taken (D16): how long actions wait for a worker, with nothing else to do and with half of the slots busy."""

from __future__ import annotations

from datetime import datetime

from bench.cluster.stage import Cluster, Stage, until
from bench.workload import Job, chain
from buildwright.core.limits import Limits
from buildwright.engine.commands import StopBuild

WORKERS, SLOTS = 2, 4


async def measure(stage: Stage, *, tiny: bool) -> dict[str, list[float]]:
    """One round: seconds by kind of wait."""
    tasks, builds = (5, 2) if tiny else (60, 20)
    async with stage.cluster(WORKERS, SLOTS) as cluster:
        found = {f"{name}, idle": waits for name, waits in (await _waits(cluster, tasks, builds)).items()}
        busy = tuple(Job(600.0, ()) for _ in range(WORKERS * SLOTS // 2))
        held = await cluster.start(busy, Limits(concurrency=len(busy), task_seconds=900), agent="sleep")
        await until(lambda: len(cluster.taken(held)) == len(busy), "the slots did not fill")
        for name, waits in (await _waits(cluster, tasks, builds)).items():
            found[f"{name}, half busy"] = waits
        await cluster.app.ask(held, StopBuild())
    return found


async def _waits(cluster: Cluster, tasks: int, builds: int) -> dict[str, list[float]]:
    """By the database's clock: in a chain, where a worker goes on by itself, and when a hint must find a worker.

    And from the creation of a build, which sends no hint, to its first action.
    """
    chained = await cluster.start(chain(tasks), Limits())
    await cluster.finish(chained)
    found = {"next of a chain": [float(entry["waited"]) for entry in cluster.taken(chained)], "by a hint": []}
    fresh = []
    for _ in range(builds):
        build_id = await cluster.start(tuple(Job(0.0, ()) for _ in range(3)), Limits())
        await cluster.finish(build_id)
        taken = cluster.taken(build_id)
        found["by a hint"] += [float(entry["waited"]) for entry in taken]
        made = (await cluster.builds.read(build_id, limit=1))[0].at
        first = min(datetime.fromisoformat(entry["timestamp"]) for entry in taken)
        fresh.append((first - made).total_seconds())
    return found | {"new build": fresh}
