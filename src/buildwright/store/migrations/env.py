"""Alembic's entry: runs the migrations on the connection that `revisions` hands over, or prints their SQL. Reads no settings."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from buildwright.store.tables import metadata


def run_offline() -> None:
    """Print the SQL for the dialect of the configured URL."""
    context.configure(
        url=context.config.get_main_option("sqlalchemy.url"), target_metadata=metadata, literal_binds=True
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online(connection: Connection) -> None:
    """Run on an open connection; its owner commits."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online(context.config.attributes["connection"])
