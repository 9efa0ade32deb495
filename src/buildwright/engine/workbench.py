"""What carrying out an action may use: the world, the log, the talk, and a way to hand the loop a fact. Holds no rule."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.core.sanitize import sanitize
from buildwright.engine.conversation import Conversations
from buildwright.engine.logbook import Logbook
from buildwright.engine.world import World


@dataclass(frozen=True, slots=True)
class Workbench:
    """One build's, in one process."""

    world: World
    logbook: Logbook
    conversations: Conversations
    judging: asyncio.Semaphore
    """Changes judged at once. Agents can be much faster than a suite, and too many suites at once run into time limits."""
    newest: Callable[[], Build]
    """The build as the loop knows it now."""
    tell: Callable[[AnyEvent | None], None]
    """Hand the loop a fact of our own words that is not the end of a flight (others go through `report`); None only wakes it."""
    guard: Callable[[], Awaitable[None]]
    """Asked right before an effect that others see. Raises LostLease when this process may not have it any more."""
    waited: float = 0.0
    """Seconds an action had been wanted when this process took it up."""

    def report(self, fact: AnyEvent) -> None:
        """Hand the loop a fact that is not the end of a flight, with the foreign text in it cleaned."""
        self.tell(sanitize(fact, self.world.mask))
