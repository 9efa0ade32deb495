"""Alembic on a connection of ours, in one transaction of ours. The only door to it; imported when a migration is due."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from buildwright.errors import BuildwrightError
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
    """Alembic's configuration without an ini file. `url` says the dialect when SQL is only printed."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def _nothing() -> None:
    """For `run_alembic`, where there is nothing to look at."""


def run_alembic(
    conn: sqlite3.Connection,
    path: Path,
    action: Callable[[Config], None],
    *,
    before: Callable[[], None] = _nothing,
    after: Callable[[], None] = _nothing,
) -> None:
    """Let Alembic work on this connection in one transaction of ours; `before` and `after` are in it and may refuse."""
    import sqlalchemy
    from sqlalchemy.pool import StaticPool

    config = config_for("sqlite://")
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: conn, poolclass=StaticPool)
    try:
        # SQLAlchemy rolls back when it first connects, so our transaction starts after that. Having begun one of its
        # own, which says nothing to SQLite, it leaves ours alone, and Alembic joins it.
        with engine.connect() as connection, connection.begin() as unused:
            config.attributes["connection"] = connection
            conn.execute("BEGIN IMMEDIATE")
            before()
            action(config)
            after()
            conn.execute("COMMIT")
            unused.rollback()
    except sqlalchemy.exc.DBAPIError as error:
        raise fault(error.orig, path) if isinstance(error.orig, sqlite3.Error) else error from error
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")


async def upgrade_postgres(address: postgres_pool.Address) -> None:
    """Run the migrations that a database lacks, all or none; somebody else's run is waited for."""
    from alembic import command

    await run_alembic_on_postgres(address, lambda config: command.upgrade(config, "head"))


async def run_alembic_on_postgres(
    address: postgres_pool.Address,
    action: Callable[[Config], None],
    *,
    before: Callable[[Connection], None] = lambda _: None,
    after: Callable[[Connection], None] = lambda _: None,
) -> None:
    """As `run_alembic`, with the lock on the schema."""
    from sqlalchemy.exc import DBAPIError

    def work(connection: Connection) -> None:
        connection.exec_driver_sql(postgres_pool.SCHEMA_LOCK)
        config = config_for("postgresql://")
        config.attributes["connection"] = connection
        before(connection)
        action(config)
        after(connection)

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
    """SQLAlchemy on the same address, and with the same driver, as the journal."""
    import asyncpg
    from sqlalchemy.ext.asyncio import create_async_engine

    return create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(address.dsn))


def driver_fault(error: DBAPIError, address: postgres_pool.Address) -> BuildwrightError:
    """The error to raise for one that SQLAlchemy has wrapped around one of the driver."""
    inner = error.orig.__cause__ if error.orig is not None else None
    return postgres_pool.fault(inner if isinstance(inner, Exception) else error, address.shown)
