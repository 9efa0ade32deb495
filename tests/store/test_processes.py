"""The SQLite journal under several processes, kill -9, a full disk and a lock that somebody else holds."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

import psutil
import pytest

from buildwright.core import event as e
from buildwright.errors import BuildIsRunning, StoreFailed
from buildwright.ports import LogEntry
from buildwright.store.lease_holders import holder_of, may_live, this_process
from tests.store.process import AT, beat, created, open_in

PROGRAM = Path(__file__).parent / "process.py"


def spawn(*words: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(PROGRAM.parents[2])])}
    command = [sys.executable, str(PROGRAM), *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


async def start(home: Path) -> str:
    store = await open_in(home)
    build_id = str(uuid.uuid4())
    await store.create(build_id, [created(build_id)], AT)
    await store.close()
    return build_id


async def test_eight_writers_in_two_processes_leave_no_gap_and_lose_nothing(tmp_path: Path) -> None:
    build_id = await start(tmp_path)
    both = [spawn("race", tmp_path, build_id, 4, 15) for _ in range(2)]
    for process in both:
        await asyncio.to_thread(process.communicate)
    assert [process.returncode for process in both] == [0, 0]
    store = await open_in(tmp_path)
    recorded = await store.read(build_id)
    assert [r.seq for r in recorded] == list(range(1, 2 + 2 * 8 * 15))
    beats = [r.event for r in recorded[1:]]
    assert all(first == second for first, second in zip(beats[::2], beats[1::2], strict=True))
    writers = Counter(event.status for event in beats if isinstance(event, e.AgentHeartbeat))
    assert set(writers.values()) == {30}
    assert len(writers) == 8
    await store.close()


async def test_two_processes_may_open_a_new_home_at_once(tmp_path: Path) -> None:
    both = [spawn("race", tmp_path / "new", "none", 0, 0) for _ in range(4)]
    for process in both:
        await asyncio.to_thread(process.communicate)
    assert [process.returncode for process in both] == [0] * 4


async def test_every_acknowledged_append_survives_kill_9(tmp_path: Path) -> None:
    build_id = await start(tmp_path)
    dice = random.Random(7)
    token = 0
    for _ in range(8):
        process = spawn("forever", tmp_path, build_id)
        assert process.stdout is not None
        said = [await asyncio.to_thread(process.stdout.readline) for _ in range(dice.randrange(1, 60))]
        process.kill()
        rest, _ = await asyncio.to_thread(process.communicate)
        lines = [line.split() for line in [*said, *rest.splitlines(keepends=True)] if line.endswith("\n")]
        acknowledged, new_token = int(lines[-1][0]), int(lines[-1][1])
        assert new_token > token, "the dead process held nothing, so the next one took over at once, with a new token"
        token = new_token
        store = await open_in(tmp_path)
        recorded = await store.read(build_id)
        await store.close()
        assert len(recorded) >= acknowledged
        assert [r.seq for r in recorded] == list(range(1, len(recorded) + 1))
    check = sqlite3.connect(tmp_path / "buildwright.db")
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()


POINTS = [
    f"store.{what}.{when}"
    for what in ("create", "acquire", "append", "snapshot", "artifact", "artifact-row", "release")
    for when in ("before", "after")
]


@pytest.mark.parametrize("point", POINTS)
async def test_dying_around_a_commit_leaves_all_of_it_or_nothing(tmp_path: Path, point: str) -> None:
    build_id = await start(tmp_path)
    process = spawn("die_at", tmp_path, build_id, point)
    said, _ = await asyncio.to_thread(process.communicate)
    assert said.split() == ["hit", point]
    done = POINTS[: POINTS.index(point) + 1]
    happened = {at.removesuffix(".after") for at in done if at.endswith(".after")}
    store = await open_in(tmp_path)
    assert len(await store.rows()) == 1 + ("store.create" in happened)
    assert await store.version(build_id) == 1 + ("store.append" in happened)
    assert await store.holder(build_id) is None
    lease = await store.acquire(build_id, this_process(), 5)
    assert lease.token == 1 + ("store.acquire" in happened)
    assert (await store.load(build_id)).version == await store.version(build_id)
    digest = await store.put_artifact(point.encode() * 10_000)
    assert await store.get_artifact(digest) == point.encode() * 10_000
    await store.close()


async def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    build_id = await start(tmp_path)
    process = spawn("starve", tmp_path, build_id)
    said, _ = await asyncio.to_thread(process.communicate)
    full, refused, again = said.splitlines()
    version = int(full.split()[1])
    assert full == f"full {version} True"
    assert version > 10
    assert refused == "artifact refused"
    assert again == f"again {version + 1}"
    store = await open_in(tmp_path)
    assert len(await store.read(build_id)) == version + 1
    await store.close()


async def test_a_lock_held_by_another_process_is_waited_for_then_named(tmp_path: Path) -> None:
    build_id = await start(tmp_path)
    store = await open_in(tmp_path, patience=0.2)
    other = sqlite3.connect(tmp_path / "buildwright.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert await store.version(build_id) == 1, "a read waits for no write"
    answers = await asyncio.gather(
        *(store.append(build_id, 1, [beat("x")], AT) for _ in range(3)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [StoreFailed] * 3
    assert isinstance(answers[0], StoreFailed)
    assert answers[0].fix
    waiting = asyncio.ensure_future(store.append(build_id, 1, [beat("x")], AT))
    other.execute("ROLLBACK")
    assert (await waiting)[0].seq == 2
    other.close()
    await store.close()


async def test_a_dead_process_holds_nothing_and_a_live_one_does(tmp_path: Path) -> None:
    build_id = await start(tmp_path)
    store = await open_in(tmp_path)
    child = psutil.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    holder = holder_of(child.pid)
    first = await store.acquire(build_id, holder, 600)
    assert await store.holder(build_id) == holder
    with pytest.raises(BuildIsRunning):
        await store.acquire(build_id, this_process(), 600)
    child.kill()
    child.wait()
    assert await store.holder(build_id) is None
    assert (await store.acquire(build_id, this_process(), 600)).token == first.token + 1
    await store.close()


def test_a_pid_that_is_used_again_is_another_process() -> None:
    host, pid, started = this_process().rsplit(":", 2)
    assert may_live(this_process())
    assert not may_live(f"{host}:{pid}:{int(started) - 1}")
    assert may_live(f"{host}x:{pid}:1.0")
    assert may_live("anything")
    assert may_live(f"{host}:pid:1.0")
    assert may_live(f"{host}:{pid}:yesterday")


async def test_log_lines_are_kept_by_close_and_take_any_text(tmp_path: Path) -> None:
    build_id = await start(tmp_path)
    store = await open_in(tmp_path)
    await store.write_log(build_id, [LogEntry(AT, "a", 1, "ran", f"{i} \udcff \0") for i in range(2500)])
    await store.close()
    store = await open_in(tmp_path)
    lines = await store.read_log(build_id, limit=9999)
    assert [line.seq for line in lines] == list(range(1, 2501))
    assert lines[-1].text == "2499 ? \0"
    await store.close()


async def test_lines_that_could_not_be_written_are_counted(tmp_path: Path) -> None:
    build_id = await start(tmp_path)
    store = await open_in(tmp_path, patience=0.0)
    other = sqlite3.connect(tmp_path / "buildwright.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await store.write_log(build_id, [LogEntry(AT, "a", 1, "ran", "gone")] * 3)
    assert await store.read_log(build_id) == []
    other.execute("ROLLBACK")
    await store.write_log(build_id, [LogEntry(AT, "a", 1, "ran", "here")])
    assert [line.text for line in await store.read_log(build_id)] == [
        "3 log lines before this one could not be written",
        "here",
    ]
    other.close()
    await store.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    build_id = await start(tmp_path)
    store = await open_in(tmp_path)
    last = asyncio.ensure_future(store.append(build_id, 1, [beat("x")], AT))
    await asyncio.sleep(0)
    await store.close()
    assert (await last)[0].seq == 2
    await store.close()
    with pytest.raises(StoreFailed, match="closed"):
        await store.version(build_id)
    assert not list(tmp_path.glob("*-wal")), "the last one to close leaves one file"
