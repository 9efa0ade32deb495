"""Revisions of the schema, with Alembic: migrate, roll back, query. Must never destroy a journal untold."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from buildwright.errors import Conflict, NotFound, StoreFailed
from buildwright.store import opening, postgres_revisions
from buildwright.store.alembic_runs import config_for, run_alembic, upgrade
from buildwright.store.faults import fault
from buildwright.store.leases import live_holder

if TYPE_CHECKING:
    from alembic.config import Config

T = TypeVar("T")
_PATIENCE = 15.0
_SCHEMA = """
SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL
ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, name
"""
NOTE = "-- Generated from the migrations (`python -m buildwright.store.revisions`); a test compares. Do not edit.\n"


def head() -> str:
    """Return the revision that this version of Buildwright works with."""
    return opening.revisions()[-1]


async def version(path: Path | str) -> str | None:
    """Return the revision of a database (a file, or a PostgreSQL URL as str), None when it has none.

    Raises NotFound when there is no file; for a URL also BadSettings.
    """
    if isinstance(path, str):
        return await postgres_revisions.version(path)
    return await _on(path, lambda conn: opening.stored_revision(conn, path), opening.connect_to_look)


async def migrate(path: Path | str) -> str:
    """Bring a database (a file, or a PostgreSQL URL as str) to the newest revision, and return that revision."""
    if isinstance(path, str):
        await postgres_revisions.migrate(path)
        return head()
    conn = await asyncio.to_thread(opening.open_writer, path, _PATIENCE)
    conn.close()
    return head()


async def rollback(path: Path | str, steps: int = 1, *, drop_data: bool = False) -> str:
    """Undo the last `steps` revisions; return the one that is left ("" for none).

    Raises Conflict while a build runs, and when tables with rows would be lost without `drop_data`.
    """
    if isinstance(path, str):
        return await postgres_revisions.rollback(path, steps, drop_data)
    return await _on(path, lambda conn: _downgrade(conn, path, steps, drop_data))


def schema_sql() -> str:
    """Return the content of `schema.sql`: the migrations' schema in SQLite, one statement per `;` and line end."""
    conn = sqlite3.connect(":memory:", isolation_level=None)
    try:
        upgrade(conn, Path(":memory:"))
        made = conn.execute(_SCHEMA).fetchall()
    finally:
        conn.close()
    stamp = f"INSERT INTO alembic_version (version_num) VALUES ('{head()}');\n"  # noqa: S608  a file name of ours
    return NOTE + "".join(f"{sql.strip()};\n" for (sql,) in made) + stamp


def schema_sql_of_postgres() -> str:
    """Return the content of `schema_postgres.sql`: Alembic's SQL of the migrations, to be run in one transaction."""
    from alembic import command

    out = io.StringIO()
    config = config_for("postgresql://")
    config.output_buffer = out
    command.upgrade(config, "head", sql=True)
    lines = [line for line in out.getvalue().splitlines() if line not in {"", "BEGIN;", "COMMIT;"}]
    return NOTE + "\n".join(lines) + "\n"


def _connect(path: Path) -> sqlite3.Connection:
    return opening.connect(path, _PATIENCE)


async def _on(
    path: Path, work: Callable[[sqlite3.Connection], T], connect: Callable[[Path], sqlite3.Connection] = _connect
) -> T:
    if not path.is_file():
        raise NotFound(f"there is no database {path}", fix="make one with `buildwright db migrate`")
    return await asyncio.to_thread(with_connection, path, work, connect)


def with_connection(
    path: Path, work: Callable[[sqlite3.Connection], T], connect: Callable[[Path], sqlite3.Connection]
) -> T:
    """Run `work` on a connection that is closed afterwards. Raises SQLite's errors as errors of ours."""
    try:
        conn = connect(path)
        try:
            return work(conn)
        finally:
            conn.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise fault(error, path) from error


def _downgrade(conn: sqlite3.Connection, path: Path, steps: int, drop_data: bool) -> str:
    from alembic import command

    known = opening.revisions()
    found = opening.stored_revision(conn, path)
    if found not in known:
        raise StoreFailed(f"{path} is of revision {found or 'none'}, which cannot be rolled back from here")
    place = known.index(found) + 1 - steps
    if steps < 1 or place < 0:
        raise Conflict(f"{path} is at revision {found}: there are no {steps} revisions to roll back")
    target = known[place - 1] if place else "base"
    run_guarded(conn, path, lambda config: command.downgrade(config, target), drop_data)
    return "" if target == "base" else target


def run_guarded(conn: sqlite3.Connection, path: Path, action: Callable[[Config], None], drop_data: bool) -> None:
    """Run Alembic's downgrade. Raises Conflict while a build runs, or when rows would be lost without `drop_data`."""
    filled: set[str] = set()

    def look() -> None:
        _refuse_while_used(conn, path)
        filled.update(_filled_tables(conn))

    def agree() -> None:
        lost = sorted(filled - _tables(conn))
        if lost and not drop_data:
            raise Conflict(
                f"rolling {path} back would destroy the rows of {', '.join(lost)}",
                fix="make a copy of the file first, then roll back with --drop-data",
            )

    run_alembic(conn, path, action, before=look, after=agree)


def _refuse_while_used(conn: sqlite3.Connection, path: Path) -> None:
    if "leases" not in _tables(conn):
        return
    now = datetime.now(UTC)
    for (build_id,) in conn.execute("SELECT build_id FROM leases WHERE holder <> ''").fetchall():
        running = live_holder(conn, build_id, now)
        if running is not None:
            message = f"{path} is in use: build {build_id} is being run by {running}"
            raise Conflict(message, fix=f"stop it first with `buildwright stop {build_id}`")


def _tables(conn: sqlite3.Connection) -> set[str]:
    names = conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return {name for (name,) in names} - {"alembic_version"}


def _filled_tables(conn: sqlite3.Connection) -> set[str]:
    count = "SELECT 1 FROM {} LIMIT 1"
    return {name for name in _tables(conn) if conn.execute(count.format(name)).fetchone()}


if __name__ == "__main__":
    (Path(__file__).parent / "schema.sql").write_text(schema_sql(), encoding="utf-8")
    (Path(__file__).parent / "schema_postgres.sql").write_text(schema_sql_of_postgres(), encoding="utf-8")
