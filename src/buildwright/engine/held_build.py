"""A build that this process alone drives: it holds the whole build by a lease, and the queue of actions is in memory.

What is in flight are tasks of this process; after a crash `decide` asks for them again. Must never write anything but
through `Builds.append` with the token of the lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.decide import TimedFact, timed_fact
from buildwright.core.event import AnyEvent
from buildwright.engine.action_context import ActionContext
from buildwright.engine.adapters import Adapters
from buildwright.engine.build_cache import Snapshots
from buildwright.engine.build_log import BuildLog
from buildwright.engine.driver import Anew, Commitment, Driver
from buildwright.engine.follow import catch_up
from buildwright.engine.kept_work import keep_leftovers
from buildwright.engine.messages import Inboxes
from buildwright.engine.perform import forget_lanes, perform
from buildwright.engine.running_action import KeptLease, RunningAction
from buildwright.engine.steps import Decided
from buildwright.errors import BuildIsRunning, CouldNot, IllegalMove, LostLease, StaleVersion
from buildwright.ports import Builds, Clock, Lease


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
        build = HeldBuild(world, lease, known or await world.builds.load(build_id), logbook, behind=known is not None)
        if world.workspace is not None:
            await keep_leftovers(world.workspace, await build.newest())
            await world.workspace.forget(build_id)  # what a killed run has left: no other process runs this build
        watching = asyncio.create_task(build.watch(), name="watch")
        listening = asyncio.create_task(logbook.listen(), name="listen")
        ends: list[asyncio.Future[Any]] = [lease.lost, watching, listening, build.driver.broken, build.at_rest]
        build.driver.hand_in()
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for ended in ends:
                if ended.done():
                    ended.result()  # raises what ended it: this process may write nothing more
            await build.snapshots.keep(build.build, at_rest=True)
        finally:
            for task in (watching, listening):
                task.cancel()
            await asyncio.gather(watching, listening, return_exceptions=True)
            await build.end()
        if build.build.is_terminal and world.workspace is not None:
            # Under the lease: a build that is opened again has lanes of its own.
            await forget_lanes(world.workspace, build.build, world.mask)
        return build.build


class HeldBuild:
    """A build under the lease of this process. `at_rest` is done once nothing is left to drive."""

    def __init__(self, world: Adapters, lease: HeldLease, build: Build, logbook: BuildLog, *, behind: bool) -> None:
        """With `behind` the state is an older one: what came after it is read first."""
        self.build = build
        self.at_rest: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.driver = Driver(build.id, self, world.clock)
        self._deadline = Deadline(world.clock)
        self.driver.on_idle = self._look_for_rest
        self.snapshots = Snapshots(world.builds, build)
        self._world = world
        self._lease = lease
        self._logbook = logbook
        self._behind = behind
        self._running: dict[str, RunningAction] = {}
        self._context = ActionContext(
            world,
            logbook,
            Inboxes(),
            asyncio.Semaphore(build.options.limits.concurrency),
            newest=lambda: self.build,
            tell=lambda fact: self.driver.hand_in([fact]),
            guard=lease.guard,
        )

    # --- The queue of the driver -----------------------------------------------------------------------------------

    @property
    def deciding(self) -> bool:
        return not self._world.detach.is_set()

    async def newest(self, *, at_hand: bool = False) -> Build:  # noqa: ARG002  it always knows
        if self._behind:
            self._behind = False
            self._take(await catch_up(self._world.builds, self.build))
        return self.build

    async def runs(self, ended: Collection[str]) -> bool:
        return any(key not in ended for key in self._running)

    async def commit(self, due: Commitment, _anew: Anew) -> list[str]:
        before, update = due.before, due.update
        if due.steps:
            if due.after.is_terminal:
                await self._logbook.flush()  # a reader of the log leaves when the build has ended
            try:
                await self._world.builds.append(
                    before.id, before.version, due.events, due.at, self._lease.token, due.after
                )
            except StaleVersion:
                self._behind = True
                raise
            self._take(due.steps)
        for key in update.ended:
            self._running.pop(key, None)
        wanted = set(update.wanted)
        for key, action in self._running.items():
            if key not in wanted:
                action.end()
        self._context.conversations.offer(self.build)
        await self.snapshots.keep(self.build)
        return [key for key in update.wanted if key not in self._running] if update.start else []

    def begin(self, build: Build, actions: Sequence[Action], _ended: Collection[str]) -> None:
        if self.driver.letting_go:
            return  # this commit was under way when the end began, which waits for no more actions
        for action in actions:
            running = self._running[action.key] = RunningAction(action, build)
            running.flight = asyncio.create_task(perform(self._context, action, build), name=action.key)
            running.flight.add_done_callback(partial(self._ended, running))

    def due(self, build: Build) -> tuple[AnyEvent, ...]:
        return self._deadline.due(build)

    def dropped(self, late: IllegalMove) -> None:
        self._logbook.note("engine", f"dropped: {late}")

    def refused(self, error: BaseException) -> None:
        self._logbook.note("engine", f"not recorded: {error}")

    async def goes_on(self, trouble: CouldNot, *, told: bool) -> bool:  # noqa: ARG002  it never does
        """Return False: the next run goes on from the newest event."""
        return False

    def _take(self, steps: Sequence[Decided]) -> None:
        if steps:
            self.build = steps[-1].build
        if self._world.on_event is not None:
            for recorded, build in steps:
                self._world.on_event(recorded, build)

    # --- Around it -------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Wake the driver when something changes outside: a command, detaching, time. Never decides.

        Looks a few times a second until the build is at rest. Raises what the store raises.
        """
        world, driver = self._world, self.driver
        time = asyncio.get_running_loop().time  # not the time of day, which can jump
        last_beat = time()
        while True:
            await world.clock.sleep(world.poll_seconds)
            newest = await world.builds.version(self.build.id)
            if self.at_rest.done():
                return  # what comes now is for the next run, which begins with it
            if newest > self.build.version:
                self._behind = True
                driver.hand_in()
                continue
            if time() - last_beat >= self.build.options.limits.heartbeat_seconds:
                last_beat = time()
                # Every attempt of the build is in this process.
                driver.hand_in([*self._context.conversations.beats(self.build, sorted(self.build.active))])
            elif world.detach.is_set() or self.due(self.build):
                driver.hand_in()

    async def end(self) -> None:
        """End everything in flight. What it had spent until then is still recorded, if that is possible."""
        self.driver.letting_go = True
        flights = [action.flight for action in self._running.values() if action.flight is not None]
        for action in self._running.values():
            action.end()
        if flights:
            await asyncio.wait(flights)
        await asyncio.sleep(0)  # their facts are handed in
        await self.driver.quiet()
        self.driver.broken.cancel()
        await asyncio.gather(
            self.driver.broken, return_exceptions=True
        )  # what failed here is told by what ended the run

    def _ended(self, running: RunningAction, flight: asyncio.Task[Sequence[AnyEvent]]) -> None:
        if flight.cancelled() and not running.ending:
            return  # the whole process ends, and begins nothing more
        bug = None if flight.cancelled() else flight.exception()
        if bug is not None:
            self.driver.give_up(bug)
        self.driver.hand_in(() if flight.cancelled() or bug else flight.result(), running, ended=True)

    def _look_for_rest(self) -> None:
        waits = self.build.waits_for_user and not self._world.stay
        idle = self.build.is_terminal or (not self._running and (waits or self._world.detach.is_set()))
        if idle and not self.at_rest.done():
            self.at_rest.set_result(None)


class Deadline:
    """When time alone changes a build. The time of day, which can jump, says only how long it has lasted so far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._awaited: TimedFact | None = None
        self._until = 0.0

    def due(self, build: Build) -> tuple[AnyEvent, ...]:
        """Return the facts that time has caused by now: a pause, or a phase, that lasts too long."""
        timed = timed_fact(build)
        if timed is None:
            return ()
        time = asyncio.get_running_loop().time()
        if timed != self._awaited:
            before = (self._clock.now() - timed.since).total_seconds()
            self._awaited, self._until = timed, time + timed.seconds - max(before, 0.0)
        return (timed.fact,) if time >= self._until else ()


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease that is being renewed. `lost` raises LostLease (or StoreFailed, DiskFull) when it is gone."""

    builds: Builds
    lease: Lease
    kept: KeptLease
    lost: asyncio.Future[None]

    @property
    def token(self) -> int:
        return self.lease.token

    async def renew(self) -> None:
        """Renew it now. Raises LostLease, which `lost` raises from then on, and CouldNot."""
        asked_at = asyncio.get_running_loop().time()
        try:
            await self.builds.renew(self.lease, self.kept.seconds)
        except LostLease as taken:
            self.end(taken)
            raise
        self.kept.renewed(asked_at)

    def end(self, error: LostLease | CouldNot) -> None:
        """Note the error that it is lost by."""
        if not self.lost.done():
            self.lost.set_exception(error)

    async def guard(self) -> None:
        """Check the lease right before an effect that others see.

        Raises the error that it was lost by. One that may have run out, because this process was halted, is renewed
        first: CouldNot when the store does not answer.
        """
        if self.lost.done():
            self.lost.result()
        if self.kept.gone:
            await self.renew()
        if self.kept.gone:  # halted again before the answer came
            raise LostLease(f"the lease on build {self.lease.build_id} may have run out")


@asynccontextmanager
async def held(world: Adapters, build_id: str) -> AsyncIterator[HeldLease]:
    """Hold the lease on a build: renew it every third of its time, release it at the end. Raises BuildIsRunning."""
    kept = KeptLease(world.lease_seconds, asyncio.get_running_loop().time())
    lease = await world.builds.acquire(build_id, world.holder, world.lease_seconds)
    mine = HeldLease(world.builds, lease, kept, asyncio.get_running_loop().create_future())
    renewing = asyncio.create_task(_renew(world, mine), name="lease")
    try:
        yield mine
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        mine.lost.cancel()
        await asyncio.gather(mine.lost, return_exceptions=True)  # told already, if it ended the run
        # The error that ended the run must not hide behind this: the lease runs out, or its process ends.
        with suppress(CouldNot):
            await world.builds.release(lease)


async def _renew(world: Adapters, mine: HeldLease) -> None:
    while not mine.lost.done():
        await world.clock.sleep(mine.kept.seconds / 3)
        try:
            await mine.renew()
        except LostLease:
            return
        except CouldNot as trouble:
            if mine.kept.gone:
                mine.end(trouble)
