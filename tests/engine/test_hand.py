"""What only a hand by itself shows: how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from buildwright.core.action import RunAgent
from buildwright.core.limits import Options
from buildwright.engine.adapters import Adapters
from buildwright.engine.worker import Worker
from buildwright.wiring import SystemClock
from tests.adapters.memory_store import MemoryBuilds
from tests.adapters.scripted_agent import Wait
from tests.engine.harness import make_site, tasks


class Nobody:
    """Takes no hint."""

    async def advance(self, build_id: str) -> None:
        """Nothing."""

    async def perform(self, build_id: str, key: str) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


async def test_an_action_that_is_just_being_begun_is_let_go_of_too(tmp_path: Path) -> None:
    builds = MemoryBuilds()
    site = make_site(tmp_path, builds, {("a", 1): [Wait()]})
    build_id = await site.start(tasks("a"), lanes=False, gates=False)
    world = replace(site.world(), workspace=None)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(_options: Options) -> Adapters:
        begun.set()
        await go_on.wait()
        return world

    hand = Worker(builds, builds, Nobody(), SystemClock(), "here:1:1", slowly)
    key = RunAgent("a", 1).key
    await hand.advance(build_id)
    while key not in {row.key for row in await builds.board(build_id)}:
        (waiting,) = await builds.board(build_id)
        go_on.set()
        await hand.perform(build_id, waiting.key)
    begun.clear()
    go_on.clear()
    performing = asyncio.create_task(hand.perform(build_id, key))
    await begun.wait()
    closing = asyncio.create_task(hand.close())
    await asyncio.sleep(0)
    go_on.set()
    async with asyncio.timeout(30):
        await closing
        await performing
    (row,) = await builds.board(build_id)
    assert (row.key, row.wanted, row.live) == (key, True, False)


async def test_who_is_cancelled_lets_go_of_its_action_and_begins_no_other(tmp_path: Path) -> None:
    builds = MemoryBuilds()
    site = make_site(tmp_path, builds, {("a", 1): [Wait()], ("b", 1): [Wait()]})
    build_id = await site.start(tasks("a", "b"), lanes=False, gates=False)
    world = replace(site.world(), workspace=None)

    async def at_once(_options: Options) -> Adapters:
        return world

    hand = Worker(builds, builds, Nobody(), SystemClock(), "here:1:1", at_once, slots=1)
    await hand.advance(build_id)
    performing = asyncio.create_task(hand.perform(build_id, RunAgent("a", 1).key))
    async with asyncio.timeout(30):
        while not site.agent.assignments:
            await asyncio.sleep(0.01)
        performing.cancel()
        await asyncio.wait([performing])
    assert len(site.agent.assignments) == 1
    assert not any(row.live for row in await builds.board(build_id))
