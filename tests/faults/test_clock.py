"""The time of day is set, by a day, while a build runs: no pause ends early, no lease is lost, no living process looks dead."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from buildwright.core import event as e
from buildwright.core.build import Build, Control
from buildwright.core.event import Recorded
from buildwright.core.limits import Limits
from buildwright.engine import commands
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import BuildIsRunning
from buildwright.ports import Builds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import holder_of, this_process
from tests.adapters.memory_store import MemoryBuilds
from tests.adapters.scripted_agent import Fail, Sleep, Write
from tests.engine.harness import Site, make_site, tasks

DAY = timedelta(days=1)
JUMPS = pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])


class Settable:
    """The clock of this machine, which somebody sets."""

    def __init__(self) -> None:
        self.wrong_by = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.wrong_by

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def make(tmp_path: Path, script: dict[tuple[str, int], list[object]], clock: Settable) -> Site:
    site = make_site(tmp_path, MemoryBuilds(clock.now), script)  # type: ignore[arg-type]
    site.clock = clock
    site.stay = True
    return site


@JUMPS
async def test_a_jump_during_a_pause_does_not_end_it(tmp_path: Path, jump: timedelta) -> None:
    clock = Settable()
    site = make(tmp_path, {("a", 1): [Fail()]}, clock)
    await site.start(tasks("a"), gates=False, limits=Limits(attempts=1, pause_seconds=3600))
    paused = asyncio.Event()

    def seen(recorded: Recorded, _build: Build) -> None:
        if isinstance(recorded.event, e.BuildPaused):
            paused.set()

    running = asyncio.create_task(site.run(on_event=seen, poll_seconds=0.01))
    await paused.wait()
    await asyncio.sleep(0.05)
    clock.wrong_by = jump
    await asyncio.sleep(0.2)  # the watch looks a dozen times
    assert (await site.builds.load(site.build_id)).control is Control.PAUSED
    await commands.ask(site.builds, clock, site.build_id, ResumeBuild("retry"))
    assert (await running).outcome == "succeeded"


@JUMPS
async def test_a_pause_ends_after_its_time_whatever_the_clock_says(tmp_path: Path, jump: timedelta) -> None:
    clock = Settable()
    site = make(tmp_path, {("a", 1): [Fail()]}, clock)
    await site.start(tasks("a"), gates=False, limits=Limits(attempts=1, pause_seconds=0.5))

    def seen(recorded: Recorded, _build: Build) -> None:
        if isinstance(recorded.event, e.BuildPaused):
            clock.wrong_by = min(jump, timedelta(0))

    async with asyncio.timeout(30):
        build = await site.run(on_event=seen)
    assert build.outcome == "aborted"


async def test_a_pause_goes_on_ageing_while_nobody_runs_the_build(tmp_path: Path) -> None:
    clock = Settable()
    site = make(tmp_path, {("a", 1): [Fail()]}, clock)
    site.stay = False
    await site.start(tasks("a"), gates=False, limits=Limits(attempts=1, pause_seconds=3600))
    assert (await site.run()).control is Control.PAUSED
    clock.wrong_by = timedelta(hours=2)
    site.stay = True
    async with asyncio.timeout(30):
        assert (await site.run()).outcome == "aborted"


@JUMPS
async def test_agents_are_seen_to_live_across_a_jump(tmp_path: Path, jump: timedelta) -> None:
    clock = Settable()
    site = make(tmp_path, {("a", 1): [Sleep(0.6), Write("a.txt")]}, clock)
    await site.start(tasks("a"), gates=False, limits=Limits(heartbeat_seconds=0.05))

    def seen(recorded: Recorded, _build: Build) -> None:
        if isinstance(recorded.event, e.TaskStarted):
            clock.wrong_by = jump

    assert (await site.run(on_event=seen)).outcome == "succeeded"
    beats = [r for r in await site.builds.read(site.build_id) if isinstance(r.event, e.AgentHeartbeat)]
    assert len(beats) >= 3


@JUMPS
async def test_a_living_process_keeps_its_lease_across_a_jump(tmp_path: Path, jump: timedelta) -> None:
    clock = Settable()
    builds: Builds = await SqliteBuilds.open(tmp_path / "state.db", tmp_path / "artifacts", now=clock.now)
    site = make_site(tmp_path / "site", builds)
    await site.start(tasks("a"), gates=False)
    parent = psutil.Process().parent()
    assert parent is not None
    theirs = holder_of(parent.pid)
    mine = await builds.acquire(site.build_id, theirs, 30)
    clock.wrong_by = jump
    assert await builds.holder(site.build_id) == theirs
    with pytest.raises(BuildIsRunning):
        await builds.acquire(site.build_id, this_process(), 30)
    await builds.renew(mine, 30)
    await builds.release(mine)
    assert await builds.holder(site.build_id) is None
    await builds.close()


async def test_a_halted_process_loses_its_lease_when_that_runs_out(tmp_path: Path) -> None:
    clock = Settable()
    builds: Builds = await SqliteBuilds.open(tmp_path / "state.db", tmp_path / "artifacts", now=clock.now)
    site = make_site(tmp_path / "site", builds)
    await site.start(tasks("a"), gates=False)
    child = psutil.Popen(["sleep", "60"])
    try:
        await builds.acquire(site.build_id, holder_of(child.pid), 30)
        child.suspend()
        while child.status() != psutil.STATUS_STOPPED:  # the signal is delivered later than it is sent
            await asyncio.sleep(0.01)
        assert await builds.holder(site.build_id) == holder_of(child.pid)
        clock.wrong_by = timedelta(seconds=31)
        assert await builds.holder(site.build_id) is None
    finally:
        child.kill()
        child.wait()
    await builds.close()
