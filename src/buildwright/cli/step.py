"""The verb `step`: asks a build that is driven by hand for one step. Must never take more than that step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.session import session

if TYPE_CHECKING:
    from buildwright.client import Client
    from buildwright.core.build import Build

_LOOK_SECONDS = 1.0


async def step(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    mode: Annotated[
        Literal["auto", "plan_only", "implement_only", "verify_only"],
        Parameter(help="What the step may be: whatever comes next, or only of this kind."),
    ] = "auto",
    message: Annotated[str, Parameter(name=["--message", "-m"], help="Something for the next agent to know.")] = "",
    json: Annotated[bool, Parameter(help="Events as JSON lines on stdout, then one summary object.")] = False,
) -> int:
    """Let a build that was started with --by-hand do one thing, and wait until it is done.

    The process that runs the build does it, or a worker; when there is neither, it is done here.
    """
    from buildwright.cli.foreground import drive, tell_end
    from buildwright.engine.commands import TakeStep

    output = Output(json)
    async with session() as app:
        build_id = await app.find(build)
        before, crew = await app.builds.load(build_id), await app.crew(build_id)
        _, step_id = await app.ask(build_id, TakeStep(mode, message))
        if crew.is_there or app.elsewhere:
            made = await _made_by_others(app, before, step_id, output)
        else:
            made = await drive(app, build_id, output, since=before)
        _, code = await tell_end(app, made, output)
        return code


async def _made_by_others(app: Client, seen: Build, step_id: str, output: Output) -> Build:
    """Show the events until another process has made the step; make it here if that process is gone."""
    from buildwright.cli.foreground import drive
    from buildwright.cli.live import LiveView

    view = LiveView(output, app.clock)
    async with view.shown():
        while app.in_cluster or app.elsewhere or await app.builds.holder(seen.id) is not None:
            seen = await app.stepped(seen.id, step_id, _LOOK_SECONDS, view.on_event, since=seen)
            if seen.step is None or seen.step.id != step_id:
                return seen
    return await drive(app, seen.id, output, since=seen)
