"""The working time of a build: all of it but pauses, waits for a step, and the time between an end and going on again.

The one place where times that are shown, counted or estimated from are taken. Pure; must never look at a clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final, NamedTuple

from buildwright.core import event as e
from buildwright.core.event import Event, Recorded

_NOTHING: Final = timedelta()
_STOPS: Final[tuple[type[Event], ...]] = (e.BuildPaused, e.BuildFinished)
_GOES_ON: Final[tuple[type[Event], ...]] = (e.BuildResumed, e.BuildReopened)


class WorkClock(NamedTuple):
    """How long a build has rested. It stands while the build rests; what ends meanwhile had been at work until then."""

    rested: timedelta = _NOTHING
    """The sum of the rests that are over."""
    since: datetime | None = None
    """Since when it stands; None while it goes."""
    by_hand: bool = False
    """Whether it goes only while a step is made."""

    @classmethod
    def of(cls, at: datetime, *, by_hand: bool) -> WorkClock:
        """Return the clock of a build that was created then."""
        return cls(since=at, by_hand=True) if by_hand else cls()

    def after(self, kind: type[Event], at: datetime) -> WorkClock:
        """Return the clock after an event of this kind: the same one if it changes nothing."""
        if self.since is None:
            stops = issubclass(kind, _STOPS) or (self.by_hand and kind.ends_step)
            return self._replace(since=at) if stops else self
        if issubclass(kind, e.StepRequested) or (issubclass(kind, _GOES_ON) and not self.by_hand):
            return self._replace(rested=self.rested_at(at), since=None)
        at_work = (kind.ends_step and not issubclass(kind, _STOPS)) or issubclass(kind, e.TokensUsed)
        return self._replace(since=max(at, self.since)) if at_work else self

    @staticmethod
    def is_moved_by(kind: type[Event]) -> bool:
        """Return whether an event of this kind may change a clock."""
        return kind.ends_step or issubclass(kind, (e.StepRequested, e.TokensUsed, *_GOES_ON))

    def rested_at(self, at: datetime) -> timedelta:
        """Return how long the build has rested until then, in sum."""
        return self.rested + (max(at - self.since, _NOTHING) if self.since is not None else _NOTHING)

    def seconds(self, start: datetime, until: datetime, before: timedelta = _NOTHING) -> float:
        """Return the seconds at work from a start until now or later. `before` is how long it had rested at the start."""
        return max(0.0, (until - start - (self.rested_at(until) - before)).total_seconds())


class ClockHistory:
    """What the clock of a build showed at each time so far."""

    def __init__(self, events: Iterable[Recorded]) -> None:
        """Read the whole journal of a build, from its first event."""
        clock = WorkClock()
        self._changes = [(datetime.min.replace(tzinfo=UTC), clock)]
        for recorded in events:
            event, at = recorded.event, recorded.at
            if isinstance(event, e.BuildCreated):
                newer = WorkClock.of(at, by_hand=event.options.by_hand)
            else:
                newer = clock.after(type(event), at)
            if newer is not clock:
                clock = newer
                self._changes.append((at, clock))

    def seconds(self, start: datetime, until: datetime) -> float:
        """Return the seconds at work between two times."""
        rested = self._rested_at(until) - self._rested_at(start)
        return max(0.0, (until - start - rested).total_seconds())

    def _rested_at(self, at: datetime) -> timedelta:
        _, clock = self._changes[bisect_right(self._changes, at, key=itemgetter(0)) - 1]
        return clock.rested_at(at)
