"""DBOS on the workloads: one workflow, one durable step per task, SQLite as it sets it up. Run by its own environment.

Step numbers follow the order of the calls, so the script calls the steps in a fixed order and each waits inside its body
for those it needs; otherwise a replay could number them in another way.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from importlib.metadata import version

from dbos import DBOS, SetWorkflowID

from bench.meter import Meter, Trace, arguments
from bench.workload import SLOTS, WARM_UP, Graph, chain, graph_of

given = arguments()
measured = graph_of(given.workload, given.n)
meter = Meter("dbos", version("dbos"), given.workload, given.n or len(measured))
trace = Trace(given.state / "trace") if given.workload == "w4" else None
graphs: dict[str, Graph] = {"warm-up": chain(WARM_UP), "measured": measured}
done: dict[str, list[asyncio.Event]] = {}
free = asyncio.Semaphore(SLOTS if given.workload == "w3" else len(measured))


@DBOS.step()
async def step(name: str, i: int) -> int:
    for needed in graphs[name][i].needs:
        await done[name][needed].wait()
    async with free:
        meter.began()
        if trace:
            trace.started(i)
        if graphs[name][i].seconds:
            await asyncio.sleep(graphs[name][i].seconds)
        if trace:
            trace.ended(i)
        return i


@DBOS.workflow()
async def whole(name: str, in_line: bool) -> int:
    """All tasks of a graph; `in_line` calls one after the other, as one would write a chain."""
    jobs = graphs[name]
    done[name] = [asyncio.Event() for _ in jobs]

    async def follow(i: int) -> int:
        result = await step(name, i)
        done[name][i].set()
        return result

    if in_line:
        return [await follow(i) for i in range(len(jobs))][-1]
    return max(await asyncio.gather(*(follow(i) for i in range(len(jobs)))))


async def run(name: str, in_line: bool) -> None:
    """Run a graph, or wait for the one that the start of DBOS has taken up again under the same name."""
    with SetWorkflowID(name):
        handle = await DBOS.start_workflow_async(whole, name, in_line)
    await handle.get_result(polling_interval_sec=0.001)


async def main() -> None:
    in_line = given.workload in {"w1", "w4"}
    database = given.state / "dbos.db"
    DBOS(
        config={
            "name": "bench",
            "system_database_url": os.environ.get("BENCH_DATABASE_URL") or f"sqlite:///{database}",
            "console_log_level": "ERROR",
        }
    )
    DBOS.launch()
    if trace:
        await run("measured", in_line)
    else:
        await run("warm-up", in_line=True)
        meter.start()
        await run("measured", in_line)
        meter.stop()
    if database.exists():
        with sqlite3.connect(database) as reader:
            # dbos leaves both pragmas alone: a new connection sees the journal mode of the file and SQLite's default level.
            journal, level = (
                reader.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
            )
            meter.extra["sqlite"] = f"{journal}, synchronous={level}"
    meter.report(len(measured))
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main())
