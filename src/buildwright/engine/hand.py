"""The engine of many processes: `advance` decides and posts what is wanted, `perform` takes one action and does it.

    advance(build):       load ──▶ decide ──▶ settle (append + board, one transaction) ──▶ hint what nobody has
    perform(build, key):  take the action by a lease ──▶ effect ──▶ settle its facts by that lease ──▶ hint what nobody has

Both may be called at any time, twice, late or never: the store says what is so, and `patrol` looks for what was forgotten.
Must never write but through `Board.settle`, and never trust a hint.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from buildwright.core.action import Action, Diagnose, MakePlan, RunAgent
from buildwright.core.build import Build, Control
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent, BuildFinished, StopRequested
from buildwright.core.limits import Options
from buildwright.engine.declined import Declined
from buildwright.engine.errand import Errand, lease_seconds, spent
from buildwright.engine.known import KnownBuilds
from buildwright.engine.logbook import Logbook
from buildwright.engine.perform import perform
from buildwright.engine.steps import Step, take_steps
from buildwright.engine.workbench import Workbench
from buildwright.engine.world import World
from buildwright.errors import (
    BuildIsRunning,
    CouldNot,
    IllegalMove,
    LostLease,
    NotFound,
    Refused,
    StaleVersion,
)
from buildwright.ports import ActionLease, Board, Builds, Clock, Jobs, Settlement

LOOK_AGAIN = timedelta(seconds=2)
"""A build that waits for running actions to let go before it ends is looked at again after this."""
SLOW_SECONDS = 1.0
"""Between tries to record what an action has yielded while the store does not answer."""

Log = Callable[..., None]
"""Called with the name of what happened and its fields, as structured loggers are."""


def _silent(_event: str, **_fields: object) -> None:
    """Nobody listens."""


class Hand:
    """One process's part in any number of builds. `slots` bounds the agents, and apart from them all other actions, at once."""

    def __init__(
        self,
        builds: Builds,
        board: Board,
        jobs: Jobs,
        clock: Clock,
        holder: str,
        worlds: Callable[[Options], Awaitable[World]],
        slots: int = 2,
        log: Log = _silent,
    ) -> None:
        self.board = board
        self.clock = clock
        self.holder = holder
        self.slots = slots
        self.known = KnownBuilds(builds)
        self.errands: dict[tuple[str, str], Errand] = {}
        self.waited: deque[float] = deque(maxlen=2000)
        """Queue latencies of the newest actions, in seconds."""
        self.performed = 0
        self.log = log
        self._jobs = jobs
        self._worlds = worlds
        self._long, self._short, self._judging = (asyncio.Semaphore(slots) for _ in range(3))
        self._turns = WeakValueDictionary[str, asyncio.Lock]()
        self._declined = Declined(builds, board, self.say)
        self._begun: set[tuple[str, str]] = set()
        """Actions that are being carried out here, or wait for a slot or their lease."""
        self._closing = False

    # --- advance ----------------------------------------------------------------------------------------------------

    async def advance(self, build_id: str) -> Build | None:
        """Decide until there is nothing to decide, and post what is wanted. None when it is not ours to advance.

        Raises StoreFailed, DiskFull; then nothing has changed, and whoever looks next does it.
        """
        try:
            return await self._settle(build_id, ())
        except (BuildIsRunning, NotFound) as not_ours:
            self.say("not-advanced", build_id, why=str(not_ours))
            return None

    async def _settle(
        self, build_id: str, facts: Sequence[AnyEvent], lease: ActionLease | None = None, *, ended: bool = False
    ) -> Build:
        """Record facts and all that follows; make the board what is wanted then; send hints for what nobody has.

        Raises LostLease when the facts are not ours to record any more.
        """
        # In turn: of those who settle one build at once all but one would be late, and have to begin again.
        turn = self._turns.setdefault(build_id, asyncio.Lock())
        async with turn:
            after, free = await self._settle_now(build_id, facts, lease, ended=ended)
        if lease is not None and ended:
            # Whoever carried this out has room now, and takes one up without a hint.
            spared = next((key for key in free if is_long(key) is is_long(lease.key)), None)
            free = [key for key in free if key != spared]
        for key in free:
            await self._hint(build_id, key)
        return after

    async def _settle_now(
        self, build_id: str, facts: Sequence[AnyEvent], lease: ActionLease | None, *, ended: bool
    ) -> tuple[Build, list[str]]:
        while True:
            build = await self.known.newest(build_id)
            at = self.clock.now()
            steps, decision = take_steps(build, [*facts, *_facts_of_time(build, at)], at, self._dropped(build_id))
            finishing = next(
                (n for n, step in enumerate(steps) if isinstance(step.recorded.event, BuildFinished)), None
            )
            if finishing is not None and await self._others_work(build_id, lease if ended else None):
                # No effect may come after the end of a build: it ends when the last action has been let go.
                # Nothing is wanted until then, which is how those who work learn of it.
                steps, start = steps[:finishing], False
                wanted: tuple[str, ...] = ()
                wake_at: datetime | None = at + LOOK_AGAIN
            else:
                wanted, start = tuple(action.key for action in decision.actions), decision.start
                wake_at = _wake_at(steps[-1].build if steps else build)
            events = [step.recorded.event for step in steps]
            settlement = Settlement(wanted, start=start, lease=lease, ended=ended, wake_at=wake_at)
            try:
                free = await self._send(build, events, at, settlement, again=bool(facts))
            except StaleVersion:
                continue
            after = self.known.learn(steps[-1].build) if steps else build
            self._report(steps)
            await self.known.keep_snapshot(after)
            return after, free

    async def _send(
        self, build: Build, events: Sequence[AnyEvent], at: datetime, settlement: Settlement, *, again: bool
    ) -> list[str]:
        """Settle. Facts are sent `again`, the very same, until there is an answer: a try that broke may have arrived.

        Made anew from a newer state they would be recorded twice where that is legal, and money counted twice.
        """
        while True:
            try:
                _, free = await self.board.settle(build.id, build.version, events, at, settlement)
            except CouldNot as trouble:
                if not again or self._closing:
                    raise
                self.say("not-recorded", build.id, why=str(trouble))
                await self.clock.sleep(SLOW_SECONDS)
            else:
                return free

    async def _others_work(self, build_id: str, mine: ActionLease | None) -> bool:
        rows = await self.board.board(build_id)
        return any(row.live and (mine is None or row.key != mine.key) for row in rows)

    async def _hint(self, build_id: str, key: str) -> None:
        try:
            await self._jobs.perform(build_id, key)
        except CouldNot as trouble:  # whoever patrols finds it on the board
            self.say("hint-lost", build_id, action=key, why=str(trouble))

    def _dropped(self, build_id: str) -> Callable[[IllegalMove], None]:
        return lambda late: self.say("dropped", build_id, why=str(late))

    def _report(self, steps: list[Step]) -> None:
        for recorded, build in steps:
            self.say("recorded", build.id, seq=recorded.seq, type=recorded.event.type)

    def say(self, what: str, build_id: str, **fields: object) -> None:
        """Log something about a build, with the ids that lead back to the command it comes from (D15)."""
        build = self.known.glance(build_id)
        ids = {"projectId": build.project_id, "correlationId": build.correlation_id} if build else {}
        self.log(what, executionId=build_id, **ids, **fields)

    # --- perform ----------------------------------------------------------------------------------------------------

    async def perform(self, build_id: str, key: str) -> None:
        """Carry out an action if it is wanted and nobody has it; returns when that is over.

        Raises StoreFailed, DiskFull before the action was taken; afterwards it keeps trying to record what came of it.
        """
        name = (build_id, key)
        if name in self._begun or self._closing or self._declined.has(build_id):
            return  # never twice here, not even when the lease was lost: both would use the same lane
        room = self._long if is_long(key) else self._short
        self._begun.add(name)
        try:
            async with room:
                await self._take_up(build_id, key)
        finally:
            self._begun.discard(name)
        # Whoever has become free goes on with what has waited longest: that is fair to all builds, and quicker than a hint.
        # Who waits for room here comes first, and looks on afterwards.
        done = True
        while done and not room.locked():
            async with room:
                done = await self._take_up_oldest(is_long(key))

    async def _take_up_oldest(self, long: bool) -> bool:
        if self._closing:
            return False
        waiting = [name for name in await self.board.waiting() if is_long(name[1]) is long]
        near = waiting[: 2 * self.slots]
        # Several who look at once begin in different places, else all but one would come too late for each.
        first = self.performed % len(near) if near else 0
        for name in (*near[first:], *near[:first]):
            if name in self._begun or self._declined.has(name[0]):
                continue
            self._begun.add(name)
            try:
                if await self._take_up(*name):
                    return True
            finally:
                self._begun.discard(name)
        return False

    async def _take_up(self, build_id: str, key: str) -> bool:
        """Carry out an action if it is to be had; whether it was, and all that came of it is recorded."""
        action, build = await self._wanted(build_id, key)
        if action is None or build is None or self._closing:
            return False
        asked_at = asyncio.get_running_loop().time()
        lease = await self.board.take(build_id, key, self.holder, lease_seconds(build))
        if lease is None:
            return False
        self.waited.append(lease.waited)
        errand = Errand(self.board, lease, action, build, asked_at)
        self.errands[errand.name] = errand
        self.say("taken", build_id, action=key, token=lease.token, waited=round(lease.waited, 4))
        try:
            return await self._carry_out(errand)
        finally:
            del self.errands[errand.name]
            errand.over.set()
            self.performed += 1

    async def _wanted(self, build_id: str, key: str) -> tuple[Action | None, Build | None]:
        """The action of that key if it may be begun now, and the build it is wanted for."""
        try:
            build = await self.known.newest(build_id)
        except NotFound:
            return None, None
        decision = decide(build)
        if decision.facts:
            advanced = await self.advance(build_id)
            if advanced is None:
                return None, None
            build, decision = advanced, decide(advanced)
        action = next((action for action in decision.actions if action.key == key), None)
        return (action if decision.start else None), build

    async def _carry_out(self, errand: Errand) -> bool:
        try:
            world = await self._worlds(errand.build.options)
        except (Refused, CouldNot) as lacking:
            await self._declined.decline(errand, lacking, self.clock.now())
            return False
        async with Logbook(world, errand.lease.build_id) as logbook:
            bench = Workbench(
                world,
                logbook,
                errand.conversations,
                self._judging,
                newest=lambda: errand.build,
                tell=errand.tell,
                guard=errand.guard,
            )
            errand.flight = asyncio.create_task(perform(bench, errand.action, errand.build), name=errand.lease.key)
            telling = asyncio.create_task(self._pass_on(errand), name=f"telling of {errand.lease.key}")
            try:
                await asyncio.wait([errand.flight])
            except asyncio.CancelledError:
                errand.end()
                await asyncio.wait([errand.flight])
            errand.hush()
            await telling
        facts = () if errand.flight.cancelled() else errand.flight.result()
        if not errand.flight.cancelled() and await self._record(errand, facts, ended=True):
            return True
        await self._let_go(errand)
        return False

    async def _pass_on(self, errand: Errand) -> None:
        """Record what the action tells on its way, until it has ended."""
        while facts := await errand.next_told():
            if not await self._record(errand, facts, ended=False):
                errand.end(lost=True)

    async def _record(self, errand: Errand, facts: Sequence[AnyEvent], *, ended: bool) -> bool:
        """Record by the lease, however long the store is away; False when the lease is lost.

        What was paid for is recorded in any case: it is true whoever holds the action.
        """
        lease: ActionLease | None = errand.lease
        while True:
            try:
                build = await self._settle(errand.lease.build_id, facts, lease, ended=ended and lease is not None)
            except LostLease:
                lease, facts = None, spent(facts)
                errand.lost = True
                if not facts:
                    return False
            except (BuildIsRunning, NotFound):
                return False
            except CouldNot as trouble:
                self.say("not-recorded", errand.lease.build_id, action=errand.lease.key, why=str(trouble))
                if self._closing:
                    return False
                await self.clock.sleep(SLOW_SECONDS)
            else:
                errand.catch_up(build)
                return lease is not None

    async def _let_go(self, errand: Errand) -> None:
        """The action was ended before it was done: it is free for others, and whatever waited for that goes on."""
        self.say("let-go", errand.lease.build_id, action=errand.lease.key, lost=errand.lost)
        try:
            if not errand.lost:
                await self.board.drop(errand.lease)
            await self.advance(errand.lease.build_id)
            if not errand.lost:
                await self._hint(errand.lease.build_id, errand.lease.key)
        except CouldNot as trouble:  # the lease runs out, and whoever patrols goes on
            self.say("not-let-go", errand.lease.build_id, action=errand.lease.key, why=str(trouble))

    async def close(self) -> None:
        """End what this process carries out and let go of it, so that others take it up at once."""
        self._closing = True
        errands = list(self.errands.values())
        for errand in errands:
            errand.end()
        for errand in errands:
            await errand.over.wait()


def is_long(key: str) -> bool:
    """Whether an action of that key waits for a model: those must not hold up checks and merges."""
    return key.startswith((_AGENT, _PLAN, _DIAGNOSIS))


_AGENT = RunAgent("", 0).key.partition("/")[0]
_PLAN = MakePlan().key
_DIAGNOSIS = Diagnose(0).key.partition("/")[0]


def _facts_of_time(build: Build, now: datetime) -> tuple[AnyEvent, ...]:
    """What time alone makes of a build: a pause that lasts too long ends it (G14)."""
    until = _wake_at(build)
    if until is None or now < until:
        return ()
    minutes = build.options.limits.pause_seconds / 60
    return (StopRequested(how="abort", message=f"paused for longer than {minutes:g} minutes"),)


def _wake_at(build: Build) -> datetime | None:
    if build.control is not Control.PAUSED or build.pause is None:
        return None
    return build.pause.since + timedelta(seconds=build.options.limits.pause_seconds)
