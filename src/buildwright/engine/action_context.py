"""The tools for carrying out an action: world, log, messages, and a way to report a fact. Must never hold a rule."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.core.sanitize import sanitize
from buildwright.engine.adapters import Adapters
from buildwright.engine.build_log import BuildLog
from buildwright.engine.messages import Inboxes


@dataclass(frozen=True, slots=True)
class ActionContext:
    """The tools for one build in one process."""

    world: Adapters
    logbook: BuildLog
    conversations: Inboxes
    judging: asyncio.Semaphore
    """Bounds the changes judged at once: agents outpace a suite, and too many suites at once run into time limits."""
    newest: Callable[[], Build]
    """Returns the build as its driver knows it now."""
    tell: Callable[[AnyEvent], None]
    """Hands the driver a fact in our own words that does not end the action (others: see `report`)."""
    guard: Callable[[], Awaitable[None]]
    """Called right before an effect that others see. Raises LostLease when this process may not have it any more."""
    waited: float = 0.0
    """Seconds from when the action was wanted until this process took it up."""

    def report(self, fact: AnyEvent) -> None:
        """Tell the driver a fact that does not end the action, with the foreign text in it cleaned."""
        self.tell(sanitize(fact, self.world.mask))
