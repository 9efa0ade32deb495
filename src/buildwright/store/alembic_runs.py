"""Runs Alembic on our own connection, in one transaction. Must be imported only when a migration is due."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from buildwright.errors import BuildwrightError, Conflict
from buildwright.store import postgres_pool
from buildwright.store.faults import fault

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.ext.asyncio import AsyncEngine


def upgrade(conn: sqlite3.Connection, path: Path) -> None:
    """Run the migrations that a database lacks, all or none."""
    from alembic import command

    run_alembic(conn, path, lambda config: command.upgrade(config, "head"))


def config_for(url: str) -> Config:
    """Return Alembic's configuration without an ini file. `url` gives the dialect when SQL is only printed."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def run_alembic(conn: sqlite3.Connection, path: Path, action: Callable[[Config], None]) -> None:
    """Run `action` with Alembic in one transaction on this connection, which `config.attributes` has as well."""
    import sqlalchemy
    from sqlalchemy.pool import StaticPool

    config = config_for("sqlite://")
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: conn, poolclass=StaticPool)
    try:
        # SQLAlchemy rolls back when it first connects, so our transaction starts after that. It then believes it has
        # begun one (SQLite sees no statement of it) and leaves ours alone, and Alembic joins ours.
        with engine.connect() as connection, connection.begin() as unused:
            config.attributes["connection"] = connection
            conn.execute("BEGIN IMMEDIATE")
            action(config)
            conn.execute("COMMIT")
            unused.rollback()
    except sqlalchemy.exc.DBAPIError as error:
        raise fault(error.orig, path) if isinstance(error.orig, sqlite3.Error) else error from error
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")


@contextmanager
def keeping_rows(config: Config, shown: str, copy: str, drop_data: bool) -> Iterator[tuple[Connection, set[str]]]:
    """Raise Conflict if the block drops a table with rows, unless `drop_data`; `copy` says how to save them.

    Yields the connection, and the names of the tables that are ours.
    """
    connection: Connection = config.attributes["connection"]
    from buildwright.store.tables import metadata

    before = _tables(connection)
    some = "SELECT 1 FROM {} WHERE {} LIMIT 1"
    losses = {name: metadata.tables[name].info.get("lost", "1 = 1") for name in before}
    filled = {name for name, lost in losses.items() if connection.exec_driver_sql(some.format(name, lost)).first()}
    yield connection, before
    lost = sorted(filled - _tables(connection))
    if lost and not drop_data:
        raise Conflict(
            f"rolling {shown} back would destroy the rows of {', '.join(lost)}",
            fix=f"{copy} first, then roll back with --drop-data",
        )


def _tables(connection: Connection) -> set[str]:
    """Return our tables, without others in the database."""
    from sqlalchemy import inspect

    from buildwright.store.tables import metadata

    return set(inspect(connection).get_table_names()) & set(metadata.tables)


async def upgrade_postgres(address: postgres_pool.Address) -> None:
    """Run the migrations that a database lacks, all or none; waits while another process migrates."""
    from alembic import command

    await run_alembic_on_postgres(address, lambda config: command.upgrade(config, "head"))


async def run_alembic_on_postgres(address: postgres_pool.Address, action: Callable[[Config], None]) -> None:
    """Do as `run_alembic`, on PostgreSQL, holding the lock on the schema."""
    from sqlalchemy.exc import DBAPIError

    def work(connection: Connection) -> None:
        connection.exec_driver_sql(postgres_pool.SCHEMA_LOCK)
        config = config_for("postgresql://")
        config.attributes["connection"] = connection
        action(config)

    engine = postgres_engine(address)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(work)
    except DBAPIError as error:
        raise driver_fault(error, address) from error
    except OSError as error:
        raise postgres_pool.fault(error, address.shown) from error
    finally:
        await engine.dispose()


def postgres_engine(address: postgres_pool.Address) -> AsyncEngine:
    """Return an SQLAlchemy engine with the same address and driver as the journal."""
    import asyncpg
    from sqlalchemy.ext.asyncio import create_async_engine

    return create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(address.dsn))


def driver_fault(error: DBAPIError, address: postgres_pool.Address) -> BuildwrightError:
    """Return the error to raise for a driver's error that SQLAlchemy has wrapped."""
    inner = error.orig.__cause__ if error.orig is not None else None
    return postgres_pool.fault(inner if isinstance(inner, Exception) else error, address.shown)
