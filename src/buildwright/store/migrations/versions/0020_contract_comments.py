"""Comments on paragraphs of contracts, on SQLite and PostgreSQL. Must never import what the program uses today.

Revision ID: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    at = sa.DateTime(timezone=True)
    op.create_table(
        "contract_comments",
        sa.Column("id", sa.String(64), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("project_id", "user_id")),
        sa.Column("contract_type", sa.String(20), nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("version", "first_line", "last_line")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("passage", "text", "author")),
        sa.Column("created_at", at, nullable=False),
        sa.Column("resolved_by", sa.Text, nullable=False),
        sa.Column("resolved_at", at, nullable=True),
    )
    op.create_index("ix_contract_comments_user_id", "contract_comments", ["user_id", "project_id", "created_at"])


def downgrade() -> None:
    """Drop it, with every comment."""
    op.drop_table("contract_comments")
