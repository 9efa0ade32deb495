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
