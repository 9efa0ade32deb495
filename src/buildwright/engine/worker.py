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

from buildwright.core.action import Action, JudgeMerge, JudgePatch, RunAgent
from buildwright.core.build import Build
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Limits, Options
from buildwright.core.secrets import mask
from buildwright.core.terminal import clean
from buildwright.engine.action_context import ActionContext
from buildwright.engine.adapters import Adapters
from buildwright.engine.build_log import BuildLog
from buildwright.engine.driver import NOT_OURS
from buildwright.engine.one_question import OneQuestion
from buildwright.engine.perform import perform
from buildwright.engine.running_action import LONG_KINDS, SHORT_KINDS, ClaimedAction, is_long, lease_seconds
from buildwright.engine.shared_build import Log, OnEvent, SharedBuilds
from buildwright.errors import BuildIsRunning, BuildwrightError, CouldNot, NotFound, Refused
from buildwright.ports import ActionLease, ActionName, ActionQueue, Builds, Claim, Clock, Hints, LogEntry

CLAIMED_SECONDS = 3 * Limits().heartbeat_seconds
"""For how long actions are claimed; then their build says for how long."""
DECLINED_SECONDS = 15.0
"""How long a build is left to others before it is tried here again: the missing program may have been installed."""


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
        self._begun: set[ActionName] = set()
        """Actions that are carried out here. Never one of them twice, not even when its lease was lost: both would use
        the same lane."""
        self._long, self._short = (Room(slots, partial(self._claim, kinds)) for kinds in (LONG_KINDS, SHORT_KINDS))
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
        while True:
            async with room.slots:
                found = await room.claim(name)
                done = found is not None and await self._take_up(*found)
            # An action that waits here for a slot goes first.
            if not done or room.slots.locked():
                return
            name = None

    async def _claim(self, kinds: Collection[str], first: Sequence[ActionName], limit: int) -> list[ActionLease]:
        if self._closing:
            return []
        claim = Claim(limit, kinds, first, tuple(self._begun), self._declined.now())
        leases = await self.board.claim(self.holder, CLAIMED_SECONDS, claim)
        self._begun.update(lease.name for lease in leases)
        return leases

    async def _take_up(self, lease: ActionLease, asked_at: float) -> bool:
        """Carry out an action that was claimed. Returns whether it was, once all its facts are recorded."""
        build_id, key = lease.name
        try:
            action, build = await self._wanted(lease)
            if action is None or build is None or self._closing:
                await self.board.drop(lease)
                return False
            if lease_seconds(build) != CLAIMED_SECONDS:
                asked_at = asyncio.get_running_loop().time()
                await self.board.keep([lease], lease_seconds(build))
            self.waited.append(lease.waited)
            claimed = ClaimedAction(self.board, lease, action, build, asked_at)
            self.claimed_actions[lease.name] = claimed
            self.say("taken", build_id, action=key, token=lease.token, waited=round(lease.waited, 4))
            try:
                return await self._carry_out(claimed)
            finally:
                del self.claimed_actions[lease.name]
                claimed.over.set()
                self.performed += 1
        finally:
            self._begun.discard(lease.name)

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
            raise claimed.bug  # its lease runs out
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
        claimed_actions = list(self.claimed_actions.values())
        for claimed in claimed_actions:
            claimed.end()
        for claimed in claimed_actions:
            await claimed.over.wait()


class Room:
    """Slots for actions of one kind, and the claims for those that are free: one for all that ask at once."""

    def __init__(self, slots: int, claim: Callable[[Sequence[ActionName], int], Awaitable[list[ActionLease]]]) -> None:
        self.slots = asyncio.Semaphore(slots)
        self._claim = claim
        self._asking: list[ActionName | None] = []
        self._claims = OneQuestion(self._ask)

    async def claim(self, first: ActionName | None) -> tuple[ActionLease, float] | None:
        """Return a lease for a slot, and when it was asked for, on the event loop's clock; None when nothing waits.

        What is claimed for all that ask at once may be another action than `first`. Raises StoreFailed, DiskFull.
        """
        self._asking.append(first)
        leases, asked_at = await self._claims.answer()
        return (leases.pop(0), asked_at) if leases else None

    async def _ask(self) -> tuple[list[ActionLease], float]:
        asking, self._asking = self._asking, []
        asked_at = asyncio.get_running_loop().time()
        return await self._claim([first for first in asking if first is not None], len(asking)), asked_at


class DeclinedBuilds:
    """Builds that this machine cannot carry out, without an agent or a sandbox: logged with `say`, and left to others.

    Must never decide about the build: another machine may have what this one lacks.
    """

    def __init__(self, builds: Builds, board: ActionQueue, say: Callable[..., None]) -> None:
        self._builds = builds
        self._board = board
        self._say = say
        self._until: dict[str, float] = {}
        """By build: when the time ends, on the event loop's clock."""

    def now(self) -> Collection[str]:
        """Return the builds that are left to other workers now."""
        now = asyncio.get_running_loop().time()
        self._until = {build: until for build, until in self._until.items() if until > now}
        return self._until

    async def decline(self, claimed: ClaimedAction, lacking: BuildwrightError, at: datetime) -> None:
        """Release an action that cannot begin here, and write in the build's log what is lacking."""
        build_id, key = claimed.name
        self._until[build_id] = asyncio.get_running_loop().time() + DECLINED_SECONDS
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
