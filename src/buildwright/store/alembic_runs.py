"""Alembic on one of our connections, in one transaction of ours. The only door to it; imported when a migration is due."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from buildwright.store.faults import fault

if TYPE_CHECKING:
    from alembic.config import Config


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
