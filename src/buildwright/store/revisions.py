"""Revisions of the schema, with Alembic: migrate, roll back, query. Must never destroy a journal untold.

A database is a `Path` to a SQLite file, or a `str` with the URL of a PostgreSQL database.
"""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from buildwright.errors import Conflict, NotFound, StoreFailed
from buildwright.store import opening, postgres_opening
from buildwright.store.alembic_runs import config_for, keeping_rows, run_alembic, run_alembic_on_postgres, upgrade
from buildwright.store.faults import fault
from buildwright.store.lease_holders import in_words, may_live, surely_lives
from buildwright.store.postgres_pool import Address, address_of, single
from buildwright.store.postgres_rows import PostgresDialect
from buildwright.store.sqlite_rows import SqliteDialect

if TYPE_CHECKING:
    from alembic.config import Config

    from buildwright.store.dialect import Dialect

T = TypeVar("T")
_PATIENCE = 15.0
_SCHEMA = """
SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL
ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, name
"""
_HOLDERS = "SELECT build_id, holder, expires_at > {1} FROM {0} WHERE holder <> ''"
NOTE = "-- Generated from the migrations (`python -m buildwright.store.revisions`); a test compares. Do not edit.\n"


def head() -> str:
    """Return the revision that this version of Buildwright works with."""
    return opening.revisions()[-1]


async def version(path: Path | str) -> str | None:
    """Return the revision of a database, None when it has none.

    Raises NotFound when there is no file; for a URL also BadSettings.
    """
    if isinstance(path, str):
        async with single(path, _PATIENCE) as pool:
            shown = pool.address.shown
            return await pool.run(lambda connection, _: postgres_opening.stored_revision(connection, shown))
    return await _on(path, lambda conn: opening.stored_revision(conn, path), opening.connect_to_look)


async def migrate(path: Path | str) -> str:
    """Bring a database to the newest revision, creating the tables if there are none; return that revision."""
    if isinstance(path, str):
        async with single(path, _PATIENCE) as pool:
            await postgres_opening.prepare(pool)
    else:
        (await asyncio.to_thread(opening.open_writer, path, _PATIENCE)).close()
    return head()


async def rollback(path: Path | str, steps: int = 1, *, drop_data: bool = False) -> str:
    """Undo the last `steps` revisions; return the one that is left ("" for none).

    Raises Conflict while a build runs, and when tables with rows would be lost without `drop_data`.
    """
    from alembic import command

    found = await version(path)
    address = address_of(path) if isinstance(path, str) else None
    target = _target(found, steps, address.shown if address else str(path))

    def downgrade(config: Config) -> None:
        command.downgrade(config, target or "base")

    if address is not None:
        await run_guarded_on_postgres(address, downgrade, drop_data)
    elif isinstance(path, Path):
        await _on(path, lambda conn: run_guarded(conn, path, downgrade, drop_data))
    return target


def _target(found: str | None, steps: int, shown: str) -> str:
    """Return the revision that is left of `found` without its last `steps`, "" for none. Raises Conflict, StoreFailed."""
    known = opening.revisions()
    if found not in known:
        raise StoreFailed(f"{shown} is of revision {found or 'none'}, which cannot be rolled back from here")
    place = known.index(found) + 1 - steps
    if steps < 1 or place < 0:
        raise Conflict(f"{shown} is at revision {found}: there are no {steps} revisions to roll back")
    return known[place - 1] if place else ""


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
    path: Path, work: Callable[[sqlite3.Connection], T], connect: Callable[[Path], sqlite3.Connection] = _connect
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


def run_guarded(conn: sqlite3.Connection, path: Path, action: Callable[[Config], None], drop_data: bool) -> None:
    """Run Alembic's downgrade. Raises Conflict while a build runs, or when rows would be lost without `drop_data`."""
    run_alembic(conn, path, _guarded(action, str(path), "make a copy of the file", drop_data, SqliteDialect()))


async def run_guarded_on_postgres(address: Address, action: Callable[[Config], None], drop_data: bool) -> None:
    """Do as `run_guarded`, on PostgreSQL."""
    guarded = _guarded(action, address.shown, "make a copy (pg_dump)", drop_data, PostgresDialect())
    await run_alembic_on_postgres(address, guarded)


def _guarded(
    action: Callable[[Config], None], shown: str, copy: str, drop_data: bool, dialect: Dialect
) -> Callable[[Config], None]:
    def guarded(config: Config) -> None:
        with keeping_rows(config, shown, copy, drop_data) as (connection, tables):
            for table in sorted({"leases", "actions"} & tables):
                held = connection.exec_driver_sql(_HOLDERS.format(table, dialect.moment())).all()
                for build_id, holder, in_time in held:
                    if may_live(holder) if in_time else surely_lives(holder):
                        raise _in_use(shown, build_id, holder)
            action(config)

    return guarded


def _in_use(shown: str, build_id: str, holder: str) -> Conflict:
    message = f"{shown} is in use: build {build_id} is being run by {in_words(holder)}"
    return Conflict(
        message,
        fix="end that process first (a worker, a server, or Ctrl-C where it runs); the build waits, and continues later",
    )


if __name__ == "__main__":
    (Path(__file__).parent / "schema.sql").write_text(schema_sql(), encoding="utf-8")
    (Path(__file__).parent / "schema_postgres.sql").write_text(schema_sql_of_postgres(), encoding="utf-8")
