"""Interviews beside the projects, over both databases: owners, versions, order and odd texts."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from buildwright.core.interview import Answer, Interview
from buildwright.errors import BuildwrightError, Conflict
from buildwright.ports import CostKey, Spend
from buildwright.store import revisions
from buildwright.store.records import Records
from tests import services
from tests.store.process import AT, steps_above

SAID = Interview(answers=(Answer(id="A1", section="product_intent", text="It counts.", origin="said"),), taken=1)


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path | str]:
    if request.param == "sqlite":
        await revisions.migrate(tmp_path / "buildwright.db")
        yield tmp_path / "buildwright.db"
    else:
        async with services.fresh_database(has_tables=True) as url:
            yield url


@pytest.fixture
async def records(database: Path | str) -> AsyncIterator[Records]:
    opened = Records.open(database)
    yield opened
    await opened.close()


async def test_an_interview_is_kept_and_found_by_its_owner_alone(records: Records) -> None:
    project = str(uuid.uuid4())
    assert await records.interviews.get(project, "ann") == (Interview(), 0)
    await records.interviews.put(project, "ann", SAID, 0, AT)
    assert await records.interviews.get(project, "ann") == (SAID, 1)
    assert await records.interviews.get(project, "bob") == (Interview(), 0)
    with pytest.raises(Conflict):
        await records.interviews.put(project, "bob", Interview(title="mine"), 1, AT)
    with pytest.raises(Conflict):
        await records.interviews.put(project, "bob", Interview(title="mine"), 0, AT)
    assert await records.interviews.get(project, "ann") == (SAID, 1)


async def test_what_turns_cost_stands_among_the_costs(records: Records) -> None:
    project = "11111111-1111-4111-8111-111111111111"
    dear = Spend("i", "", 1, "claude-x", 10, 20, 30, 40, "0.25")
    await records.interviews.count(project, "ann", 1, [dear, dear._replace(cost_usd=None)], AT)
    await records.interviews.count(project, "ann", 1, [dear], AT)
    await records.interviews.count(project, "ann", 2, [dear._replace(model="claude-y")], AT + timedelta(days=1))
    expected: dict[CostKey, list[tuple[str, int, Decimal]]] = {
        "day": [("2026-01-02", 3, Decimal("0.5")), ("2026-01-03", 1, Decimal("0.25"))],
        "project": [(project, 4, Decimal("0.75"))],
        "user": [("ann", 4, Decimal("0.75"))],
        "model": [("claude-x", 3, Decimal("0.5")), ("claude-y", 1, Decimal("0.25"))],
        "build": [(f"interview-{project}", 4, Decimal("0.75"))],
        "attempt": [(f"interview-{project}", 4, Decimal("0.75"))],
        "agent": [("", 4, Decimal("0.75"))],
        "result": [("", 4, Decimal("0.75"))],
        "requirement": [("", 4, Decimal("0.75"))],
    }
    for by, rows in expected.items():
        sums = await records.runs.costs(by, user_id="ann")
        assert [(one.key, one.requests, one.cost_usd) for one in sums] == rows, by
    (whole,) = await records.runs.costs("user")
    assert (whole.cache_read_tokens, whole.cache_tokens, whole.unpriced) == (120, 280, 1)
    assert (await records.runs.costs("day", AT + timedelta(hours=12)))[0].key == "2026-01-03"
    assert await records.runs.costs("user", user_id="bob") == []


async def test_of_changes_at_once_one_is_kept(records: Records) -> None:
    project = str(uuid.uuid4())

    async def put(number: int, version: int) -> bool:
        try:
            await records.interviews.put(project, "ann", Interview(title=str(number)), version, AT)
        except Conflict:
            return False
        return True

    for version in range(3):
        done = await asyncio.gather(*(put(number, version) for number in range(6)))
        assert sum(done) == 1
        kept, found = await records.interviews.get(project, "ann")
        assert (kept.title, found) == (str(done.index(True)), version + 1)


async def test_a_text_that_no_database_takes_is_kept_without_it(records: Records) -> None:
    odd = SAID.model_copy(update={"answers": (SAID.answers[0].model_copy(update={"text": "a\0b"}),)})
    await records.interviews.put("p", "ann", odd, 0, AT)
    kept = (await records.interviews.get("p", "ann")).interview.answers[0].text
    assert kept in {"a\0b", "a\u2400b"}


async def test_the_newest_of_a_user_come_first(records: Records) -> None:
    made = [
        await records.projects.create("ann", "Shop", target_type="local_path", target_ref="/r", at=AT),
        await records.projects.create("ann", "Bakery", at=AT),
        await records.projects.create("bob", "Secret", at=AT),
        await records.projects.create("ann", "Without", at=AT),
    ]
    for number, project in enumerate(made[:3]):
        await records.interviews.put(project.id, project.user_id, SAID, 0, AT + timedelta(seconds=number))
    rows = await records.interviews.page("ann")
    assert [(row.name, row.folder) for row in rows] == [("Bakery", ""), ("Shop", "/r")]
    assert await records.interviews.page("ann", 1) == rows[:1]
    assert (rows[0].answers, rows[0].is_complete, len(rows[0].remaining)) == (1, False, 8)


async def test_a_rollback_asks_before_interviews_are_lost(database: Path | str) -> None:
    opened = Records.open(database)
    await opened.interviews.put("p", "ann", SAID, 0, AT)
    await opened.close()
    with pytest.raises(BuildwrightError, match="interviews"):
        await revisions.rollback(database, steps_above("0006"))
    assert await revisions.rollback(database, steps_above("0006"), drop_data=True) == "0006"
    assert await revisions.migrate(database) == revisions.head()
