"""READ THIS FIRST. The loop that drives one build: facts in, one append, wanted actions put in flight.

    facts ──▶ apply ──▶ decide ──▶ more facts? apply, decide again ──▶ append all in one transaction ──▶ reconcile flights

The journal is the only state. What is in flight is only a cache of `decide`: after a crash it is asked for again. Must
never write anything but through `Builds.append` with its lease token, and never do an effect itself (see `perform`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.decide import Decision, timed_fact
from buildwright.core.event import AnyEvent, BuildFinished, TokensUsed
from buildwright.engine.action_context import ActionContext
from buildwright.engine.adapters import Adapters
from buildwright.engine.build_log import BuildLog
from buildwright.engine.follow import catch_up
from buildwright.engine.kept_work import keep_leftovers
from buildwright.engine.messages import Inboxes
from buildwright.engine.perform import forget_lanes, perform
from buildwright.engine.steps import Decided, take_steps
from buildwright.errors import BuildIsRunning, BuildwrightError, CouldNot, IllegalMove, LostLease, StaleVersion
from buildwright.ports import Lease

SNAPSHOT_EVERY = 500
"""Fewest events between snapshots; also at least twice the tasks, so that their cost per event is constant."""


async def run(world: Adapters, build_id: str, since: Build | None = None) -> Build:
    """Drive a build until it is finished, or waits for a user with nothing left running, or the world says detach.

    The world's `on_event` gets every event after `since`, an older state; without it those after the state found first.
    Raises BuildIsRunning when another live process has it, LostLease when it was taken away, NotFound, and StoreFailed
    or DiskFull when the journal cannot be written: recorded events are safe, and the next run goes on from there.
    Errors of `on_event` or `on_log` end the run in the same way.
    """
    known = await _hold(world, build_id, since)
    while not world.detach.is_set() and await world.builds.version(build_id) > known.version:
        # Another process sent a command while this one let go, found a holder, and left the command to it. It may have
        # opened a build again that had ended.
        try:
            known = await _hold(world, build_id, known)
        except BuildIsRunning:
            return known
    return known


async def _hold(world: Adapters, build_id: str, known: Build | None = None) -> Build:
    """Drive a build under its lease until it rests, as `run` does; with `known`, an older state, from there on."""
    async with held(world, build_id) as lease, BuildLog(world, build_id) as logbook:
        runner = Runner(world, lease, known or await world.builds.load(build_id), logbook)
        if known is not None:
            runner.fall_behind()
        if world.workspace is not None:
            await keep_leftovers(world.workspace, runner.build)
            await world.workspace.forget(build_id)  # what a killed run has left: no other process runs this build
        driving = asyncio.create_task(runner.drive(), name="drive")
        watching = asyncio.create_task(run_timers(runner.bench, runner.fall_behind), name="watch")
        listening = asyncio.create_task(logbook.listen(), name="listen")
        ends: list[asyncio.Future[Any]] = [lease.lost, watching, listening, driving]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for ended in ends[:-1]:
                if ended.done():
                    ended.result()  # raises what ended it: this process may write nothing more
            driving.result()
        finally:
            for task in (driving, watching, listening):
                task.cancel()
            await asyncio.gather(driving, watching, listening, return_exceptions=True)
            await runner.end()
        if runner.build.is_terminal and world.workspace is not None:
            # Under the lease: a build that is opened again has lanes of its own.
            await forget_lanes(world.workspace, runner.build, world.mask)
        return runner.build


class Runner:
    """One process's hold on one build: its newest state, the actions in flight, and facts that wait to be recorded."""

    def __init__(self, world: Adapters, lease: HeldLease, build: Build, logbook: BuildLog) -> None:
        self.world = world
        self.build = build
        self.logbook = logbook
        self._behind = False
        """Whether another process appended: read before deciding."""
        self._inbox: asyncio.Queue[CompletedAction | AnyEvent | None] = asyncio.Queue()
        self._flights = InFlight(lambda action, at: perform(self.bench, action, at), self._inbox.put_nowait)
        judging = asyncio.Semaphore(build.options.limits.concurrency)
        self.bench = ActionContext(
            world,
            logbook,
            Inboxes(),
            judging,
            newest=lambda: self.build,
            tell=self._inbox.put_nowait,
            guard=lease.guard,
        )
        self._lease = lease
        self._letting_go = False
        self._snapshot_at = build.version

    def fall_behind(self) -> None:
        """Note that another process appended: the loop wakes up and reads."""
        self._behind = True
        self._inbox.put_nowait(None)

    async def drive(self) -> Build:
        """Settle, wait for facts, settle again, until the build rests."""
        await self._settle([])
        while not self._rests():
            await self._settle(await self._gather())
        await self._keep_snapshot(spacing=SNAPSHOT_EVERY)
        return self.build

    async def end(self) -> None:
        """End everything in flight. What it had spent until then is still recorded, if that is possible."""
        self._letting_go = True
        await self._flights.end_all()
        spent = [fact for fact in self._arrived() if isinstance(fact, TokensUsed)]
        if spent and not self.build.is_terminal:
            with suppress(BuildwrightError):
                await self._settle(spent)

    def _rests(self) -> bool:
        if self.build.is_terminal:
            return True
        idle = not self._flights.busy and self._inbox.empty()
        waits = self.build.waits_for_user and not self.world.stay
        return idle and (waits or self.world.detach.is_set())

    async def _gather(self) -> list[CompletedAction | AnyEvent]:
        """Return all arrived facts after at least one wake-up: more facts in one append cost one commit."""
        first = await self._inbox.get()
        if self._flights.count > 1:
            await asyncio.sleep(0)
        return [*([] if first is None else [first]), *self._arrived()]

    def _arrived(self) -> list[CompletedAction | AnyEvent]:
        """Return all arrived facts, without waiting."""
        arrived = []
        while not self._inbox.empty():
            arrived.append(self._inbox.get_nowait())
        return [arrival for arrival in arrived if arrival is not None]

    async def _settle(self, arrived: Sequence[CompletedAction | AnyEvent]) -> None:
        """Record the facts and all that follows from them; then make the flights match the wanted actions."""
        while True:
            if self._behind:
                self._behind = False
                await self._catch_up()
            steps, decision = self._step(_facts(arrived))
            if self._flights.busy and any(isinstance(recorded.event, BuildFinished) for recorded, _ in steps):
                await self._flights.end_all()  # no effect after a build has ended
                arrived = [*arrived, *self._arrived()]  # what they had spent until then counts
                continue
            if await self._append(steps):
                break
            self._behind = True
        for arrival in arrived:
            if isinstance(arrival, CompletedAction):
                self._flights.landed(arrival)
        if self._letting_go or self.world.detach.is_set():
            await self._flights.end_all()
        else:
            self._flights.reconcile(decision, self.build)
        self.bench.conversations.offer(self.build)
        await self._keep_snapshot(spacing=max(SNAPSHOT_EVERY, 2 * self.build.total))

    def _step(self, facts: Iterable[AnyEvent]) -> tuple[list[Decided], Decision]:
        """Return the legal ones among the facts and all that `decide` adds, each with the build after it."""
        deciding = not (self._letting_go or self.world.detach.is_set())
        return take_steps(self.build, facts, self.world.clock.now(), self._dropped, deciding=deciding)

    def _dropped(self, late: IllegalMove) -> None:
        self.logbook.note("engine", f"dropped: {late}")

    async def _append(self, steps: list[Decided]) -> bool:
        """Append the steps. Returns False when another process was faster: then everything must be looked at anew."""
        if not steps:
            return True
        events = [recorded.event for recorded, _ in steps]
        if steps[-1][1].is_terminal:
            await self.logbook.flush()  # who follows the log leaves when the build has ended
        try:
            await self.world.builds.append(
                self.build.id, self.build.version, events, steps[0][0].at, self._lease.token, steps[-1][1]
            )
        except StaleVersion:
            return False
        self.build = steps[-1][1]
        self._show(steps)
        return True

    async def _catch_up(self) -> None:
        """Apply the events of other processes (a user's commands)."""
        steps = await catch_up(self.world.builds, self.build)
        if steps:
            self.build = steps[-1].build
        self._show(steps)

    def _show(self, steps: list[Decided]) -> None:
        if self.world.on_event is not None:
            for recorded, build in steps:
                self.world.on_event(recorded, build)

    async def _keep_snapshot(self, spacing: int) -> None:
        if self.build.version - self._snapshot_at >= spacing:
            with suppress(CouldNot):  # without it the next load only takes longer
                await self.world.builds.keep_snapshot(self.build)
            self._snapshot_at = self.build.version


class CompletedAction(NamedTuple):
    """The end of a flight, with its facts. The flight counts as running until they are in the journal."""

    key: str
    flight: asyncio.Task[None]
    facts: Sequence[AnyEvent]


class InFlight:
    """The actions in flight, by key: one asyncio task each. Must never outlive the runner, or run one action twice."""

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


async def run_timers(bench: ActionContext, fall_behind: Callable[[], None]) -> None:
    """Wake the loop, or hand it a fact, when something changes outside: a command, detaching, time. Never decides.

    Looks a few times a second for as long as the build is driven. Raises what the store raises.
    """
    world = bench.world
    time = asyncio.get_running_loop().time  # not the time of day, which can jump
    last_beat, until, awaited = time(), 0.0, None
    while True:
        await world.clock.sleep(world.poll_seconds)
        build = bench.newest()
        if world.detach.is_set():
            bench.tell(None)
        if await world.builds.version(build.id) > bench.newest().version:
            fall_behind()
            continue
        if time() - last_beat >= build.options.limits.heartbeat_seconds:
            last_beat = time()
            _report_alive(bench, build)
        timed = timed_fact(build)
        if timed != awaited:
            awaited = timed
            # Only the time of day tells how long it lasted while no process was watching.
            before = (world.clock.now() - timed.since).total_seconds() if timed else 0.0
            until = time() + (timed.seconds if timed else 0.0) - max(before, 0.0)
        if timed is not None and time() > until:
            bench.tell(timed.fact)


def _report_alive(bench: ActionContext, build: Build) -> None:
    """Record that every attempt of the build, all of them in this process, is alive, as far as it can tell."""
    for beat in bench.conversations.beats(build, sorted(build.active)):
        bench.tell(beat)


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease that is being renewed. `lost` raises LostLease (or StoreFailed, DiskFull) when it is gone."""

    lease: Lease
    lost: asyncio.Future[None]

    @property
    def token(self) -> int:
        return self.lease.token

    async def guard(self) -> None:
        """Check the lease right before an effect that others see. Raises the error that it was lost by."""
        if self.lost.done():
            self.lost.result()


@asynccontextmanager
async def held(world: Adapters, build_id: str) -> AsyncIterator[HeldLease]:
    """Hold the lease on a build: renew it every third of its time, release it at the end. Raises BuildIsRunning."""
    lease = await world.builds.acquire(build_id, world.holder, world.lease_seconds)
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    renewing = asyncio.create_task(_renew(world, lease, lost), name="lease")
    try:
        yield HeldLease(lease, lost)
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        lost.cancel()
        # The error that ended the run must not hide behind this: the lease runs out, or its process ends.
        with suppress(CouldNot):
            await world.builds.release(lease)


async def _renew(world: Adapters, lease: Lease, lost: asyncio.Future[None]) -> None:
    missed = 0
    while True:
        await world.clock.sleep(world.lease_seconds / 3)
        try:
            await world.builds.renew(lease, world.lease_seconds)
            missed = 0
        except LostLease as gone:
            lost.set_exception(gone)
            return
        except CouldNot as trouble:
            missed += 1
            if missed == 3:
                lost.set_exception(trouble)
                return


def _facts(arrived: Iterable[CompletedAction | AnyEvent]) -> Iterator[AnyEvent]:
    for arrival in arrived:
        if isinstance(arrival, CompletedAction):
            yield from arrival.facts
        else:
            yield arrival
