"""The board of wanted actions, workers, answers of models, on SQLite and PostgreSQL. Must never import the package.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_UNSETTLED = sa.text("NOT settled OR control = 'stopping'")
_WAKING = sa.text("wake_at IS NOT NULL")
_HELD = sa.text("holder <> ''")


def upgrade() -> None:
    """Create the tables; builds that have ended are settled."""
    op.add_column("build_runs", sa.Column("settled", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("build_runs", sa.Column("wake_at", _TIME, nullable=True))
    op.add_column("build_runs", sa.Column("offered_at", _TIME, nullable=True))
    op.execute("UPDATE build_runs SET settled = true WHERE completed_at IS NOT NULL")
    op.create_index(
        "ix_build_runs_unsettled", "build_runs", ["build_id"], sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED
    )
    op.create_index("ix_build_runs_wake_at", "build_runs", ["wake_at"], sqlite_where=_WAKING, postgresql_where=_WAKING)
    op.create_index("ix_leases_held", "leases", ["holder"], sqlite_where=_HELD, postgresql_where=_HELD)
    _create_actions()
    op.create_table(
        "workers",
        sa.Column("holder", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("busy", sa.Integer, nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("beat_at", _TIME, nullable=False),
        sa.Column("heartbeat_seconds", sa.Double, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(80), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("nth", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("crc", sa.BigInteger, nullable=False),
    )


def _create_actions() -> None:
    op.create_table(
        "actions",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("wanted", sa.Boolean, nullable=False),
        sa.Column("wanted_at", _TIME, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("beat_at", _TIME, nullable=True),
        sa.Column("expires_at", _TIME, nullable=True),
        sa.Column("offered_at", _TIME, nullable=True),
    )
    op.create_index("ix_actions_held", "actions", ["holder"], sqlite_where=_HELD, postgresql_where=_HELD)


def downgrade() -> None:
    """Drop them with their rows: `revisions.rollback` asks first. The journals stay."""
    for table in ("answers", "workers"):
        op.drop_table(table)
    op.drop_index("ix_actions_held", table_name="actions")
    op.drop_table("actions")
    op.drop_index("ix_leases_held", table_name="leases")
    op.drop_index("ix_build_runs_wake_at", table_name="build_runs")
    op.drop_index("ix_build_runs_unsettled", table_name="build_runs")
    for column in ("offered_at", "wake_at", "settled"):
        op.drop_column("build_runs", column)
