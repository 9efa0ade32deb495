"""SQLAlchemy's connections to the journal's database, for everything but the journal. Must know no table.

On SQLite it works beside the journal's writer thread: it begins every transaction as a writer, waits for locks, and
lets this process make one change at a time, so that callers wait in a queue instead of trying again and again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Executable, Row, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as AllBusy
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from buildwright.errors import BuildwrightError, StoreFailed
from buildwright.store import faults, postgres_pool
from buildwright.store.alembic_runs import driver_fault
from buildwright.store.asking import Asking, for_sqlite
from buildwright.store.postgres_pool import COMMAND_SECONDS, Address, address_of

T = TypeVar("T")
_LOCK_SECONDS = 10.0
"""Seconds for which SQLite waits for another process's lock."""
_CONNECT_SECONDS = 5.0
_CONNECTIONS = 5
_QUEUE_SECONDS = 20.0
"""Seconds for which a call waits for a connection."""
_MIGRATE = "run `buildwright db migrate`"


class Database:
    """A database of the newest revision (see `revisions.migrate`). Methods raise StoreFailed, Unreachable, DiskFull."""

    def __init__(self, engine: AsyncEngine, where: Path | Address) -> None:
        self._engine = engine
        self._where = where
        self._reads = engine
        self._failures: tuple[type[Exception], ...] = (OSError, AllBusy, DBAPIError)
        self._running: set[asyncio.Task[Any]] = set()
        self._turn = asyncio.Lock() if isinstance(where, Path) else None
        if isinstance(where, Address):
            import asyncpg

            # One round trip for a query instead of three.
            self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")
            self._failures += (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Return the database at `path`, a SQLite file or a PostgreSQL URL, not yet connected. Raises BadSettings."""
        if isinstance(path, str):
            address = address_of(path)
            return cls(_postgres(address), address)
        return cls(_sqlite(path), path)

    async def fetch(self, statement: Executable) -> list[Row[Any]]:
        """Return the rows of a query."""

        async def asked() -> list[Row[Any]]:
            async with self._reads.connect() as connection:
                return list((await connection.execute(statement)).all())

        return await self._whole(asked())

    async def change(self, statement: Executable) -> list[Row[Any]]:
        """Run one statement in its own transaction; return the rows that it returns."""

        async def work(connection: AsyncConnection) -> list[Row[Any]]:
            result = await connection.execute(statement)
            return list(result.all()) if result.returns_rows else []

        return await self.write(work)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in one transaction: durable when this returns, undone when the work raises."""

        async def done() -> T:
            async with self._writing() as connection:
                result = await work(connection)
                await connection.commit()
                return result

        return await self._whole(done())

    async def ask(self, asking: Callable[[], Asking[T]]) -> T:
        """Run the statements that `asking` makes in one transaction; return what they come to."""

        async def work(connection: AsyncConnection) -> T:
            statements = asking()
            answer: Sequence[Row[Any]] | None = None
            while True:
                try:
                    sql, values, many = statements.send(answer)
                except StopIteration as end:
                    result: T = end.value
                    return result
                answer = ()
                if many is None or many:
                    sql = sql if self.is_postgres else for_sqlite(sql)
                    found = await connection.exec_driver_sql(sql, list(many) if many is not None else tuple(values))
                    answer = found.all() if found.returns_rows else ()

        return await self.write(work)

    @property
    def is_postgres(self) -> bool:
        """Whether it is a PostgreSQL database, for functions that the two spell differently."""
        return isinstance(self._where, Address)

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT with ON CONFLICT, which both databases write in the same way."""
        return sqlite.insert(table) if isinstance(self._where, Path) else postgresql.insert(table)

    async def close(self) -> None:
        """Wait for running calls, then close the file or the connections."""
        while self._running:
            await asyncio.wait(set(self._running))
        await self._engine.dispose()

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end even if the caller is cancelled.

        A SQLite thread cannot be interrupted, and a connection that is dropped in the middle is lost.
        """
        if isinstance(self._where, Path) and not self._where.is_file():
            # The driver would try in a thread, and after its failure the thread may outlive the event loop.
            work.close()
            raise StoreFailed(f"{self._where} is not there", fix=_MIGRATE)
        task = asyncio.create_task(work, name="database")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except self._failures as error:
            raise self._fault(error) from error

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        async with self._turn or nullcontext(), self._engine.connect() as connection:
            if isinstance(self._where, Path):
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def _fault(self, error: Exception) -> BuildwrightError:
        shown = self._where.shown if isinstance(self._where, Address) else str(self._where)
        if isinstance(error, AllBusy):
            return StoreFailed(f"{shown}: every connection was busy for too long", fix="try again in a moment")
        if isinstance(self._where, Address):
            if isinstance(error, DBAPIError):
                return driver_fault(error, self._where)
            return postgres_pool.fault(error, shown)
        inner = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(inner, sqlite3.OperationalError) and str(inner).startswith("no such "):
            return StoreFailed(f"{shown}: {inner}", fix=_MIGRATE)
        if isinstance(inner, sqlite3.Error | OSError):
            return faults.fault(inner, self._where)
        return StoreFailed(f"{shown}: {inner}", fix="look at the disk and the file")


def _sqlite(path: Path) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        # Without an isolation level the driver begins no transaction: a query needs none, a change begins its own.
        connect_args={"isolation_level": None, "timeout": _LOCK_SECONDS},
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_QUEUE_SECONDS,
    )

    def made(connection: DBAPIConnection, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    event.listen(engine.sync_engine, "connect", made)
    return engine


def _postgres(address: Address) -> AsyncEngine:
    import asyncpg

    async def connect() -> Any:
        return await asyncpg.connect(address.dsn, timeout=_CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        # A restarted server has dropped the connections; a ping notices that, not the first request.
        pool_pre_ping=True,
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_timeout=_QUEUE_SECONDS,
    )
