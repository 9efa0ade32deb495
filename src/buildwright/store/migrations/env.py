"""Alembic's entry: runs migrations on the connection from `revisions`, or prints their SQL. Must read no settings."""

from __future__ import annotations

from alembic import context

from buildwright.store.alembic_env import run_offline, run_online

if context.is_offline_mode():
    run_offline(context.config.get_main_option("sqlalchemy.url") or "")
else:
    run_online(context.config.attributes["connection"])
