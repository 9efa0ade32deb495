"""The engine of many processes: `advance` decides and posts wanted actions, `perform` takes one and does it.

    advance(build):       have the driver look at it, which posts the wanted actions and hints at them
    perform(build, key):  claim the action by a lease ──▶ effect ──▶ hand its facts to the driver

Both may be called at any time, twice, late or never: the store has the truth, and `poll` finds what was forgotten.
Must never trust a hint, nor record anything itself (see `driver`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from buildwright.core.action import Action, JudgeMerge, JudgePatch, RunAgent
from buildwright.core.build import Build
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Options
from buildwright.core.secrets import mask
from buildwright.core.terminal import clean
from buildwright.engine.action_context import ActionContext
from buildwright.engine.adapters import Adapters
from buildwright.engine.build_log import BuildLog
from buildwright.engine.driver import NOT_OURS
from buildwright.engine.perform import perform
from buildwright.engine.running_action import LONG_KINDS, SHORT_KINDS, ClaimedAction, is_long, lease_seconds
from buildwright.engine.shared_build import Log, OnEvent, SharedBuilds
from buildwright.errors import BuildIsRunning, BuildwrightError, CouldNot, NotFound, Refused
from buildwright.ports import ActionLease, ActionName, ActionQueue, Builds, Clock, Hints, LogEntry, WantedClaim

T = TypeVar("T")

CLAIMED_SECONDS = 15.0
"""For how long actions are claimed, or less in a build whose leases are shorter; the first renewal, when a third of it has
passed, is for as long as leases of the build last. No build waits longer than this for what a process claimed that was
stopped before it read the build."""
DECLINED_SECONDS = 15.0
"""How long a build is left to others before it is tried here again: the missing program may have been installed."""
MOST_IN_VAIN = 8
"""Claims in a row that come to nothing, after which the next hint or look at the board goes on."""


def _silent(_event: str, **_fields: object) -> None:
    """Log nothing."""


class Worker:
    """One process's part in any number of builds. `slots` bounds its agents, and separately its other actions."""

    def __init__(
        self,
        builds: Builds,
        board: ActionQueue,
        jobs: Hints,
        clock: Clock,
        holder: str,
        worlds: Callable[[Options], Awaitable[Adapters]],
        slots: int = 2,
        log: Log = _silent,
    ) -> None:
        self.board = board
        self.clock = clock
        self.holder = holder
        self.slots = slots
        self.claimed_actions: dict[ActionName, ClaimedAction] = {}
        self.waited: deque[float] = deque(maxlen=2000)
        """Queue latencies of the newest actions, in seconds."""
        self.performed = 0
        self.log = log
        self._shared = SharedBuilds(builds, board, jobs, clock, log)
        self.known, self.say = self._shared.known, self._shared.say
        self._worlds = worlds
        self._judging = asyncio.Semaphore(slots)
        self._declined = DeclinedBuilds(builds, board, self.say)
        self._begun: dict[ActionName, asyncio.Event] = {}
        """Actions that were claimed here, each with what is set when it is over. Never one of them twice, not even when
        its lease was lost: both would use the same lane."""
        self._broken = LeftAlone[ActionName]()
        """Actions that an error of ours broke off here: begun again at once, they would cost the same for nothing."""
        self._long, self._short = (
            Room(slots, partial(self._claim, kinds), self._release) for kinds in (LONG_KINDS, SHORT_KINDS)
        )
        self._closing = False

    def listen(self, on_event: OnEvent | None) -> None:
        """Call `on_event` with every event that this process records from now on, and the build after it."""
        self._shared.on_event = on_event

    # --- advance ----------------------------------------------------------------------------------------------------

    async def advance(self, build_id: str) -> Build | None:
        """Decide until nothing is left to decide, and post wanted actions. None when it is not ours to advance.

        Raises StoreFailed, DiskFull; then nothing has changed, and the next process that looks does it.
        """
        try:
            build = await self._shared.driver(build_id).record()
        except (BuildIsRunning, NotFound) as not_ours:
            self.say("not-advanced", build_id, why=str(not_ours))
            return None
        await self._shared.hints_sent()
        return build

    # --- perform ----------------------------------------------------------------------------------------------------

    async def perform(self, build_id: str, key: str) -> None:
        """Carry out an action if it is wanted and free, and after it what has waited longest, until nothing waits.

        Raises StoreFailed, DiskFull before an action was claimed; afterwards it keeps trying to record the result.
        """
        name: ActionName | None = (build_id, key)
        if name in self._begun or self._closing or build_id in self._declined.now():
            return
        room = self._long if is_long(key) else self._short
        in_vain = 0
        while in_vain < MOST_IN_VAIN:
            async with room.slots:
                found = await room.claim(name)
                if found is None:
                    return
                in_vain = 0 if await self._take_up(*found) else in_vain + 1
            # An action that waits here for a slot goes first.
            if room.slots.locked() or _is_cancelled():
                return
            name = None

    async def _claim(self, kinds: Collection[str], first: Sequence[ActionName], limit: int) -> list[ActionLease]:
        if self._closing:
            return []
        here = (*self._begun, *self._broken.now())
        leases = await self.board.claim(
            self.holder, CLAIMED_SECONDS, WantedClaim(limit, kinds, first, here, self._declined.now())
        )
        self._begun.update({lease.name: asyncio.Event() for lease in leases})
        return leases

    async def _release(self, lease: ActionLease) -> None:
        """Release a claimed action that nothing was done about."""
        try:
            await self.board.drop(lease)
        except CouldNot as trouble:  # the lease runs out
            self.say("not-let-go", lease.build_id, action=lease.key, why=str(trouble), level="warning")
        finally:
            self._over(lease.name)

    def _over(self, name: ActionName) -> None:
        if (over := self._begun.pop(name, None)) is not None:
            over.set()

    async def _take_up(self, lease: ActionLease, asked_at: float) -> bool:
        """Carry out an action that was claimed. Returns whether it was, once all its facts are recorded."""
        claimed: ClaimedAction | None = None
        try:
            claimed = await self._claimed(lease, asked_at)
            if claimed is None:
                return False
            self.claimed_actions[lease.name] = claimed
            self.say("taken", lease.build_id, action=lease.key, token=lease.token, waited=round(lease.waited, 4))
            return await self._carry_out(claimed)
        except asyncio.CancelledError:
            if claimed is None or claimed.flight is None:
                await self._release(lease)
            raise
        except Exception as error:
            begun = claimed is not None and claimed.flight is not None
            if begun or not isinstance(error, CouldNot):
                self._broken.add(lease.name, claimed.kept.seconds if claimed is not None else CLAIMED_SECONDS)
            raise
        finally:
            if self.claimed_actions.pop(lease.name, None) is not None:
                self.performed += 1
            self._over(lease.name)

    async def _claimed(self, lease: ActionLease, asked_at: float) -> ClaimedAction | None:
        """Return the action of a lease if it is to begin now; else release it and return None."""
        action, build = await self._wanted(lease)
        if action is None or build is None or self._closing:
            await self.board.drop(lease)
            if not self._closing:
                await self.advance(lease.build_id)  # or the board would want it still, and offer it again and again
            return None
        kept_at, now = asked_at, asyncio.get_running_loop().time
        lasts = min(CLAIMED_SECONDS, lease_seconds(build))
        if lasts < CLAIMED_SECONDS:
            kept_at = now()
            await self.board.keep([lease], lasts)
        if now() - asked_at >= CLAIMED_SECONDS:  # another worker may have taken it before it was kept
            await self.board.drop(lease)
            return None
        self.waited.append(lease.waited)
        return ClaimedAction(self.board, lease, action, build, kept_at, lasts)

    async def _wanted(self, lease: ActionLease) -> tuple[Action | None, Build | None]:
        """Return the action of a lease if it may begin now, and the build it is wanted for."""
        try:
            build = await self.known.at_least(lease.build_id, lease.version)
        except NotFound:
            return None, None
        decision = decide(build)
        if decision.facts:
            advanced = await self.advance(lease.build_id)
            if advanced is None:
                return None, None
            build, decision = advanced, decide(advanced)
        action = next((action for action in decision.actions if action.key == lease.key), None)
        return (action if decision.start else None), build

    async def _carry_out(self, claimed: ClaimedAction) -> bool:
        try:
            world = await self._worlds(claimed.build.options)
        except (Refused, CouldNot) as lacking:
            await self._declined.decline(claimed, lacking, self.clock.now())
            return False
        driver = self._shared.driver(claimed.lease.build_id)
        async with BuildLog(world, claimed.lease.build_id) as logbook:
            context = ActionContext(
                world,
                logbook,
                claimed.conversations,
                self._judging,
                newest=lambda: claimed.build,
                tell=lambda fact: driver.hand_in([fact], claimed),
                guard=claimed.guard,
                waited=claimed.lease.waited,
            )
            claimed.flight = asyncio.create_task(perform(context, claimed.action, claimed.build), name=claimed.key)
            if self._closing:  # since the action was taken: `close` had nothing to end yet
                claimed.end()
            try:
                await asyncio.wait([claimed.flight])
            except asyncio.CancelledError:
                claimed.end()
                await asyncio.wait([claimed.flight])
        if not claimed.flight.cancelled() and await self._record(claimed, claimed.flight.result()):
            return True
        if claimed.bug is not None:
            raise claimed.bug  # its lease runs out, and only then it is begun here again
        await self._let_go(claimed)
        return False

    def report_alive(self, claimed: ClaimedAction) -> None:
        """Record that the attempt of an action is alive, as far as this process can tell."""
        match claimed.action:
            case RunAgent(task, attempt) | JudgePatch(task, attempt) | JudgeMerge(task, attempt):
                beats = claimed.conversations.beats(claimed.build, [task])
                if facts := [beat for beat in beats if beat.attempt == attempt]:
                    self._shared.driver(claimed.lease.build_id).hand_in(facts, claimed)

    async def _record(self, claimed: ClaimedAction, facts: Sequence[AnyEvent]) -> bool:
        """Record the end of an action, however long the store is away. Returns False when it is not ours to record."""
        try:
            await self._shared.driver(claimed.lease.build_id).record(facts, claimed, ended=True)
        except NOT_OURS:
            return False
        await self._shared.hints_sent()
        return True

    async def _let_go(self, claimed: ClaimedAction) -> None:
        """Release an action that ended before it was done, for other workers; whatever waited for that goes on."""
        build_id, key = claimed.name
        self.say("let-go", build_id, action=key, lost=claimed.lost)
        try:
            await self._shared.driver(build_id).quiet(claimed)  # what it has reported is recorded under its lease
            if not claimed.lost:
                await self.board.drop(claimed.lease)
            await self.advance(build_id)
            if not claimed.lost:
                self._shared.hint(build_id, key)
                await self._shared.hints_sent()
        except CouldNot as trouble:  # the lease runs out, and the next poll goes on
            self.say("not-let-go", build_id, action=key, why=str(trouble), level="warning")

    async def close(self) -> None:
        """End and release all actions of this process, so that others take them up at once."""
        self._closing, self._shared.patient = True, False
        for claimed in self.claimed_actions.values():
            claimed.end()
        for room in (self._long, self._short):
            await room.quiet()
        while self._begun:
            await next(iter(self._begun.values())).wait()


def _is_cancelled() -> bool:
    """Return whether the task that runs is to end: an action that it carries out is still let go of."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


Found: TypeAlias = tuple[ActionLease, float]
"""A lease, and when it was asked for, on the event loop's clock."""


class Room:
    """Slots for actions of one kind, and the claims for those that are free: one for all that ask at once.

    What is claimed for those that have stopped waiting is released.
    """

    def __init__(
        self,
        slots: int,
        claim: Callable[[Sequence[ActionName], int], Awaitable[list[ActionLease]]],
        release: Callable[[ActionLease], Awaitable[None]],
    ) -> None:
        self.slots = asyncio.Semaphore(slots)
        self._claim, self._release = claim, release
        self._asking: list[tuple[ActionName | None, asyncio.Future[Found | None]]] = []
        self._claiming: asyncio.Task[None] | None = None

    async def claim(self, first: ActionName | None) -> Found | None:
        """Return a lease for a slot; None when nothing waits.

        What is claimed for all that ask at once may be another action than `first`. Raises StoreFailed, DiskFull.
        """
        answer: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
        self._asking.append((first, answer))
        if self._claiming is None:
            self._claiming = asyncio.create_task(self._claim_all(), name="claim")
        try:
            return await answer
        except asyncio.CancelledError:
            answered = answer.done() and not answer.cancelled() and answer.exception() is None
            if answered and (found := answer.result()) is not None:
                await self._release(found[0])
            raise

    async def quiet(self) -> None:
        """Wait until no claim is under way."""
        while self._claiming is not None:
            await asyncio.wait([self._claiming])

    async def _claim_all(self) -> None:
        """Claim until all are answered. Those that ask in the same turn of the event loop, or meanwhile, share a claim."""
        try:
            while self._asking:
                asking = [(first, answer) for first, answer in self._asking if not answer.done()]
                self._asking = []
                if asking:
                    await self._claim_for(asking)
        finally:
            self._claiming = None

    async def _claim_for(self, asking: Sequence[tuple[ActionName | None, asyncio.Future[Found | None]]]) -> None:
        asked_at = asyncio.get_running_loop().time()
        try:
            leases = await self._claim([first for first, _ in asking if first is not None], len(asking))
        except Exception as error:  # whatever it is, those that asked raise it
            for _, answer in asking:
                if not answer.done():
                    answer.set_exception(error)
            return
        for _, answer in asking:
            if not answer.done():
                answer.set_result((leases.pop(0), asked_at) if leases else None)
        for lease in leases:
            await self._release(lease)


class LeftAlone(Generic[T]):
    """What this process leaves alone for a while, by the event loop's clock."""

    def __init__(self) -> None:
        self._until: dict[T, float] = {}

    def add(self, one: T, seconds: float) -> None:
        """Leave it alone for `seconds` from now."""
        self._until[one] = asyncio.get_running_loop().time() + seconds

    def now(self) -> Collection[T]:
        """Return what is left alone now."""
        now = asyncio.get_running_loop().time()
        self._until = {one: until for one, until in self._until.items() if until > now}
        return self._until


class DeclinedBuilds:
    """Builds that this machine cannot carry out, without an agent or a sandbox: logged with `say`, and left to others.

    Must never decide about the build: another machine may have what this one lacks.
    """

    def __init__(self, builds: Builds, board: ActionQueue, say: Callable[..., None]) -> None:
        self._builds = builds
        self._board = board
        self._say = say
        self._left = LeftAlone[str]()

    def now(self) -> Collection[str]:
        """Return the builds that are left to other workers now."""
        return self._left.now()

    async def decline(self, claimed: ClaimedAction, lacking: BuildwrightError, at: datetime) -> None:
        """Release an action that cannot begin here, and write in the build's log what is lacking."""
        build_id, key = claimed.name
        self._left.add(build_id, DECLINED_SECONDS)
        self._say("declined", build_id, action=key, why=str(lacking), fix=lacking.fix or "", level="warning")
        host = claimed.lease.holder.partition("/")[0]
        text = f"{host} cannot carry out {key}: {lacking}" + (f" (fix: {lacking.fix})" if lacking.fix else "")
        try:
            await self._board.drop(claimed.lease)
            await self._builds.write_log(
                build_id, [LogEntry(at, getattr(claimed.action, "task", ""), 0, "warned", clean(text, mask))]
            )
        except CouldNot as trouble:  # the lease runs out
            self._say("not-let-go", build_id, action=key, why=str(trouble), level="warning")
