"""What an App asks of a cluster: look on while workers build, decide what is due. Must never carry out an action itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildwright.core.build import Build
from buildwright.errors import Unreachable
from buildwright.ports import Board, Builds, Clock, Jobs
from buildwright.store.holders import this_process
from buildwright.wiring.adapters import no_world

if TYPE_CHECKING:
    from buildwright.engine.follow import Onlooker
    from buildwright.engine.hand import Hand


async def follow_workers(builds: Builds, board: Board, build: Build, onlooker: Onlooker) -> Build:
    """Watch the workers build. Raises Unreachable when there are none: the build waits for them."""
    from buildwright.engine.follow import follow_to_rest

    if not build.is_terminal and not [row for row in await board.workers() if row.alive]:
        raise Unreachable(
            f"no worker is running, so build {build.id} waits",
            fix="start one with `buildwright worker` or `buildwright cluster up`; the build then goes on by itself",
        )
    return await follow_to_rest(builds, board, build, onlooker)


def deciding_hand(builds: Builds, board: Board, clock: Clock, hints: Jobs) -> Hand:
    """A hand that decides and posts what is wanted, for workers to carry out, and sends them `hints`."""
    from buildwright.engine.hand import Hand

    return Hand(builds, board, hints, clock, this_process(), no_world)
