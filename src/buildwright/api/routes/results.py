"""What a build has made, as its pages show it: the change to be reviewed, and files. Must never change a build."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Query
from starlette.responses import Response

from buildwright.api import project_build
from buildwright.api.bodies import Router
from buildwright.api.params import CleanText, OwnBuild, TaskName
from buildwright.api.problems import responses
from buildwright.api.routes.project_builds import find_stack
from buildwright.api.state import ServerState, SiteOf
from buildwright.core.build import Build
from buildwright.errors import NotFound
from buildwright.views.attempts import AttemptsView
from buildwright.views.files import FilesMoments, FileView, TreeView, moments_of
from buildwright.views.instructions import Instructions, instructions_of
from buildwright.views.review import ReviewView
from buildwright.views.summary import BuildSummary
from buildwright.wiring.contracts import zipped
from buildwright.wiring.evidence import evidence_files
from buildwright.wiring.files import file_of, raw_of, tree_of

router = Router(prefix="/api/builds/{build_id}", tags=["builds"])

At = Annotated[
    int, Query(ge=0, le=2**53, description="Number of an event: as things were after it; 0: as they are now.")
]

FilePath = Annotated[CleanText, Query(min_length=1, max_length=4_000, description="From the top of the repository.")]
Of = Annotated[
    Literal["merged", "base"], Query(description="`merged`: with all that has landed; `base`: as before the build.")
]


@router.get("/review", responses=responses(403, 404, 502))
async def build_review(
    site: SiteOf,
    build: OwnBuild,
    task: TaskName = "",
    ignore_space: Annotated[
        bool, Query(description="Lines that differ in white space alone count as the same.")
    ] = False,
) -> ReviewView:
    """Return what the build, or one of its tasks, changed: files and hunks, each with its task and what that is for."""
    return await site.app.review(build, task, ignore_space=ignore_space)


_AttemptNumber = Annotated[int, Query(ge=1, le=10**6, description="Number of an attempt at the task, landed or not.")]


@router.get("/attempts", responses=responses(403, 404, 502))
async def two_attempts(
    site: SiteOf,
    build: OwnBuild,
    task: Annotated[TaskName, Query(min_length=1)],
    left: _AttemptNumber,
    right: _AttemptNumber,
) -> AttemptsView:
    """Return what two attempts at a task changed, side by side: by file, hunk and line, and what differs between them."""
    return await site.app.attempts(build, task, left, right)


@router.get("/tree", responses=responses(403, 404, 502))
async def build_tree(site: SiteOf, build: OwnBuild, at: At = 0, of: Of = "merged") -> TreeView:
    """Return the files as they were at an event: sizes, which are new or changed, by which task, and which are gone."""
    return await tree_of(site.app.workspace, await _state(site, build, at, of))


@router.get("/file", responses=responses(403, 404, 502))
async def build_file(
    site: SiteOf,
    build: OwnBuild,
    path: FilePath,
    at: At = 0,
    of: Of = "merged",
) -> FileView:
    """Return one file as it was at an event, as tokens of its language line by line; of binary and big ones the reason."""
    return await file_of(site.app.workspace, await _state(site, build, at, of), path)


@router.get(
    "/raw",
    response_class=Response,
    responses={**responses(403, 404, 502), 200: {"content": {"application/octet-stream": {}}}},
)
async def build_raw(site: SiteOf, build: OwnBuild, path: FilePath, at: At = 0, of: Of = "merged") -> Response:
    """Return the bytes of one file as it was at an event. Browsers save them: nothing in them is ever shown or run here."""
    content = await raw_of(site.app.workspace, await _state(site, build, at, of), path)
    name = quote(path.rpartition("/")[2], safe="")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get("/moments", responses=responses(403, 404))
async def build_moments(site: SiteOf, build: OwnBuild) -> FilesMoments:
    """Return the events that changed the files, oldest first: `at` of the tree and of a file takes each of them."""
    return moments_of(build, await site.app.builds.read(build.id))


@router.get("/summary", responses=responses(403, 404))
async def build_summary(site: SiteOf, build: OwnBuild) -> BuildSummary:
    """Return the summary of the build, so far or final."""
    return await project_build.summarize(site, build)


@router.get("/instructions", responses=responses(403, 404, 502))
async def build_instructions(site: SiteOf, build: OwnBuild) -> Instructions:
    """Return how to get the result, and how to install, test and build the project."""
    return instructions_of(build, await find_stack(site.app, build), await project_build.delivery_of(site, build))


@router.get(
    "/evidence",
    response_class=Response,
    responses={**responses(403, 404, 502), 200: {"content": {"application/zip": {}}}},
)
async def build_evidence(site: SiteOf, build: OwnBuild) -> Response:
    """Return what proves the build as a zip archive: the signed bundle, a page for people, and the public key."""
    found = await evidence_files(site.app.settings, build, await site.app.builds.read(build.id))
    headers = {"Content-Disposition": f'attachment; filename="evidence-{build.id[:8]}.zip"'}
    return Response(await asyncio.to_thread(zipped, found.texts), media_type="application/zip", headers=headers)


@router.get(
    "/contracts",
    response_class=Response,
    responses={**responses(403, 404), 200: {"content": {"application/zip": {}}}},
)
async def contracts_of_build(build: OwnBuild) -> Response:
    """Return the contracts that the build was made from, as a zip archive of the files that it wrote."""
    if build.spec.contracts is None:
        raise NotFound("this build was not made from contracts", fix="read what it was made from: its spec-progress")
    text = await asyncio.to_thread(zipped, build.spec.contracts.files)
    headers = {"Content-Disposition": f'attachment; filename="contracts-{build.id[:8]}.zip"'}
    return Response(text, media_type="application/zip", headers=headers)


async def _state(site: ServerState, build: Build, at: int, of: str) -> Build:
    state = await site.tails.history.at(build.id, at) if 0 < at < build.version else build
    return state if of == "merged" else replace(state, head=state.base, head_tree=state.base_tree)
