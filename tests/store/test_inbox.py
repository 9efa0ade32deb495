"""Events that are received with a key, and who starts them: exactly one of many, over both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from buildwright.errors import BuildwrightError
from buildwright.store.inbox import Received, asked
from buildwright.store.records import Records
from tests.store.process import AT
from tests.store.test_records import database, records  # noqa: F401  fixtures

SCOPE = "POST /events"
HOUR = timedelta(hours=1)


def note(user: str = "ann", project: str = "shop", after: timedelta = timedelta()) -> Received:
    return asked(user, project, "project.note", {"text": "hello"}, "c-1", AT + after)


async def test_of_fifty_at_once_with_one_key_one_event_is_kept(records: Records) -> None:  # noqa: F811
    rows = [note() for _ in range(50)]
    claims = await asyncio.gather(
        *(
            records.keys.use("ann", SCOPE, "k", b"body", AT, f"/at/{row.task_id}", "{}", records.inbox.keeping(row))
            for row in rows
        )
    )
    first = [row for row, claim in zip(rows, claims, strict=True) if claim.first]
    assert len(first) == 1
    assert await records.inbox.waiting(100) == [row._replace(data={}) for row in first]
    assert [await records.inbox.get(row.event_id) for row in first] == first
    assert {(claim.done, claim.same_body, claim.location) for claim in claims} == {
        (True, True, f"/at/{first[0].task_id}")
    }
    found = await records.keys.look("ann", SCOPE, "k", b"body", AT + 5.99 * HOUR)
    assert found == (False, True, True, f"/at/{first[0].task_id}", "{}")
    other = await records.keys.look("ann", SCOPE, "k", b"another", AT)
    assert other is not None
    assert not other.same_body
    assert await records.keys.look("ann", SCOPE, "k", b"body", AT + 6 * HOUR) is None
    assert await records.keys.look("bob", SCOPE, "k", b"body", AT) is None


async def test_a_statement_that_fails_leaves_the_key_free(records: Records) -> None:  # noqa: F811
    row = note()
    await records.inbox.keep(row)
    with pytest.raises(BuildwrightError, match=r"(?i)unique"):
        await records.keys.use("ann", SCOPE, "k", b"body", AT, "/x", "{}", records.inbox.keeping(row))
    assert await records.keys.look("ann", SCOPE, "k", b"body", AT) is None


async def test_of_fifty_who_claim_an_event_one_has_it(records: Records) -> None:  # noqa: F811
    row = await records.inbox.keep(note())
    claims = await asyncio.gather(*(records.inbox.claim(row, f"p{n}", AT) for n in range(50)))
    (claimed,) = [claim for claim in claims if claim is not None]
    assert [found.holder for found in await records.inbox.waiting(10)] == [claimed.holder]
    again = await records.inbox.claim(claimed, "heir", AT + HOUR)
    assert again is not None
    assert await records.inbox.claim(claimed, "late", AT + HOUR) is None
    await records.inbox.set_status(row.event_id, "started", AT + HOUR, build_id="b")
    assert await records.inbox.claim(again, "late", AT + HOUR) is None
    assert await records.inbox.waiting(10) == []
    assert [(found.holder, found.build_id) for found in await records.inbox.started(10)] == [("", "b")]


async def test_a_project_belongs_to_who_named_it_first(records: Records) -> None:  # noqa: F811
    assert await records.inbox.owner("shop") == ""
    mine = await records.inbox.keep(note())
    theirs = await records.inbox.keep(note("bob", after=HOUR))
    assert await records.inbox.owner("shop") == "ann"
    assert await records.inbox.latest("shop") == theirs
    assert await records.inbox.latest("shop", user_id="ann") == mine
    assert await records.inbox.latest("shop", "devteam.initialize", "ann") is None
