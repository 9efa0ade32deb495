"""The rows of builds, and a quick look at them in SQLite.

Must never import the events: a command that only shows them starts quickly.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from buildwright.ports import BuildRow, LogLine
from buildwright.store import log_rows
from buildwright.store.asking import Asking, Query, run_on_sqlite
from buildwright.store.dialect import Dialect
from buildwright.store.faults import fault
from buildwright.store.leases import live_holder
from buildwright.store.opening import open_writer
from buildwright.store.sqlite_rows import SqliteDialect

T = TypeVar("T")

HEAD_COLUMNS = (
    "build_id, project_id, user_id, title, phase, control, outcome, version,"
    " created_at, updated_at, completed_at, current_task_id"
)


def select_rows(dialect: Dialect, limit: int, build_prefix: str) -> Asking[list[BuildRow]]:
    """Return at most `limit` rows, newest first, of the builds whose ids start with `build_prefix`."""
    statement = (
        f"SELECT {HEAD_COLUMNS} FROM build_runs WHERE {dialect.starts}"  # noqa: S608  constants
        " ORDER BY created_at DESC, build_id DESC LIMIT $2"
    )
    found = yield Query(statement, (dialect.clean(build_prefix), limit))
    time = dialect.time
    return [
        BuildRow(*(*start, time(created), time(updated), time(ended) if ended else None, task))
        for *start, created, updated, ended, task in found
    ]


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
    return _opened(path, patience, partial(_found, limit, build_prefix, False))


def find_row(path: Path, build_prefix: str = "", patience: float = 15.0) -> FoundRow | None:
    """Return the only build whose id starts so, without a prefix the newest; None when there is no such one.

    Opens the database and raises as `list_rows` does.
    """
    rows = _opened(path, patience, partial(_found, 2 if build_prefix else 1, build_prefix, True))
    return rows[0] if len(rows) == 1 else None


def read_lines(
    path: Path, build_id: str, after: int, task: str, limit: int, tail: bool, patience: float = 15.0
) -> list[LogLine]:
    """Return lines of a build's log, as the port `Builds.read_log` does.

    Opens the database and raises as `list_rows` does.
    """

    def look(dialect: Dialect) -> Asking[list[LogLine]]:
        return log_rows.select(dialect, build_id, after, task, limit, tail)

    return _opened(path, patience, look)


def project_names(path: Path, ids: Collection[str], patience: float = 15.0) -> dict[str, str]:
    """Return the names of those of these projects that were given one.

    Opens the database and raises as `list_rows` does.
    """
    wanted = (json.dumps(sorted(ids)),)
    query = Query("SELECT id, name FROM projects WHERE id IN (SELECT value FROM json_each($1))", wanted)

    def look(_: Dialect) -> Asking[dict[str, str]]:
        return dict((yield query))

    return _opened(path, patience, look)


def _found(limit: int, build_prefix: str, ended: bool, dialect: Dialect) -> Asking[list[FoundRow]]:
    """Return rows with their holders; `ended`: also of builds that cannot run on."""
    rows = yield from select_rows(dialect, limit, build_prefix)
    found = []
    for row in rows:
        holder = (yield from live_holder(dialect, row.build_id)) if ended or row.runs_on else None
        found.append(FoundRow(row, holder))
    return found


def _opened(path: Path, patience: float, steps: Callable[[Dialect], Asking[T]]) -> T:
    with closing(open_writer(path, patience)) as conn:
        try:
            return run_on_sqlite(conn, steps(SqliteDialect()))
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise fault(error, path) from error
