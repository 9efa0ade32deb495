"""Past events of a build with the states around them, and its log lines in runs. Must never change a build.

A frame may need the state before its event, and a journal can only be applied from its start. So states are remembered
for the next request; they share almost everything, and are few.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator, Sequence

from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import PlanMade, Recorded
from buildwright.ports import Builds, LogLine
from buildwright.views.frames import Moment

PAGE = 200
MOST_LINES = 500
MOST_BYTES = 65_536
_MOST_BUILDS = 32
_MOST_STATES = 48
_EVERY = 1_000
_LINES_AT_ONCE = 4 * MOST_LINES
_FEW = 20
"""Events that are applied on the event loop; more go to a thread."""


class History:
    """The past of the builds of one store."""

    def __init__(self, builds: Builds) -> None:
        self._builds = builds
        self._states: OrderedDict[str, dict[int, Build]] = OrderedDict()
        self._turns: dict[str, asyncio.Lock] = {}

    async def moments(self, build_id: str, after: int, upto: int) -> AsyncGenerator[list[Moment], None]:
        """Yield the events `after` < seq <= `upto` in pages. Raises NotFound, StoreFailed."""
        state = await self._state(build_id, after)
        while after < upto:
            page = await self._builds.read(build_id, after, min(PAGE, upto - after))
            if not page:
                return
            moments = await moments_of(state, page)
            state, after = moments[-1].after, page[-1].seq
            self.remember(state)
            yield moments

    async def lines(self, build_id: str, after: int, upto: int) -> AsyncGenerator[list[LogLine], None]:
        """Yield the log lines `after` < seq <= `upto`, in runs that fit into a frame. Raises StoreFailed.

        The next lines are read while those before are on their way.
        """
        reading = self._read_on(build_id, after)
        try:
            while after < upto:
                found = [line for line in await reading if line.seq <= upto]
                if not found:
                    return
                after = found[-1].seq
                if after < upto:
                    reading = self._read_on(build_id, after)
                for run in runs_of(found):
                    yield run
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _read_on(self, build_id: str, after: int) -> asyncio.Task[list[LogLine]]:
        return asyncio.create_task(self._builds.read_log(build_id, after, limit=_LINES_AT_ONCE), name="log")

    def remember(self, build: Build) -> None:
        """Remember a state for a later request about the events after it."""
        kept = self._states.setdefault(build.id, {})
        self._states.move_to_end(build.id)
        kept[build.version] = build
        if len(kept) > _MOST_STATES:
            # Some distant states, and the newest: enough to start near any place.
            for seq in sorted(kept)[1:-8:2]:
                del kept[seq]
        if len(self._states) > _MOST_BUILDS:
            gone, _ = self._states.popitem(last=False)
            self._turns.pop(gone, None)

    async def at(self, build_id: str, seq: int) -> Build:
        """Return the build as of event `seq`, or of its last one. Raises NotFound, StoreFailed."""
        state = await self._state(build_id, max(1, seq))
        assert state is not None, "a build has at least one event"
        return state

    async def _state(self, build_id: str, seq: int) -> Build | None:
        """Return the build as of event `seq`, None for 0.

        Requests for the same build wait: the first makes it for all.
        """
        if seq <= 0:
            return None
        async with self._turns.setdefault(build_id, asyncio.Lock()):
            kept = self._states.get(build_id, {})
            start = max((known for known in kept if known <= seq), default=0)
            state = kept.get(start)
            while start < seq:
                page = await self._builds.read(build_id, start, min(_EVERY, seq - start))
                if not page:
                    break
                state = await asyncio.to_thread(_applied, state, page)
                start = page[-1].seq
                self.remember(state)
            return state


async def moments_of(state: Build | None, page: Sequence[Recorded]) -> list[Moment]:
    """Return each event with the states before and after it. Many events are applied in a thread."""
    large = len(page) > _FEW or any(isinstance(recorded.event, PlanMade) for recorded in page)
    return await asyncio.to_thread(_moments, state, page) if large else _moments(state, page)


def runs_of(lines: Sequence[LogLine]) -> Iterator[list[LogLine]]:
    """Yield runs of at most MOST_LINES lines and about MOST_BYTES bytes; a longer line is a run of its own."""
    run: list[LogLine] = []
    size = 0
    for line in lines:
        weight = len(line.text) + 120
        if run and (len(run) >= MOST_LINES or size + weight > MOST_BYTES):
            yield run
            run, size = [], 0
        run.append(line)
        size += weight
    if run:
        yield run


def _applied(state: Build | None, page: Sequence[Recorded]) -> Build:
    for recorded in page:
        state = apply(state, recorded)
    assert state is not None
    return state


def _moments(state: Build | None, page: Sequence[Recorded]) -> list[Moment]:
    found = []
    for recorded in page:
        before, state = state, apply(state, recorded)
        found.append(Moment(recorded, before, state))
    return found
