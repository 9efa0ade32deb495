"""The journal's statements as SQLite writes them. Must never commit, nor import the events."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from buildwright.store.asking import Asking, Query
from buildwright.store.values import plain, to_text, to_time

if TYPE_CHECKING:
    from buildwright.store.entry import JournalEntry

_CREATE = """
INSERT INTO build_runs (build_id, project_id, user_id, title, brief, build_plan, product_doc, created_at, updated_at,
    phase, control, outcome, version, current_task_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, '', 0, '') ON CONFLICT (build_id) DO NOTHING RETURNING 1
"""
_PUT_EVENT = "INSERT INTO events (build_id, seq, at, type, data, crc) VALUES (?, ?, ?, ?, ?, ?)"
_SOME_EVENTS = """
SELECT build_id, seq, data FROM events WHERE (build_id, seq) > ($1, $2) AND length(data) >= 64
ORDER BY build_id, seq LIMIT 5000
"""
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def utc_now() -> datetime:
    """Return this machine's time of day."""
    return datetime.now(UTC)


class SqliteDialect:
    """`Dialect` of SQLite. Its time is `now`, its times are text."""

    is_postgres = False
    ids = "IN (SELECT value FROM json_each($1))"
    starts = "build_id >= $1 AND build_id < $1 || char(1114111)"
    row_version = "''"
    row_bytes = "length({1}) + 60"
    journal_bytes = "SELECT 0"
    turn = ""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now

    def moment(self, seconds: float = 0.0) -> str:
        return f"'{to_text(self._now() + timedelta(seconds=seconds))}'"

    def stored(self, at: datetime) -> str:
        return to_text(at)

    def text(self, at: str) -> str:
        return at

    def time(self, at: str) -> datetime:
        return to_time(at)

    def clean(self, text: str) -> str:
        return plain(text)

    def many(self, values: Sequence[str]) -> str:
        return json.dumps(list(values))

    def lock_build(self, build_id: str) -> str:  # noqa: ARG002  a writer has the database to itself
        return ""

    def lock_log(self, build_id: str) -> str:  # noqa: ARG002  as above
        return ""

    def create(self, entry: JournalEntry, head: Sequence[str | None]) -> Asking[bool]:
        values = (entry.build_id, *head, entry.moment, entry.phase, entry.control)
        if not (yield Query(_CREATE, values)):
            return False
        return (yield from self.append(entry, None))

    def append(self, entry: JournalEntry, token: int | None) -> Asking[bool]:
        change = entry.change
        columns, values = ["version = ?", "updated_at = ?"], [entry.expected + len(entry.rows), entry.moment]
        for column in ("control", "outcome", "current_task_id"):
            if column in change:
                columns.append(f"{column} = ?")
                values.append(change[column])
        if "completed" in change:
            columns.append("completed_at = ?")
            values.append(entry.moment if change["completed"] else None)
        where, keys = "build_id = ? AND version = ?", [entry.build_id, entry.expected]
        if token is not None:
            where += " AND ? = (SELECT token FROM leases WHERE leases.build_id = build_runs.build_id)"
            keys.append(token)
        statement = f"UPDATE build_runs SET {', '.join(columns)} WHERE {where}"  # noqa: S608  names above
        if not (yield Query(statement, values + keys)):
            return False
        yield Query(_PUT_EVENT, many=entry.rows)
        if "phase" in change:
            # Separately, and only if it differs: the phase is indexed, and most appends do not change it.
            phase = (entry.build_id, change["phase"])
            yield Query("UPDATE build_runs SET phase = $2 WHERE build_id = $1 AND phase <> $2", phase)
        return True

    def unnamed(self, digests: Collection[str]) -> Asking[set[str]]:
        left = set(digests)
        rows: Sequence[Any] = [("", 0, "")] if left else ()
        while rows:
            rows = yield Query(_SOME_EVENTS, rows[-1][:2])
            for _, _, data in rows:
                left.difference_update(_DIGEST.findall(data))
        return left
