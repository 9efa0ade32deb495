"""Group commit: what waits together is written together, and who fails, fails alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from buildwright.core.failpoint import arm
from buildwright.errors import Conflict, StoreFailed
from buildwright.store.opening import connect
from buildwright.store.thread import ConnectionThread, reading, writing


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[ConnectionThread]:
    conn = connect(tmp_path / "db")
    conn.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    thread = ConnectionThread("writer", conn, writing(tmp_path / "db", 5))
    yield thread
    await thread.close()


def insert(number: int | str) -> Callable[[sqlite3.Connection], None]:
    def work(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO numbers VALUES (?)", (number,))

    return work


async def hold(writer: ConnectionThread, until: threading.Event) -> asyncio.Future[bool]:
    """Return once the thread is inside a job that ends with `until`: all that is queued from now on waits for that."""
    inside = threading.Event()

    def work(_: sqlite3.Connection) -> bool:
        inside.set()
        return until.wait()

    job = writer.run("wait", work)
    await asyncio.to_thread(inside.wait)
    return job


def numbers(conn: sqlite3.Connection) -> list[int]:
    return [number for (number,) in conn.execute("SELECT number FROM numbers ORDER BY number")]


async def test_jobs_that_wait_are_committed_together(writer: ConnectionThread) -> None:
    commits = 0
    gate = threading.Event()

    def count(name: str) -> None:
        nonlocal commits
        commits += name == "store.add.before"

    first = await hold(writer, gate)
    arm(count)
    jobs = [writer.run("add", insert(n)) for n in range(500)]
    gate.set()
    await asyncio.gather(first, *jobs)
    arm(None)
    assert await writer.run("look", numbers) == list(range(500))
    assert commits == 1


async def test_who_fails_after_writing_is_undone_alone(writer: ConnectionThread) -> None:
    gate = threading.Event()

    def half(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO numbers VALUES (1000)")
        raise Conflict("changed its mind")

    first = await hold(writer, gate)
    jobs = [
        writer.run("add", insert(1)),
        writer.run("add", half),
        writer.run("add", insert(1)),
        writer.run("add", insert(2**70)),
        writer.run("add", insert("\ud800")),
        writer.run("add", insert(2)),
    ]
    gate.set()
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    await first
    assert [type(answer) for answer in answers] == [
        type(None),
        Conflict,
        StoreFailed,
        OverflowError,
        UnicodeEncodeError,
        type(None),
    ]
    assert await writer.run("look", numbers) == [1, 2]


async def test_a_cancelled_caller_disturbs_nobody(writer: ConnectionThread) -> None:
    gate = threading.Event()
    await hold(writer, gate)
    jobs = [writer.run("add", insert(n)) for n in (1, 2)]
    jobs[0].cancel()
    gate.set()
    await jobs[1]
    assert await writer.run("look", numbers) == [1, 2], "what was queued happens as a whole, heard or not"


async def test_a_reader_that_fails_leaves_no_transaction_open(tmp_path: Path) -> None:
    thread = ConnectionThread("reader", connect(tmp_path / "db"), reading(tmp_path / "db"))

    def fail(conn: sqlite3.Connection) -> None:
        conn.execute("BEGIN")
        conn.execute("SELECT * FROM nowhere")

    with pytest.raises(StoreFailed, match="no such table: nowhere"):
        await thread.run("read", fail)
    assert await thread.run("read", lambda conn: conn.in_transaction) is False
    await thread.close()
