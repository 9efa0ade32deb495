"""The names and words of the views that others read: what a change taught, and the repositories."""

from __future__ import annotations

from pathlib import Path

from buildwright.core import event as e
from buildwright.ports import LogEntry
from buildwright.store import revisions
from buildwright.store.build_queries import BuildQueries
from buildwright.store.database import Database
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.repositories import Repositories
from buildwright.views.project import log_row
from tests.core.test_sanitize import ALL, example
from tests.store.process import AT, created, open_in
from tests.store.test_views import ask


async def test_every_event_has_words_in_the_log_of_tasks(database: Path | str) -> None:
    store = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    await store.create("w", [created("w")], AT)
    others = [cls for cls in ALL if cls not in (e.BuildCreated, e.AgentHeartbeat)]
    await store.append("w", 1, [example(cls, "x") for cls in others], AT)
    await store.close()
    runs = BuildQueries.open(database)
    entries = await runs.execution_log("w", limit=len(others) + 1)
    await runs.close()
    names = {cls.model_fields["type"].default for cls in ALL}
    assert len(entries) == len(others) + 1
    assert [entry.message for entry in entries if entry.message in names] == []


async def test_what_a_change_taught_is_a_discovery_in_the_log_of_tasks(database: Path | str) -> None:
    store = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    await store.create("w", [created("w")], AT)
    taught = e.LessonLearned(task="t", attempt=2, lesson="i", pattern="*.py", content="Use Decimal.", confidence=0.6)
    given = (e.TaskStarted(task="t", attempt=2), e.LessonsGiven(task="t", attempt=2), taught)
    await store.append("w", 1, given, AT)
    await store.close()
    seen = await ask(database, "SELECT event_type, instance_id, message FROM task_execution_log ORDER BY id")
    assert seen[2:] == [("info", "t#2", "lessons given: 0"), ("discovery_recorded", "t#2", "Use Decimal.")]


async def test_connected_repositories_have_their_other_name(database: Path | str) -> None:
    await revisions.migrate(database)
    opened = Database.open(database)
    repositories = Repositories(opened)
    made = await repositories.connect("ann", "https://github.example", "ann/notes", b"secret", AT)
    await repositories.set_webhook(made.id, "hook")
    await opened.close()
    question = "SELECT id, user_id, full_name, webhook_id FROM repos"
    assert await ask(database, question) == [(made.id, "ann", "ann/notes", "hook")]


async def test_lines_of_the_log_have_the_source_and_the_level_of_the_api(database: Path | str) -> None:
    store = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    await store.create("w", [created("w")], AT)
    kinds = [
        "said",
        "printed",
        "wrote",
        "ran",
        "heard",
        "used_tokens",
        "warned",
        "saved",
        "finished",
        "command",
        "engine",
        "gate",
        "git",
    ]
    lines = [
        *((kind, kind) for kind in kinds),
        ("ran", "$ make (exit code 2)"),
        ("gate", "checks: refused, 2 findings"),
    ]
    await store.write_log("w", [LogEntry(AT, "", 0, kind, words) for kind, words in lines])
    await store.close()
    seen = await ask(database, "SELECT source, level, message FROM build_logs ORDER BY id")
    rows = [log_row(1, AT, "", 0, kind, words) for kind, words in lines]
    assert seen == [(row.source, row.level, row.message) for row in rows]
