"""Times of tasks in the stats are working times: all is counted anew. Must never import what the program uses today.

Revision ID: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make place for the clock of each build, and for what each task took."""
    op.add_column("metrics_positions", sa.Column("clock", sa.Text, nullable=True))
    op.add_column("metrics_tasks", sa.Column("took", sa.BigInteger, nullable=True))
    _forget()


def downgrade() -> None:
    """Take it away; the version before counts anew."""
    _forget()
    op.drop_column("metrics_tasks", "took")
    op.drop_column("metrics_positions", "clock")


def _forget() -> None:
    op.execute("DELETE FROM metrics_sums WHERE pruned = 0")
    op.execute("DELETE FROM metrics_durations WHERE pruned = 0")
    op.execute("DELETE FROM metrics_tasks")
    op.execute("DELETE FROM metrics_attempts")
    op.execute("DELETE FROM metrics_positions")
    op.execute("INSERT INTO metrics_positions (build_id, seq) SELECT build_id, 0 FROM build_runs")
