"""A clock that shows the store's time, on which machines agree. Must never show this machine's time of day."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from buildwright.errors import CouldNot
from buildwright.ports import ActionQueue

_SECONDS_BETWEEN_LOOKS = 30.0


class StoreClock:
    """`Clock` by the store's time, carried on between queries by the event loop's monotonic clock."""

    def __init__(self, time: datetime) -> None:
        self._set(time)

    @classmethod
    async def open(cls, board: ActionQueue) -> StoreClock:
        """Return a clock that shows the store's time. Raises StoreFailed."""
        return cls(await board.time())

    def now(self) -> datetime:
        """Return the store's time, in UTC."""
        return self._time + timedelta(seconds=asyncio.get_running_loop().time() - self._looked_at)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, even if the time of day is changed meanwhile."""
        await asyncio.sleep(seconds)

    async def stay_set(self, board: ActionQueue) -> None:
        """Query the store's time again and again. Runs until cancelled."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            try:
                self._set(await board.time())
            except CouldNot:
                continue  # the next query will do

    def _set(self, time: datetime) -> None:
        self._looked_at = asyncio.get_running_loop().time()
        self._time = time.astimezone(UTC)
