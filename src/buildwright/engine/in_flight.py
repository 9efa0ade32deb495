"""Actions in flight: one asyncio task per wanted action. Must never outlive the runner, or run one action twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.decide import Decision
from buildwright.core.event import AnyEvent


class CompletedAction(NamedTuple):
    """The end of a flight, with its facts. The flight counts as running until they are in the journal."""

    key: str
    flight: asyncio.Task[None]
    facts: Sequence[AnyEvent]


class InFlight:
    """The actions that are being carried out, by key."""

    def __init__(
        self,
        carry_out: Callable[[Action, Build], Awaitable[Sequence[AnyEvent]]],
        land: Callable[[CompletedAction], None],
    ) -> None:
        self._carry_out = carry_out
        self._land = land
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        return bool(self._flying or self._ending)

    @property
    def count(self) -> int:
        return len(self._flying)

    def landed(self, landing: CompletedAction) -> None:
        """Free the key once a flight's facts are recorded (or dropped): its action may begin again if still wanted."""
        if self._flying.get(landing.key) is landing.flight:
            del self._flying[landing.key]

    def reconcile(self, decision: Decision, build: Build) -> None:
        """Begin wanted actions that are not in flight; end those in flight that are no longer wanted."""
        wanted = {action.key: action for action in decision.actions}
        for key in [key for key in self._flying if key not in wanted]:
            self._end(self._flying.pop(key))
        if decision.start:
            for key, action in wanted.items():
                if key not in self._flying:
                    self._flying[key] = asyncio.create_task(self._fly(key, action, build), name=key)

    async def end_all(self) -> None:
        """Cancel all flights and wait until they have ended."""
        for flight in self._flying.values():
            self._end(flight)
        self._flying.clear()
        while self._ending:
            await asyncio.wait(self._ending)

    async def _fly(self, key: str, action: Action, build: Build) -> None:
        facts = await self._carry_out(action, build)
        flight = asyncio.current_task()
        assert flight is not None
        self._land(CompletedAction(key, flight, facts))

    def _end(self, flight: asyncio.Task[None]) -> None:
        if not flight.done():
            flight.cancel()
            self._ending.add(flight)
            flight.add_done_callback(self._ending.discard)
