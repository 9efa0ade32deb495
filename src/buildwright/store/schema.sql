-- Generated from the migrations (`python -m buildwright.store.revisions`); a test compares. Do not edit.
CREATE TABLE actions (
	build_id VARCHAR(64) NOT NULL, 
	"key" TEXT NOT NULL, 
	wanted BOOLEAN NOT NULL, 
	wanted_at DATETIME NOT NULL, 
	holder TEXT NOT NULL, 
	token BIGINT NOT NULL, 
	beat_at DATETIME, 
	expires_at DATETIME, 
	offered_at DATETIME, 
	PRIMARY KEY (build_id, "key")
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE answers (
	build_id VARCHAR(64) NOT NULL, 
	task VARCHAR(80) NOT NULL, 
	attempt INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	nth INTEGER NOT NULL, 
	answer BLOB NOT NULL, 
	crc BIGINT NOT NULL, 
	PRIMARY KEY (build_id, task, attempt, digest, nth)
);
CREATE TABLE artifacts (
	digest VARCHAR(64) NOT NULL, 
	size BIGINT NOT NULL, 
	content BLOB, 
	PRIMARY KEY (digest)
);
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
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	completed_at DATETIME, 
	brief TEXT, 
	build_plan TEXT, 
	product_doc TEXT, settled BOOLEAN DEFAULT 0 NOT NULL, wake_at DATETIME, offered_at DATETIME, 
	PRIMARY KEY (build_id)
);
CREATE TABLE events (
	build_id VARCHAR(64) NOT NULL, 
	seq BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	type VARCHAR(40) NOT NULL, 
	data TEXT NOT NULL, 
	crc BIGINT NOT NULL, 
	PRIMARY KEY (build_id, seq)
)
 WITHOUT ROWID;
CREATE TABLE hosted_builds (
	build_id TEXT NOT NULL, 
	holder TEXT NOT NULL, 
	since DATETIME NOT NULL, 
	PRIMARY KEY (build_id)
);
CREATE TABLE idempotency_keys (
	user_id TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	key_hash VARCHAR(64) NOT NULL, 
	body_hash VARCHAR(64) NOT NULL, 
	location TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	PRIMARY KEY (user_id, scope, key_hash)
);
CREATE TABLE leases (
	build_id VARCHAR(64) NOT NULL, 
	holder TEXT NOT NULL, 
	token BIGINT NOT NULL, 
	expires_at DATETIME NOT NULL, 
	PRIMARY KEY (build_id)
)
 WITHOUT ROWID;
CREATE TABLE logs (
	build_id VARCHAR(64) NOT NULL, 
	seq BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	task VARCHAR(80) NOT NULL, 
	attempt INTEGER NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (build_id, seq)
)
 WITHOUT ROWID;
CREATE TABLE projects (
	id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	status TEXT NOT NULL, 
	target_type TEXT NOT NULL, 
	target_ref TEXT NOT NULL, 
	spec TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
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
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	PRIMARY KEY (event_id)
);
CREATE TABLE snapshots (
	build_id VARCHAR(64) NOT NULL, 
	seq BIGINT NOT NULL, 
	data TEXT NOT NULL, 
	crc BIGINT NOT NULL, 
	PRIMARY KEY (build_id, seq)
);
CREATE TABLE used_tokens (
	jti TEXT NOT NULL, 
	expires_at DATETIME NOT NULL, 
	PRIMARY KEY (jti)
);
CREATE TABLE workers (
	holder TEXT NOT NULL, 
	name TEXT NOT NULL, 
	slots INTEGER NOT NULL, 
	busy INTEGER NOT NULL, 
	started_at DATETIME NOT NULL, 
	beat_at DATETIME NOT NULL, 
	heartbeat_seconds DOUBLE NOT NULL, 
	report TEXT NOT NULL, 
	PRIMARY KEY (holder)
);
CREATE INDEX ix_actions_held ON actions (holder) WHERE holder <> '';
CREATE INDEX ix_build_runs_created_at ON build_runs (created_at);
CREATE INDEX ix_build_runs_project_id ON build_runs (project_id, created_at, build_id);
CREATE INDEX ix_build_runs_project_phase ON build_runs (project_id, phase);
CREATE INDEX ix_build_runs_unfinished ON build_runs (user_id, completed_at, created_at, build_id) WHERE completed_at IS NULL;
CREATE INDEX ix_build_runs_unsettled ON build_runs (build_id) WHERE NOT settled OR control = 'stopping';
CREATE INDEX ix_build_runs_user_id ON build_runs (user_id, created_at, build_id);
CREATE INDEX ix_build_runs_wake_at ON build_runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);
CREATE INDEX ix_leases_held ON leases (holder) WHERE holder <> '';
CREATE INDEX ix_projects_user_id ON projects (user_id, created_at, id);
CREATE INDEX ix_received_events_build_id ON received_events (build_id);
CREATE INDEX ix_received_events_project_id ON received_events (project_id, created_at);
CREATE INDEX ix_received_events_status ON received_events (status, created_at);
CREATE UNIQUE INDEX ix_received_events_task_id ON received_events (task_id);
CREATE INDEX ix_used_tokens_expires_at ON used_tokens (expires_at);
CREATE VIEW build_costs AS
SELECT build_id, seq AS id,
    coalesce(json_extract(replace(data, '\u0000', '\u2400'), '$.task'), '') AS task,
    json_extract(replace(data, '\u0000', '\u2400'), '$.model') AS model,
    coalesce(CAST(json_extract(replace(data, '\u0000', '\u2400'), '$.input_tokens') AS BIGINT), 0) AS input_tokens,
    coalesce(CAST(json_extract(replace(data, '\u0000', '\u2400'), '$.output_tokens') AS BIGINT), 0) AS output_tokens,
    CAST(json_extract(replace(data, '\u0000', '\u2400'), '$.cost_usd') AS REAL) AS estimated_cost_usd, at AS created_at
FROM events WHERE type = 'tokens.used';
CREATE VIEW build_logs AS
SELECT build_id, seq AS id, at AS timestamp,
    CASE WHEN kind = 'gate' THEN 'audit' WHEN kind IN ('engine', 'git') THEN 'system' ELSE 'builder' END AS source,
    CASE WHEN kind = 'warned' THEN 'warn' WHEN kind = 'error' THEN 'error' ELSE 'info' END AS level,
    text AS message, task, attempt, kind, at AS created_at
FROM logs;
CREATE VIEW builds AS
SELECT build_id AS id, project_id, user_id, title, phase,
    CASE WHEN outcome = 'succeeded' THEN 'completed' WHEN outcome = 'failed' THEN 'failed'
        WHEN outcome <> '' THEN 'cancelled' WHEN control = 'paused' THEN 'paused'
        WHEN phase = 'planning' THEN 'pending' ELSE 'running' END AS status,
    created_at AS started_at, completed_at,
    (SELECT count(*) FROM events e WHERE e.build_id = build_runs.build_id AND e.type = 'task.retried') AS loop_count,
    CASE WHEN outcome = 'failed' THEN (
        SELECT coalesce(json_extract(replace(e.data, '\u0000', '\u2400'), '$.message'), '') FROM events e
        WHERE e.build_id = build_runs.build_id AND e.seq = build_runs.version AND e.type = 'build.finished'
    ) END AS error_detail,
    created_at, updated_at
FROM build_runs;
CREATE VIEW task_execution_log AS
SELECT build_id AS execution_id, seq AS id, coalesce(json_extract(replace(data, '\u0000', '\u2400'), '$.task'), '') AS task_id,
    CASE type WHEN 'task.started' THEN 'task_started' WHEN 'change.landed' THEN 'task_completed'
        WHEN 'task.failed' THEN 'task_failed' WHEN 'task.skipped' THEN 'task_skipped'
        WHEN 'checkpoint.created' THEN 'checkpoint_created' WHEN 'checkpoint.restored' THEN 'checkpoint_restored'
        WHEN 'base.judged' THEN 'validation_run' WHEN 'patch.judged' THEN 'validation_run'
        WHEN 'merge.judged' THEN 'validation_run' WHEN 'build.verified' THEN 'validation_run'
        WHEN 'loop.detected' THEN 'discovery_recorded' WHEN 'build.stuck' THEN 'discovery_recorded'
        WHEN 'agent.broke' THEN 'error' WHEN 'merge.conflicted' THEN 'error' WHEN 'plan.rejected' THEN 'error'
        WHEN 'delivery.failed' THEN 'error' ELSE 'info' END AS event_type,
    coalesce(json_extract(replace(data, '\u0000', '\u2400'), '$.message'), type) AS message, data AS context, at AS timestamp
FROM events WHERE type <> 'agent.heartbeat';
INSERT INTO alembic_version (version_num) VALUES ('0003');
