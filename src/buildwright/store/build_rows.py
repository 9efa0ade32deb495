"""The rows of builds, in SQLite. Must never import the events: a command that only shows them starts quickly."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.ports import BuildRow
from buildwright.store.faults import fault
from buildwright.store.leases import live_holder
from buildwright.store.opening import open_writer
from buildwright.store.values import to_time

HEAD_COLUMNS = (
    "build_id, project_id, user_id, title, phase, control, outcome, version,"
    " created_at, updated_at, completed_at, current_task_id"
)


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


class FoundRow(NamedTuple):
    """The row of one build, and the process that holds it."""

    row: BuildRow
    holder: str | None


def list_rows(path: Path, limit: int, build_prefix: str, patience: float = 15.0) -> list[BuildRow]:
    """Return the rows of a database that is opened for that, and created or migrated if needed.

    `patience` is how long to wait, in seconds, for a process that holds the lock. Raises StoreFailed, DiskFull.
    """
    return [found.row for found in find_rows(path, limit, build_prefix, patience)]


def find_rows(path: Path, limit: int, build_prefix: str, patience: float = 15.0) -> list[FoundRow]:
    """Return the rows, each with the process that holds it if the build could run on.

    Opens the database and raises as `list_rows` does.
    """
    now = datetime.now(UTC)
    with _opened(path, patience) as conn:
        return [
            FoundRow(row, live_holder(conn, row.build_id, now) if row.runs_on else None)
            for row in select_rows(conn, limit, build_prefix)
        ]


def find_row(path: Path, build_prefix: str = "", patience: float = 15.0) -> FoundRow | None:
    """Return the only build whose id starts so, without a prefix the newest; None when there is no such one.

    Opens the database and raises as `list_rows` does.
    """
    with _opened(path, patience) as conn:
        rows = select_rows(conn, 2 if build_prefix else 1, build_prefix)
        if len(rows) != 1:
            return None
        return FoundRow(rows[0], live_holder(conn, rows[0].build_id, datetime.now(UTC)))


def project_names(path: Path, ids: Collection[str], patience: float = 15.0) -> dict[str, str]:
    """Return the names of those of these projects that were given one.

    Opens the database and raises as `list_rows` does.
    """
    with _opened(path, patience) as conn:
        found = conn.execute(
            "SELECT id, name FROM projects WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(sorted(ids)),)
        )
        return dict(found.fetchall())


@contextmanager
def _opened(path: Path, patience: float) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(path, patience)) as conn:
        try:
            yield conn
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise fault(error, path) from error
