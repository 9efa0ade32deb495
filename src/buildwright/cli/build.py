"""The verb `build`: starts a build, or goes on with the same one. Must never touch the user's checkout."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.build_options import BuildOptions
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output, one_line
from buildwright.cli.reporting import PLAIN, Reporting
from buildwright.cli.session import read_spec, session
from buildwright.errors import BuildwrightError

if TYPE_CHECKING:
    from buildwright.client import Client
    from buildwright.core.build import Build
    from buildwright.core.limits import Options
    from buildwright.core.spec import Spec

_DEFAULTS = BuildOptions()
_MOST_NOTES = 10
"""Notes of a spec that are printed at the start."""
_LOOK_BACK = 200
"""How many of the newest builds are searched for an unfinished one with the same spec and options."""


async def build(
    spec: Annotated[Path, Parameter(help="A Markdown spec, or a task list: ours, or of another tool.")],
    /,
    *,
    tag: Annotated[str, Parameter(help="Which list of a task-master file; else `master`.")] = "",
    repo: Annotated[str, Parameter(help="Path or URL of the git repository to build on, or a part of it.")] = ".",
    base: Annotated[str, Parameter(help="Branch, tag or commit to build on; else what is checked out.")] = "",
    given: BuildOptions = _DEFAULTS,
    reporting: Reporting = PLAIN,
    new: Annotated[bool, Parameter(help="Start anew even if the same build is unfinished.")] = False,
    detach: Annotated[
        bool, Parameter(help="Run in a process of its own, or by the workers of a cluster, and return at once.")
    ] = False,
    json: Annotated[bool, Parameter(help="Events as JSON lines on stdout, then one summary object.")] = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y", "--no-input"], help="Ask nothing.")] = False,
) -> int:
    """Turn a spec into merged commits.

    Your checkout is not touched: the result is a new branch. The same command again goes on with the same build while it is
    unfinished. Ctrl-C lets go of it; nothing that was recorded is lost.
    """
    from buildwright.cli.foreground import drive_to_the_end, run_detached
    from buildwright.cli.options import options_of, read_repository
    from buildwright.core.apply import fold
    from buildwright.engine.commands import NewBuild

    output = Output(json)
    reporting.check()
    options = options_of(given)
    repository = read_repository(repo, given.no_lanes)
    async with session() as app:
        reporting.check(unwatched=detach and app.in_cluster)
        read = await read_spec(spec, tag)
        first: Build | None = None
        build_id = "" if new else await _unfinished(app, read, options, repository, base)
        if build_id:
            output.say(f"Going on with build {build_id[:8]}, which is the same and unfinished (--new starts another).")
            await _say_moved(app, build_id, output)
        elif not new and (changed := await _changed(app, read, options, repository, base, output, yes)):
            build_id = changed
        else:
            if given.push and not output.confirm(f"Push the result to {given.push} when it has passed?", yes):
                return Exit.USAGE
            for odd in () if options.cassette or app.elsewhere else app.settings.odd_keys:
                output.say(f"warning: {odd}", style="yellow")
            build_id = await app.start(NewBuild(read, options, repository, base))
            if not reporting.quiet:
                _introduce(output, build_id, read, repository)
            first = fold(await app.builds.read(build_id, limit=1))  # a server begins at once: what follows is shown too
            if part := first.options.part:
                output.say(f"  note: this build is about {part}: its checks judge, and paths may be meant from there.")
        if detach:
            return await run_detached(app, build_id, output, reporting)
        return await drive_to_the_end(app, build_id, output, reporting, since=first)


def _introduce(output: Output, build_id: str, spec: Spec, repository: str) -> None:
    """Say the id of a new build, its title, the repository it is for, and what its spec leaves out."""
    where = f" in {repository}" if repository else ""
    output.say(f"Build {build_id}")
    output.say(f"{spec.title}{where}")
    for note in spec.notes[:_MOST_NOTES]:
        output.say(f"  note: {one_line(note, 400)}")
    if len(spec.notes) > _MOST_NOTES:
        output.say(f"  and {len(spec.notes) - _MOST_NOTES} more notes: see `{typed('buildwright plan')}`")


async def _changed(
    app: Client, spec: Spec, options: Options, repository: str, base: str, output: Output, yes: bool
) -> str:
    """Give the newest unfinished build of this name the tasks of an edited list, if the user agrees; return its id.

    Returns "" when there is no such build: it has the same repository, base, options, and title or file, a plan, and a
    task of the list.
    """
    from buildwright.cli.same_name import difference, print_difference
    from buildwright.engine.commands import ChangeTasks

    if spec.graph is None:
        return ""
    for row in await app.builds.rows(limit=_LOOK_BACK):
        if row.control in {"finished", "stopped"}:
            continue
        found = await app.builds.load(row.build_id)
        named = spec.title == found.spec.title or (spec.source and spec.source == found.spec.source)
        if not named or found.plan is None or (found.repository, found.base_ref) != (repository, base):
            continue
        if not any(task.id in found.plan.position for task in spec.graph.tasks):
            continue
        if not await _began_with(app, found, options):
            continue
        differs = difference(found, spec.graph)
        if differs.is_empty:
            output.say(f"Going on with build {found.id[:8]}, which has these tasks (--new starts another).")
            return found.id
        output.say(f"Build {found.id[:8]} is unfinished and has the same name. The list differs from its plan:")
        print_difference(output, found, differs)
        if not output.confirm("Change that build? What is done stays (no: start another).", yes):
            return ""
        await app.ask(found.id, ChangeTasks((*differs.added, *differs.edited), differs.dropped))
        output.say(f"Going on with build {found.id[:8]} and these changes (--new starts another).")
        return found.id
    return ""


async def _unfinished(app: Client, spec: Spec, options: Options, repository: str, base: str) -> str:
    """Return the id of the newest unfinished build with this spec, repository, base and options; "" without one."""
    for row in await app.builds.rows(limit=_LOOK_BACK):
        if row.control in {"finished", "stopped"} or row.title != spec.title:
            continue
        found = await app.builds.load(row.build_id)
        same = (found.spec, found.repository, found.base_ref) == (spec, repository, base)
        if same and await _began_with(app, found, options):
            return found.id
    return ""


async def _say_moved(app: Client, build_id: str, output: Output) -> None:
    """Say when the base of a build is no longer the newest commit there: what was mended since is not in the build.

    Only of a repository on this machine: asking another one takes time.
    """
    from buildwright.workspace.git import Git
    from buildwright.workspace.source import locate, read_head

    found = await app.builds.load(build_id)
    if app.elsewhere or not found.base:
        return
    with suppress(BuildwrightError):  # a notice; whether the repository can be used is not the question here
        source = locate(found.repository, app.settings.environment)
        if source.git_dir is None:
            return
        head = await read_head(Git(app.settings.home, app.settings.environment), source, found.base_ref)
        if head.commit and head.commit != found.base:
            output.say(
                f"Its base has moved: the build began at {found.base[:10]}, and the newest commit is {head.commit[:10]}."
                " What you have mended there since counts in a build that starts anew: --new."
            )


async def _began_with(app: Client, found: Build, options: Options) -> bool:
    """Return whether a build began with these options, whatever a `resume` has changed since."""
    from buildwright.core.event import BuildCreated

    if found.options == _as_started(options, found.options):
        return True
    created = (await app.builds.read(found.id, limit=1))[0].event if "options.changed" in found.moments else None
    return isinstance(created, BuildCreated) and created.options == _as_started(options, created.options)


def _as_started(options: Options, found: Options) -> Options:
    """Return the options with what the start of the other build found out: its part, and the author that git named."""
    options = options.model_copy(update={"part": found.part})
    if options.commits.author:
        return options
    commits = options.commits.model_copy(update={"author": found.commits.author})
    return options.model_copy(update={"commits": commits})
