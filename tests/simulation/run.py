"""Runs one seed from its scenario to the verdict. Everything that happens is a function of the seed."""

from __future__ import annotations

import asyncio
import gc
import hashlib
from collections import Counter
from typing import NamedTuple

from tests.simulation.cluster import Cluster
from tests.simulation.embedded import Lives
from tests.simulation.invariants import check
from tests.simulation.loop import SimulatedLoop
from tests.simulation.scenario import scenario
from tests.simulation.world import SimulatedWorld

LONGEST = 20_000.0
"""Virtual seconds after which a build that has not ended is taken to be stuck."""


class Result(NamedTuple):
    """What came of a seed: `failure` names the invariant that does not hold ("" for none)."""

    seed: int
    failure: str
    seen: Counter[str]
    trace: tuple[str, ...]
    digest: str
    steps: int
    seconds: float
    """Virtual."""


async def story(world: SimulatedWorld) -> None:
    async with asyncio.timeout(LONGEST):
        await (Cluster(world) if world.scenario.workers > 1 else Lives(world)).live()
    await check(world)


def simulate(seed: int, whole_trace: bool = False) -> Result:
    """Run one seed."""
    chosen = scenario(seed)
    loop = SimulatedLoop(seed)
    world = SimulatedWorld.make(chosen, loop)
    failure = ""
    try:
        loop.run_until_complete(story(world))
    except Exception as error:  # whatever broke is what is looked for
        failure = f"{type(error).__name__}: {error}"
    finally:
        loop.close()
    lines = world.trace.lines()
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    shown = tuple(lines if whole_trace else lines[-60:]) if failure or whole_trace else ()
    return Result(seed, failure, world.luck.seen, shown, digest, loop.steps, loop.time())


def simulate_many(seeds: range) -> list[Result]:
    """Run seeds in a row, collecting garbage between them only: when it is collected is not a function of the seed."""
    results = []
    gc.disable()
    try:
        for number, seed in enumerate(seeds):
            results.append(simulate(seed))
            if number % 10 == 9:
                gc.collect()
    finally:
        gc.enable()
    return results
