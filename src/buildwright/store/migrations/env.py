"""Alembic's entry: runs the migrations on the connection that `revisions` hands over, or prints their SQL. Reads no settings."""

from __future__ import annotations

from alembic import context

from buildwright.store.alembic_env import run_offline, run_online

if context.is_offline_mode():
    run_offline(context.config.get_main_option("sqlalchemy.url") or "")
else:
    run_online(context.config.attributes["connection"])
