"""Lessons of earlier attempts, and the tasks that they are tried on. Must never import what the program uses today.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables."""
    when = sa.DateTime(timezone=True)
    op.create_table(
        "lessons",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("repository", "pattern", "kind", "content")),
        sa.Column("confidence", sa.Double, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("source", "build", "task")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("attempt", "seen")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("learned_in", "state", "why")),
        *(sa.Column(name, when, nullable=False) for name in ("created_at", "updated_at")),
    )
    op.create_table(
        "lesson_trials",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("lesson_id", sa.String(64), primary_key=True),
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(80), primary_key=True),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("given", "ended")),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "ix_lesson_trials_open",
        "lesson_trials",
        ["user_id", "build_id"],
        sqlite_where=sa.text("NOT ended"),
        postgresql_where=sa.text("NOT ended"),
    )


def downgrade() -> None:
    """Drop them: what was learned is lost."""
    op.drop_table("lesson_trials")
    op.drop_table("lessons")
