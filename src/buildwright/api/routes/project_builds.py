"""The newest build of a project: its commands, log, files, summary. Must never hold logic."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from buildwright.api import project_build
from buildwright.api.bodies import Router
from buildwright.api.openapi import KEYED
from buildwright.api.pages import cursor_for, number_in, text_in
from buildwright.api.params import CleanText, Limit
from buildwright.api.problems import responses
from buildwright.api.project_build import NewestBuild, NewestRow
from buildwright.api.state import CallerOf, SiteOf
from buildwright.core.build import Build
from buildwright.core.limits import Budget
from buildwright.errors import BadSettings
from buildwright.request_model import RequestModel
from buildwright.views.instructions import Instructions, Stack, instructions_of, stack_of
from buildwright.views.project import (
    BuildAnswer,
    BuildStatus,
    LogLevel,
    LogRow,
    ResumeAction,
    WrittenFile,
    status_of,
)
from buildwright.views.statuses import BuildStatusName
from buildwright.views.summary import BuildSummary

if TYPE_CHECKING:
    from buildwright.wiring import App

router = Router(prefix="/projects/{project_id}/build", tags=["project builds"])

Cursor = Annotated[str, Query(max_length=8_000, description="`next_cursor` of the page before.")]
Filter = Annotated[CleanText, Query(max_length=200)]


class ResumeWish(RequestModel):
    """How to go on from a pause. `skip` gives up the failed tasks; tasks that depend on them go on."""

    action: ResumeAction
    message: Annotated[
        str, Field(max_length=20_000, description="For the agent; for retry_with_message it must be there.")
    ] = ""
    budget_usd: Budget | None = Field(default=None, description="A larger budget, if that was used up.")

    @model_validator(mode="after")
    def _told(self) -> ResumeWish:
        if self.action == "retry_with_message" and not self.message.strip():
            raise ValueError("retry_with_message needs a message")
        return self


class InterjectWish(RequestModel):
    """A message for the agents."""

    message: Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"\S")]


class Interjected(BaseModel):
    """A message on its way. The status lists it until an agent has received it; the summary has the receipt."""

    message_id: str
    build_id: str
    project_id: str
    status: BuildStatusName


class BuildLogPage(BaseModel):
    """Lines of a log, oldest first."""

    items: list[LogRow]
    next_cursor: str | None = Field(description="`cursor` of the next page; null at the end of the log.")


class BuildFilePage(BaseModel):
    """Files by path."""

    items: list[WrittenFile]
    next_cursor: str | None = Field(description="`cursor` of the next page; null for the last one.")


class FileAnswer(WrittenFile):
    """One file as it is at the integration head. `content` is null when `note` says why it is not shown."""

    content: str | None
    note: str = ""


@router.post("/cancel", status_code=202, responses=responses(403, 404, 409))
async def cancel_build(build: NewestBuild, row: NewestRow, site: SiteOf, caller: CallerOf) -> BuildAnswer:
    """Cancel the build: agents are ended, nothing more lands. Harmless when it was cancelled before."""
    await site.rates.take("BUILDWRIGHT_RATE_BUILDS", caller.user_id)
    status = await project_build.cancel(site, caller, build, row)
    return BuildAnswer(build_id=row.build_id, project_id=row.project_id, status=status)


@router.get("/status", responses=responses(403, 404))
async def build_status(build: NewestBuild) -> BuildStatus:
    """Return how far the build is, and what can be done when it is paused."""
    return status_of(build)


@router.get("/logs", responses=responses(403, 404))
async def build_logs(
    row: NewestRow,
    site: SiteOf,
    limit: Limit = 100,
    cursor: Cursor = "",
    tail: Annotated[bool, Query(description="The newest lines instead of the oldest.")] = False,
    task: Filter = "",
    level: Annotated[LogLevel | None, Query(description="Only lines of this level.")] = None,
    source: Annotated[Filter, Query(description="Only lines of `agent`, `command`, `engine`, `gate` or `git`.")] = "",
    search: Annotated[Filter, Query(description="Only lines with this text, in whatever case.")] = "",
) -> BuildLogPage:
    """Return the log of the build, page by page, searchable."""
    after = number_in(cursor)
    rows, following = await project_build.log_page(
        site, row.build_id, after, limit, tail=tail, task=task, level=level or "", source=source, search=search
    )
    return BuildLogPage(items=rows, next_cursor=cursor_for(following) if following is not None else None)


@router.post("/resume", response_model=BuildAnswer, responses=responses(403, 404, 409), openapi_extra=KEYED)
async def resume_build(
    request: Request, wish: ResumeWish, build: NewestBuild, row: NewestRow, site: SiteOf, caller: CallerOf
) -> Response:
    """Go on from a pause: try again, with or without a message, skip what failed, or give the build up."""
    await site.rates.take("BUILDWRIGHT_RATE_BUILDS", caller.user_id)

    async def work() -> tuple[int, dict[str, Any], str]:
        status = await project_build.resume(site, caller, build, row, wish.action, wish.message, wish.budget_usd)
        return 200, {"build_id": build.id, "project_id": build.project_id, "status": status}, ""

    return await site.asked.once(request, caller.user_id, f"POST /projects/{build.project_id}/build/resume", work)


@router.post(
    "/interject", status_code=202, response_model=Interjected, responses=responses(403, 404, 409), openapi_extra=KEYED
)
async def interject(
    request: Request, wish: InterjectWish, build: NewestBuild, row: NewestRow, site: SiteOf, caller: CallerOf
) -> Response:
    """Send the agents a message while they work. Several messages are received together, in order."""
    await site.rates.take("BUILDWRIGHT_RATE_BUILDS", caller.user_id)

    async def work() -> tuple[int, dict[str, Any], str]:
        message_id = await project_build.interject(site, caller, build, row, wish.message)
        answer = Interjected(message_id=message_id, build_id=build.id, project_id=build.project_id, status="running")
        return 202, answer.model_dump(mode="json"), ""

    return await site.asked.once(request, caller.user_id, f"POST /projects/{build.project_id}/build/interject", work)


@router.get("/files", responses=responses(403, 404, 502))
async def build_files(build: NewestBuild, site: SiteOf, limit: Limit = 500, cursor: Cursor = "") -> BuildFilePage:
    """Return the files that the build has made or changed, as far as they have landed."""
    files, following = await project_build.file_page(site, build, text_in(cursor), limit)
    return BuildFilePage(items=files, next_cursor=cursor_for(following) if following else None)


@router.get("/files/{path:path}", responses=responses(403, 404, 502))
async def build_file(
    path: Annotated[str, Path(description="From the top of the repository.")], build: NewestBuild, site: SiteOf
) -> FileAnswer:
    """Return one file as it is at the integration head."""
    file, content, note = await project_build.read_file(site, build, path)
    return FileAnswer(**file.model_dump(), content=content, note=note)


@router.get("/summary", responses=responses(403, 404))
async def build_summary(build: NewestBuild, site: SiteOf) -> BuildSummary:
    """Return the summary of the build, so far or final."""
    return await project_build.summarize(site, build)


@router.get("/instructions", responses=responses(403, 404, 502))
async def build_instructions(build: NewestBuild, site: SiteOf) -> Instructions:
    """Return how to get the result, and how to install, test and build the project."""
    return instructions_of(build, await find_stack(site.app, build), await project_build.delivery_of(site, build))


_LARGEST = 200_000


async def find_stack(app: App, build: Build) -> Stack:
    """Return the stack of the build's integration head.

    Raises GitFailed, NotFound (its repository was cleared away).
    """
    from buildwright.gates.stored_tree import toolchain_of_tree

    tree = build.head_tree or build.base_tree
    if not build.options.lanes or not tree:
        return Stack()
    paths = await app.workspace.list_files(build.id, tree)
    there = frozenset(paths)

    async def read(path: str) -> bytes | None:
        return await app.workspace.read_file(build.id, tree, path, _LARGEST)

    try:
        found = await toolchain_of_tree(paths, read, build.options)
    except BadSettings as error:
        return stack_of(there, False, (), (), (error.message,))
    described = await read("pyproject.toml") if "pyproject.toml" in there else None
    setup = tuple(command for one in found.setup for command in one.commands)
    checks = tuple((check.kind, check.command) for check in found.checks)
    notes = tuple(str(finding) for finding in found.findings)
    return stack_of(there, _is_package((described or b"").decode(errors="replace")), setup, checks, notes)


def _is_package(text: str) -> bool:
    """Return whether a pyproject.toml describes an installable package, and is not only settings of tools."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return "project" in document or "build-system" in document
