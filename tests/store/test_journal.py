"""What the journal writes beside its events, on the two databases: logs of many builds, artifacts that come again."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from buildwright.ports import LogEntry
from buildwright.store.journal import Journal
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.opening import connect
from tests.store.process import AT, open_in


@pytest.fixture
async def journal(database: Path | str) -> AsyncIterator[Journal]:
    if isinstance(database, str):
        opened: Journal = await PostgresBuilds.open(database)
    else:
        opened = await SqliteBuilds.open(database, database.parent / "artifacts")
    yield opened
    await opened.close()


async def test_lines_of_a_build_that_cannot_be_written_are_counted_for_that_build_alone(journal: Journal) -> None:
    await journal.write_log("well", [LogEntry(AT, "a", 1, "said", "one")])
    await journal.write_log("ill", [LogEntry(AT, "a", 1 << 70, "said", "no database holds this number")] * 2)
    await journal.write_log("good", [LogEntry(AT, "a", 1, "said", "one")])
    for build_id in ("well", "ill", "good"):
        await journal.read_log(build_id)
        await journal.write_log(build_id, [LogEntry(AT, "a", 1, "said", "two")])
    lines = {build_id: [line.text for line in await journal.read_log(build_id)] for build_id in ("well", "ill", "good")}
    assert lines["well"] == lines["good"] == ["one", "two"]
    assert lines["ill"] == ["2 log lines before this one could not be written", "two"]


async def test_lines_of_many_builds_are_one_commit_or_few(tmp_path: Path) -> None:
    store = await open_in(tmp_path)
    try:
        wal = tmp_path / "buildwright.db-wal"
        with closing(sqlite3.connect(tmp_path / "buildwright.db")) as conn:
            (page,) = conn.execute("PRAGMA page_size").fetchone()
        before = wal.stat().st_size
        for number in range(200):
            await store.write_log(f"{number:03}", [LogEntry(AT, "a", 1, "said", "line")])
        await store.read_log("000")
        await store.read_log("199")
        assert len(await store.read_log("100")) == 1
        # A commit writes the root of the table at least.
        assert (wal.stat().st_size - before) / page < 200
    finally:
        await store.close()


@pytest.mark.parametrize("size", [100, 100_000])
async def test_an_artifact_that_comes_again_is_not_written_again(tmp_path: Path, size: int) -> None:
    store = await open_in(tmp_path)
    try:
        digest = await store.put_artifact(b"x" * size)
        with closing(connect(tmp_path / "buildwright.db")) as conn:
            conn.execute("CREATE TRIGGER again AFTER UPDATE ON artifacts BEGIN SELECT RAISE(ABORT, 'written'); END")
        assert await store.put_artifact(b"x" * size) == digest
        assert await store.get_artifact(digest) == b"x" * size
    finally:
        await store.close()
