"""The journal in SQLite in memory, with the board of `memory_board`. Must never touch a file, nor wait for a thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

from buildwright.core.build import Build, Control
from buildwright.core.event import AnyEvent, Recorded
from buildwright.errors import BuildIsRunning, LostLease, StaleVersion
from buildwright.ports import (
    ActionLease,
    BuildRow,
    Due,
    HeldAction,
    Late,
    Lease,
    LogEntry,
    Loose,
    QueuedAction,
    QueueUpdate,
    WantedClaim,
    WorkerRow,
)
from buildwright.store.asking import Asking, Query, run_on_sqlite
from buildwright.store.build_rows import select_rows
from buildwright.store.dialect import Steps
from buildwright.store.journal_rows import not_found
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import in_words
from buildwright.store.opening import create_schema
from buildwright.store.sqlite_rows import SqliteDialect, utc_now
from tests.adapters.memory_board import ActionRows, quiet_since

T = TypeVar("T")


@cache
def _empty() -> sqlite3.Connection:
    """A database with the newest schema, which each store copies."""
    conn = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    create_schema(conn)
    return conn


class MemoryConnection:
    """`JournalConnection` to a database in memory. All work is done at once, so no caller ever waits."""

    where = Path(":memory:")

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.dialect = SqliteDialect(now)
        self._conn = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=256)
        _empty().backup(self._conn)

    def __del__(self) -> None:
        self._conn.close()

    def at_once(self, steps: Steps[T]) -> T:
        """Run steps in one transaction."""
        with self._conn:
            self._conn.execute("BEGIN")
            return run_on_sqlite(self._conn, steps())

    async def read(self, steps: Steps[T], size: int = 0) -> T:
        return self.at_once(steps)

    async def write(
        self, name: str, steps: Steps[T], *, lock: str | None = None, size: int = 0, repeated: Steps[T] | None = None
    ) -> T:
        return self.at_once(steps)

    async def close(self) -> None:
        """What was kept can still be read."""


@dataclass(slots=True)
class _Journal:
    head: BuildRow
    board: ActionRows


class MemoryBuilds(SqliteBuilds):
    """`Builds`, `ActionQueue` and `Answers` for one process."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._memory = MemoryConnection(now)
        super().__init__(self._memory)
        self._now = now
        self._boards: dict[str, ActionRows] = {}
        self._workers: dict[str, WorkerRow] = {}

    async def append(
        self,
        build_id: str,
        expected: int,
        events: Sequence[AnyEvent],
        at: datetime,
        token: int | None = None,
        after: Build | None = None,
    ) -> list[Recorded]:
        recorded = await super().append(build_id, expected, events, at, token, after)
        self._board(build_id).settled = False
        return recorded

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        self._refuse_at_work(build_id)
        lease = await super().acquire(build_id, holder, seconds)
        self._boards[build_id] = ActionRows()
        return lease

    async def write_log(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        await self._put_log(build_id, entries)

    async def retire(self, build_id: str) -> None:
        self._show_board()
        await super().retire(build_id)
        self._boards.pop(build_id, None)

    async def trim_log(self, build_id: str, most: int) -> int:
        self._show_board()
        return await super().trim_log(build_id, most)

    async def sweep_artifacts(self) -> Loose:
        self._show_board()
        return await super().sweep_artifacts()

    async def compact(self) -> int | None:
        """Memory is given back by itself."""
        return 0

    async def time(self) -> datetime:
        return self._now()

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
        journal = self._journal(build_id)
        recorded = [Recorded(seq, at, event) for seq, event in enumerate(events, expected + 1)]
        if events and await self.read(build_id, expected, len(events)) == recorded:
            rows = journal.board.rows
            live = {key for key, row in rows.items() if row.live(self._now())}
            return recorded, [key for key in settlement.wanted if key not in live] if settlement.start else []
        for lease in settlement.leases:
            if journal.board.holds(lease):
                continue
            raise LostLease(f"the lease on {lease.key} of build {build_id} went to another holder, or is over")
        running = await self.holder(build_id)
        if running is not None:
            raise BuildIsRunning(f"build {build_id} is being run by {in_words(running)}")
        if expected != journal.head.version:
            if late is None:
                raise StaleVersion(f"build {build_id} is at event {journal.head.version}, not {expected}")
            live = {key for key, row in journal.board.rows.items() if row.live(self._now())}
            return await self.settle(build_id, *late(await self.read(build_id, expected), live))
        if events:
            await super().append(build_id, expected, events, at, after=after)
        return recorded, journal.board.settle(settlement, self._now())

    async def claim(self, holder: str, seconds: float, claim: WantedClaim) -> list[ActionLease]:
        now, names = self._now(), []
        for build_id, journal in self._journals().items():
            if journal.head.control != Control.RUNNING or build_id in claim.left or await self.holder(build_id):
                continue
            for at, key in journal.board.free(holder, now):
                name = (build_id, key)
                if name not in claim.here and (not claim.kinds or key.partition("/")[0] in claim.kinds):
                    names.append((name not in claim.first, at, *name))
        return [self._take(build_id, key, holder, seconds) for _, _, build_id, key in sorted(names)[: claim.limit]]

    def _take(self, build_id: str, key: str, holder: str, seconds: float) -> ActionLease:
        journal = self._journals(build_id)[build_id]
        taken = journal.board.take(ActionLease(build_id, key, holder, 0, 0.0), seconds, self._now())
        assert taken is not None
        token = self._memory.at_once(lambda: self._next_token(build_id))
        journal.board.rows[key].token = token
        return taken._replace(token=token, version=journal.head.version)

    def _next_token(self, build_id: str) -> Asking[int]:
        ((token,),) = yield Query(
            "INSERT INTO leases (build_id, holder, token, expires_at) VALUES ($1, '', 1, $2)"
            " ON CONFLICT (build_id) DO UPDATE SET holder = '', token = leases.token + 1 RETURNING token",
            (build_id, self._dialect.stored(self._now())),
        )
        return int(token)

    async def keep(self, leases: Sequence[ActionLease], seconds: float) -> None:
        for lease in leases:
            board = self._board(lease.build_id)
            if board.holds(lease):
                row = board.rows[lease.key]
                row.beat_at, row.expires_at = self._now(), self._now() + timedelta(seconds=seconds)

    async def drop(self, lease: ActionLease) -> None:
        board = self._board(lease.build_id)
        if board.holds(lease):
            board.rows[lease.key].free(self._now())
            board.sweep(self._now())

    async def holdings(self, holder: str) -> list[HeldAction]:
        return [
            HeldAction(build_id, key, row.token, row.wanted, journal.head.version)
            for build_id, journal in sorted(self._journals().items())
            for key, row in sorted(journal.board.rows.items())
            if holder and row.holder == holder
        ]

    async def board(self, build_id: str = "") -> list[QueuedAction]:
        found = [
            posted
            for of, journal in self._journals().items()
            if build_id in {"", of}
            for posted in journal.board.posted(of, self._now())
        ]
        return sorted(found, key=lambda posted: (posted.wanted_at, posted.build_id, posted.key))

    async def due(self, quiet_seconds: float, limit: int = 200) -> Due:
        now, quiet = self._now(), timedelta(seconds=quiet_seconds)
        builds, waiting = [], []
        for build_id, journal in self._journals().items():
            board, control = journal.board, journal.head.control
            woken = board.wake_at is not None and board.wake_at <= now
            is_due = not board.settled or woken or control == Control.STOPPING
            if is_due and quiet_since(board.offered_at, quiet, now) and await self.holder(build_id) is None:
                builds.append(build_id)
            if control == Control.RUNNING:
                waiting += [(at, build_id, key) for at, key in board.waiting(quiet, now)]
        actions = [(build_id, key) for _, build_id, key in sorted(waiting)[:limit]]
        for build_id in builds[:limit]:
            self._board(build_id).offered_at = now
        for build_id, key in actions:
            self._board(build_id).rows[key].offered_at = now
        return Due(tuple(builds[:limit]), tuple(actions))

    async def beat(self, worker: WorkerRow) -> None:
        known = self._workers.get(worker.holder)
        started_at = known.started_at if known else self._now()
        self._workers[worker.holder] = worker._replace(started_at=started_at, beat_at=self._now())

    async def workers(self) -> list[WorkerRow]:
        now = self._now()
        rows = [row._replace(silent_seconds=(now - row.beat_at).total_seconds()) for row in self._workers.values()]
        return sorted(rows, key=lambda row: (row.started_at, row.holder))

    async def sign_off(self, holder: str) -> None:
        self._workers.pop(holder, None)

    async def _aside(self, work: Callable[[], T]) -> T:
        return work()

    def _show_board(self) -> None:
        """Write the actions that are held into the rows where retention looks for them."""
        now, time = self._now(), self._dialect.stored
        held = [
            (of, key, row.wanted, time(row.wanted_at), row.holder, row.token, time(row.expires_at))
            for of, board in self._boards.items()
            for key, row in board.rows.items()
            if row.live(now) and row.expires_at is not None
        ]

        def write() -> Asking[None]:
            yield Query("DELETE FROM actions")
            names = 'build_id, "key", wanted, wanted_at, holder, token, expires_at'
            yield Query(f"INSERT INTO actions ({names}) VALUES ($1, $2, $3, $4, $5, $6, $7)", many=held)

        self._memory.at_once(write)

    def _refuse_at_work(self, build_id: str) -> None:
        for row in self._board(build_id).rows.values():
            if row.live(self._now()):
                raise BuildIsRunning(f"build {build_id} is being run by {in_words(row.holder)}")

    def _board(self, build_id: str) -> ActionRows:
        return self._boards.setdefault(build_id, ActionRows())

    def _journal(self, build_id: str) -> _Journal:
        journal = self._journals(build_id).get(build_id)
        if journal is None:
            raise not_found(build_id)
        return journal

    def _journals(self, build_id: str = "") -> dict[str, _Journal]:
        heads = self._memory.at_once(lambda: select_rows(self._dialect, 1 << 30, build_id))
        return {head.build_id: _Journal(head, self._board(head.build_id)) for head in heads}
