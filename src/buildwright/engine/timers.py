"""Changes to a build from outside the loop: commands of other processes, detaching, time.

Looks a few times a second. Must never decide: it only wakes the loop or hands it a fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.event import AgentHeartbeat, StopRequested
from buildwright.engine.action_context import ActionContext


async def run_timers(bench: ActionContext, fall_behind: Callable[[], None]) -> None:
    """Watch for as long as the build is driven. Raises what the store raises."""
    world = bench.world
    time = asyncio.get_running_loop().time  # not the time of day, which can jump
    last_beat, paused_at, pause = time(), time(), None
    while True:
        await world.clock.sleep(world.poll_seconds)
        build = bench.newest()
        if world.detach.is_set():
            bench.tell(None)
        if await world.builds.version(build.id) > bench.newest().version:
            fall_behind()
            continue
        if time() - last_beat >= build.options.limits.heartbeat_seconds:
            last_beat = time()
            _beat(bench, build)
        if build.pause is not pause:
            pause = build.pause
            # Only the time of day tells how long the pause lasted while no process was watching.
            before = (world.clock.now() - pause.since).total_seconds() if pause else 0.0
            paused_at = time() - max(before, 0.0)
        limit = build.options.limits.pause_seconds
        if build.control is Control.PAUSED and time() - paused_at > limit:
            bench.tell(StopRequested(how="abort", message=f"paused for longer than {limit / 60:g} minutes"))


def _beat(bench: ActionContext, build: Build) -> None:
    """Record that every agent running here is alive, as far as this process can tell."""
    percent = 100 * (build.done + build.skipped) // max(build.total, 1)
    for task in bench.conversations.tasks:
        state = build.task(task)
        if state.phase is TaskPhase.WORKING:
            bench.tell(AgentHeartbeat(task=task, attempt=state.attempt, status="running", percent=percent))
