"""Builds that this machine cannot carry out, without an agent or a sandbox: logged, and left to other workers.

Must never decide about the build: another machine may have what this one lacks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from buildwright.core.secrets import mask
from buildwright.core.terminal import clean
from buildwright.engine.claimed_action import ClaimedAction
from buildwright.errors import BuildwrightError, CouldNot
from buildwright.ports import ActionQueue, Builds, LogEntry

SECONDS = 15.0
"""How long a build is left to others before it is tried here again: the missing program may have been installed."""


class DeclinedBuilds:
    """The builds that a hand leaves to other workers. `say` logs for it."""

    def __init__(self, builds: Builds, board: ActionQueue, say: Callable[..., None]) -> None:
        self._builds = builds
        self._board = board
        self._say = say
        self._until: dict[str, float] = {}
        """By build: when the time ends, on the event loop's clock."""

    def has(self, build_id: str) -> bool:
        """Return whether the build is left to other workers now."""
        now = asyncio.get_running_loop().time()
        self._until = {build: until for build, until in self._until.items() if until > now}
        return build_id in self._until

    async def decline(self, errand: ClaimedAction, lacking: BuildwrightError, at: datetime) -> None:
        """Release an action that cannot begin here, and write in the build's log what is lacking."""
        build_id, key = errand.name
        self._until[build_id] = asyncio.get_running_loop().time() + SECONDS
        self._say("declined", build_id, action=key, why=str(lacking), fix=lacking.fix or "", level="warning")
        host = errand.lease.holder.partition("/")[0]
        text = f"{host} cannot carry out {key}: {lacking}" + (f" (fix: {lacking.fix})" if lacking.fix else "")
        try:
            await self._board.drop(errand.lease)
            await self._builds.write_log(
                build_id, [LogEntry(at, getattr(errand.action, "task", ""), 0, "warned", clean(text, mask))]
            )
        except CouldNot as trouble:  # the lease runs out
            self._say("not-let-go", build_id, action=key, why=str(trouble), level="warning")
