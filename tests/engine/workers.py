"""Builds of a test carried out by workers: hands over PostgreSQL, hints by Celery over Redis, lanes in homes of their own.

The workers live in the test's process, because agents and gates of a test are objects; everything between them is real.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from buildwright.core.build import Build
from buildwright.core.limits import Options
from buildwright.engine.adapters import Adapters
from buildwright.engine.follow import Onlooker, follow_to_rest
from buildwright.engine.poll import poll, renew_leases
from buildwright.engine.running_action import is_long
from buildwright.engine.worker import Worker
from buildwright.jobs.celery import CeleryConsumer, CeleryJobs
from buildwright.store.clock import StoreClock
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.lease_holders import this_process
from buildwright.workspace import GitWorkspace
from tests.git import git

WORKERS = 2
SLOTS = 4
"""Of each worker."""


def make_hub(home: Path) -> Path:
    """The hub of a test's workers."""
    hub = home / "hub.git"
    if not hub.exists():
        git(home, "init", "-q", "--bare", str(hub))
    return hub


async def run_by_workers(world: Adapters, build_id: str, redis_url: str, home: Path) -> Build:
    """What `held_build.run` does, done by workers: returns when the build is over, paused or detached from."""
    builds = world.builds
    assert isinstance(builds, PostgresBuilds)
    hub = make_hub(home)
    build = await builds.load(build_id)
    onlooker = Onlooker(world.on_event, world.on_log, world.detach, world.stay)
    async with at_work(world, redis_url, home, str(hub)):
        build = await follow_to_rest(builds, builds, build, onlooker)
    if world.workspace is not None and build.is_terminal:
        await world.workspace.forget(build_id)
    return build


@asynccontextmanager
async def at_work(world: Adapters, redis_url: str, home: Path, hub: str) -> AsyncIterator[list[Worker]]:
    """Workers, each with its own home, until the end of the block; then they let go of what they have."""
    builds = world.builds
    assert isinstance(builds, PostgresBuilds)
    clock = await StoreClock.open(builds)
    jobs = CeleryJobs(redis_url, is_long)
    hands, tasks = [], []
    for number in range(WORKERS):
        own = replace(world, clock=clock, workspace=world.workspace and GitWorkspace(home / f"w{number}", {}, hub=hub))

        async def world_of(_options: Options, own: Adapters = own) -> Adapters:
            return own

        holder = f"{this_process()}#{uuid.uuid4().hex[:6]}"
        hand = Worker(builds, builds, jobs, clock, holder, world_of, slots=SLOTS)
        tasks += [asyncio.create_task(renew_leases(hand)), asyncio.create_task(poll(hand, jobs))]
        hands.append(hand)
    consumer = CeleryConsumer(redis_url, Turns(hands), is_long, "test")
    consumer.start()
    try:
        yield hands
    finally:
        for hand in hands:
            await hand.close()
        await consumer.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await jobs.close()


class Turns:
    """Gives each hint to the next hand: a process can have but one consumer."""

    def __init__(self, hands: list[Worker]) -> None:
        self.slots = sum(hand.slots for hand in hands)
        self._next = itertools.cycle(hands)

    async def advance(self, build_id: str) -> Build | None:
        return await next(self._next).advance(build_id)

    async def perform(self, build_id: str, key: str) -> None:
        await next(self._next).perform(build_id, key)
