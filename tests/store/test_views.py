"""What others see in the database with SQL, under the names that they know; and that a rollback leaves the journal."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from buildwright.core import event as e
from buildwright.errors import Conflict
from buildwright.ports import LogEntry
from buildwright.store import opening, revisions
from buildwright.store.database import Database
from buildwright.store.inbox import asked
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.records import Records
from tests import services
from tests.store.process import AT, beat, created, open_in


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path | str]:
    if request.param == "sqlite":
        yield tmp_path / "buildwright.db"
    else:
        async with services.fresh_database() as url:
            yield url


async def fill(database: Path | str) -> None:
    """Two builds: one that failed, of which one line was logged, and one that has just begun."""
    store = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    await store.create("a", [created("a")], AT)
    await store.append(
        "a",
        1,
        [
            e.TaskStarted(task="t", attempt=1),
            e.TokensUsed(task="t", attempt=1, model="m", input_tokens=3_000_000_000, cost_usd=Decimal("0.25")),
            e.TokensUsed(model="n", output_tokens=7),
            beat("x"),
            e.AgentBroke(task="t", attempt=1, kind="crashed", message="it\0broke"),
            e.BuildFinished(outcome="failed", message="no"),
        ],
        AT,
    )
    lines = [LogEntry(AT, "t", 1, kind, kind) for kind in ("said", "gate", "git", "warned")]
    await store.write_log("a", lines)
    await store.create("b", [created("b")], AT)
    await store.close()


async def ask(database: Path | str, question: str) -> list[tuple[Any, ...]]:
    opened = Database.open(database)
    rows = await opened.fetch(text(question))
    await opened.close()
    return [tuple(row) for row in rows]


async def test_builds_logs_costs_and_tasks_under_their_other_names(database: Path | str) -> None:
    await fill(database)
    builds = "SELECT id, project_id, phase, status, loop_count, error_detail FROM builds ORDER BY id"
    assert await ask(database, builds) == [
        ("a", "p", "error", "failed", 0, "no"),
        ("b", "p", "planning", "pending", 0, None),
    ]
    ended = await ask(database, "SELECT id FROM builds WHERE completed_at = created_at AND started_at = created_at")
    assert ended == [("a",)]
    logs = "SELECT build_id, id, source, level, message FROM build_logs ORDER BY id"
    assert await ask(database, logs) == [
        ("a", 1, "builder", "info", "said"),
        ("a", 2, "audit", "info", "gate"),
        ("a", 3, "system", "info", "git"),
        ("a", 4, "builder", "warn", "warned"),
    ]
    costs = "SELECT build_id, task, model, input_tokens, output_tokens, estimated_cost_usd FROM build_costs ORDER BY id"
    assert await ask(database, costs) == [
        ("a", "t", "m", 3_000_000_000, 0, Decimal("0.25")),
        ("a", "", "n", 0, 7, None),
    ]
    tasks = "SELECT task_id, event_type, message FROM task_execution_log WHERE execution_id = 'a' ORDER BY id"
    seen = await ask(database, tasks)
    assert [row[:2] for row in seen] == [
        ("", "info"),
        ("t", "task_started"),
        ("t", "info"),
        ("", "info"),
        ("t", "error"),
        ("", "info"),
    ]
    assert [row[2] for row in seen[3:]] == ["tokens.used", "it\u2400broke", "no"]


async def test_down_and_up_with_data(database: Path | str) -> None:
    await fill(database)
    views = await ask(database, "SELECT * FROM builds ORDER BY id")
    records = Records.open(database)
    await records.projects.create("u", "x", at=AT)
    await records.inbox.keep(asked("u", "p", "x", {}, "", AT))
    await records.keys.claim("u", "POST /", "k", b"", AT)
    await records.tokens.use("t", AT.replace(year=2999), AT)
    await records.hosting.host("b", "h:1:1", AT)
    rows = await records.runs.page("u", 10)
    assert len(rows) == 2
    await records.close()
    lost = "hosted_builds, idempotency_keys, projects, received_events, used_tokens"
    with pytest.raises(Conflict, match=lost):
        await revisions.rollback(database)
    assert await revisions.version(database) == "0003"
    assert await revisions.rollback(database, drop_data=True) == "0002"
    await revisions.migrate(database)
    assert await ask(database, "SELECT * FROM builds ORDER BY id") == views
    records = Records.open(database)
    assert await records.runs.page("u", 10) == rows
    assert await records.projects.page("u", 10) == []
    await records.close()


async def test_the_indexes_after_a_rollback_are_those_of_before(tmp_path: Path) -> None:
    def schema(path: Path) -> list[tuple[str, str]]:
        conn = sqlite3.connect(path)
        found = conn.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
        conn.close()
        return [(name, sql) for name, sql in found if name != "alembic_version"]

    path = tmp_path / "buildwright.db"
    opening.open_writer(path, 5).close()
    new = schema(path)
    assert await revisions.rollback(path) == "0002"
    old = schema(path)
    assert ("ix_build_runs_user_id", "CREATE INDEX ix_build_runs_user_id ON build_runs (user_id)") in old
    assert not [sql for _, sql in old if "VIEW" in sql]
    await revisions.migrate(path)
    assert schema(path) == new
