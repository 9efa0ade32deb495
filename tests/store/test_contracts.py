"""The contracts of projects in both databases: versions, owners, and two who write at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from buildwright.core.contract_types import ContractType
from buildwright.core.contracts import Contract, edited
from buildwright.errors import BuildwrightError, Conflict
from buildwright.store import revisions
from buildwright.store.records import Records
from tests.store.process import AT, steps_above


@pytest.fixture
async def records(database: Path | str) -> AsyncIterator[Records]:
    await revisions.migrate(database)
    opened = Records.open(database)
    yield opened
    await opened.close()


def made(kind: ContractType, content: str = "a\nb\n", version: int = 1) -> Contract:
    return Contract(contract_type=kind, content=content, version=version, sources=(("A1",), ()), template=1)


async def test_every_version_is_kept_and_the_newest_are_listed_in_order(records: Records) -> None:
    kept = records.contracts
    first = [made("ui"), made("blueprint", "t\u00e9xt \U0001f600\n")]
    await kept.add("ann", "p", first, AT)
    assert [one.contract for one in await kept.newest("ann", "p")] == [first[1], first[0]]
    second = edited(first[0], "ui", "a\nc\n")
    later = AT + timedelta(hours=1)
    (record,) = await kept.add("ann", "p", [second], later)
    assert (record.created_at, record.updated_at) == (AT, later)
    assert [one.contract for one in await kept.versions("ann", "p", "ui")] == [second, first[0]]
    assert await kept.texts("ann", "p", "ui", 0, 1) == [(1, "a\nb\n")]
    assert await kept.texts("ann", "p", "ui", 1, 9) == [(2, "a\nc\n")] == [await kept.text("ann", "p", "ui")]
    assert (await kept.text("ann", "p", "ui", 1), await kept.text("ann", "p", "ui", 3)) == ((1, "a\nb\n"), None)
    newest = {one.contract.contract_type: one for one in await kept.newest("ann", "p")}
    assert newest["ui"].contract == second
    assert (newest["ui"].created_at, newest["ui"].updated_at) == (AT, later)
    assert newest["blueprint"].contract == first[1]


async def test_nothing_is_found_for_another_user_or_project(records: Records) -> None:
    await records.contracts.add("ann", "p", [made("ui")], AT)
    assert await records.contracts.newest("bob", "p") == []
    assert await records.contracts.newest("ann", "q") == []
    assert await records.contracts.versions("bob", "p", "ui") == []
    assert await records.contracts.texts("bob", "p", "ui", 0, 9) == []
    assert await records.contracts.text("ann", "q", "ui") is None
    assert await records.contracts.add("ann", "p", [], AT) == []


async def test_of_those_who_write_the_same_version_one_wins_and_a_batch_is_whole(records: Records) -> None:
    await records.contracts.add("ann", "p", [made("ui")], AT)
    tried = await asyncio.gather(
        *(records.contracts.add("ann", "p", [made("ui", f"{number}\n", 2)], AT) for number in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, list) for one in tried) == 1
    assert all(isinstance(one, list | Conflict) for one in tried)
    with pytest.raises(Conflict):
        await records.contracts.add("ann", "p", [made("stack"), made("ui", "x\n", 2)], AT)
    assert [one.contract.contract_type for one in await records.contracts.newest("ann", "p")] == ["ui"]


async def test_a_database_that_fails_says_so(records: Records, database: Path | str) -> None:
    await revisions.rollback(database, steps_above("0006"), drop_data=True)
    with pytest.raises(BuildwrightError):
        await records.contracts.newest("ann", "p")
