"""Opens a PostgreSQL database: a fresh schema, older and newer revisions. Must never change an unknown one.

A fresh database is made from `schema_postgres.sql`, without SQLAlchemy or Alembic; those are loaded only for a
migration. Schema changes hold an advisory lock, so that workers which start together do not clash.
"""

from __future__ import annotations

from pathlib import Path

from buildwright.errors import StoreFailed
from buildwright.store.opening import is_newest, revisions
from buildwright.store.postgres_pool import SCHEMA_LOCK, Connection, Pool, transaction

_OURS = (
    *("build_runs", "events", "snapshots", "leases", "logs", "artifacts"),
    *(
        "projects",
        "received_events",
        "idempotency_keys",
        "used_tokens",
        "hosted_builds",
        "interviews",
        "interview_costs",
        "plan_costs",
    ),
    *("project_contracts", "contract_comments", "lessons", "lesson_trials", "lesson_sums"),
    *("builds", "build_logs", "build_costs", "task_execution_log", "task_lists", "planned_tasks", "tasks", "repos"),
    *("cost_entries", "metrics_hourly", "metrics_daily", "metrics_weekly"),
    *("metrics_sums", "metrics_durations", "metrics_tasks", "metrics_attempts", "metrics_positions"),
    *("purses", "purse_holds", "quota_windows", "replayed_answers"),
)
_FIND = "SELECT c.relname FROM pg_class c WHERE c.oid = ANY(SELECT to_regclass(n) FROM unnest($1::text[]) AS n)"


async def prepare(pool: Pool) -> None:
    """Make sure that the database is of the newest revision. Raises StoreFailed when it is newer, or not ours."""
    found = await pool.run(_make_if_empty)
    if not is_newest(found, pool.address.shown, "update Buildwright, or set DATABASE_URL to another database"):
        # Loaded here because Alembic takes longer to import than a worker takes to start.
        from buildwright.store.alembic_runs import upgrade_postgres

        await upgrade_postgres(pool.address)


async def stored_revision(connection: Connection, shown: str) -> str | None:
    """Return the database's revision, None without our tables. Raises StoreFailed if another program has the names."""
    tables = {row[0] for row in await connection.fetch(_FIND, ["alembic_version", *_OURS])}
    if "alembic_version" in tables:
        found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        if found is not None:
            return found
        tables.discard("alembic_version")
    if tables:
        names = ", ".join(sorted(tables))
        raise StoreFailed(
            f"{shown} has tables of these names that are not Buildwright's: {names}",
            fix="make a database of its own for Buildwright, and set DATABASE_URL to it",
        )
    return None


async def _make_if_empty(connection: Connection, again: bool) -> str:  # noqa: ARG001  made once, however often it is tried
    # The address is not known here; errors of `stored_revision` name the database as the server calls it.
    shown = f"the database {await connection.fetchval('SELECT current_database()')}"
    found = await stored_revision(connection, shown)
    if found is not None:
        return found
    async with transaction(connection, SCHEMA_LOCK):
        found = await stored_revision(connection, shown)
        if found is None:
            script = (Path(__file__).parent / "schema_postgres.sql").read_text(encoding="utf-8")
            # A rollback of the first revision leaves an empty table of versions.
            await connection.execute(f"DROP TABLE IF EXISTS alembic_version; {script}")
    return found or revisions()[-1]
