"""Stats that are kept beside the journals: sums per hour, counts of durations, and how far the journals are counted.

`metrics_hourly`, `metrics_daily` and `metrics_weekly` read the sums from now on. Two triggers note the builds whose
events are not all counted: a new one, and one that had ended and goes on. Must never import what the program uses today.

Revision ID: 0006
"""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NAMES = {"hourly": 1, "daily": 24, "weekly": 168}
_TO_MONDAY = 72
"""Hours by which the first hour there is, on a Thursday, is later than a Monday."""
_SUMS = (
    "succeeded failed skipped first_pass attempts requests input_tokens output_tokens cache_read_tokens"
    " cache_write_tokens cost unpriced timed duration"
)
_VIEW = """
CREATE VIEW metrics_{name} AS
SELECT {timestamp} AS timestamp, sum(succeeded + failed + skipped) AS total_tasks, sum(succeeded) AS successful_tasks,
    sum(failed) AS failed_tasks, CAST(sum(cost) AS {number}) / 10000000000 AS total_cost_usd,
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens) AS total_tokens,
    CAST(sum(duration) AS {number}) / nullif(sum(timed), 0) AS avg_duration_ms, sum(skipped) AS skipped_tasks,
    sum(first_pass) AS first_pass_tasks, sum(attempts) AS attempts
FROM (SELECT {period} AS period, s.* FROM metrics_sums s) AS sums GROUP BY period
"""
# On one line each: the statements of schema.sql are told apart by their last semicolons.
_NEW_ON_SQLITE = (
    "CREATE TRIGGER metrics_of_new AFTER INSERT ON build_runs BEGIN"
    " INSERT OR IGNORE INTO metrics_positions (build_id, seq) VALUES (NEW.build_id, 0); END"
)
_REOPENED_ON_SQLITE = (
    "CREATE TRIGGER metrics_of_reopened AFTER UPDATE OF version ON build_runs WHEN OLD.completed_at IS NOT NULL BEGIN"
    " INSERT OR IGNORE INTO metrics_positions (build_id, seq) VALUES (OLD.build_id, OLD.version); END"
)
_BEHIND_ON_POSTGRES = (
    "CREATE FUNCTION metrics_behind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " INSERT INTO metrics_positions (build_id, seq) VALUES (NEW.build_id, CASE TG_OP WHEN 'UPDATE' THEN OLD.version"
    " ELSE 0 END) ON CONFLICT DO NOTHING; RETURN NULL; END $$"
)
_NEW_ON_POSTGRES = (
    "CREATE TRIGGER metrics_of_new AFTER INSERT ON build_runs FOR EACH ROW EXECUTE FUNCTION metrics_behind()"
)
_REOPENED_ON_POSTGRES = (
    "CREATE TRIGGER metrics_of_reopened AFTER UPDATE OF version ON build_runs FOR EACH ROW"
    " WHEN (OLD.completed_at IS NOT NULL) EXECUTE FUNCTION metrics_behind()"
)


def upgrade() -> None:
    """Make the tables, with every build there is to be counted, then the triggers and views."""
    postgres = op.get_context().dialect.name == "postgresql"
    for name in reversed(_NAMES):
        op.execute(f"DROP VIEW metrics_{name}")
    _create_tables()
    op.execute("INSERT INTO metrics_positions (build_id, seq) SELECT build_id, 0 FROM build_runs")
    on_postgres = (_BEHIND_ON_POSTGRES, _NEW_ON_POSTGRES, _REOPENED_ON_POSTGRES)
    for statement in on_postgres if postgres else (_NEW_ON_SQLITE, _REOPENED_ON_SQLITE):
        op.execute(statement)
    for name, hours in _NAMES.items():
        late = _TO_MONDAY if name == "weekly" else 0
        period = f"(hour + {late}) / {hours} * {hours} - {late}" if hours > 1 else "hour"
        began = """to_char(to_timestamp(period * 3600) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
        timestamp = began if postgres else "strftime('%Y-%m-%dT%H:00:00Z', period * 3600, 'unixepoch')"
        words = {"timestamp": timestamp, "number": "NUMERIC" if postgres else "REAL", "period": period}
        op.execute(_VIEW.format(name=name, **words).strip())


def _create_tables() -> None:
    op.create_table(
        "metrics_sums",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("pruned", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _SUMS.split()),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metrics_durations",
        sa.Column("hours", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("pruned", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("buckets", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metrics_tasks",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(80), primary_key=True),
        sa.Column("started", sa.BigInteger, nullable=True),
        sa.Column("ended", sa.BigInteger, nullable=False),
        sa.Column("result", sa.String(20), nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metrics_attempts",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(80), primary_key=True),
        sa.Column("attempt", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("result", sa.String(20), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metrics_positions",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("lanes", sa.BigInteger, nullable=True),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop it all, and make the views of the journals again: figures of builds that were pruned are lost."""
    for name in reversed(_NAMES):
        op.execute(f"DROP VIEW metrics_{name}")
    postgres = op.get_context().dialect.name == "postgresql"
    for trigger in ("metrics_of_reopened", "metrics_of_new"):
        op.execute(f"DROP TRIGGER {trigger}{' ON build_runs' if postgres else ''}")
    if postgres:
        op.execute("DROP FUNCTION metrics_behind()")
    for table in ("positions", "attempts", "tasks", "durations", "sums"):
        op.drop_table(f"metrics_{table}")
    import_module("buildwright.store.migrations.versions.0004_views").create_metrics()
