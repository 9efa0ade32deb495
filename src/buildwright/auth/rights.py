"""What a role in a project allows: the one place of the rule. Pure functions; must never know a request or a store.

A build counts as its project's; who started a build has the role `owner` there.
"""

from __future__ import annotations

from typing import Final, Literal

Role = Literal["viewer", "member", "maintainer", "owner"]
Act = Literal["read", "leave", "say", "review", "start", "steer", "change", "share", "delete"]
"""`say` and `review` reach a build's agents, `say` also the readers of a contract; `steer` is every other command to a
build that another user has started; `change` is of a project's spec, interview and contracts; `share` is of its members;
each may `leave`."""

ROLES: Final[tuple[Role, ...]] = ("viewer", "member", "maintainer", "owner")
"""From the lowest to the highest."""
LEAST: Final[dict[Act, Role]] = {
    "read": "viewer",
    "leave": "viewer",
    "say": "member",
    "review": "member",
    "start": "member",
    "steer": "maintainer",
    "change": "maintainer",
    "share": "maintainer",
    "delete": "owner",
}
"""The lowest role that an act needs."""


def allows(role: Role | None, act: Act) -> bool:
    """Return whether a role allows an act; None is no role at all."""
    return role is not None and _rank(role) >= _rank(LEAST[act])


def highest(*roles: Role | None) -> Role | None:
    """Return the highest of some roles, None when there is none."""
    return max((role for role in roles if role is not None), key=_rank, default=None)


def who_may(act: Act) -> str:
    """Return in words which roles allow an act, such as `its owner or a maintainer`."""
    may = [role for role in reversed(ROLES) if allows(role, act)]
    words = ["its owner", *(f"a {role}" for role in may[1:])]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def refusals(role: Role | None, what: str) -> dict[Act, str]:
    """Return the acts that a role does not allow in a thing (`what`: `build` or `project`), each with why and whom to ask."""
    return {act: f"{refusal(role, what)}: ask {who_may(act)}" for act in LEAST if not allows(role, act)}


def refusal(role: Role | None, what: str) -> str:
    """Return why a role does not allow an act."""
    return f"your role in this {what} is {role or 'none'}, which does not allow this"


def may_change_member(role: Role | None, before: Role | None, after: Role | None) -> bool:
    """Return whether a role may change a member's from `before` to `after` (None: no member): neither is above its own."""
    if not allows(role, "share") or role is None:
        return False
    return all(other is None or (other != "owner" and _rank(other) <= _rank(role)) for other in (before, after))


def _rank(role: Role) -> int:
    return ROLES.index(role)
