"""The journal in one SQLite file and a folder. Must never return before a write is on disk.

One thread owns the writing connection and commits all waiting work as one transaction. Reads use a second connection
and wait for no write.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from buildwright.ports import Lease
from buildwright.store import journal_rows, leases, retention
from buildwright.store.asking import Asking, run_on_sqlite
from buildwright.store.dialect import Steps
from buildwright.store.faults import fault, is_busy
from buildwright.store.journal import Journal
from buildwright.store.opening import connect, open_both
from buildwright.store.sqlite_rows import SqliteDialect, utc_now
from buildwright.store.thread import ConnectionThread, reading, writing

T = TypeVar("T")


class SqliteConnection:
    """`JournalConnection` to a file: a thread that writes and one that reads."""

    def __init__(
        self,
        path: Path,
        dialect: SqliteDialect,
        writer: sqlite3.Connection,
        reader: sqlite3.Connection,
        patience: float,
    ) -> None:
        self.where = path
        self.dialect = dialect
        self._writer = ConnectionThread("journal-writer", writer, writing(path, patience))
        self._reader = ConnectionThread("journal-reader", reader, reading(path))

    def read(self, steps: Steps[T], size: int = 0) -> Awaitable[T]:  # noqa: ARG002  a file needs no more time
        return self._reader.run("read", lambda conn: run_on_sqlite(conn, steps()))

    def write(
        self, name: str, steps: Steps[T], *, lock: str | None = None, size: int = 0, repeated: Steps[T] | None = None
    ) -> Awaitable[T]:
        del lock, size, repeated  # the writer is alone, and has always either committed or not
        return self._writer.run(name, lambda conn: run_on_sqlite(conn, steps()))

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()


class SqliteBuilds(Journal):
    """`Builds`, `Answers` and `Retention` in one SQLite file and a folder."""

    @classmethod
    async def open(
        cls, path: Path, artifacts: Path, *, now: Callable[[], datetime] = utc_now, patience: float = 15.0
    ) -> Self:
        """Open the database, creating or migrating it if needed; `artifacts` is the folder for large ones.

        `now` is the time that leases use. `patience` is how long, in seconds, a write waits for another process that
        holds the lock. Raises StoreFailed when the database is damaged, newer than this version, or not ours.
        """
        writer, reader = await asyncio.to_thread(open_both, path, patience)
        return cls(SqliteConnection(path, SqliteDialect(now), writer, reader, patience), artifacts)

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        def take() -> Asking[Lease]:
            yield from journal_rows.find_version(self._dialect, build_id)
            return (yield from leases.acquire(self._dialect, build_id, holder, seconds))

        return await self._connection.write("acquire", take)

    async def holder(self, build_id: str) -> str | None:
        return await self._read(leases.live_holder, build_id)

    async def compact(self) -> int | None:
        path = Path(self._connection.where)
        held = partial(retention.holders, self._dialect)

        def work() -> int | None:
            conn = connect(path)
            try:
                return None if run_on_sqlite(conn, held()) else retention.vacuum(conn, path)
            except sqlite3.Error as error:
                if is_busy(error):
                    return None
                raise fault(error, path) from error
            finally:
                conn.close()

        return await self._aside(work)
