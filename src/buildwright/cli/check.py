"""The verb `check`: says what would judge a repository, and whether it passes, before anything is paid for.

What passed before is answered by `quick_check`. Must never make a build.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output, one_line
from buildwright.cli.quick_check import (
    Box,
    CheckOptions,
    option_texts,
    print_found,
    question_of,
    tell,
    tell_kept,
    verdicts,
)
from buildwright.settings import Settings

if TYPE_CHECKING:
    from buildwright.ports import LogEntry
    from buildwright.views.precheck import PrecheckView


async def check(
    *,
    repo: Annotated[str, Parameter(help="Path or URL of the git repository.")] = ".",
    base: Annotated[str, Parameter(help="Branch, tag or commit to look at; else what is checked out.")] = "",
    check: Annotated[tuple[str, ...], Parameter(help="A command that judges it, as of `build`. May be repeated.")] = (),
    setup: Annotated[tuple[str, ...], Parameter(help="Commands to run before the checks. May be repeated.")] = (),
    bring: Annotated[tuple[str, ...], Parameter(help="A file that git does not track, as of `build`.")] = (),
    grant_needs: Annotated[
        bool, Parameter(help="Give its commands what `buildwright.toml` asks for from outside, as of `build`.")
    ] = False,
    package_settings: Annotated[
        bool, Parameter(help="Show set-up alone your settings of package managers, as of `build`.")
    ] = False,
    branch: Annotated[str, Parameter(help="Branch for the result, as of `build`: whether it can be made.")] = "",
    gate_time: Annotated[float, Parameter(help="Seconds for one check.")] = 120.0,
    sandbox: Annotated[Box, Parameter(help="What contains checks.")] = "auto",
    lfs: Annotated[bool, Parameter(help="Fetch the objects of Git LFS, as of `build`.")] = False,
    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"), help="Also print what the commands print.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Say which checks apply to a repository, on which Python, and whether it passes them before any change.

    A build does the same first. Nothing is paid for, and your checkout is not touched. What passed is kept by tree and
    command, also for the build.
    """
    output, settings = Output(json), Settings.load()
    kept = verdicts(settings)
    given = CheckOptions(check, setup, bring, grant_needs, package_settings, branch, gate_time, sandbox, lfs)
    question = question_of(settings, repo, base, given, option_texts(settings, repo))
    known = kept.get(question) if question else None
    if known is not None:
        return tell_kept(output, known)
    view = (await look(output, repo, base, given, verbose=verbose)).model_dump(mode="json")
    from buildwright.core.finding import SUPPLIED

    outside = any(one["code"] == SUPPLIED for report in view["reports"] for one in report["findings"])
    if question and view["ready"] and not outside:
        commands = [report["evidence"]["command"] for report in view["reports"] if report["evidence"]]
        kept.put(question, view, commands, settings.environment.get("PATH", ""))
    return tell(output, view, was_kept=False)


async def look(
    output: Output, repo: str, base: str, given: CheckOptions, *, run: bool = True, verbose: bool = False
) -> PrecheckView:
    """Look at the repository, and say what was found before it is run. Raises BadRepository, BadSettings."""
    from buildwright.cli.build_options import BuildOptions
    from buildwright.cli.options import options_of, read_repository
    from buildwright.cli.session import local_session
    from buildwright.core.running_command import KIND
    from buildwright.core.spec import Spec
    from buildwright.engine.commands import NewBuild

    options = options_of(BuildOptions(agent="shell", agent_command="true", **given._asdict()))
    new = NewBuild(Spec(title="check"), options, read_repository(repo), base)

    def found(view: PrecheckView) -> None:
        if not output.json:
            print_found(output, view.model_dump(mode="json"))

    def told(entry: LogEntry) -> None:
        if verbose or entry.kind == KIND:
            output.say(f"    {one_line(entry.text)}")

    async with local_session() as app:
        return await app.precheck(new, found, told, run=run)


def in_repository() -> bool:
    """Return whether the working directory lies in a git repository, whose top has `.git`."""
    here = Path.cwd()
    return any((folder / ".git").exists() for folder in (here, *here.parents))


async def found_here(output: Output) -> PrecheckView | None:
    """Print what would judge the repository in the working directory, without running it; None when there is none.

    Raises BadSettings (buildwright.toml is wrong), BadRepository (git refuses it), StoreFailed.
    """
    if not in_repository():
        return None
    return await look(output, ".", "", CheckOptions(), run=False)
