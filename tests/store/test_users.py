"""Users, the ids of their tokens, and members of projects: one suite over both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from buildwright.errors import Conflict, NotFound
from buildwright.store import revisions
from buildwright.store.records import Records
from buildwright.store.users import MemberRecord, TokenRecord
from tests import services
from tests.store.process import AT

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
ODD = "a\0b\ud800c"


@pytest.fixture(params=["sqlite", "postgres"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    if request.param == "sqlite":
        await revisions.migrate(tmp_path / "buildwright.db")
        opened = Records.open(tmp_path / "buildwright.db")
        yield opened
        await opened.close()
        return
    async with services.fresh_database(has_tables=True) as url:
        opened = Records.open(url)
        yield opened
        await opened.close()


def token(jti: str, user: str = "ann", days: int = 1) -> TokenRecord:
    return TokenRecord(jti, user, "bearer", "laptop", AT, AT + DAY * days)


async def test_a_user_is_made_once_and_stays_as_made(records: Records) -> None:
    assert await records.users.find("ann") is None
    made = await asyncio.gather(*(records.users.seen("ann", AT, "owner", may_run_commands=True) for _ in range(5)))
    assert len(set(made)) == 1
    assert made[0]._asdict() | {"created_at": None} == {
        "user_id": "ann",
        "name": "ann",
        "role": "owner",
        "may_run_commands": True,
        "most_builds": None,
        "most_builds_an_hour": None,
        "most_usd_a_month": None,
        "created_at": None,
        "disabled_at": None,
        "tokens_since": None,
        "github_id": None,
        "github_login": None,
    }
    assert await records.users.seen("ann", AT + DAY) == made[0]
    with pytest.raises(Conflict):
        await records.users.add("ann", AT)
    odd = await records.users.add("b", AT, ODD)
    assert odd.name == "a\u2400b?c"
    assert [user.user_id for user in await records.users.all()] == ["ann", "b"]


async def test_limits_are_set_and_taken_off(records: Records) -> None:
    await records.users.add("bob", AT, "Bob")
    changed = await records.users.change(
        "bob", {"most_builds": 2, "most_builds_an_hour": 10, "most_usd_a_month": Decimal("12.3456"), "role": "owner"}
    )
    assert (changed.most_builds, changed.most_builds_an_hour) == (2, 10)
    assert (changed.most_usd_a_month, changed.role, changed.name) == (Decimal("12.3456"), "owner", "Bob")
    assert await records.users.get("bob") == changed
    assert (await records.users.change("bob", {"most_usd_a_month": None})).most_usd_a_month is None
    assert (await records.users.change("bob", {})).most_builds == 2
    with pytest.raises(NotFound):
        await records.users.change("nobody", {"name": "x"})


async def test_a_user_is_disabled_and_enabled(records: Records) -> None:
    await records.users.add("bob", AT)
    assert (await records.users.disable("bob", AT + DAY)).disabled_at == AT + DAY
    assert (await records.users.disable("bob", AT + DAY * 2)).disabled_at == AT + DAY
    assert (await records.users.enable("bob")).disabled_at is None
    for change in (records.users.disable("nobody", AT), records.users.enable("nobody")):
        with pytest.raises(NotFound):
            await change


async def test_an_account_of_github_belongs_to_one_user(records: Records) -> None:
    await records.users.add("bob", AT)
    await records.users.add("eve", AT)
    assert await records.users.by_github(7) is None
    linked = await records.users.set_github("bob", 7, "bob-gh", b"\0sealed\xff")
    assert (linked.github_id, linked.github_login) == (7, "bob-gh")
    assert await records.users.by_github(7) == linked
    assert await records.users.github_token("bob") == b"\0sealed\xff"
    with pytest.raises(Conflict):
        await records.users.set_github("eve", 7, "bob-gh", None)
    assert "sealed" not in repr(linked)
    await records.users.set_github("bob", None, None, None)
    assert await records.users.github_token("bob") is None
    assert (await records.users.set_github("eve", 7, "eve-gh", None)).github_id == 7


async def test_tokens_are_listed_by_user_with_their_last_use(records: Records) -> None:
    for each in (token("1"), token("2", days=3), token("3", "bob")):
        await records.issued.keep(each)
    await records.issued.keep(token("1", "eve"))
    await records.issued.used(token("1")._replace(label="other", last_used_at=AT + SECOND))
    listed = {each.jti: each for each in await records.issued.all("ann", AT)}
    assert listed == {"1": token("1")._replace(last_used_at=AT + SECOND), "2": token("2", days=3)}
    await records.issued.used(token("old", "bob")._replace(label="", last_used_at=AT))
    assert {each.jti for each in await records.issued.all("bob", AT)} == {"3", "old"}
    assert [each.jti for each in await records.issued.all("ann", AT + DAY)] == ["2"]
    await records.issued.keep(token("4", days=9)._replace(created_at=AT + DAY))
    with pytest.raises(NotFound):  # forgotten
        await records.issued.revoke("ann", "1", AT + DAY)


async def test_a_token_that_is_taken_back_counts_as_used(records: Records) -> None:
    for each in (token("1"), token("2"), token("3", "bob")):
        await records.issued.keep(each)
    with pytest.raises(NotFound):
        await records.issued.revoke("bob", "1", AT)
    gone = await records.issued.revoke("ann", "1", AT + SECOND)
    assert gone.revoked_at == AT + SECOND
    assert await records.issued.revoke("ann", "1", AT + DAY) == gone
    assert await records.tokens.used(["1", "2", "3"]) == {"1"}
    assert [each.jti for each in await records.issued.all("ann", AT)] == ["2"]


async def test_all_tokens_of_a_user_are_taken_back_also_unknown_ones(records: Records) -> None:
    await records.users.add("ann", AT)
    for each in (token("1"), token("2"), token("3", "bob")):
        await records.issued.keep(each)
    gone = await records.issued.revoke_all("ann", AT + SECOND)
    assert {each.jti for each in gone} == {"1", "2"}
    assert await records.tokens.used(["1", "2", "3"]) == {"1", "2"}
    assert (await records.users.get("ann")).tokens_since == AT + SECOND
    assert await records.issued.revoke_all("ann", AT + DAY) == []


async def test_a_project_is_shared_by_role(records: Records) -> None:
    bob = MemberRecord("p", "bob", "viewer", "ann", AT)
    assert await records.members.put(bob) == bob
    changed = await records.members.put(MemberRecord("p", "bob", "maintainer", "eve", AT + DAY))
    assert changed == bob._replace(role="maintainer")
    await records.members.put(MemberRecord("q", "bob", "member", "ann", AT))
    await records.members.put(MemberRecord("p", "carl", "viewer", "ann", AT))
    assert await records.members.role("p", "bob") == "maintainer"
    assert await records.members.role("p", "ann") is None
    assert [member.user_id for member in await records.members.all("p")] == ["bob", "carl"]
    assert await records.members.roles("bob") == {"p": "maintainer", "q": "member"}
    assert await records.members.remove("p", "bob")
    assert not await records.members.remove("p", "bob")
    assert await records.members.roles("bob") == {"q": "member"}
