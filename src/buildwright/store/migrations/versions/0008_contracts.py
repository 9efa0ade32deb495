"""The contracts of projects, every version of each, on SQLite and PostgreSQL. Must never import what the program uses today.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    at = sa.DateTime(timezone=True)
    op.create_table(
        "project_contracts",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("contract_type", sa.String(20), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("sources", sa.Text, nullable=False),
        sa.Column("template", sa.Integer, nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.Column("updated_at", at, nullable=False),
    )
    op.create_index("ix_project_contracts_user_id", "project_contracts", ["user_id", "project_id"])


def downgrade() -> None:
    """Drop it, with every contract."""
    op.drop_table("project_contracts")
