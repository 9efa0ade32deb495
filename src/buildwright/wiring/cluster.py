"""Following the workers of a cluster, and deciding what is due for them. Must never carry out an action itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from buildwright.core.build import Build
from buildwright.errors import Unreachable
from buildwright.ports import ActionQueue, Builds, Clock, Hints
from buildwright.store.lease_holders import this_process
from buildwright.wiring.adapters import NoHints, no_world

if TYPE_CHECKING:
    from buildwright.engine.follow import Onlooker
    from buildwright.engine.worker import Worker
    from buildwright.wiring.telemetry import Telemetry


async def follow_workers(builds: Builds, board: ActionQueue, build: Build, onlooker: Onlooker) -> Build:
    """Watch the workers build until the build rests; return it.

    Raises Unreachable when no worker is alive: the build waits.
    """
    from buildwright.engine.follow import follow_to_rest

    if not build.is_terminal and not [row for row in await board.workers() if row.alive]:
        raise Unreachable(
            f"no worker is running, so build {build.id} waits",
            fix="start one with `buildwright worker` or `buildwright cluster up`; the build then goes on by itself",
        )
    return await follow_to_rest(builds, board, build, onlooker)


class Advancer:
    """The decider for builds that workers carry out: it posts what is due.

    It sends no hints until `send_hints` is called.
    """

    def __init__(self, builds: Builds, clock: Clock, telemetry: Telemetry) -> None:
        self._builds = builds
        self._clock = clock
        self._telemetry = telemetry
        self._hints: Hints = NoHints()
        self._hand: Worker | None = None

    def send_hints(self, redis_url: str) -> None:
        """Tell workers through Redis, from now on, which work waits for them."""
        from buildwright.engine.queue_update import is_long
        from buildwright.jobs.celery import CeleryJobs

        self._hints, self._hand = CeleryJobs(redis_url, is_long), None

    async def advance(self, build_id: str) -> Build | None:
        """Post what a build wants now and return it; None when a process holds the whole build.

        Raises NotFound, StoreFailed.
        """
        if self._hand is None:
            from buildwright.engine.worker import Worker

            board = cast("ActionQueue", self._builds)
            self._hand = Worker(self._builds, board, self._hints, self._clock, this_process(), no_world)
        self._hand.listen(self._telemetry.on_event())
        return await self._hand.advance(build_id)

    async def close(self) -> None:
        """Close the connection to Redis."""
        await self._hints.close()
