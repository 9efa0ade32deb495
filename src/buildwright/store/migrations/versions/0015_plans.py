"""What plans without a build cost; and views that show a plan as it is now, and not as it was made. On both databases.

Must never import what the program uses today.

Revision ID: 0015
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_COUNTS = "requests input_tokens output_tokens cache_read_tokens cache_write_tokens cost unpriced"
_DATA = r"replace({}.data, '\u0000', '\u2400')"
# Each event that says a task, or drops one, is a row. `said` puts them in order: an event drops before it adds. The
# newest event with a whole plan (`base`) says which phases there are, in which order; later ones come after those.
# A task keeps its place when it is said again, and has a new one if it was dropped meanwhile. Each step has one kind of
# window, within a build: otherwise SQLite looks at all builds for a question about one.
_PLANNED_TASKS = """
CREATE VIEW planned_tasks AS
SELECT build_id, row_number() OVER (PARTITION BY build_id ORDER BY first_said) AS position, id, title, goal, milestone,
    phase_number, coalesce(nullif(milestone, ''), 'Phase ' || phase_number) AS phase, planned_at, edited_at_seq
FROM (
    SELECT t.build_id, t.first_said, t.id, t.title, t.goal, t.milestone, t.planned_at,
        CASE t.whole WHEN 0 THEN t.seq ELSE 0 END AS edited_at_seq,
        dense_rank() OVER (PARTITION BY t.build_id ORDER BY coalesce(m.{key}, t.milestone_said)) AS phase_number
    FROM (
        SELECT kept.*, max(said) OVER (PARTITION BY build_id, id) AS newest_said,
            min(CASE WHEN seq >= base THEN said END) OVER (PARTITION BY build_id, id) AS first_said,
            min(at) OVER (PARTITION BY build_id, id) AS planned_at
        FROM (
            SELECT n.*, sum(gone) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS drops_left
            FROM (
                SELECT w.*, min(CASE WHEN seq >= base AND gone = 0 THEN said END)
                    OVER (PARTITION BY build_id, milestone) AS milestone_said
                FROM (
                    SELECT s.*, max(whole * seq) OVER (PARTITION BY build_id) AS base
                    FROM (
                        SELECT p.build_id, p.seq, p.at, p.seq * 1000000 + 1 + {place} AS said, 0 AS gone,
                            CASE p.type WHEN 'plan.changed' THEN 0 ELSE 1 END AS whole, {id} AS id, {title} AS title,
                            coalesce({goal}, '') AS goal, coalesce({milestone}, '') AS milestone
                        FROM events p {each_task} WHERE p.type IN ('plan.made', 'plan.changed', 'contracts.changed')
                        UNION ALL
                        SELECT p.build_id, p.seq, p.at, p.seq * 1000000, 1, 0, d.value, '', '', ''
                        FROM events p {each_dropped} WHERE p.type = 'plan.changed'
                    ) AS s
                ) AS w
            ) AS n
        ) AS kept
        WHERE drops_left = 0
    ) AS t
    JOIN events b ON b.build_id = t.build_id AND b.seq = t.base
    LEFT JOIN {milestones} ON m.{value} = t.milestone
    WHERE t.said = t.newest_said AND t.seq >= t.base
) AS numbered
"""
# A task that has failed, and was edited since, is tried again.
_TASKS = """
CREATE VIEW tasks AS
SELECT p.build_id, p.position, p.id, p.title, p.goal, p.phase, p.phase_number,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped') OR (s.last_type = 'agent.finished' AND s.without_lanes)
            THEN 'done' WHEN s.last_type = 'task.failed' AND s.last_seq > p.edited_at_seq THEN 'blocked'
        WHEN s.last_type IS NULL AND b.task IS NOT NULL THEN 'done'
        WHEN s.last_type IS NULL OR s.last_type IN ('task.retried', 'task.waited', 'task.failed') THEN 'todo'
        ELSE 'doing' END AS status,
    coalesce(b.attempts, 0) + coalesce(s.attempts, 0) AS attempts, p.planned_at AS created_at, s.started_at,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped')
        OR (s.last_type = 'task.failed' AND s.last_seq > p.edited_at_seq)
        OR (s.last_type = 'agent.finished' AND s.without_lanes) THEN s.last_at
        WHEN s.last_type IS NULL THEN b.landed_at END AS completed_at
FROM planned_tasks p LEFT JOIN (
    SELECT g.build_id, g.task, g.attempts, g.started_at, g.last_seq, l.type AS last_type, l.at AS last_at,
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
_TASK_LISTS = """
CREATE VIEW task_lists AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title AS name, count(*) AS tasks, p.at AS created_at
FROM build_runs r
JOIN events p ON p.build_id = r.build_id AND p.type = 'plan.made'
JOIN planned_tasks t ON t.build_id = r.build_id
GROUP BY r.build_id, r.project_id, r.user_id, r.title, p.at
"""
_PLANS_AMONG_COSTS = """
UNION ALL
SELECT 1, at, '', model, input_tokens, output_tokens, CAST(cost AS {number}) / 10000000000, plan_id FROM plan_costs
"""


def upgrade() -> None:
    """Make the table, and the views anew."""
    op.create_table(
        "plan_costs",
        sa.Column("plan_id", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS.split()),
    )
    op.create_index("ix_plan_costs_user_id", "plan_costs", ["user_id", "at"])
    costs = import_module("buildwright.store.migrations.versions.0011_interview_costs")
    _views(_PLANNED_TASKS, _TASKS, _TASK_LISTS, costs._COST_ENTRIES + _PLANS_AMONG_COSTS.lstrip())


def downgrade() -> None:
    """Make the views of before, and drop the table with its rows: `revisions.rollback` asks first."""
    first = import_module("buildwright.store.migrations.versions.0004_views")
    costs = import_module("buildwright.store.migrations.versions.0011_interview_costs")
    _views(first._PLANNED_TASKS, costs._TASKS, first._TASK_LISTS, costs._COST_ENTRIES)
    op.drop_index("ix_plan_costs_user_id", table_name="plan_costs")
    op.drop_table("plan_costs")


def _views(planned_tasks: str, tasks: str, task_lists: str, cost_entries: str) -> None:
    """Make these views anew, and those that read them."""
    for view in ("cost_entries", "build_costs", "builds", "task_lists", "tasks", "planned_tasks"):
        op.execute(f"DROP VIEW {view}")
    dialect = op.get_context().dialect.name
    first: Any = import_module("buildwright.store.migrations.versions.0004_views")
    costs: Any = import_module("buildwright.store.migrations.versions.0011_interview_costs")
    words = first._words(dialect) | {"key": "key", "value": "value"}
    words |= costs._of_forks(postgres=dialect == "postgresql")
    now = words if planned_tasks is first._PLANNED_TASKS else words | _of_plans(postgres=dialect == "postgresql")
    op.execute(planned_tasks.format(**now).strip())
    for view in (tasks, task_lists, first._BUILDS, first._BUILD_COSTS, cost_entries):
        op.execute(view.format(**words, paused_seq=first._PAUSED_SEQ).strip())


def _of_plans(*, postgres: bool) -> dict[str, str]:
    """Return what the view of planned tasks takes from events: `p` says tasks, or drops some; `b` has a whole plan."""
    said, whole = _DATA.format("p"), _DATA.format("b")
    if postgres:
        said, whole = f"CAST({said} AS json)", f"CAST({whole} AS json)"
        tasks = f"CASE p.type WHEN 'plan.changed' THEN {said} -> 'tasks' ELSE {said} -> 'graph' -> 'tasks' END"
        return {
            "each_task": f"CROSS JOIN LATERAL json_array_elements({tasks}) WITH ORDINALITY AS t (value, key)",
            "each_dropped": f"CROSS JOIN LATERAL json_array_elements_text({said} -> 'dropped') AS d (value)",
            "milestones": f"LATERAL json_array_elements_text({whole} -> 'graph' -> 'milestones')"
            " WITH ORDINALITY AS m (value, key)",
        }
    path = "CASE p.type WHEN 'plan.changed' THEN '$.tasks' ELSE '$.graph.tasks' END"
    return {
        "each_task": f"CROSS JOIN json_each({said}, {path}) t",
        "each_dropped": f"CROSS JOIN json_each({said}, '$.dropped') d",
        "milestones": f"json_each({whole}, '$.graph.milestones') m",
    }
