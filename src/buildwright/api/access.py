"""Whether a caller may do to a project or a build what a request asks for. Must never hold the rule: see `auth.rights`.

Both what the caller may not see and what the role does not allow is Forbidden; no list shows what may not be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.requests import HTTPConnection

from buildwright.auth.rights import Act, Role, allows, highest, refusal, who_may
from buildwright.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from buildwright.api.state import Caller, ServerState
    from buildwright.ports import BuildRow
    from buildwright.store.projects import ProjectRecord

ACTS: Final[dict[str, Act]] = {
    "/api/builds/{build_id}/say": "say",
    "/api/builds/{build_id}/review": "review",
    "/api/builds/{build_id}/fork": "start",
    "/projects/{project_id}/build": "start",
    "/projects/{project_id}/build/interject": "say",
    "/projects/{project_id}/contracts/comments/{comment_id}/resolve": "say",
    "/projects/{project_id}/contracts/{contract_type}/comments": "say",
    "/projects/{project_id}/build/cancel": "steer",
    "/projects/{project_id}/build/resume": "steer",
    "/projects/{project_id}/leave": "leave",
    "/projects/{project_id}/members/{user_id}": "share",
}
"""What a request that changes something is to the project or build in its path. A path that is missing here is a `steer` of
a build or a `change` of a project."""
_READS = frozenset({"GET", "HEAD"})


def act_of(request: HTTPConnection, otherwise: Act) -> Act:
    """Return the act that a request is: a read, the one of its path, or `otherwise`."""
    if request.scope.get("method") in _READS:
        return "read"
    route = request.scope.get("route")
    return ACTS.get(str(getattr(route, "path", "")), otherwise)


async def role_in_project(site: ServerState, caller: Caller, project: ProjectRecord) -> Role | None:
    """Return the caller's role in a project, None when it is not the caller's to see. Raises StoreFailed."""
    if project.user_id == caller.user_id:
        return "owner"
    return highest(await site.records.members.role(project.id, caller.user_id), _of_server(caller))


async def role_in_build(site: ServerState, caller: Caller, user_id: str, project_id: str) -> Role | None:
    """Return the caller's role in a build of a user in a project. Raises StoreFailed."""
    if user_id == caller.user_id:
        return "owner"
    try:
        project = await site.records.projects.get(project_id)
    except NotFound:  # the project is only a name: its builds are shared with no other user
        return _of_server(caller)
    return await role_in_project(site, caller, project)


async def check_build_row(site: ServerState, caller: Caller, row: BuildRow, act: Act) -> None:
    """Raise Forbidden when the caller may not see a build, or the act is not allowed."""
    role = await role_in_build(site, caller, row.user_id, row.project_id)
    check_role(role, act, "build")


def check_role(role: Role | None, act: Act, what: str) -> None:
    """Raise Forbidden for a thing (`what`: `build` or `project`) without a role there, or with one that is too low."""
    if role is None:
        raise Forbidden(f"this {what} belongs to another user", fix=f"ask {who_may('share')} to share it with you")
    if not allows(role, act):
        raise Forbidden(refusal(role, what), fix=f"ask {who_may(act)}")


async def check_name(site: ServerState, caller: Caller, name: str) -> None:
    """Raise Forbidden when builds or requests of other users alone are of a project that is only a name."""
    found = await site.records.inbox.latest(name) or await site.records.runs.latest_by_project(name)
    if found is not None and found.user_id not in {"", caller.user_id}:
        raise Forbidden("this project belongs to another user", fix="name a project of your own")


def _of_server(caller: Caller) -> Role | None:
    """Return the role that the server's owner has everywhere: to see."""
    return "viewer" if caller.is_server_owner else None
