"""What many builds that wait cost those that run: `status`, `advance` and `due` with 10 builds paused, 1,000, and 1,000 over.

The running builds are held by this process, so that no worker's work is measured along.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack

from bench.cluster.stage import Cluster, Stage
from bench.workload import Job
from buildwright.core.limits import Limits, Options
from buildwright.engine.adapters import Adapters
from buildwright.engine.commands import PauseBuild, SendMessage, StopBuild
from buildwright.engine.poll import QUIET_SECONDS
from buildwright.engine.worker import Worker
from buildwright.ports import WantedClaim
from buildwright.store.lease_holders import this_process

RUNNING = 20
AT_ONCE = 8


class _NoHints:
    """Nobody is told."""

    async def advance(self, build_id: str) -> None:
        """Nothing."""

    async def perform(self, build_id: str, key: str) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


async def _no_world(_options: Options) -> Adapters:
    raise AssertionError("this hand only advances")


async def measure(stage: Stage, *, tiny: bool) -> dict[str, dict[str, float]]:
    """One round: medians in ms, by how the builds wait. What is compared is measured in turn."""
    few, many = (2, 6) if tiny else (10, 1000)
    states = {f"{few:,} paused": (few, False), f"{many:,} paused": (many, False), f"{many:,} finished": (many, True)}
    async with AsyncExitStack() as stack:
        sides = {}
        for name, (count, ended) in states.items():
            cluster = await stack.enter_async_context(stage.cluster())
            sides[name] = await _Side.prepared(cluster, count, ended=ended)
        spans: dict[str, dict[str, list[float]]] = {name: {} for name in states}
        for turn in range(2 if tiny else 70):
            for name, side in sides.items():
                for what, seconds in (await side.look(turn)).items():
                    spans[name].setdefault(what, []).append(1000 * seconds)
    return {name: {what: statistics.median(times) for what, times in found.items()} for name, found in spans.items()}


class _Side:
    """One of the clusters that are compared, and the builds that run in it."""

    def __init__(self, cluster: Cluster, hand: Worker, running: list[str]) -> None:
        self._cluster = cluster
        self._hand = hand
        self._running = running

    @classmethod
    async def prepared(cls, cluster: Cluster, count: int, *, ended: bool) -> _Side:
        hand = Worker(cluster.builds, cluster.builds, _NoHints(), cluster.app.clock, this_process(), _no_world)
        await _many(cluster, hand, count, ended=ended)
        running = [await _running(cluster, hand) for _ in range(RUNNING)]
        await cluster.builds.due(0.0, 10_000)
        return cls(cluster, hand, running)

    async def look(self, turn: int) -> dict[str, float]:
        """Seconds of each call; of the program only now and then, because it takes long."""
        builds, build_id = self._cluster.builds, self._running[turn % RUNNING]
        found = {
            "status (store)": await _seconds(builds.rows()),
            "advance, nothing new": await _seconds(self._hand.advance(build_id)),
            "due": await _seconds(builds.due(QUIET_SECONDS)),
        }
        # A word to the agents is a fact that `advance` has to take in and settle.
        await self._cluster.app.ask(build_id, SendMessage("go on"))
        found["advance, a fact to settle"] = await _seconds(self._hand.advance(build_id))
        if turn % 10 == 0:
            found["status (program)"] = (await asyncio.to_thread(self._cluster.cli, "status"))[0]
        return found


async def _seconds(call: Awaitable[object]) -> float:
    began = time.perf_counter()
    await call
    return time.perf_counter() - began


async def _many(cluster: Cluster, hand: Worker, count: int, *, ended: bool) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with room:
            build_id = await cluster.start(_GRAPH, Limits())
            await hand.advance(build_id)
            await cluster.app.ask(build_id, StopBuild() if ended else PauseBuild())
            await hand.advance(build_id)

    await asyncio.gather(*(one() for _ in range(count)))


async def _running(cluster: Cluster, hand: Worker) -> str:
    build_id = await cluster.start(_GRAPH, Limits())
    await hand.advance(build_id)
    claimed = await cluster.builds.claim(hand.holder, 600.0, WantedClaim(len(_GRAPH)))
    assert {lease.build_id for lease in claimed} == {build_id}, "what waits is not to be held, and nothing else runs"
    return build_id


_GRAPH = tuple(Job(0.0, ()) for _ in range(4))
