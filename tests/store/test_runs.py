"""The head rows as SQLAlchemy sees them: the same as the journal wrote them."""

from __future__ import annotations

import uuid
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from buildwright.core import event as e
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.errors import NotFound, StoreFailed
from buildwright.store.build_queries import BuildQueries
from tests.store.process import AT, open_in


async def test_builds_are_found_by_id_project_and_time(tmp_path: Path) -> None:
    store = await open_in(tmp_path)
    ids = [str(uuid.uuid4()) for _ in range(6)]
    for number, build_id in enumerate(ids):
        event = e.BuildCreated(
            build_id=build_id,
            project_id="even" if number % 2 == 0 else "odd",
            user_id="u",
            repository="",
            spec=Spec(title=f"Build {number}"),
            options=Options(),
        )
        await store.create(build_id, [event], AT + timedelta(minutes=number))
    await store.append(ids[2], 1, [e.BuildFinished(outcome="failed")], AT + timedelta(hours=1))
    rows = await store.rows()
    runs = BuildQueries.open(tmp_path / "buildwright.db")
    assert await runs.list_by_project("even") == rows[1::2]
    assert await runs.latest_by_project("odd") == rows[0]
    assert await runs.latest_by_project("none") is None
    assert await runs.list_by_project("none") == []
    assert await runs.get(ids[2]) == rows[3]
    assert (await runs.get(ids[2])).completed_at == AT + timedelta(hours=1)
    with pytest.raises(NotFound):
        await runs.get(str(uuid.uuid4()))
    start = (AT + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=-7)))
    assert await runs.list_between(start, AT + timedelta(minutes=4)) == rows[2:5]
    await runs.close()
    await store.close()


async def test_a_database_without_tables_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    runs = BuildQueries.open(tmp_path / "empty.db")
    with pytest.raises(StoreFailed, match="no such table"):
        await runs.list_by_project("p")
    await runs.close()


async def test_a_database_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    runs = BuildQueries.open(tmp_path / "none.db")
    with pytest.raises(StoreFailed, match="is not there"):
        await runs.list_by_project("p")
    await runs.close()
    assert not list(tmp_path.iterdir())
