"""Lessons and their trials, on SQLite and PostgreSQL: kept once, each user's own, counted exactly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from buildwright.core import event as e
from buildwright.core.lessons import ChosenLessons, GivenLesson, TrialOutcome
from buildwright.errors import NotFound
from buildwright.store import revisions
from buildwright.store.database import Database
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lessons import LessonStore
from tests.core.test_lessons import lesson
from tests.store.process import AT, created, open_in

LATER = AT + timedelta(hours=1)


@pytest.fixture
async def journals(database: Path | str) -> AsyncIterator[SqliteBuilds | PostgresBuilds]:
    opened = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    yield opened
    await opened.close()


@pytest.fixture
async def book(database: Path | str, journals: SqliteBuilds | PostgresBuilds) -> AsyncIterator[LessonStore]:
    del journals  # it has made the tables
    opened = Database.open(database)
    yield LessonStore(opened)
    await opened.close()


def chosen(*given: str, held: tuple[str, ...] = ()) -> ChosenLessons:
    return ChosenLessons(tuple(GivenLesson(id=name, pattern="*", content="x") for name in given), held)


async def test_it_is_learned_once_and_surer_each_time_but_not_twice_of_one_attempt(book: LessonStore) -> None:
    first = lesson("1", build="b1", task="t", attempt=2)
    assert await book.learn("ann", first) == first
    assert await book.learn("ann", first) == first  # judged again after a crash
    more = [lesson("1", build=name, task="t", attempt=2, updated_at=LATER) for name in ("b2", "b3", "b3")]
    await asyncio.gather(*(book.learn("ann", one) for one in more))
    (kept,) = await book.all("ann")
    assert (kept.seen, kept.confidence, kept.build, kept.updated_at) == (3, 0.775, "b1", LATER)
    assert await book.all("bob") == []


async def test_it_is_the_users_own(book: LessonStore) -> None:
    await book.learn("ann", lesson("1", repository="r"))
    await book.learn("bob", lesson("1", repository="r", content="of bob"))
    await book.begin("ann", "b", "t", chosen("1"))
    with pytest.raises(NotFound):
        await book.forget("eve", "1")
    await book.retire("eve", "1", "because", AT)
    assert await book.end("eve", "b", "t", TrialOutcome(1, False, Decimal(1))) == set()
    assert (await book.effects("eve"), await book.begun("eve", "b")) == ({}, [])
    assert (await book.get("ann", "1")).state == "active"
    await book.forget("ann", "1")
    with pytest.raises(NotFound, match="there is no lesson 1"):
        await book.get("ann", "1")
    assert await book.begun("ann", "b") == []
    assert [one.content for one in await book.all("bob")] == ["of bob"]


async def test_a_build_may_be_given_those_of_its_repository_and_of_all(book: LessonStore) -> None:
    known = [lesson("1", repository="r"), lesson("2", repository="s"), lesson("3", confidence=0.9)]
    assert await book.add("ann", known) == 3
    assert await book.add("ann", [known[0].model_copy(update={"confidence": 1.0}), lesson("4")]) == 1
    assert [one.id for one in await book.all("ann", "r")] == ["3", "1", "4"]
    assert (await book.get("ann", "1")).confidence == 0.6  # a file makes none surer
    assert [one.id for one in await book.all("ann")] == ["3", "1", "2", "4"]


async def test_trials_are_counted_once_their_task_has_ended(
    book: LessonStore, journals: SqliteBuilds | PostgresBuilds
) -> None:
    for name in ("b1", "b2"):
        await journals.create(name, [created(name)], AT)
    await journals.append("b2", 1, [e.BuildFinished(outcome="failed")], AT)
    for build, task in (("b1", "t"), ("b1", "u"), ("b2", "t"), ("b2", "v"), ("gone", "t")):
        await book.begin("ann", build, task, chosen("1", held=("2",)))
        await book.begin("ann", build, task, chosen("1", held=("2",)))
    assert await book.begun("ann") == [("b2", "t"), ("b2", "v"), ("gone", "t")]
    assert len(await book.begun("ann", "b1")) == 5
    assert await book.effects("ann") == {}
    assert await book.end("ann", "b1", "t", TrialOutcome(2, False, Decimal("0.25"))) == {"1", "2"}
    assert await book.end("ann", "b1", "t", TrialOutcome(9, False, Decimal(9))) == set()
    await book.end("ann", "b2", "t", TrialOutcome(3, True, Decimal("0.5")))
    assert await book.end("ann", "gone", "t", None) == set()
    effects = await book.effects("ann")
    for arm, other in ((effects["1"].given, effects["1"].held_out), (effects["2"].held_out, effects["2"].given)):
        # Two attempts, and three and one more for the failed task: 2 + 4, 4 + 16.
        assert (arm.tasks, arm.attempts, arm.squares, arm.failed, arm.cost_usd) == (2, 6, 20, 1, Decimal("0.75"))
        assert other.tasks == 0
    assert list(await book.effects("ann", {"2"})) == ["2"]
    assert await book.begun("ann", "b1") == [("b1", "u"), ("b2", "v")]


async def test_what_is_retired_stays_so_when_it_is_learned_again(book: LessonStore) -> None:
    await book.learn("ann", lesson("1", build="b1"))
    await book.retire("ann", "1", "it saves nothing", LATER)
    await book.retire("ann", "1", "another reason", LATER)
    await book.learn("ann", lesson("1", build="b2"))
    kept = await book.get("ann", "1")
    assert (kept.state, kept.why, kept.seen) == ("retired", "it saves nothing", 2)


async def trials(database: Path | str) -> int:
    records = Database.open(database)
    ((number,),) = await records.fetch(text("SELECT count(*) FROM lesson_trials"))
    await records.close()
    return int(number)


async def test_trials_go_with_their_build_and_what_they_came_to_stays(
    database: Path | str, book: LessonStore, journals: SqliteBuilds | PostgresBuilds
) -> None:
    for number, name in enumerate(("b1", "b2", "b3"), 1):
        await journals.create(name, [created(name)], AT)
        await journals.append(name, 1, [e.StopRequested(), e.BuildFinished(outcome="stopped")], AT)
        for task in ("t", "u"):
            await book.begin("ann", name, task, chosen("1", held=("2",)))
            await book.end("ann", name, task, TrialOutcome(number, task == "u", Decimal("0.25")))
        await book.begin("ann", name, "open", chosen("1", held=("2",)))
        await book.begin("bob", name, "t", chosen("1"))
        await book.end("bob", name, "t", TrialOutcome(number, False, Decimal(1)))
    before = await book.effects("ann"), await book.effects("bob")
    # 1, 2, 3 attempts, and one more for those of the task that failed.
    arm = before[0]["1"].given
    assert (arm.tasks, arm.attempts, arm.squares, arm.failed, arm.cost_usd) == (6, 15, 43, 3, Decimal("1.5"))
    assert await trials(database) == 3 * 7
    for left, name in ((14, "b1"), (7, "b3"), (7, "b3"), (0, "b2")):
        await journals.retire(name)
        assert await trials(database) == left
        assert (await book.effects("ann"), await book.effects("bob")) == before
        assert await book.effects("ann", {"2"}) == {"2": before[0]["2"]}
    assert await book.begun("ann") == []
    await book.learn("ann", lesson("1"))
    await book.forget("ann", "1")
    assert await book.effects("ann") == {"2": before[0]["2"]}
    assert await book.effects("bob") == before[1]


async def test_nothing_is_lost_between_ends_of_trials_and_builds_that_are_removed(
    book: LessonStore, journals: SqliteBuilds | PostgresBuilds
) -> None:
    """A trial that ends at the moment in which its build is removed is counted once, or was not over."""
    names = [f"b{number}" for number in range(8)]
    for name in names:
        await journals.create(name, [created(name)], AT)
        await journals.append(name, 1, [e.StopRequested(), e.BuildFinished(outcome="stopped")], AT)
        await book.begin("ann", name, "t", chosen("1", held=("2",)))
    ends = [book.end("ann", name, "t", TrialOutcome(1, False, Decimal(1))) for name in names]
    counted, _ = await asyncio.gather(asyncio.gather(*ends), asyncio.gather(*map(journals.retire, names)))
    assert set(map(frozenset, counted)) <= {frozenset(), frozenset({"1", "2"})}
    number = sum(bool(one) for one in counted)
    effects = await book.effects("ann")
    assert (effects["1"].given.tasks, effects["2"].held_out.tasks) == (number, number) if number else not effects


async def test_trials_of_builds_that_were_removed_before_are_summed_by_the_migration(
    database: Path | str, book: LessonStore, journals: SqliteBuilds | PostgresBuilds
) -> None:
    await journals.create("b1", [created("b1")], AT)
    for build in ("b1", "gone", "gone too"):
        for task in ("t", "u"):
            await book.begin("ann", build, task, chosen("1", held=("2",)))
            await book.end("ann", build, task, TrialOutcome(2, task == "u", Decimal("0.1")))
        await book.begin("ann", build, "open", chosen("1"))
    before = await book.effects("ann")
    await journals.close()
    while (await revisions.version(database) or "") >= "0012":
        await revisions.rollback(database)
    await revisions.migrate(database)
    assert await trials(database) == 5
    assert await book.effects("ann") == before
