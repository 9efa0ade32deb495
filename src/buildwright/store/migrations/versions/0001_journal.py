"""The journal, its leases, logs and artifacts, on SQLite and PostgreSQL. Must never import the package, which changes.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    _create_heads()
    _create_journal()
    op.create_table(
        "leases",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "logs",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("task", sa.String(80), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "artifacts",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=True),
    )


def _create_heads() -> None:
    op.create_table(
        "build_runs",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("phase", sa.String(20), nullable=False),
        sa.Column("control", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("current_task_id", sa.String(80), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("completed_at", _TIME, nullable=True),
        sa.Column("brief", sa.Text, nullable=True),
        sa.Column("build_plan", sa.Text, nullable=True),
        sa.Column("product_doc", sa.Text, nullable=True),
    )
    op.create_index("ix_build_runs_project_phase", "build_runs", ["project_id", "phase"])
    op.create_index("ix_build_runs_created_at", "build_runs", ["created_at"])
    op.create_index("ix_build_runs_project_id", "build_runs", ["project_id"])
    op.create_index("ix_build_runs_user_id", "build_runs", ["user_id"])


def _create_journal() -> None:
    op.create_table(
        "events",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("crc", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshots",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("crc", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables with their rows: `revisions.rollback` asks first."""
    for table in ("artifacts", "logs", "leases", "snapshots", "events"):
        op.drop_table(table)
    for index in ("user_id", "project_id", "created_at", "project_phase"):
        op.drop_index(f"ix_build_runs_{index}", table_name="build_runs")
    op.drop_table("build_runs")
