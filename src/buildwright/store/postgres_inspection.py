"""Looks at a shared PostgreSQL database from outside: its revision, and all that is wrong in it.

Must never create, migrate or change anything while looking. Only what is certain can be mended: a dead process of this
machine, or a worker that was silent for a day.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from buildwright.ports import Leftover, RepairResult
from buildwright.store import repair
from buildwright.store.asking import run_on_postgres
from buildwright.store.dialect import Steps
from buildwright.store.lease_holders import may_live
from buildwright.store.opening import revisions
from buildwright.store.postgres_opening import stored_revision
from buildwright.store.postgres_pool import Connection, address_of, single, transaction
from buildwright.store.postgres_rows import DIALECT

T = TypeVar("T")
_PATIENCE = 1.0
_AS_LONG_AS_IT_TAKES = 10**9
"""In bytes, as the pool counts: all journals are read, or all rows of a build deleted."""
_OF_ONE_MOMENT = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0"
)
"""The connection is idle while a journal is replayed, however long that takes; no process waits for its locks."""
_WORKERS = (
    "SELECT holder, name, beat_at, beat_at < clock_timestamp() - interval '1 day' FROM workers ORDER BY started_at"
)


async def is_current(url: str) -> bool:
    """Return whether the database has tables of the newest revision. Raises StoreFailed, BadSettings."""

    async def look(connection: Connection) -> bool:
        return await stored_revision(connection, address_of(url).shown) == revisions()[-1]

    return await _run(url, look)


async def find(url: str) -> list[RepairResult]:
    """Return workers and leases of dead processes, and rows that contradict the journal or were being removed.

    Raises StoreFailed.
    """
    shown = address_of(url).shown

    def mend(steps: Steps[bool]) -> Awaitable[bool]:
        async def work(connection: Connection) -> bool:
            async with transaction(connection, ""):
                return await run_on_postgres(connection, steps())

        return _run(url, work, _AS_LONG_AS_IT_TAKES)

    async def look(connection: Connection) -> list[RepairResult]:
        async with transaction(connection, _OF_ONE_MOMENT):
            found = await _workers(connection, url)
            found += await run_on_postgres(connection, repair.dead_leases(DIALECT, mend))
            found += await run_on_postgres(connection, repair.contradictions(DIALECT, shown, mend))
            return found + await run_on_postgres(connection, repair.orphaned_rows(DIALECT, mend))

    return await _run(url, look, _AS_LONG_AS_IT_TAKES)


async def _workers(connection: Connection, url: str) -> list[RepairResult]:
    found = []
    for holder, name, since, long_silent in await connection.fetch(_WORKERS):
        if long_silent or not may_live(holder):
            what = "a worker that was not heard of for a day" if long_silent else "a worker whose process is gone"
            left = Leftover(what, f"worker {name} ({holder})", since, 0)
            found.append(RepairResult(left, partial(_run, url, partial(_drop_worker, holder=holder))))
    return found


async def _drop_worker(connection: Connection, holder: str) -> bool:
    silent = "" if not may_live(holder) else " AND beat_at < clock_timestamp() - interval '1 day'"
    gone: str = await connection.execute(f"DELETE FROM workers WHERE holder = $1{silent}", holder)  # noqa: S608  constants
    return gone != "DELETE 0"


async def _run(url: str, work: Callable[[Connection], Awaitable[T]], size: int = 0) -> T:
    async with single(url, _PATIENCE) as pool:
        return await pool.run(lambda connection, _: work(connection), size)
