"""The one description of the tables, as SQLAlchemy metadata. Only `runs`, `revisions` and the migrations may import it.

There are no foreign keys on purpose: an append proves its build by the compare-and-set on the head row, in the same
transaction, and an append is the hot path.
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


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time. SQLite keeps no zone, so what goes in is turned into UTC and what comes out says UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


build_runs = Table(
    "build_runs",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("phase", String(20), nullable=False),
    Column("control", String(20), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("current_task_id", String(80), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("completed_at", UtcDateTime, nullable=True),
    Column("brief", Text, nullable=True),
    Column("build_plan", Text, nullable=True),
    Column("product_doc", Text, nullable=True),
    Column("settled", Boolean, nullable=False, server_default=false()),
    Column("wake_at", UtcDateTime, nullable=True),
    Column("offered_at", UtcDateTime, nullable=True),
    Index("ix_build_runs_project_phase", "project_id", "phase"),
    Index("ix_build_runs_created_at", "created_at"),
    Index("ix_build_runs_project_id", "project_id"),
    Index("ix_build_runs_user_id", "user_id"),
    Index("ix_build_runs_unsettled", "build_id", **_where("NOT settled OR control = 'stopping'")),
    Index("ix_build_runs_wake_at", "wake_at", **_where("wake_at IS NOT NULL")),
)
"""One head row per build, kept up by the journal in the transaction of each append.

`settled` says that the board is right as of the last event, `wake_at` when time itself will be a fact, `offered_at` when
`due` named the build last. The partial indexes hold only builds with something to do, so that builds at rest cost nothing;
no append of a settlement changes a column of theirs.
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
"""The journal. `crc` is over all other columns: SQLite itself does not notice a flipped bit inside a page."""

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
"""Who runs a whole build, and the counter of the build's tokens: leases of its actions take theirs from it as well.

A released lease keeps its row, so that the counter goes on growing.
"""

actions = Table(
    "actions",
    metadata,
    Column("build_id", String(64), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("wanted", Boolean, nullable=False),
    Column("wanted_at", UtcDateTime, nullable=False),
    Column("holder", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("beat_at", UtcDateTime, nullable=True),
    Column("expires_at", UtcDateTime, nullable=True),
    Column("offered_at", UtcDateTime, nullable=True),
    Index("ix_actions_held", "holder", **_where("holder <> ''")),
)
"""The board. `wanted_at` is when the action was wanted, or was last free again; `holder` is "" when nobody has it."""

workers = Table(
    "workers",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("busy", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("beat_at", UtcDateTime, nullable=False),
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
"""Finished answers of models, under what was asked."""

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
"""`content` is NULL when the bytes are in a file of that digest under the artifacts folder."""
