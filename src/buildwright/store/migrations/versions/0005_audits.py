"""Views of the audits of phases, and of the log of tasks as it is read over HTTP, on SQLite and PostgreSQL.

`task_execution_log` is made anew; `audit_runs` and `audit_checks` are new. All read the journal: they hold nothing. Must
never import what the program uses today.

Revision ID: 0005
"""

from __future__ import annotations

from importlib import import_module

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A NUL would make the whole view fail in PostgreSQL, and end the text in SQLite.
_DATA = r"replace(e.data, '\u0000', '\u2400')"
_REFUSED = r"""e.data LIKE '%"ok"\:false%'"""
"""Whether a verdict has a report that refuses: within a text the quotes would be escaped. (`\\:` is no parameter.)"""

# `instance_id` of an event that names no attempt is that of the task's newest one.
_TASK_EXECUTION_LOG = """
CREATE VIEW task_execution_log AS
SELECT l.build_id AS execution_id, l.seq AS id, r.project_id AS loop_id, coalesce(l.task, '') AS task_id,
    CASE WHEN l.task <> '' THEN l.task || '#' || l.instance END AS instance_id, l.event_type, l.message,
    l.data AS context, l.at AS timestamp
FROM (
    SELECT e.build_id, e.seq, e.at, e.data, {task} AS task,
        coalesce({number}, max(CASE WHEN e.type = 'task.started' THEN {number} END)
            OVER (PARTITION BY e.build_id, {task} ORDER BY e.seq)) AS instance,
        CASE e.type WHEN 'task.started' THEN 'task_started' WHEN 'change.landed' THEN 'task_completed'
            WHEN 'task.failed' THEN 'task_failed' WHEN 'task.skipped' THEN 'task_skipped'
            WHEN 'checkpoint.created' THEN 'checkpoint_created' WHEN 'checkpoint.restored' THEN 'checkpoint_restored'
            WHEN 'base.judged' THEN 'validation_run' WHEN 'patch.judged' THEN 'validation_run'
            WHEN 'merge.judged' THEN 'validation_run' WHEN 'build.verified' THEN 'validation_run'
            WHEN 'phase.audited' THEN 'validation_run'
            WHEN 'loop.detected' THEN 'error' WHEN 'build.stuck' THEN 'error'
            WHEN 'agent.broke' THEN 'error' WHEN 'merge.conflicted' THEN 'error' WHEN 'plan.rejected' THEN 'error'
            WHEN 'delivery.failed' THEN 'error' ELSE 'info' END AS event_type,
        coalesce({message}, CASE e.type
            WHEN 'build.created' THEN 'the build was created' WHEN 'target.prepared' THEN 'the repository is ready'
            WHEN 'plan.made' THEN 'tasks in the plan: ' || {count} WHEN 'plan.changed' THEN 'the plan was changed'
            WHEN 'options.changed' THEN 'the options were changed'
            WHEN 'tests.sealed' THEN coalesce({why_none}, 'its sealed tests are written')
            WHEN 'task.started' THEN 'attempt ' || {attempt} || ' has begun'
            WHEN 'task.waited' THEN 'waits for ' || {file} || ', which task ' || {holder} || ' holds'
            WHEN 'task.retried' THEN 'is tried again' WHEN 'task.skipped' THEN 'was given up by the user'
            WHEN 'agent.finished' THEN coalesce({summary}, 'the agent has finished')
            WHEN 'base.judged' THEN 'the checks have {verdict} the base'
            WHEN 'patch.judged' THEN 'the checks have {verdict} the change of attempt ' || {attempt}
            WHEN 'finding.approved' THEN {by} || ' lets ' || {code} || ' pass: ' || {reason}
            WHEN 'judging.reopened' THEN 'the change of attempt ' || {attempt} || ' is judged again'
            WHEN 'merge.prepared' THEN 'the change waits to land'
            WHEN 'merge.conflicted' THEN 'the change does not merge'
            WHEN 'merge.judged' THEN 'the checks have {verdict} the change merged'
            WHEN 'build.verified' THEN 'the checks have {verdict} the result'
            WHEN 'phase.audited' THEN 'the audit has {verdict} a phase of the plan'
            WHEN 'change.landed' THEN 'landed as ' || {commit}
            WHEN 'checkpoint.created' THEN 'a checkpoint of attempt ' || {attempt}
            WHEN 'checkpoint.restored' THEN 'attempt ' || {attempt} || ' goes on from its checkpoint'
            WHEN 'build.stuck' THEN coalesce({advice}, 'the build is stuck: ' || {failures} || ' failures in a row')
            WHEN 'tokens.used' THEN {model} || ': ' || coalesce({input_tokens}, '0') || ' tokens in, '
                || coalesce({output_tokens}, '0') || ' out'
            WHEN 'message.sent' THEN {text} WHEN 'message.delivered' THEN 'an agent was told message ' || {message_id}
            WHEN 'step.requested' THEN 'a step was asked for'
            WHEN 'build.paused' THEN 'paused: ' || {reason} WHEN 'build.resumed' THEN 'resumed'
            WHEN 'stop.requested' THEN 'the end was asked for'
            WHEN 'build.delivered' THEN coalesce('delivered as ' || nullif({ref}, ''), 'there is nothing to deliver')
            WHEN 'build.finished' THEN {outcome} END, e.type) AS message
    FROM events e WHERE e.type <> 'agent.heartbeat'
) AS l JOIN build_runs r ON r.build_id = l.build_id
"""
_AUDIT_RUNS = """
CREATE VIEW audit_runs AS
SELECT e.build_id || '-' || e.seq AS id, e.build_id, r.project_id, r.user_id, {repository} AS repository,
    {head} AS commit_sha, {base} AS base_sha, CASE WHEN {refused} THEN 'failed' ELSE 'passed' END AS status,
    {entry} AS ledger_entry, e.at AS completed_at
FROM events e JOIN build_runs r ON r.build_id = e.build_id JOIN events c ON c.build_id = e.build_id AND c.seq = 1
WHERE e.type = 'phase.audited'
"""
_AUDIT_CHECKS = r"""
CREATE VIEW audit_checks AS
SELECT a.audit_run_id || '-' || a.code AS id, a.audit_run_id, a.code AS check_code, a.name AS check_name,
    CASE WHEN a.report LIKE '%"ok"\:false%' THEN 'failed' WHEN a.report LIKE '%"code"\:"check.not_run"%' THEN 'not run'
        WHEN a.report LIKE '%"severity"\:"warning"%' THEN 'warned' ELSE 'passed' END AS result,
    coalesce(a.detail, '') AS detail
FROM (
    SELECT e.build_id || '-' || e.seq AS audit_run_id, {check_code} AS code, {check_name} AS name, {report} AS report,
        {detail} AS detail
    FROM events e {each_report} WHERE e.type = 'phase.audited'
) AS a
"""
_FIELDS = (
    "task attempt message reason model input_tokens output_tokens summary advice failures file holder commit text ref"
    " outcome why_none by code head base entry"
)


def _words(dialect: str) -> dict[str, str]:
    """Return what the views are made of in one dialect: fields of an event `e`, and the reports of a verdict."""
    if dialect == "postgresql":
        data = f"CAST({_DATA} AS json)"
        words = {name: f"({data} ->> '{name}')" for name in _FIELDS.split()}
        return words | {
            "number": f"CAST({words['attempt']} AS BIGINT)",
            "message_id": f"({data} ->> 'id')",
            "count": f"json_array_length({data} -> 'graph' -> 'tasks')",
            "repository": f"(CAST({_DATA.replace('e.', 'c.')} AS json) ->> 'repository')",
            "each_report": f"CROSS JOIN LATERAL json_array_elements({data} -> 'verdict' -> 'reports') AS t (value)",
            "report": "CAST(t.value AS text)",
            "check_code": "split_part(t.value ->> 'gate', ' ', 1)",
            "check_name": "substr(t.value ->> 'gate', strpos(t.value ->> 'gate', ' ') + 1)",
            "detail": "(t.value -> 'findings' -> 0 ->> 'message')",
        }
    words = {name: f"json_extract({_DATA}, '$.{name}')" for name in _FIELDS.split()}
    gate = "json_extract(t.value, '$.gate')"
    return words | {
        "number": words["attempt"],
        "message_id": f"json_extract({_DATA}, '$.id')",
        "count": f"json_array_length({_DATA}, '$.graph.tasks')",
        "repository": f"json_extract({_DATA.replace('e.', 'c.')}, '$.repository')",
        "each_report": f"CROSS JOIN json_each({_DATA}, '$.verdict.reports') t",
        "report": "t.value",
        "check_code": f"substr({gate}, 1, instr({gate} || ' ', ' ') - 1)",
        "check_name": f"substr({gate}, instr({gate}, ' ') + 1)",
        "detail": "json_extract(t.value, '$.findings[0].message')",
    }


def upgrade() -> None:
    """Make the views; that of the revision before is made anew."""
    op.execute("DROP VIEW task_execution_log")
    words = _words(op.get_context().dialect.name)
    verdict = f"' || CASE WHEN {_REFUSED} THEN 'refused' ELSE 'passed' END || '"
    op.execute(_TASK_EXECUTION_LOG.format(**words, verdict=verdict).strip())
    op.execute(_AUDIT_RUNS.format(**words, refused=_REFUSED).strip())
    op.execute(_AUDIT_CHECKS.format(**words).strip())


def downgrade() -> None:
    """Drop the views, and make that of the revision before again: no row is lost."""
    for view in ("audit_checks", "audit_runs", "task_execution_log"):
        op.execute(f"DROP VIEW {view}")
    import_module("buildwright.store.migrations.versions.0004_views").create_task_execution_log()
