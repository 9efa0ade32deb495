"""The journal and the board on PostgreSQL. Read this before the other `postgres_*` files.

Works directly on asyncpg. Every method is work for the pool, which runs it again when the server went away in the
middle: what reads, or may be repeated, simply runs again; what appends first checks whether it had succeeded. Must
never import SQLAlchemy, nor let a clock of this process decide about a lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Self, TypeVar
from zlib import crc32

from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, BuildCreated, Recorded
from buildwright.core.snapshot import dump
from buildwright.errors import BuildIsRunning, Conflict, IllegalMove, NotFound
from buildwright.ports import (
    ActionLease,
    AnswerKey,
    BuildRow,
    Due,
    HeldAction,
    Late,
    Lease,
    LogEntry,
    LogLine,
    Loose,
    Mark,
    QueuedAction,
    QueueUpdate,
    Settlement,
    Weight,
    WorkerRow,
)
from buildwright.store import artifacts, logs
from buildwright.store import postgres_queue as board
from buildwright.store import postgres_retention as retention
from buildwright.store import postgres_rows as rows
from buildwright.store.journal_rows import newest_of, replay
from buildwright.store.money import StoreLedger
from buildwright.store.postgres_opening import prepare
from buildwright.store.postgres_pool import COMMAND_SECONDS, Connection, Pool, address_of, literal, transaction
from buildwright.store.postgres_workers import workers
from buildwright.store.rows import EventRow, recorded_from
from buildwright.store.stats import Asking, run_on_postgres

T = TypeVar("T")
_FEW = 200
"""Most events decoded on the event loop; more would block it for over a millisecond."""
_BYTES_PER_COUNTED = 40
"""As many bytes are sent in the time in which an event is counted into the stats."""
_LOG_LOCK = "SET LOCAL synchronous_commit = off; SELECT pg_advisory_xact_lock(hashtextextended({}, 1))"
"""One writer of a build's log at a time, so that its numbers have no gap and a reader never sees 7 before 6."""
_PUT_LOG = """
INSERT INTO logs (build_id, seq, at, task, attempt, kind, text)
SELECT $1::text, (SELECT coalesce(max(seq), 0) FROM logs WHERE build_id = $1::text) + l.n, l.at, l.task, l.attempt, l.kind, l.text
FROM unnest($2::timestamptz[], $3::text[], $4::int[], $5::text[], $6::text[])
    WITH ORDINALITY AS l (at, task, attempt, kind, text, n)
"""
_PUT_ARTIFACT = """
INSERT INTO artifacts (digest, size, content) VALUES ($1, $2, $3) ON CONFLICT (digest) DO UPDATE SET size = excluded.size
"""
"""An existing row gets a new version, by which a sweep sees that it is wanted again."""
_FIND_ANSWER = (
    "SELECT answer, crc FROM answers WHERE build_id = $1 AND task = $2 AND attempt = $3 AND digest = $4 AND nth = $5"
)
_KEEP_ANSWER = """
INSERT INTO answers (build_id, task, attempt, digest, nth, answer, crc) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (build_id, task, attempt, digest, nth) DO UPDATE SET answer = excluded.answer, crc = excluded.crc WHERE $8
"""


class PostgresBuilds:
    """`Builds`, `ActionQueue`, `Answers`, `Retention` in a PostgreSQL database. Belongs to one event loop; must be closed.

    Large because four ports share one pool and one kind of transaction; each method is one statement or two.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._shown = pool.address.shown
        self._tokens: dict[tuple[str, str], int] = {}
        """Newest token by build and action of each action taken here that, as far as we know, is not over."""
        self._log_turn = asyncio.Lock()
        self._logs = logs.LogBuffer(lambda batch, lost: asyncio.ensure_future(self._put_logs(batch, lost)))

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

    # --- the journal ---

    async def create(self, build_id: str, events: Sequence[AnyEvent], at: datetime) -> list[Recorded]:
        first = events[0] if events else None
        if not isinstance(first, BuildCreated):
            raise IllegalMove("a journal starts with build.created")
        if first.build_id != build_id:
            raise IllegalMove(f"build.created names build {first.build_id}, the journal is of build {build_id}")
        entry = rows.PostgresEvent.of(build_id, 0, events, at)
        if not await self._pool.run(lambda conn, again: rows.create(conn, entry, first, again)):
            raise Conflict(f"there is a build {build_id} already")
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
        entry = rows.PostgresEvent.of(build_id, expected, events, at, after)
        await self._logs.before(events)
        await self._pool.run(lambda conn, again: rows.append(conn, entry, token, again))
        return _recorded(events, expected, at)

    async def read(self, build_id: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        after = max(after, 0)
        found = await self._run(lambda conn: rows.select_events(conn, self._shown, build_id, after, limit))
        decode = partial(recorded_from, self._shown, build_id, after, found)
        return decode() if len(found) <= _FEW else await asyncio.to_thread(decode)

    async def load(self, build_id: str) -> Build:
        snapshots = await self._run(lambda conn: rows.select_snapshots(conn, build_id))
        build = await asyncio.to_thread(newest_of, build_id, snapshots) if snapshots else None
        after = build.version if build else 0
        found = await self._run(lambda conn: rows.select_events(conn, self._shown, build_id, after, None))
        return await asyncio.to_thread(replay, self._shown, build_id, build, found)

    async def keep_snapshot(self, build: Build) -> None:
        text = await asyncio.to_thread(dump, build)
        await self._run(lambda conn: rows.keep_snapshot(conn, build.id, build.version, text), len(text))

    async def version(self, build_id: str) -> int:
        return await self._run(lambda conn: rows.find_version(conn, build_id))

    async def marks(self, build_ids: Sequence[str]) -> dict[str, Mark]:
        return await self._run(lambda conn: rows.select_marks(conn, build_ids))

    async def rows(self, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
        return await self._run(lambda conn: rows.select_heads(conn, limit, build_prefix))

    # --- leases on whole builds ---

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        return await self._pool.run(lambda conn, again: board.acquire(conn, build_id, holder, seconds, again))

    async def renew(self, lease: Lease, seconds: float) -> None:
        await self._run(lambda conn: board.renew(conn, lease, seconds))

    async def release(self, lease: Lease) -> None:
        await self._run(lambda conn: board.release(conn, lease))

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

        def anew(found: Sequence[EventRow], live: Sequence[str]) -> board.Entry:
            nonlocal newest  # a later try sends this one: it may have arrived
            assert late is not None
            newest = late(recorded_from(self._shown, build_id, newest.expected, found), live)
            return _entry(build_id, newest)

        async def work(conn: Connection, again: bool) -> list[str]:
            try:
                return await board.settle(conn, self._shown, _entry(build_id, newest), again, late and anew)
            except BuildIsRunning:
                if not await board.bury_the_dead(conn, await board.holders_of(conn, build_id)):
                    raise
            return await board.settle(conn, self._shown, _entry(build_id, newest), again, late and anew)

        if settlement.ended:  # another process may be the one that ends the build then
            await self._logs.drain()
        await self._logs.before(events)
        free = await self._pool.run(work)
        for key in settlement.ended:
            self._tokens.pop((build_id, key), None)
        return _recorded(newest.events, newest.expected, newest.at), free

    async def take(self, build_id: str, key: str, holder: str, seconds: float) -> ActionLease | None:
        async def work(conn: Connection, again: bool) -> ActionLease | None:
            known = self._tokens.get((build_id, key), 0) if again else None
            lease = await board.take(conn, build_id, key, holder, seconds, known)
            if lease is None and await board.bury_the_dead(conn, await board.holders_of(conn, build_id, key)):
                lease = await board.take(conn, build_id, key, holder, seconds, known)
            return lease

        lease = await self._pool.run(work)
        if lease is not None:
            self._tokens[build_id, key] = lease.token
        return lease

    async def keep(self, leases: Sequence[ActionLease], seconds: float) -> None:
        if leases:
            await self._run(lambda conn: board.keep(conn, leases, seconds))

    async def drop(self, lease: ActionLease) -> None:
        await self._run(lambda conn: board.drop(conn, lease))
        self._tokens.pop((lease.build_id, lease.key), None)

    async def holdings(self, holder: str) -> list[HeldAction]:
        return await self._run(lambda conn: board.holdings(conn, holder))

    async def board(self, build_id: str = "") -> list[QueuedAction]:
        return await self._run(lambda conn: board.board(conn, build_id))

    async def waiting(self, limit: int = 100) -> list[tuple[str, str]]:
        return await self._run(lambda conn: board.waiting(conn, limit))

    async def due(self, quiet_seconds: float, limit: int = 200) -> Due:
        return await self._run(lambda conn: board.due(conn, quiet_seconds, limit))

    async def beat(self, worker: WorkerRow) -> None:
        await self._run(lambda conn: board.beat(conn, worker))

    async def workers(self) -> list[WorkerRow]:
        return await self._run(workers)

    async def sign_off(self, holder: str) -> None:
        await self._run(lambda conn: board.sign_off(conn, holder))

    # --- logs, artifacts, answers ---

    async def write_log(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        await self._logs.add(build_id, entries)

    async def read_log(
        self, build_id: str, after: int = 0, task: str = "", limit: int = 1000, tail: bool = False
    ) -> list[LogLine]:
        await self._logs.drain()
        statement = (
            "SELECT seq, at, task, attempt, kind, text FROM logs WHERE build_id = $1 AND seq > $2"  # noqa: S608  ours
            f" AND ($3 = '' OR task = $3) ORDER BY seq {'DESC' if tail else 'ASC'} LIMIT $4"
        )
        found = await self._run(lambda conn: conn.fetch(statement, rows.text_of(build_id), after, task, limit))
        return [LogLine(*row) for row in (reversed(found) if tail else found)]

    async def put_artifact(self, content: bytes) -> str:
        digest = await asyncio.to_thread(artifacts.digest_of, content)
        await self._run(lambda conn: conn.execute(_PUT_ARTIFACT, digest, len(content), content), len(content))
        return digest

    async def get_artifact(self, digest: str) -> bytes:
        statement = "SELECT content FROM artifacts WHERE digest = $1"
        content: bytes | None = await self._run(lambda conn: conn.fetchval(statement, rows.text_of(digest)))
        if content is None:
            raise NotFound(f"there is no artifact {digest}")
        await asyncio.to_thread(artifacts.check, digest, content, self._shown)
        return content

    async def find_answer(self, key: AnswerKey) -> bytes | None:
        row = await self._run(lambda conn: conn.fetchrow(_FIND_ANSWER, *key))
        # A damaged answer counts as none: it is bought again.
        return row[0] if row is not None and crc32(row[0]) == row[1] else None

    async def keep_answer(self, key: AnswerKey, answer: bytes) -> None:
        async def work(conn: Connection) -> None:
            found = await conn.fetchrow(_FIND_ANSWER, *key)
            damaged = found is not None and crc32(found[0]) != found[1]
            await conn.execute(_KEEP_ANSWER, *key, answer, crc32(answer), damaged)

        await self._run(work, len(answer))

    # --- the ledger ---

    @property
    def ledger(self) -> StoreLedger:
        """The ledger that all processes on this database share."""
        return StoreLedger(self._ask, postgres=True)

    async def _ask(self, asking: Callable[[], Asking[T]], *, reads: bool = False) -> T:
        async def work(conn: Connection) -> T:
            if reads:
                return await run_on_postgres(conn, asking())
            async with conn.transaction():
                return await run_on_postgres(conn, asking())

        return await self._run(work)

    # --- retention ---

    async def weigh(self, build_id: str) -> Weight:
        await self._logs.drain()
        return await self._run(lambda conn: retention.weigh(conn, build_id))

    async def retire(self, build_id: str) -> None:
        events = (await self.marks([build_id])).get(build_id, Mark(0, 0, 0)).version
        await self._run(lambda conn: retention.retire_head(conn, build_id), events * _BYTES_PER_COUNTED)
        await self._delete_rows(build_id)

    async def finish_retiring(self) -> int:
        left = await self._run(retention.orphans)
        for build_id in left:
            await self._delete_rows(build_id)
        return len(left)

    async def _delete_rows(self, build_id: str) -> None:
        while await self._run(lambda conn: retention.delete_piece(conn, build_id)):
            pass

    async def trim_log(self, build_id: str, most: int) -> int:
        await self._logs.drain()
        cut, gone = await self._run(lambda conn: retention.begin_trim(conn, build_id, most)), 0
        while cut and (piece := await self._run(lambda conn: retention.trim_piece(conn, build_id, cut))):
            gone += piece
        return gone

    async def loose_artifacts(self) -> Loose:
        return await self._sweep(remove=False)

    async def sweep_artifacts(self) -> Loose:
        return await self._sweep(remove=True)

    async def _sweep(self, *, remove: bool) -> Loose:
        size = await self._run(retention.bytes_of_journals)
        return await self._run(lambda conn: retention.sweep(conn, remove=remove), size)

    async def named_ids(self, build_id: str) -> frozenset[str]:
        return await self._run(lambda conn: retention.named_ids(conn, build_id))

    async def compact(self) -> int | None:
        """Return 0: PostgreSQL does that by itself."""
        return 0

    def hurry(self) -> None:
        """Wait for an absent server for one second at most from now on: this process is about to end."""
        self._pool.hurry()

    async def close(self) -> None:
        """Write waiting log lines and close the connections. Harmless when closed already."""
        await self._logs.drain()
        self._pool.close()

    async def _put_logs(self, batch: logs.Batch, lost: dict[str, int]) -> None:
        """Write lines, keeping the order of one process. A batch whose connection broke may be written twice."""
        async with self._log_turn:
            for build_id in batch:
                columns = zip(*logs.lines_of(batch, lost, build_id), strict=True)
                at, task, attempt, kind, text = columns
                values = (at, task, attempt, kind, [rows.text_of(line) for line in text])
                await self._run(partial(_put_log, build_id=build_id, values=values))

    def _run(self, work: Callable[[Connection], Awaitable[T]], size: int = 0) -> Awaitable[T]:
        """Run work that may simply be repeated."""
        return self._pool.run(lambda conn, _: work(conn), size)


async def _put_log(conn: Connection, build_id: str, values: tuple[Sequence[object], ...]) -> None:
    async with transaction(conn, _LOG_LOCK.format(literal(build_id))):
        await conn.execute(_PUT_LOG, build_id, *values)


def _recorded(events: Sequence[AnyEvent], after: int, at: datetime) -> list[Recorded]:
    return [Recorded(seq, at, event) for seq, event in enumerate(events, after + 1)]


def _entry(build_id: str, due: Settlement) -> board.Entry:
    event = rows.PostgresEvent.of(build_id, due.expected, due.events, due.at, due.after)
    return board.Entry(event, due.settlement)
