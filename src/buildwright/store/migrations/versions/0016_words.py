"""The view of connected repositories by the name that others know; and the log of tasks with all events in words.

What an accepted change has taught is a `discovery_recorded` there. `build_logs` gives sources and levels as the HTTP API
does. Views hold nothing. On SQLite and PostgreSQL. Must never import what the program uses today.

Revision ID: 0016
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_REPOS = """
CREATE VIEW repos AS
SELECT id, user_id, site, name AS full_name, webhook AS webhook_id, created_at AS connected_at, last_delivery_at
FROM connected_repositories
"""
# Sources and levels are those of `GET /projects/{id}/build/logs`.
_BUILD_LOGS = """
CREATE VIEW build_logs AS
SELECT build_id, seq AS id, at AS timestamp,
    CASE WHEN kind IN ('said', 'printed', 'wrote', 'ran', 'heard', 'used_tokens', 'warned', 'saved', 'finished')
        THEN 'agent' ELSE kind END AS source,
    CASE WHEN kind = 'warned' OR (kind = 'gate' AND (text LIKE '%: refused' OR text LIKE '%: refused, % findings'))
            THEN 'warning' WHEN kind IN ('printed', 'heard', 'used_tokens', 'saved') THEN 'debug'
        WHEN kind = 'ran' AND text LIKE '$ %(exit code %)' AND text NOT LIKE '%(exit code 0)' THEN 'error'
        ELSE 'info' END AS level,
    text AS message, task, attempt, kind, at AS created_at
FROM logs
"""
_TYPES = "WHEN 'lesson.learned' THEN 'discovery_recorded' ELSE 'info' END AS event_type"
_WORDS = """
            WHEN 'build.forked' THEN 'forked from build ' || {source} || ' at event ' || {last}
            WHEN 'model.chosen' THEN 'asks ' || {name} || ' (' || {model} || '): ' || {reason}
            WHEN 'lessons.given' THEN 'lessons given: ' || {given}
            WHEN 'lesson.learned' THEN {content}
            WHEN 'agent.denied' THEN 'its agent asked for what it may not reach'
            WHEN 'conversation.compacted' THEN 'the conversation was cut from ' || {tokens_before} || ' to '
                || {tokens_after} || ' tokens'
            WHEN 'budget.reached' THEN {percent} || ' percent of ' || {budget_usd} || ' USD are spent'
            WHEN 'limit.met' THEN coalesce(nullif({model}, ''), 'the provider') || ' answers nothing until ' || {until}
            WHEN 'spec.changed' THEN 'the spec was changed'
            WHEN 'undo.requested' THEN 'the change will be taken back'
            WHEN 'change.undone' THEN 'taken back as ' || {commit}
            WHEN 'contracts.changed' THEN 'continues with newer contracts'
            WHEN 'base.changed' THEN 'stands on ' || {commit} || ' from now on'
            WHEN 'build.reopened' THEN 'continues after its end' WHEN 'review.sent' THEN 'a review was sent'
            WHEN 'delivery.requested' THEN 'what has landed is delivered once more or elsewhere'
            WHEN 'phase.marked' THEN 'a phase is marked as complete by ' || {commit}
            WHEN 'build.finished' THEN {outcome} END"""
_FIELDS = "source last name content tokens_before tokens_after percent budget_usd until"


def upgrade() -> None:
    """Make the view of repositories, and those of the two logs anew."""
    op.execute(_REPOS.strip())
    op.execute("DROP VIEW build_logs")
    op.execute(_BUILD_LOGS.strip())
    audits: Any = import_module("buildwright.store.migrations.versions.0005_audits")
    log = audits._TASK_EXECUTION_LOG.replace("ELSE 'info' END AS event_type", _TYPES)
    _make_log(log.replace("WHEN 'build.finished' THEN {outcome} END", _WORDS.strip()), audits)


def downgrade() -> None:
    """Drop the one, and make the others as they were: no row is lost."""
    first: Any = import_module("buildwright.store.migrations.versions.0004_views")
    op.execute("DROP VIEW build_logs")
    op.execute(first._BUILD_LOGS.strip())
    audits: Any = import_module("buildwright.store.migrations.versions.0005_audits")
    _make_log(audits._TASK_EXECUTION_LOG, audits)
    op.execute("DROP VIEW repos")


def _make_log(log: str, audits: Any) -> None:
    dialect = op.get_context().dialect.name
    words = audits._words(dialect)
    verdict = f"' || CASE WHEN {audits._REFUSED} THEN 'refused' ELSE 'passed' END || '"
    if dialect == "postgresql":
        data = f"CAST({audits._DATA} AS json)"
        words |= {name: f"({data} ->> '{name}')" for name in _FIELDS.split()}
        words["given"] = f"coalesce(json_array_length({data} -> 'given'), 0)"
    else:
        words |= {name: f"json_extract({audits._DATA}, '$.{name}')" for name in _FIELDS.split()}
        words["given"] = f"coalesce(json_array_length({audits._DATA}, '$.given'), 0)"
    op.execute("DROP VIEW task_execution_log")
    op.execute(log.format(**words, verdict=verdict).strip())
