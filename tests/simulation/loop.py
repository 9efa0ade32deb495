"""An asyncio event loop on virtual time: nothing sleeps, nothing runs beside it, and the same seed gives the same run.

Ready callbacks run in the order in which they were scheduled, as asyncio promises. What asyncio leaves open is drawn from the
seed: which of the timers that are due at the same moment comes first. When nothing is ready, time jumps to the next timer; when
there is none either, the run can never end and `Deadlock` says so. There are no threads, sockets or processes here: asking
for one raises NotImplementedError, so that real time cannot creep in. Must never read a clock.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Deadlock(Exception):
    """Nothing is ready, no timer runs, and the program is not done."""


class Runaway(Exception):
    """The program has made more steps than it may: it goes round in a circle."""


class Owner(Protocol):
    """Who callbacks belong to. Those of a frozen one are set aside until it is thawed."""

    frozen: bool

    def set_aside(self, handle: asyncio.Handle) -> None: ...
    def started(self, task: asyncio.Task[Any]) -> None: ...


OWNER: ContextVar[Owner | None] = ContextVar("OWNER", default=None)
"""Whose code runs. A task hands it on to the tasks and callbacks that it starts."""


class _Timer(NamedTuple):
    when: float
    tie: float
    number: int
    handle: asyncio.TimerHandle
    owner: Owner | None


_ABSTRACT: Any = asyncio.AbstractEventLoop
"""Its methods raise NotImplementedError, which is the answer to whatever this loop does not do."""


class SimulatedLoop(_ABSTRACT):  # type: ignore[misc]
    """Runs one coroutine to its end. `steps` and `time()` tell how far it is; `unheard` is what nobody caught."""

    def __init__(self, seed: int, most_steps: int = 300_000) -> None:
        self.steps = 0
        self.unheard: list[str] = []
        self._most_steps = most_steps
        self._luck = random.Random(f"loop/{seed}")
        self._now = 0.0
        self._number = 0
        self._ready: deque[tuple[asyncio.Handle, Owner | None]] = deque()
        self._timers: list[_Timer] = []
        self._running = False
        self._closed = False

    def run_until_complete(self, future: Generator[Any, None, T] | Coroutine[Any, Any, T] | Any) -> T:
        """Raises what the coroutine raises, Deadlock, Runaway."""
        task = self.create_task(future)
        asyncio._set_running_loop(self)
        self._running = True
        try:
            while not task.done():
                self._turn()
        finally:
            self._running = False
            asyncio._set_running_loop(None)
        result: T = task.result()
        return result

    def _turn(self) -> None:
        while self._timers and self._timers[0].handle.cancelled():
            heapq.heappop(self._timers)
        if not self._ready:
            if not self._timers:
                raise Deadlock(f"at {self._now:.3f} s nothing can ever happen again")
            self._now = max(self._now, self._timers[0].when)
        while self._timers and self._timers[0].when <= self._now:
            timer = heapq.heappop(self._timers)
            if not timer.handle.cancelled():
                self._ready.append((timer.handle, timer.owner))
        for _ in range(len(self._ready)):
            handle, owner = self._ready.popleft()
            if handle.cancelled():
                continue
            if owner is not None and owner.frozen:
                owner.set_aside(handle)
                continue
            self.steps += 1
            handle._run()
        if self.steps > self._most_steps:
            raise Runaway(f"more than {self._most_steps} steps, at {self._now:.3f} s")

    def call_again(self, handles: list[asyncio.Handle], owner: Owner) -> None:
        """Callbacks that were set aside get their turn."""
        self._ready.extend((handle, owner) for handle in handles)

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append((handle, _owner(context)))
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + max(delay, 0.0), callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._number += 1
        heapq.heappush(self._timers, _Timer(when, self._luck.random(), self._number, handle, _owner(context)))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A handle tells its loop so; cancelled timers are passed over when their time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, name=None if name is None else str(name), context=context)
        owner = _owner(context)
        if owner is not None:
            owner.started(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What nobody caught: a callback that broke, or a task whose error was never looked at."""
        self.unheard.append(f"{context.get('message')}: {context.get('exception')!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._ready.clear()
        self._timers.clear()
        self._closed = True


def _owner(context: Context | None) -> Owner | None:
    return OWNER.get() if context is None else context.get(OWNER)
