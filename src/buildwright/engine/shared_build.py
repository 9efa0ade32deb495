"""Builds that many processes share: their queues are rows of the store, changed in the transaction of the append.

Must never write but through `ActionQueue.settle`, and never trust that a hint arrives.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from weakref import WeakValueDictionary

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.decide import timed_fact
from buildwright.core.event import AnyEvent, Recorded
from buildwright.engine.build_cache import BuildCache
from buildwright.engine.driver import Anew, Commitment, Driver, wake_at
from buildwright.engine.running_action import is_long
from buildwright.errors import CouldNot, IllegalMove
from buildwright.ports import ActionQueue, Builds, Clock, Hints, Settlement

SLOW_SECONDS = 1.0
"""Between tries to record an action's facts while the store does not answer."""
AT_HAND_SECONDS = 5.0
"""Age up to which a known state is decided from; an older one may have thousands of events to catch up with."""

Log = Callable[..., None]
"""Called with the name of the event and its fields, as structured loggers are."""
OnEvent = Callable[[Recorded, Build], None]


class SharedBuilds:
    """One process's part in builds that others drive as well. `patient` is False once the process is to end."""

    def __init__(self, builds: Builds, board: ActionQueue, jobs: Hints, clock: Clock, log: Log) -> None:
        self.board = board
        self.clock = clock
        self.known = BuildCache(builds)
        self.patient = True
        """Whether to wait for a store that does not answer."""
        self.on_event: OnEvent | None = None
        """Called with every event that is recorded here, and the build after it. Must not raise."""
        self._jobs = jobs
        self._log = log
        self._hinting: set[asyncio.Task[None]] = set()
        self._drivers = WeakValueDictionary[str, Driver]()

    def driver(self, build_id: str) -> Driver:
        """Return the driver of a build in this process; there is one at a time."""
        driver = self._drivers.get(build_id)
        if driver is None:
            driver = self._drivers[build_id] = Driver(build_id, SharedBuild(build_id, self), self.clock)
        return driver

    def hint(self, build_id: str, key: str) -> None:
        """Send a hint that an action waits for a worker. A hint that cannot be sent is not missed for long."""
        sending = asyncio.create_task(self._send_hint(build_id, key), name=f"hint {key}")
        self._hinting.add(sending)
        sending.add_done_callback(self._hinting.discard)

    async def hints_sent(self) -> None:
        """Wait until the hints are sent that are due now."""
        if self._hinting:
            await asyncio.wait(self._hinting)

    async def _send_hint(self, build_id: str, key: str) -> None:
        try:
            await self._jobs.perform(build_id, key)
        except CouldNot as trouble:  # the next poll finds it on the board
            self.say("hint-lost", build_id, action=key, why=str(trouble), level="warning")

    def say(self, what: str, build_id: str, **fields: object) -> None:
        """Log an event of a build, with the ids that lead back to the command it comes from."""
        build = self.known.glance(build_id)
        ids = {"projectId": build.project_id, "correlationId": build.correlation_id} if build else {}
        self._log(what, executionId=build_id, **ids, **fields)


class SharedBuild:
    """The queue of one build as rows; see `driver.BuildQueue`."""

    deciding = True

    def __init__(self, build_id: str, shared: SharedBuilds) -> None:
        self._build_id = build_id
        self._shared = shared

    async def newest(self, *, at_hand: bool) -> Build:
        known = self._shared.known.glance(self._build_id, AT_HAND_SECONDS) if at_hand else None
        return known or await self._shared.known.newest(self._build_id)

    async def runs(self, ended: Collection[str]) -> bool:
        return any(row.live and row.key not in ended for row in await self._shared.board.board(self._build_id))

    async def commit(self, due: Commitment, anew: Anew) -> list[str]:
        shared = self._shared

        def late(news: Sequence[Recorded], running: Collection[str]) -> Settlement:
            nonlocal due
            due = anew(news, running)
            return _settlement(due)

        _, free = await shared.board.settle(self._build_id, *_settlement(due), late)
        shared.known.learn(due.after)
        for recorded, then in due.steps:
            shared.say("recorded", self._build_id, seq=recorded.seq, type=recorded.event.type)
            if shared.on_event is not None:
                shared.on_event(recorded, then)
        await shared.known.snapshots(due.before).keep(due.after)
        return free

    def begin(self, build: Build, actions: Sequence[Action], ended: Collection[str]) -> None:
        # The process that carried out what has ended has room now, and takes one up of that kind without a hint.
        room = Counter(is_long(key) for key in ended)
        for action in actions:
            if room[is_long(action.key)]:
                room[is_long(action.key)] -= 1
            else:
                self._shared.hint(build.id, action.key)

    def due(self, build: Build) -> tuple[AnyEvent, ...]:
        # By the store's time, which says when the build is looked at: a clock of this machine may stand still.
        timed, at = timed_fact(build), wake_at(build)
        return () if timed is None or at is None or self._shared.clock.now() < at else (timed.fact,)

    def dropped(self, late: IllegalMove) -> None:
        self._shared.say("dropped", self._build_id, why=str(late))

    def refused(self, error: BaseException) -> None:
        self._shared.say("not-recorded", self._build_id, why=f"{type(error).__name__}: {error}", level="error")

    async def goes_on(self, trouble: CouldNot, *, told: bool) -> bool:
        shared = self._shared
        if shared.patient and not told:
            shared.say("not-recorded", self._build_id, why=str(trouble), level="warning")
        if shared.patient:
            await shared.clock.sleep(SLOW_SECONDS)
        return shared.patient


def _settlement(due: Commitment) -> Settlement:
    return Settlement(due.before.version, due.events, due.at, due.update, due.after)
