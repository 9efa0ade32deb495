"""A failed task that newer contracts say otherwise is `todo` again in the view `tasks`. On SQLite and PostgreSQL.

Views hold nothing. Must never import what the program uses today.

Revision ID: 0018
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_WORK = ("title", "goal", "action", "requirements", "acceptance", "code_template", "validation", "tests_first")
# An edit says a task by itself. Contracts say all tasks: those with other work than when they were last said are edited.
_EDITED = (
    ("CASE t.whole WHEN 0 THEN t.seq ELSE 0 END AS edited_at_seq", "t.edited_at_seq"),
    (
        "AS planned_at\n",
        """AS planned_at,
            max(CASE WHEN whole = 0 OR work <> work_before THEN seq ELSE 0 END)
                OVER (PARTITION BY build_id, id) AS edited_at_seq
""",
    ),
    (
        "AS drops_left\n",
        """AS drops_left,
                lead(work) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS work_before
""",
    ),
    (
        "AS milestone\n                        FROM",
        """AS milestone,
                            {work} AS work
                        FROM""",
    ),
    ("d.value, '', '', ''", "d.value, '', '', '', ''"),
)


def upgrade() -> None:
    """Make the view of planned tasks anew, and those that read it."""
    plans: Any = import_module("buildwright.store.migrations.versions.0015_plans")
    planned_tasks = plans._PLANNED_TASKS
    for before, now in _EDITED:
        planned_tasks = planned_tasks.replace(before, now)
    _make(plans, planned_tasks.replace("{work}", _work()))


def downgrade() -> None:
    """Make the views as they were: no row is lost."""
    plans: Any = import_module("buildwright.store.migrations.versions.0015_plans")
    _make(plans, plans._PLANNED_TASKS)


def _make(plans: Any, planned_tasks: str) -> None:
    costs: Any = import_module("buildwright.store.migrations.versions.0011_interview_costs")
    plans._views(
        planned_tasks, plans._TASKS, plans._TASK_LISTS, costs._COST_ENTRIES + plans._PLANS_AMONG_COSTS.lstrip()
    )


def _work() -> str:
    """Return what a task that an event says is to do, as text."""
    if op.get_context().dialect.name == "postgresql":
        fields = ", ".join(f"t.value -> '{name}'" for name in _WORK)
        return f"CAST(json_build_array({fields}) AS text)"
    fields = ", ".join(f"json_extract(t.value, '$.{name}')" for name in _WORK)
    return f"json_array({fields})"
