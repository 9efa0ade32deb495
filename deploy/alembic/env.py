"""The entry of the program `alembic`: the migrations on the database that `buildwright db migrate` would take. No logic."""

from __future__ import annotations

from buildwright.settings import Settings
from buildwright.store.alembic_env import run_on

settings = Settings.load()
run_on(settings.database_url or settings.database)
