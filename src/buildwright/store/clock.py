"""The time of the store, as a clock: what machines agree on. Never this machine's own idea of the time of day."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from buildwright.errors import CouldNot
from buildwright.ports import Board

_SECONDS_BETWEEN_LOOKS = 30.0


class StoreClock:
    """`Clock` by the store's time, carried on between looks by a clock that nobody sets."""

    def __init__(self, time: datetime) -> None:
        self._set(time)

    @classmethod
    async def open(cls, board: Board) -> StoreClock:
        """A clock that has just been set. Raises StoreFailed."""
        return cls(await board.time())

    def now(self) -> datetime:
        """The store's time, in UTC."""
        return self._time + timedelta(seconds=asyncio.get_running_loop().time() - self._looked_at)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds, whatever becomes of the time of day."""
        await asyncio.sleep(seconds)

    async def stay_set(self, board: Board) -> None:
        """Look at the store's time now and then. Runs until cancelled."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            try:
                self._set(await board.time())
            except CouldNot:
                continue  # the next look will do

    def _set(self, time: datetime) -> None:
        self._looked_at = asyncio.get_running_loop().time()
        self._time = time.astimezone(UTC)
