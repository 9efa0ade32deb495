"""The journal, with logs, snapshots, artifacts, answers and retention, on either database. Read this first in this package.

One class over a `JournalConnection`; `journal_sqlite` and `journal_postgres` open it. Works directly on the drivers, because an
append is the hot path. Must never import SQLAlchemy, nor return before a write is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.failpoint import failpoint
from buildwright.core.snapshot import dump
from buildwright.errors import NotFound
from buildwright.ports import AnswerKey, BuildRow, Lease, LogEntry, LogLine, Loose, Mark, Weight
from buildwright.store import artifacts, journal_rows, leases, log_rows, logs, retention
from buildwright.store.asking import Asking
from buildwright.store.build_rows import select_rows
from buildwright.store.dialect import JournalConnection
from buildwright.store.entry import JournalEntry
from buildwright.store.journal_rows import recorded
from buildwright.store.money import StoreLedger
from buildwright.store.rows import recorded_from

T = TypeVar("T")
_FEW = 200
"""Most events decoded on the event loop; more would block it for over a millisecond."""
_LARGEST_IN_TABLE = 64 * 1024
"""In bytes: SQLite reads blobs up to about this size faster than the file system; larger ones bloat the database."""
_BYTES_PER_COUNTED = 40
"""As many bytes are sent in the time in which an event is counted into the stats."""


class Journal:
    """`Builds` without taking leases, `Answers`, `Retention`. Belongs to one event loop; must be closed.

    With `folder`, large artifacts are files there. Large because three ports share one connection; each method is one
    piece of work.
    """

    def __init__(self, connection: JournalConnection, folder: Path | None = None) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._folder = folder
        self._log_turn = asyncio.Lock()
        self._logs = logs.LogBuffer(lambda build_id, lines: asyncio.ensure_future(self._put_log(build_id, lines)))

    # --- the journal ---

    async def create(self, build_id: str, events: Sequence[AnyEvent], at: datetime) -> list[Recorded]:
        first = journal_rows.first_of(build_id, events)
        make = partial(journal_rows.create, self._dialect, JournalEntry.of(build_id, 0, events, at), first)
        await self._connection.write("create", make, repeated=partial(make, again=True))
        return recorded(events, 0, at)

    async def append(
        self,
        build_id: str,
        expected: int,
        events: Sequence[AnyEvent],
        at: datetime,
        token: int | None = None,
        after: Build | None = None,
    ) -> list[Recorded]:
        entry = JournalEntry.of(build_id, expected, events, at, after)
        put = partial(journal_rows.append, self._dialect, entry, token)
        await self._logs.before(build_id, events)
        await self._connection.write("append", put, repeated=partial(put, again=True))
        return recorded(events, expected, at)

    async def read(self, build_id: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        after, where = max(after, 0), self._connection.where
        rows = await self._read(journal_rows.select_events, where, build_id, after, limit)
        decode = partial(recorded_from, where, build_id, after, rows)
        return decode() if len(rows) <= _FEW else await self._aside(decode)

    async def load(self, build_id: str) -> Build:
        snapshots, where = await self._read(journal_rows.select_snapshots, build_id), self._connection.where
        newest = partial(journal_rows.newest_of, build_id, snapshots)
        build = await self._aside(newest) if snapshots else None
        rows = await self._read(journal_rows.select_events, where, build_id, build.version if build else 0)
        return await self._aside(partial(journal_rows.replay, where, build_id, build, rows))

    async def keep_snapshot(self, build: Build) -> None:
        text = await self._aside(partial(dump, build))
        keep = partial(journal_rows.keep_snapshot, self._dialect, build.id, build.version, text)
        await self._connection.write("snapshot", keep, size=len(text))

    async def version(self, build_id: str) -> int:
        return await self._read(journal_rows.find_version, build_id)

    async def marks(self, build_ids: Sequence[str]) -> dict[str, Mark]:
        return await self._read(journal_rows.select_marks, build_ids)

    async def rows(self, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
        return await self._read(select_rows, limit, build_prefix)

    # --- leases ---

    async def renew(self, lease: Lease, seconds: float) -> None:
        await self._connection.write("renew", partial(leases.renew, self._dialect, lease, seconds))

    async def release(self, lease: Lease) -> None:
        await self._connection.write("release", partial(leases.release, self._dialect, lease))

    # --- logs, artifacts, answers ---

    async def write_log(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        await self._logs.add(build_id, entries)

    async def read_log(
        self, build_id: str, after: int = 0, task: str = "", limit: int = 1000, tail: bool = False
    ) -> list[LogLine]:
        await self._logs.drain(build_id)
        return await self._read(log_rows.select, build_id, after, task, limit, tail)

    async def _put_log(self, build_id: str, lines: Sequence[LogEntry]) -> None:
        """Write lines, keeping the order of one process. Lines whose connection broke may be written twice."""
        put, lock = partial(log_rows.insert, self._dialect, build_id, lines), self._dialect.lock_log(build_id)
        # One writer has them in order anyway, and commits what waits for it together.
        async with self._log_turn if lock else nullcontext():
            await self._connection.write("log", put, lock=lock)

    async def put_artifact(self, content: bytes) -> str:
        digest = await self._hashing(content, partial(artifacts.digest_of, content))
        folder = self._folder if len(content) > _LARGEST_IN_TABLE else None
        if folder is not None:
            await self._aside(partial(artifacts.write_file, folder, digest, content))
        row = partial(artifacts.insert, self._dialect, digest, len(content), None if folder else content)
        await self._connection.write("artifact-row", row, size=len(content))
        if folder is not None and not (folder / digest).is_file():
            # A sweep removed the file between the two steps; now that its row is there, no sweep will.
            await self._aside(partial(artifacts.write_file, folder, digest, content))
        return digest

    async def get_artifact(self, digest: str) -> bytes:
        content = await self._read(artifacts.select, digest)
        if content is not None:
            where = str(self._connection.where)
            await self._hashing(content, partial(artifacts.check, digest, content, where))
            return content
        if self._folder is None:
            raise NotFound(f"the artifact {digest} is in the folder of another journal")
        return await self._aside(partial(artifacts.read_file, self._folder, digest))

    async def _hashing(self, content: bytes, work: Callable[[], T]) -> T:
        """Run work that hashes the content: aside when that takes longer than going there."""
        return await self._aside(work) if len(content) > _LARGEST_IN_TABLE else work()

    async def find_answer(self, key: AnswerKey) -> bytes | None:
        return await self._connection.read(partial(artifacts.select_answer, key))

    async def keep_answer(self, key: AnswerKey, answer: bytes) -> None:
        await self._connection.write("answer", partial(artifacts.insert_answer, key, answer), size=len(answer))

    # --- the ledger ---

    @property
    def ledger(self) -> StoreLedger:
        """The ledger that all processes on this database share."""
        return StoreLedger(self._ask, postgres=self._dialect.is_postgres)

    async def _ask(self, asking: Callable[[], Asking[T]], *, reads: bool = False) -> T:
        return await (self._connection.read(asking) if reads else self._connection.write("ledger", asking, lock=""))

    # --- retention ---

    async def weigh(self, build_id: str) -> Weight:
        await self._logs.drain(build_id)
        return await self._read(retention.weigh, build_id)

    async def retire(self, build_id: str) -> None:
        mark = (await self.marks([build_id])).get(build_id)
        drop, lock = partial(retention.retire_head, self._dialect, build_id), self._dialect.lock_build(build_id)
        failpoint("prune.journal.before")
        await self._connection.write("retire", drop, lock=lock, size=mark.version * _BYTES_PER_COUNTED if mark else 0)
        failpoint("prune.journal.after")
        await self._delete_rows(build_id)

    async def finish_retiring(self) -> int:
        left = await self._read(retention.orphans)
        for build_id in left:
            await self._delete_rows(build_id)
        return len(left)

    async def _delete_rows(self, build_id: str) -> None:
        while await self._connection.write("retire-rows", partial(retention.delete_piece, build_id)):
            failpoint("prune.rows.after")

    async def trim_log(self, build_id: str, most: int) -> int:
        await self._logs.drain(build_id)
        begin, lock = partial(retention.begin_trim, self._dialect, build_id, most), self._dialect.lock_build(build_id)
        cut, gone = await self._connection.write("trim-log", begin, lock=lock), 0
        while cut and (piece := await self._connection.write("trim-log", partial(retention.trim_piece, build_id, cut))):
            gone += piece
        return gone

    async def loose_artifacts(self) -> Loose:
        size = await self._read(retention.bytes_to_sweep)
        look = partial(retention.sweep, self._dialect, self._folder, remove=False)
        return await self._connection.read(look, size)

    async def sweep_artifacts(self) -> Loose:
        size = await self._read(retention.bytes_to_sweep)
        sweep = partial(retention.sweep, self._dialect, self._folder, remove=True)
        failpoint("prune.artifacts.before")
        found = await self._connection.write("sweep-rows", sweep, size=size)
        failpoint("prune.artifacts.after")
        if self._folder is not None:
            await self._connection.write("sweep-files", sweep)
        return found

    async def named_ids(self, build_id: str) -> frozenset[str]:
        return await self._connection.read(partial(retention.named_ids, build_id))

    async def compact(self) -> int | None:
        """Return 0: the database does that by itself."""
        return 0

    async def close(self) -> None:
        """Write waiting log lines and close the connection. Harmless when closed already."""
        await self._logs.drain()
        await self._connection.close()

    def _aside(self, work: Callable[[], T]) -> Awaitable[T]:
        """Run work that takes milliseconds where it does not hold up the event loop."""
        return asyncio.to_thread(work)

    def _read(self, steps: Callable[..., Asking[T]], *values: Any) -> Awaitable[T]:
        """Run steps of this dialect that change nothing."""
        return self._connection.read(partial(steps, self._dialect, *values))
