"""`Board` in memory, beside a `MemoryBuilds`: the same answers and errors as the real one, in one step each.

Nothing here waits, so a settlement and its append are one step for everybody else. Must never append but in `settle`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from buildwright.core.build import Control
from buildwright.core.event import AnyEvent, Recorded
from buildwright.errors import BuildIsRunning, LostLease
from buildwright.ports import ActionLease, Due, Holding, Posted, Settlement, WorkerRow
from buildwright.testing.memory_store import MemoryBuilds


@dataclass(slots=True)
class _Row:
    wanted_at: datetime
    wanted: bool = True
    holder: str = ""
    token: int = 0
    beat_at: datetime | None = None
    expires_at: datetime | None = None
    offered_at: datetime | None = None

    def live(self, now: datetime) -> bool:
        return bool(self.holder) and self.expires_at is not None and self.expires_at > now

    def free(self, now: datetime) -> None:
        self.holder, self.beat_at, self.expires_at, self.offered_at, self.wanted_at = "", None, None, None, now


@dataclass(slots=True)
class _Standing:
    """How a build stands with the board."""

    settled: int = 0
    wake_at: datetime | None = None
    offered_at: datetime | None = None
    token: int = 0


class MemoryBoard:
    """The board over the journals of `builds`, on the clock `now`."""

    def __init__(self, builds: MemoryBuilds, now: Callable[[], datetime]) -> None:
        self._builds = builds
        self._now = now
        self._rows: dict[tuple[str, str], _Row] = {}
        self._standings: dict[str, _Standing] = {}
        self._workers: dict[str, WorkerRow] = {}

    async def time(self) -> datetime:
        return self._now()

    async def settle(
        self, build_id: str, expected: int, events: Sequence[AnyEvent], at: datetime, settlement: Settlement
    ) -> tuple[list[Recorded], list[str]]:
        await self._builds.version(build_id)
        after = await self._builds.read(build_id, expected, len(events))
        if not events or [(recorded.at, recorded.event) for recorded in after] != [(at, event) for event in events]:
            await self._check(build_id, settlement.lease)
            after = await self._builds.append(build_id, expected, events, at)
            self._post(build_id, settlement)
            self._standing(build_id).settled = await self._builds.version(build_id)
        now = self._now()
        held = {key for (build, key), row in self._rows.items() if build == build_id and row.live(now)}
        return after, [key for key in settlement.wanted if key not in held] if settlement.start else []

    async def _check(self, build_id: str, lease: ActionLease | None) -> None:
        if lease is not None:
            row = self._rows.get((build_id, lease.key))
            if row is None or row.token != lease.token:
                raise LostLease(f"the lease on {lease.key} of build {build_id} went to another holder, or is over")
        holder = await self._builds.holder(build_id)
        if holder is not None:
            raise BuildIsRunning(f"build {build_id} is being run by {holder}")

    def _post(self, build_id: str, settlement: Settlement) -> None:
        now, lease = self._now(), settlement.lease
        for (build, key), row in list(self._rows.items()):
            if build != build_id:
                continue
            if settlement.ended and lease is not None and key == lease.key:
                row.free(now)
            asked = key in settlement.wanted and (settlement.start or row.live(now))
            row.wanted_at = now if asked and not row.wanted else row.wanted_at
            row.wanted = asked
            if not asked and not row.live(now):
                del self._rows[build, key]
        for key in settlement.wanted if settlement.start else ():
            self._rows.setdefault((build_id, key), _Row(now))
        standing = self._standing(build_id)
        standing.wake_at, standing.offered_at = settlement.wake_at, None

    async def take(self, build_id: str, key: str, holder: str, seconds: float) -> ActionLease | None:
        row, now = self._rows.get((build_id, key)), self._now()
        if row is None or not row.wanted or row.live(now) or await self._builds.holder(build_id) is not None:
            return None
        since = max(row.wanted_at, row.expires_at) if row.holder and row.expires_at else row.wanted_at
        standing = self._standing(build_id)
        standing.token += 1
        row.holder, row.token, row.beat_at, row.offered_at = holder, standing.token, now, None
        row.expires_at = now + timedelta(seconds=seconds)
        return ActionLease(build_id, key, holder, row.token, (now - since).total_seconds())

    async def keep(self, leases: Sequence[ActionLease], seconds: float) -> None:
        now = self._now()
        for lease in leases:
            row = self._mine(lease)
            if row is not None:
                row.beat_at, row.expires_at = now, now + timedelta(seconds=seconds)

    async def drop(self, lease: ActionLease) -> None:
        row = self._mine(lease)
        if row is not None:
            row.free(self._now())
            if not row.wanted:
                del self._rows[lease.build_id, lease.key]

    def _mine(self, lease: ActionLease) -> _Row | None:
        row = self._rows.get((lease.build_id, lease.key))
        return row if row is not None and (row.holder, row.token) == (lease.holder, lease.token) else None

    async def holdings(self, holder: str) -> list[Holding]:
        return [
            Holding(build, key, row.token, row.wanted, await self._builds.version(build))
            for (build, key), row in sorted(self._rows.items())
            if row.holder == holder
        ]

    async def board(self, build_id: str = "") -> list[Posted]:
        now = self._now()
        rows = [
            Posted(*name, row.wanted, row.wanted_at, row.holder, row.token, row.beat_at, row.expires_at, row.live(now))
            for name, row in self._rows.items()
            if build_id in {"", name[0]} and (row.wanted or row.live(now))
        ]
        return sorted(rows, key=lambda row: (row.wanted_at, row.build_id, row.key))

    def holders(self, build_id: str) -> list[tuple[str, str]]:
        """Who has what of a build now, by key: for those who check what they see against it."""
        now = self._now()
        return [(key, row.holder) for (build, key), row in self._rows.items() if build == build_id and row.live(now)]

    async def due(self, quiet_seconds: float, limit: int = 200) -> Due:
        now = self._now()
        quiet = now - timedelta(seconds=quiet_seconds)
        builds: list[str] = []
        running: set[str] = set()
        for head in await self._builds.rows(limit=1_000_000):
            if await self._builds.holder(head.build_id) is not None:
                continue
            standing = self._standing(head.build_id)
            if head.control == Control.RUNNING:
                running.add(head.build_id)
            woken = standing.wake_at is not None and standing.wake_at <= now
            moved = head.version != standing.settled
            if (moved or woken or head.control == Control.STOPPING) and _quiet(standing.offered_at, quiet):
                standing.offered_at = now
                builds.append(head.build_id)
        for name, row in list(self._rows.items()):
            if not row.wanted and not row.live(now):
                del self._rows[name]
        actions = [
            name
            for name, row in self._rows.items()
            if row.wanted and not row.live(now) and name[0] in running and _quiet(row.offered_at, quiet)
        ]
        for name in actions[:limit]:
            self._rows[name].offered_at = now
        return Due(tuple(builds[:limit]), tuple(actions[:limit]))

    async def beat(self, worker: WorkerRow) -> None:
        now = self._now()
        known = self._workers.get(worker.holder)
        started_at = known.started_at if known is not None else now
        self._workers[worker.holder] = worker._replace(started_at=started_at, beat_at=now)

    async def workers(self) -> list[WorkerRow]:
        now = self._now()
        rows = [row._replace(silent_seconds=(now - row.beat_at).total_seconds()) for row in self._workers.values()]
        return sorted(rows, key=lambda row: (row.started_at, row.holder))

    async def sign_off(self, holder: str) -> None:
        self._workers.pop(holder, None)

    def _standing(self, build_id: str) -> _Standing:
        return self._standings.setdefault(build_id, _Standing())


def _quiet(offered_at: datetime | None, since: datetime) -> bool:
    return offered_at is None or offered_at <= since
