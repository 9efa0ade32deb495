"""Comments on contracts in both databases: kept, resolved, opened again, and found for their project alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from buildwright.errors import BuildwrightError, Conflict
from buildwright.store import revisions
from buildwright.store.contract_comments import CommentRecord
from buildwright.store.records import Records
from tests.store.process import AT, steps_above

WORDS = "which p\u00e4ge? \U0001f600\nsay it"
FIRST = CommentRecord("c1", "ui", 1, 3, 4, "a\nb", WORDS, "ann", AT)
SECOND = CommentRecord("c2", "schema", 2, 1, 1, "x", "no", "bob", AT + timedelta(seconds=1))


@pytest.fixture
async def records(database: Path | str) -> AsyncIterator[Records]:
    await revisions.migrate(database)
    opened = Records.open(database)
    yield opened
    await opened.close()


async def test_a_comment_is_kept_resolved_and_opened_again(records: Records) -> None:
    kept = records.contract_comments
    assert await kept.add("ann", "p", SECOND) == SECOND
    assert await kept.add("ann", "p", FIRST) == FIRST
    assert await kept.of("ann", "p") == [FIRST, SECOND]
    assert await kept.of("ann", "p", most=1) == await kept.of("ann", "p", "schema") == [SECOND]
    later = AT + timedelta(hours=1)
    done = FIRST._replace(resolved_by="bob", resolved_at=later)
    assert await kept.resolve("ann", "p", "c1", "bob", later) == done
    assert await kept.resolve("ann", "p", "c1", "eve", later + timedelta(hours=1)) == done, "it was resolved already"
    assert await kept.of("ann", "p") == [done, SECOND]
    assert await kept.of("ann", "p", only_open=True) == [SECOND]
    assert (await kept.count_open("ann", "p"), await kept.find("ann", "p", "c1")) == (1, done)
    assert await kept.resolve("ann", "p", "c1", "eve", None) == FIRST
    assert await kept.resolve("ann", "p", "c1", "eve", None) == FIRST


async def test_nothing_is_found_for_another_user_or_project(records: Records) -> None:
    kept = records.contract_comments
    await kept.add("ann", "p", FIRST)
    assert await kept.of("bob", "p") == await kept.of("ann", "q") == []
    assert await kept.count_open("bob", "p") == await kept.count_open("ann", "q") == 0
    for user, project, name in (("bob", "p", "c1"), ("ann", "q", "c1"), ("ann", "p", "c9")):
        assert await kept.resolve(user, project, name, "bob", AT) is None
        assert await kept.find(user, project, name) is None
    assert await kept.of("ann", "p") == [FIRST]


async def test_no_rollback_loses_a_comment_unasked(records: Records, database: Path | str) -> None:
    await records.contract_comments.add("ann", "p", FIRST)
    await records.close()
    with pytest.raises(Conflict, match="contract_comments"):
        await revisions.rollback(database, steps_above("0018"))
    assert await revisions.rollback(database, steps_above("0018"), drop_data=True) == "0018"
    opened = Records.open(database)
    with pytest.raises(BuildwrightError):
        await opened.contract_comments.of("ann", "p")
    await opened.close()
    assert await revisions.migrate(database) == revisions.head()
