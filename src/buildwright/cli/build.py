"""The verb `build`: starts a build, or goes on with the same one. Must never touch the user's checkout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.build_options import BuildOptions
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output, one_line
from buildwright.cli.reporting import PLAIN, Reporting
from buildwright.cli.session import read_spec_or_issue, say_odd_keys, session

if TYPE_CHECKING:
    from buildwright.cli.unfinished import FoundBuild
    from buildwright.client import Client
    from buildwright.core.build import Build
    from buildwright.core.limits import Options
    from buildwright.core.spec import Spec
    from buildwright.engine.commands import NewBuild

_DEFAULTS = BuildOptions()
_MOST_NOTES = 10
"""Notes of a spec that are printed at the start."""


async def build(
    spec: Annotated[Path | None, Parameter(help="A Markdown spec, a task list, or `issue:N` of the forge.")] = None,
    /,
    *,
    contracts: Annotated[
        str, Parameter(help="Build from the contracts of this project instead: its name, or its id.")
    ] = "",
    tag: Annotated[str, Parameter(help="Which list of a task-master file; else `master`.")] = "",
    repo: Annotated[str, Parameter(help="Path or URL of the git repository, or of a folder in it.")] = ".",
    base: Annotated[str, Parameter(help="Branch, tag or commit to build on; else what is checked out.")] = "",
    given: BuildOptions = _DEFAULTS,
    reporting: Reporting = PLAIN,
    new: Annotated[bool, Parameter(help="Start a new build even if the same one is unfinished.")] = False,
    detach: Annotated[
        bool, Parameter(help="Run in the background (or on the workers of a cluster), and return at once.")
    ] = False,
    json: Annotated[bool, Parameter(help="Events as JSON lines on stdout, then one summary object.")] = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y", "--no-input"], help="Ask nothing.")] = False,
) -> int:
    """Turn a spec into merged commits.

    Your checkout is not touched: the result is a new branch. The same command again continues the same build while it is
    unfinished. Ctrl-C stops it safely, and `run` continues it.
    """
    from buildwright.cli.foreground import drive_to_the_end, left_to_its_process, run_detached
    from buildwright.cli.options import options_of, read_repository
    from buildwright.cli.unfinished import changed_build, say_moved, unfinished_build
    from buildwright.engine.commands import NewBuild
    from buildwright.errors import BuildIsRunning

    output = Output(json)
    _check_one_of(spec, tag, contracts)
    reporting.check()
    options = options_of(given)
    repository = read_repository(repo, given.no_lanes)
    async with session() as app:
        reporting.check(unwatched=detach and app.in_cluster)
        project_id, read = await _read(app, spec, tag, contracts, options, repository)
        options = _with_contracts(options, read)
        first: Build | None = None
        taken: FoundBuild | None = None
        build_id = "" if new else await unfinished_build(app, read, options, repository, base)
        if build_id:
            output.say(f"Continuing build {build_id[:8]}, which is the same and not finished (--new starts another).")
            await say_moved(app, build_id, output)
        elif not new and (taken := await changed_build(app, read, options, repository, base, output, yes)):
            build_id = taken.id
        else:
            if (question := _question(options)) and not await output.confirm(question, yes):
                return Exit.USAGE
            first = await _start(app, NewBuild(read, options, repository, base, project_id), output, reporting)
            build_id = first.id
        if detach:
            return await run_detached(app, build_id, output, reporting)
        try:
            return await drive_to_the_end(app, build_id, output, reporting, since=first)
        except BuildIsRunning:
            if taken is None or not taken.changed:
                raise
            return left_to_its_process(build_id, output)


def _question(options: Options) -> str:
    """Return what to ask before a result leaves this machine; "" for one that stays."""
    remote = options.delivery.remote or "origin"
    if options.delivery.kind == "pr":
        return f"Push the result to {remote} and open a pull request when it has passed?"
    return f"Push the result to {remote} when it has passed?" if options.delivery.kind == "push" else ""


def _with_contracts(options: Options, read: Spec) -> Options:
    """Return the options of a build from contracts: it marks its phases, and no task may change their folder."""
    from buildwright.core.contracts import bound_by

    if read.contracts is not None and options.is_audited:
        options = options.model_copy(update={"commits": options.commits.model_copy(update={"mark_phases": True})})
    return bound_by(options, read.contracts)


def _check_one_of(spec: Path | None, tag: str, project: str) -> None:
    """Raise Refused unless either a file or a project says what to build."""
    from buildwright.errors import Refused

    fix = "see buildwright build --help"
    if spec is None and not project:
        raise Refused("there is nothing to build: name a file as SPEC, or a project with --contracts", fix=fix)
    if project and (spec is not None or tag):
        raise Refused("give either SPEC, with its --tag, or --contracts, not both", fix=fix)


async def _read(
    app: Client, spec: Path | None, tag: str, project: str, options: Options, repository: str
) -> tuple[str, Spec]:
    """Return the project's id ("" for none) and what to build: the file's content, or the project's contracts."""
    from buildwright.client import spec_of_project

    if spec is not None:
        return "", await read_spec_or_issue(spec, tag, repository, app.settings)
    return await spec_of_project(app.contracts, project, options.contracts_folder)


async def _start(app: Client, new: NewBuild, output: Output, reporting: Reporting) -> Build:
    """Create a build and return it as it began: a server begins at once, and what follows is to be shown, too."""
    from buildwright.core.apply import fold

    say_odd_keys(app, output, played=bool(new.options.cassette))
    build_id = await app.start(new)
    if not reporting.quiet:
        _introduce(output, build_id, new.spec, new.repository)
    made = fold(await app.builds.read(build_id, limit=1))
    if not (reporting.quiet or output.json):
        await _say_estimate(app, made, output)
    if part := made.options.part:
        output.say(f"  note: this build is about {part}: its checks judge, and paths may be meant from there.")
    return made


async def _say_estimate(app: Client, new: Build, output: Output) -> None:
    """Say what a build of a list is likely to take, from builds before it or from published prices."""
    from buildwright.cli.summary import estimate_words
    from buildwright.wiring.estimate import estimate_for

    if new.spec.graph is not None:
        expected = await estimate_for(app.builds, new.spec.graph, new.options, new.user_id)
        if expected.is_known:
            output.say(f"  {estimate_words(expected)}", wrap=True)


def _introduce(output: Output, build_id: str, spec: Spec, repository: str) -> None:
    """Say the id of a new build, its title, the repository it is for, and what its spec leaves out."""
    where = f" in {repository}" if repository else ""
    output.say(f"Build {build_id}")
    output.say(f"{spec.title}{where}", wrap=True)
    for note in spec.notes[:_MOST_NOTES]:
        output.say(f"  note: {one_line(note, 400)}")
    if len(spec.notes) > _MOST_NOTES:
        output.say(f"  and {len(spec.notes) - _MOST_NOTES} more notes: see `{typed('buildwright plan')}`")
