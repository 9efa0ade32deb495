"""What a build has made, as its pages show it: the change to be reviewed, and files. Must never change a build."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from buildwright.api.bodies import Router
from buildwright.api.params import CleanText, OwnBuild, TaskName
from buildwright.api.problems import responses
from buildwright.api.state import ServerState, SiteOf
from buildwright.core.build import Build
from buildwright.views.files import FileView, TreeView
from buildwright.views.review import ReviewView
from buildwright.wiring.files import file_of, tree_of

router = Router(prefix="/api/builds/{build_id}", tags=["builds"])

At = Annotated[
    int, Query(ge=0, le=2**53, description="Number of an event: as things were after it; 0: as they are now.")
]


@router.get("/review", responses=responses(403, 404, 502))
async def build_review(site: SiteOf, build: OwnBuild, task: TaskName = "") -> ReviewView:
    """Return what the build, or one of its tasks, changed: files and hunks, each with its task and what that is for."""
    return await site.app.review(build, task)


@router.get("/tree", responses=responses(403, 404, 502))
async def build_tree(site: SiteOf, build: OwnBuild, at: At = 0) -> TreeView:
    """Return the files as they were at an event: sizes, which are new or changed, by which task, and which are gone."""
    return await tree_of(site.app.workspace, await _state(site, build, at))


@router.get("/file", responses=responses(403, 404, 502))
async def build_file(
    site: SiteOf,
    build: OwnBuild,
    path: Annotated[CleanText, Query(min_length=1, max_length=4_000, description="From the top of the repository.")],
    at: At = 0,
) -> FileView:
    """Return one file as it was at an event, as tokens of its language line by line; of binary and big ones the reason."""
    return await file_of(site.app.workspace, await _state(site, build, at), path)


async def _state(site: ServerState, build: Build, at: int) -> Build:
    return await site.tails.history.at(build.id, at) if 0 < at < build.version else build
