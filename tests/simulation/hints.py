"""Hints between simulated processes: late, out of order, doubled and lost, and now and then all of them are wiped.

Must never say more than an id: what is due stands on the board.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import NamedTuple

from buildwright.errors import StoreFailed
from tests.simulation.loop import SimulatedLoop
from tests.simulation.process import Luck, Process

_OUTSIDE = Context()


class Hint(NamedTuple):
    """What may be due: a build to advance (key ""), or one of its actions to perform."""

    build_id: str
    key: str


class Broker:
    """Where hints wait: each goes to one of those who listen, whoever that is."""

    def __init__(self, loop: SimulatedLoop, luck: Luck) -> None:
        self._loop = loop
        self._luck = luck
        self._listening: dict[Process, asyncio.Queue[Hint]] = {}
        self._wiped = 0

    def listen(self, process: Process) -> asyncio.Queue[Hint]:
        """The queue of hints for this process, until it dies."""
        self._listening[process] = asyncio.Queue()
        return self._listening[process]

    def leave(self, process: Process) -> None:
        self._listening.pop(process, None)

    def wipe(self) -> None:
        """All hints that wait are gone."""
        self._wiped += 1

    def send(self, hint: Hint) -> None:
        copies = 0 if self._luck.strikes("hint.lost") else 2 if self._luck.strikes("hint.doubled") else 1
        for _ in range(copies):
            delay = self._luck.draw.choice((0.002, 0.01, 0.05))
            if self._luck.strikes("hint.late"):
                delay += self._luck.draw.choice((1.0, 5.0, 20.0))
            self._loop.call_later(delay, self._arrive, hint, self._wiped, context=_OUTSIDE)

    def _arrive(self, hint: Hint, wiped: int) -> None:
        listening = [process for process in self._listening if process.alive]
        if listening and wiped == self._wiped:
            self._listening[self._luck.draw.choice(listening)].put_nowait(hint)


class SimulatedJobs:
    """The port Hints for one process."""

    def __init__(self, process: Process, broker: Broker) -> None:
        self._process = process
        self._broker = broker

    async def advance(self, build_id: str) -> None:
        await self._send(Hint(build_id, ""))

    async def perform(self, build_id: str, key: str) -> None:
        await self._send(Hint(build_id, key))

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _send(self, hint: Hint) -> None:
        await self._process.request("redis.send", lambda: self._broker.send(hint), StoreFailed)
