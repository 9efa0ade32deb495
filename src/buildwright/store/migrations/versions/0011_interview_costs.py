"""What interviews cost, turn by turn; and views that show what a forked build has taken over. On both databases.

Must never import what the program uses today.

Revision ID: 0011
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# A build that was forked from another one has its tasks that had landed there, or were given up.
_TASKS = """
CREATE VIEW tasks AS
SELECT p.build_id, p.position, p.id, p.title, p.goal, p.phase, p.phase_number,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped') OR (s.last_type = 'agent.finished' AND s.without_lanes)
            THEN 'done' WHEN s.last_type = 'task.failed' THEN 'blocked'
        WHEN s.last_type IS NULL AND b.task IS NOT NULL THEN 'done'
        WHEN s.last_type IS NULL OR s.last_type IN ('task.retried', 'task.waited') THEN 'todo' ELSE 'doing' END AS status,
    coalesce(b.attempts, 0) + coalesce(s.attempts, 0) AS attempts, p.planned_at AS created_at, s.started_at,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped', 'task.failed')
        OR (s.last_type = 'agent.finished' AND s.without_lanes) THEN s.last_at
        WHEN s.last_type IS NULL THEN b.landed_at END AS completed_at
FROM planned_tasks p LEFT JOIN (
    SELECT g.build_id, g.task, g.attempts, g.started_at, l.type AS last_type, l.at AS last_at,
        {without_lanes} AS without_lanes
    FROM (
        SELECT e.build_id, {task} AS task, count(CASE WHEN e.type = 'task.started' THEN 1 END) AS attempts,
            min(CASE WHEN e.type = 'task.started' THEN e.at END) AS started_at, max(e.seq) AS last_seq
        FROM events e
        WHERE e.type IN ('task.started', 'task.waited', 'agent.finished', 'agent.broke', 'patch.judged',
            'judging.reopened', 'merge.prepared', 'merge.conflicted', 'merge.judged', 'change.landed', 'task.retried',
            'task.failed', 'task.skipped')
        GROUP BY e.build_id, {task}
    ) AS g
    JOIN events l ON l.build_id = g.build_id AND l.seq = g.last_seq
    JOIN events c ON c.build_id = g.build_id AND c.seq = 1
) AS s ON s.build_id = p.build_id AND s.task = p.id
LEFT JOIN (
    SELECT e.build_id, {landed_task} AS task, CAST({landed_attempt} AS BIGINT) AS attempts, {landed_at} AS landed_at
    FROM events e {each_landed} WHERE e.type = 'build.forked' AND {counts}
    UNION ALL
    SELECT e.build_id, {skipped_task}, 0, e.at FROM events e {each_skipped} WHERE e.type = 'build.forked'
) AS b ON b.build_id = p.build_id AND b.task = p.id
"""
_COST_ENTRIES = """
CREATE VIEW cost_entries AS
SELECT id, created_at AS timestamp, task AS task_id, model AS model_name, input_tokens, output_tokens,
    coalesce(estimated_cost_usd, 0) AS cost_usd, build_id AS session_id
FROM build_costs
UNION ALL
SELECT turn, at, '', model, input_tokens, output_tokens, CAST(cost AS {number}) / 10000000000, 'interview-' || project_id
FROM interview_costs
"""
_COUNTS = "requests input_tokens output_tokens cache_read_tokens cache_write_tokens cost unpriced"


def upgrade() -> None:
    """Make the table, with a row for what each interview has cost so far, and the views anew."""
    op.create_table(
        "interview_costs",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("turn", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS.split()),
    )
    op.create_index("ix_interview_costs_user_id", "interview_costs", ["user_id", "at"])
    postgres = op.get_context().dialect.name == "postgresql"

    def cost(name: str) -> str:
        if postgres:
            return f"coalesce(CAST(CAST(data AS json) -> 'cost' ->> '{name}' AS NUMERIC), 0)"
        return f"coalesce(json_extract(data, '$.cost.{name}'), 0)"

    counts = ", ".join(cost(name) for name in ("requests", "input_tokens", "output_tokens"))
    usd = f"CAST(round({cost('cost_usd')} * 10000000000) AS BIGINT)"
    op.execute(
        "INSERT INTO interview_costs (project_id, turn, model, user_id, at, requests, input_tokens, output_tokens,"  # noqa: S608  constants
        " cache_read_tokens, cache_write_tokens, cost, unpriced)"
        f" SELECT project_id, 0, '', user_id, updated_at, {counts}, 0, {cost('cache_tokens')}, {usd}, {cost('unpriced')}"
        f" FROM interviews WHERE {cost('requests')} > 0"
    )
    _views(_TASKS, _COST_ENTRIES)


def downgrade() -> None:
    """Drop the table with its rows, and make the views of before: `revisions.rollback` asks first."""
    old = import_module("buildwright.store.migrations.versions.0004_views")
    _views(old._TASKS, old._COST_ENTRIES)
    op.drop_index("ix_interview_costs_user_id", table_name="interview_costs")
    op.drop_table("interview_costs")


def _views(tasks: str, cost_entries: str) -> None:
    """Make the views of tasks and costs anew, and `builds`, which reads the first."""
    old: Any = import_module("buildwright.store.migrations.versions.0004_views")
    for view in ("cost_entries", "builds", "tasks"):
        op.execute(f"DROP VIEW {view}")
    postgres = op.get_context().dialect.name == "postgresql"
    words = old._words(op.get_context().dialect.name) | {"key": "key", "value": "value"} | _of_forks(postgres=postgres)
    op.execute(tasks.format(**words).strip())
    op.execute(old._BUILDS.format(**words, paused_seq=old._PAUSED_SEQ).strip())
    op.execute(cost_entries.format(**words).strip())


def _of_forks(*, postgres: bool) -> dict[str, str]:
    """Return what the view of tasks takes from the event of a fork."""
    if postgres:
        data = r"CAST(replace(e.data, '\u0000', '\u2400') AS json)"
        return {
            "each_landed": f"CROSS JOIN LATERAL json_array_elements({data} -> 'landed') AS f (value)",
            "each_skipped": f"CROSS JOIN LATERAL json_array_elements_text({data} -> 'skipped') AS f (value)",
            "landed_task": "(f.value ->> 'task')",
            "landed_attempt": "(f.value ->> 'attempt')",
            "landed_at": "CAST(f.value ->> 'at' AS TIMESTAMP WITH TIME ZONE)",
            "counts": "coalesce(f.value ->> 'counts', 'true') = 'true'",
            "skipped_task": "f.value",
        }
    data = r"replace(e.data, '\u0000', '\u2400')"
    return {
        "each_landed": f"CROSS JOIN json_each({data}, '$.landed') f",
        "each_skipped": f"CROSS JOIN json_each({data}, '$.skipped') f",
        "landed_task": "json_extract(f.value, '$.task')",
        "landed_attempt": "json_extract(f.value, '$.attempt')",
        "landed_at": "strftime('%Y-%m-%d %H:%M:%f000', json_extract(f.value, '$.at'))",
        "counts": "coalesce(json_extract(f.value, '$.counts'), 1) = 1",
        "skipped_task": "f.value",
    }
