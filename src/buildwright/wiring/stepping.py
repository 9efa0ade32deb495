"""Waiting for a step of a build that is driven by hand, whoever makes it. Changes nothing."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import Recorded, StepRequested
from buildwright.ports import Builds, Clock

POLL_SECONDS = 0.05


async def stepped(
    builds: Builds,
    clock: Clock,
    build_id: str,
    step_id: str,
    seconds: float = math.inf,
    on_event: Callable[[Recorded, Build], None] | None = None,
    since: Build | None = None,
) -> Build:
    """The build once it has made the step, or rests; or as it is after `seconds`, with the step still to be made.

    `on_event` is told of every event after `since`, which may be a state from before the step was asked for; without it,
    after the state found first. Raises NotFound, StoreFailed.
    """
    time = asyncio.get_running_loop().time  # not the time of day, which can jump
    until = time() + seconds
    build = since or await builds.load(build_id)
    asked = since is None or (build.step is not None and build.step.id == step_id)
    while True:
        if await builds.version(build_id) != build.version:
            for recorded in await builds.read(build_id, after=build.version):
                build = apply(build, recorded)
                asked = asked or (isinstance(recorded.event, StepRequested) and recorded.event.id == step_id)
                if on_event is not None:
                    on_event(recorded, build)
        if asked and (build.step is None or build.step.id != step_id):
            return build
        if (left := until - time()) <= 0:
            return build
        await clock.sleep(min(POLL_SECONDS, left))
