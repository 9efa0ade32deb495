"""What many builds that wait cost those that run: `status`, `advance` and `due` with 10 builds paused, 1,000, and 1,000 over.

The running builds are held by this process, so that no worker's work is measured along.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.cluster.stage import Cluster, Stage
from bench.workload import Job
from buildwright.core.limits import Limits, Options
from buildwright.engine.hand import Hand
from buildwright.engine.patrol import QUIET_SECONDS
from buildwright.engine.world import World
from buildwright.store.holders import this_process

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


async def _no_world(_options: Options) -> World:
    raise AssertionError("this hand only advances")


async def measure(stage: Stage, *, tiny: bool) -> dict[str, dict[str, float]]:
    """One round: medians in ms, by how the builds wait."""
    few, many = (2, 6) if tiny else (10, 1000)
    times = 2 if tiny else 7
    found = {}
    for name, count, ended in (
        (f"{few:,} paused", few, False),
        (f"{many:,} paused", many, False),
        (f"{many:,} finished", many, True),
    ):
        async with stage.cluster() as cluster:
            hand = Hand(cluster.builds, cluster.builds, _NoHints(), cluster.app.clock, this_process(), _no_world)
            await _many(cluster, hand, count, ended=ended)
            running = [await _running(cluster, hand) for _ in range(RUNNING)]
            found[name] = await _costs(cluster, hand, running, times)
    return found


async def _many(cluster: Cluster, hand: Hand, count: int, *, ended: bool) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with room:
            build_id = await cluster.start(_GRAPH, Limits())
            await hand.advance(build_id)
            await (cluster.app.stop(build_id) if ended else cluster.app.pause(build_id))
            await hand.advance(build_id)

    await asyncio.gather(*(one() for _ in range(count)))


async def _running(cluster: Cluster, hand: Hand) -> str:
    build_id = await cluster.start(_GRAPH, Limits())
    await hand.advance(build_id)
    for row in await cluster.builds.board(build_id):
        await cluster.builds.take(build_id, row.key, hand.holder, 600.0)
    return build_id


async def _costs(cluster: Cluster, hand: Hand, running: list[str], times: int) -> dict[str, float]:
    async def settle_one(number: int) -> None:
        # A word to the agents is a fact that `advance` has to take in and settle.
        build_id = running[number % len(running)]
        await cluster.app.say(build_id, "go on")
        began.append(time.perf_counter())
        await hand.advance(build_id)

    began: list[float] = []
    await cluster.builds.due(0.0, 10_000)
    return {
        "status (program)": 1000 * statistics.median([cluster.cli("status")[0] for _ in range(times)]),
        "status (store)": await _median(lambda _: cluster.builds.rows(), 10 * times),
        "advance, nothing new": await _median(lambda n: hand.advance(running[n % len(running)]), 10 * times),
        "advance, a fact to settle": await _median(settle_one, 10 * times, began),
        "due": await _median(lambda _: cluster.builds.due(QUIET_SECONDS), 10 * times),
    }


async def _median(call: Callable[[int], Awaitable[Any]], times: int, began: list[float] | None = None) -> float:
    """Milliseconds of a call; from the last time in `began` when the call notes there where it begins to count."""
    spans = []
    for number in range(times):
        start = time.perf_counter()
        await call(number)
        spans.append(time.perf_counter() - (began[-1] if began else start))
    return 1000 * statistics.median(spans)


_GRAPH = tuple(Job(0.0, ()) for _ in range(4))
