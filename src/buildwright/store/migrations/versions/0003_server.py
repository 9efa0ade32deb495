"""A server's records, indexes for pages of builds, and views, on SQLite and PostgreSQL. Must never import the package.

The views give the journal the names of other systems' tables, for users who query it with SQL: `builds`, `build_logs`,
`build_costs`, `task_execution_log`. Buildwright itself never reads them.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_UNFINISHED = sa.text("completed_at IS NULL")

_VIEWS = ("builds", "build_logs", "build_costs", "task_execution_log")
# A NUL would make the whole view fail in PostgreSQL, and end the text in SQLite.
_DATA = r"replace({}data, '\u0000', '\u2400')"
_FIELD = {"sqlite": f"json_extract({_DATA}, '$.{{}}')", "postgresql": f"(CAST({_DATA} AS json) ->> '{{}}')"}
_NUMBER = {"sqlite": "REAL", "postgresql": "NUMERIC"}

_BUILDS = """
CREATE VIEW builds AS
SELECT build_id AS id, project_id, user_id, title, phase,
    CASE WHEN outcome = 'succeeded' THEN 'completed' WHEN outcome = 'failed' THEN 'failed'
        WHEN outcome <> '' THEN 'cancelled' WHEN control = 'paused' THEN 'paused'
        WHEN phase = 'planning' THEN 'pending' ELSE 'running' END AS status,
    created_at AS started_at, completed_at,
    (SELECT count(*) FROM events e WHERE e.build_id = build_runs.build_id AND e.type = 'task.retried') AS loop_count,
    CASE WHEN outcome = 'failed' THEN (
        SELECT coalesce({message}, '') FROM events e
        WHERE e.build_id = build_runs.build_id AND e.seq = build_runs.version AND e.type = 'build.finished'
    ) END AS error_detail,
    created_at, updated_at
FROM build_runs
"""
_BUILD_LOGS = """
CREATE VIEW build_logs AS
SELECT build_id, seq AS id, at AS timestamp,
    CASE WHEN kind = 'gate' THEN 'audit' WHEN kind IN ('engine', 'git') THEN 'system' ELSE 'builder' END AS source,
    CASE WHEN kind = 'warned' THEN 'warn' WHEN kind = 'error' THEN 'error' ELSE 'info' END AS level,
    text AS message, task, attempt, kind, at AS created_at
FROM logs
"""
_BUILD_COSTS = """
CREATE VIEW build_costs AS
SELECT build_id, seq AS id,
    coalesce({task}, '') AS task,
    {model} AS model,
    coalesce(CAST({input_tokens} AS BIGINT), 0) AS input_tokens,
    coalesce(CAST({output_tokens} AS BIGINT), 0) AS output_tokens,
    CAST({cost_usd} AS {number}) AS estimated_cost_usd, at AS created_at
FROM events WHERE type = 'tokens.used'
"""
_TASK_EXECUTION_LOG = """
CREATE VIEW task_execution_log AS
SELECT build_id AS execution_id, seq AS id, coalesce({task}, '') AS task_id,
    CASE type WHEN 'task.started' THEN 'task_started' WHEN 'change.landed' THEN 'task_completed'
        WHEN 'task.failed' THEN 'task_failed' WHEN 'task.skipped' THEN 'task_skipped'
        WHEN 'checkpoint.created' THEN 'checkpoint_created' WHEN 'checkpoint.restored' THEN 'checkpoint_restored'
        WHEN 'base.judged' THEN 'validation_run' WHEN 'patch.judged' THEN 'validation_run'
        WHEN 'merge.judged' THEN 'validation_run' WHEN 'build.verified' THEN 'validation_run'
        WHEN 'loop.detected' THEN 'discovery_recorded' WHEN 'build.stuck' THEN 'discovery_recorded'
        WHEN 'agent.broke' THEN 'error' WHEN 'merge.conflicted' THEN 'error' WHEN 'plan.rejected' THEN 'error'
        WHEN 'delivery.failed' THEN 'error' ELSE 'info' END AS event_type,
    coalesce({message}, type) AS message, data AS context, at AS timestamp
FROM events WHERE type <> 'agent.heartbeat'
"""


def upgrade() -> None:
    """Create the tables and the views; the indexes by user and by project get the order of a page."""
    op.drop_index("ix_build_runs_project_id", table_name="build_runs")
    op.drop_index("ix_build_runs_user_id", table_name="build_runs")
    op.create_index("ix_build_runs_project_id", "build_runs", ["project_id", "created_at", "build_id"])
    op.create_index("ix_build_runs_user_id", "build_runs", ["user_id", "created_at", "build_id"])
    op.create_index(
        "ix_build_runs_unfinished",
        "build_runs",
        ["user_id", "completed_at", "created_at", "build_id"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    _create_projects()
    _create_inbox()
    _create_keys()
    create_views()


def _create_projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("target_type", sa.Text, nullable=False),
        sa.Column("target_ref", sa.Text, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    )
    op.create_index("ix_projects_user_id", "projects", ["user_id", "created_at", "id"])


def _create_inbox() -> None:
    op.create_table(
        "received_events",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("task_context", sa.Text, nullable=False),
        sa.Column("context_version", sa.BigInteger, nullable=False),
        sa.Column("build_id", sa.Text, nullable=False),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    )
    op.create_index("ix_received_events_task_id", "received_events", ["task_id"], unique=True)
    op.create_index("ix_received_events_status", "received_events", ["status", "created_at"])
    op.create_index("ix_received_events_project_id", "received_events", ["project_id", "created_at"])
    op.create_index("ix_received_events_build_id", "received_events", ["build_id"])


def _create_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("key_hash", sa.String(64), primary_key=True),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])
    op.create_table(
        "used_tokens",
        sa.Column("jti", sa.Text, primary_key=True),
        sa.Column("expires_at", _TIME, nullable=False),
    )
    op.create_index("ix_used_tokens_expires_at", "used_tokens", ["expires_at"])
    op.create_table(
        "hosted_builds",
        sa.Column("build_id", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("since", _TIME, nullable=False),
    )


def create_views() -> None:
    """Create the views as this revision has them."""
    dialect = op.get_context().dialect.name
    field, number = _FIELD[dialect], _NUMBER[dialect]
    names = ("task", "model", "input_tokens", "output_tokens", "cost_usd", "message")
    fields = {name: field.format("", name) for name in names}
    op.execute(_BUILDS.format(message=field.format("e.", "message")).strip())
    op.execute(_BUILD_LOGS.strip())
    op.execute(_BUILD_COSTS.format(**fields, number=number).strip())
    op.execute(_TASK_EXECUTION_LOG.format(**fields).strip())


def downgrade() -> None:
    """Drop them with their rows: `revisions.rollback` asks first. Builds and journals stay."""
    for view in reversed(_VIEWS):
        op.execute(f"DROP VIEW {view}")
    op.drop_table("hosted_builds")
    op.drop_index("ix_used_tokens_expires_at", table_name="used_tokens")
    op.drop_table("used_tokens")
    op.drop_index("ix_idempotency_keys_expires_at", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    for index in ("build_id", "project_id", "status", "task_id"):
        op.drop_index(f"ix_received_events_{index}", table_name="received_events")
    op.drop_table("received_events")
    op.drop_index("ix_projects_user_id", table_name="projects")
    op.drop_table("projects")
    op.drop_index("ix_build_runs_unfinished", table_name="build_runs")
    op.drop_index("ix_build_runs_user_id", table_name="build_runs")
    op.drop_index("ix_build_runs_project_id", table_name="build_runs")
    op.create_index("ix_build_runs_user_id", "build_runs", ["user_id"])
    op.create_index("ix_build_runs_project_id", "build_runs", ["project_id"])
