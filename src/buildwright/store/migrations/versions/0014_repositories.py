"""Connected repositories, deliveries of their webhooks, and audits of pushes, which the views of audits show as well.

Must never import what the program uses today.

Revision ID: 0014
"""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_RUNS = """
UNION ALL
SELECT p.id, NULL, NULL, p.user_id, p.repository, p.commit_sha, p.base_sha, p.status, {entry}, p.completed_at
FROM push_audits p WHERE p.completed_at IS NOT NULL
"""
_CHECKS = """
UNION ALL
SELECT p.audit_id || '-' || p.code, p.audit_id, p.code, p.name, p.result, p.detail FROM push_audit_checks p
"""
_WAITING = sa.text("status IN ('queued', 'running')")


def upgrade() -> None:
    """Make the tables, and the views of audits anew."""
    op.create_table(
        "connected_repositories",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("user_id", "site", "name", "webhook")),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("last_delivery_at", _MOMENT, nullable=True),
        sa.Column("last_event", sa.Text, nullable=False),
        sa.Column("ignored", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "ix_connected_repositories_name", "connected_repositories", ["site", "name", "user_id"], unique=True
    )
    op.create_index("ix_connected_repositories_user_id", "connected_repositories", ["user_id", "name"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("repository_id", sa.Text, primary_key=True),
        sa.Column("delivery_id", sa.Text, primary_key=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_webhook_deliveries_received_at", "webhook_deliveries", ["received_at"])
    words = ("repository_id", "user_id", "repository", "branch", "commit_sha", "base_sha", "push")
    op.create_table(
        "push_audits",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in words),
        sa.Column("status", sa.String(20), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("message", "told", "report")),
        sa.Column("ledger_entry", sa.BigInteger, nullable=True),
        sa.Column("queued_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=True),
        sa.Column("completed_at", _MOMENT, nullable=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
    )
    op.create_index("ix_push_audits_commit", "push_audits", ["repository_id", "commit_sha"], unique=True)
    op.create_index("ix_push_audits_page", "push_audits", ["repository_id", "queued_at", "id"])
    op.create_index(
        "ix_push_audits_waiting", "push_audits", ["queued_at"], sqlite_where=_WAITING, postgresql_where=_WAITING
    )
    op.create_table(
        "push_audit_checks",
        sa.Column("audit_id", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "result", "detail")),
    )
    entry = "CAST(p.ledger_entry AS TEXT)" if op.get_context().dialect.name == "postgresql" else "p.ledger_entry"
    _make_views(_RUNS.format(entry=entry), _CHECKS)


def downgrade() -> None:
    """Drop them, with all audits of pushes; webhooks stay at the forge, and their deliveries are refused."""
    _make_views("", "")
    for table in ("push_audit_checks", "push_audits", "webhook_deliveries", "connected_repositories"):
        op.drop_table(table)


def _make_views(runs: str, checks: str) -> None:
    audits = import_module("buildwright.store.migrations.versions.0005_audits")
    words = audits._words(op.get_context().dialect.name)
    for view in ("audit_checks", "audit_runs"):
        op.execute(f"DROP VIEW {view}")
    op.execute((audits._AUDIT_RUNS.format(**words, refused=audits._REFUSED).strip() + runs).strip())
    op.execute((audits._AUDIT_CHECKS.format(**words).strip() + checks).strip())
