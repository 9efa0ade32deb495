"""The journal's statements as PostgreSQL writes them. Must know no board.

One append is one statement, so one round trip and one commit. Text must pass through `text_of` before it is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from buildwright.core.build import Control
from buildwright.store.asking import Asking, Query
from buildwright.store.entry import JournalEntry
from buildwright.store.postgres_pool import literal
from buildwright.store.stats import LOCK
from buildwright.store.values import plain, to_text
from buildwright.views.statuses import BuildPhase

CHANGED_HEAD = """
    version = $2::bigint + cardinality($8::text[]),
    phase = coalesce($4::text, phase), control = coalesce($5::text, control), outcome = coalesce($6::text, outcome),
    current_task_id = coalesce($7::text, current_task_id),
    completed_at = CASE WHEN $6::text = '' THEN NULL WHEN $6::text IS NOT NULL THEN $3::timestamptz ELSE completed_at END
"""
"""Columns an append sets in the head row, with `parameters`. An outcome also means the build has ended, or ("")
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
_UNNAMED = """
WITH named AS MATERIALIZED (
    SELECT DISTINCT found[1] AS digest FROM events e,
        regexp_matches(e.data, '(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])', 'g') AS found
    WHERE length(e.data) >= 64
)
SELECT digest FROM unnest($1::text[]) AS digest WHERE digest NOT IN (SELECT digest FROM named)
"""
_LOCK_BUILD = "SELECT 1 FROM leases WHERE build_id = {} FOR UPDATE"
_LOCK_LOG = "SET LOCAL synchronous_commit = off; SELECT pg_advisory_xact_lock(hashtextextended({}, 1))"
"""One writer of a build's log at a time, so that its numbers have no gap and a reader never sees 7 before 6."""


class PostgresDialect:
    """`Dialect` of PostgreSQL. Its time is the server's."""

    is_postgres = True
    ids = "= ANY($1::text[])"
    starts = "starts_with(build_id, $1)"
    row_version = "xmin::text"
    row_bytes = "pg_column_size({0}.*)"
    journal_bytes = "SELECT pg_total_relation_size(to_regclass('events'))"
    turn = LOCK

    def moment(self, seconds: float = 0.0) -> str:
        return f"clock_timestamp() + make_interval(secs => {seconds})"

    def stored(self, at: datetime) -> datetime:
        return at

    def text(self, at: datetime) -> str:
        return to_text(at)

    def time(self, at: datetime) -> datetime:
        return at

    def clean(self, text: str) -> str:
        return text_of(text)

    def many(self, values: Sequence[str]) -> list[str]:
        return list(values)

    def lock_build(self, build_id: str) -> str:
        return _LOCK_BUILD.format(literal(build_id))

    def lock_log(self, build_id: str) -> str:
        return _LOCK_LOG.format(literal(build_id))

    def create(self, entry: JournalEntry, head: Sequence[str | None]) -> Asking[bool]:
        ((made,),) = yield Query(_CREATE, (*parameters(entry), *head))
        return bool(made)

    def append(self, entry: JournalEntry, token: int | None) -> Asking[bool]:
        ((done,),) = yield Query(_APPEND, (*parameters(entry), token))
        return bool(done)

    def unnamed(self, digests: Collection[str]) -> Asking[set[str]]:
        rows = (yield Query(_UNNAMED, (list(digests),))) if digests else ()
        return {digest for (digest,) in rows}


DIALECT = PostgresDialect()


def parameters(entry: JournalEntry) -> tuple[Any, ...]:
    """Return $1 to $10 of every statement that appends."""
    change = entry.change
    values = [change.get(name) for name in ("phase", "control", "outcome", "current_task_id")]
    columns = [[row[place] for row in entry.rows] for place in (3, 4, 5)]
    return (entry.build_id, entry.expected, entry.at, *values, *columns)


def text_of(text: str) -> str:
    """Return text that PostgreSQL accepts: no lone surrogate, and U+2400 for NUL."""
    return plain(text).replace("\0", "\u2400")
