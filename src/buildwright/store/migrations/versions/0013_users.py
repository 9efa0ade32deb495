"""Users of a server, their tokens by id, and the members of projects. Must never import what the program uses today.

Revision ID: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables, empty: a user gets a row with the first request."""
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("may_run_commands", sa.Boolean, nullable=False),
        sa.Column("most_builds", sa.Integer, nullable=True),
        sa.Column("most_builds_an_hour", sa.Integer, nullable=True),
        sa.Column("most_usd_a_month", sa.BigInteger, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("disabled_at", _MOMENT, nullable=True),
        sa.Column("tokens_since", _MOMENT, nullable=True),
        sa.Column("github_id", sa.BigInteger, nullable=True),
        sa.Column("github_login", sa.Text, nullable=True),
        sa.Column("github_token", sa.LargeBinary, nullable=True),
    )
    op.create_index("ix_users_github_id", "users", ["github_id"], unique=True)
    op.create_table(
        "tokens",
        sa.Column("jti", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("last_used_at", _MOMENT, nullable=True),
        sa.Column("revoked_at", _MOMENT, nullable=True),
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id", "created_at"])
    op.create_index("ix_tokens_expires_at", "tokens", ["expires_at"])
    op.create_table(
        "project_members",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
        sa.Column("added_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_project_members_user_id", "project_members", ["user_id"])


def downgrade() -> None:
    """Drop them: rights, limits and shares are lost; ids of tokens that were taken back stay in `used_tokens`."""
    for table in ("project_members", "tokens", "users"):
        op.drop_table(table)
