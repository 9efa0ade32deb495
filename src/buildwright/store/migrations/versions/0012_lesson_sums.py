"""What trials of lessons came to whose builds were removed. Must never import what the program uses today.

Trials of builds that are gone already are summed, and removed.

Revision ID: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SUMS = ("tasks", "attempts", "squares", "failed", "cost")
_GONE = "NOT EXISTS (SELECT 1 FROM build_runs r WHERE r.build_id = lesson_trials.build_id)"
_SUM = f"""
INSERT INTO lesson_sums (user_id, lesson_id, given, {", ".join(_SUMS)})
SELECT user_id, lesson_id, given, count(*), sum(attempts), sum(attempts * attempts),
    sum(CASE WHEN failed THEN 1 ELSE 0 END), sum(cost)
FROM lesson_trials WHERE ended AND {_GONE} GROUP BY user_id, lesson_id, given
"""  # noqa: S608  names of ours


def upgrade() -> None:
    """Make the table, and sum what belongs to no build any more."""
    op.create_table(
        "lesson_sums",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("lesson_id", sa.String(64), primary_key=True),
        sa.Column("given", sa.Boolean, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _SUMS),
    )
    op.execute(_SUM.strip())
    op.execute(f"DELETE FROM lesson_trials WHERE {_GONE}")  # noqa: S608  a constant


def downgrade() -> None:
    """Drop it: what is known of trials whose builds are gone is lost."""
    op.drop_table("lesson_sums")
