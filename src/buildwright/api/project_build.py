"""Commands and questions about a project's newest build. Must never know a request or a response."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, Path, Request

from buildwright.api import operations
from buildwright.api.access import act_of, check_build_row, check_role, role_in_project
from buildwright.api.pages import find_lines
from buildwright.api.requests import BuildRequest, address_of, kept_spec, spec_of
from buildwright.api.state import Caller, ServerState, caller_of, state_of
from buildwright.api.targets import check_commands, is_owner, would_open
from buildwright.auth.rights import Act
from buildwright.core.build import Build
from buildwright.core.languages import language_of
from buildwright.core.paths import check_path
from buildwright.core.spec import Spec
from buildwright.engine.commands import NewBuild, SendMessage
from buildwright.engine.resume_command import Choice, ResumeBuild
from buildwright.errors import Conflict, IllegalMove, NotFound, Refused
from buildwright.ports import BuildRow, LogLine
from buildwright.store.projects import ProjectRecord
from buildwright.views.overview import PlanView
from buildwright.views.project import LogRow, WrittenFile, log_row, matching, phase_name, written_paths
from buildwright.views.statuses import project_status
from buildwright.views.summary import BuildSummary, DeliveredResult, Summing, summary_of
from buildwright.wiring.contracts import Contracting

LARGEST_SHOWN = 1_000_000
"""Bytes of the largest file whose content is shown."""
_CANCEL_SECONDS = 5.0
_BLOCK = 1_000
_CHOICES: dict[str, Choice] = {"retry": "retry", "retry_with_message": "retry", "skip": "skip", "abort": "abort"}


async def own_project(site: ServerState, caller: Caller, project_id: str, act: Act) -> ProjectRecord:
    """Return a project that the caller may do this to. Raises NotFound, Forbidden (see `access`)."""
    project = await site.records.projects.get(project_id)
    check_role(await role_in_project(site, caller, project), act, "project")
    return project


ProjectIdInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$", description="Id of the project.")]


async def _own(project_id: ProjectIdInPath, request: Request) -> ProjectRecord:
    return await own_project(state_of(request), caller_of(request), project_id, act_of(request, "change"))


OwnProject = Annotated[ProjectRecord, Depends(_own)]
"""The project that the path names by `project_id`, if the caller may do to it what the request asks for."""


async def _newest(project_id: ProjectIdInPath, request: Request) -> BuildRow:
    site, caller = state_of(request), caller_of(request)
    project = await own_project(site, caller, project_id, "read")
    row = await site.records.runs.latest_by_project(project.id)
    if row is None:
        raise NotFound("this project has no build yet", fix=f"start one: POST /projects/{project.id}/build")
    await check_build_row(site, caller, row, act_of(request, "steer"))
    return row


NewestRow = Annotated[BuildRow, Depends(_newest)]
"""The head row of the project's newest build. Raises NotFound when it has none."""


async def _newest_build(row: NewestRow, request: Request) -> Build:
    return await state_of(request).seen.newest(row.build_id)


NewestBuild = Annotated[Build, Depends(_newest_build)]
"""The project's newest build as of its last event."""


async def start(
    site: ServerState, caller: Caller, project: ProjectRecord, wish: BuildRequest, correlation_id: str
) -> str:
    """Start a build of the project and return its id.

    One at a time beside builds driven by hand, unless BUILDWRIGHT_BUILDS_AT_ONCE gives a number (0: any). Raises
    BadRepository, BadSpec, BadSettings, Forbidden (it would run commands that are not allowed), Conflict (another is
    unfinished, or there is a repository of the name that is to be made), Refused (a pull request to one that is to be
    made), ForgeFailed (it could not be made), TooMany.
    """
    target_type = wish.target_type or project.target_type
    repository = address_of(target_type, wish.target_ref or project.target_ref, site.app.settings.environment)
    spec, branch = await _spec(site, project, wish), ""
    if target_type == "github_new":
        begun = await site.records.runs.latest_by_project(project.id) is not None
        to_pull = wish.options.delivery.kind == "pr"
        repository, branch = await site.connecting.made(
            caller.user_id, repository, project.description, begun=begun, to_pull=to_pull
        )
    options = wish.options_for(target_type, repository)
    if branch and options.delivery.kind == "push" and not options.delivery.branch:
        options = options.model_copy(update={"delivery": options.delivery.model_copy(update={"branch": branch})})
    new = NewBuild(spec, options, repository, wish.base, project.id)
    build_id = await operations.start(site, caller, correlation_id, new, at_once=1, opens=target_type == "local_path")
    await site.hosting.begin(build_id)
    return build_id


async def planned(site: ServerState, caller: Caller, project: ProjectRecord, wish: BuildRequest) -> PlanView:
    """Return the plan of a build of the project with what it is likely to take, and start nothing.

    Raises BadRepository, BadSpec, BadGraph, BadSettings, Forbidden, ModelFailed.
    """
    await site.rates.take(operations.BUILDS, caller.user_id)
    target_type = wish.target_type or project.target_type
    repository = address_of(target_type, wish.target_ref or project.target_ref, site.app.settings.environment)
    spec = await _spec(site, project, wish)
    if target_type == "github_new":
        row = await site.records.runs.latest_by_project(project.id)
        before = (await site.seen.newest(row.build_id)).repository if row is not None else ""
        repository = before if before.casefold().endswith(f"/{repository}.git".casefold()) else ""  # not made yet
    options = wish.options_for(target_type, repository)
    check_commands(site, caller, spec, options)
    if target_type == "local_path" and not await asyncio.to_thread(_is_there, site, caller, repository):
        repository = ""  # the first build makes it
    checked = await operations.checked_target(site, caller, repository, options)
    return await site.app.plan(NewBuild(spec, options, checked, wish.base, project.id, user_id=caller.user_id))


def _is_there(site: ServerState, caller: Caller, text: str) -> bool:
    path, opens = would_open(text, site.app.settings.environment, own_machine=is_owner(site, caller))
    return not opens or (path / ".git").exists()


async def _spec(site: ServerState, project: ProjectRecord, wish: BuildRequest) -> Spec:
    """Return what is to be built: what the request says, or the project's contracts, spec or interview."""
    given = await asyncio.to_thread(kept_spec, wish.spec, wish.tasks)
    if given and wish.contracts:
        raise Refused("there are contracts and another spec", fix="leave out `contracts`, or `spec` and `tasks`")
    kept = Contracting(site.records, site.app.builds, site.app.clock)
    wanted = wish.contracts or (wish.contracts is None and not given)
    if wanted and (wish.contracts or await kept.listed(project.user_id, project.id)):
        return await kept.spec(project.user_id, project.id, wish.options.contracts_folder)
    if not (given or project.spec) and (found := await site.app.interviewing.spec(project.user_id, project.id)):
        return found
    return await asyncio.to_thread(spec_of, given or project.spec, project.name)


async def cancel(site: ServerState, caller: Caller, build: Build, row: BuildRow) -> str:
    """End the build, and return its status after a moment. Harmless when it was cancelled before.

    Raises IllegalMove with the state.
    """
    with _stating(row):
        if build.outcome not in {None, "stopped"}:
            raise IllegalMove(f"the build has ended ({build.outcome}): there is nothing to cancel")
        build = await operations.stop(site, caller, build, "cancelled by the user", _CANCEL_SECONDS)
    return project_status(build.control, build.outcome or "", build.version)


async def resume(
    site: ServerState, caller: Caller, build: Build, row: BuildRow, action: str, message: str, budget: Decimal | None
) -> str:
    """Answer the pause of a build, and return its status after that. Raises IllegalMove with the state."""
    if action == "abort":
        where = phase_name(build, build.pause.task if build.pause else "")
        message = f"Build aborted by user at {where}" + (f": {message}" if message else "")
    with _stating(row):
        if build.is_terminal:
            raise IllegalMove(f"the build has ended ({build.outcome}): there is no pause to answer")
        build, _ = await site.app.ask(build.id, ResumeBuild(_CHOICES[action], message, budget), caller.user_id)
    await site.hosting.begin(build.id)
    return project_status(build.control, build.outcome or "", build.version)


async def interject(site: ServerState, caller: Caller, build: Build, row: BuildRow, message: str) -> str:
    """Send the agents a message while the build runs, and return the message's id.

    Raises IllegalMove with the state.
    """
    with _stating(row):
        if build.pause is not None:
            raise IllegalMove("the build is paused, so no agent would hear it")
        return (await site.app.ask(build.id, SendMessage(message), caller.user_id)).id


@contextmanager
def _stating(row: BuildRow) -> Iterator[None]:
    """Give a conflict in the block the state of the build that did not allow it, and the place to look."""
    try:
        yield
    except Conflict as conflict:
        conflict.state = project_status(row.control, row.outcome, row.version)
        conflict.fix = f"see GET /projects/{row.project_id}/build/status for what can be done now"
        raise


async def log_page(
    site: ServerState,
    build_id: str,
    after: int,
    limit: int,
    *,
    tail: bool,
    task: str,
    level: str,
    source: str,
    search: str,
) -> tuple[list[LogRow], int | None]:
    """Return log lines, and the number after which the next page begins (None at the end of the log).

    The lines are those of `find_lines` with that level, source and text ("" for any).
    """

    def fits(line: LogLine) -> bool:
        return bool(matching([log_row(*line)], level, source, search))

    chosen = fits if level or source or search else None
    lines, following, more = await find_lines(
        site.app.builds, build_id, after, limit, task=task, tail=tail, fits=chosen
    )
    return [log_row(*line) for line in lines], following if more else None


async def file_page(site: ServerState, build: Build, after: str, limit: int) -> tuple[list[WrittenFile], str]:
    """Return the build's new and changed files after the path `after`, and the next page's `after` ("" at the end)."""
    paths = [path for path in written_paths(build) if path > after]
    page = paths[:limit]
    sizes = await site.app.workspace.file_sizes(build.id, build.head_tree, page) if page else {}
    files = [
        WrittenFile(path=path, size_bytes=sizes[path], language=language_of(path)) for path in page if path in sizes
    ]
    return files, page[-1] if len(paths) > limit else ""


async def read_file(site: ServerState, build: Build, path: str) -> tuple[WrittenFile, str | None, str]:
    """Return a file at the integration head and its text, or None and the reason. Raises UnsafePath, NotFound."""
    path = check_path(path)
    tree = build.head_tree or build.base_tree
    sizes = await site.app.workspace.file_sizes(build.id, tree, [path]) if tree else {}
    if path not in sizes:
        files = f"/projects/{build.project_id}/build/files"
        raise NotFound(f"there is no file {path} in what has landed", fix=f"list the files: GET {files}")
    file = WrittenFile(path=path, size_bytes=sizes[path], language=language_of(path))
    if file.size_bytes > LARGEST_SHOWN:
        return file, None, f"it has {file.size_bytes:,} bytes; files of more than {LARGEST_SHOWN:,} bytes are not shown"
    content = await site.app.workspace.read_file(build.id, tree, path, LARGEST_SHOWN + 1) or b""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    return (file, None, "it is a binary file, which is not shown") if "\0" in text else (file, text, "")


async def summarize(site: ServerState, build: Build) -> BuildSummary:
    """Return the summary. It reads the whole journal in blocks, so that other requests are served meanwhile."""
    summing = Summing()
    after = 0
    while after < build.version:
        events = await site.app.builds.read(build.id, after, min(_BLOCK, build.version - after))
        for recorded in events:
            summing.add(recorded)
        after = events[-1].seq
    return summary_of(build, summing, site.app.clock.now())


async def delivery_of(site: ServerState, build: Build) -> DeliveredResult | None:
    """Return where the result was delivered, None while it was not."""
    if not build.delivered:
        return None
    summing = Summing()
    for recorded in await site.app.builds.read(build.id, max(0, build.version - 200)):
        summing.add(recorded)
    return summing.delivered or DeliveredResult(
        kind=build.options.delivery.kind,
        pull_request=build.pull_request,
        ref=build.delivered,
        branch=build.delivered.removeprefix("refs/heads/"),
        commit=build.delivered_commit,
        at=build.updated_at,
    )
