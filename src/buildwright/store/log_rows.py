"""The log of a build in its rows. Must never import asyncio: a command that only shows them starts quickly."""

from __future__ import annotations

from collections.abc import Sequence

from buildwright.ports import LogEntry, LogLine
from buildwright.store.asking import Asking, Query
from buildwright.store.dialect import Dialect

_INSERT = "INSERT INTO logs (build_id, seq, at, task, attempt, kind, text) VALUES ($1, $2, $3, $4, $5, $6, $7)"
_SELECT = (
    "SELECT seq, at, task, attempt, kind, text FROM logs WHERE build_id = $1 AND seq > $2"
    " AND ($3 = '' OR task = $3) ORDER BY seq "
)


def insert(dialect: Dialect, build_id: str, lines: Sequence[LogEntry]) -> Asking[None]:
    """Append lines to a build's log. In a transaction that holds the log."""
    ((last,),) = yield Query("SELECT coalesce(max(seq), 0) FROM logs WHERE build_id = $1", (build_id,))
    rows = [
        (build_id, number, dialect.stored(at), task, attempt, kind, dialect.clean(text))
        for number, (at, task, attempt, kind, text) in enumerate(lines, last + 1)
    ]
    yield Query(_INSERT, many=rows)


def select(dialect: Dialect, build_id: str, after: int, task: str, limit: int, tail: bool) -> Asking[list[LogLine]]:
    """Return the first `limit` lines after `after`, or the last, in order; of one task when given."""
    statement = _SELECT + ("DESC" if tail else "ASC") + " LIMIT $4"
    rows = yield Query(statement, (dialect.clean(build_id), after, task, limit))
    return [LogLine(seq, dialect.time(at), *rest) for seq, at, *rest in (reversed(rows) if tail else rows)]
