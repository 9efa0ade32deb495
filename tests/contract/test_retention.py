"""One suite for the port `Retention`, over the memory store, the SQLite one and the PostgreSQL one."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from buildwright.core import event as e
from buildwright.errors import BuildIsRunning, Conflict, NotFound
from buildwright.ports import AnswerKey, LogEntry, QueueUpdate
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from tests.adapters.memory_store import MemoryBuilds
from tests.contract.test_builds import AT, Now, beat, start
from tests.store.process import take

Store = SqliteBuilds | MemoryBuilds | PostgresBuilds


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("tables_url")) if kind == "postgres" else ""


@pytest.fixture
async def store(kind: str, url: str, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store
    if kind == "memory":
        opened = MemoryBuilds(Now(False))
    elif kind == "postgres":
        opened = await PostgresBuilds.open(url)
    else:
        opened = await SqliteBuilds.open(tmp_path / "buildwright.db", tmp_path / "artifacts", now=Now(False))
    yield opened
    await opened.close()


async def ended(store: Store, *named: str) -> str:
    """A build that has ended, with a log of ten lines, whose journal names artifacts."""
    build_id = await start(store)
    events = [e.MessageSent(id=digest[:8], text=f"see {digest}") for digest in named]
    await store.append(build_id, 1, [*events, e.StopRequested(), e.BuildFinished(outcome="stopped")], AT)
    await store.write_log(build_id, [LogEntry(AT, "a", 1, "gate", f"line {number}") for number in range(1, 11)])
    await store.read_log(build_id)
    return build_id


async def test_a_retired_build_is_gone_and_the_others_are_not(store: Store) -> None:
    going, staying = await ended(store), await ended(store)
    weight = await store.weigh(going)
    assert (weight.events, weight.log_lines) == (3, 10)
    assert weight.bytes > 0
    before = await store.read(staying)
    await store.retire(going)
    await store.retire(going)
    assert [row.build_id for row in await store.rows()] == [staying]
    assert await store.read_log(going) == []
    for question in (store.load(going), store.read(going), store.weigh(going), store.append(going, 3, [beat()], AT)):
        with pytest.raises(NotFound):
            await question
    assert await store.read(staying) == before
    assert len(await store.read_log(staying)) == 10
    assert await store.finish_retiring() == 0


async def test_kept_answers_go_with_their_build(store: Store) -> None:
    going, staying = await ended(store), await ended(store)
    keys = [AnswerKey(build_id, "a", attempt, "d" * 64, 0) for build_id in (going, staying) for attempt in (1, 2)]
    for key in keys:
        await store.keep_answer(key, b"bought")
    await store.retire(going)
    assert [await store.find_answer(key) for key in keys] == [None, None, b"bought", b"bought"]


@pytest.mark.parametrize("kind", ["memory", "postgres"])
async def test_a_build_that_waits_for_an_action_to_be_let_go_cannot_be_retired(store: Store) -> None:
    assert isinstance(store, MemoryBuilds | PostgresBuilds), (
        "SQLite in a file has no board: one process holds a whole build"
    )
    build_id, other = await start(store), await start(store)
    await store.settle(build_id, 1, [], AT, QueueUpdate(("agent/a/1",)))
    await store.settle(other, 1, [], AT, QueueUpdate(("agent/a/1",)))
    lease = await take(store, build_id, "agent/a/1", "elsewhere:1:1", 60)
    assert lease is not None
    await store.append(build_id, 1, [e.StopRequested(), e.BuildFinished(outcome="stopped")], AT)
    for question in (store.retire(build_id), store.trim_log(build_id, 1)):
        with pytest.raises(BuildIsRunning):
            await question
    digest = await store.put_artifact(b"put, and not named yet")
    assert (await store.sweep_artifacts())[:] == (0, 0, 1)
    await store.drop(lease)
    await store.retire(build_id)
    assert (await store.sweep_artifacts()).number == 1
    with pytest.raises(NotFound):
        await store.get_artifact(digest)
    assert [row.build_id for row in await store.board()] == [other]
    assert await take(store, build_id, "agent/a/1", "elsewhere:1:1", 60) is None
    with pytest.raises(NotFound):
        await store.settle(build_id, 3, [], AT, QueueUpdate(("agent/a/1",)))


async def test_a_live_build_cannot_be_retired_or_trimmed(store: Store) -> None:
    running = await start(store)
    held = await ended(store)
    lease = await store.acquire(held, "elsewhere:1:1", 60)
    for build_id, error in ((running, Conflict), (held, BuildIsRunning)):
        before = await store.read(build_id)
        with pytest.raises(error):
            await store.retire(build_id)
        with pytest.raises(error):
            await store.trim_log(build_id, 1)
        assert await store.read(build_id) == before
    await store.release(lease)
    await store.retire(held)
    with pytest.raises(NotFound):
        await store.trim_log(str(uuid.uuid4()), 1)


async def test_a_trimmed_log_says_how_many_lines_are_missing(store: Store) -> None:
    build_id = await ended(store)
    assert await store.trim_log(build_id, 10) == 0
    assert await store.trim_log(build_id, 4) == 5
    said = "log lines before this one were cut by `buildwright prune`"
    lines = await store.read_log(build_id)
    assert [line.text for line in lines] == [f"6 {said}", "line 7", "line 8", "line 9", "line 10"]
    assert await store.trim_log(build_id, 4) == 0
    assert await store.trim_log(build_id, 1) == 3
    assert [line.text for line in await store.read_log(build_id)] == [f"9 {said}", "line 10"]
    assert await store.trim_log(build_id, 0) == 1
    assert [(line.seq, line.text) for line in await store.read_log(build_id)] == [(10, f"10 {said}")]
    await store.write_log(build_id, [LogEntry(AT, "a", 1, "gate", "later")])
    assert [(line.seq, line.text) for line in await store.read_log(build_id, after=10)] == [(11, "later")]


async def test_artifacts_go_with_the_last_journal_that_names_them(store: Store) -> None:
    shared, own, large = [await store.put_artifact(content) for content in (b"shared", b"own", b"l" * 100_000)]
    going, staying = await ended(store, shared, own, large), await ended(store, shared)
    assert (await store.sweep_artifacts()).number == 0
    await store.retire(going)
    assert (await store.loose_artifacts())[:2] == (2, 100_003)
    assert (await store.sweep_artifacts())[:2] == (2, 100_003)
    assert await store.get_artifact(shared) == b"shared"
    for digest in (own, large):
        with pytest.raises(NotFound):
            await store.get_artifact(digest)
    assert await store.named_ids(staying) == {shared}
    assert await store.put_artifact(b"l" * 100_000) == large
    assert len(await store.get_artifact(large)) == 100_000


async def test_what_a_running_build_has_put_and_not_named_yet_stays(store: Store) -> None:
    going, running = await ended(store), await start(store)
    await store.retire(going)
    lease = await store.acquire(running, "elsewhere:1:1", 60)
    put = [await store.put_artifact(content) for content in (b"small", b"l" * 100_000)]
    loose = await store.sweep_artifacts()
    assert (loose.number, loose.waiting) == (0, 2)
    assert [len(await store.get_artifact(digest)) for digest in put] == [5, 100_000]
    await store.release(lease)
    assert (await store.sweep_artifacts()).number == 2


async def test_hashes_in_a_journal_are_found_by_their_form(store: Store) -> None:
    commit, tree = "a" * 40, hashlib.sha256(b"x").hexdigest()
    build_id = await start(store)
    await store.append(build_id, 1, [e.TargetPrepared(commit=commit, tree=tree)], AT)
    assert await store.named_ids(build_id) == {commit, tree}


async def test_a_killed_retiring_is_finished_and_a_large_log_goes_in_pieces(tables_url: str) -> None:
    """What is left when a process dies after the head row has gone."""
    store = await PostgresBuilds.open(tables_url)
    connection = await asyncpg.connect(tables_url)
    try:
        left, other = await ended(store), await ended(store)
        await store.keep_answer(AnswerKey(left, "a", 1, "d" * 64, 0), b"bought")
        await store.write_log(other, [LogEntry(AT, "a", 1, "gate", "x")] * 12_000)
        await connection.execute("DELETE FROM build_runs WHERE build_id = $1", left)
        early = str(uuid.uuid4())
        await store.write_log(early, [LogEntry(datetime.now(UTC), "", 0, "engine", "ahead of its build")])
        assert len(await store.read_log(early)) == 1
        assert await store.finish_retiring() == 1
        assert await store.finish_retiring() == 0
        for table, count in (("events", 3), ("answers", 0)):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == count
        assert len(await store.read_log(early)) == 1
        assert await store.trim_log(other, 3) == 12_006
        lines = await store.read_log(other)
        assert [line.seq for line in lines] == [12_007, 12_008, 12_009, 12_010]
        assert await store.compact() == 0
    finally:
        await connection.close()
        await store.close()


async def test_what_is_put_again_while_a_sweep_looks_stays(tables_url: str) -> None:
    """Two stores on one database: nothing that a build has put and then named is ever missing."""
    first, second = await PostgresBuilds.open(tables_url), await PostgresBuilds.open(tables_url)
    try:
        content = b"same" * 5_000
        build_id = await start(first)
        for version in range(1, 21):
            lease = await first.acquire(build_id, "elsewhere:1:1", 60)
            digest, _ = await asyncio.gather(first.put_artifact(content), second.sweep_artifacts())
            named = e.MessageSent(id=str(version), text=f"see {digest}" if version == 20 else "nothing")
            await first.append(build_id, version, [named], AT, lease.token)
            await first.release(lease)
            assert await first.get_artifact(digest) == content
        await second.sweep_artifacts()
        assert await first.get_artifact(digest) == content
    finally:
        await first.close()
        await second.close()


async def test_a_sweep_and_puts_of_the_same_content_at_the_same_time(tmp_path: Path) -> None:
    """Two stores on one database: what was put while a build runs can be read, whatever a sweep does meanwhile."""
    first = await SqliteBuilds.open(tmp_path / "buildwright.db", tmp_path / "artifacts", now=Now(False))
    second = await SqliteBuilds.open(tmp_path / "buildwright.db", tmp_path / "artifacts", now=Now(False))
    try:
        content = b"same" * 50_000
        build_id = await start(first)
        for _ in range(10):
            digest = await first.put_artifact(content)
            os.utime(tmp_path / "artifacts" / digest, (time.time() - 200_000,) * 2)
            lease = await first.acquire(build_id, "elsewhere:1:1", 60)
            await asyncio.gather(first.put_artifact(content), second.sweep_artifacts())
            assert await first.get_artifact(digest) == content
            await second.sweep_artifacts()
            assert await first.get_artifact(digest) == content
            await first.release(lease)
    finally:
        await first.close()
        await second.close()


async def test_a_database_gives_its_space_back_when_nobody_runs(tmp_path: Path) -> None:
    store = await SqliteBuilds.open(tmp_path / "buildwright.db", tmp_path / "artifacts", now=Now(False))
    try:
        going, running = await ended(store), await start(store)
        await store.append(going, 3, [], AT + timedelta(seconds=1))
        await store.write_log(going, [LogEntry(AT, "a", 1, "gate", "x" * 8000)] * 500)
        await store.read_log(going)
        await store.retire(going)
        lease = await store.acquire(running, "elsewhere:1:1", 60)
        assert await store.compact() is None
        await store.release(lease)
        given = await store.compact()
        assert given is not None
        assert given > 3_000_000
        assert (await store.load(running)).id == running
    finally:
        await store.close()
