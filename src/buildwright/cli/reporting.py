"""How much a build in the foreground says, and who else is told: reports, annotations, notifications. Never decides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from buildwright.errors import CouldNot, Refused

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.client import Client
    from buildwright.core.build import Build


@Parameter(name="*")
@dataclass(kw_only=True, frozen=True)
class Reporting:
    """The options of `build`, `run` and `resume` that say what is told of the build, and to whom."""

    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], help="Print only how it ends.")] = False
    verbose: Annotated[
        bool, Parameter(name=["--verbose", "-v"], help="Also print what agents, checks and git say.")
    ] = False
    junit: Annotated[Path | None, Parameter(help="Write JUnit XML of its tasks and gates to this file at the end.")] = (
        None
    )
    notify: Annotated[
        str,
        Parameter(help="Run this command when the build pauses or ends, or nears its budget; it gets JSON on stdin."),
    ] = ""

    @property
    def detail(self) -> Literal["none", "events", "all"]:
        """What is said while the build runs."""
        return "none" if self.quiet else "all" if self.verbose else "events"

    def folds(self, output: Output) -> bool:
        """Return whether there are lines to fold into groups."""
        return not (self.quiet or output.json)

    def arguments(self) -> list[str]:
        """Return these options for the `run` of another process."""
        named = [("--junit", str(self.junit.absolute()) if self.junit else ""), ("--notify", self.notify)]
        switched = [("--quiet", self.quiet), ("--verbose", self.verbose)]
        return [f"{name}={value}" for name, value in named if value] + [name for name, on in switched if on]

    def check(self, *, unwatched: bool = False) -> None:
        """Raise Refused for options that contradict each other, a file that cannot be written, or a build that this
        machine does not watch (`unwatched`)."""
        if unwatched and (self.junit or self.notify):
            raise Refused("with --detach the workers build, and none of them reports here", fix="leave --detach out")
        if self.quiet and self.verbose:
            raise Refused("--quiet and --verbose cannot be used together", fix="give one of them")
        if self.junit is not None and not self.junit.absolute().parent.is_dir():
            raise Refused(f"there is no folder {self.junit.parent} for {self.junit}", fix="make the folder first")


PLAIN = Reporting()


async def report_end(app: Client, build: Build, output: Output, reporting: Reporting) -> None:
    """Write the reports of a build that is no longer watched. Raises CouldNot when the JUnit file cannot be written."""
    from buildwright.cli.github_actions import annotate, in_actions, write_step_outputs, write_step_summary

    if in_actions() and (build.is_terminal or build.pause is not None):
        from buildwright.views.overview import build_view

        annotate(output, build)
        try:
            view = build_view(build, app.clock.now())
            write_step_summary(view)
            write_step_outputs(view)
        except OSError as error:
            output.say(f"warning: the summary or outputs of this step cannot be written: {error}", style="yellow")
    if reporting.junit is not None:
        await write_junit(app, build, reporting.junit)


async def write_junit(app: Client, build: Build, path: Path) -> None:
    """Write the tasks and verdicts of a build as JUnit XML. Raises CouldNot when the file cannot be written."""
    from buildwright.views.junit_xml import junit_xml

    try:
        path.write_text(junit_xml(await app.gates(build), build), encoding="utf-8")
    except OSError as error:
        raise CouldNot(f"{path} cannot be written: {error}", fix="give --junit another file") from error
