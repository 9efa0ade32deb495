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
CREATE TABLE snapshots (
	build_id VARCHAR(64) NOT NULL, 
	seq BIGINT NOT NULL, 
	data TEXT NOT NULL, 
	crc BIGINT NOT NULL, 
	PRIMARY KEY (build_id, seq)
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
CREATE INDEX ix_build_runs_project_id ON build_runs (project_id);
CREATE INDEX ix_build_runs_project_phase ON build_runs (project_id, phase);
CREATE INDEX ix_build_runs_unsettled ON build_runs (build_id) WHERE NOT settled OR control = 'stopping';
CREATE INDEX ix_build_runs_user_id ON build_runs (user_id);
CREATE INDEX ix_build_runs_wake_at ON build_runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX ix_leases_held ON leases (holder) WHERE holder <> '';
INSERT INTO alembic_version (version_num) VALUES ('0002');
