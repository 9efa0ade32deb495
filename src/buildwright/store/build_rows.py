"""The rows of a list of builds, in SQLite. Must never import the events: a command that only lists starts quickly."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from buildwright.ports import BuildRow
from buildwright.store.faults import fault
from buildwright.store.opening import open_writer

HEAD_COLUMNS = (
    "build_id, project_id, user_id, title, phase, control, outcome, version,"
    " created_at, updated_at, completed_at, current_task_id"
)


def to_text(at: datetime) -> str:
    """Return a time as SQLAlchemy stores it in SQLite: UTC, sortable text. Raises ValueError for no time zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(" ", "microseconds")[:26]


def to_time(text: str) -> datetime:
    """Return the time that `to_text` wrote."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def build_row(row: tuple[Any, ...]) -> BuildRow:
    """Return a row of HEAD_COLUMNS as the port's record."""
    *start, created, updated, completed, task = row
    ended = to_time(completed) if completed else None
    return BuildRow(*(*start, to_time(created), to_time(updated), ended, task))


def select_rows(conn: sqlite3.Connection, limit: int, build_prefix: str) -> list[BuildRow]:
    """Return at most `limit` rows, newest first, of the builds whose ids start with `build_prefix`."""
    found = conn.execute(
        f"SELECT {HEAD_COLUMNS} FROM build_runs WHERE build_id >= ? AND build_id < ?"  # noqa: S608  a constant
        " ORDER BY created_at DESC, build_id DESC LIMIT ?",
        (build_prefix, build_prefix + "\U0010ffff", limit),
    )
    return [build_row(row) for row in found]


def list_rows(path: Path, limit: int, build_prefix: str, patience: float = 15.0) -> list[BuildRow]:
    """Return the rows of a database that is opened for that, and created or migrated if needed.

    `patience` is how long to wait, in seconds, for a process that holds the lock. Raises StoreFailed, DiskFull.
    """
    with closing(open_writer(path, patience)) as conn:
        try:
            return select_rows(conn, limit, build_prefix)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise fault(error, path) from error
