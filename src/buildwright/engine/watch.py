"""What happens to a build without the loop's doing: commands of other processes, detaching, time.

Looks a few times a second. Must never decide: it only wakes the loop or hands it a fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.event import AgentHeartbeat, StopRequested
from buildwright.engine.workbench import Workbench


async def watch(bench: Workbench, fall_behind: Callable[[], None]) -> None:
    """Watch for as long as the build is driven. Raises what the store raises."""
    world = bench.world
    steady = asyncio.get_running_loop().time  # the wall clock may be set, and then nothing would beat for hours
    last_beat = steady()
    while True:
        await world.clock.sleep(world.poll_seconds)
        build, now = bench.newest(), world.clock.now()
        if world.detach.is_set():
            bench.tell(None)
        if await world.builds.version(build.id) > bench.newest().version:
            fall_behind()
            continue
        if steady() - last_beat >= build.options.limits.heartbeat_seconds:
            last_beat = steady()
            _beat(bench, build)
        if build.control is Control.PAUSED and build.pause is not None:
            limit = timedelta(seconds=build.options.limits.pause_seconds)
            if now - build.pause.since > limit:
                minutes = build.options.limits.pause_seconds / 60
                bench.tell(StopRequested(how="abort", message=f"paused for longer than {minutes:g} minutes"))


def _beat(bench: Workbench, build: Build) -> None:
    """Every agent that runs here is alive, as far as this process can tell (P2)."""
    percent = 100 * (build.done + build.skipped) // max(build.total, 1)
    for task in bench.conversations.tasks:
        state = build.task(task)
        if state.phase is TaskPhase.WORKING:
            bench.tell(AgentHeartbeat(task=task, attempt=state.attempt, status="running", percent=percent))
