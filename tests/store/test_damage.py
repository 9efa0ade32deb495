"""A database that is not what was written: it is refused or comes back as a prefix, and is never silently wrong."""

from __future__ import annotations

import random
import shutil
import sqlite3
import uuid
from pathlib import Path

import pytest

from buildwright.core.event import Recorded
from buildwright.errors import NotFound, StoreFailed
from buildwright.store.journal_sqlite import SqliteBuilds
from tests.faults.amount import amount
from tests.store.process import AT, beat, created, open_in

DATABASE = "buildwright.db"


async def written(home: Path, events: int) -> tuple[SqliteBuilds, str]:
    store = await open_in(home)
    build_id = str(uuid.uuid4())
    await store.create(build_id, [created(build_id)], AT)
    for version in range(1, events, 2):
        await store.append(build_id, version, [beat(f"first of {version}"), beat("second")], AT)
    return store, build_id


def change(home: Path, *statements: str) -> None:
    conn = sqlite3.connect(home / DATABASE)
    for statement in statements:
        conn.execute(statement)
    conn.commit()
    conn.close()


async def read_or_refuse(home: Path, build_id: str) -> list[Recorded] | None:
    try:
        store = await open_in(home, patience=0.5)
    except StoreFailed:
        return None
    try:
        return await store.read(build_id)
    except (StoreFailed, NotFound):
        return None
    finally:
        await store.close()


@pytest.mark.parametrize("kind", ["flip", "cut"])
async def test_a_torn_write_ahead_log_gives_a_prefix_of_whole_commits(tmp_path: Path, kind: str) -> None:
    home = tmp_path / "home"
    store, build_id = await written(home, 41)
    whole = await store.read(build_id)
    dice = random.Random(11)
    prefixes = set()
    for number in range(amount(25, 200)):
        copy = tmp_path / f"copy{number}"
        copy.mkdir()
        shutil.copy(home / DATABASE, copy)
        log = bytearray((home / f"{DATABASE}-wal").read_bytes())
        place = dice.randrange(len(log))
        if kind == "flip":
            log[place] ^= 1 << dice.randrange(8)
        else:
            del log[place:]
        (copy / f"{DATABASE}-wal").write_bytes(log)
        found = await read_or_refuse(copy, build_id)
        if found is not None:
            assert found == whole[: len(found)]
            assert len(found) % 2 == 1, "an append of two events is there whole or not at all"
            prefixes.add(len(found))
    await store.close()
    assert len(prefixes) > 1


async def test_a_flipped_bit_in_the_database_is_never_read_as_something_else(tmp_path: Path) -> None:
    home = tmp_path / "home"
    store, build_id = await written(home, 41)
    whole = await store.read(build_id)
    await store.close()
    dice = random.Random(5)
    content = (home / DATABASE).read_bytes()
    refused = 0
    for number in range(amount(60, 200)):
        copy = tmp_path / f"copy{number}"
        copy.mkdir()
        flipped = bytearray(content)
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
        (copy / DATABASE).write_bytes(flipped)
        found = await read_or_refuse(copy, build_id)
        refused += found is None
        assert found in (None, whole)
    assert refused > 0


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE events SET data = replace(data, 'second', 'fourth') WHERE seq = 5", "event 5 .* not what was written"),
        ("DELETE FROM events WHERE seq = 4", "missing"),
        ("DELETE FROM events WHERE seq = 11", "missing"),
        ("UPDATE events SET seq = 99 WHERE seq = 4", "event 5 where event 4"),
        ("UPDATE build_runs SET version = 9", "missing|should have"),
        ("UPDATE events SET at = '2020-01-01 00:00:00.000000' WHERE seq = 3", "event 3"),
    ],
)
async def test_a_changed_journal_is_refused(tmp_path: Path, statement: str, says: str) -> None:
    store, build_id = await written(tmp_path, 11)
    await store.close()
    change(tmp_path, statement)
    store = await open_in(tmp_path)
    with pytest.raises(StoreFailed, match=says) as refused:
        await store.load(build_id)
    assert refused.value.fix
    await store.close()


async def test_an_event_that_this_version_does_not_know_is_named(tmp_path: Path) -> None:
    from zlib import crc32

    store, build_id = await written(tmp_path, 3)
    await store.close()
    at = "2026-01-02 00:00:00.000000"
    for kind, data, says in (
        ("moon.landed", "{}", "event 4 .*'moon.landed'.* does not know"),
        ("task.failed", '{"task":"a","mood":"sad"}', r"event 4 .*\(task.failed\) cannot be read: (message|mood)"),
    ):
        crc = crc32(f"{build_id}\0004\0{at}\0{kind}\0{data}".encode())
        change(
            tmp_path,
            f"INSERT OR REPLACE INTO events VALUES ('{build_id}', 4, '{at}', '{kind}', '{data}', {crc})",
            "UPDATE build_runs SET version = 4",
        )
        store = await open_in(tmp_path)
        with pytest.raises(StoreFailed, match=says):
            await store.read(build_id)
        await store.close()


async def test_a_damaged_snapshot_costs_only_time(tmp_path: Path) -> None:
    store = await open_in(tmp_path)
    build_id = str(uuid.uuid4())
    await store.create(build_id, [created(build_id)], AT)
    build = await store.load(build_id)
    for version in range(1, 5):
        await store.keep_snapshot(await store.load(build_id))
        from buildwright.core.event import MessageSent

        await store.append(build_id, version, [MessageSent(id=str(version), text="hello")], AT)
    build = await store.load(build_id)
    await store.close()
    conn = sqlite3.connect(tmp_path / DATABASE)
    assert conn.execute("SELECT seq FROM snapshots ORDER BY seq").fetchall() == [(3,), (4,)]
    conn.close()
    for statement in (
        "UPDATE snapshots SET data = '{}' WHERE seq = 4",
        "UPDATE snapshots SET data = substr(data, 1, 9)",
        "DELETE FROM snapshots",
    ):
        change(tmp_path, statement)
        store = await open_in(tmp_path)
        assert await store.load(build_id) == build
        await store.close()


async def test_artifacts_survive_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    store = await open_in(tmp_path)
    small, large = await store.put_artifact(b"small"), await store.put_artifact(b"L" * 100_000)
    await store.close()
    assert [file.name for file in (tmp_path / "artifacts").iterdir() if file.is_file()] == [large]
    store = await open_in(tmp_path)
    assert await store.get_artifact(small) == b"small"
    assert await store.get_artifact(large) == b"L" * 100_000
    (tmp_path / "artifacts" / large).write_bytes(b"M" * 100_000)
    with pytest.raises(StoreFailed, match="damaged"):
        await store.get_artifact(large)
    (tmp_path / "artifacts" / large).unlink()
    with pytest.raises(StoreFailed, match="gone"):
        await store.get_artifact(large)
    assert await store.put_artifact(b"L" * 100_000) == large
    assert await store.get_artifact(large) == b"L" * 100_000
    await store.close()
    change(tmp_path, "UPDATE artifacts SET content = x'00' WHERE content IS NOT NULL")
    store = await open_in(tmp_path)
    with pytest.raises(StoreFailed, match="damaged"):
        await store.get_artifact(small)
    await store.close()


async def test_what_is_not_our_database_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_bytes(b"this is not a database" * 500)
    with pytest.raises(StoreFailed, match="damaged"):
        await SqliteBuilds.open(text, tmp_path)
    assert text.read_bytes() == b"this is not a database" * 500
    other = tmp_path / "other.db"
    conn = sqlite3.connect(other)
    conn.execute("CREATE TABLE songs (name)")
    conn.close()
    with pytest.raises(StoreFailed, match="not a database of Buildwright"):
        await SqliteBuilds.open(other, tmp_path)
    with pytest.raises(StoreFailed, match="unable to open"):
        await SqliteBuilds.open(tmp_path, tmp_path)
