"""The lease on a build: taken, renewed, and noticed when it is gone. Must never let its holder go on without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from buildwright.engine.adapters import Adapters
from buildwright.errors import CouldNot, LostLease
from buildwright.ports import Lease


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
    beating = asyncio.create_task(_beat(world, lease, lost), name="lease")
    try:
        yield HeldLease(lease, lost)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        lost.cancel()
        # The error that ended the run must not hide behind this: the lease runs out, or its process ends.
        with suppress(CouldNot):
            await world.builds.release(lease)


async def _beat(world: Adapters, lease: Lease, lost: asyncio.Future[None]) -> None:
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
