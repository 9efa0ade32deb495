"""The journal's statements on PostgreSQL: head rows, events, snapshots. Must know no board.

Functions of a connection. One append is one statement, so one round trip and one commit. Text must pass through
`text_of` before it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from buildwright.core.build import Build, Control
from buildwright.core.event import AnyEvent, BuildCreated
from buildwright.errors import LostLease, NotFound, StaleVersion
from buildwright.ports import BuildRow, Mark
from buildwright.store.build_rows import HEAD_COLUMNS
from buildwright.store.faults import damaged
from buildwright.store.postgres_pool import Connection
from buildwright.store.rows import EventRow, encode_all, event_rows, text_crc
from buildwright.store.values import plain, to_text
from buildwright.views.runtime import HeadChange, head_change
from buildwright.views.statuses import BuildPhase

_SNAPSHOTS_KEPT = 2

CHANGED_HEAD = """
    version = $2::bigint + cardinality($8::text[]),
    phase = coalesce($4::text, phase), control = coalesce($5::text, control), outcome = coalesce($6::text, outcome),
    current_task_id = coalesce($7::text, current_task_id),
    completed_at = CASE WHEN $6::text = '' THEN NULL WHEN $6::text IS NOT NULL THEN $3::timestamptz ELSE completed_at END
"""
"""Columns an append sets in the head row, with `Entry.parameters`. An outcome also means the build has ended, or ("")
that it was opened again."""
PUT_EVENTS = """
    INSERT INTO events (build_id, seq, at, type, data, crc)
    SELECT $1, $2::bigint + e.n, $3::timestamptz, e.type, e.data, e.crc
    FROM head, unnest($8::text[], $9::text[], $10::bigint[]) WITH ORDINALITY AS e (type, data, crc, n)
"""
_APPEND = f"""
WITH lease AS MATERIALIZED (SELECT token FROM leases WHERE $11::bigint IS NOT NULL AND build_id = $1 FOR SHARE),
head AS (
    UPDATE build_runs SET {CHANGED_HEAD}, updated_at = $3::timestamptz, settled = false
    WHERE build_id = $1 AND version = $2 AND ($11::bigint IS NULL OR $11 = (SELECT token FROM lease)) RETURNING 1
),
put AS ({PUT_EVENTS})
SELECT count(*) FROM head
"""  # noqa: S608  constants
_CREATE = f"""
WITH head AS (
    INSERT INTO build_runs (build_id, project_id, user_id, title, phase, control, outcome, version, current_task_id,
        created_at, updated_at, completed_at, brief, build_plan, product_doc)
    VALUES ($1, $11, $12, $13, coalesce($4::text, '{BuildPhase.PLANNING}'), coalesce($5::text, '{Control.RUNNING}'),
        coalesce($6::text, ''),
        $2::bigint + cardinality($8::text[]), coalesce($7::text, ''), $3::timestamptz, $3::timestamptz,
        CASE WHEN $6::text IS NOT NULL THEN $3::timestamptz END, $14, $15, $16)
    ON CONFLICT (build_id) DO NOTHING RETURNING 1
),
lease AS (
    INSERT INTO leases (build_id, holder, token, expires_at) SELECT $1, '', 0, clock_timestamp() FROM head
    ON CONFLICT (build_id) DO NOTHING
),
put AS ({PUT_EVENTS})
SELECT count(*) FROM head
"""  # noqa: S608  constants
_READ = """
SELECT h.version, e.seq, e.at, e.type, e.data, e.crc FROM build_runs h
LEFT JOIN events e ON e.build_id = h.build_id AND e.seq > $2 WHERE h.build_id = $1 ORDER BY e.seq LIMIT $3
"""
_MARKS = """
SELECT build_id, version, (SELECT coalesce(min(seq), 0) FROM logs WHERE logs.build_id = h.build_id),
    (SELECT coalesce(max(seq), 0) FROM logs WHERE logs.build_id = h.build_id)
FROM build_runs h WHERE build_id = ANY($1::text[])
"""
_KEEP_SNAPSHOT = """
WITH head AS (SELECT version FROM build_runs WHERE build_id = $1),
put AS (
    INSERT INTO snapshots (build_id, seq, data, crc) SELECT $1, $2, $3, $4 FROM head WHERE version >= $2
    ON CONFLICT (build_id, seq) DO UPDATE SET data = excluded.data, crc = excluded.crc
),
gone AS (
    DELETE FROM snapshots WHERE build_id = $1 AND seq <> $2 AND seq NOT IN (
        SELECT seq FROM snapshots WHERE build_id = $1 AND seq <> $2 ORDER BY seq DESC LIMIT $5 - 1)
)
SELECT version FROM head
"""


@dataclass(frozen=True, slots=True)
class PostgresEvent:
    """Events to be appended after `expected`, encoded."""

    build_id: str
    expected: int
    at: datetime
    change: HeadChange
    rows: list[tuple[Any, ...]]

    @classmethod
    def of(
        cls, build_id: str, expected: int, events: Sequence[AnyEvent], at: datetime, after: Build | None = None
    ) -> PostgresEvent:
        rows = event_rows(build_id, expected, to_text(at), encode_all(events))
        return cls(build_id, expected, at, head_change(events, after), rows)

    @property
    def parameters(self) -> tuple[Any, ...]:
        """$1 to $10 of every statement that appends."""
        change = self.change
        values = [change.get(name) for name in ("phase", "control", "outcome", "current_task_id")]
        columns = [[row[place] for row in self.rows] for place in (3, 4, 5)]
        return (self.build_id, self.expected, self.at, *values, *columns)

    async def is_there(self, connection: Connection) -> bool:
        """Return whether exactly these events are in the journal: then an append with a lost answer had succeeded."""
        found = await connection.fetch(
            "SELECT seq, at, type, data FROM events WHERE build_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
            self.build_id,
            self.expected,
            len(self.rows),
        )
        stored = [(self.build_id, seq, to_text(at), kind, data) for seq, at, kind, data in found]
        return bool(self.rows) and stored == [row[:5] for row in self.rows]


async def append(connection: Connection, entry: PostgresEvent, token: int | None, again: bool) -> None:
    """Compare and set the head row, and insert. `again`: an earlier try may have succeeded.

    Raises StaleVersion, LostLease, NotFound, and has written nothing then.
    """
    if await connection.fetchval(_APPEND, *entry.parameters, token) or (again and await entry.is_there(connection)):
        return
    version = await find_version(connection, entry.build_id)
    if token is not None:
        newest = await connection.fetchval("SELECT token FROM leases WHERE build_id = $1", entry.build_id)
        if newest != token:
            raise LostLease(f"the lease on build {entry.build_id} went to another holder")
    raise stale(entry, version)


async def create(connection: Connection, entry: PostgresEvent, created: BuildCreated, again: bool) -> bool:
    """Insert a new journal and its head row; return False when there is another one already."""
    spec = created.spec
    papers = [paper.model_dump_json() if paper else None for paper in (spec.brief, spec.build_plan, spec.product_doc)]
    names = [text_of(name) for name in (created.project_id, created.user_id, spec.title)]
    made = await connection.fetchval(_CREATE, *entry.parameters, *names, *papers)
    return bool(made) or (again and await entry.is_there(connection))


def stale(entry: PostgresEvent, version: int) -> StaleVersion:
    """Return the error for an entry that comes too late."""
    return StaleVersion(f"build {entry.build_id} is at event {version}, not {entry.expected}")


async def find_version(connection: Connection, build_id: str) -> int:
    """Return the seq of the last event. Raises NotFound."""
    version: int | None = await connection.fetchval(
        "SELECT version FROM build_runs WHERE build_id = $1", text_of(build_id)
    )
    if version is None:
        raise not_found(build_id)
    return version


def not_found(build_id: str) -> NotFound:
    """Return the error for an unknown build."""
    return NotFound(f"there is no build {build_id}", fix="see the list with `buildwright status`")


async def select_events(
    connection: Connection, shown: str, build_id: str, after: int, limit: int | None
) -> list[EventRow]:
    """Return the rows after `after`, checked against the head row's version. Raises NotFound, StoreFailed."""
    most = None if limit is None else max(limit, 1)
    found = await connection.fetch(_READ, text_of(build_id), after, most)
    if not found:
        raise not_found(build_id)
    version = found[0][0]
    rows = [(seq, to_text(at), kind, data, crc) for _, seq, at, kind, data, crc in found if seq is not None]
    wanted = max(version - after, 0)
    if limit is not None:
        wanted, rows = min(wanted, max(limit, 0)), rows[: max(limit, 0)]
    if len(rows) != wanted:
        raise damaged(shown, f"build {build_id} should have {version} events, some are missing")
    return rows


async def select_snapshots(connection: Connection, build_id: str) -> list[tuple[int, str, int]]:
    """Return snapshots, newest first. Raises NotFound."""
    version = await find_version(connection, build_id)
    statement = "SELECT seq, data, crc FROM snapshots WHERE build_id = $1 AND seq <= $2 ORDER BY seq DESC"
    return [tuple(row) for row in await connection.fetch(statement, build_id, version)]


async def keep_snapshot(connection: Connection, build_id: str, seq: int, text: str) -> None:
    """Keep a snapshot and the one before it. Raises StaleVersion for a build that is ahead of its journal."""
    crc = text_crc(build_id, seq, text)
    version = await connection.fetchval(_KEEP_SNAPSHOT, build_id, seq, text, crc, _SNAPSHOTS_KEPT)
    if version is None:
        raise not_found(build_id)
    if version < seq:
        raise StaleVersion(f"build {build_id} is at event {version}, the snapshot is of event {seq}")


async def select_marks(connection: Connection, build_ids: Sequence[str]) -> dict[str, Mark]:
    """Return the marks of some builds, without unknown ones."""
    found = await connection.fetch(_MARKS, [text_of(build_id) for build_id in build_ids])
    return {row[0]: Mark._make(row[1:]) for row in found}


async def select_heads(connection: Connection, limit: int, prefix: str) -> list[BuildRow]:
    """Return head rows, newest first."""
    statement = (
        f"SELECT {HEAD_COLUMNS} FROM build_runs WHERE starts_with(build_id, $1)"  # noqa: S608  a constant
        " ORDER BY created_at DESC, build_id DESC LIMIT $2"
    )
    return [BuildRow(*row) for row in await connection.fetch(statement, text_of(prefix), limit)]


def text_of(text: str) -> str:
    """Return text that PostgreSQL accepts: no lone surrogate, and U+2400 for NUL."""
    return plain(text).replace("\0", "\u2400")
