"""More views under the names of other systems, and views that say what the API says, on SQLite and PostgreSQL.

`builds`, `build_logs`, `build_costs` and `task_execution_log` are made anew; `task_lists`, `planned_tasks`, `tasks`,
`cost_entries`, `metrics_hourly`, `metrics_daily` and `metrics_weekly` are new. All read the journal: they hold nothing.
Must never import what the program uses today.

Revision ID: 0004
"""

from __future__ import annotations

from importlib import import_module

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OLD = ("builds", "build_logs", "build_costs", "task_execution_log")
# A NUL would make the whole view fail in PostgreSQL, and end the text in SQLite.
_DATA = r"replace({}.data, '\u0000', '\u2400')"

# The phases are the milestones with tasks, in the order of the plan's list, else as the tasks name them.
_PLANNED_TASKS = """
CREATE VIEW planned_tasks AS
SELECT build_id, position, id, title, goal, milestone, phase_number,
    coalesce(nullif(milestone, ''), 'Phase ' || phase_number) AS phase, planned_at
FROM (
    SELECT build_id, position, id, title, goal, milestone, planned_at,
        dense_rank() OVER (PARTITION BY build_id ORDER BY place) AS phase_number
    FROM (
        SELECT p.build_id, p.at AS planned_at, {place} + 1 AS position, {id} AS id, {title} AS title,
            coalesce({goal}, '') AS goal, coalesce({milestone}, '') AS milestone,
            coalesce(m.{key}, min({place}) OVER (PARTITION BY p.build_id, {milestone})) AS place
        FROM events p {each_task}
        LEFT JOIN {milestones} ON m.{value} = coalesce({milestone}, '')
        WHERE p.type = 'plan.made'
    ) AS placed
) AS numbered
"""
_TASKS = """
CREATE VIEW tasks AS
SELECT p.build_id, p.position, p.id, p.title, p.goal, p.phase, p.phase_number,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped') OR (s.last_type = 'agent.finished' AND s.without_lanes)
            THEN 'done' WHEN s.last_type = 'task.failed' THEN 'blocked'
        WHEN s.last_type IS NULL OR s.last_type IN ('task.retried', 'task.waited') THEN 'todo' ELSE 'doing' END AS status,
    coalesce(s.attempts, 0) AS attempts, p.planned_at AS created_at, s.started_at,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped', 'task.failed')
        OR (s.last_type = 'agent.finished' AND s.without_lanes) THEN s.last_at END AS completed_at
FROM planned_tasks p LEFT JOIN (
    SELECT g.build_id, g.task, g.attempts, g.started_at, l.type AS last_type, l.at AS last_at,
        {without_lanes} AS without_lanes
    FROM (
        SELECT e.build_id, {task} AS task, count(CASE WHEN e.type = 'task.started' THEN 1 END) AS attempts,
            min(CASE WHEN e.type = 'task.started' THEN e.at END) AS started_at, max(e.seq) AS last_seq
        FROM events e
        WHERE e.type IN ('task.started', 'task.waited', 'agent.finished', 'agent.broke', 'patch.judged',
            'judging.reopened', 'merge.prepared', 'merge.conflicted', 'merge.judged', 'change.landed', 'task.retried',
            'task.failed', 'task.skipped')
        GROUP BY e.build_id, {task}
    ) AS g
    JOIN events l ON l.build_id = g.build_id AND l.seq = g.last_seq
    JOIN events c ON c.build_id = g.build_id AND c.seq = 1
) AS s ON s.build_id = p.build_id AND s.task = p.id
"""
_TASK_LISTS = """
CREATE VIEW task_lists AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title AS name, {count} AS tasks, p.at AS created_at
FROM build_runs r JOIN events p ON p.build_id = r.build_id AND p.type = 'plan.made'
"""
# Status, pause and error are those of `GET /projects/{id}/build/status`.
_BUILDS = """
CREATE VIEW builds AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title, r.phase,
    CASE WHEN r.outcome = 'succeeded' THEN 'completed' WHEN r.outcome IN ('failed', 'aborted') THEN 'failed'
        WHEN r.outcome <> '' THEN 'cancelled' WHEN r.control = 'paused' THEN 'paused'
        WHEN r.version <= 1 AND r.control <> 'stopping' THEN 'pending' ELSE 'running' END AS status,
    r.created_at AS started_at, r.completed_at,
    (SELECT count(*) FROM events e WHERE e.build_id = r.build_id AND e.type = 'task.retried') AS loop_count,
    CASE WHEN r.outcome NOT IN ('', 'succeeded') THEN (
        SELECT coalesce({message}, '') FROM events e
        WHERE e.build_id = r.build_id AND e.seq = r.version AND e.type = 'build.finished'
    ) END AS error_detail,
    coalesce(t.target_type, 'repository') AS target_type,
    coalesce(nullif(t.target_ref, ''), (SELECT {repository} FROM events e WHERE e.build_id = r.build_id AND e.seq = 1))
        AS target_ref,
    (SELECT e.at FROM events e WHERE e.build_id = r.build_id AND e.seq = {paused_seq}) AS paused_at,
    (SELECT coalesce({message}, {reason}) FROM events e WHERE e.build_id = r.build_id AND e.seq = {paused_seq})
        AS pause_reason,
    CASE WHEN r.control = 'paused' THEN coalesce(
        (SELECT p.phase FROM planned_tasks p JOIN events e ON e.build_id = p.build_id AND p.id = {task}
            WHERE p.build_id = r.build_id AND e.seq = {paused_seq}),
        (SELECT p.phase FROM tasks p WHERE p.build_id = r.build_id AND p.status <> 'done'
            ORDER BY p.phase_number, p.position LIMIT 1),
        (SELECT p.phase FROM planned_tasks p WHERE p.build_id = r.build_id ORDER BY p.phase_number DESC LIMIT 1),
        'Planning') END AS pause_phase,
    r.created_at, r.updated_at
FROM build_runs r LEFT JOIN projects t ON t.id = r.project_id
"""
_PAUSED_SEQ = """(CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)"""
# The levels are those of `GET /projects/{id}/build/logs`.
_BUILD_LOGS = """
CREATE VIEW build_logs AS
SELECT build_id, seq AS id, at AS timestamp,
    CASE WHEN kind = 'gate' THEN 'audit' WHEN kind IN ('engine', 'git') THEN 'system' ELSE 'builder' END AS source,
    CASE WHEN kind = 'warned' OR (kind = 'gate' AND (text LIKE '%: refused' OR text LIKE '%: refused, % findings'))
            THEN 'warning' WHEN kind IN ('heard', 'used_tokens', 'saved') THEN 'debug'
        WHEN kind = 'ran' AND text LIKE '$ %(exit code %)' AND text NOT LIKE '%(exit code 0)' THEN 'error'
        ELSE 'info' END AS level,
    text AS message, task, attempt, kind, at AS created_at
FROM logs
"""
_BUILD_COSTS = """
CREATE VIEW build_costs AS
SELECT e.build_id, e.seq AS id, coalesce({task}, '') AS task, coalesce(p.phase, 'Planning') AS phase,
    {model} AS model,
    coalesce(CAST({input_tokens} AS BIGINT), 0) AS input_tokens,
    coalesce(CAST({output_tokens} AS BIGINT), 0) AS output_tokens,
    coalesce(CAST({cache_read_tokens} AS BIGINT), 0) + coalesce(CAST({cache_write_tokens} AS BIGINT), 0) AS cache_tokens,
    CAST({cost_usd} AS {number}) AS estimated_cost_usd, e.at AS created_at
FROM events e LEFT JOIN planned_tasks p ON p.build_id = e.build_id AND p.id = {task} WHERE e.type = 'tokens.used'
"""
_COST_ENTRIES = """
CREATE VIEW cost_entries AS
SELECT id, created_at AS timestamp, task AS task_id, model AS model_name, input_tokens, output_tokens,
    coalesce(estimated_cost_usd, 0) AS cost_usd, build_id AS session_id
FROM build_costs
"""
_METRICS = """
CREATE VIEW metrics_{name} AS
SELECT timestamp, sum(ended) AS total_tasks, sum(landed) AS successful_tasks, sum(failed) AS failed_tasks,
    sum(cost_usd) AS total_cost_usd, sum(tokens) AS total_tokens, avg(duration_ms) AS avg_duration_ms
FROM (
    SELECT {of_task} AS timestamp, 1 AS ended, CASE WHEN status = 'done' THEN 1 ELSE 0 END AS landed,
        CASE WHEN status = 'blocked' THEN 1 ELSE 0 END AS failed, 0 AS cost_usd, 0 AS tokens,
        {duration} AS duration_ms
    FROM tasks WHERE completed_at IS NOT NULL
    UNION ALL
    SELECT {of_cost}, 0, 0, 0, coalesce(estimated_cost_usd, 0), input_tokens + output_tokens + cache_tokens, NULL
    FROM build_costs
) AS facts GROUP BY timestamp
"""
_TASK_EXECUTION_LOG = """
CREATE VIEW task_execution_log AS
SELECT e.build_id AS execution_id, e.seq AS id, coalesce({task}, '') AS task_id,
    {task} || '#' || {attempt} AS instance_id,
    CASE e.type WHEN 'task.started' THEN 'task_started' WHEN 'change.landed' THEN 'task_completed'
        WHEN 'task.failed' THEN 'task_failed' WHEN 'task.skipped' THEN 'task_skipped'
        WHEN 'checkpoint.created' THEN 'checkpoint_created' WHEN 'checkpoint.restored' THEN 'checkpoint_restored'
        WHEN 'base.judged' THEN 'validation_run' WHEN 'patch.judged' THEN 'validation_run'
        WHEN 'merge.judged' THEN 'validation_run' WHEN 'build.verified' THEN 'validation_run'
        WHEN 'loop.detected' THEN 'discovery_recorded' WHEN 'build.stuck' THEN 'discovery_recorded'
        WHEN 'agent.broke' THEN 'error' WHEN 'merge.conflicted' THEN 'error' WHEN 'plan.rejected' THEN 'error'
        WHEN 'delivery.failed' THEN 'error' ELSE 'info' END AS event_type,
    coalesce({message}, CASE e.type
        WHEN 'build.created' THEN 'the build was created' WHEN 'target.prepared' THEN 'the repository is ready'
        WHEN 'plan.made' THEN 'the plan has ' || {count} || ' tasks'
        WHEN 'task.started' THEN 'attempt ' || {attempt} || ' has begun'
        WHEN 'task.waited' THEN 'waits for ' || {file} || ', which task ' || {holder} || ' holds'
        WHEN 'task.retried' THEN 'is tried again' WHEN 'task.skipped' THEN 'was given up by the user'
        WHEN 'agent.finished' THEN coalesce({summary}, 'the agent has finished')
        WHEN 'base.judged' THEN 'the checks have judged the base'
        WHEN 'patch.judged' THEN 'the checks have judged the change of attempt ' || {attempt}
        WHEN 'merge.prepared' THEN 'the change waits to land' WHEN 'merge.conflicted' THEN 'the change does not merge'
        WHEN 'merge.judged' THEN 'the checks have judged the change merged'
        WHEN 'build.verified' THEN 'the checks have judged the result'
        WHEN 'change.landed' THEN 'landed as ' || {commit}
        WHEN 'checkpoint.created' THEN 'a checkpoint of attempt ' || {attempt}
        WHEN 'checkpoint.restored' THEN 'attempt ' || {attempt} || ' goes on from its checkpoint'
        WHEN 'build.stuck' THEN coalesce({advice}, 'the build is stuck: ' || {failures} || ' failures in a row')
        WHEN 'tokens.used' THEN {model} || ': ' || coalesce({input_tokens}, '0') || ' tokens in, '
            || coalesce({output_tokens}, '0') || ' out'
        WHEN 'message.sent' THEN {text} WHEN 'message.delivered' THEN 'an agent was told message ' || {message_id}
        WHEN 'build.paused' THEN 'paused: ' || {reason} WHEN 'build.resumed' THEN 'resumed'
        WHEN 'build.delivered' THEN 'delivered as ' || {ref} WHEN 'build.finished' THEN {outcome} END, e.type) AS message,
    e.data AS context, e.at AS timestamp
FROM events e WHERE e.type <> 'agent.heartbeat'
"""
_FIELDS = (
    "task attempt message reason model input_tokens output_tokens cache_read_tokens cache_write_tokens cost_usd"
    " repository summary advice failures file holder commit text ref outcome"
)
_TASK_FIELDS = "id title goal milestone"


def _words(dialect: str) -> dict[str, str]:
    """Return what the views are made of in one dialect: fields of an event `e`, of a task of a plan `p`, and lists."""
    if dialect == "postgresql":
        data, plan = f"CAST({_DATA.format('e')} AS json)", f"CAST({_DATA.format('p')} AS json)"
        created = f"CAST({_DATA.format('c')} AS json)"
        words = {name: f"({data} ->> '{name}')" for name in _FIELDS.split()}
        words |= {name: f"(t.value ->> '{name}')" for name in _TASK_FIELDS.split()}
        return words | {
            "message_id": f"({data} ->> 'id')",
            "count": f"json_array_length({plan} -> 'graph' -> 'tasks')",
            "each_task": f"CROSS JOIN LATERAL json_array_elements({plan} -> 'graph' -> 'tasks')"
            " WITH ORDINALITY AS t (value, key)",
            "milestones": f"LATERAL json_array_elements_text({plan} -> 'graph' -> 'milestones')"
            " WITH ORDINALITY AS m (value, key)",
            "place": "(t.key - 1)",
            "without_lanes": f"coalesce({created} -> 'options' ->> 'lanes', 'true') = 'false'",
            "number": "NUMERIC",
            "duration": "EXTRACT(EPOCH FROM completed_at - started_at) * 1000",
        }
    words = {name: f"json_extract({_DATA.format('e')}, '$.{name}')" for name in _FIELDS.split()}
    words |= {name: f"json_extract(t.value, '$.{name}')" for name in _TASK_FIELDS.split()}
    return words | {
        "message_id": f"json_extract({_DATA.format('e')}, '$.id')",
        "count": f"json_array_length({_DATA.format('p')}, '$.graph.tasks')",
        "each_task": f"CROSS JOIN json_each({_DATA.format('p')}, '$.graph.tasks') t",
        "milestones": f"json_each({_DATA.format('p')}, '$.graph.milestones') m",
        "place": "t.key",
        "without_lanes": f"coalesce(json_extract({_DATA.format('c')}, '$.options.lanes'), 1) = 0",
        "number": "REAL",
        "duration": "(julianday(completed_at) - julianday(started_at)) * 86400000",
    }


def _period(dialect: str, name: str, column: str) -> str:
    """Return the start of the hour, day or week (its Monday) of a time, as text in UTC."""
    if dialect == "postgresql":
        unit = {"hourly": "hour", "daily": "day", "weekly": "week"}[name]
        return f"""to_char(date_trunc('{unit}', {column} AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
    if name == "hourly":
        return f"strftime('%Y-%m-%dT%H:00:00Z', {column})"
    monday = ", 'weekday 0', '-6 days'" if name == "weekly" else ""
    return f"strftime('%Y-%m-%dT00:00:00Z', {column}{monday})"


def upgrade() -> None:
    """Make the views; those of the revision before are made anew."""
    for view in reversed(_OLD):
        op.execute(f"DROP VIEW {view}")
    dialect = op.get_context().dialect.name
    words = _words(dialect) | {"key": "key", "value": "value"}
    for view in (_PLANNED_TASKS, _TASKS, _TASK_LISTS):
        op.execute(view.format(**words).strip())
    op.execute(_BUILDS.format(**words, paused_seq=_PAUSED_SEQ).strip())
    for view in (_BUILD_LOGS, _BUILD_COSTS, _COST_ENTRIES):
        op.execute(view.format(**words).strip())
    create_task_execution_log()
    create_metrics()


def create_metrics() -> None:
    """Make the views that a later revision makes anew."""
    dialect = op.get_context().dialect.name
    for name in ("hourly", "daily", "weekly"):
        periods = {"of_task": _period(dialect, name, "completed_at"), "of_cost": _period(dialect, name, "created_at")}
        op.execute(_METRICS.format(name=name, duration=_words(dialect)["duration"], **periods).strip())


def create_task_execution_log() -> None:
    """Make the one view that the next revision makes anew."""
    words = _words(op.get_context().dialect.name)
    words |= {"count": words["count"].replace("p.data", "e.data")}
    op.execute(_TASK_EXECUTION_LOG.format(**words).strip())


def downgrade() -> None:
    """Drop the views, and make those of the revision before again: no row is lost."""
    new = ("metrics_weekly", "metrics_daily", "metrics_hourly", "task_execution_log", "cost_entries", "build_costs")
    for view in (*new, "build_logs", "builds", "task_lists", "tasks", "planned_tasks"):
        op.execute(f"DROP VIEW {view}")
    import_module("buildwright.store.migrations.versions.0003_server").create_views()
