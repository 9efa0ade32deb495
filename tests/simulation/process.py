"""A process of a simulated machine: it asks the world, freezes, and dies at any await. Must never do an effect by itself.

A request that has been sent is carried out by the other side even when the process that sent it is frozen, or has died meanwhile
(as a database or a git command would): only its answer finds nobody. What a dead process tries, nobody hears.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from buildwright.errors import BuildwrightError, CouldNot
from tests.simulation.loop import OWNER, SimulatedLoop

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
_OUTSIDE = Context()
"""Where the other side of a request runs: it belongs to no process."""
_POLLS = frozenset({"store.version", "store.due", "store.write_log", "redis.send"})
"""Requests that are made over and over: dying there is not worth a try."""


class Luck:
    """Seeded chances by name. `calm` ends all of them; `seen` counts what came up, and whatever else is worth a count."""

    def __init__(self, seed: str, chances: dict[str, float] | None = None) -> None:
        self.draw = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.calm = False
        self._chances = chances or {}

    def strikes(self, fault: str) -> bool:
        """Whether this fault happens now."""
        chance = self._chances.get(fault, 0.0)
        if self.calm or not chance or self.draw.random() >= chance:
            return False
        self.seen[fault] += 1
        return True


class Trace:
    """What happened, in order: one line each, with virtual seconds. The same seed must give the same lines."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self._lines: list[tuple[float, str, str]] = []
        self.newest: dict[str, float] = {}
        """When each type of event was last recorded."""

    def note(self, who: str, what: str) -> None:
        self._lines.append((self._loop.time(), who, what))

    def lines(self, last: int | None = None) -> list[str]:
        """All lines, or the last ones."""
        chosen = self._lines if last is None else self._lines[-last:]
        return [f"{at:10.3f}  {who:<10} {what}" for at, who, what in chosen]


class Process:
    """One life of one program. `skew` is how far its wall clock is off, in seconds; it may change at any time."""

    def __init__(self, name: str, loop: SimulatedLoop, luck: Luck, trace: Trace) -> None:
        self.name = name
        self.luck = luck
        self.trace = trace
        self.alive = True
        self.frozen = False
        self.skew = 0.0
        self.cut_off = False
        """Its connection to the store is gone."""
        self.fuse = 0
        """At its nth request from now (0: not so) it dies, or freezes for `fuse_freezes` seconds. Polls do not count."""
        self.fuse_freezes = 0.0
        self.agents: set[tuple[str, int]] = set()
        """Attempts (task, number) whose agent it has started."""
        self.died = asyncio.Event()
        self._loop = loop
        self._tasks: list[asyncio.Task[Any]] = []
        self._aside: list[asyncio.Handle] = []
        self._context = copy_context()
        self._context.run(OWNER.set, self)

    def start(self, main: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run the program's main coroutine as this process."""
        return self._loop.create_task(main, name=self.name, context=self._context)

    def started(self, task: asyncio.Task[Any]) -> None:
        self._tasks = [task, *(old for old in self._tasks if not old.done())]

    def set_aside(self, handle: asyncio.Handle) -> None:
        self._aside.append(handle)

    @property
    def left(self) -> list[str]:
        """Names of tasks that still run."""
        return [f"{task.get_name()} ({task.get_coro()!r})" for task in self._tasks if not task.done()]

    # --- Time -----------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the start of the world."""
        return self._loop.time()

    def now(self) -> datetime:
        """The wall clock as this process sees it (the port Clock)."""
        return START + timedelta(seconds=self._loop.time() + self.skew)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    # --- Trouble --------------------------------------------------------------------------------------------------

    def freeze(self, seconds: float) -> None:
        """Nothing of it runs for so long, while time goes on for everybody else."""
        if not self.frozen and self.alive:
            self.frozen = True
            self.trace.note(self.name, f"frozen for {seconds:g} s")
            self._loop.call_later(seconds, self.thaw, context=_OUTSIDE)

    def thaw(self) -> None:
        if self.frozen:
            self.frozen = False
            self.trace.note(self.name, "woken up")
            aside, self._aside = self._aside, []
            self._loop.call_again(aside, self)

    def die(self) -> None:
        """From here on nothing it does has an effect. `kill` clears away what is left of it."""
        if self.alive:
            self.alive = False
            self.trace.note(self.name, "died")
            self.died.set()

    async def kill(self) -> None:
        """Die, and unwind what was running without anybody hearing of it."""
        self.die()
        self.thaw()
        for _ in range(200):
            left = [task for task in self._tasks if not task.done()]
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        raise AssertionError(f"tasks of {self.name} that cannot be ended: {self.left}")

    # --- The world outside ----------------------------------------------------------------------------------------

    async def request(
        self,
        where: str,
        effect: Callable[[], T],
        trouble: Callable[[str], CouldNot],
        seconds: float = 0.02,
        ends: bool = False,
    ) -> T:
        """Ask the other side for an effect, which takes up to about `seconds`. It is done at once, or not at all.

        Faults: lost on the way (`<where's first part>.lost`), done but the answer is lost (`.unanswered`), slow (`.slow`). Both
        losses raise `trouble`. With `ends`, cancelling the request ends the effect, as ending a command does.
        """
        self._pass(counts=where not in _POLLS)
        service = where.partition(".")[0]
        luck = self.luck
        delay = luck.draw.randrange(1, 9) * seconds / 8
        if luck.strikes(f"{service}.slow"):
            delay += luck.draw.choice((1.0, 5.0, 40.0))
        lost = luck.strikes(f"{service}.lost") or (self.cut_off and service == "store")
        unanswered = not lost and luck.strikes(f"{service}.unanswered")
        sent_before_death = luck.draw.random() < 0.5
        answer: asyncio.Future[T] = self._loop.create_future()

        def outcome() -> T:
            if lost or (not self.alive and not sent_before_death):
                self.trace.note(self.name, f"{where}: lost")
                raise trouble(f"{where}: the connection broke")
            if not self.alive:
                luck.seen["done after death"] += 1
            result = effect()
            if unanswered:
                self.trace.note(self.name, f"{where}: done, but the answer is lost")
                raise trouble(f"{where}: the connection broke before the answer")
            return result

        def carry_out() -> None:
            if ends and self.alive and answer.cancelled():
                return
            try:
                result = outcome()
            except BuildwrightError as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(result)

        self._loop.call_later(delay, carry_out, context=_OUTSIDE)
        result = await answer
        self._pass(counts=False)
        return result

    def _pass(self, counts: bool) -> None:
        """A place where this process may die. What a frozen one has sent is carried out; it hears of it when it wakes up."""
        if self.alive and self.fuse and counts:
            self.fuse -= 1
            if not self.fuse and self.fuse_freezes:
                self.luck.seen["froze at a request"] += 1
                self.freeze(self.fuse_freezes)
            elif not self.fuse:
                self.luck.seen["died at a request"] += 1
                self.die()
        if not self.alive:
            raise asyncio.CancelledError("this process is dead")


def at_once(awaited: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        awaited.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    awaited.close()
    raise AssertionError("this coroutine waits, but it must not")
