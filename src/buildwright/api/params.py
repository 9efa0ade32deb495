"""Parameters common to routes of builds: clean text, the caller's build. Must never hold a route."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from buildwright.api.access import act_of, check_build_row, check_role, role_in_build, role_in_project
from buildwright.api.state import Caller, ServerState, caller_of, state_of
from buildwright.auth.rights import Act
from buildwright.core.build import Build
from buildwright.errors import Conflict, NotFound
from buildwright.request_model import clean
from buildwright.views.overview import state_word

BuildId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$", description="Id of a build.")]
BuildIdInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$", description="Id of the build.")]
ProjectId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:/@-]{0,127}$", description="Id or name of a project.")
]
TASK = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,79})?$"
TaskName = Annotated[str, Field(pattern=TASK, description='Id of a task; "" for all.')]
CleanText = Annotated[str, AfterValidator(clean)]
Limit = Annotated[int, Query(ge=1, le=500, description="At most this many.")]


def _written(value: object) -> object:
    """Refuse a bare number, which pydantic takes for seconds since 1970: the description promises a date."""
    if isinstance(value, str) and value.strip().lstrip("+-").replace(".", "", 1).isdigit():
        raise ValueError("a time is written as 2026-11-28T09:00:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
After = Annotated[int, Query(ge=0, le=2**53, description="Only those with a larger number.")]


async def own_build(site: ServerState, caller: Caller, build_id: str, act: Act) -> Build:
    """Return the newest state of a build that the caller may do this to. Raises NotFound, Forbidden (see `access`)."""
    if not site.seen.knows(build_id):
        # Checked first, so that no user makes us load another user's build.
        await check_build_row(site, caller, await site.records.runs.get(build_id), act)
    build = await site.seen.newest(build_id)
    if build.user_id != caller.user_id:
        role = await role_in_build(site, caller, build.user_id, build.project_id)
        check_role(role, act, "build")
    return build


async def _own(build_id: BuildIdInPath, request: Request) -> Build:
    return await own_build(state_of(request), caller_of(request), build_id, act_of(request, "steer"))


OwnBuild = Annotated[Build, Depends(_own)]
"""The newest state of the build that the path names by `build_id`, if the caller may do to it what the request asks for."""


async def check_project(site: ServerState, caller: Caller, project_id: str) -> bool:
    """Check that the caller may start a build of the project; return whether there is one, and not only its name.

    Raises NotFound, Forbidden.
    """
    try:
        project = await site.records.projects.get(project_id)
    except NotFound:
        return False
    check_role(await role_in_project(site, caller, project), "start", "project")
    return True


@contextmanager
def stating(build: Build) -> Iterator[None]:
    """Give a conflict in the block the state of the build that did not allow it."""
    try:
        yield
    except Conflict as conflict:
        conflict.state = conflict.state or state_word(build)
        raise
