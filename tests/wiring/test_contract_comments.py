"""Comments on the contracts of a store: how many there may be, how many are listed, and through how many versions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buildwright.core.contracts import Contract
from buildwright.core.passage import Remark
from buildwright.errors import NotFound, Refused
from buildwright.store import revisions
from buildwright.store.records import Records
from buildwright.wiring.contract_comments import Commenting
from tests.adapters.clock import ManualClock

TEXT = "one\n\ntwo\n"


@pytest.fixture
async def said(tmp_path: Path) -> AsyncIterator[Commenting]:
    await revisions.migrate(tmp_path / "buildwright.db")
    records = Records.open(tmp_path / "buildwright.db")
    yield Commenting(records, ManualClock(), most=2)
    await records.close()


async def save(said: Commenting, version: int, content: str = TEXT) -> None:
    made = Contract(contract_type="ui", content=content, version=version, sources=(), template=1)
    await said.records.contracts.add("ann", "p", [made], said.clock.now())


async def comment(said: Commenting, text: str, line: int = 1) -> str:
    assert isinstance(said.clock, ManualClock)
    await said.clock.advance(1)
    return (await said.add("ann", "p", "ui", Remark(text, line), "bob")).id


async def test_open_comments_are_bounded_and_the_newest_are_listed(said: Commenting) -> None:
    await save(said, 1)
    first = await comment(said, "a")
    second = await comment(said, "b", 3)
    with pytest.raises(Refused, match="2 open comments"):
        await comment(said, "c")
    await said.resolve("ann", "p", first, "bob")
    third = await comment(said, "c")
    with pytest.raises(Refused, match="2 open comments"):
        await said.resolve("ann", "p", first, "bob", resolved=False)
    assert not (await said.resolve("ann", "p", second, "bob", resolved=False)).resolved, "it was open"
    listed = await said.listed("ann", "p")
    assert ([one.id for one in listed.items], listed.more) == ([second, third], False)
    everything = await said.listed("ann", "p", resolved=True)
    assert ([one.id for one in everything.items], everything.more) == ([second, third], True)
    assert (await said.listed("ann", "p", "schema")).items == ()


async def test_a_paragraph_is_followed_through_more_versions_than_are_read_at_once(said: Commenting) -> None:
    await save(said, 1, "gone\n")
    await save(said, 2)
    await comment(said, "a")
    await comment(said, "b", 3)
    for version in range(3, 60):
        await save(said, version, "zero\n" * (version - 2) + TEXT)
    await save(said, 60, "one\n\nthree\n")
    first, second = (await said.listed("ann", "p")).items
    assert (first.version, first.line, first.changed_in) == (2, 1, 0)
    assert (second.version, second.line, second.changed_in) == (2, 0, 60)


async def test_no_comment_on_what_is_not_there(said: Commenting) -> None:
    with pytest.raises(NotFound, match="no contract ui in the project"):
        await said.add("ann", "p", "ui", Remark("a", 1), "bob")
    await save(said, 1)
    await save(said, 2, "other\n")
    with pytest.raises(NotFound, match="no version 7 of ui"):
        await said.add("ann", "p", "ui", Remark("a", 1, 0, 7), "bob")
    old = await said.add("ann", "p", "ui", Remark("a", 3, 0, 1), "bob")
    assert (old.passage, old.line, old.changed_in) == ("two", 0, 2)
