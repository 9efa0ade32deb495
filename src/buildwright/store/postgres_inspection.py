"""Looks at a shared PostgreSQL database from outside: its revision, what killed processes left in it.

Must never create, migrate or change anything while looking. Only what is certain can be mended: a dead process of this
machine, or a worker that was silent for a day.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from buildwright.ports import Leftover, RepairResult
from buildwright.store import postgres_retention as retention
from buildwright.store.lease_holders import may_live
from buildwright.store.opening import revisions
from buildwright.store.postgres_opening import stored_revision
from buildwright.store.postgres_pool import Connection, address_of, single
from buildwright.store.postgres_queue import bury_the_dead

T = TypeVar("T")
_PATIENCE = 1.0
_LEASES = """
SELECT build_id, '', holder, expires_at FROM leases WHERE holder <> ''
UNION ALL SELECT build_id, key, holder, beat_at FROM actions WHERE holder <> '' ORDER BY 1, 2
"""
_WORKERS = (
    "SELECT holder, name, beat_at, beat_at < clock_timestamp() - interval '1 day' FROM workers ORDER BY started_at"
)


async def is_current(url: str) -> bool:
    """Return whether the database has tables of the newest revision. Raises StoreFailed, BadSettings."""

    async def look(connection: Connection) -> bool:
        return await stored_revision(connection, address_of(url).shown) == revisions()[-1]

    return await _run(url, look)


async def find(url: str) -> list[RepairResult]:
    """Return workers and leases of dead processes, and rows of builds that were being removed. Raises StoreFailed."""

    async def look(connection: Connection) -> list[RepairResult]:
        found = []
        for holder, name, since, long_silent in await connection.fetch(_WORKERS):
            if long_silent or not may_live(holder):
                what = "a worker that was not heard of for a day" if long_silent else "a worker whose process is gone"
                left = Leftover(what, f"worker {name} ({holder})", since, 0)
                found.append(RepairResult(left, partial(_run, url, partial(_drop_worker, holder=holder))))
        for build_id, key, holder, since in await connection.fetch(_LEASES):
            if not may_live(holder):
                where = f"build {build_id}{f', {key}' if key else ''} (held by {holder})"
                left = Leftover("a lease of a process that is gone", where, since, 0)
                found.append(RepairResult(left, partial(_run, url, partial(bury_the_dead, holders=[holder]))))
        for build_id in await retention.orphans(connection):
            left = Leftover("rows of a build that was being removed", f"build {build_id}", None, 0)
            found.append(RepairResult(left, partial(_delete_orphan, url, build_id)))
        return found

    return await _run(url, look)


async def _drop_worker(connection: Connection, holder: str) -> bool:
    silent = "" if not may_live(holder) else " AND beat_at < clock_timestamp() - interval '1 day'"
    gone: str = await connection.execute(f"DELETE FROM workers WHERE holder = $1{silent}", holder)  # noqa: S608  constants
    return gone != "DELETE 0"


async def _delete_orphan(url: str, build_id: str) -> bool:
    pieces = 0
    while await _run(url, partial(retention.delete_piece, build_id=build_id)):
        pieces += 1
    return pieces > 0


async def _run(url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    async with single(url, _PATIENCE) as pool:
        return await pool.run(lambda connection, _: work(connection))
