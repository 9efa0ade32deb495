"""The engine of many processes: `advance` decides and posts wanted actions, `perform` takes one and does it.

    advance(build):       have the driver look at it, which posts the wanted actions and hints at them
    perform(build, key):  take the action by a lease ──▶ effect ──▶ hand its facts to the driver

Both may be called at any time, twice, late or never: the store has the truth, and `poll` finds what was forgotten.
Must never trust a hint, nor record anything itself (see `driver`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

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
from buildwright.engine.one_question import OneQuestion
from buildwright.engine.perform import perform
from buildwright.engine.running_action import ClaimedAction, is_long, lease_seconds
from buildwright.engine.shared_build import Log, OnEvent, SharedBuilds
from buildwright.errors import BuildIsRunning, BuildwrightError, CouldNot, NotFound, Refused
from buildwright.ports import ActionQueue, Builds, Clock, Hints, LogEntry

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
        self.claimed_actions: dict[tuple[str, str], ClaimedAction] = {}
        self.waited: deque[float] = deque(maxlen=2000)
        """Queue latencies of the newest actions, in seconds."""
        self.performed = 0
        self.log = log
        self._waiting = OneQuestion(board.waiting)
        self._shared = SharedBuilds(builds, board, jobs, clock, log)
        self.known, self.say = self._shared.known, self._shared.say
        self._worlds = worlds
        self._long, self._short, self._judging = (asyncio.Semaphore(slots) for _ in range(3))
        self._declined = DeclinedBuilds(builds, board, self.say)
        self._begun: set[tuple[str, str]] = set()
        """Actions that are carried out here, or wait for a slot or their lease."""
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
        """Carry out an action if it is wanted and free; returns when that is over.

        Raises StoreFailed, DiskFull before the action was taken; afterwards it keeps trying to record the result.
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
        # A process that has become free takes up what has waited longest: fair to all builds, and quicker than a hint.
        # An action that waits here for a slot goes first; the board is looked at afterwards.
        done = True
        while done and not room.locked():
            async with room:
                done = await self._take_up_oldest(is_long(key))

    async def _take_up_oldest(self, long: bool) -> bool:
        if self._closing:
            return False
        waiting = [name for name in await self._waiting.answer() if is_long(name[1]) is long]
        near = waiting[: 2 * self.slots]
        # Processes that look at once begin in different places, else all but one would come too late for each.
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
        """Carry out an action if it is free. Returns whether it was, once all its facts are recorded."""
        action, build = await self._wanted(build_id, key)
        if action is None or build is None or self._closing:
            return False
        asked_at = asyncio.get_running_loop().time()
        lease = await self.board.take(build_id, key, self.holder, lease_seconds(build))
        if lease is None:
            return False
        self.waited.append(lease.waited)
        claimed = ClaimedAction(self.board, lease, action, build, asked_at)
        self.claimed_actions[claimed.name] = claimed
        self.say("taken", build_id, action=key, token=lease.token, waited=round(lease.waited, 4))
        try:
            return await self._carry_out(claimed)
        finally:
            del self.claimed_actions[claimed.name]
            claimed.over.set()
            self.performed += 1

    async def _wanted(self, build_id: str, key: str) -> tuple[Action | None, Build | None]:
        """Return the action of that key if it may begin now, and the build it is wanted for."""
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

    def has(self, build_id: str) -> bool:
        """Return whether the build is left to other workers now."""
        now = asyncio.get_running_loop().time()
        self._until = {build: until for build, until in self._until.items() if until > now}
        return build_id in self._until

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
