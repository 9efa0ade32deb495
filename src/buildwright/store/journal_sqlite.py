"""The journal on SQLite, with leases, logs, snapshots, artifacts, answers. Read this first in this package.

Works directly on `sqlite3`, because an append is the hot path: one thread owns the writing connection and commits all
waiting transactions as one. Reads use a second connection and wait for no write. Must never import SQLAlchemy, nor
return before a write is on disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, BuildCreated, Recorded
from buildwright.core.failpoint import failpoint
from buildwright.core.snapshot import dump
from buildwright.errors import Conflict, IllegalMove
from buildwright.ports import AnswerKey, BuildRow, Lease, LogEntry, LogLine, Loose, Mark, Weight
from buildwright.store import artifacts, leases, logs, retention
from buildwright.store.build_rows import select_rows
from buildwright.store.faults import fault, is_busy
from buildwright.store.journal_rows import (
    Append,
    find_version,
    insert_head,
    newest_of,
    replay,
    select_events,
    select_marks,
    select_snapshots,
    store_snapshot,
)
from buildwright.store.money import StoreLedger
from buildwright.store.opening import connect, open_both
from buildwright.store.rows import encode_all, event_rows, recorded_from
from buildwright.store.stats import Asking, run_on_sqlite
from buildwright.store.thread import ConnectionThread, reading, writing
from buildwright.store.values import to_text
from buildwright.views.runtime import head_change

T = TypeVar("T")
_FEW = 200
"""Most events decoded on the event loop; more would block it for over a millisecond."""
_LARGEST_IN_TABLE = 64 * 1024
"""In bytes: SQLite reads blobs up to about this size faster than the file system; larger ones bloat the database."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqliteBuilds:
    """`Builds` and `Answers` in one SQLite file and a folder. Belongs to one event loop; must be closed."""

    def __init__(
        self, path: Path, folder: Path, writer: ConnectionThread, reader: ConnectionThread, now: Callable[[], datetime]
    ) -> None:
        self._path = path
        self._folder = folder
        self._writer = writer
        self._reader = reader
        self._now = now
        self._logs = logs.LogBuffer(lambda batch, lost: writer.run("log", partial(logs.insert, batch=batch, lost=lost)))

    @classmethod
    async def open(
        cls, path: Path, artifacts: Path, *, now: Callable[[], datetime] = _utc_now, patience: float = 15.0
    ) -> Self:
        """Open the database, creating or migrating it if needed; `artifacts` is the folder for large ones.

        `now` is the time that leases use. `patience` is how long, in seconds, a write waits for another process that
        holds the lock. Raises StoreFailed when the database is damaged, newer than this version, or not ours.
        """
        writer, reader = await asyncio.to_thread(open_both, path, patience)
        return cls(
            path,
            artifacts,
            ConnectionThread("journal-writer", writer, writing(path, patience)),
            ConnectionThread("journal-reader", reader, reading(path)),
            now,
        )

    # --- the journal ---

    async def create(self, build_id: str, events: Sequence[AnyEvent], at: datetime) -> list[Recorded]:
        first = events[0] if events else None
        if not isinstance(first, BuildCreated):
            raise IllegalMove("a journal starts with build.created")
        if first.build_id != build_id:
            raise IllegalMove(f"build.created names build {first.build_id}, the journal is of build {build_id}")
        moment = to_text(at)
        rows = event_rows(build_id, 0, moment, encode_all(events))
        change = head_change(events)

        def work(conn: sqlite3.Connection) -> None:
            if conn.execute("SELECT 1 FROM build_runs WHERE build_id = ?", (build_id,)).fetchone():
                raise Conflict(f"there is a build {build_id} already")
            insert_head(conn, build_id, first, moment)
            Append(build_id, 0, rows, moment, change, None).write(conn)

        await self._writer.run("create", work)
        return _recorded(events, 0, at)

    async def append(
        self,
        build_id: str,
        expected: int,
        events: Sequence[AnyEvent],
        at: datetime,
        token: int | None = None,
        after: Build | None = None,
    ) -> list[Recorded]:
        moment = to_text(at)
        rows = event_rows(build_id, expected, moment, encode_all(events))
        append = Append(build_id, expected, rows, moment, head_change(events, after), token)
        await self._logs.before(events)
        await self._writer.run("append", append.write)
        return _recorded(events, expected, at)

    async def read(self, build_id: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        after = max(after, 0)
        rows = await self._read(lambda conn: select_events(conn, self._path, build_id, after, limit))
        decode = partial(recorded_from, self._path, build_id, after, rows)
        return decode() if len(rows) <= _FEW else await asyncio.to_thread(decode)

    async def load(self, build_id: str) -> Build:
        snapshots = await self._read(lambda conn: select_snapshots(conn, build_id))
        build = await asyncio.to_thread(newest_of, build_id, snapshots) if snapshots else None
        after = build.version if build else 0
        rows = await self._read(lambda conn: select_events(conn, self._path, build_id, after))
        return await asyncio.to_thread(replay, self._path, build_id, build, rows)

    async def keep_snapshot(self, build: Build) -> None:
        text = await asyncio.to_thread(dump, build)
        await self._writer.run("snapshot", lambda conn: store_snapshot(conn, build.id, build.version, text))

    async def version(self, build_id: str) -> int:
        return await self._read(lambda conn: find_version(conn, build_id))

    async def marks(self, build_ids: Sequence[str]) -> dict[str, Mark]:
        return await self._read(lambda conn: select_marks(conn, build_ids))

    async def rows(self, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
        return await self._read(partial(select_rows, limit=limit, build_prefix=build_prefix))

    # --- leases ---

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        take = partial(leases.acquire, build_id=build_id, holder=holder, now=self._now(), seconds=seconds)
        return await self._writer.run("acquire", take)

    async def renew(self, lease: Lease, seconds: float) -> None:
        keep = partial(leases.renew, lease=lease, now=self._now(), seconds=seconds)
        await self._writer.run("renew", keep)

    async def release(self, lease: Lease) -> None:
        await self._writer.run("release", partial(leases.release, lease=lease, now=self._now()))

    async def holder(self, build_id: str) -> str | None:
        return await self._read(partial(leases.live_holder, build_id=build_id, now=self._now()))

    # --- logs and artifacts ---

    async def write_log(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        await self._logs.add(build_id, entries)

    async def read_log(
        self, build_id: str, after: int = 0, task: str = "", limit: int = 1000, tail: bool = False
    ) -> list[LogLine]:
        await self._logs.drain()
        return await self._read(partial(logs.select, build_id=build_id, after=after, task=task, limit=limit, tail=tail))

    async def put_artifact(self, content: bytes) -> str:
        kept: bytes | None = content
        if len(content) > _LARGEST_IN_TABLE:
            digest = await asyncio.to_thread(artifacts.digest_of, content)
            await asyncio.to_thread(artifacts.write_file, self._folder, digest, content)
            kept = None
        else:
            digest = artifacts.digest_of(content)

        def work(conn: sqlite3.Connection) -> None:
            conn.execute("INSERT OR IGNORE INTO artifacts VALUES (?, ?, ?)", (digest, len(content), kept))

        await self._writer.run("artifact-row", work)
        if kept is None and not (self._folder / digest).is_file():
            # A sweep removed the file between the two steps; now that its row is there, no sweep will.
            await asyncio.to_thread(artifacts.write_file, self._folder, digest, content)
        return digest

    async def get_artifact(self, digest: str) -> bytes:
        content = await self._read(partial(artifacts.select, digest=digest))
        if content is None:
            return await asyncio.to_thread(artifacts.read_file, self._folder, digest)
        artifacts.check(digest, content, str(self._path))
        return content

    # --- retention ---

    async def weigh(self, build_id: str) -> Weight:
        return await self._read(partial(retention.weigh, build_id=build_id))

    async def retire(self, build_id: str) -> None:
        failpoint("prune.journal.before")
        await self._writer.run("retire", partial(retention.retire_head, build_id=build_id, now=self._now()))
        failpoint("prune.journal.after")
        await self._delete_rows(build_id)

    async def finish_retiring(self) -> int:
        left = await self._read(partial(retention.orphans, now=self._now()))
        for build_id in left:
            await self._delete_rows(build_id)
        return len(left)

    async def _delete_rows(self, build_id: str) -> None:
        while await self._writer.run("retire-rows", partial(retention.delete_piece, build_id=build_id)):
            failpoint("prune.rows.after")

    async def trim_log(self, build_id: str, most: int) -> int:
        await self._logs.drain()
        cut = partial(retention.trim_log, build_id=build_id, most=most, now=self._now())
        return await self._writer.run("trim-log", cut)

    async def loose_artifacts(self) -> Loose:
        found = await self._read(partial(retention.candidates, folder=self._folder, now=self._now()))
        return retention.loose(found)

    async def sweep_artifacts(self) -> Loose:
        sweep = partial(retention.sweep, folder=self._folder, now=self._now())
        failpoint("prune.artifacts.before")
        first = await self._writer.run("sweep-rows", sweep)
        failpoint("prune.artifacts.after")
        await self._writer.run("sweep-files", sweep)
        return first

    async def named_ids(self, build_id: str) -> frozenset[str]:
        return await self._read(partial(retention.named_ids, build_id=build_id))

    async def compact(self) -> int | None:
        now = self._now()

        def work() -> int | None:
            conn = connect(self._path)
            try:
                return None if retention.any_live(conn, now) else retention.vacuum(conn, self._path)
            except sqlite3.Error as error:
                if is_busy(error):
                    return None
                raise fault(error, self._path) from error
            finally:
                conn.close()

        return await asyncio.to_thread(work)

    # --- answers ---

    async def find_answer(self, key: AnswerKey) -> bytes | None:
        return await self._read(partial(artifacts.select_answer, key=key))

    async def keep_answer(self, key: AnswerKey, answer: bytes) -> None:
        await self._writer.run("answer", partial(artifacts.insert_answer, key=key, answer=answer))

    # --- the ledger ---

    @property
    def ledger(self) -> StoreLedger:
        """The ledger that all processes on this file share."""
        return StoreLedger(self._ask, postgres=False)

    def _ask(self, asking: Callable[[], Asking[T]], *, reads: bool = False) -> asyncio.Future[T]:
        def work(conn: sqlite3.Connection) -> T:
            return run_on_sqlite(conn, asking())

        return self._read(work) if reads else self._writer.run("ledger", work)

    async def close(self) -> None:
        """Write waiting log lines and close the file. Harmless when closed already."""
        if self._writer.is_open:
            await self._logs.drain()
        await self._reader.close()
        await self._writer.close()

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        return self._reader.run("read", work)


def _recorded(events: Sequence[AnyEvent], after: int, at: datetime) -> list[Recorded]:
    return [Recorded(seq, at, event) for seq, event in enumerate(events, after + 1)]
