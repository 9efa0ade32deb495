"""The work of Alembic's `env.py` files: print SQL, run on a connection or a database. Must never read settings."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command, context
from alembic.util import CommandError
from sqlalchemy import Connection

from buildwright.errors import BuildwrightError
from buildwright.store import opening, revisions
from buildwright.store.alembic_runs import run_alembic, run_alembic_on_postgres
from buildwright.store.postgres_pool import address_of
from buildwright.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config


def run_offline(url: str) -> None:
    """Print the SQL for the dialect of the URL."""
    context.configure(url=url, target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online(connection: Connection) -> None:
    """Run on an open connection; the caller commits."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


def run_on(database: Path | str) -> None:
    """Run the command of the program `alembic` on a file, or (a str) a PostgreSQL URL, in one transaction.

    A downgrade refuses what `buildwright db rollback` does; `-x drop-data` drops tables with rows. Raises CommandError.
    """
    if context.is_offline_mode():
        run_offline("sqlite://" if isinstance(database, Path) else "postgresql://")
        return
    try:
        if isinstance(database, str):
            asyncio.run(_on_postgres(database))
        else:
            _on_file(database)
    except BuildwrightError as error:
        raise CommandError(f"{error}{f' (fix: {error.fix})' if error.fix else ''}") from error


def _on_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    revisions.with_connection(path, lambda conn: _on_connection(conn, path))


def _on_connection(conn: sqlite3.Connection, path: Path) -> None:
    opening.stored_revision(conn, path)  # raises for another program's database
    if _goes_down():
        revisions.run_guarded(conn, path, _run, _may_drop())
    else:
        run_alembic(conn, path, _run)


async def _on_postgres(url: str) -> None:
    await revisions.version(url)  # raises for another program's database
    if _goes_down():
        await revisions.run_guarded_on_postgres(address_of(url), _run, _may_drop())
    else:
        await run_alembic_on_postgres(address_of(url), _run)


def _run(config: Config) -> None:
    run_online(config.attributes["connection"])


def _goes_down() -> bool:
    told = getattr(context.config.cmd_opts, "cmd", (None,))
    return told[0] is command.downgrade


def _may_drop() -> bool:
    return "drop-data" in context.get_x_argument(as_dictionary=True)
