"""The actions that this process carries out: their tasks, and the leases that some of them are under.

Must never append: what they report goes to the driver of their build.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import get_args

from buildwright.core.action import Action, Diagnose, MakePlan, RevisePlan, RunAgent, SealTests
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.engine.messages import Inboxes
from buildwright.errors import LostLease
from buildwright.ports import ActionLease, ActionName, ActionQueue


class RunningAction:
    """An action that a task of this process carries out: under `lease`, or without one under that on its whole build."""

    __slots__ = ("action", "bug", "build", "ending", "flight", "key", "lease", "lost")

    def __init__(self, action: Action, build: Build, lease: ActionLease | None = None) -> None:
        self.action = action
        self.build = build
        """The newest state of the build that the action knows."""
        self.key = action.key
        self.lease = lease
        self.lost = False
        """Whether another process may have the action: then nothing that others see may be changed any more."""
        self.bug: Exception | None = None
        """An error of ours by which facts of the action are not recorded."""
        self.flight: asyncio.Task[Sequence[AnyEvent]] | None = None
        self.ending = False
        """Whether this process has ended the task itself."""

    def end(self, *, lost: bool = False) -> None:
        """End the task: its action is no longer wanted, or (`lost`) no longer ours."""
        self.lost = self.lost or lost
        if self.flight is not None and not self.flight.done() and not self.ending:
            self.ending = True
            self.flight.cancel()

    def catch_up(self, build: Build) -> None:
        """Take in a newer state of the build."""


class ClaimedAction(RunningAction):
    """An action under a lease of its own, for `lasts` seconds; `asked_at` is when that was requested (see `KeptLease`)."""

    __slots__ = ("_board", "conversations", "kept")
    lease: ActionLease

    def __init__(
        self, board: ActionQueue, lease: ActionLease, action: Action, build: Build, asked_at: float, lasts: float = 0.0
    ) -> None:
        super().__init__(action, build, lease)
        self.conversations = Inboxes()
        self.kept = KeptLease(lease_seconds(build), asked_at, lasts)
        self._board = board

    @property
    def name(self) -> ActionName:
        return self.lease.name

    def catch_up(self, build: Build) -> None:
        """Take in a newer state of the build: pass the user's new messages on to the agent."""
        if build.version > self.build.version:
            self.build = build
            self.conversations.offer(build)

    async def guard(self) -> None:
        """Check the lease right before an effect that others see. Raises LostLease when the lease is gone."""
        lost = LostLease(f"{self.lease.key} of build {self.lease.build_id} went to another worker, or is not wanted")
        if self.lost or self.kept.gone:
            raise lost
        held = await self._board.holdings(self.lease.holder)
        mine = (self.lease.build_id, self.lease.key, self.lease.token, True)
        here = mine in {(row.build_id, row.key, row.token, row.wanted) for row in held}
        # Checked again: the answer may have come late, or this process may have been stopped before it came.
        if not here or self.kept.gone:
            raise lost


class KeptLease:
    """The time of a lease that this process renews, by a clock that no user can set. Times are in seconds.

    `seconds` is what it is renewed for; `lasts` how long it runs before that, where it was taken for less.
    """

    __slots__ = ("_asked_at", "_lasts", "seconds")

    def __init__(self, seconds: float, asked_at: float, lasts: float = 0.0) -> None:
        self.seconds = seconds
        self._asked_at = asked_at
        self._lasts = lasts or seconds

    @property
    def overdue(self) -> bool:
        """Whether a third of the lease has passed: one heartbeat."""
        return self._silent_seconds >= self._lasts / 3

    @property
    def gone(self) -> bool:
        """Whether the lease may have run out: by now another process may have taken it."""
        return self._silent_seconds >= self._lasts

    def renewed(self, asked_at: float) -> None:
        """Note that the lease was renewed, by a request sent at `asked_at` (seconds of the event loop's clock).

        The time of the answer does not count: this process may have been stopped in between, while the lease ran on.
        """
        self._asked_at, self._lasts = asked_at, self.seconds

    @property
    def _silent_seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._asked_at


def lease_seconds(build: Build) -> float:
    """Return how long a lease on an action lasts without being renewed, in seconds: three heartbeats."""
    return 3 * build.options.limits.heartbeat_seconds


def is_long(key: str) -> bool:
    """Return whether an action of that key waits for a model: such actions must not hold up checks and merges."""
    return key.partition("/")[0] in LONG_KINDS


LONG_KINDS = frozenset(kind.kind for kind in (RunAgent, MakePlan, RevisePlan, Diagnose, SealTests))
"""First parts of the keys of long actions."""
SHORT_KINDS = frozenset(kind.kind for kind in get_args(Action)) - LONG_KINDS
