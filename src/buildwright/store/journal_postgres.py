"""The journal on PostgreSQL, and the board. Read this before the other `postgres_*` files.

Every method is work for the pool, which runs it again when the server went away in the
middle: what reads, or may be repeated, simply runs again; what appends first checks whether it had succeeded. Must
never import SQLAlchemy, nor let a clock of this process decide about a lease.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Self, TypeVar

from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, Recorded
from buildwright.errors import BuildIsRunning
from buildwright.ports import (
    ActionLease,
    Due,
    HeldAction,
    Late,
    Lease,
    QueuedAction,
    QueueUpdate,
    Settlement,
    WantedClaim,
    WorkerRow,
)
from buildwright.store import postgres_queue as board
from buildwright.store import postgres_rows as rows
from buildwright.store.asking import run_on_postgres
from buildwright.store.dialect import Steps
from buildwright.store.entry import JournalEntry
from buildwright.store.journal import Journal
from buildwright.store.journal_rows import recorded
from buildwright.store.postgres_opening import prepare
from buildwright.store.postgres_pool import COMMAND_SECONDS, Connection, Pool, address_of, transaction
from buildwright.store.postgres_workers import workers
from buildwright.store.rows import recorded_from

T = TypeVar("T")
_LOOKS = 8
"""Settlements of a build that see first what is new, after one that came too late."""


class PostgresConnection:
    """`JournalConnection` to a server, over a pool that runs work again when the server went away in the middle."""

    def __init__(self, pool: Pool) -> None:
        self.where = pool.address.shown
        self.dialect = rows.DIALECT
        self._pool = pool

    def read(self, steps: Steps[T], size: int = 0) -> Awaitable[T]:
        return self._pool.run(lambda conn, _: run_on_postgres(conn, steps()), size)

    def write(
        self, name: str, steps: Steps[T], *, lock: str | None = None, size: int = 0, repeated: Steps[T] | None = None
    ) -> Awaitable[T]:
        del name  # only SQLite's writer has failpoints

        async def work(conn: Connection, again: bool) -> T:
            asking = repeated() if again and repeated is not None else steps()
            if lock is None:
                return await run_on_postgres(conn, asking)
            async with transaction(conn, lock):
                return await run_on_postgres(conn, asking)

        return self._pool.run(work, size)

    async def close(self) -> None:
        self._pool.close()


class PostgresBuilds(Journal):
    """`Builds`, `ActionQueue`, `Answers`, `Retention` in a PostgreSQL database.

    The board stands here because a settlement appends to the journal in the same transaction.
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__(PostgresConnection(pool))
        self._pool = pool
        self._busy: dict[str, int] = {}
        """Builds that other processes settle too: of how many settlements it is still seen first what is new."""

    @classmethod
    async def open(
        cls, url: str, *, connections: int = 4, patience: float = 60.0, command_seconds: float = COMMAND_SECONDS
    ) -> Self:
        """Open the database at `url` (see `address_of`), creating or migrating its tables if needed.

        `patience` is how long, in seconds, a call waits for an absent server; a call without an answer for
        `command_seconds` treats its connection as dead. Raises BadSettings (address, password, no such database) and
        StoreFailed (no server, newer version, not ours).
        """
        pool = Pool(address_of(url), connections, patience, command_seconds)
        opened = False
        try:
            await prepare(pool)
            opened = True
        finally:
            if not opened:
                pool.close()
        return cls(pool)

    # --- leases on whole builds ---

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        return await self._pool.run(lambda conn, again: board.acquire(conn, build_id, holder, seconds, again))

    async def holder(self, build_id: str) -> str | None:
        return await self._run(lambda conn: board.live_holder(conn, build_id))

    # --- the board ---

    async def time(self) -> datetime:
        async def ask(conn: Connection) -> datetime:
            now: datetime = await conn.fetchval("SELECT clock_timestamp()")
            return now

        return await self._run(ask)

    async def settle(
        self,
        build_id: str,
        expected: int,
        events: Sequence[AnyEvent],
        at: datetime,
        settlement: QueueUpdate,
        after: Build | None = None,
        late: Late | None = None,
    ) -> tuple[list[Recorded], list[str]]:
        newest = Settlement(expected, events, at, settlement, after)

        def anew(news: board.Appended) -> board.Entry:
            nonlocal newest  # a later try sends this one: it may have arrived
            assert late is not None
            found = recorded_from(self._connection.where, build_id, newest.expected, news.rows)
            newest = late(found, news.live)
            return _entry(build_id, newest)

        async def work(conn: Connection, again: bool) -> board.SettledEntry:
            look = build_id in self._busy and late is not None
            try:
                return await board.settle(conn, _entry(build_id, newest), again, late and anew, look=look)
            except BuildIsRunning:
                if not await board.bury_the_dead(conn, await board.holders_of(conn, build_id)):
                    raise
            return await board.settle(conn, _entry(build_id, newest), again, late and anew, look=look)

        # With the last action to end, another process may be the one that ends the build.
        await self._logs.before(build_id, events, ended=bool(settlement.ended))
        settled = await self._pool.run(work)
        looks = self._busy.pop(build_id, 0) - 1
        busy = _LOOKS if settled.late else looks
        if busy > 0 and newest.settlement.wanted:
            self._busy[build_id] = busy
        return recorded(newest.events, newest.expected, newest.at), settled.free

    async def claim(self, holder: str, seconds: float, claim: WantedClaim) -> list[ActionLease]:
        return await self._run(lambda conn: board.claim(conn, holder, seconds, claim))

    async def keep(self, leases: Sequence[ActionLease], seconds: float) -> None:
        if leases:
            await self._run(lambda conn: board.keep(conn, leases, seconds))

    async def drop(self, lease: ActionLease) -> None:
        await self._run(lambda conn: board.drop(conn, lease))

    async def holdings(self, holder: str) -> list[HeldAction]:
        return await self._run(lambda conn: board.holdings(conn, holder))

    async def board(self, build_id: str = "") -> list[QueuedAction]:
        return await self._run(lambda conn: board.board(conn, build_id))

    async def due(self, quiet_seconds: float, limit: int = 200) -> Due:
        return await self._run(lambda conn: board.due(conn, quiet_seconds, limit))

    async def beat(self, worker: WorkerRow) -> None:
        await self._run(lambda conn: board.beat(conn, worker))

    async def workers(self) -> list[WorkerRow]:
        return await self._run(workers)

    async def sign_off(self, holder: str) -> None:
        await self._run(lambda conn: board.sign_off(conn, holder))

    def hurry(self) -> None:
        """Wait for an absent server for one second at most from now on: this process is about to end."""
        self._pool.hurry()

    def _run(self, work: Callable[[Connection], Awaitable[T]], size: int = 0) -> Awaitable[T]:
        """Run work that may simply be repeated."""
        return self._pool.run(lambda conn, _: work(conn), size)


def _entry(build_id: str, due: Settlement) -> board.Entry:
    event = JournalEntry.of(build_id, due.expected, due.events, due.at, due.after)
    return board.Entry(event, due.settlement)
