"""Rows that contradict the journal are found in both databases, and mended from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from buildwright.core import event as e
from buildwright.ports import RepairResult
from buildwright.store import orphans, postgres_inspection
from buildwright.store.asking import Asking, Query, run_on_postgres, run_on_sqlite
from buildwright.store.journal import Journal
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.opening import connect
from buildwright.store.postgres_pool import single
from tests.contract.test_builds import AT, start


class Place:
    """A database of either kind, and what `doctor` asks of it."""

    def __init__(self, where: Path | str, journal: Journal) -> None:
        self.where = where
        self.journal = journal

    async def find(self) -> list[RepairResult]:
        if isinstance(self.where, str):
            return await postgres_inspection.find(self.where)
        return orphans.find(self.where, self.where.parent / "artifacts", lambda _: True)

    async def damage(self, statement: str, build_id: str) -> None:
        query = Query(statement, (build_id,))
        if isinstance(self.where, str):
            async with single(self.where, 5.0) as pool:
                await pool.run(lambda connection, _: run_on_postgres(connection, _only(query)))
        else:
            with closing(connect(self.where)) as conn:
                run_on_sqlite(conn, _only(query))


def _only(query: Query) -> Asking[None]:
    yield query


@pytest.fixture
async def place(database: Path | str) -> AsyncIterator[Place]:
    if isinstance(database, str):
        journal: Journal = await PostgresBuilds.open(database)
    else:
        journal = await SqliteBuilds.open(database, database.parent / "artifacts")
    yield Place(database, journal)
    await journal.close()


async def _ended(place: Place) -> str:
    build_id = await start(place.journal)  # type: ignore[arg-type]  # it takes no lease
    await place.journal.append(build_id, 1, [e.StopRequested(), e.BuildFinished(outcome="stopped")], AT)
    await place.journal.keep_snapshot(await place.journal.load(build_id))
    return build_id


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE build_runs SET outcome = 'success', completed_at = NULL WHERE build_id = $1", "outcome, completed"),
        ("UPDATE snapshots SET data = '{}' WHERE build_id = $1", "a snapshot that does not match"),
    ],
)
async def test_what_contradicts_the_journal_is_mended_from_it(place: Place, damage: str, what: str) -> None:
    build_id = await _ended(place)
    (before,) = await place.journal.rows()
    assert await place.find() == []
    await place.damage(damage, build_id)
    (found,) = await place.find()
    assert what in found.leftover.what
    assert found.mend is not None
    assert await found.mend()
    assert not await found.mend()
    assert await place.find() == []
    assert (await place.journal.rows())[0] == before


async def test_rows_of_a_build_that_was_being_removed_go(place: Place) -> None:
    build_id = await _ended(place)
    await place.damage("DELETE FROM build_runs WHERE build_id = $1", build_id)
    (found,) = await place.find()
    assert "being removed" in found.leftover.what
    assert found.mend is not None
    assert await found.mend()
    assert not await found.mend()
    assert await place.find() == []


async def test_a_damaged_journal_is_named_and_never_touched(place: Place) -> None:
    build_id = await _ended(place)
    await place.damage("UPDATE events SET crc = crc + 1 WHERE seq = 2 AND build_id = $1", build_id)
    (found,) = await place.find()
    assert "a journal that cannot be read" in found.leftover.what
    assert found.mend is None
    assert found.leftover.where == f"build {build_id}"
