"""The verb `resume`: records the answer to a pause, then runs the build. Must never run it beside another process."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output
from buildwright.cli.reporting import PLAIN, Reporting
from buildwright.cli.session import session
from buildwright.errors import BuildIsRunning, Refused


async def resume(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    retry: Annotated[bool, Parameter(help="Try the failed task again.")] = False,
    skip: Annotated[bool, Parameter(help="Give the failed task up and go on with the rest.")] = False,
    abort: Annotated[bool, Parameter(help="End the build here.")] = False,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="With --retry: what to do differently.")] = "",
    from_attempt: Annotated[
        int, Parameter(help="With --retry: go on from what this attempt made; see `why`. 0: as the agent can.")
    ] = 0,
    max_cost: Annotated[str, Parameter(help="A new budget in US dollars for the whole build.")] = "",
    no_run: Annotated[bool, Parameter(help="Only record the answer; do not run the build here.")] = False,
    reporting: Reporting = PLAIN,
    detach: Annotated[bool, Parameter(help="Run it in a process of its own and return at once.")] = False,
    json: Annotated[bool, Parameter(help="JSON on stdout: one object, after the events if it runs here.")] = False,
) -> int:
    """Answer a pause, and go on with the build here if no process runs it."""
    from buildwright.cli.foreground import drive_to_the_end, run_detached
    from buildwright.cli.options import read_money
    from buildwright.cli.runners_text import nobody
    from buildwright.cli.summary import summary_fields
    from buildwright.core.build import Control
    from buildwright.engine.commands import ResumeBuild

    choice = _choice(retry, skip, abort)
    reporting.check()
    if message and choice != "retry":
        raise Refused("-m goes with --retry: it is for the agent that tries again", fix="add --retry, or use say")
    if from_attempt < 0 or (from_attempt and choice != "retry"):
        raise Refused("--from-attempt N goes with --retry: it is for the next attempt", fix="add --retry")
    budget = read_money(max_cost, "--max-cost")
    output = Output(json)
    async with session() as app:
        reporting.check(unwatched=detach and app.in_cluster)
        build_id = await app.find(build)
        before, crew = await app.builds.load(build_id), await app.crew(build_id)
        if before.control is Control.RUNNING and not crew.is_there and choice == "go" and not no_run:
            output.say("It is not paused; nobody runs it, so it goes on here.")
            return await (run_detached if detach else drive_to_the_end)(app, build_id, output, reporting)
        resumed, _ = await app.ask(build_id, ResumeBuild(choice, message, budget, from_attempt=from_attempt))
        if not no_run and not resumed.is_terminal and await app.builds.holder(build_id) is None:
            with suppress(BuildIsRunning):  # by the process that was letting go of it, and has read the answer
                return await (run_detached if detach else drive_to_the_end)(app, build_id, output, reporting)
        if output.json:
            output.data(summary_fields(resumed, app.clock.now()))
        else:
            output.print(f"Recorded for build {build_id[:8]}: {'go on' if choice == 'go' else choice}.")
            if crew.runner:
                output.say(f"The process that runs it takes it up at once ({crew.runner}).")
            elif crew.in_cluster:
                output.say("The workers take it up at once." if crew.is_there else nobody(crew, build_id))
            output.say(typed(f"Next: buildwright status {build_id[:8]}"))
    return Exit.DONE


def _choice(retry: bool, skip: bool, abort: bool) -> Literal["go", "retry", "skip", "abort"]:
    """Return the answer that the options name, `go` without any. Raises Refused for more than one."""
    if retry + skip + abort > 1:
        raise Refused("--retry, --skip and --abort exclude each other", fix="give one of them")
    return "retry" if retry else "skip" if skip else "abort" if abort else "go"
