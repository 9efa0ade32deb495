"""The floor: the least a durable engine can do, plain asyncio and sqlite3 with one commit per completed task. No feature.

SQLite in WAL with synchronous=FULL: a completion is on the disk before any task that needs it starts.
"""

from __future__ import annotations

import asyncio
import heapq
import sqlite3
from collections.abc import Callable
from pathlib import Path

from bench.meter import Meter, Trace, arguments
from bench.workload import SLOTS, WARM_UP, Graph, chain, dependents_of, graph_of, remaining_of


def open_journal(path: Path) -> sqlite3.Connection:
    """The journal of completions, made on first use."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS done (build TEXT, task INTEGER, result TEXT, PRIMARY KEY (build, task))"
    )
    return database


async def run(
    graph: Graph,
    database: sqlite3.Connection,
    build: str,
    slots: int,
    started: Callable[[int], None],
    ended: Callable[[int], None],
) -> int:
    """Run what the journal does not have yet, longest remaining path first; returns how many tasks ran."""
    dependents, remaining = dependents_of(graph), remaining_of(graph)
    finished = {row[0] for row in database.execute("SELECT task FROM done WHERE build = ?", (build,))}
    unmet = [sum(needed not in finished for needed in job.needs) for job in graph]
    ready = [(-remaining[i], i) for i, count in enumerate(unmet) if count == 0 and i not in finished]
    heapq.heapify(ready)
    running: set[asyncio.Task[int]] = set()
    ran = 0

    async def work(i: int) -> int:
        started(i)
        if graph[i].seconds:
            await asyncio.sleep(graph[i].seconds)
        ended(i)
        return i

    while ready or running:
        while ready and len(running) < slots:
            running.add(asyncio.create_task(work(heapq.heappop(ready)[1])))
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            i = task.result()
            database.execute("INSERT INTO done VALUES (?, ?, ?)", (build, i, "ok"))
            ran += 1
            for d in dependents[i]:
                unmet[d] -= 1
                if unmet[d] == 0:
                    heapq.heappush(ready, (-remaining[d], d))
    return ran


async def main() -> None:
    given = arguments()
    graph = graph_of(given.workload, given.n)
    meter = Meter("floor", sqlite3.sqlite_version, given.workload, given.n or len(graph))
    database = open_journal(given.state / "floor.db")

    def began(_: int) -> None:
        meter.began()

    def nothing(_: int) -> None:
        return

    if given.workload == "w4":
        trace = Trace(given.state / "trace")
        ran = await run(graph, database, "measured", 1, trace.started, trace.ended)
    else:
        await run(chain(WARM_UP), database, "warm-up", 1, began, nothing)
        slots = SLOTS if given.workload == "w3" else len(graph)
        meter.start()
        ran = await run(graph, database, "measured", slots, began, nothing)
        meter.stop()
    meter.report(ran)


if __name__ == "__main__":
    asyncio.run(main())
