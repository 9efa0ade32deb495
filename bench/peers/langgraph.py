"""LangGraph on the workloads: durability="sync", SQLite saver (WAL, synchronous=FULL). Run by its own environment.

Mode `graph` is a StateGraph (one node per task, super-steps); mode `func` is the functional interface, where every task is
called in a fixed order and waits for those it needs inside its body, so that a replay after a crash calls them alike.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph

from bench.meter import Meter, Trace, arguments
from bench.workload import SLOTS, WARM_UP, Graph, chain, graph_of


def larger(a: int, b: int) -> int:
    return max(a, b)


class State(TypedDict):
    last: Annotated[int, larger]


class Engine:
    """Compiles workloads for LangGraph and runs them to their end, from where an earlier process left them."""

    def __init__(self, saver: AsyncSqliteSaver, meter: Meter, trace: Trace | None) -> None:
        self.saver, self.meter, self.trace = saver, meter, trace

    async def body(self, i: int, seconds: float) -> int:
        self.meter.began()
        if self.trace:
            self.trace.started(i)
        if seconds:
            await asyncio.sleep(seconds)
        if self.trace:
            self.trace.ended(i)
        return i

    def as_graph(self, graph: Graph) -> Any:
        builder = StateGraph(State)

        def node(i: int) -> Any:
            async def step(_: State) -> State:
                return {"last": await self.body(i, graph[i].seconds)}

            return step

        for i, job in enumerate(graph):
            builder.add_node(f"t{i}", node(i))
            if len(job.needs) > 1:
                builder.add_edge([f"t{needed}" for needed in job.needs], f"t{i}")
            else:
                builder.add_edge(f"t{job.needs[0]}" if job.needs else START, f"t{i}")
        needed_by_some = {needed for job in graph for needed in job.needs}
        for i in range(len(graph)):
            if i not in needed_by_some:
                builder.add_edge(f"t{i}", END)
        return builder.compile(checkpointer=self.saver)

    def as_function(self, graph: Graph, slots: int) -> Any:
        if all(job.needs == ((i - 1,) if i else ()) for i, job in enumerate(graph)):
            return self._chain_function(graph)
        done: list[asyncio.Event] = []
        free = asyncio.Semaphore(slots)

        @task
        async def step(i: int) -> int:
            for needed in graph[i].needs:
                await done[needed].wait()
            async with free:
                return await self.body(i, graph[i].seconds)

        @entrypoint(checkpointer=self.saver)
        async def whole(_: int) -> int:
            done.extend(asyncio.Event() for _ in graph)

            async def follow(i: int, future: Any) -> int:
                result: int = await future
                done[i].set()
                return result

            return max(await asyncio.gather(*(follow(i, step(i)) for i in range(len(graph)))))

        return whole

    def _chain_function(self, graph: Graph) -> Any:
        @task
        async def step(i: int) -> int:
            return await self.body(i, graph[i].seconds)

        @entrypoint(checkpointer=self.saver)
        async def whole(_: int) -> int:
            last = 0
            for i in range(len(graph)):
                last = await step(i)
            return last

        return whole

    async def run(self, app: Any, name: str, slots: int, tasks: int, mode: str) -> None:
        config = {"configurable": {"thread_id": name}, "recursion_limit": tasks + 10, "max_concurrency": slots}
        if mode == "func":
            del config["max_concurrency"]
        fresh: Any = {"last": 0} if mode == "graph" else 0
        known = (await app.aget_state(config)).created_at is not None
        await app.ainvoke(None if known else fresh, config, durability="sync")


async def main() -> None:
    given = arguments(("graph", "func"))
    graph = graph_of(given.workload, given.n)
    slots = SLOTS if given.workload == "w3" else len(graph)
    meter = Meter(f"langgraph-{given.mode}", version("langgraph"), given.workload, given.n or len(graph))
    trace = Trace(given.state / "trace") if given.workload == "w4" else None
    async with AsyncSqliteSaver.from_conn_string(str(given.state / "langgraph.db")) as saver:
        await saver.setup()
        async with saver.conn.execute("PRAGMA journal_mode") as mode, saver.conn.execute("PRAGMA synchronous") as level:
            meter.extra["sqlite"] = f"{(await mode.fetchone())[0]}, synchronous={(await level.fetchone())[0]}"
        engine = Engine(saver, meter, trace)

        def compiled(jobs: Graph) -> Any:
            return engine.as_graph(jobs) if given.mode == "graph" else engine.as_function(jobs, slots)

        app = compiled(graph)
        if trace:
            await engine.run(app, "measured", slots, len(graph), given.mode)
        else:
            await engine.run(compiled(chain(WARM_UP)), "warm-up", slots, WARM_UP, given.mode)
            meter.start()
            await engine.run(app, "measured", slots, len(graph), given.mode)
            meter.stop()
    meter.report(len(graph))


if __name__ == "__main__":
    asyncio.run(main())
