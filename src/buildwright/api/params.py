"""Parameters common to routes of builds: clean text, the caller's build. Must never hold a route."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from buildwright.api.state import Caller, ServerState, caller_of, owned_row, state_of
from buildwright.core.build import Build
from buildwright.errors import Conflict, Forbidden, NotFound
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


async def own_build(site: ServerState, caller: Caller, build_id: str) -> Build:
    """Return the newest state of the caller's build. Raises NotFound, Forbidden when it is another user's."""
    if not site.seen.knows(build_id):
        await owned_row(site, build_id, caller)  # checked first, so that no user makes us load another user's build
    build = await site.seen.newest(build_id)
    if build.user_id != caller.user_id:
        raise Forbidden("this build belongs to another user", fix="ask for a build of your own")
    return build


async def _own(build_id: BuildIdInPath, request: Request) -> Build:
    return await own_build(state_of(request), caller_of(request), build_id)


OwnBuild = Annotated[Build, Depends(_own)]
"""The newest state of the build that the path names by `build_id`, if it is the caller's."""


async def check_project(site: ServerState, caller: Caller, project_id: str) -> None:
    """Check that the project is the caller's; a name without a project is free. Raises Forbidden."""
    try:
        project = await site.records.projects.get(project_id)
    except NotFound:
        return
    if project.user_id != caller.user_id:
        raise Forbidden("this project belongs to another user", fix="name a project of your own")


@contextmanager
def stating(build: Build) -> Iterator[None]:
    """Give a conflict in the block the state of the build that did not allow it."""
    try:
        yield
    except Conflict as conflict:
        conflict.state = conflict.state or state_word(build)
        raise
