"""The contracts of a store: whose they are, which project is meant, and answers that contradict each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buildwright.core.interview import Answer, AnswerConflict, Interview
from buildwright.errors import BadSpec, Conflict, Forbidden, NotFound
from buildwright.store import revisions
from buildwright.store.records import Records
from buildwright.wiring import SystemClock
from buildwright.wiring.contracts import Contracting
from tests.adapters.memory_store import MemoryBuilds

TOLD = Interview(title="Shop", answers=(Answer(id="A1", section="tech_stack", text="Go", origin="said"),))


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Contracting]:
    await revisions.migrate(tmp_path / "buildwright.db")
    records = Records.open(tmp_path / "buildwright.db")
    yield Contracting(records, MemoryBuilds(), SystemClock())
    await records.close()


async def test_a_project_is_found_by_its_name_its_id_or_how_that_begins(kept: Contracting) -> None:
    shop = await kept.find("ann", "shop", create=True)
    assert [await kept.find("ann", one) for one in ("shop", shop.id, shop.id[:8])] == [shop] * 3
    assert await kept.find("ann", "shop", create=True) == shop
    for user, name in (("bob", "shop"), ("bob", shop.id), ("ann", "sho"), ("ann", shop.id[:3])):
        with pytest.raises(NotFound):
            await kept.find(user, name)
    await kept.records.projects.create("ann", "shop", at=kept.clock.now())
    with pytest.raises(NotFound, match="shop is the name of 2 projects"):
        await kept.find("ann", "shop")


async def test_answers_that_contradict_each_other_make_no_contracts(kept: Contracting) -> None:
    shop = await kept.find("ann", "shop", create=True)
    torn = TOLD.model_copy(
        update={
            "answers": (*TOLD.answers, TOLD.answers[0].model_copy(update={"id": "A2", "text": "Rust"})),
            "contradictions": (AnswerConflict(first="A1", second="A2", sentence="one language"),),
        }
    )
    with pytest.raises(Conflict, match="A1 and A2 contradict"):
        await kept.generate("ann", shop.id, torn)
    with pytest.raises(BadSpec, match="no answers"):
        await kept.generate("ann", shop.id, Interview(title="Shop"))
    assert await kept.listed("ann", shop.id) == ()
    assert len((await kept.generate("ann", shop.id, TOLD)).contracts) == 10


async def test_nobody_else_reads_or_writes_them(kept: Contracting) -> None:
    shop = await kept.find("ann", "shop", create=True)
    await kept.generate("ann", shop.id, TOLD)
    with pytest.raises(NotFound):
        await kept.text("bob", shop.id, "ui")
    for asked in (
        kept.save("bob", shop.id, "ui", "x"),
        kept.generate("bob", shop.id, TOLD),
        kept.stale("bob", shop.id),
        kept.spec("bob", shop.id),
    ):
        with pytest.raises(Forbidden):
            await asked


async def test_they_are_made_of_the_interview_of_their_project(kept: Contracting) -> None:
    shop = await kept.find("ann", "shop", create=True)
    with pytest.raises(BadSpec, match="no answers"):
        await kept.generate("ann", shop.id)
    await kept.records.interviews.put(shop.id, "ann", TOLD, 0, kept.clock.now())
    assert len((await kept.generate("ann", shop.id)).contracts) == 10
    assert "Go" in (await kept.text("ann", shop.id, "stack")).content
