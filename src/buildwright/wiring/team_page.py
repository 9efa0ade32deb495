"""The page of a team: what a caller sees of users, tokens and projects, and what can be done. Must never change anything."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

from buildwright.auth.rights import Role, allows, highest, may_change_member
from buildwright.store.users import MemberRole
from buildwright.views.team import (
    MemberView,
    RoleChoice,
    TeamAction,
    TeamGitHub,
    TeamMember,
    TeamPage,
    TeamProject,
    TeamToken,
    TeamUser,
    TokenView,
    UserView,
)
from buildwright.wiring.team import GITHUB_USERS

if TYPE_CHECKING:
    from buildwright.store.projects import ProjectRecord
    from buildwright.wiring.team import Team

_MOST_PROJECTS = 100
_GIVEN: tuple[MemberRole, ...] = ("viewer", "member", "maintainer")
_WORDS = {
    "viewer": "reads",
    "member": "starts builds, steers own ones, talks to agents",
    "maintainer": "does everything but delete",
}


async def team_page(
    team: Team, user_id: str, this: str, *, is_server_owner: bool, signs_in_with_github: bool
) -> TeamPage:
    """Return the page of a caller, whose request came with the token `this`. Raises StoreFailed."""
    users = await team.users() if is_server_owner else ()
    shared = await team.records.admission.shared(user_id)
    found = await team.records.projects.page(user_id, _MOST_PROJECTS, shared=shared)
    me = await team.user(user_id)
    return TeamPage(
        me=me,
        github=_github(me, signs_in_with_github),
        users=tuple(_user(one, team.own_user) for one in users),
        tokens=tuple(_token(one) for one in await team.tokens(user_id, this)),
        projects=tuple([_project(one, user_id, await team.members(one)) for one in found]),
    )


def _user(user: UserView, own_user: str) -> TeamUser:
    name, path = shlex.quote(user.user_id), f"/api/users/{quote(user.user_id, safe='')}"
    actions: list[TeamAction] = []
    if user.user_id != own_user:
        to = "member" if user.role == "owner" else "owner"
        actions.append(
            TeamAction(
                words=f"Make {to}",
                method="PATCH",
                path=path,
                body={"role": to},
                command=f"buildwright user set {name} --{to}",
            )
        )
        verb = "enable" if user.disabled_at else "disable"
        actions.append(
            TeamAction(
                words=verb.capitalize(),
                method="POST",
                path=f"{path}/{verb}",
                command=f"buildwright user {verb} {name}",
            )
        )
    return TeamUser(**user.model_dump(), actions=tuple(actions))


def _github(me: UserView, is_set_up: bool) -> TeamGitHub:
    words = "Link another account of GitHub" if me.github_login else "Link an account of GitHub"
    link = TeamAction(words=words, method="POST", path="/auth/github?next=%2Fteam", command="", leads=True)
    unlink = TeamAction(
        words="Unlink", method="POST", path="/auth/github/unlink", command="buildwright user unlink-github"
    )
    may_unlink = me.github_login and not me.user_id.startswith(GITHUB_USERS)
    return TeamGitHub(login=me.github_login, link=link if is_set_up else None, unlink=unlink if may_unlink else None)


def _token(token: TokenView) -> TeamToken:
    revoke = TeamAction(
        words="Take back",
        method="DELETE",
        path=f"/api/tokens/{token.id}",
        command=f"buildwright token revoke {shlex.quote(token.id)}",
    )
    return TeamToken(**token.model_dump(), revoke=revoke)


def _project(project: ProjectRecord, caller: str, members: tuple[MemberView, ...]) -> TeamProject:
    role = highest(*(one.role for one in members if one.user_id == caller)) or "viewer"
    return TeamProject(
        id=project.id,
        name=project.name,
        role=role,
        members=tuple(_member(project.id, role, caller, one) for one in members),
        share=_choices(project.id, role, None, "{user}"),
    )


def _member(project_id: str, role: Role, caller: str, member: MemberView) -> TeamMember:
    fields = member.model_dump()
    if member.role == "owner":
        return TeamMember(**fields)
    name = shlex.quote(member.user_id)
    remove = TeamAction(
        words="Remove",
        method="DELETE",
        path=f"/projects/{project_id}/members/{quote(member.user_id, safe='')}",
        command=f"buildwright user unshare {project_id} {name}",
    )
    may_remove = may_change_member(role, member.role, None)
    if member.user_id == caller:
        leave = f"buildwright user leave {project_id}"
        remove = TeamAction(words="Leave", method="POST", path=f"/projects/{project_id}/leave", command=leave)
        may_remove = allows(role, "leave")
    choices = _choices(project_id, role, member.role, member.user_id)
    return TeamMember(**fields, choices=choices, remove=remove if may_remove else None)


def _choices(project_id: str, role: Role, before: MemberRole | None, user_id: str) -> tuple[RoleChoice, ...]:
    """Return the roles that a caller with `role` may give; the one of `before` is without an action."""
    name = user_id if user_id == "{user}" else quote(user_id, safe="")
    shown = user_id if user_id == "{user}" else shlex.quote(user_id)
    found = []
    for given in _GIVEN:
        if may_change_member(role, before, given):
            action = TeamAction(
                words=f"Make {given}",
                method="PUT",
                path=f"/projects/{project_id}/members/{name}",
                body={"role": given},
                command=f"buildwright user share {project_id} {shown} --role {given}",
            )
            found.append(RoleChoice(role=given, words=_WORDS[given], action=None if given == before else action))
    return tuple(found)
