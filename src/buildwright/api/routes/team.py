"""Users, tokens and the members of a project. Must never hold a rule: those are in `auth.rights` and `wiring.team`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, Field

from buildwright.api.access import role_in_project
from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.project_build import OwnProject
from buildwright.api.state import Caller, CallerOf, ServerState, SiteOf
from buildwright.errors import Forbidden
from buildwright.request_model import RequestModel
from buildwright.views.team import (
    Count,
    MemberRoleName,
    MemberView,
    Money,
    ServerRoleName,
    TeamPage,
    TokenView,
    UserChanges,
    UserView,
)
from buildwright.wiring.team import Team
from buildwright.wiring.team_page import team_page

router = Router(tags=["team"])

UserId = Annotated[str, Path(min_length=1, max_length=200, description="Id of the user.")]
TokenId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of the token, as the list has it.")]
OfUser = Annotated[str, Query(max_length=200, description="Of this user, for an owner of the server; else your own.")]


class ChangedUser(RequestModel):
    """What is to be different in a user. A field that is left out stays; null takes a limit off."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    role: ServerRoleName | None = None
    may_run_commands: bool | None = None
    most_builds: Count | None = Field(default=None, description="Builds at once; 0 is any number.")
    most_builds_an_hour: Count | None = None
    most_usd_a_month: Money | None = Field(
        default=None, description="US dollars for requests to models in a month of UTC."
    )

    def changes(self) -> UserChanges:
        """Return those that were given."""
        given = {name: getattr(self, name) for name in self.model_fields_set if name in UserChanges.model_fields}
        return UserChanges(**given)


class NewUser(ChangedUser):
    """A user to add, before the first request with a token."""

    user_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")


class GivenRole(RequestModel):
    """The role of a member of a project."""

    role: MemberRoleName


class UserList(BaseModel):
    """The users, by id."""

    items: list[UserView]


class TokenList(BaseModel):
    """Tokens that count, newest first."""

    items: list[TokenView]


class TokensRevoked(BaseModel):
    """How many tokens that were known were taken back."""

    revoked: int


class MemberList(BaseModel):
    """The users who see a project, its owner first."""

    items: list[MemberView]


def _team(site: ServerState) -> Team:
    settings = site.app.settings
    return Team(site.records, site.app.clock, settings.environment, settings.user)


def _check_owner(caller: Caller) -> None:
    if not caller.is_server_owner:
        raise Forbidden("only an owner of the server sees and changes users", fix="ask one")


@router.get("/api/team", responses=responses())
async def team_page_of_caller(site: SiteOf, caller: CallerOf) -> TeamPage:
    """Return what the page of the team shows: users, your tokens, projects with members, and what you can do with them."""
    return await team_page(
        _team(site),
        caller.user_id,
        caller.session,
        is_server_owner=caller.is_server_owner,
        signs_in_with_github=site.github_sign_in.is_set_up,
    )


@router.get("/api/users", responses=responses(403))
async def list_users(site: SiteOf, caller: CallerOf) -> UserList:
    """Return all users with rights, limits and what they have spent this month. For owners of the server."""
    _check_owner(caller)
    return UserList(items=list(await _team(site).users()))


@router.post("/api/users", status_code=201, responses=responses(403, 409))
async def add_user(wanted: NewUser, site: SiteOf, caller: CallerOf) -> UserView:
    """Add a user before the first request. For owners of the server."""
    _check_owner(caller)
    return await _team(site).add(wanted.user_id, wanted.changes())


@router.get("/api/users/{user_id}", responses=responses(403, 404))
async def get_user(user_id: UserId, site: SiteOf, caller: CallerOf) -> UserView:
    """Return a user: you, or for an owner of the server any."""
    if user_id != caller.user_id:
        _check_owner(caller)
    return await _team(site).user(user_id)


@router.patch("/api/users/{user_id}", responses=responses(403, 404))
async def change_user(user_id: UserId, wanted: ChangedUser, site: SiteOf, caller: CallerOf) -> UserView:
    """Change rights and limits of a user. For owners of the server."""
    _check_owner(caller)
    return await _team(site).change(user_id, wanted.changes())


@router.post("/api/users/{user_id}/disable", responses=responses(403, 404))
async def disable_user(user_id: UserId, site: SiteOf, caller: CallerOf) -> UserView:
    """Refuse a user, and take back all tokens. Builds that run go on. For owners of the server."""
    _check_owner(caller)
    user, gone = await _team(site).disable(user_id)
    site.sessions.stop(gone)
    return user


@router.post("/api/users/{user_id}/enable", responses=responses(403, 404))
async def enable_user(user_id: UserId, site: SiteOf, caller: CallerOf) -> UserView:
    """Let a user in again, with a new token. For owners of the server."""
    _check_owner(caller)
    return await _team(site).enable(user_id)


@router.get("/api/tokens", responses=responses(403))
async def list_tokens(site: SiteOf, caller: CallerOf, user: OfUser = "") -> TokenList:
    """Return your tokens and sessions that count, with their last use."""
    return TokenList(items=list(await _team(site).tokens(_whose(caller, user), caller.session)))


@router.delete("/api/tokens/{token_id}", status_code=204, responses=responses(403, 404))
async def revoke_token(token_id: TokenId, site: SiteOf, caller: CallerOf, user: OfUser = "") -> None:
    """Take a token back: requests with it are refused, and its streams end."""
    await _team(site).revoke(_whose(caller, user), token_id)
    site.sessions.stop({token_id})


@router.delete("/api/tokens", responses=responses(403, 404))
async def revoke_tokens(site: SiteOf, caller: CallerOf, user: OfUser = "") -> TokensRevoked:
    """Take back all your tokens and sessions, also the one of this request."""
    gone = await _team(site).revoke_all(_whose(caller, user))
    site.sessions.stop(one.id for one in gone)
    return TokensRevoked(revoked=len(gone))


@router.get("/projects/{project_id}/members", responses=responses(403, 404))
async def list_members(project: OwnProject, site: SiteOf) -> MemberList:
    """Return the users who see a project, with their roles."""
    return MemberList(items=list(await _team(site).members(project)))


@router.put("/projects/{project_id}/members/{user_id}", responses=responses(403, 404))
async def set_member(
    user_id: UserId, given: GivenRole, project: OwnProject, site: SiteOf, caller: CallerOf
) -> MemberList:
    """Share a project with a user, or change the role."""
    role = await role_in_project(site, caller, project)
    found = await _team(site).set_member(project, role, caller.user_id, user_id, given.role)
    return MemberList(items=list(found))


@router.delete("/projects/{project_id}/members/{user_id}", responses=responses(403, 404))
async def remove_member(user_id: UserId, project: OwnProject, site: SiteOf, caller: CallerOf) -> MemberList:
    """End the sharing of a project with a user, whose streams of others' builds in it end as well."""
    role = await role_in_project(site, caller, project)
    found = await _team(site).set_member(project, role, caller.user_id, user_id, None)
    await site.sessions.look()
    return MemberList(items=list(found))


@router.post("/projects/{project_id}/leave", status_code=204, responses=responses(403, 404))
async def leave_project(project: OwnProject, site: SiteOf, caller: CallerOf) -> None:
    """Be a member of a project no more: your streams of others' builds in it end as well."""
    await _team(site).leave(project, caller.user_id)
    await site.sessions.look()


@router.post("/auth/github/unlink", responses=responses(404, 409))
async def unlink_github(site: SiteOf, caller: CallerOf) -> UserView:
    """Forget your account at GitHub and its token. Refused for a user who signs in with it alone."""
    return await _team(site).unlink_github(caller.user_id)


def _whose(caller: Caller, user: str) -> str:
    if user and user != caller.user_id:
        _check_owner(caller)
    return user or caller.user_id
