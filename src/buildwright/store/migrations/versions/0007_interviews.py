"""Interviews: one row for each project that has one, on SQLite and PostgreSQL. Must never import the package.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "interviews",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    )
    op.create_index("ix_interviews_user_id", "interviews", ["user_id", "updated_at", "project_id"])


def downgrade() -> None:
    """Drop it with its rows: `revisions.rollback` asks first."""
    op.drop_index("ix_interviews_user_id", table_name="interviews")
    op.drop_table("interviews")
