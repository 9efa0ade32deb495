"""Users, their tokens and the members of projects, as their users see them. Pure data."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from buildwright.core.record import Record, UtcTime

ServerRoleName = Literal["owner", "member"]
MemberRoleName = Literal["maintainer", "member", "viewer"]
Count = Annotated[int, Field(ge=0, le=100_000)]
Money = Annotated[
    Decimal,
    Field(ge=0, le=1_000_000),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1_000_000},
                {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,6})?$"},
            ]
        }
    ),
]
"""Dollars, as a number or, so that no digit is lost, as text; 0 is nothing at all."""


class UserView(Record):
    """A user of the server. A limit of null is the server's."""

    user_id: str
    name: str
    role: ServerRoleName
    may_run_commands: bool
    """Whether this user's builds may run commands of the server's machine, by the server's setting or by a grant."""
    most_builds: int | None = None
    """Builds at once; 0: any number."""
    most_builds_an_hour: int | None = None
    most_usd_a_month: Decimal | None = None
    spent_usd: Decimal = Decimal(0)
    """What requests to models cost this month (UTC), of builds that are still kept."""
    unfinished: int = 0
    """Builds that have not ended."""
    created_at: UtcTime
    disabled_at: UtcTime | None = None
    github_login: str = ""


class TokenView(Record):
    """A token that counts. Its `id` takes it back; the token itself is kept nowhere."""

    id: str
    user_id: str
    kind: str
    """`bearer`, or `session` of a browser."""
    label: str
    created_at: UtcTime
    expires_at: UtcTime
    last_used_at: UtcTime | None = None
    """To a minute."""
    is_this: bool = False
    """Whether the request came with it."""


class MemberView(Record):
    """A user who sees a project, its owner first. A role of `owner` is whose project it is."""

    user_id: str
    role: MemberRoleName | Literal["owner"]
    added_by: str = ""
    added_at: UtcTime | None = None


class TeamAction(Record):
    """Something that can be done on the page: a request, and the command line that does the same."""

    words: str
    method: Literal["POST", "PATCH", "PUT", "DELETE"]
    path: str
    body: dict[str, str | bool | None] | None = None
    command: str
    """"" for what takes a browser."""
    leads: bool = False
    """Whether the answer's `address` is that of a page elsewhere where it goes on."""


class TeamUser(UserView):
    """A user on the page, with what can be done."""

    actions: tuple[TeamAction, ...] = ()


class TeamToken(TokenView):
    """A token on the page."""

    revoke: TeamAction


class RoleChoice(Record):
    """A role that the caller may give to a member, and what it allows."""

    role: str
    words: str
    action: TeamAction | None = None
    """None for the role that the member has."""


class TeamMember(MemberView):
    """A member on the page. Without `choices` the caller may change nothing."""

    choices: tuple[RoleChoice, ...] = ()
    remove: TeamAction | None = None


class TeamProject(Record):
    """A project that the caller sees, with its members."""

    id: str
    name: str
    role: str
    """Of the caller."""
    members: tuple[TeamMember, ...]
    share: tuple[RoleChoice, ...] = ()
    """Roles for a new member; `{user}` in path and command is the id of that user."""


class TeamGitHub(Record):
    """The caller's account at GitHub: `login` is "" while none is linked."""

    login: str
    link: TeamAction | None = None
    """None where signing in with GitHub is not set up."""
    unlink: TeamAction | None = None
    """None where none is linked, and for a user who signs in with it alone."""


class TeamPage(Record):
    """All of the page: the caller, all users for an owner of the server, the caller's tokens, and projects."""

    me: UserView
    github: TeamGitHub
    users: tuple[TeamUser, ...] = ()
    tokens: tuple[TeamToken, ...] = ()
    projects: tuple[TeamProject, ...] = ()


class UserChanges(Record):
    """What is to be different in a user. A field that is left out stays; null takes a limit off."""

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    role: ServerRoleName | None = None
    may_run_commands: bool | None = None
    most_builds: Count | None = None
    most_builds_an_hour: Count | None = None
    most_usd_a_month: Money | None = None
