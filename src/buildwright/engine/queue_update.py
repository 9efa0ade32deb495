"""Recording facts in a build that many processes share: append, update the board, hint at actions without a worker.

Must never write but through `ActionQueue.settle`, and never trust that a hint arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from buildwright.core.action import Diagnose, MakePlan, RevisePlan, RunAgent, SealTests
from buildwright.core.build import Build
from buildwright.core.decide import timed_fact
from buildwright.core.event import AnyEvent, BuildFinished, Recorded
from buildwright.engine.build_cache import BuildCache
from buildwright.engine.steps import Decided, take_steps
from buildwright.errors import CouldNot, IllegalMove, StaleVersion
from buildwright.ports import ActionLease, ActionQueue, Builds, Clock, Hints, QueueUpdate

LOOK_AGAIN = timedelta(seconds=2)
"""After this, look again at a build that ends once its running actions have let go."""
SLOW_SECONDS = 1.0
"""Between tries to record an action's facts while the store does not answer."""

Log = Callable[..., None]
"""Called with the name of the event and its fields, as structured loggers are."""
OnEvent = Callable[[Recorded, Build], None]


class QueueUpdater:
    """One process's way to record. `patient` is False once the process is to end: then it waits for no store."""

    def __init__(self, builds: Builds, board: ActionQueue, jobs: Hints, clock: Clock, log: Log) -> None:
        self.known = BuildCache(builds)
        self.patient = True
        self._board = board
        self._jobs = jobs
        self._clock = clock
        self.on_event: OnEvent | None = None
        """Called with every event that is recorded here, and the build after it. Must not raise."""
        self._log = log
        self._turns = WeakValueDictionary[str, asyncio.Lock]()

    async def settle(
        self, build_id: str, facts: Sequence[AnyEvent], lease: ActionLease | None = None, *, ended: bool = False
    ) -> Build:
        """Record facts and all that follows; make the board match the wanted actions; send hints for free ones.

        Raises LostLease when the facts are no longer ours to record.
        """
        # One at a time: of callers that settle one build at once, all but one would be late and begin again.
        turn = self._turns.setdefault(build_id, asyncio.Lock())
        async with turn:
            after, free = await self._settle_now(build_id, facts, lease, ended=ended)
        if lease is not None and ended:
            # The process that carried this out has room now, and takes one up without a hint.
            spared = next((key for key in free if is_long(key) is is_long(lease.key)), None)
            free = [key for key in free if key != spared]
        for key in free:
            await self.hint(build_id, key)
        return after

    async def _settle_now(
        self, build_id: str, facts: Sequence[AnyEvent], lease: ActionLease | None, *, ended: bool
    ) -> tuple[Build, list[str]]:
        while True:
            build = await self.known.newest(build_id)
            at = max(self._clock.now(), build.updated_at)
            steps, decision = take_steps(build, [*facts, *_facts_of_time(build, at)], at, self._dropped(build_id))
            finishing = next(
                (n for n, step in enumerate(steps) if isinstance(step.recorded.event, BuildFinished)), None
            )
            if finishing is not None and await self._others_work(build_id, lease if ended else None):
                # No effect may come after the end of a build: it ends when the last action has been released.
                # Nothing is wanted until then, which tells the workers to stop.
                steps, start = steps[:finishing], False
                wanted: tuple[str, ...] = ()
                wake_at: datetime | None = at + LOOK_AGAIN
            else:
                wanted, start = tuple(action.key for action in decision.actions), decision.start
                wake_at = _wake_at(steps[-1].build if steps else build)
            settlement = QueueUpdate(wanted, start=start, lease=lease, ended=ended, wake_at=wake_at)
            try:
                free = await self._send(build, steps, at, settlement, again=bool(facts))
            except StaleVersion:
                continue
            after = self.known.learn(steps[-1].build) if steps else build
            self._report(steps)
            await self.known.keep_snapshot(after)
            return after, free

    async def _send(
        self, build: Build, steps: Sequence[Decided], at: datetime, settlement: QueueUpdate, *, again: bool
    ) -> list[str]:
        """Settle. Facts are sent `again`, the very same, until there is an answer: a try that broke may have arrived.

        Made anew from a newer state they would be recorded twice where that is legal, and money counted twice.
        """
        events, after = [step.recorded.event for step in steps], steps[-1].build if steps else build
        while True:
            try:
                _, free = await self._board.settle(build.id, build.version, events, at, settlement, after)
            except CouldNot as trouble:
                if not (again and self.patient):
                    raise
                self.say("not-recorded", build.id, why=str(trouble), level="warning")
                await self._clock.sleep(SLOW_SECONDS)
            else:
                return free

    async def _others_work(self, build_id: str, mine: ActionLease | None) -> bool:
        rows = await self._board.board(build_id)
        return any(row.live and (mine is None or row.key != mine.key) for row in rows)

    async def hint(self, build_id: str, key: str) -> None:
        """Send a hint that an action waits for a worker. A hint that cannot be sent is not missed for long."""
        try:
            await self._jobs.perform(build_id, key)
        except CouldNot as trouble:  # the next poll finds it on the board
            self.say("hint-lost", build_id, action=key, why=str(trouble), level="warning")

    def _dropped(self, build_id: str) -> Callable[[IllegalMove], None]:
        return lambda late: self.say("dropped", build_id, why=str(late))

    def _report(self, steps: list[Decided]) -> None:
        for recorded, build in steps:
            self.say("recorded", build.id, seq=recorded.seq, type=recorded.event.type)
            if self.on_event is not None:
                self.on_event(recorded, build)

    def say(self, what: str, build_id: str, **fields: object) -> None:
        """Log an event of a build, with the ids that lead back to the command it comes from."""
        build = self.known.glance(build_id)
        ids = {"projectId": build.project_id, "correlationId": build.correlation_id} if build else {}
        self._log(what, executionId=build_id, **ids, **fields)


def is_long(key: str) -> bool:
    """Return whether an action of that key waits for a model: such actions must not hold up checks and merges."""
    return key.startswith((_AGENT, _PLAN, _REVISION, _DIAGNOSIS, _SEALING))


_AGENT = RunAgent("", 0).key.partition("/")[0]
_PLAN = MakePlan().key
_REVISION = RevisePlan(0).key.partition("/")[0]
_DIAGNOSIS = Diagnose(0).key.partition("/")[0]
_SEALING = SealTests("").key.partition("/")[0]


def _facts_of_time(build: Build, now: datetime) -> tuple[AnyEvent, ...]:
    """Return the facts that time alone causes: a pause, or a phase, that lasts too long."""
    timed, until = timed_fact(build), _wake_at(build)
    return () if timed is None or until is None or now < until else (timed.fact,)


def _wake_at(build: Build) -> datetime | None:
    timed = timed_fact(build)
    return None if timed is None else timed.since + timedelta(seconds=timed.seconds)
