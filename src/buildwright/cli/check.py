"""The verb `check`: says what would judge a repository, and whether it passes, before anything is paid for.

A repository that passed before is answered from what was kept, without a heavy import. Must never make a build.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output, one_line
from buildwright.kept_verdicts import KeptVerdicts, surroundings
from buildwright.settings import Settings

if TYPE_CHECKING:
    from buildwright.ports import LogEntry
    from buildwright.views.precheck import PrecheckView

_GIT_SECONDS = 10.0
_MOST_REASONS = 20
"""Findings that are printed for people."""


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
    sandbox: Annotated[
        Literal["auto", "bubblewrap", "container", "none"], Parameter(help="What contains checks.")
    ] = "auto",
    lfs: Annotated[bool, Parameter(help="Fetch the objects of Git LFS, as of `build`.")] = False,
    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"), help="Also print what the commands print.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Say which checks apply to a repository, on which Python, and whether it passes them before any change.

    A build does the same first. Nothing is paid for, and your checkout is not touched. What passed is kept by tree and
    command, also for the build.
    """
    output, settings = Output(json), Settings.load()
    kept = KeptVerdicts(settings.home / "verdicts")
    given = CheckOptions(check, setup, bring, grant_needs, package_settings, branch, gate_time, sandbox, lfs)
    question = _question(settings, repo, base, given._asdict())
    known = kept.get(question) if question else None
    if known is not None:
        if not json:
            _print_found(output, known)
        return _tell(output, known, was_kept=True)
    view = (await look(output, repo, base, given, verbose=verbose)).model_dump(mode="json")
    from buildwright.core.finding import SUPPLIED  # known answers are told without it

    outside = any(one["code"] == SUPPLIED for report in view["reports"] for one in report["findings"])
    if question and view["ready"] and not outside:
        commands = [report["evidence"]["command"] for report in view["reports"] if report["evidence"]]
        kept.put(question, view, commands, settings.environment.get("PATH", ""))
    return _tell(output, view, was_kept=False)


class CheckOptions(NamedTuple):
    """What of the options of `build` was asked for."""

    check: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    bring: tuple[str, ...] = ()
    grant_needs: bool = False
    package_settings: bool = False
    branch: str = ""
    gate_time: float = 120.0
    sandbox: Literal["auto", "bubblewrap", "container", "none"] = "auto"
    lfs: bool = False


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
            _print_found(output, view.model_dump(mode="json"))

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


def _question(settings: Settings, repo: str, base: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return all that the answer depends on; {} when that cannot be known without looking."""
    if not Path(repo).is_dir():
        return {}
    place = str(Path(repo).resolve())
    command = ["git", "-C", place, "-c", "core.fsmonitor=false", "rev-parse", "--verify", "--end-of-options"]
    try:
        done = subprocess.run(
            [*command, f"{base or 'HEAD'}^{{tree}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_GIT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    tree = done.stdout.decode().split()[-1]
    return {"verb": "check", "tree": tree, **given, **surroundings(place, settings.environment)}


def _print_found(output: Output, view: dict[str, Any]) -> None:
    """Print what was found: the commands and their sources, the interpreter and why it, what pins versions."""
    output.print(f"{view['repository']} at {view['commit'][:12]}", style="bold")
    for title, commands in ("Set-up", view["setup"]), ("Checks", view["checks"]):
        output.print(f"{title}:" if commands else f"{title}: none found")
        for one in commands:
            source = "; ".join(one_line(text) for text in (one["source"], one.get("concerns", "")) if text)
            whole = " ".join(one["command"].split())  # its first line alone may end within a quoted word
            output.print(f"  {one['name']} ({one['kind']}): {one_line(whole)}  [{source}]")
    output.print(f"Python of the checks: {view['interpreter']} ({view['interpreter_why']})")
    if node := view.get("node"):
        output.print(f"Node of the checks: {one_line(node, 300)}")
    for line in (*view["pins"], *view["notes"]):
        output.print(f"  {one_line(line, 300)}")


def _print_report(output: Output, report: dict[str, Any]) -> None:
    """Print what one step or check said, and what it warns of. A step that ran nothing and warns of nothing is left out."""
    from buildwright.cli.table import count

    warnings = [one for one in report["findings"] if one["severity"] == "warning"]
    if not report["evidence"] and not warnings:
        return
    tests = report["evidence"]["tests"] if report["evidence"] else None
    counted = f", {count(tests, 'test')}" if tests is not None else ""
    warned = f", {count(len(warnings), 'warning')}" if warnings else ""
    output.print(f"{report['gate']}: {'passed' if report['ok'] else 'refused'}{counted}{warned}")
    for one in warnings[:_MOST_REASONS]:
        fix = f"fix: {one['fix']}" if one["fix"] else ""
        for line in (*one["message"].splitlines(), fix):
            if line.strip():
                output.print(f"  {one_line(line, 300)}")


def _tell(output: Output, view: dict[str, Any], *, was_kept: bool) -> Exit:
    """Print what the checks say, and return the exit code."""
    code = Exit.DONE if view["ready"] else Exit.GATE_FAILED
    if output.json:
        output.data({**view, "kept": was_kept, "exit": int(code)})
        return code
    for first, *rest in view["reasons"][:_MOST_REASONS]:
        output.print(f"  {one_line(first, 300)}", style="red")
        for line in rest:
            output.print(f"    {one_line(line, 300)}")
    if len(view["reasons"]) > _MOST_REASONS:
        output.print(f"  and {len(view['reasons']) - _MOST_REASONS} more: --json has them all")
    for report in view["reports"]:
        _print_report(output, report)
    if view["ready"]:
        output.print(
            "Ready: it passes its own checks" + (" (kept: same tree, commands and programs)." if was_kept else ".")
        )
        here = Path.cwd().samefile(view["repository"]) if Path(view["repository"]).is_dir() else False
        where = "" if here else f" --repo {shlex.quote(view['repository'])}"
        output.say(typed(f"Next: buildwright build SPEC.md{where}"))
    else:
        output.print("Not ready: a build would pause here, before anything is paid for.", style="bold")
        from buildwright.core.finding import NOT_GRANTED

        accepted = " ".join(
            "--grant-needs" if name == NOT_GRANTED else f"--accept-base {shlex.quote(name)}"
            for name in view["refused_by"]
        )
        output.say(typed(f"Next: fix it, name other checks with --check, or build with {accepted or '--accept-base'}"))
    return code
