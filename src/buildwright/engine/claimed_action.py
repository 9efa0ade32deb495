"""One action that this process carries out under a lease: its flight, its messages, and the facts it reports meanwhile.

Must never append: it only collects, and `worker` records under the lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, TokensUsed
from buildwright.engine.messages import Inboxes
from buildwright.errors import LostLease
from buildwright.ports import ActionLease, ActionQueue


class ClaimedAction:
    """An action in flight. `build` is its newest known state; `asked_at` when the lease was requested (see `kept`)."""

    def __init__(self, board: ActionQueue, lease: ActionLease, action: Action, build: Build, asked_at: float) -> None:
        self.lease = lease
        self.action = action
        self.build = build
        self.conversations = Inboxes()
        self.seconds = lease_seconds(build)
        self.flight: asyncio.Task[Sequence[AnyEvent]] | None = None
        self.lost = False
        """Whether another process may have the action: then nothing that others see may be changed any more."""
        self.over = asyncio.Event()
        self._board = board
        self._told: asyncio.Queue[AnyEvent | None] = asyncio.Queue()
        self._kept_at = asked_at
        self._ending = False

    @property
    def name(self) -> tuple[str, str]:
        return self.lease.build_id, self.lease.key

    @property
    def silent_seconds(self) -> float:
        """Return the seconds since the lease was last known to be ours, by a clock that no user can set."""
        return asyncio.get_running_loop().time() - self._kept_at

    @property
    def overdue(self) -> bool:
        """Return whether a third of the lease has passed: one heartbeat."""
        return self.silent_seconds >= self.seconds / 3

    def kept(self, asked_at: float) -> None:
        """Note that the lease was renewed, by a request sent at `asked_at` (seconds of the event loop's clock).

        The time of the answer does not count: this process may have been stopped in between, while the lease ran on.
        """
        self._kept_at = asked_at

    def tell(self, fact: AnyEvent | None) -> None:
        """Take in a fact that is not the end of the flight; None is ignored."""
        if fact is not None:
            self._told.put_nowait(fact)

    def catch_up(self, build: Build) -> None:
        """Take in a newer state of the build: pass the user's new messages on to the agent."""
        if build.version > self.build.version:
            self.build = build
            self.conversations.offer(build)

    async def next_told(self) -> list[AnyEvent]:
        """Return the facts told since the last call, at least one; none once the flight has ended and all are taken."""
        first = await self._told.get()
        told = [first]
        while not self._told.empty() and told[-1] is not None:
            told.append(self._told.get_nowait())
        if told[-1] is None and len(told) > 1:
            self._told.put_nowait(None)  # for the next call, which has nothing to wait for
        return [fact for fact in told if fact is not None]

    def hush(self) -> None:
        """Stop taking facts in: `next_told` returns what is left, then an empty list."""
        self._told.put_nowait(None)

    def end(self, *, lost: bool = False) -> None:
        """End the flight: its action is no longer wanted, or (`lost`) no longer ours."""
        self.lost = self.lost or lost
        if self.flight is not None and not self.flight.done() and not self._ending:
            self._ending = True
            self.flight.cancel()

    async def guard(self) -> None:
        """Check the lease right before an effect that others see. Raises LostLease when the lease is gone."""
        lost = LostLease(f"{self.lease.key} of build {self.lease.build_id} went to another worker, or is not wanted")
        if self.lost or self.silent_seconds >= self.seconds:
            raise lost
        held = await self._board.holdings(self.lease.holder)
        mine = (self.lease.build_id, self.lease.key, self.lease.token, True)
        here = mine in {(row.build_id, row.key, row.token, row.wanted) for row in held}
        # Checked again: the answer may have come late, or this process may have been stopped before it came.
        if not here or self.silent_seconds >= self.seconds:
            raise lost


def lease_seconds(build: Build) -> float:
    """Return how long a lease lasts without being renewed, in seconds: three heartbeats."""
    return 3 * build.options.limits.heartbeat_seconds


def spent(facts: Sequence[AnyEvent]) -> list[AnyEvent]:
    """Return the facts about paid requests, which are true whichever process holds the action."""
    return [fact for fact in facts if isinstance(fact, TokensUsed)]
