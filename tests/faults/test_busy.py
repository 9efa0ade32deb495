"""Another process holds the database's lock for a while, again and again: every append waits its turn and none is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import uuid
from collections import Counter
from pathlib import Path

import pytest

from buildwright.core import event as e
from buildwright.errors import StaleVersion
from buildwright.store.journal_sqlite import SqliteBuilds
from tests.faults.amount import FULL, amount, dice
from tests.store.process import AT, beat, created, open_in

HOLD = """
import sqlite3, sys, time
other = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for seconds in sys.argv[2:]:
    other.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    time.sleep(float(seconds))
    other.execute("ROLLBACK")
    time.sleep(0.2)  # longer than the longest pause between two looks of a writer, or it might never get a turn
"""
LONGEST_HOLD = 1.5 if FULL else 0.15
"""Seconds, as a rule."""
ONCE = ["12"] if FULL else []
"""Nearly as long as a write waits: 15 seconds."""


async def write(store: SqliteBuilds, build_id: str, name: str, times: int) -> None:
    for number in range(times):
        while True:
            version = await store.version(build_id)
            try:
                await store.append(build_id, version, [beat(name, number)], AT)
                break
            except StaleVersion:
                continue
        await asyncio.sleep(0.01)


@pytest.mark.timeout(1800)
async def test_four_writers_lose_nothing_to_a_process_that_holds_the_lock(tmp_path: Path) -> None:
    store = await open_in(tmp_path)
    build_id = str(uuid.uuid4())
    await store.create(build_id, [created(build_id)], AT)
    chance = dice("busy")
    holds = [f"{chance.uniform(0.02, LONGEST_HOLD):.3f}" for _ in range(amount(4, 50))] + ONCE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(tmp_path / "buildwright.db"), *holds, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    writing = asyncio.gather(*(write(store, build_id, name, amount(5, 60)) for name in "abcd"))
    said, _ = await process.communicate()
    await writing
    assert len(said.split()) == len(holds) - 1
    recorded = await store.read(build_id)
    assert [r.seq for r in recorded] == list(range(1, 2 + 4 * amount(5, 60)))
    by = Counter(r.event.status for r in recorded if isinstance(r.event, e.AgentHeartbeat))
    assert by == dict.fromkeys("abcd", amount(5, 60))
    await store.close()
    check = sqlite3.connect(tmp_path / "buildwright.db")
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()
