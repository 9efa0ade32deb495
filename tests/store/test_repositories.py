"""Connected repositories in both databases: deliveries once, a queue with an end, audits that one process does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from buildwright.core.push import Push, push_of
from buildwright.errors import NotFound, TooMany
from buildwright.store import revisions
from buildwright.store.database import Database
from buildwright.store.repositories import MOST_WAITING, ConnectedRepository, PushCheck, PushResult, Repositories
from tests.services import fresh_database

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Repositories]:
    if request.param == "sqlite":
        await revisions.migrate(tmp_path / "w.db")
        database = Database.open(tmp_path / "w.db")
        yield Repositories(database)
        await database.close()
        return
    async with fresh_database(has_tables=True) as address:
        database = Database.open(address)
        yield Repositories(database)
        await database.close()


def push(number: int, branch: str = "main") -> Push:
    commit = f"{number:040x}"
    return Push(
        repository="acme/shop",
        branch=branch,
        commit=commit,
        before="",
        first="",
        commits=1,
        on_default=True,
        forced=False,
    )


async def connected(store: Repositories, user: str = "ann") -> ConnectedRepository:
    return await store.connect(user, "https://api.example", "acme/shop", b"sealed", AT)


async def test_the_queue_of_a_repository_has_an_end_and_keeps_nothing_of_what_it_refuses(store: Repositories) -> None:
    here, other = await connected(store), await connected(store, "bob")
    for number in range(MOST_WAITING):
        outcome, _ = await store.receive(here, f"d{number}", "push", push(number), AT, known=True)
        assert outcome == "queued"
    with pytest.raises(TooMany):
        await store.receive(here, "last", "push", push(99), AT, known=True)
    assert (await store.receive(other, "last", "push", push(99), AT, known=True))[0] == "queued"
    first = next(one for one in await store.waiting(2 * MOST_WAITING) if one.repository_id == here.id)
    await store.finish(first, PushResult("passed", "fine"), AT)
    assert (await store.receive(here, "last", "push", push(99), AT, known=True))[0] == "queued"
    assert (await store.receive(here, "last", "push", push(98), AT, known=True)) == ("again", None)


async def test_one_of_two_processes_gets_an_audit(store: Repositories) -> None:
    here = await connected(store)
    _, made = await store.receive(here, "d", "push", push(1), AT, known=True)
    assert made is not None
    (seen,) = await store.waiting(10)
    assert seen == made
    mine = await store.claim(seen, "host:1:0", AT)
    assert mine is not None
    assert (mine.status, mine.tries, await store.claim(seen, "host:2:0", AT)) == ("running", 1, None)
    back = await store.claim(mine, "", AT)
    assert back is not None
    assert (back.status, back.holder) == ("queued", "")
    again = await store.claim(back, "host:2:0", AT)
    assert again is not None
    check = PushCheck("W1", "secrets", "failed", "a key")
    result = PushResult(
        "failed", "failed: secrets", "b" * 40, report='{"outcomes": []}', ledger_entry=3, checks=(check,)
    )
    ended = await store.finish(again, result, AT + timedelta(seconds=4))
    assert ended is not None
    assert (ended.status, ended.ledger_entry, ended.holder) == ("failed", 3, "")
    assert await store.waiting(10) == []
    assert (await store.checks([ended.id]))[ended.id] == [check]
    assert (await store.audit("ann", here.id, ended.id))[1] == result.report
    with pytest.raises(NotFound):
        await store.audit("bob", here.id, ended.id)
    await store.disconnect("ann", here.id)
    assert await store.finish(again, result, AT) is None
    assert (await store.checks([ended.id]))[ended.id] == []


async def test_a_page_goes_on_where_the_one_before_ended(store: Repositories) -> None:
    here = await connected(store)
    for number in range(5):
        branch = "main" if number % 2 else "topic"
        at = AT + timedelta(seconds=number // 2)
        await store.receive(here, f"d{number}", "push", push(number, branch), at, known=True)
    whole = await store.page("ann", here.id, 10)
    first = await store.page("ann", here.id, 2)
    rest = await store.page("ann", here.id, 10, (first[-1].queued_at, first[-1].id))
    assert [*first, *rest] == whole
    assert len(whole) == 5
    assert [one.branch for one in await store.page("ann", here.id, 10, branch="topic")] == ["topic"] * 3
    assert await store.page("bob", here.id, 10) == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"ref": 1},
        {"ref": "refs/heads/a"},
        {"ref": "refs/heads/a", "after": "x", "before": "0" * 40},
        {"ref": "refs/heads/a", "after": "--upload-pack=x", "before": "0" * 40},
        {"ref": "refs/heads/a", "after": "a" * 40, "before": "0" * 40, "commits": [{"id": "HEAD"}]},
        {"ref": "refs/heads/", "after": "a" * 40, "before": "0" * 40},
        {"ref": f"refs/heads/{'x' * 256}", "after": "a" * 40, "before": "0" * 40},
    ],
)
def test_a_body_that_is_no_push_is_refused(body: object) -> None:
    with pytest.raises(ValueError):
        push_of(body)
