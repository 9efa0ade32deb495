"""A hundred simulated builds, the seeds that have found something, and that a seed is one run and no other."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from buildwright.errors import StoreFailed
from tests.simulation.loop import Deadlock, Runaway, SimulatedLoop
from tests.simulation.process import Luck, Process, Trace
from tests.simulation.run import simulate, simulate_many

ROOT = Path(__file__).parents[2]
FOUND_SOMETHING = {
    2: "a claimed action that told a fact in its last moment waited for ever",
    3: "the end of a build that waits for other workers broke",
    11: "a fact whose recording was not answered was recorded again, and paid for twice",
    17: "a worker said that an agent was alive which it had not started yet",
    19: "a lane was still being removed when its run had ended; an agent was said to be alive that nobody ran",
    558: "an undo while the head was on its way to its branch was taken for a delivery of something else",
}
"""With the mistake put back, these fail."""


@pytest.fixture(autouse=True)
def quiet() -> None:
    """What a run leaves when it fails is told by its trace."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


@pytest.mark.parametrize("seed", FOUND_SOMETHING, ids=lambda seed: f"{seed}")
def test_a_seed_that_found_something_finds_it_no_more(seed: int) -> None:
    result = simulate(seed)
    assert not result.failure, "\n".join(result.trace)


def test_a_hundred_builds() -> None:
    results = simulate_many(range(20_200, 20_300))
    failed = [f"{result.seed}: {result.failure}" for result in results if result.failure]
    assert not failed
    seen: Counter[str] = sum((result.seen for result in results), Counter())
    met = {
        "approved, judged again",
        "change.landed",
        "build.delivered",
        "fate: death",
        "store.unanswered",
        "hint.lost",
        "done after death",
    }
    assert met <= set(seen)


def test_a_seed_is_one_run_whatever_the_hashes_of_strings() -> None:
    code = "from tests.simulation.run import simulate; print([simulate(seed).digest for seed in range(12)])"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
        for hashes in ("1", "77")
    }
    assert len(told) == 1
    assert len(set(told.pop().split(","))) == 12, "every seed is another run"


class TestLoop:
    def test_time_jumps_and_costs_nothing(self) -> None:
        loop = SimulatedLoop(0)

        async def a_year() -> float:
            await asyncio.sleep(365 * 86_400)
            return loop.time()

        assert loop.run_until_complete(a_year()) == 365 * 86_400
        assert loop.steps < 10

    def test_who_waits_for_nothing_is_told(self) -> None:
        loop = SimulatedLoop(0)

        async def for_ever() -> None:
            await loop.create_future()

        with pytest.raises(Deadlock):
            loop.run_until_complete(for_ever())

    def test_who_goes_round_in_circles_is_told(self) -> None:
        loop = SimulatedLoop(0, most_steps=1000)

        async def circles() -> None:
            while True:
                await asyncio.sleep(0)

        with pytest.raises(Runaway):
            loop.run_until_complete(circles())

    def test_there_are_no_threads(self) -> None:
        loop = SimulatedLoop(0)
        with pytest.raises(NotImplementedError):
            loop.run_until_complete(asyncio.to_thread(print))

    def test_the_seed_decides_who_of_two_wakes_first(self) -> None:
        def order(seed: int) -> tuple[str, ...]:
            woken: list[str] = []

            async def sleeper(name: str) -> None:
                await asyncio.sleep(1)
                woken.append(name)

            async def both() -> None:
                await asyncio.gather(*(sleeper(name) for name in "abc"))

            SimulatedLoop(seed).run_until_complete(both())
            return tuple(woken)

        assert {order(seed) for seed in range(50)} > {("a", "b", "c")}
        assert order(7) == order(7)


class TestProcess:
    def test_a_frozen_one_does_nothing_until_it_wakes(self) -> None:
        loop, moments = SimulatedLoop(0), []
        process = Process("p", loop, Luck("x"), Trace(loop))

        async def ticks() -> None:
            for _ in range(5):
                await asyncio.sleep(1)
                moments.append(loop.time())

        async def story() -> None:
            main = process.start(ticks())
            await asyncio.sleep(2.5)
            process.freeze(10)
            await main

        loop.run_until_complete(story())
        assert moments == [1, 2, 12.5, 13.5, 14.5]

    def test_what_a_dead_one_still_does_nobody_sees(self) -> None:
        loop, seen = SimulatedLoop(0), []
        process = Process("p", loop, Luck("x"), Trace(loop))

        async def program() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                await process.request("store.append", lambda: seen.append("after death"), StoreFailed)

        async def story() -> None:
            process.start(program())
            await asyncio.sleep(1)
            await process.kill()
            await asyncio.sleep(10)

        loop.run_until_complete(story())
        assert seen == []
        assert process.left == []
