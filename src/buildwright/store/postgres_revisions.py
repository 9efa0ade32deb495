"""Revisions of a PostgreSQL schema: migrate, roll back, query. Must never destroy a journal without being told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from buildwright.errors import Conflict, StoreFailed
from buildwright.store.alembic_runs import run_alembic_on_postgres
from buildwright.store.lease_holders import may_live
from buildwright.store.opening import revisions
from buildwright.store.postgres_opening import prepare, stored_revision
from buildwright.store.postgres_pool import COMMAND_SECONDS, Address, Pool, address_of

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

_PATIENCE = 15.0
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
_HOLDERS = "SELECT build_id, holder FROM {} WHERE holder <> '' AND expires_at > clock_timestamp()"


async def version(url: str) -> str | None:
    """Return the revision of a database, None when it has none. Raises StoreFailed, BadSettings."""
    async with _opened(url) as pool:
        return await pool.run(lambda connection, _: stored_revision(connection, pool.address.shown))


async def migrate(url: str) -> None:
    """Bring a database to the newest revision, creating the tables if there are none."""
    async with _opened(url) as pool:
        await prepare(pool)


async def rollback(url: str, steps: int, drop_data: bool) -> str:
    """Undo the last `steps` revisions; return the one that is left ("" for none). Raises Conflict, as on SQLite."""
    from alembic import command

    known, found, address = revisions(), await version(url), address_of(url)
    if found not in known:
        raise StoreFailed(f"{address.shown} is of revision {found or 'none'}, which cannot be rolled back from here")
    place = known.index(found) + 1 - steps
    if steps < 1 or place < 0:
        raise Conflict(f"{address.shown} is at revision {found}: there are no {steps} revisions to roll back")
    target = known[place - 1] if place else "base"
    await run_guarded(address, lambda config: command.downgrade(config, target), drop_data)
    return "" if target == "base" else target


async def run_guarded(address: Address, action: Callable[[Config], None], drop_data: bool) -> None:
    """Run Alembic's downgrade. Raises Conflict, as on SQLite."""
    filled: set[str] = set()

    def look(connection: Connection) -> None:
        _refuse_while_used(connection, address.shown)
        filled.update(
            name
            for name in _tables(connection)
            if connection.exec_driver_sql(f"SELECT 1 FROM {name} LIMIT 1").first()  # noqa: S608  names of ours
        )

    def agree(connection: Connection) -> None:
        lost = sorted(filled - _tables(connection))
        if lost and not drop_data:
            raise Conflict(
                f"rolling {address.shown} back would destroy the rows of {', '.join(lost)}",
                fix="make a copy first (pg_dump), then roll back with --drop-data",
            )

    await run_alembic_on_postgres(address, action, before=look, after=agree)


def _refuse_while_used(connection: Connection, shown: str) -> None:
    for table in {"leases", "actions"} & _tables(connection):
        for build_id, holder in connection.exec_driver_sql(_HOLDERS.format(table)).all():
            if may_live(holder):
                message = f"{shown} is in use: build {build_id} is being run by {holder}"
                raise Conflict(message, fix=f"stop it first with `buildwright stop {build_id}`")


def _tables(connection: Connection) -> set[str]:
    """Return our tables, without others in the database."""
    from buildwright.store.tables import metadata

    return {name for (name,) in connection.exec_driver_sql(_TABLES).all()} & set(metadata.tables)


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Pool]:
    pool = Pool(address_of(url), 1, _PATIENCE, COMMAND_SECONDS)
    try:
        yield pool
    finally:
        pool.close()
