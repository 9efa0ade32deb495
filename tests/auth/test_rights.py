"""The rule of roles, as a table."""

from __future__ import annotations

from typing import get_args

import pytest

from buildwright.auth.rights import LEAST, ROLES, Act, Role, allows, highest, may_change_member, who_may

TABLE: dict[Act, str] = {
    "read": "viewer member maintainer owner",
    "leave": "viewer member maintainer owner",
    "say": "member maintainer owner",
    "review": "member maintainer owner",
    "start": "member maintainer owner",
    "steer": "maintainer owner",
    "change": "maintainer owner",
    "share": "maintainer owner",
    "delete": "owner",
}


@pytest.mark.parametrize("act", get_args(Act))
def test_what_each_role_may_do(act: Act) -> None:
    assert {role for role in get_args(Role) if allows(role, act)} == set(TABLE[act].split())
    assert not allows(None, act)
    assert LEAST[act] in ROLES


def test_the_highest_role_counts() -> None:
    assert highest(None, "viewer", "maintainer", None) == "maintainer"
    assert highest(None, None) is None
    assert highest() is None


def test_it_says_who_may() -> None:
    assert who_may("delete") == "its owner"
    assert who_may("steer") == "its owner or a maintainer"
    assert who_may("say") == "its owner, a maintainer or a member"


def test_members_are_changed_by_whoever_is_not_below_them() -> None:
    assert may_change_member("owner", "maintainer", None)
    assert may_change_member("maintainer", "maintainer", "viewer")
    assert may_change_member("maintainer", None, "maintainer")
    for role in ("member", "viewer", None):
        assert not may_change_member(role, None, "viewer")
    assert not may_change_member("owner", "owner", None)
    assert not may_change_member("owner", "viewer", "owner")
