"""The driver of one build in one process: gather, apply, decide, commit once, reconcile. READ THIS FIRST.

    what has arrived ──▶ apply ──▶ decide ──▶ more facts? apply, decide again ──▶ one commit ──▶ begin and end actions

- The journal is the only state. The queue of actions is a cache of `decide`: lost, it is asked for again.
- Every process drives a build with this class. They differ in the `BuildQueue` that it commits to: a process alone
  holds the whole build by a lease and has the queue in memory (`held_build`); workers share it as rows (`shared_build`).
- Actions hand in facts and never append. One commit at a time takes along all that has arrived until it begins.
- A commit that comes too late for the journal is made anew from the newest state, with what has arrived meanwhile.
- A build does not finish while one of its actions runs: nothing is wanted then, and the last one to end finishes it.
- An action whose lease is lost records nothing more, but what it has paid for counts.
- Facts with a value that the store refuses for good hold up no others: each then has commits of its own.
- Time alone ends a pause, or a phase, that lasts too long.

These rules stand here alone. Must never do an effect itself (see `perform`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from buildwright.core.action import Action
from buildwright.core.apply import fold
from buildwright.core.build import Build
from buildwright.core.decide import timed_fact
from buildwright.core.event import AnyEvent, BuildFinished, Recorded, TokensUsed
from buildwright.engine.running_action import RunningAction
from buildwright.engine.steps import Decided, take_steps
from buildwright.errors import (
    BuildIsRunning,
    CouldNot,
    IllegalMove,
    LostLease,
    NotFound,
    StaleVersion,
    Unstorable,
)
from buildwright.ports import ActionLease, Clock, QueueUpdate

LOOK_AGAIN = timedelta(seconds=2)
"""After this, look again at a build that ends once its running actions have let go."""
NOT_OURS = (LostLease, BuildIsRunning, NotFound, CouldNot)
"""Errors by which facts are not recorded though nothing of ours is wrong."""
_REFUSALS = 3
"""Tries of a commit that a store which answers refuses, before its arrivals are committed one by one."""
_LONGEST_WAIT = 64
"""Waits between two tries of facts that are refused for good, at most. Each time twice as many as before."""


class BuildQueue(Protocol):
    """The journal of one build and the queue of its actions, as this process has them."""

    @property
    def deciding(self) -> bool:
        """Whether anything may follow from facts. False while this process is to let go of the build."""

    async def newest(self, *, at_hand: bool) -> Build:
        """Return the newest state; `at_hand` one that is known here, for a commitment that can be made anew.

        Raises NotFound, CouldNot.
        """

    async def runs(self, ended: Collection[str]) -> bool:
        """Return whether an action of the build is being carried out, besides those keys. Raises CouldNot."""

    async def commit(self, due: Commitment, anew: Anew) -> list[str]:
        """Append the steps and make the queue what the update says, all or nothing; ends what is no longer wanted.

        One that comes too late raises StaleVersion, or is made `anew` while no other process can commit. Returns the
        keys of wanted actions that no process carries out. Raises LostLease, BuildIsRunning, NotFound, CouldNot, and
        has written nothing then.
        """

    def begin(self, build: Build, actions: Sequence[Action], ended: Collection[str]) -> None:
        """See to it that these actions are begun; those of the keys `ended` have just made room."""

    def due(self, build: Build) -> tuple[AnyEvent, ...]:
        """Return the facts that time has caused by now, by the clock that all who drive the build go by."""

    def dropped(self, late: IllegalMove) -> None:
        """Note a fact that came after the build had moved on."""

    def refused(self, error: BaseException) -> None:
        """Note an error by which facts are not recorded that no caller waits for."""

    async def goes_on(self, trouble: CouldNot, *, told: bool) -> bool:
        """Wait a little before facts of actions are committed once more; return False, at once, to give up.

        Tells of the trouble unless it was `told` already.
        """


class Commitment(NamedTuple):
    """What one commit is to make of a build and of its queue."""

    before: Build
    steps: Sequence[Decided]
    at: datetime
    update: QueueUpdate
    wanted: Mapping[str, Action]

    @property
    def after(self) -> Build:
        return self.steps[-1].build if self.steps else self.before

    @property
    def events(self) -> list[AnyEvent]:
        return [step.recorded.event for step in self.steps]

    @property
    def finishes(self) -> bool:
        """Whether the build ends with it."""
        return bool(self.steps) and any(isinstance(event, BuildFinished) for event in self.events)

    def held_back(self) -> Commitment:
        """Return the same without the end of the build: no effect may come after it, and actions still run.

        Nothing is wanted until the last of them has ended.
        """
        end = next(n for n, step in enumerate(self.steps) if isinstance(step.recorded.event, BuildFinished))
        update = replace(self.update, wanted=(), start=False, wake_at=self.at + LOOK_AGAIN)
        return Commitment(self.before, self.steps[:end], self.at, update, {})


Anew = Callable[[Sequence[Recorded], Collection[str]], Commitment]
"""Makes a commitment anew: from the events that it came too late for, and the keys of the actions that run."""


class Arrival(NamedTuple):
    """Facts that wait to be recorded; none to have the build looked at."""

    facts: Sequence[AnyEvent] = ()
    action: RunningAction | None = None
    """The action that reports them."""
    ended: bool = False
    """Whether that action is over. It counts as running until this is committed."""
    done: asyncio.Future[Build] | None = None
    """Gets the build as it is after the commit, or the error that it failed by."""

    def answer(self, build: Build) -> None:
        """Tell the action, and the process that waits, of the build after the commit."""
        if self.action is not None:
            self.action.catch_up(build)
        if self.done is not None and not self.done.done():
            self.done.set_result(build)

    def refuse(self, error: BaseException) -> bool:
        """Tell the process that waits, or else the action, that this is not recorded; return whether there is one."""
        if self.done is not None and not self.done.done():
            self.done.set_exception(error)
        elif self.action is not None and self.action.lease is not None:
            self.action.end(lost=True)
            if isinstance(error, Exception) and not isinstance(error, NOT_OURS):
                self.action.bug = error
        else:
            return self.done is not None
        return True


class _SetAside(Exception):
    """The store answers, and refuses these facts again and again: others are committed first."""


class Driver:
    """Drives a build. `broken` raises the error of a commit that nothing else waits for."""

    def __init__(self, build_id: str, queue: BuildQueue, clock: Clock) -> None:
        self.build_id = build_id
        self.letting_go = False
        """Whether of all that arrives only what was paid is recorded, and nothing follows from it."""
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_idle: Callable[[], None] | None = None
        """Called each time when all that has arrived is committed, or could not be."""
        self._queue = queue
        self._clock = clock
        self._arrived: list[Arrival] = []
        self._batch: list[Arrival] = []
        self._refusals = 0
        """How often the store has refused the batch."""
        self._refused = 0
        """How often the store has refused facts since all that had arrived was committed."""
        self._unsure = False
        """Whether a try to commit the batch broke, and may have arrived: made anew, its facts might count twice."""
        self._apart = False
        """Whether each arrival is committed by itself, because the store refuses one of them."""
        self._committing: asyncio.Task[None] | None = None
        self._turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the commit that is under way is, or has been set aside."""

    def hand_in(
        self, facts: Sequence[AnyEvent] = (), action: RunningAction | None = None, *, ended: bool = False
    ) -> None:
        """Take in facts to be recorded soon, without waiting; without any, look at the build soon."""
        self._take_in(Arrival(facts, action, ended))

    async def record(
        self, facts: Sequence[AnyEvent] = (), action: RunningAction | None = None, *, ended: bool = False
    ) -> Build:
        """Record facts and all that follows from them, with whatever else has arrived; return the build after it.

        Raises LostLease when the action is no longer ours, BuildIsRunning, NotFound; StoreFailed and DiskFull when
        there are no facts of actions to wait for, or the process is to end.
        """
        done: asyncio.Future[Build] = asyncio.get_running_loop().create_future()
        self._take_in(Arrival(facts, action, ended, done))
        return await done

    def give_up(self, error: BaseException) -> None:
        """Let go of the build because of an error that nothing waits for: what failed once must not begin again."""
        self.letting_go = True
        if not self.broken.done():
            self.broken.set_exception(error)

    async def quiet(self, action: RunningAction | None = None) -> None:
        """Wait until nothing that has arrived, or nothing of an action, waits to be committed."""
        while self._committing is not None:
            if action is not None and all(one.action is not action for one in (*self._batch, *self._arrived)):
                return
            await asyncio.wait([self._committing, self._turn], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)

    def _take_in(self, arrival: Arrival) -> None:
        self._arrived.append(arrival)
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_arrived(), name=f"commit {self.build_id}")
            self._committing.add_done_callback(self._committed)

    async def _commit_arrived(self) -> None:
        """Commit until nothing is left. What arrives in the same turn of the event loop shares one commit."""
        while self._arrived:
            taken = 1 if self._apart else len(self._arrived)
            self._batch, self._arrived = self._arrived[:taken], self._arrived[taken:]
            self._refusals, self._unsure = 0, False
            try:
                await self._commit_batch()
            except _SetAside:
                self._set_aside()
            self._turn.set_result(None)
            self._turn = asyncio.get_running_loop().create_future()
        self._apart, self._refused = False, 0

    async def _commit_batch(self) -> None:
        try:
            build = await self._settle(self._batch)
        except LostLease:
            if not _leases(self._batch):
                raise  # the lease on the whole build
            while self._batch:  # each by itself, so that the lost one costs the others nothing
                await self._settle_alone(self._batch[0])
                self._batch.pop(0)
        else:
            batch, self._batch = self._batch, []
            for arrival in batch:
                arrival.answer(build)

    def _set_aside(self) -> None:
        """Put what the store refuses behind all others, but never behind what the same action handed in later."""
        batch, self._batch = self._batch, []
        if self._apart:
            mine = {arrival.action for arrival in batch if arrival.action is not None}
            batch += [arrival for arrival in self._arrived if arrival.action in mine]
            self._arrived = [*(arrival for arrival in self._arrived if arrival.action not in mine), *batch]
        else:
            self._apart, self._arrived = True, [*batch, *self._arrived]

    async def _settle_alone(self, arrival: Arrival) -> None:
        try:
            arrival.answer(await self._settle([arrival]))
        except LostLease as lost:
            assert arrival.action is not None
            arrival.action.end(lost=True)
            if paid := spent(arrival.facts):  # true whichever process has the action now
                await self._settle([Arrival(paid)])
            arrival.refuse(lost)

    def _committed(self, task: asyncio.Task[None]) -> None:
        batch, self._batch, self._committing = self._batch, [], None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            heard = [arrival.refuse(error) for arrival in batch]
            if not any(heard):
                self.give_up(error)
            elif isinstance(error, Exception) and any(arrival.done is None for arrival in batch):
                self._queue.refused(error)
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            for arrival in arrived:
                self._take_in(arrival)
        elif self.on_idle is not None:
            self.on_idle()

    async def _settle(self, batch: list[Arrival]) -> Build:
        """Commit the facts of a batch and all that follows from them; then begin what is wanted and not running."""
        while True:
            try:
                return await self._settle_once(batch)
            except StaleVersion:
                continue
            except CouldNot as trouble:
                waits = any(arrival.facts or arrival.action is not None for arrival in batch)
                if not (waits and await self._goes_on(trouble)):
                    raise

    async def _goes_on(self, trouble: CouldNot) -> bool:
        """Wait before the batch is committed once more; return False to give up. Raises _SetAside for others to go first."""
        if isinstance(trouble, Unstorable):
            self._refusals += 1
            self._refused += 1
        else:
            self._unsure = True
        waits = 1 if self._unsure else min(2 ** max(self._refused - _REFUSALS, 0), _LONGEST_WAIT)
        for waited in range(waits):
            if not await self._queue.goes_on(trouble, told=waited > 0):
                return False
            others = len(self._batch) + len(self._arrived) > 1
            if others and not self._unsure and self._refusals >= (1 if self._apart else _REFUSALS):
                raise _SetAside  # nothing that arrives waits longer than the least
        return True

    async def _settle_once(self, batch: list[Arrival]) -> Build:
        """Commit a batch. Facts are sent again, the very same, until there is an answer: a try that broke may have arrived.

        Made anew from a newer state they would be recorded twice where that is legal, and money counted twice.
        """
        queue = self._queue
        due = self._decide(batch, await queue.newest(at_hand=any(arrival.facts for arrival in batch)))
        if due.finishes and await queue.runs(due.update.ended):
            due = due.held_back()

        def anew(news: Sequence[Recorded], running: Collection[str]) -> Commitment:
            nonlocal due
            if batch is self._batch and not self._apart:  # what has arrived while this commit waited for others
                self._batch += self._arrived
                self._arrived = []
            due = self._decide(batch, fold(list(news), due.before))
            if due.finishes and set(running).difference(due.update.ended):
                due = due.held_back()
            return due

        while True:
            try:
                free = await queue.commit(due, anew)
                break
            except CouldNot as trouble:
                if not (any(arrival.facts for arrival in batch) and await self._goes_on(trouble)):
                    raise
        queue.begin(due.after, [due.wanted[key] for key in free], due.update.ended)
        return due.after

    def _decide(self, batch: Sequence[Arrival], build: Build) -> Commitment:
        deciding = self._queue.deciding and not self.letting_go
        facts = [fact for arrival in batch for fact in arrival.facts]
        facts = [*facts, *self._queue.due(build)] if deciding else spent(facts) if self.letting_go else facts
        at = max(self._clock.now(), build.updated_at)
        steps, decision = take_steps(build, facts, at, self._queue.dropped, deciding=deciding)
        wanted = {action.key: action for action in decision.actions}
        update = QueueUpdate(
            tuple(wanted),
            start=decision.start,
            leases=_leases(batch),
            ended=tuple(arrival.action.key for arrival in batch if arrival.action is not None and arrival.ended),
            wake_at=wake_at(steps[-1].build if steps else build),
        )
        return Commitment(build, steps, at, update, wanted)


def wake_at(build: Build) -> datetime | None:
    """Return when time alone changes the build, by the time of day; None for never."""
    timed = timed_fact(build)
    return None if timed is None else timed.since + timedelta(seconds=timed.seconds)


def spent(facts: Iterable[AnyEvent]) -> list[AnyEvent]:
    """Return the facts about paid requests, which are true whatever becomes of their action."""
    return [fact for fact in facts if isinstance(fact, TokensUsed)]


def _leases(batch: Sequence[Arrival]) -> tuple[ActionLease, ...]:
    leases = (arrival.action.lease for arrival in batch if arrival.action is not None)
    return tuple({lease: None for lease in leases if lease is not None})
