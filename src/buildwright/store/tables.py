"""The one description of the tables, as SQLAlchemy metadata. Must be imported only by code that uses SQLAlchemy.

Large because a reader finds all tables of the database here.

There are no foreign keys on purpose: an append proves its build by the compare-and-set on the head row, in the same
transaction, and an append is the hot path. Large because it is a list: each table once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)
from sqlalchemy.types import TypeEngine

from buildwright.store.values import plain


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time. SQLite stores no zone, so values are converted to UTC on the way in and read as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Plain(TypeDecorator[str]):
    """Text from outside, acceptable to every database: a lone surrogate becomes "?", NUL becomes U+2400."""

    impl = Text
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__()
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:  # noqa: ARG002  SQLAlchemy's signature
        return String(self.length) if self.length else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy's signature
        return plain(value).replace("\0", "\u2400") if value is not None else None


metadata = MetaData()


def _columns(names: str, kind: Any, *, nullable: bool = False) -> list[Column[Any]]:
    """Return columns of the same kind, in the order of their names."""
    return [Column(name, kind, nullable=nullable) for name in names.split()]


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


build_runs = Table(
    "build_runs",
    metadata,
    Column("build_id", Plain(64), primary_key=True),
    *_columns("project_id user_id", Plain),
    Column("title", Text, nullable=False),
    Column("phase", Plain(20), nullable=False),
    *_columns("control outcome", String(20)),
    Column("version", BigInteger, nullable=False),
    Column("current_task_id", String(80), nullable=False),
    *_columns("created_at updated_at", UtcDateTime),
    Column("completed_at", UtcDateTime, nullable=True),
    *_columns("brief build_plan product_doc", Text, nullable=True),
    Column("settled", Boolean, nullable=False, server_default=false()),
    *_columns("wake_at offered_at", UtcDateTime, nullable=True),
    Index("ix_build_runs_project_phase", "project_id", "phase"),
    Index("ix_build_runs_created_at", "created_at"),
    Index("ix_build_runs_project_id", "project_id", "created_at", "build_id"),
    Index("ix_build_runs_user_id", "user_id", "created_at", "build_id"),
    Index(
        "ix_build_runs_unfinished",
        "user_id",
        "completed_at",
        "created_at",
        "build_id",
        **_where("completed_at IS NULL"),
    ),
    Index("ix_build_runs_unsettled", "build_id", **_where("NOT settled OR control = 'stopping'")),
    Index("ix_build_runs_wake_at", "wake_at", **_where("wake_at IS NOT NULL")),
)
"""One head row per build, updated by the journal in the transaction of each append.

`settled`: the board is right as of the last event; `wake_at`: when the passing of time alone changes the build;
`offered_at`: when `due` last returned it. The partial indexes hold only builds with something to do, so that builds at
rest cost nothing; no append of a settlement changes one of their columns. The index of unfinished builds also lists its
condition's column: otherwise SQLite walks over all of a user's builds.
"""

events = Table(
    "events",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("type", String(40), nullable=False),
    Column("data", Text, nullable=False),
    Column("crc", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The journal. `crc` covers all other columns: SQLite itself does not notice a flipped bit inside a page."""

snapshots = Table(
    "snapshots",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("data", Text, nullable=False),
    Column("crc", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_leases_held", "holder", **_where("holder <> ''")),
    sqlite_with_rowid=False,
)
"""Leases of whole builds. A released lease keeps its row, so that its token goes on growing."""

actions = Table(
    "actions",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("wanted", Boolean, nullable=False),
    Column("wanted_at", UtcDateTime, nullable=False),
    Column("holder", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    *_columns("beat_at expires_at offered_at", UtcDateTime, nullable=True),
    Index("ix_actions_held", "holder", **_where("holder <> ''")),
)
"""The board. `wanted_at` is when the action was wanted, or last became free; `holder` is "" when it is free."""

workers = Table(
    "workers",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("name", Text, nullable=False),
    *_columns("slots busy", Integer),
    *_columns("started_at beat_at", UtcDateTime),
    Column("heartbeat_seconds", Double, nullable=False),
    Column("report", Text, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("task", String(80), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), primary_key=True),
    Column("nth", Integer, primary_key=True, autoincrement=False),
    Column("answer", LargeBinary, nullable=False),
    Column("crc", BigInteger, nullable=False),
)
"""Finished answers of models, by request."""

logs = Table(
    "logs",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("task", String(80), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=True),
)
"""`content` is NULL when the bytes are in a file of that digest in the artifacts folder."""

# --- Stats ------------------------------------------------------------------------------------------------------------

_MADE_AGAIN = {"lost": "1 = 0"}
"""Of a table whose rows are made again from the journals: which of them a rollback would lose."""

metrics_sums = Table(
    "metrics_sums",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", Text, primary_key=True),
    Column("pruned", BigInteger, primary_key=True, autoincrement=False),
    *_columns("succeeded failed skipped first_pass attempts requests input_tokens output_tokens", BigInteger),
    *_columns("cache_read_tokens cache_write_tokens cost unpriced timed duration", BigInteger),
    sqlite_with_rowid=False,
    info={"lost": "pruned = 1"},
)
"""What builds came to. `hour` counts from 1970 in UTC; `cost` is in units of 1e-10 USD; `duration` is the milliseconds of
the `timed` tasks; `pruned` is 1 for what builds that were pruned came to, else 0."""

metrics_durations = Table(
    "metrics_durations",
    metadata,
    Column("hours", BigInteger, primary_key=True, autoincrement=False),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", Text, primary_key=True),
    Column("pruned", BigInteger, primary_key=True, autoincrement=False),
    Column("buckets", Text, nullable=False),
    sqlite_with_rowid=False,
    info={"lost": "pruned = 1"},
)
"""How long tasks took that ended in an hour, or in a day (`hours` is 24): JSON of a list with a bucket
(`views.stats.bucket_of`), how many tasks are in it, the next bucket, and so on."""

metrics_tasks = Table(
    "metrics_tasks",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("task", String(80), primary_key=True),
    Column("started", BigInteger, nullable=True),
    Column("ended", BigInteger, nullable=False),
    Column("result", String(20), nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("took", BigInteger, nullable=True),
    sqlite_with_rowid=False,
    info=_MADE_AGAIN,
)
"""How each task is counted in the sums, so that it can be counted otherwise. `ended` is in milliseconds since 1970,
`started` what the build's working time was at the start, and `took` the working time from there to its end."""

metrics_attempts = Table(
    "metrics_attempts",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("task", String(80), primary_key=True),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("result", String(20), nullable=False),
    sqlite_with_rowid=False,
    info=_MADE_AGAIN,
)
"""What became of each attempt: `open`, `landed`, or a `Rejection`."""

metrics_positions = Table(
    "metrics_positions",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("lanes", BigInteger, nullable=True),
    Column("clock", Text, nullable=True),
    sqlite_with_rowid=False,
    info=_MADE_AGAIN,
)
"""The builds whose events are not all counted, or that have not ended, and the last event of each that is. `clock` is how
the build's working time stood then (`core.work_clock`)."""

# --- Lessons ---------------------------------------------------------------------------------------------------------

lessons = Table(
    "lessons",
    metadata,
    Column("user_id", Plain, primary_key=True),
    Column("id", String(64), primary_key=True),
    *_columns("repository pattern kind content", Plain),
    Column("confidence", Double, nullable=False),
    *_columns("source build task", Plain),
    *_columns("attempt seen", BigInteger),
    Column("learned_in", Text, nullable=False),
    *_columns("state why", Plain),
    *_columns("created_at updated_at", UtcDateTime),
)
"""What a user's builds have learned. `learned_in` is JSON: a list of `build/task/attempt`, the newest last, so that an
attempt whose end is judged once more after a crash raises no confidence twice."""

lesson_trials = Table(
    "lesson_trials",
    metadata,
    Column("user_id", Plain, primary_key=True),
    Column("lesson_id", String(64), primary_key=True),
    Column("build_id", String(64), primary_key=True),
    Column("task", String(80), primary_key=True),
    Column("given", Boolean, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Index("ix_lesson_trials_open", "user_id", "build_id", **_where("NOT ended")),
)
"""Tasks that a lesson was chosen for, with it (`given`) or without. `cost` is in units of 1e-10 USD."""

lesson_sums = Table(
    "lesson_sums",
    metadata,
    Column("user_id", Plain, primary_key=True),
    Column("lesson_id", String(64), primary_key=True),
    Column("given", Boolean, primary_key=True),
    *_columns("tasks attempts squares failed cost", BigInteger),
)
"""What the trials came to whose builds were removed: sums over their tasks, `squares` over the squares of attempts."""

# --- Money ------------------------------------------------------------------------------------------------------------


def _purse() -> list[Column[Any]]:
    return [Column(name, Text, primary_key=True) for name in ("kind", "owner", "part")]


purses = Table(
    "purses",
    metadata,
    *_purse(),
    Column("spent", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    info=_MADE_AGAIN,
)
"""What was spent of each purse (`ports.PurseName`), in units of 1e-10 USD."""

purse_holds = Table(
    "purse_holds",
    metadata,
    Column("id", Text, primary_key=True),
    *_purse(),
    *_columns("held expires_at", BigInteger),
    Index("ix_purse_holds_purse", "kind", "owner", "part"),
    sqlite_with_rowid=False,
    info=_MADE_AGAIN,
)
"""What requests under way hold back of purses, until `expires_at` (milliseconds since 1970)."""

quota_windows = Table(
    "quota_windows",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("provider", "key_digest", "model")),
    Column("until", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    sqlite_with_rowid=False,
    info=_MADE_AGAIN,
)
"""Until when a provider answers no request with a key (its digest) for a model: milliseconds since 1970."""

replayed_answers = Table(
    "replayed_answers",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("day", Text, primary_key=True),
    *_columns("answers saved", BigInteger),
    sqlite_with_rowid=False,
    info=_MADE_AGAIN,
)
"""Answers of a build that were kept and played again on a day (UTC), and what they did not cost, as `purses.spent`."""

# --- The server's records ---------------------------------------------------------------------------------------------

projects = Table(
    "projects",
    metadata,
    Column("id", Plain, primary_key=True),
    *_columns("user_id name description status target_type target_ref spec", Plain),
    *_columns("created_at updated_at", UtcDateTime),
    Index("ix_projects_user_id", "user_id", "created_at", "id"),
)
"""`spec` is JSON, or "" when there is none yet. A build names its project in `build_runs.project_id`."""

interviews = Table(
    "interviews",
    metadata,
    Column("project_id", Plain, primary_key=True),
    Column("user_id", Plain, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("data", Plain, nullable=False),
    *_columns("created_at updated_at", UtcDateTime),
    Index("ix_interviews_user_id", "user_id", "updated_at", "project_id"),
)
"""`data` is JSON. A change names the `version` that it was made from."""

interview_costs = Table(
    "interview_costs",
    metadata,
    Column("project_id", Plain, primary_key=True),
    Column("turn", BigInteger, primary_key=True, autoincrement=False),
    Column("model", Plain, primary_key=True),
    Column("user_id", Plain, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    *_columns("requests input_tokens output_tokens cache_read_tokens cache_write_tokens cost unpriced", BigInteger),
    Index("ix_interview_costs_user_id", "user_id", "at"),
)
"""What the requests of a model in one turn of an interview came to. `cost` is in parts of a dollar (`COST_UNITS`)."""

plan_costs = Table(
    "plan_costs",
    metadata,
    Column("plan_id", Plain, primary_key=True),
    Column("model", Plain, primary_key=True),
    *_columns("user_id project_id", Plain),
    Column("at", UtcDateTime, nullable=False),
    *_columns("requests input_tokens output_tokens cache_read_tokens cache_write_tokens cost unpriced", BigInteger),
    Index("ix_plan_costs_user_id", "user_id", "at"),
)
"""What the requests of a model for a plan without a build came to. `cost` is in parts of a dollar (`COST_UNITS`)."""

project_contracts = Table(
    "project_contracts",
    metadata,
    Column("project_id", Plain, primary_key=True),
    Column("contract_type", String(20), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(64), nullable=False),
    *_columns("user_id content", Plain),
    Column("sources", Text, nullable=False),
    Column("template", Integer, nullable=False),
    *_columns("created_at updated_at", UtcDateTime),
    Index("ix_project_contracts_user_id", "user_id", "project_id"),
)
"""Every version of the contracts. `sources` is JSON: for each line of the content a list of ids of answers."""

contract_comments = Table(
    "contract_comments",
    metadata,
    Column("id", String(64), primary_key=True),
    *_columns("project_id user_id", Plain),
    Column("contract_type", String(20), nullable=False),
    *_columns("version first_line last_line", BigInteger),
    *_columns("passage text author", Plain),
    Column("created_at", UtcDateTime, nullable=False),
    Column("resolved_by", Plain, nullable=False),
    Column("resolved_at", UtcDateTime, nullable=True),
    Index("ix_contract_comments_user_id", "user_id", "project_id", "created_at"),
)
"""Comments on paragraphs of contracts: lines of a version, and what they were then. `user_id` owns the project."""

received_events = Table(
    "received_events",
    metadata,
    Column("event_id", Plain, primary_key=True),
    *_columns("task_id user_id project_id type", Plain),
    Column("data", Text, nullable=False),
    Column("status", Plain, nullable=False),
    Column("task_context", Text, nullable=False),
    Column("context_version", BigInteger, nullable=False),
    *_columns("build_id correlation_id message holder", Plain),
    *_columns("created_at updated_at", UtcDateTime),
    Index("ix_received_events_task_id", "task_id", unique=True),
    Index("ix_received_events_status", "status", "created_at"),
    Index("ix_received_events_project_id", "project_id", "created_at"),
    Index("ix_received_events_build_id", "build_id"),
)
"""The inbox: events of other systems. `data` and `task_context` are JSON; `build_id` is "" until one was started."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Plain, primary_key=True),
    Column("scope", Plain, primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    *_columns("location answer", Plain),
    Column("state", String(20), nullable=False),
    *_columns("created_at expires_at", UtcDateTime),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
)
"""Requests that may be sent twice and are carried out once. The key itself is never stored."""

used_tokens = Table(
    "used_tokens",
    metadata,
    Column("jti", Plain, primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_used_tokens_expires_at", "expires_at"),
)
"""Ids of tokens for one use that have been used; once expired, the token's own date refuses it."""

hosted_builds = Table(
    "hosted_builds",
    metadata,
    Column("build_id", Plain, primary_key=True),
    Column("holder", Plain, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
"""Builds that a server drives, and continues when it starts again."""

# --- Users ------------------------------------------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    Column("user_id", Plain, primary_key=True),
    Column("name", Plain, nullable=False),
    Column("role", String(20), nullable=False),
    Column("may_run_commands", Boolean, nullable=False),
    *_columns("most_builds most_builds_an_hour", Integer, nullable=True),
    Column("most_usd_a_month", BigInteger, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    *_columns("disabled_at tokens_since", UtcDateTime, nullable=True),
    Column("github_id", BigInteger, nullable=True),
    Column("github_login", Plain, nullable=True),
    Column("github_token", LargeBinary, nullable=True),
    Index("ix_users_github_id", "github_id", unique=True),
)
"""The users of this server. Limits that are NULL are those of the server; `most_usd_a_month` is in units of
1e-10 USD. Tokens issued before `tokens_since` are refused. `github_token` is encrypted."""

tokens = Table(
    "tokens",
    metadata,
    Column("jti", Plain, primary_key=True),
    Column("user_id", Plain, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("label", Plain, nullable=False),
    *_columns("created_at expires_at", UtcDateTime),
    *_columns("last_used_at revoked_at", UtcDateTime, nullable=True),
    Index("ix_tokens_user_id", "user_id", "created_at"),
    Index("ix_tokens_expires_at", "expires_at"),
)
"""The tokens that were issued or seen, by their ids: a token itself is never stored."""

project_members = Table(
    "project_members",
    metadata,
    Column("project_id", Plain, primary_key=True),
    Column("user_id", Plain, primary_key=True),
    Column("role", String(20), nullable=False),
    Column("added_by", Plain, nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Index("ix_project_members_user_id", "user_id"),
)
"""With whom a project is shared. Its owner stands in `projects.user_id`, not here."""

# --- Connected repositories -------------------------------------------------------------------------------------------

connected_repositories = Table(
    "connected_repositories",
    metadata,
    Column("id", Plain, primary_key=True),
    *_columns("user_id site name webhook", Plain),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_delivery_at", UtcDateTime, nullable=True),
    Column("last_event", Plain, nullable=False),
    Column("ignored", BigInteger, nullable=False),
    Index("ix_connected_repositories_name", "site", "name", "user_id", unique=True),
    Index("ix_connected_repositories_user_id", "user_id", "name"),
)
"""Repositories of a forge whose pushes are audited for a user. `secret`, that of the webhook, is encrypted."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("repository_id", Plain, primary_key=True),
    Column("delivery_id", Plain, primary_key=True),
    Column("event", Plain, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Index("ix_webhook_deliveries_received_at", "received_at"),
)
"""Deliveries of webhooks that were answered: one that comes again is not done again."""

push_audits = Table(
    "push_audits",
    metadata,
    Column("id", Plain, primary_key=True),
    *_columns("repository_id user_id repository branch commit_sha base_sha push", Plain),
    Column("status", String(20), nullable=False),
    *_columns("message told", Plain),
    Column("report", Text, nullable=False),
    Column("ledger_entry", BigInteger, nullable=True),
    Column("queued_at", UtcDateTime, nullable=False),
    *_columns("started_at completed_at", UtcDateTime, nullable=True),
    Column("holder", Plain, nullable=False),
    Column("tries", Integer, nullable=False),
    Index("ix_push_audits_commit", "repository_id", "commit_sha", unique=True),
    Index("ix_push_audits_page", "repository_id", "queued_at", "id"),
    Index("ix_push_audits_waiting", "queued_at", **_where("status IN ('queued', 'running')")),
)
"""Audits of pushed commits, from the queue to the result. `push` and `report` are JSON."""

push_audit_checks = Table(
    "push_audit_checks",
    metadata,
    Column("audit_id", Plain, primary_key=True),
    Column("code", Plain, primary_key=True),
    Column("place", Integer, nullable=False),
    *_columns("name result detail", Plain),
)
"""What each check said in such an audit."""
