"""A task that was dropped and comes back begins anew in the view `tasks`: what it was before says nothing of it.

Views hold nothing. On SQLite and PostgreSQL. Must never import what the program uses today.

Revision ID: 0019
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# A row of a task is where it comes back if the one before it dropped it, or is older than a whole plan without it.
_COMES_BACK = (
    ("planned_at, edited_at_seq\nFROM", "planned_at, edited_at_seq, back_at_seq\nFROM"),
    ("t.edited_at_seq,\n", "t.edited_at_seq, t.back_at_seq,\n"),
    (
        " AS edited_at_seq\n        FROM",
        """ AS edited_at_seq,
            max(CASE WHEN gone_before = 1 OR seq_before < whole_before THEN seq ELSE 0 END)
                OVER (PARTITION BY build_id, id) AS back_at_seq
        FROM""",
    ),
    (
        " AS work_before\n",
        """ AS work_before,
                lead(seq) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS seq_before,
                lead(gone) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS gone_before
""",
    ),
    (
        " OVER (PARTITION BY build_id) AS base\n",
        """ OVER (PARTITION BY build_id) AS base,
                        max(whole * seq) OVER (PARTITION BY build_id ORDER BY seq
                            RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS whole_before
""",
    ),
)
_JOINED = "AS s ON s.build_id = p.build_id AND s.task = p.id"
_SINCE = f"{_JOINED} AND s.last_seq > p.back_at_seq"


def upgrade() -> None:
    """Make the views of planned tasks and of tasks anew, and those that read them."""
    plans, reworded = _revision("0015_plans"), _revision("0018_reworded_tasks")
    planned_tasks = plans._PLANNED_TASKS
    for before, now in (*reworded._EDITED, *_COMES_BACK):
        planned_tasks = planned_tasks.replace(before, now)
    costs = _revision("0011_interview_costs")
    plans._views(
        planned_tasks.replace("{work}", reworded._work()),
        plans._TASKS.replace(_JOINED, _SINCE),
        plans._TASK_LISTS,
        costs._COST_ENTRIES + plans._PLANS_AMONG_COSTS.lstrip(),
    )


def downgrade() -> None:
    """Make the views as they were: no row is lost."""
    _revision("0018_reworded_tasks").upgrade()


def _revision(name: str) -> Any:
    return import_module(f"buildwright.store.migrations.versions.{name}")
