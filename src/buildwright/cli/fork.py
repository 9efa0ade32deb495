"""The verb `fork`: starts a build from a point of another one. Must never change the other one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output, one_line
from buildwright.cli.reporting import PLAIN, Reporting
from buildwright.cli.session import read_spec, session
from buildwright.errors import Refused


async def fork(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    /,
    *,
    at: Annotated[int, Parameter(help="Number of the last event that counts; all so far when left out.")] = 0,
    model: Annotated[str, Parameter(help="The model that writes from here on.")] = "",
    plan: Annotated[Path | None, Parameter(help="A task list that takes the place of the plan.")] = None,
    prompt_note: Annotated[str, Parameter(help="What every attempt is told beside its task.")] = "",
    reporting: Reporting = PLAIN,
    detach: Annotated[
        bool, Parameter(help="Run in the background (or on the workers of a cluster), and return at once.")
    ] = False,
    json: Annotated[bool, Parameter(help="Events as JSON lines on stdout, then one summary object.")] = False,
) -> int:
    """Start a new build from a point of another one, which stays as it is.

    What had landed there is not done again, and what a model was asked there is not paid for again if it is asked the
    same. `compare` shows both side by side.
    """
    from buildwright.cli.foreground import drive_to_the_end, run_detached
    from buildwright.core.apply import fold
    from buildwright.engine.fork_command import ForkBuild

    output = Output(json)
    reporting.check()
    if at < 0:
        raise Refused(f"--at {at}: events are counted from 1", fix="see `buildwright events BUILD` for their numbers")
    graph = (await read_spec(plan)).graph if plan is not None else None
    if plan is not None and graph is None:
        raise Refused(f"{plan} is not a task list", fix="make one: `buildwright plan SPEC -o FILE`")
    async with session() as app:
        reporting.check(unwatched=detach and app.in_cluster)
        build_id = await app.fork(await app.find(build), ForkBuild(at, model, graph, prompt_note))
        made = fold(await app.builds.read(build_id, limit=1))
        if not reporting.quiet:
            output.say(f"Build {build_id}")
            output.say(one_line(made.spec.title))
        if detach:
            return await run_detached(app, build_id, output, reporting)
        return await drive_to_the_end(app, build_id, output, reporting, since=made)
