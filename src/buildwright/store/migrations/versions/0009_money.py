"""The ledger: purses that builds share, what is held of them, windows of providers, and answers that were played again.

Purses of days and projects begin with what the journals know. Must never import what the program uses today.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_PURSE = ("kind", "owner", "part")
_SPENT = """
INSERT INTO purses (kind, owner, part, spent)
SELECT '{kind}', r.user_id, {part}, CAST(round(sum(CAST({cost} AS NUMERIC) * 10000000000)) AS BIGINT)
FROM events e JOIN build_runs r ON r.build_id = e.build_id
WHERE e.type = 'tokens.used' AND {cost} IS NOT NULL GROUP BY r.user_id, {part}
"""


def upgrade() -> None:
    """Make the tables, and count what was spent."""
    op.create_table(
        "purses",
        *(sa.Column(name, sa.Text, primary_key=True) for name in _PURSE),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "purse_holds",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, primary_key=True) for name in _PURSE),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_purse_holds_purse", "purse_holds", list(_PURSE))
    op.create_table(
        "quota_windows",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("provider", "key_digest", "model")),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "replayed_answers",
        sa.Column("build_id", sa.String(64), primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("answers", sa.BigInteger, nullable=False),
        sa.Column("saved", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    postgres = op.get_context().dialect.name == "postgresql"
    data = r"replace(e.data, '\u0000', '\u2400')"
    cost = f"(CAST({data} AS json) ->> 'cost_usd')" if postgres else f"json_extract({data}, '$.cost_usd')"
    day = "to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD')" if postgres else "strftime('%Y-%m-%d', e.at)"
    for kind, part in (("day", day), ("project", "r.project_id")):
        op.execute(_SPENT.format(kind=kind, part=part, cost=cost).strip())


def downgrade() -> None:
    """Drop the tables: the next upgrade counts anew what the journals know then."""
    for table in ("replayed_answers", "quota_windows", "purse_holds", "purses"):
        op.drop_table(table)
