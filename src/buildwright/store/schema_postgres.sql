-- Generated from the migrations (`python -m buildwright.store.revisions`); a test compares. Do not edit.
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
-- Running upgrade  -> 0001
CREATE TABLE build_runs (
    build_id VARCHAR(64) NOT NULL, 
    project_id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    title TEXT NOT NULL, 
    phase VARCHAR(20) NOT NULL, 
    control VARCHAR(20) NOT NULL, 
    outcome VARCHAR(20) NOT NULL, 
    version BIGINT NOT NULL, 
    current_task_id VARCHAR(80) NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    completed_at TIMESTAMP WITH TIME ZONE, 
    brief TEXT, 
    build_plan TEXT, 
    product_doc TEXT, 
    PRIMARY KEY (build_id)
);
CREATE INDEX ix_build_runs_project_phase ON build_runs (project_id, phase);
CREATE INDEX ix_build_runs_created_at ON build_runs (created_at);
CREATE INDEX ix_build_runs_project_id ON build_runs (project_id);
CREATE INDEX ix_build_runs_user_id ON build_runs (user_id);
CREATE TABLE events (
    build_id VARCHAR(64) NOT NULL, 
    seq BIGINT NOT NULL, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    type VARCHAR(40) NOT NULL, 
    data TEXT NOT NULL, 
    crc BIGINT NOT NULL, 
    PRIMARY KEY (build_id, seq)
);
CREATE TABLE snapshots (
    build_id VARCHAR(64) NOT NULL, 
    seq BIGINT NOT NULL, 
    data TEXT NOT NULL, 
    crc BIGINT NOT NULL, 
    PRIMARY KEY (build_id, seq)
);
CREATE TABLE leases (
    build_id VARCHAR(64) NOT NULL, 
    holder TEXT NOT NULL, 
    token BIGINT NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (build_id)
);
CREATE TABLE logs (
    build_id VARCHAR(64) NOT NULL, 
    seq BIGINT NOT NULL, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    task VARCHAR(80) NOT NULL, 
    attempt INTEGER NOT NULL, 
    kind VARCHAR(40) NOT NULL, 
    text TEXT NOT NULL, 
    PRIMARY KEY (build_id, seq)
);
CREATE TABLE artifacts (
    digest VARCHAR(64) NOT NULL, 
    size BIGINT NOT NULL, 
    content BYTEA, 
    PRIMARY KEY (digest)
);
INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING alembic_version.version_num;
-- Running upgrade 0001 -> 0002
ALTER TABLE build_runs ADD COLUMN settled BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE build_runs ADD COLUMN wake_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE build_runs ADD COLUMN offered_at TIMESTAMP WITH TIME ZONE;
UPDATE build_runs SET settled = true WHERE completed_at IS NOT NULL;
CREATE INDEX ix_build_runs_unsettled ON build_runs (build_id) WHERE NOT settled OR control = 'stopping';
CREATE INDEX ix_build_runs_wake_at ON build_runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX ix_leases_held ON leases (holder) WHERE holder <> '';
CREATE TABLE actions (
    build_id VARCHAR(64) NOT NULL, 
    key TEXT NOT NULL, 
    wanted BOOLEAN NOT NULL, 
    wanted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    holder TEXT NOT NULL, 
    token BIGINT NOT NULL, 
    beat_at TIMESTAMP WITH TIME ZONE, 
    expires_at TIMESTAMP WITH TIME ZONE, 
    offered_at TIMESTAMP WITH TIME ZONE, 
    PRIMARY KEY (build_id, key)
);
CREATE INDEX ix_actions_held ON actions (holder) WHERE holder <> '';
CREATE TABLE workers (
    holder TEXT NOT NULL, 
    name TEXT NOT NULL, 
    slots INTEGER NOT NULL, 
    busy INTEGER NOT NULL, 
    started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    beat_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    heartbeat_seconds DOUBLE PRECISION NOT NULL, 
    report TEXT NOT NULL, 
    PRIMARY KEY (holder)
);
CREATE TABLE answers (
    build_id VARCHAR(64) NOT NULL, 
    task VARCHAR(80) NOT NULL, 
    attempt INTEGER NOT NULL, 
    digest VARCHAR(64) NOT NULL, 
    nth INTEGER NOT NULL, 
    answer BYTEA NOT NULL, 
    crc BIGINT NOT NULL, 
    PRIMARY KEY (build_id, task, attempt, digest, nth)
);
UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';
-- Running upgrade 0002 -> 0003
DROP INDEX ix_build_runs_project_id;
DROP INDEX ix_build_runs_user_id;
CREATE INDEX ix_build_runs_project_id ON build_runs (project_id, created_at, build_id);
CREATE INDEX ix_build_runs_user_id ON build_runs (user_id, created_at, build_id);
CREATE INDEX ix_build_runs_unfinished ON build_runs (user_id, completed_at, created_at, build_id) WHERE completed_at IS NULL;
CREATE TABLE projects (
    id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    name TEXT NOT NULL, 
    description TEXT NOT NULL, 
    status TEXT NOT NULL, 
    target_type TEXT NOT NULL, 
    target_ref TEXT NOT NULL, 
    spec TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (id)
);
CREATE INDEX ix_projects_user_id ON projects (user_id, created_at, id);
CREATE TABLE received_events (
    event_id TEXT NOT NULL, 
    task_id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    project_id TEXT NOT NULL, 
    type TEXT NOT NULL, 
    data TEXT NOT NULL, 
    status TEXT NOT NULL, 
    task_context TEXT NOT NULL, 
    context_version BIGINT NOT NULL, 
    build_id TEXT NOT NULL, 
    correlation_id TEXT NOT NULL, 
    message TEXT NOT NULL, 
    holder TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (event_id)
);
CREATE UNIQUE INDEX ix_received_events_task_id ON received_events (task_id);
CREATE INDEX ix_received_events_status ON received_events (status, created_at);
CREATE INDEX ix_received_events_project_id ON received_events (project_id, created_at);
CREATE INDEX ix_received_events_build_id ON received_events (build_id);
CREATE TABLE idempotency_keys (
    user_id TEXT NOT NULL, 
    scope TEXT NOT NULL, 
    key_hash VARCHAR(64) NOT NULL, 
    body_hash VARCHAR(64) NOT NULL, 
    location TEXT NOT NULL, 
    answer TEXT NOT NULL, 
    state VARCHAR(20) NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (user_id, scope, key_hash)
);
CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);
CREATE TABLE used_tokens (
    jti TEXT NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (jti)
);
CREATE INDEX ix_used_tokens_expires_at ON used_tokens (expires_at);
CREATE TABLE hosted_builds (
    build_id TEXT NOT NULL, 
    holder TEXT NOT NULL, 
    since TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (build_id)
);
CREATE VIEW builds AS
SELECT build_id AS id, project_id, user_id, title, phase,
    CASE WHEN outcome = 'succeeded' THEN 'completed' WHEN outcome = 'failed' THEN 'failed'
        WHEN outcome <> '' THEN 'cancelled' WHEN control = 'paused' THEN 'paused'
        WHEN phase = 'planning' THEN 'pending' ELSE 'running' END AS status,
    created_at AS started_at, completed_at,
    (SELECT count(*) FROM events e WHERE e.build_id = build_runs.build_id AND e.type = 'task.retried') AS loop_count,
    CASE WHEN outcome = 'failed' THEN (
        SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), '') FROM events e
        WHERE e.build_id = build_runs.build_id AND e.seq = build_runs.version AND e.type = 'build.finished'
    ) END AS error_detail,
    created_at, updated_at
FROM build_runs;
CREATE VIEW build_logs AS
SELECT build_id, seq AS id, at AS timestamp,
    CASE WHEN kind = 'gate' THEN 'audit' WHEN kind IN ('engine', 'git') THEN 'system' ELSE 'builder' END AS source,
    CASE WHEN kind = 'warned' THEN 'warn' WHEN kind = 'error' THEN 'error' ELSE 'info' END AS level,
    text AS message, task, attempt, kind, at AS created_at
FROM logs;
CREATE VIEW build_costs AS
SELECT build_id, seq AS id,
    coalesce((CAST(replace(data, '\u0000', '\u2400') AS json) ->> 'task'), '') AS task,
    (CAST(replace(data, '\u0000', '\u2400') AS json) ->> 'model') AS model,
    coalesce(CAST((CAST(replace(data, '\u0000', '\u2400') AS json) ->> 'input_tokens') AS BIGINT), 0) AS input_tokens,
    coalesce(CAST((CAST(replace(data, '\u0000', '\u2400') AS json) ->> 'output_tokens') AS BIGINT), 0) AS output_tokens,
    CAST((CAST(replace(data, '\u0000', '\u2400') AS json) ->> 'cost_usd') AS NUMERIC) AS estimated_cost_usd, at AS created_at
FROM events WHERE type = 'tokens.used';
CREATE VIEW task_execution_log AS
SELECT build_id AS execution_id, seq AS id, coalesce((CAST(replace(data, '\u0000', '\u2400') AS json) ->> 'task'), '') AS task_id,
    CASE type WHEN 'task.started' THEN 'task_started' WHEN 'change.landed' THEN 'task_completed'
        WHEN 'task.failed' THEN 'task_failed' WHEN 'task.skipped' THEN 'task_skipped'
        WHEN 'checkpoint.created' THEN 'checkpoint_created' WHEN 'checkpoint.restored' THEN 'checkpoint_restored'
        WHEN 'base.judged' THEN 'validation_run' WHEN 'patch.judged' THEN 'validation_run'
        WHEN 'merge.judged' THEN 'validation_run' WHEN 'build.verified' THEN 'validation_run'
        WHEN 'loop.detected' THEN 'discovery_recorded' WHEN 'build.stuck' THEN 'discovery_recorded'
        WHEN 'agent.broke' THEN 'error' WHEN 'merge.conflicted' THEN 'error' WHEN 'plan.rejected' THEN 'error'
        WHEN 'delivery.failed' THEN 'error' ELSE 'info' END AS event_type,
    coalesce((CAST(replace(data, '\u0000', '\u2400') AS json) ->> 'message'), type) AS message, data AS context, at AS timestamp
FROM events WHERE type <> 'agent.heartbeat';
UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';
-- Running upgrade 0003 -> 0004
DROP VIEW task_execution_log;
DROP VIEW build_costs;
DROP VIEW build_logs;
DROP VIEW builds;
CREATE VIEW planned_tasks AS
SELECT build_id, position, id, title, goal, milestone, phase_number,
    coalesce(nullif(milestone, ''), 'Phase ' || phase_number) AS phase, planned_at
FROM (
    SELECT build_id, position, id, title, goal, milestone, planned_at,
        dense_rank() OVER (PARTITION BY build_id ORDER BY place) AS phase_number
    FROM (
        SELECT p.build_id, p.at AS planned_at, (t.key - 1) + 1 AS position, (t.value ->> 'id') AS id, (t.value ->> 'title') AS title,
            coalesce((t.value ->> 'goal'), '') AS goal, coalesce((t.value ->> 'milestone'), '') AS milestone,
            coalesce(m.key, min((t.key - 1)) OVER (PARTITION BY p.build_id, (t.value ->> 'milestone'))) AS place
        FROM events p CROSS JOIN LATERAL json_array_elements(CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'tasks') WITH ORDINALITY AS t (value, key)
        LEFT JOIN LATERAL json_array_elements_text(CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'milestones') WITH ORDINALITY AS m (value, key) ON m.value = coalesce((t.value ->> 'milestone'), '')
        WHERE p.type = 'plan.made'
    ) AS placed
) AS numbered;
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
        coalesce(CAST(replace(c.data, '\u0000', '\u2400') AS json) -> 'options' ->> 'lanes', 'true') = 'false' AS without_lanes
    FROM (
        SELECT e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') AS task, count(CASE WHEN e.type = 'task.started' THEN 1 END) AS attempts,
            min(CASE WHEN e.type = 'task.started' THEN e.at END) AS started_at, max(e.seq) AS last_seq
        FROM events e
        WHERE e.type IN ('task.started', 'task.waited', 'agent.finished', 'agent.broke', 'patch.judged',
            'judging.reopened', 'merge.prepared', 'merge.conflicted', 'merge.judged', 'change.landed', 'task.retried',
            'task.failed', 'task.skipped')
        GROUP BY e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
    ) AS g
    JOIN events l ON l.build_id = g.build_id AND l.seq = g.last_seq
    JOIN events c ON c.build_id = g.build_id AND c.seq = 1
) AS s ON s.build_id = p.build_id AND s.task = p.id;
CREATE VIEW task_lists AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title AS name, json_array_length(CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'tasks') AS tasks, p.at AS created_at
FROM build_runs r JOIN events p ON p.build_id = r.build_id AND p.type = 'plan.made';
CREATE VIEW builds AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title, r.phase,
    CASE WHEN r.outcome = 'succeeded' THEN 'completed' WHEN r.outcome IN ('failed', 'aborted') THEN 'failed'
        WHEN r.outcome <> '' THEN 'cancelled' WHEN r.control = 'paused' THEN 'paused'
        WHEN r.version <= 1 AND r.control <> 'stopping' THEN 'pending' ELSE 'running' END AS status,
    r.created_at AS started_at, r.completed_at,
    (SELECT count(*) FROM events e WHERE e.build_id = r.build_id AND e.type = 'task.retried') AS loop_count,
    CASE WHEN r.outcome NOT IN ('', 'succeeded') THEN (
        SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), '') FROM events e
        WHERE e.build_id = r.build_id AND e.seq = r.version AND e.type = 'build.finished'
    ) END AS error_detail,
    coalesce(t.target_type, 'repository') AS target_type,
    coalesce(nullif(t.target_ref, ''), (SELECT (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'repository') FROM events e WHERE e.build_id = r.build_id AND e.seq = 1))
        AS target_ref,
    (SELECT e.at FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)) AS paused_at,
    (SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason')) FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END))
        AS pause_reason,
    CASE WHEN r.control = 'paused' THEN coalesce(
        (SELECT p.phase FROM planned_tasks p JOIN events e ON e.build_id = p.build_id AND p.id = (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
            WHERE p.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)),
        (SELECT p.phase FROM tasks p WHERE p.build_id = r.build_id AND p.status <> 'done'
            ORDER BY p.phase_number, p.position LIMIT 1),
        (SELECT p.phase FROM planned_tasks p WHERE p.build_id = r.build_id ORDER BY p.phase_number DESC LIMIT 1),
        'Planning') END AS pause_phase,
    r.created_at, r.updated_at
FROM build_runs r LEFT JOIN projects t ON t.id = r.project_id;
CREATE VIEW build_logs AS
SELECT build_id, seq AS id, at AS timestamp,
    CASE WHEN kind = 'gate' THEN 'audit' WHEN kind IN ('engine', 'git') THEN 'system' ELSE 'builder' END AS source,
    CASE WHEN kind = 'warned' OR (kind = 'gate' AND (text LIKE '%%: refused' OR text LIKE '%%: refused, %% findings'))
            THEN 'warning' WHEN kind IN ('heard', 'used_tokens', 'saved') THEN 'debug'
        WHEN kind = 'ran' AND text LIKE '$ %%(exit code %%)' AND text NOT LIKE '%%(exit code 0)' THEN 'error'
        ELSE 'info' END AS level,
    text AS message, task, attempt, kind, at AS created_at
FROM logs;
CREATE VIEW build_costs AS
SELECT e.build_id, e.seq AS id, coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task'), '') AS task, coalesce(p.phase, 'Planning') AS phase,
    (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'model') AS model,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'input_tokens') AS BIGINT), 0) AS input_tokens,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'output_tokens') AS BIGINT), 0) AS output_tokens,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cache_read_tokens') AS BIGINT), 0) + coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cache_write_tokens') AS BIGINT), 0) AS cache_tokens,
    CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cost_usd') AS NUMERIC) AS estimated_cost_usd, e.at AS created_at
FROM events e LEFT JOIN planned_tasks p ON p.build_id = e.build_id AND p.id = (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') WHERE e.type = 'tokens.used';
CREATE VIEW cost_entries AS
SELECT id, created_at AS timestamp, task AS task_id, model AS model_name, input_tokens, output_tokens,
    coalesce(estimated_cost_usd, 0) AS cost_usd, build_id AS session_id
FROM build_costs;
CREATE VIEW task_execution_log AS
SELECT e.build_id AS execution_id, e.seq AS id, coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task'), '') AS task_id,
    (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') || '#' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') AS instance_id,
    CASE e.type WHEN 'task.started' THEN 'task_started' WHEN 'change.landed' THEN 'task_completed'
        WHEN 'task.failed' THEN 'task_failed' WHEN 'task.skipped' THEN 'task_skipped'
        WHEN 'checkpoint.created' THEN 'checkpoint_created' WHEN 'checkpoint.restored' THEN 'checkpoint_restored'
        WHEN 'base.judged' THEN 'validation_run' WHEN 'patch.judged' THEN 'validation_run'
        WHEN 'merge.judged' THEN 'validation_run' WHEN 'build.verified' THEN 'validation_run'
        WHEN 'loop.detected' THEN 'discovery_recorded' WHEN 'build.stuck' THEN 'discovery_recorded'
        WHEN 'agent.broke' THEN 'error' WHEN 'merge.conflicted' THEN 'error' WHEN 'plan.rejected' THEN 'error'
        WHEN 'delivery.failed' THEN 'error' ELSE 'info' END AS event_type,
    coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), CASE e.type
        WHEN 'build.created' THEN 'the build was created' WHEN 'target.prepared' THEN 'the repository is ready'
        WHEN 'plan.made' THEN 'the plan has ' || json_array_length(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'tasks') || ' tasks'
        WHEN 'task.started' THEN 'attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') || ' has begun'
        WHEN 'task.waited' THEN 'waits for ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'file') || ', which task ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'holder') || ' holds'
        WHEN 'task.retried' THEN 'is tried again' WHEN 'task.skipped' THEN 'was given up by the user'
        WHEN 'agent.finished' THEN coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'summary'), 'the agent has finished')
        WHEN 'base.judged' THEN 'the checks have judged the base'
        WHEN 'patch.judged' THEN 'the checks have judged the change of attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt')
        WHEN 'merge.prepared' THEN 'the change waits to land' WHEN 'merge.conflicted' THEN 'the change does not merge'
        WHEN 'merge.judged' THEN 'the checks have judged the change merged'
        WHEN 'build.verified' THEN 'the checks have judged the result'
        WHEN 'change.landed' THEN 'landed as ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'commit')
        WHEN 'checkpoint.created' THEN 'a checkpoint of attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt')
        WHEN 'checkpoint.restored' THEN 'attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') || ' goes on from its checkpoint'
        WHEN 'build.stuck' THEN coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'advice'), 'the build is stuck: ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'failures') || ' failures in a row')
        WHEN 'tokens.used' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'model') || ': ' || coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'input_tokens'), '0') || ' tokens in, '
            || coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'output_tokens'), '0') || ' out'
        WHEN 'message.sent' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'text') WHEN 'message.delivered' THEN 'an agent was told message ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'id')
        WHEN 'build.paused' THEN 'paused: ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason') WHEN 'build.resumed' THEN 'resumed'
        WHEN 'build.delivered' THEN 'delivered as ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'ref') WHEN 'build.finished' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'outcome') END, e.type) AS message,
    e.data AS context, e.at AS timestamp
FROM events e WHERE e.type <> 'agent.heartbeat';
CREATE VIEW metrics_hourly AS
SELECT timestamp, sum(ended) AS total_tasks, sum(landed) AS successful_tasks, sum(failed) AS failed_tasks,
    sum(cost_usd) AS total_cost_usd, sum(tokens) AS total_tokens, avg(duration_ms) AS avg_duration_ms
FROM (
    SELECT to_char(date_trunc('hour', completed_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS timestamp, 1 AS ended, CASE WHEN status = 'done' THEN 1 ELSE 0 END AS landed,
        CASE WHEN status = 'blocked' THEN 1 ELSE 0 END AS failed, 0 AS cost_usd, 0 AS tokens,
        EXTRACT(EPOCH FROM completed_at - started_at) * 1000 AS duration_ms
    FROM tasks WHERE completed_at IS NOT NULL
    UNION ALL
    SELECT to_char(date_trunc('hour', created_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 0, 0, 0, coalesce(estimated_cost_usd, 0), input_tokens + output_tokens + cache_tokens, NULL
    FROM build_costs
) AS facts GROUP BY timestamp;
CREATE VIEW metrics_daily AS
SELECT timestamp, sum(ended) AS total_tasks, sum(landed) AS successful_tasks, sum(failed) AS failed_tasks,
    sum(cost_usd) AS total_cost_usd, sum(tokens) AS total_tokens, avg(duration_ms) AS avg_duration_ms
FROM (
    SELECT to_char(date_trunc('day', completed_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS timestamp, 1 AS ended, CASE WHEN status = 'done' THEN 1 ELSE 0 END AS landed,
        CASE WHEN status = 'blocked' THEN 1 ELSE 0 END AS failed, 0 AS cost_usd, 0 AS tokens,
        EXTRACT(EPOCH FROM completed_at - started_at) * 1000 AS duration_ms
    FROM tasks WHERE completed_at IS NOT NULL
    UNION ALL
    SELECT to_char(date_trunc('day', created_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 0, 0, 0, coalesce(estimated_cost_usd, 0), input_tokens + output_tokens + cache_tokens, NULL
    FROM build_costs
) AS facts GROUP BY timestamp;
CREATE VIEW metrics_weekly AS
SELECT timestamp, sum(ended) AS total_tasks, sum(landed) AS successful_tasks, sum(failed) AS failed_tasks,
    sum(cost_usd) AS total_cost_usd, sum(tokens) AS total_tokens, avg(duration_ms) AS avg_duration_ms
FROM (
    SELECT to_char(date_trunc('week', completed_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS timestamp, 1 AS ended, CASE WHEN status = 'done' THEN 1 ELSE 0 END AS landed,
        CASE WHEN status = 'blocked' THEN 1 ELSE 0 END AS failed, 0 AS cost_usd, 0 AS tokens,
        EXTRACT(EPOCH FROM completed_at - started_at) * 1000 AS duration_ms
    FROM tasks WHERE completed_at IS NOT NULL
    UNION ALL
    SELECT to_char(date_trunc('week', created_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 0, 0, 0, coalesce(estimated_cost_usd, 0), input_tokens + output_tokens + cache_tokens, NULL
    FROM build_costs
) AS facts GROUP BY timestamp;
UPDATE alembic_version SET version_num='0004' WHERE alembic_version.version_num = '0003';
-- Running upgrade 0004 -> 0005
DROP VIEW task_execution_log;
CREATE VIEW task_execution_log AS
SELECT l.build_id AS execution_id, l.seq AS id, r.project_id AS loop_id, coalesce(l.task, '') AS task_id,
    CASE WHEN l.task <> '' THEN l.task || '#' || l.instance END AS instance_id, l.event_type, l.message,
    l.data AS context, l.at AS timestamp
FROM (
    SELECT e.build_id, e.seq, e.at, e.data, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') AS task,
        coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') AS BIGINT), max(CASE WHEN e.type = 'task.started' THEN CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') AS BIGINT) END)
            OVER (PARTITION BY e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') ORDER BY e.seq)) AS instance,
        CASE e.type WHEN 'task.started' THEN 'task_started' WHEN 'change.landed' THEN 'task_completed'
            WHEN 'task.failed' THEN 'task_failed' WHEN 'task.skipped' THEN 'task_skipped'
            WHEN 'checkpoint.created' THEN 'checkpoint_created' WHEN 'checkpoint.restored' THEN 'checkpoint_restored'
            WHEN 'base.judged' THEN 'validation_run' WHEN 'patch.judged' THEN 'validation_run'
            WHEN 'merge.judged' THEN 'validation_run' WHEN 'build.verified' THEN 'validation_run'
            WHEN 'phase.audited' THEN 'validation_run'
            WHEN 'loop.detected' THEN 'error' WHEN 'build.stuck' THEN 'error'
            WHEN 'agent.broke' THEN 'error' WHEN 'merge.conflicted' THEN 'error' WHEN 'plan.rejected' THEN 'error'
            WHEN 'delivery.failed' THEN 'error' ELSE 'info' END AS event_type,
        coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), CASE e.type
            WHEN 'build.created' THEN 'the build was created' WHEN 'target.prepared' THEN 'the repository is ready'
            WHEN 'plan.made' THEN 'tasks in the plan: ' || json_array_length(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'tasks') WHEN 'plan.changed' THEN 'the plan was changed'
            WHEN 'options.changed' THEN 'the options were changed'
            WHEN 'tests.sealed' THEN coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'why_none'), 'its sealed tests are written')
            WHEN 'task.started' THEN 'attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') || ' has begun'
            WHEN 'task.waited' THEN 'waits for ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'file') || ', which task ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'holder') || ' holds'
            WHEN 'task.retried' THEN 'is tried again' WHEN 'task.skipped' THEN 'was given up by the user'
            WHEN 'agent.finished' THEN coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'summary'), 'the agent has finished')
            WHEN 'base.judged' THEN 'the checks have ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' the base'
            WHEN 'patch.judged' THEN 'the checks have ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' the change of attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt')
            WHEN 'finding.approved' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'by') || ' lets ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'code') || ' pass: ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason')
            WHEN 'judging.reopened' THEN 'the change of attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') || ' is judged again'
            WHEN 'merge.prepared' THEN 'the change waits to land'
            WHEN 'merge.conflicted' THEN 'the change does not merge'
            WHEN 'merge.judged' THEN 'the checks have ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' the change merged'
            WHEN 'build.verified' THEN 'the checks have ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' the result'
            WHEN 'phase.audited' THEN 'the audit has ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' a phase of the plan'
            WHEN 'change.landed' THEN 'landed as ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'commit')
            WHEN 'checkpoint.created' THEN 'a checkpoint of attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt')
            WHEN 'checkpoint.restored' THEN 'attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') || ' goes on from its checkpoint'
            WHEN 'build.stuck' THEN coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'advice'), 'the build is stuck: ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'failures') || ' failures in a row')
            WHEN 'tokens.used' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'model') || ': ' || coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'input_tokens'), '0') || ' tokens in, '
                || coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'output_tokens'), '0') || ' out'
            WHEN 'message.sent' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'text') WHEN 'message.delivered' THEN 'an agent was told message ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'id')
            WHEN 'step.requested' THEN 'a step was asked for'
            WHEN 'build.paused' THEN 'paused: ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason') WHEN 'build.resumed' THEN 'resumed'
            WHEN 'stop.requested' THEN 'the end was asked for'
            WHEN 'build.delivered' THEN coalesce('delivered as ' || nullif((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'ref'), ''), 'there is nothing to deliver')
            WHEN 'build.finished' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'outcome') END, e.type) AS message
    FROM events e WHERE e.type <> 'agent.heartbeat'
) AS l JOIN build_runs r ON r.build_id = l.build_id;
CREATE VIEW audit_runs AS
SELECT e.build_id || '-' || e.seq AS id, e.build_id, r.project_id, r.user_id, (CAST(replace(c.data, '\u0000', '\u2400') AS json) ->> 'repository') AS repository,
    (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'head') AS commit_sha, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'base') AS base_sha, CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'failed' ELSE 'passed' END AS status,
    (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'entry') AS ledger_entry, e.at AS completed_at
FROM events e JOIN build_runs r ON r.build_id = e.build_id JOIN events c ON c.build_id = e.build_id AND c.seq = 1
WHERE e.type = 'phase.audited';
CREATE VIEW audit_checks AS
SELECT a.audit_run_id || '-' || a.code AS id, a.audit_run_id, a.code AS check_code, a.name AS check_name,
    CASE WHEN a.report LIKE '%%"ok":false%%' THEN 'failed' WHEN a.report LIKE '%%"code":"check.not_run"%%' THEN 'not run'
        WHEN a.report LIKE '%%"severity":"warning"%%' THEN 'warned' ELSE 'passed' END AS result,
    coalesce(a.detail, '') AS detail
FROM (
    SELECT e.build_id || '-' || e.seq AS audit_run_id, split_part(t.value ->> 'gate', ' ', 1) AS code, substr(t.value ->> 'gate', strpos(t.value ->> 'gate', ' ') + 1) AS name, CAST(t.value AS text) AS report,
        (t.value -> 'findings' -> 0 ->> 'message') AS detail
    FROM events e CROSS JOIN LATERAL json_array_elements(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'verdict' -> 'reports') AS t (value) WHERE e.type = 'phase.audited'
) AS a;
UPDATE alembic_version SET version_num='0005' WHERE alembic_version.version_num = '0004';
-- Running upgrade 0005 -> 0006
DROP VIEW metrics_weekly;
DROP VIEW metrics_daily;
DROP VIEW metrics_hourly;
CREATE TABLE metrics_sums (
    hour BIGINT NOT NULL, 
    user_id TEXT NOT NULL, 
    pruned BIGINT NOT NULL, 
    succeeded BIGINT NOT NULL, 
    failed BIGINT NOT NULL, 
    skipped BIGINT NOT NULL, 
    first_pass BIGINT NOT NULL, 
    attempts BIGINT NOT NULL, 
    requests BIGINT NOT NULL, 
    input_tokens BIGINT NOT NULL, 
    output_tokens BIGINT NOT NULL, 
    cache_read_tokens BIGINT NOT NULL, 
    cache_write_tokens BIGINT NOT NULL, 
    cost BIGINT NOT NULL, 
    unpriced BIGINT NOT NULL, 
    timed BIGINT NOT NULL, 
    duration BIGINT NOT NULL, 
    PRIMARY KEY (hour, user_id, pruned)
);
CREATE TABLE metrics_durations (
    hours BIGINT NOT NULL, 
    hour BIGINT NOT NULL, 
    user_id TEXT NOT NULL, 
    pruned BIGINT NOT NULL, 
    buckets TEXT NOT NULL, 
    PRIMARY KEY (hours, hour, user_id, pruned)
);
CREATE TABLE metrics_tasks (
    build_id VARCHAR(64) NOT NULL, 
    task VARCHAR(80) NOT NULL, 
    started BIGINT, 
    ended BIGINT NOT NULL, 
    result VARCHAR(20) NOT NULL, 
    attempt BIGINT NOT NULL, 
    PRIMARY KEY (build_id, task)
);
CREATE TABLE metrics_attempts (
    build_id VARCHAR(64) NOT NULL, 
    task VARCHAR(80) NOT NULL, 
    attempt BIGINT NOT NULL, 
    result VARCHAR(20) NOT NULL, 
    PRIMARY KEY (build_id, task, attempt)
);
CREATE TABLE metrics_positions (
    build_id VARCHAR(64) NOT NULL, 
    seq BIGINT NOT NULL, 
    lanes BIGINT, 
    PRIMARY KEY (build_id)
);
INSERT INTO metrics_positions (build_id, seq) SELECT build_id, 0 FROM build_runs;
CREATE FUNCTION metrics_behind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO metrics_positions (build_id, seq) VALUES (NEW.build_id, CASE TG_OP WHEN 'UPDATE' THEN OLD.version ELSE 0 END) ON CONFLICT DO NOTHING; RETURN NULL; END $$;
CREATE TRIGGER metrics_of_new AFTER INSERT ON build_runs FOR EACH ROW EXECUTE FUNCTION metrics_behind();
CREATE TRIGGER metrics_of_reopened AFTER UPDATE OF version ON build_runs FOR EACH ROW WHEN (OLD.completed_at IS NOT NULL) EXECUTE FUNCTION metrics_behind();
CREATE VIEW metrics_hourly AS
SELECT to_char(to_timestamp(period * 3600) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS timestamp, sum(succeeded + failed + skipped) AS total_tasks, sum(succeeded) AS successful_tasks,
    sum(failed) AS failed_tasks, CAST(sum(cost) AS NUMERIC) / 10000000000 AS total_cost_usd,
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens) AS total_tokens,
    CAST(sum(duration) AS NUMERIC) / nullif(sum(timed), 0) AS avg_duration_ms, sum(skipped) AS skipped_tasks,
    sum(first_pass) AS first_pass_tasks, sum(attempts) AS attempts
FROM (SELECT hour AS period, s.* FROM metrics_sums s) AS sums GROUP BY period;
CREATE VIEW metrics_daily AS
SELECT to_char(to_timestamp(period * 3600) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS timestamp, sum(succeeded + failed + skipped) AS total_tasks, sum(succeeded) AS successful_tasks,
    sum(failed) AS failed_tasks, CAST(sum(cost) AS NUMERIC) / 10000000000 AS total_cost_usd,
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens) AS total_tokens,
    CAST(sum(duration) AS NUMERIC) / nullif(sum(timed), 0) AS avg_duration_ms, sum(skipped) AS skipped_tasks,
    sum(first_pass) AS first_pass_tasks, sum(attempts) AS attempts
FROM (SELECT (hour + 0) / 24 * 24 - 0 AS period, s.* FROM metrics_sums s) AS sums GROUP BY period;
CREATE VIEW metrics_weekly AS
SELECT to_char(to_timestamp(period * 3600) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS timestamp, sum(succeeded + failed + skipped) AS total_tasks, sum(succeeded) AS successful_tasks,
    sum(failed) AS failed_tasks, CAST(sum(cost) AS NUMERIC) / 10000000000 AS total_cost_usd,
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens) AS total_tokens,
    CAST(sum(duration) AS NUMERIC) / nullif(sum(timed), 0) AS avg_duration_ms, sum(skipped) AS skipped_tasks,
    sum(first_pass) AS first_pass_tasks, sum(attempts) AS attempts
FROM (SELECT (hour + 72) / 168 * 168 - 72 AS period, s.* FROM metrics_sums s) AS sums GROUP BY period;
UPDATE alembic_version SET version_num='0006' WHERE alembic_version.version_num = '0005';
-- Running upgrade 0006 -> 0007
CREATE TABLE interviews (
    project_id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    version BIGINT NOT NULL, 
    data TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (project_id)
);
CREATE INDEX ix_interviews_user_id ON interviews (user_id, updated_at, project_id);
UPDATE alembic_version SET version_num='0007' WHERE alembic_version.version_num = '0006';
-- Running upgrade 0007 -> 0008
CREATE TABLE project_contracts (
    project_id TEXT NOT NULL, 
    contract_type VARCHAR(20) NOT NULL, 
    version BIGINT NOT NULL, 
    id VARCHAR(64) NOT NULL, 
    user_id TEXT NOT NULL, 
    content TEXT NOT NULL, 
    sources TEXT NOT NULL, 
    template INTEGER NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (project_id, contract_type, version)
);
CREATE INDEX ix_project_contracts_user_id ON project_contracts (user_id, project_id);
UPDATE alembic_version SET version_num='0008' WHERE alembic_version.version_num = '0007';
-- Running upgrade 0008 -> 0009
CREATE TABLE purses (
    kind TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    part TEXT NOT NULL, 
    spent BIGINT NOT NULL, 
    PRIMARY KEY (kind, owner, part)
);
CREATE TABLE purse_holds (
    id TEXT NOT NULL, 
    kind TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    part TEXT NOT NULL, 
    held BIGINT NOT NULL, 
    expires_at BIGINT NOT NULL, 
    PRIMARY KEY (id, kind, owner, part)
);
CREATE INDEX ix_purse_holds_purse ON purse_holds (kind, owner, part);
CREATE TABLE quota_windows (
    provider TEXT NOT NULL, 
    key_digest TEXT NOT NULL, 
    model TEXT NOT NULL, 
    until BIGINT NOT NULL, 
    kind TEXT NOT NULL, 
    PRIMARY KEY (provider, key_digest, model)
);
CREATE TABLE replayed_answers (
    build_id VARCHAR(64) NOT NULL, 
    day TEXT NOT NULL, 
    answers BIGINT NOT NULL, 
    saved BIGINT NOT NULL, 
    PRIMARY KEY (build_id, day)
);
INSERT INTO purses (kind, owner, part, spent)
SELECT 'day', r.user_id, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), CAST(round(sum(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cost_usd') AS NUMERIC) * 10000000000)) AS BIGINT)
FROM events e JOIN build_runs r ON r.build_id = e.build_id
WHERE e.type = 'tokens.used' AND (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cost_usd') IS NOT NULL GROUP BY r.user_id, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD');
INSERT INTO purses (kind, owner, part, spent)
SELECT 'project', r.user_id, r.project_id, CAST(round(sum(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cost_usd') AS NUMERIC) * 10000000000)) AS BIGINT)
FROM events e JOIN build_runs r ON r.build_id = e.build_id
WHERE e.type = 'tokens.used' AND (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cost_usd') IS NOT NULL GROUP BY r.user_id, r.project_id;
UPDATE alembic_version SET version_num='0009' WHERE alembic_version.version_num = '0008';
-- Running upgrade 0009 -> 0010
CREATE TABLE lessons (
    user_id TEXT NOT NULL, 
    id VARCHAR(64) NOT NULL, 
    repository TEXT NOT NULL, 
    pattern TEXT NOT NULL, 
    kind TEXT NOT NULL, 
    content TEXT NOT NULL, 
    confidence DOUBLE PRECISION NOT NULL, 
    source TEXT NOT NULL, 
    build TEXT NOT NULL, 
    task TEXT NOT NULL, 
    attempt BIGINT NOT NULL, 
    seen BIGINT NOT NULL, 
    learned_in TEXT NOT NULL, 
    state TEXT NOT NULL, 
    why TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (user_id, id)
);
CREATE TABLE lesson_trials (
    user_id TEXT NOT NULL, 
    lesson_id VARCHAR(64) NOT NULL, 
    build_id VARCHAR(64) NOT NULL, 
    task VARCHAR(80) NOT NULL, 
    given BOOLEAN NOT NULL, 
    ended BOOLEAN NOT NULL, 
    attempts BIGINT NOT NULL, 
    failed BOOLEAN NOT NULL, 
    cost BIGINT NOT NULL, 
    PRIMARY KEY (user_id, lesson_id, build_id, task)
);
CREATE INDEX ix_lesson_trials_open ON lesson_trials (user_id, build_id) WHERE NOT ended;
UPDATE alembic_version SET version_num='0010' WHERE alembic_version.version_num = '0009';
-- Running upgrade 0010 -> 0011
CREATE TABLE interview_costs (
    project_id TEXT NOT NULL, 
    turn BIGINT NOT NULL, 
    model TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    requests BIGINT NOT NULL, 
    input_tokens BIGINT NOT NULL, 
    output_tokens BIGINT NOT NULL, 
    cache_read_tokens BIGINT NOT NULL, 
    cache_write_tokens BIGINT NOT NULL, 
    cost BIGINT NOT NULL, 
    unpriced BIGINT NOT NULL, 
    PRIMARY KEY (project_id, turn, model)
);
CREATE INDEX ix_interview_costs_user_id ON interview_costs (user_id, at);
INSERT INTO interview_costs (project_id, turn, model, user_id, at, requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost, unpriced) SELECT project_id, 0, '', user_id, updated_at, coalesce(CAST(CAST(data AS json) -> 'cost' ->> 'requests' AS NUMERIC), 0), coalesce(CAST(CAST(data AS json) -> 'cost' ->> 'input_tokens' AS NUMERIC), 0), coalesce(CAST(CAST(data AS json) -> 'cost' ->> 'output_tokens' AS NUMERIC), 0), 0, coalesce(CAST(CAST(data AS json) -> 'cost' ->> 'cache_tokens' AS NUMERIC), 0), CAST(round(coalesce(CAST(CAST(data AS json) -> 'cost' ->> 'cost_usd' AS NUMERIC), 0) * 10000000000) AS BIGINT), coalesce(CAST(CAST(data AS json) -> 'cost' ->> 'unpriced' AS NUMERIC), 0) FROM interviews WHERE coalesce(CAST(CAST(data AS json) -> 'cost' ->> 'requests' AS NUMERIC), 0) > 0;
DROP VIEW cost_entries;
DROP VIEW builds;
DROP VIEW tasks;
CREATE VIEW tasks AS
SELECT p.build_id, p.position, p.id, p.title, p.goal, p.phase, p.phase_number,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped') OR (s.last_type = 'agent.finished' AND s.without_lanes)
            THEN 'done' WHEN s.last_type = 'task.failed' THEN 'blocked'
        WHEN s.last_type IS NULL AND b.task IS NOT NULL THEN 'done'
        WHEN s.last_type IS NULL OR s.last_type IN ('task.retried', 'task.waited') THEN 'todo' ELSE 'doing' END AS status,
    coalesce(b.attempts, 0) + coalesce(s.attempts, 0) AS attempts, p.planned_at AS created_at, s.started_at,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped', 'task.failed')
        OR (s.last_type = 'agent.finished' AND s.without_lanes) THEN s.last_at
        WHEN s.last_type IS NULL THEN b.landed_at END AS completed_at
FROM planned_tasks p LEFT JOIN (
    SELECT g.build_id, g.task, g.attempts, g.started_at, l.type AS last_type, l.at AS last_at,
        coalesce(CAST(replace(c.data, '\u0000', '\u2400') AS json) -> 'options' ->> 'lanes', 'true') = 'false' AS without_lanes
    FROM (
        SELECT e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') AS task, count(CASE WHEN e.type = 'task.started' THEN 1 END) AS attempts,
            min(CASE WHEN e.type = 'task.started' THEN e.at END) AS started_at, max(e.seq) AS last_seq
        FROM events e
        WHERE e.type IN ('task.started', 'task.waited', 'agent.finished', 'agent.broke', 'patch.judged',
            'judging.reopened', 'merge.prepared', 'merge.conflicted', 'merge.judged', 'change.landed', 'task.retried',
            'task.failed', 'task.skipped')
        GROUP BY e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
    ) AS g
    JOIN events l ON l.build_id = g.build_id AND l.seq = g.last_seq
    JOIN events c ON c.build_id = g.build_id AND c.seq = 1
) AS s ON s.build_id = p.build_id AND s.task = p.id
LEFT JOIN (
    SELECT e.build_id, (f.value ->> 'task') AS task, CAST((f.value ->> 'attempt') AS BIGINT) AS attempts, CAST(f.value ->> 'at' AS TIMESTAMP WITH TIME ZONE) AS landed_at
    FROM events e CROSS JOIN LATERAL json_array_elements(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'landed') AS f (value) WHERE e.type = 'build.forked' AND coalesce(f.value ->> 'counts', 'true') = 'true'
    UNION ALL
    SELECT e.build_id, f.value, 0, e.at FROM events e CROSS JOIN LATERAL json_array_elements_text(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'skipped') AS f (value) WHERE e.type = 'build.forked'
) AS b ON b.build_id = p.build_id AND b.task = p.id;
CREATE VIEW builds AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title, r.phase,
    CASE WHEN r.outcome = 'succeeded' THEN 'completed' WHEN r.outcome IN ('failed', 'aborted') THEN 'failed'
        WHEN r.outcome <> '' THEN 'cancelled' WHEN r.control = 'paused' THEN 'paused'
        WHEN r.version <= 1 AND r.control <> 'stopping' THEN 'pending' ELSE 'running' END AS status,
    r.created_at AS started_at, r.completed_at,
    (SELECT count(*) FROM events e WHERE e.build_id = r.build_id AND e.type = 'task.retried') AS loop_count,
    CASE WHEN r.outcome NOT IN ('', 'succeeded') THEN (
        SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), '') FROM events e
        WHERE e.build_id = r.build_id AND e.seq = r.version AND e.type = 'build.finished'
    ) END AS error_detail,
    coalesce(t.target_type, 'repository') AS target_type,
    coalesce(nullif(t.target_ref, ''), (SELECT (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'repository') FROM events e WHERE e.build_id = r.build_id AND e.seq = 1))
        AS target_ref,
    (SELECT e.at FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)) AS paused_at,
    (SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason')) FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END))
        AS pause_reason,
    CASE WHEN r.control = 'paused' THEN coalesce(
        (SELECT p.phase FROM planned_tasks p JOIN events e ON e.build_id = p.build_id AND p.id = (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
            WHERE p.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)),
        (SELECT p.phase FROM tasks p WHERE p.build_id = r.build_id AND p.status <> 'done'
            ORDER BY p.phase_number, p.position LIMIT 1),
        (SELECT p.phase FROM planned_tasks p WHERE p.build_id = r.build_id ORDER BY p.phase_number DESC LIMIT 1),
        'Planning') END AS pause_phase,
    r.created_at, r.updated_at
FROM build_runs r LEFT JOIN projects t ON t.id = r.project_id;
CREATE VIEW cost_entries AS
SELECT id, created_at AS timestamp, task AS task_id, model AS model_name, input_tokens, output_tokens,
    coalesce(estimated_cost_usd, 0) AS cost_usd, build_id AS session_id
FROM build_costs
UNION ALL
SELECT turn, at, '', model, input_tokens, output_tokens, CAST(cost AS NUMERIC) / 10000000000, 'interview-' || project_id
FROM interview_costs;
UPDATE alembic_version SET version_num='0011' WHERE alembic_version.version_num = '0010';
-- Running upgrade 0011 -> 0012
CREATE TABLE lesson_sums (
    user_id TEXT NOT NULL, 
    lesson_id VARCHAR(64) NOT NULL, 
    given BOOLEAN NOT NULL, 
    tasks BIGINT NOT NULL, 
    attempts BIGINT NOT NULL, 
    squares BIGINT NOT NULL, 
    failed BIGINT NOT NULL, 
    cost BIGINT NOT NULL, 
    PRIMARY KEY (user_id, lesson_id, given)
);
INSERT INTO lesson_sums (user_id, lesson_id, given, tasks, attempts, squares, failed, cost)
SELECT user_id, lesson_id, given, count(*), sum(attempts), sum(attempts * attempts),
    sum(CASE WHEN failed THEN 1 ELSE 0 END), sum(cost)
FROM lesson_trials WHERE ended AND NOT EXISTS (SELECT 1 FROM build_runs r WHERE r.build_id = lesson_trials.build_id) GROUP BY user_id, lesson_id, given;
DELETE FROM lesson_trials WHERE NOT EXISTS (SELECT 1 FROM build_runs r WHERE r.build_id = lesson_trials.build_id);
UPDATE alembic_version SET version_num='0012' WHERE alembic_version.version_num = '0011';
-- Running upgrade 0012 -> 0013
CREATE TABLE users (
    user_id TEXT NOT NULL, 
    name TEXT NOT NULL, 
    role VARCHAR(20) NOT NULL, 
    may_run_commands BOOLEAN NOT NULL, 
    most_builds INTEGER, 
    most_builds_an_hour INTEGER, 
    most_usd_a_month BIGINT, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    disabled_at TIMESTAMP WITH TIME ZONE, 
    tokens_since TIMESTAMP WITH TIME ZONE, 
    github_id BIGINT, 
    github_login TEXT, 
    github_token BYTEA, 
    PRIMARY KEY (user_id)
);
CREATE UNIQUE INDEX ix_users_github_id ON users (github_id);
CREATE TABLE tokens (
    jti TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    kind VARCHAR(20) NOT NULL, 
    label TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    last_used_at TIMESTAMP WITH TIME ZONE, 
    revoked_at TIMESTAMP WITH TIME ZONE, 
    PRIMARY KEY (jti)
);
CREATE INDEX ix_tokens_user_id ON tokens (user_id, created_at);
CREATE INDEX ix_tokens_expires_at ON tokens (expires_at);
CREATE TABLE project_members (
    project_id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    role VARCHAR(20) NOT NULL, 
    added_by TEXT NOT NULL, 
    added_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX ix_project_members_user_id ON project_members (user_id);
UPDATE alembic_version SET version_num='0013' WHERE alembic_version.version_num = '0012';
-- Running upgrade 0013 -> 0014
CREATE TABLE connected_repositories (
    id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    site TEXT NOT NULL, 
    name TEXT NOT NULL, 
    webhook TEXT NOT NULL, 
    secret BYTEA NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    last_delivery_at TIMESTAMP WITH TIME ZONE, 
    last_event TEXT NOT NULL, 
    ignored BIGINT NOT NULL, 
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_connected_repositories_name ON connected_repositories (site, name, user_id);
CREATE INDEX ix_connected_repositories_user_id ON connected_repositories (user_id, name);
CREATE TABLE webhook_deliveries (
    repository_id TEXT NOT NULL, 
    delivery_id TEXT NOT NULL, 
    event TEXT NOT NULL, 
    received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (repository_id, delivery_id)
);
CREATE INDEX ix_webhook_deliveries_received_at ON webhook_deliveries (received_at);
CREATE TABLE push_audits (
    id TEXT NOT NULL, 
    repository_id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    repository TEXT NOT NULL, 
    branch TEXT NOT NULL, 
    commit_sha TEXT NOT NULL, 
    base_sha TEXT NOT NULL, 
    push TEXT NOT NULL, 
    status VARCHAR(20) NOT NULL, 
    message TEXT NOT NULL, 
    told TEXT NOT NULL, 
    report TEXT NOT NULL, 
    ledger_entry BIGINT, 
    queued_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    started_at TIMESTAMP WITH TIME ZONE, 
    completed_at TIMESTAMP WITH TIME ZONE, 
    holder TEXT NOT NULL, 
    tries INTEGER NOT NULL, 
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_push_audits_commit ON push_audits (repository_id, commit_sha);
CREATE INDEX ix_push_audits_page ON push_audits (repository_id, queued_at, id);
CREATE INDEX ix_push_audits_waiting ON push_audits (queued_at) WHERE status IN ('queued', 'running');
CREATE TABLE push_audit_checks (
    audit_id TEXT NOT NULL, 
    code TEXT NOT NULL, 
    place INTEGER NOT NULL, 
    name TEXT NOT NULL, 
    result TEXT NOT NULL, 
    detail TEXT NOT NULL, 
    PRIMARY KEY (audit_id, code)
);
DROP VIEW audit_checks;
DROP VIEW audit_runs;
CREATE VIEW audit_runs AS
SELECT e.build_id || '-' || e.seq AS id, e.build_id, r.project_id, r.user_id, (CAST(replace(c.data, '\u0000', '\u2400') AS json) ->> 'repository') AS repository,
    (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'head') AS commit_sha, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'base') AS base_sha, CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'failed' ELSE 'passed' END AS status,
    (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'entry') AS ledger_entry, e.at AS completed_at
FROM events e JOIN build_runs r ON r.build_id = e.build_id JOIN events c ON c.build_id = e.build_id AND c.seq = 1
WHERE e.type = 'phase.audited'
UNION ALL
SELECT p.id, NULL, NULL, p.user_id, p.repository, p.commit_sha, p.base_sha, p.status, CAST(p.ledger_entry AS TEXT), p.completed_at
FROM push_audits p WHERE p.completed_at IS NOT NULL;
CREATE VIEW audit_checks AS
SELECT a.audit_run_id || '-' || a.code AS id, a.audit_run_id, a.code AS check_code, a.name AS check_name,
    CASE WHEN a.report LIKE '%%"ok":false%%' THEN 'failed' WHEN a.report LIKE '%%"code":"check.not_run"%%' THEN 'not run'
        WHEN a.report LIKE '%%"severity":"warning"%%' THEN 'warned' ELSE 'passed' END AS result,
    coalesce(a.detail, '') AS detail
FROM (
    SELECT e.build_id || '-' || e.seq AS audit_run_id, split_part(t.value ->> 'gate', ' ', 1) AS code, substr(t.value ->> 'gate', strpos(t.value ->> 'gate', ' ') + 1) AS name, CAST(t.value AS text) AS report,
        (t.value -> 'findings' -> 0 ->> 'message') AS detail
    FROM events e CROSS JOIN LATERAL json_array_elements(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'verdict' -> 'reports') AS t (value) WHERE e.type = 'phase.audited'
) AS a
UNION ALL
SELECT p.audit_id || '-' || p.code, p.audit_id, p.code, p.name, p.result, p.detail FROM push_audit_checks p;
UPDATE alembic_version SET version_num='0014' WHERE alembic_version.version_num = '0013';
-- Running upgrade 0014 -> 0015
CREATE TABLE plan_costs (
    plan_id TEXT NOT NULL, 
    model TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    project_id TEXT NOT NULL, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    requests BIGINT NOT NULL, 
    input_tokens BIGINT NOT NULL, 
    output_tokens BIGINT NOT NULL, 
    cache_read_tokens BIGINT NOT NULL, 
    cache_write_tokens BIGINT NOT NULL, 
    cost BIGINT NOT NULL, 
    unpriced BIGINT NOT NULL, 
    PRIMARY KEY (plan_id, model)
);
CREATE INDEX ix_plan_costs_user_id ON plan_costs (user_id, at);
DROP VIEW cost_entries;
DROP VIEW build_costs;
DROP VIEW builds;
DROP VIEW task_lists;
DROP VIEW tasks;
DROP VIEW planned_tasks;
CREATE VIEW planned_tasks AS
SELECT build_id, row_number() OVER (PARTITION BY build_id ORDER BY first_said) AS position, id, title, goal, milestone,
    phase_number, coalesce(nullif(milestone, ''), 'Phase ' || phase_number) AS phase, planned_at, edited_at_seq
FROM (
    SELECT t.build_id, t.first_said, t.id, t.title, t.goal, t.milestone, t.planned_at,
        CASE t.whole WHEN 0 THEN t.seq ELSE 0 END AS edited_at_seq,
        dense_rank() OVER (PARTITION BY t.build_id ORDER BY coalesce(m.key, t.milestone_said)) AS phase_number
    FROM (
        SELECT kept.*, max(said) OVER (PARTITION BY build_id, id) AS newest_said,
            min(CASE WHEN seq >= base THEN said END) OVER (PARTITION BY build_id, id) AS first_said,
            min(at) OVER (PARTITION BY build_id, id) AS planned_at
        FROM (
            SELECT n.*, sum(gone) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS drops_left
            FROM (
                SELECT w.*, min(CASE WHEN seq >= base AND gone = 0 THEN said END)
                    OVER (PARTITION BY build_id, milestone) AS milestone_said
                FROM (
                    SELECT s.*, max(whole * seq) OVER (PARTITION BY build_id) AS base
                    FROM (
                        SELECT p.build_id, p.seq, p.at, p.seq * 1000000 + 1 + (t.key - 1) AS said, 0 AS gone,
                            CASE p.type WHEN 'plan.changed' THEN 0 ELSE 1 END AS whole, (t.value ->> 'id') AS id, (t.value ->> 'title') AS title,
                            coalesce((t.value ->> 'goal'), '') AS goal, coalesce((t.value ->> 'milestone'), '') AS milestone
                        FROM events p CROSS JOIN LATERAL json_array_elements(CASE p.type WHEN 'plan.changed' THEN CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'tasks' ELSE CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'tasks' END) WITH ORDINALITY AS t (value, key) WHERE p.type IN ('plan.made', 'plan.changed', 'contracts.changed')
                        UNION ALL
                        SELECT p.build_id, p.seq, p.at, p.seq * 1000000, 1, 0, d.value, '', '', ''
                        FROM events p CROSS JOIN LATERAL json_array_elements_text(CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'dropped') AS d (value) WHERE p.type = 'plan.changed'
                    ) AS s
                ) AS w
            ) AS n
        ) AS kept
        WHERE drops_left = 0
    ) AS t
    JOIN events b ON b.build_id = t.build_id AND b.seq = t.base
    LEFT JOIN LATERAL json_array_elements_text(CAST(replace(b.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'milestones') WITH ORDINALITY AS m (value, key) ON m.value = t.milestone
    WHERE t.said = t.newest_said AND t.seq >= t.base
) AS numbered;
CREATE VIEW tasks AS
SELECT p.build_id, p.position, p.id, p.title, p.goal, p.phase, p.phase_number,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped') OR (s.last_type = 'agent.finished' AND s.without_lanes)
            THEN 'done' WHEN s.last_type = 'task.failed' AND s.last_seq > p.edited_at_seq THEN 'blocked'
        WHEN s.last_type IS NULL AND b.task IS NOT NULL THEN 'done'
        WHEN s.last_type IS NULL OR s.last_type IN ('task.retried', 'task.waited', 'task.failed') THEN 'todo'
        ELSE 'doing' END AS status,
    coalesce(b.attempts, 0) + coalesce(s.attempts, 0) AS attempts, p.planned_at AS created_at, s.started_at,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped')
        OR (s.last_type = 'task.failed' AND s.last_seq > p.edited_at_seq)
        OR (s.last_type = 'agent.finished' AND s.without_lanes) THEN s.last_at
        WHEN s.last_type IS NULL THEN b.landed_at END AS completed_at
FROM planned_tasks p LEFT JOIN (
    SELECT g.build_id, g.task, g.attempts, g.started_at, g.last_seq, l.type AS last_type, l.at AS last_at,
        coalesce(CAST(replace(c.data, '\u0000', '\u2400') AS json) -> 'options' ->> 'lanes', 'true') = 'false' AS without_lanes
    FROM (
        SELECT e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') AS task, count(CASE WHEN e.type = 'task.started' THEN 1 END) AS attempts,
            min(CASE WHEN e.type = 'task.started' THEN e.at END) AS started_at, max(e.seq) AS last_seq
        FROM events e
        WHERE e.type IN ('task.started', 'task.waited', 'agent.finished', 'agent.broke', 'patch.judged',
            'judging.reopened', 'merge.prepared', 'merge.conflicted', 'merge.judged', 'change.landed', 'task.retried',
            'task.failed', 'task.skipped')
        GROUP BY e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
    ) AS g
    JOIN events l ON l.build_id = g.build_id AND l.seq = g.last_seq
    JOIN events c ON c.build_id = g.build_id AND c.seq = 1
) AS s ON s.build_id = p.build_id AND s.task = p.id
LEFT JOIN (
    SELECT e.build_id, (f.value ->> 'task') AS task, CAST((f.value ->> 'attempt') AS BIGINT) AS attempts, CAST(f.value ->> 'at' AS TIMESTAMP WITH TIME ZONE) AS landed_at
    FROM events e CROSS JOIN LATERAL json_array_elements(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'landed') AS f (value) WHERE e.type = 'build.forked' AND coalesce(f.value ->> 'counts', 'true') = 'true'
    UNION ALL
    SELECT e.build_id, f.value, 0, e.at FROM events e CROSS JOIN LATERAL json_array_elements_text(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'skipped') AS f (value) WHERE e.type = 'build.forked'
) AS b ON b.build_id = p.build_id AND b.task = p.id;
CREATE VIEW task_lists AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title AS name, count(*) AS tasks, p.at AS created_at
FROM build_runs r
JOIN events p ON p.build_id = r.build_id AND p.type = 'plan.made'
JOIN planned_tasks t ON t.build_id = r.build_id
GROUP BY r.build_id, r.project_id, r.user_id, r.title, p.at;
CREATE VIEW builds AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title, r.phase,
    CASE WHEN r.outcome = 'succeeded' THEN 'completed' WHEN r.outcome IN ('failed', 'aborted') THEN 'failed'
        WHEN r.outcome <> '' THEN 'cancelled' WHEN r.control = 'paused' THEN 'paused'
        WHEN r.version <= 1 AND r.control <> 'stopping' THEN 'pending' ELSE 'running' END AS status,
    r.created_at AS started_at, r.completed_at,
    (SELECT count(*) FROM events e WHERE e.build_id = r.build_id AND e.type = 'task.retried') AS loop_count,
    CASE WHEN r.outcome NOT IN ('', 'succeeded') THEN (
        SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), '') FROM events e
        WHERE e.build_id = r.build_id AND e.seq = r.version AND e.type = 'build.finished'
    ) END AS error_detail,
    coalesce(t.target_type, 'repository') AS target_type,
    coalesce(nullif(t.target_ref, ''), (SELECT (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'repository') FROM events e WHERE e.build_id = r.build_id AND e.seq = 1))
        AS target_ref,
    (SELECT e.at FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)) AS paused_at,
    (SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason')) FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END))
        AS pause_reason,
    CASE WHEN r.control = 'paused' THEN coalesce(
        (SELECT p.phase FROM planned_tasks p JOIN events e ON e.build_id = p.build_id AND p.id = (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
            WHERE p.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)),
        (SELECT p.phase FROM tasks p WHERE p.build_id = r.build_id AND p.status <> 'done'
            ORDER BY p.phase_number, p.position LIMIT 1),
        (SELECT p.phase FROM planned_tasks p WHERE p.build_id = r.build_id ORDER BY p.phase_number DESC LIMIT 1),
        'Planning') END AS pause_phase,
    r.created_at, r.updated_at
FROM build_runs r LEFT JOIN projects t ON t.id = r.project_id;
CREATE VIEW build_costs AS
SELECT e.build_id, e.seq AS id, coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task'), '') AS task, coalesce(p.phase, 'Planning') AS phase,
    (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'model') AS model,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'input_tokens') AS BIGINT), 0) AS input_tokens,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'output_tokens') AS BIGINT), 0) AS output_tokens,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cache_read_tokens') AS BIGINT), 0) + coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cache_write_tokens') AS BIGINT), 0) AS cache_tokens,
    CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cost_usd') AS NUMERIC) AS estimated_cost_usd, e.at AS created_at
FROM events e LEFT JOIN planned_tasks p ON p.build_id = e.build_id AND p.id = (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') WHERE e.type = 'tokens.used';
CREATE VIEW cost_entries AS
SELECT id, created_at AS timestamp, task AS task_id, model AS model_name, input_tokens, output_tokens,
    coalesce(estimated_cost_usd, 0) AS cost_usd, build_id AS session_id
FROM build_costs
UNION ALL
SELECT turn, at, '', model, input_tokens, output_tokens, CAST(cost AS NUMERIC) / 10000000000, 'interview-' || project_id
FROM interview_costs
UNION ALL
SELECT 1, at, '', model, input_tokens, output_tokens, CAST(cost AS NUMERIC) / 10000000000, plan_id FROM plan_costs;
UPDATE alembic_version SET version_num='0015' WHERE alembic_version.version_num = '0014';
-- Running upgrade 0015 -> 0016
CREATE VIEW repos AS
SELECT id, user_id, site, name AS full_name, webhook AS webhook_id, created_at AS connected_at, last_delivery_at
FROM connected_repositories;
DROP VIEW build_logs;
CREATE VIEW build_logs AS
SELECT build_id, seq AS id, at AS timestamp,
    CASE WHEN kind IN ('said', 'printed', 'wrote', 'ran', 'heard', 'used_tokens', 'warned', 'saved', 'finished')
        THEN 'agent' ELSE kind END AS source,
    CASE WHEN kind = 'warned' OR (kind = 'gate' AND (text LIKE '%%: refused' OR text LIKE '%%: refused, %% findings'))
            THEN 'warning' WHEN kind IN ('printed', 'heard', 'used_tokens', 'saved') THEN 'debug'
        WHEN kind = 'ran' AND text LIKE '$ %%(exit code %%)' AND text NOT LIKE '%%(exit code 0)' THEN 'error'
        ELSE 'info' END AS level,
    text AS message, task, attempt, kind, at AS created_at
FROM logs;
DROP VIEW task_execution_log;
CREATE VIEW task_execution_log AS
SELECT l.build_id AS execution_id, l.seq AS id, r.project_id AS loop_id, coalesce(l.task, '') AS task_id,
    CASE WHEN l.task <> '' THEN l.task || '#' || l.instance END AS instance_id, l.event_type, l.message,
    l.data AS context, l.at AS timestamp
FROM (
    SELECT e.build_id, e.seq, e.at, e.data, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') AS task,
        coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') AS BIGINT), max(CASE WHEN e.type = 'task.started' THEN CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') AS BIGINT) END)
            OVER (PARTITION BY e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') ORDER BY e.seq)) AS instance,
        CASE e.type WHEN 'task.started' THEN 'task_started' WHEN 'change.landed' THEN 'task_completed'
            WHEN 'task.failed' THEN 'task_failed' WHEN 'task.skipped' THEN 'task_skipped'
            WHEN 'checkpoint.created' THEN 'checkpoint_created' WHEN 'checkpoint.restored' THEN 'checkpoint_restored'
            WHEN 'base.judged' THEN 'validation_run' WHEN 'patch.judged' THEN 'validation_run'
            WHEN 'merge.judged' THEN 'validation_run' WHEN 'build.verified' THEN 'validation_run'
            WHEN 'phase.audited' THEN 'validation_run'
            WHEN 'loop.detected' THEN 'error' WHEN 'build.stuck' THEN 'error'
            WHEN 'agent.broke' THEN 'error' WHEN 'merge.conflicted' THEN 'error' WHEN 'plan.rejected' THEN 'error'
            WHEN 'delivery.failed' THEN 'error' WHEN 'lesson.learned' THEN 'discovery_recorded' ELSE 'info' END AS event_type,
        coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), CASE e.type
            WHEN 'build.created' THEN 'the build was created' WHEN 'target.prepared' THEN 'the repository is ready'
            WHEN 'plan.made' THEN 'tasks in the plan: ' || json_array_length(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'tasks') WHEN 'plan.changed' THEN 'the plan was changed'
            WHEN 'options.changed' THEN 'the options were changed'
            WHEN 'tests.sealed' THEN coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'why_none'), 'its sealed tests are written')
            WHEN 'task.started' THEN 'attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') || ' has begun'
            WHEN 'task.waited' THEN 'waits for ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'file') || ', which task ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'holder') || ' holds'
            WHEN 'task.retried' THEN 'is tried again' WHEN 'task.skipped' THEN 'was given up by the user'
            WHEN 'agent.finished' THEN coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'summary'), 'the agent has finished')
            WHEN 'base.judged' THEN 'the checks have ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' the base'
            WHEN 'patch.judged' THEN 'the checks have ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' the change of attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt')
            WHEN 'finding.approved' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'by') || ' lets ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'code') || ' pass: ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason')
            WHEN 'judging.reopened' THEN 'the change of attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') || ' is judged again'
            WHEN 'merge.prepared' THEN 'the change waits to land'
            WHEN 'merge.conflicted' THEN 'the change does not merge'
            WHEN 'merge.judged' THEN 'the checks have ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' the change merged'
            WHEN 'build.verified' THEN 'the checks have ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' the result'
            WHEN 'phase.audited' THEN 'the audit has ' || CASE WHEN e.data LIKE '%%"ok":false%%' THEN 'refused' ELSE 'passed' END || ' a phase of the plan'
            WHEN 'change.landed' THEN 'landed as ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'commit')
            WHEN 'checkpoint.created' THEN 'a checkpoint of attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt')
            WHEN 'checkpoint.restored' THEN 'attempt ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'attempt') || ' goes on from its checkpoint'
            WHEN 'build.stuck' THEN coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'advice'), 'the build is stuck: ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'failures') || ' failures in a row')
            WHEN 'tokens.used' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'model') || ': ' || coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'input_tokens'), '0') || ' tokens in, '
                || coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'output_tokens'), '0') || ' out'
            WHEN 'message.sent' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'text') WHEN 'message.delivered' THEN 'an agent was told message ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'id')
            WHEN 'step.requested' THEN 'a step was asked for'
            WHEN 'build.paused' THEN 'paused: ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason') WHEN 'build.resumed' THEN 'resumed'
            WHEN 'stop.requested' THEN 'the end was asked for'
            WHEN 'build.delivered' THEN coalesce('delivered as ' || nullif((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'ref'), ''), 'there is nothing to deliver')
            WHEN 'build.forked' THEN 'forked from build ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'source') || ' at event ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'last')
            WHEN 'model.chosen' THEN 'asks ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'name') || ' (' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'model') || '): ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason')
            WHEN 'lessons.given' THEN 'lessons given: ' || coalesce(json_array_length(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'given'), 0)
            WHEN 'lesson.learned' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'content')
            WHEN 'agent.denied' THEN 'its agent asked for what it may not reach'
            WHEN 'conversation.compacted' THEN 'the conversation was cut from ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'tokens_before') || ' to '
                || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'tokens_after') || ' tokens'
            WHEN 'budget.reached' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'percent') || ' percent of ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'budget_usd') || ' USD are spent'
            WHEN 'limit.met' THEN coalesce(nullif((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'model'), ''), 'the provider') || ' answers nothing until ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'until')
            WHEN 'spec.changed' THEN 'the spec was changed'
            WHEN 'undo.requested' THEN 'the change will be taken back'
            WHEN 'change.undone' THEN 'taken back as ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'commit')
            WHEN 'contracts.changed' THEN 'continues with newer contracts'
            WHEN 'base.changed' THEN 'stands on ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'commit') || ' from now on'
            WHEN 'build.reopened' THEN 'continues after its end' WHEN 'review.sent' THEN 'a review was sent'
            WHEN 'delivery.requested' THEN 'what has landed is delivered once more or elsewhere'
            WHEN 'phase.marked' THEN 'a phase is marked as complete by ' || (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'commit')
            WHEN 'build.finished' THEN (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'outcome') END, e.type) AS message
    FROM events e WHERE e.type <> 'agent.heartbeat'
) AS l JOIN build_runs r ON r.build_id = l.build_id;
UPDATE alembic_version SET version_num='0016' WHERE alembic_version.version_num = '0015';
-- Running upgrade 0016 -> 0017
ALTER TABLE metrics_positions ADD COLUMN clock TEXT;
ALTER TABLE metrics_tasks ADD COLUMN took BIGINT;
DELETE FROM metrics_sums WHERE pruned = 0;
DELETE FROM metrics_durations WHERE pruned = 0;
DELETE FROM metrics_tasks;
DELETE FROM metrics_attempts;
DELETE FROM metrics_positions;
INSERT INTO metrics_positions (build_id, seq) SELECT build_id, 0 FROM build_runs;
UPDATE alembic_version SET version_num='0017' WHERE alembic_version.version_num = '0016';
-- Running upgrade 0017 -> 0018
DROP VIEW cost_entries;
DROP VIEW build_costs;
DROP VIEW builds;
DROP VIEW task_lists;
DROP VIEW tasks;
DROP VIEW planned_tasks;
CREATE VIEW planned_tasks AS
SELECT build_id, row_number() OVER (PARTITION BY build_id ORDER BY first_said) AS position, id, title, goal, milestone,
    phase_number, coalesce(nullif(milestone, ''), 'Phase ' || phase_number) AS phase, planned_at, edited_at_seq
FROM (
    SELECT t.build_id, t.first_said, t.id, t.title, t.goal, t.milestone, t.planned_at,
        t.edited_at_seq,
        dense_rank() OVER (PARTITION BY t.build_id ORDER BY coalesce(m.key, t.milestone_said)) AS phase_number
    FROM (
        SELECT kept.*, max(said) OVER (PARTITION BY build_id, id) AS newest_said,
            min(CASE WHEN seq >= base THEN said END) OVER (PARTITION BY build_id, id) AS first_said,
            min(at) OVER (PARTITION BY build_id, id) AS planned_at,
            max(CASE WHEN whole = 0 OR work <> work_before THEN seq ELSE 0 END)
                OVER (PARTITION BY build_id, id) AS edited_at_seq
        FROM (
            SELECT n.*, sum(gone) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS drops_left,
                lead(work) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS work_before
            FROM (
                SELECT w.*, min(CASE WHEN seq >= base AND gone = 0 THEN said END)
                    OVER (PARTITION BY build_id, milestone) AS milestone_said
                FROM (
                    SELECT s.*, max(whole * seq) OVER (PARTITION BY build_id) AS base
                    FROM (
                        SELECT p.build_id, p.seq, p.at, p.seq * 1000000 + 1 + (t.key - 1) AS said, 0 AS gone,
                            CASE p.type WHEN 'plan.changed' THEN 0 ELSE 1 END AS whole, (t.value ->> 'id') AS id, (t.value ->> 'title') AS title,
                            coalesce((t.value ->> 'goal'), '') AS goal, coalesce((t.value ->> 'milestone'), '') AS milestone,
                            CAST(json_build_array(t.value -> 'title', t.value -> 'goal', t.value -> 'action', t.value -> 'requirements', t.value -> 'acceptance', t.value -> 'code_template', t.value -> 'validation', t.value -> 'tests_first') AS text) AS work
                        FROM events p CROSS JOIN LATERAL json_array_elements(CASE p.type WHEN 'plan.changed' THEN CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'tasks' ELSE CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'tasks' END) WITH ORDINALITY AS t (value, key) WHERE p.type IN ('plan.made', 'plan.changed', 'contracts.changed')
                        UNION ALL
                        SELECT p.build_id, p.seq, p.at, p.seq * 1000000, 1, 0, d.value, '', '', '', ''
                        FROM events p CROSS JOIN LATERAL json_array_elements_text(CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'dropped') AS d (value) WHERE p.type = 'plan.changed'
                    ) AS s
                ) AS w
            ) AS n
        ) AS kept
        WHERE drops_left = 0
    ) AS t
    JOIN events b ON b.build_id = t.build_id AND b.seq = t.base
    LEFT JOIN LATERAL json_array_elements_text(CAST(replace(b.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'milestones') WITH ORDINALITY AS m (value, key) ON m.value = t.milestone
    WHERE t.said = t.newest_said AND t.seq >= t.base
) AS numbered;
CREATE VIEW tasks AS
SELECT p.build_id, p.position, p.id, p.title, p.goal, p.phase, p.phase_number,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped') OR (s.last_type = 'agent.finished' AND s.without_lanes)
            THEN 'done' WHEN s.last_type = 'task.failed' AND s.last_seq > p.edited_at_seq THEN 'blocked'
        WHEN s.last_type IS NULL AND b.task IS NOT NULL THEN 'done'
        WHEN s.last_type IS NULL OR s.last_type IN ('task.retried', 'task.waited', 'task.failed') THEN 'todo'
        ELSE 'doing' END AS status,
    coalesce(b.attempts, 0) + coalesce(s.attempts, 0) AS attempts, p.planned_at AS created_at, s.started_at,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped')
        OR (s.last_type = 'task.failed' AND s.last_seq > p.edited_at_seq)
        OR (s.last_type = 'agent.finished' AND s.without_lanes) THEN s.last_at
        WHEN s.last_type IS NULL THEN b.landed_at END AS completed_at
FROM planned_tasks p LEFT JOIN (
    SELECT g.build_id, g.task, g.attempts, g.started_at, g.last_seq, l.type AS last_type, l.at AS last_at,
        coalesce(CAST(replace(c.data, '\u0000', '\u2400') AS json) -> 'options' ->> 'lanes', 'true') = 'false' AS without_lanes
    FROM (
        SELECT e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') AS task, count(CASE WHEN e.type = 'task.started' THEN 1 END) AS attempts,
            min(CASE WHEN e.type = 'task.started' THEN e.at END) AS started_at, max(e.seq) AS last_seq
        FROM events e
        WHERE e.type IN ('task.started', 'task.waited', 'agent.finished', 'agent.broke', 'patch.judged',
            'judging.reopened', 'merge.prepared', 'merge.conflicted', 'merge.judged', 'change.landed', 'task.retried',
            'task.failed', 'task.skipped')
        GROUP BY e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
    ) AS g
    JOIN events l ON l.build_id = g.build_id AND l.seq = g.last_seq
    JOIN events c ON c.build_id = g.build_id AND c.seq = 1
) AS s ON s.build_id = p.build_id AND s.task = p.id
LEFT JOIN (
    SELECT e.build_id, (f.value ->> 'task') AS task, CAST((f.value ->> 'attempt') AS BIGINT) AS attempts, CAST(f.value ->> 'at' AS TIMESTAMP WITH TIME ZONE) AS landed_at
    FROM events e CROSS JOIN LATERAL json_array_elements(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'landed') AS f (value) WHERE e.type = 'build.forked' AND coalesce(f.value ->> 'counts', 'true') = 'true'
    UNION ALL
    SELECT e.build_id, f.value, 0, e.at FROM events e CROSS JOIN LATERAL json_array_elements_text(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'skipped') AS f (value) WHERE e.type = 'build.forked'
) AS b ON b.build_id = p.build_id AND b.task = p.id;
CREATE VIEW task_lists AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title AS name, count(*) AS tasks, p.at AS created_at
FROM build_runs r
JOIN events p ON p.build_id = r.build_id AND p.type = 'plan.made'
JOIN planned_tasks t ON t.build_id = r.build_id
GROUP BY r.build_id, r.project_id, r.user_id, r.title, p.at;
CREATE VIEW builds AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title, r.phase,
    CASE WHEN r.outcome = 'succeeded' THEN 'completed' WHEN r.outcome IN ('failed', 'aborted') THEN 'failed'
        WHEN r.outcome <> '' THEN 'cancelled' WHEN r.control = 'paused' THEN 'paused'
        WHEN r.version <= 1 AND r.control <> 'stopping' THEN 'pending' ELSE 'running' END AS status,
    r.created_at AS started_at, r.completed_at,
    (SELECT count(*) FROM events e WHERE e.build_id = r.build_id AND e.type = 'task.retried') AS loop_count,
    CASE WHEN r.outcome NOT IN ('', 'succeeded') THEN (
        SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), '') FROM events e
        WHERE e.build_id = r.build_id AND e.seq = r.version AND e.type = 'build.finished'
    ) END AS error_detail,
    coalesce(t.target_type, 'repository') AS target_type,
    coalesce(nullif(t.target_ref, ''), (SELECT (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'repository') FROM events e WHERE e.build_id = r.build_id AND e.seq = 1))
        AS target_ref,
    (SELECT e.at FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)) AS paused_at,
    (SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason')) FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END))
        AS pause_reason,
    CASE WHEN r.control = 'paused' THEN coalesce(
        (SELECT p.phase FROM planned_tasks p JOIN events e ON e.build_id = p.build_id AND p.id = (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
            WHERE p.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)),
        (SELECT p.phase FROM tasks p WHERE p.build_id = r.build_id AND p.status <> 'done'
            ORDER BY p.phase_number, p.position LIMIT 1),
        (SELECT p.phase FROM planned_tasks p WHERE p.build_id = r.build_id ORDER BY p.phase_number DESC LIMIT 1),
        'Planning') END AS pause_phase,
    r.created_at, r.updated_at
FROM build_runs r LEFT JOIN projects t ON t.id = r.project_id;
CREATE VIEW build_costs AS
SELECT e.build_id, e.seq AS id, coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task'), '') AS task, coalesce(p.phase, 'Planning') AS phase,
    (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'model') AS model,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'input_tokens') AS BIGINT), 0) AS input_tokens,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'output_tokens') AS BIGINT), 0) AS output_tokens,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cache_read_tokens') AS BIGINT), 0) + coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cache_write_tokens') AS BIGINT), 0) AS cache_tokens,
    CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cost_usd') AS NUMERIC) AS estimated_cost_usd, e.at AS created_at
FROM events e LEFT JOIN planned_tasks p ON p.build_id = e.build_id AND p.id = (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') WHERE e.type = 'tokens.used';
CREATE VIEW cost_entries AS
SELECT id, created_at AS timestamp, task AS task_id, model AS model_name, input_tokens, output_tokens,
    coalesce(estimated_cost_usd, 0) AS cost_usd, build_id AS session_id
FROM build_costs
UNION ALL
SELECT turn, at, '', model, input_tokens, output_tokens, CAST(cost AS NUMERIC) / 10000000000, 'interview-' || project_id
FROM interview_costs
UNION ALL
SELECT 1, at, '', model, input_tokens, output_tokens, CAST(cost AS NUMERIC) / 10000000000, plan_id FROM plan_costs;
UPDATE alembic_version SET version_num='0018' WHERE alembic_version.version_num = '0017';
-- Running upgrade 0018 -> 0019
DROP VIEW cost_entries;
DROP VIEW build_costs;
DROP VIEW builds;
DROP VIEW task_lists;
DROP VIEW tasks;
DROP VIEW planned_tasks;
CREATE VIEW planned_tasks AS
SELECT build_id, row_number() OVER (PARTITION BY build_id ORDER BY first_said) AS position, id, title, goal, milestone,
    phase_number, coalesce(nullif(milestone, ''), 'Phase ' || phase_number) AS phase, planned_at, edited_at_seq, back_at_seq
FROM (
    SELECT t.build_id, t.first_said, t.id, t.title, t.goal, t.milestone, t.planned_at,
        t.edited_at_seq, t.back_at_seq,
        dense_rank() OVER (PARTITION BY t.build_id ORDER BY coalesce(m.key, t.milestone_said)) AS phase_number
    FROM (
        SELECT kept.*, max(said) OVER (PARTITION BY build_id, id) AS newest_said,
            min(CASE WHEN seq >= base THEN said END) OVER (PARTITION BY build_id, id) AS first_said,
            min(at) OVER (PARTITION BY build_id, id) AS planned_at,
            max(CASE WHEN whole = 0 OR work <> work_before THEN seq ELSE 0 END)
                OVER (PARTITION BY build_id, id) AS edited_at_seq,
            max(CASE WHEN gone_before = 1 OR seq_before < whole_before THEN seq ELSE 0 END)
                OVER (PARTITION BY build_id, id) AS back_at_seq
        FROM (
            SELECT n.*, sum(gone) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS drops_left,
                lead(work) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS work_before,
                lead(seq) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS seq_before,
                lead(gone) OVER (PARTITION BY build_id, id ORDER BY said DESC) AS gone_before
            FROM (
                SELECT w.*, min(CASE WHEN seq >= base AND gone = 0 THEN said END)
                    OVER (PARTITION BY build_id, milestone) AS milestone_said
                FROM (
                    SELECT s.*, max(whole * seq) OVER (PARTITION BY build_id) AS base,
                        max(whole * seq) OVER (PARTITION BY build_id ORDER BY seq
                            RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS whole_before
                    FROM (
                        SELECT p.build_id, p.seq, p.at, p.seq * 1000000 + 1 + (t.key - 1) AS said, 0 AS gone,
                            CASE p.type WHEN 'plan.changed' THEN 0 ELSE 1 END AS whole, (t.value ->> 'id') AS id, (t.value ->> 'title') AS title,
                            coalesce((t.value ->> 'goal'), '') AS goal, coalesce((t.value ->> 'milestone'), '') AS milestone,
                            CAST(json_build_array(t.value -> 'title', t.value -> 'goal', t.value -> 'action', t.value -> 'requirements', t.value -> 'acceptance', t.value -> 'code_template', t.value -> 'validation', t.value -> 'tests_first') AS text) AS work
                        FROM events p CROSS JOIN LATERAL json_array_elements(CASE p.type WHEN 'plan.changed' THEN CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'tasks' ELSE CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'tasks' END) WITH ORDINALITY AS t (value, key) WHERE p.type IN ('plan.made', 'plan.changed', 'contracts.changed')
                        UNION ALL
                        SELECT p.build_id, p.seq, p.at, p.seq * 1000000, 1, 0, d.value, '', '', '', ''
                        FROM events p CROSS JOIN LATERAL json_array_elements_text(CAST(replace(p.data, '\u0000', '\u2400') AS json) -> 'dropped') AS d (value) WHERE p.type = 'plan.changed'
                    ) AS s
                ) AS w
            ) AS n
        ) AS kept
        WHERE drops_left = 0
    ) AS t
    JOIN events b ON b.build_id = t.build_id AND b.seq = t.base
    LEFT JOIN LATERAL json_array_elements_text(CAST(replace(b.data, '\u0000', '\u2400') AS json) -> 'graph' -> 'milestones') WITH ORDINALITY AS m (value, key) ON m.value = t.milestone
    WHERE t.said = t.newest_said AND t.seq >= t.base
) AS numbered;
CREATE VIEW tasks AS
SELECT p.build_id, p.position, p.id, p.title, p.goal, p.phase, p.phase_number,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped') OR (s.last_type = 'agent.finished' AND s.without_lanes)
            THEN 'done' WHEN s.last_type = 'task.failed' AND s.last_seq > p.edited_at_seq THEN 'blocked'
        WHEN s.last_type IS NULL AND b.task IS NOT NULL THEN 'done'
        WHEN s.last_type IS NULL OR s.last_type IN ('task.retried', 'task.waited', 'task.failed') THEN 'todo'
        ELSE 'doing' END AS status,
    coalesce(b.attempts, 0) + coalesce(s.attempts, 0) AS attempts, p.planned_at AS created_at, s.started_at,
    CASE WHEN s.last_type IN ('change.landed', 'task.skipped')
        OR (s.last_type = 'task.failed' AND s.last_seq > p.edited_at_seq)
        OR (s.last_type = 'agent.finished' AND s.without_lanes) THEN s.last_at
        WHEN s.last_type IS NULL THEN b.landed_at END AS completed_at
FROM planned_tasks p LEFT JOIN (
    SELECT g.build_id, g.task, g.attempts, g.started_at, g.last_seq, l.type AS last_type, l.at AS last_at,
        coalesce(CAST(replace(c.data, '\u0000', '\u2400') AS json) -> 'options' ->> 'lanes', 'true') = 'false' AS without_lanes
    FROM (
        SELECT e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') AS task, count(CASE WHEN e.type = 'task.started' THEN 1 END) AS attempts,
            min(CASE WHEN e.type = 'task.started' THEN e.at END) AS started_at, max(e.seq) AS last_seq
        FROM events e
        WHERE e.type IN ('task.started', 'task.waited', 'agent.finished', 'agent.broke', 'patch.judged',
            'judging.reopened', 'merge.prepared', 'merge.conflicted', 'merge.judged', 'change.landed', 'task.retried',
            'task.failed', 'task.skipped')
        GROUP BY e.build_id, (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
    ) AS g
    JOIN events l ON l.build_id = g.build_id AND l.seq = g.last_seq
    JOIN events c ON c.build_id = g.build_id AND c.seq = 1
) AS s ON s.build_id = p.build_id AND s.task = p.id AND s.last_seq > p.back_at_seq
LEFT JOIN (
    SELECT e.build_id, (f.value ->> 'task') AS task, CAST((f.value ->> 'attempt') AS BIGINT) AS attempts, CAST(f.value ->> 'at' AS TIMESTAMP WITH TIME ZONE) AS landed_at
    FROM events e CROSS JOIN LATERAL json_array_elements(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'landed') AS f (value) WHERE e.type = 'build.forked' AND coalesce(f.value ->> 'counts', 'true') = 'true'
    UNION ALL
    SELECT e.build_id, f.value, 0, e.at FROM events e CROSS JOIN LATERAL json_array_elements_text(CAST(replace(e.data, '\u0000', '\u2400') AS json) -> 'skipped') AS f (value) WHERE e.type = 'build.forked'
) AS b ON b.build_id = p.build_id AND b.task = p.id;
CREATE VIEW task_lists AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title AS name, count(*) AS tasks, p.at AS created_at
FROM build_runs r
JOIN events p ON p.build_id = r.build_id AND p.type = 'plan.made'
JOIN planned_tasks t ON t.build_id = r.build_id
GROUP BY r.build_id, r.project_id, r.user_id, r.title, p.at;
CREATE VIEW builds AS
SELECT r.build_id AS id, r.project_id, r.user_id, r.title, r.phase,
    CASE WHEN r.outcome = 'succeeded' THEN 'completed' WHEN r.outcome IN ('failed', 'aborted') THEN 'failed'
        WHEN r.outcome <> '' THEN 'cancelled' WHEN r.control = 'paused' THEN 'paused'
        WHEN r.version <= 1 AND r.control <> 'stopping' THEN 'pending' ELSE 'running' END AS status,
    r.created_at AS started_at, r.completed_at,
    (SELECT count(*) FROM events e WHERE e.build_id = r.build_id AND e.type = 'task.retried') AS loop_count,
    CASE WHEN r.outcome NOT IN ('', 'succeeded') THEN (
        SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), '') FROM events e
        WHERE e.build_id = r.build_id AND e.seq = r.version AND e.type = 'build.finished'
    ) END AS error_detail,
    coalesce(t.target_type, 'repository') AS target_type,
    coalesce(nullif(t.target_ref, ''), (SELECT (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'repository') FROM events e WHERE e.build_id = r.build_id AND e.seq = 1))
        AS target_ref,
    (SELECT e.at FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)) AS paused_at,
    (SELECT coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'message'), (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'reason')) FROM events e WHERE e.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END))
        AS pause_reason,
    CASE WHEN r.control = 'paused' THEN coalesce(
        (SELECT p.phase FROM planned_tasks p JOIN events e ON e.build_id = p.build_id AND p.id = (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task')
            WHERE p.build_id = r.build_id AND e.seq = (CASE WHEN r.control = 'paused' THEN (
        SELECT max(b.seq) FROM events b WHERE b.build_id = r.build_id AND b.type = 'build.paused') END)),
        (SELECT p.phase FROM tasks p WHERE p.build_id = r.build_id AND p.status <> 'done'
            ORDER BY p.phase_number, p.position LIMIT 1),
        (SELECT p.phase FROM planned_tasks p WHERE p.build_id = r.build_id ORDER BY p.phase_number DESC LIMIT 1),
        'Planning') END AS pause_phase,
    r.created_at, r.updated_at
FROM build_runs r LEFT JOIN projects t ON t.id = r.project_id;
CREATE VIEW build_costs AS
SELECT e.build_id, e.seq AS id, coalesce((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task'), '') AS task, coalesce(p.phase, 'Planning') AS phase,
    (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'model') AS model,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'input_tokens') AS BIGINT), 0) AS input_tokens,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'output_tokens') AS BIGINT), 0) AS output_tokens,
    coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cache_read_tokens') AS BIGINT), 0) + coalesce(CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cache_write_tokens') AS BIGINT), 0) AS cache_tokens,
    CAST((CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'cost_usd') AS NUMERIC) AS estimated_cost_usd, e.at AS created_at
FROM events e LEFT JOIN planned_tasks p ON p.build_id = e.build_id AND p.id = (CAST(replace(e.data, '\u0000', '\u2400') AS json) ->> 'task') WHERE e.type = 'tokens.used';
CREATE VIEW cost_entries AS
SELECT id, created_at AS timestamp, task AS task_id, model AS model_name, input_tokens, output_tokens,
    coalesce(estimated_cost_usd, 0) AS cost_usd, build_id AS session_id
FROM build_costs
UNION ALL
SELECT turn, at, '', model, input_tokens, output_tokens, CAST(cost AS NUMERIC) / 10000000000, 'interview-' || project_id
FROM interview_costs
UNION ALL
SELECT 1, at, '', model, input_tokens, output_tokens, CAST(cost AS NUMERIC) / 10000000000, plan_id FROM plan_costs;
UPDATE alembic_version SET version_num='0019' WHERE alembic_version.version_num = '0018';
-- Running upgrade 0019 -> 0020
CREATE TABLE contract_comments (
    id VARCHAR(64) NOT NULL, 
    project_id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    contract_type VARCHAR(20) NOT NULL, 
    version BIGINT NOT NULL, 
    first_line BIGINT NOT NULL, 
    last_line BIGINT NOT NULL, 
    passage TEXT NOT NULL, 
    text TEXT NOT NULL, 
    author TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    resolved_by TEXT NOT NULL, 
    resolved_at TIMESTAMP WITH TIME ZONE, 
    PRIMARY KEY (id)
);
CREATE INDEX ix_contract_comments_user_id ON contract_comments (user_id, project_id, created_at);
UPDATE alembic_version SET version_num='0020' WHERE alembic_version.version_num = '0019';
