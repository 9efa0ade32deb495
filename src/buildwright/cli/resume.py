"""The verb `resume`: records the answer to a pause, then runs the build. Must never run it beside another process."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output
from buildwright.cli.reporting import PLAIN, Reporting
from buildwright.cli.session import session
from buildwright.errors import BuildIsRunning, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from buildwright.core.build import Build
    from buildwright.core.options_change import OptionsChange
    from buildwright.wiring.runners import Runners


@Parameter(name="*")
@dataclass(kw_only=True, frozen=True)
class ChangedOptions:
    """What may change of a build's options; what is left out stays as it is."""

    check: Annotated[tuple[str, ...], Parameter(help="Judge by these commands from now on, as `build --check`.")] = ()
    setup: Annotated[
        tuple[str, ...], Parameter(help="Run these in a fresh checkout from now on. May be repeated.")
    ] = ()
    gate_time: Annotated[float | None, Parameter(help="Seconds for one check.")] = None
    disk: Annotated[float | None, Parameter(help="GiB that one agent or check may write on disk.")] = None
    task_time: Annotated[float | None, Parameter(help="Seconds for one attempt.")] = None
    phase_time: Annotated[float | None, Parameter(help="Seconds for one phase of the plan.")] = None
    attempts: Annotated[int | None, Parameter(help="Attempts per task.")] = None
    max_task_cost: Annotated[str, Parameter(help="US dollars that each task may cost.")] = ""
    max_day_cost: Annotated[str, Parameter(help="US dollars that all your builds may cost in a day of UTC.")] = ""
    max_project_cost: Annotated[str, Parameter(help="US dollars that all your builds of the project may cost.")] = ""
    branch: Annotated[str, Parameter(help="Another branch for the result.")] = ""
    deliver: Annotated[
        Literal["none", "branch", "push", "files", "pr"] | None,
        Parameter(help="Where the result goes instead, as `build --deliver`."),
    ] = None
    model: Annotated[str, Parameter(help="Another model that writes.")] = ""
    accept_base: Annotated[
        tuple[str, ...], Parameter(help="Continue although the base fails this check; without a name: every one.")
    ] = ()


_NOTHING = ChangedOptions()


async def resume(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    retry: Annotated[bool, Parameter(help="Try the failed task again.")] = False,
    skip: Annotated[bool, Parameter(help="Give the failed task up and continue with the rest.")] = False,
    abort: Annotated[bool, Parameter(help="End the build here.")] = False,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="With --retry: what to do differently.")] = "",
    from_attempt: Annotated[
        int, Parameter(help="With --retry: continue from what this attempt made; see `why`. 0: as the agent can.")
    ] = 0,
    base: Annotated[str, Parameter(help="Put it on this branch, tag or commit, with what has landed.")] = "",
    rebase: Annotated[bool, Parameter(help="Put it on the newest commit of its base.")] = False,
    accept_plan: Annotated[bool, Parameter(help="Take the changed plan that the diagnosis proposes.")] = False,
    max_cost: Annotated[str, Parameter(help="A new budget in US dollars for the whole build.")] = "",
    changed: ChangedOptions = _NOTHING,
    no_run: Annotated[bool, Parameter(help="Only record the answer; do not run the build here.")] = False,
    reporting: Reporting = PLAIN,
    detach: Annotated[bool, Parameter(help="Run it in the background, and return at once.")] = False,
    json: Annotated[bool, Parameter(help="JSON on stdout: one object, after the events if it runs here.")] = False,
) -> int:
    """Answer a pause, perhaps with other options, and go on with the build here if no process runs it.

    What was judged with other checks or another set-up is judged anew, the base first. What has landed stays.
    """
    from buildwright.cli.foreground import drive_to_the_end, run_detached
    from buildwright.cli.options import read_money
    from buildwright.core.build import Control
    from buildwright.engine.resume_command import ResumeBuild

    choice = _choice(retry, skip, abort)
    reporting.check()
    _check_together(choice, message, from_attempt, base if rebase else "")
    budget, options = read_money(max_cost, "--max-cost"), _change(changed)
    output = Output(json)
    async with session() as app:
        reporting.check(unwatched=detach and app.in_cluster)
        build_id = await app.find(build)
        before, crew = await app.builds.load(build_id), await app.crew(build_id)
        goes_on = (
            before.control is Control.RUNNING
            and choice == "go"
            and not (options.given or base or rebase or accept_plan)
        )
        if goes_on and not crew.is_there and not no_run:
            output.say("It is not paused and no process runs it, so it continues here.")
            return await (run_detached if detach else drive_to_the_end)(app, build_id, output, reporting)
        resumed, _ = await app.ask(
            build_id, ResumeBuild(choice, message, budget, options, from_attempt, base, rebase, accept_plan)
        )
        _say_changed(before, resumed, output)
        if not no_run and not resumed.is_terminal and await app.builds.holder(build_id) is None:
            with suppress(BuildIsRunning):  # by the process that was letting go of it, and has read the answer
                return await (run_detached if detach else drive_to_the_end)(app, build_id, output, reporting)
        crew = await app.crew(build_id)
        _say_recorded(resumed, choice, crew, output, app.clock.now())
    return Exit.DONE


def _say_recorded(resumed: Build, choice: str, crew: Runners, output: Output, at: datetime) -> None:
    """Say what was recorded, and who goes on with it or what to type where nothing does."""
    from buildwright.cli.runners_text import nobody_there, run_by
    from buildwright.cli.summary import next_words, summary_fields

    if output.json:
        output.data(summary_fields(resumed, at, missing=nobody_there(crew, resumed.id)))
        return
    output.print(f"Recorded for build {resumed.id[:8]}: {'continue' if choice == 'go' else choice}.")
    if crew.runner:
        output.say(f"It continues at once. {run_by(crew.runner)[0]}.")
    elif crew.is_there:
        output.say("The workers continue at once.")
    elif not resumed.is_terminal:
        output.say(next_words(resumed, crew))
        return
    output.say(typed(f"Next: buildwright status {resumed.id[:8]}"))


def _say_changed(before: Build, after: Build, output: Output) -> None:
    """Say which options, the budget, and whether the base, are others now."""
    from buildwright.cli.event_text import options_named
    from buildwright.core.options_change import changed_options

    changed_now = options_named(changed_options(before.options, after.options))
    if after.budget_usd != before.budget_usd:
        changed_now.append("--max-cost")
    if changed_now:
        output.say(f"Changed: {', '.join(changed_now)}.")
    if after.rebases > before.rebases:
        output.say(f"It stands on {after.base[:10]} now: what has landed is put on top of it, and checked, again.")


def _change(given: ChangedOptions) -> OptionsChange:
    """Return what was typed as the record of the command. Raises Refused naming the option that is wrong."""
    from pydantic import ValidationError

    from buildwright.cli.options import ALL, read_check, read_money
    from buildwright.core.options_change import OptionsChange

    values = {
        "checks": tuple(map(read_check, given.check)) or None,
        "setup": given.setup or None,
        "gate_seconds": given.gate_time,
        "disk_gib": given.disk,
        "task_seconds": given.task_time,
        "phase_seconds": given.phase_time,
        "attempts": given.attempts,
        "task_budget_usd": read_money(given.max_task_cost, "--max-task-cost"),
        "day_budget_usd": read_money(given.max_day_cost, "--max-day-cost"),
        "project_budget_usd": read_money(given.max_project_cost, "--max-project-cost"),
        "branch": given.branch or None,
        "deliver": given.deliver,
        "model": given.model or None,
        "accept_base": ALL in given.accept_base or None,
        "accept_checks": tuple(name for name in given.accept_base if name != ALL) or None,
    }
    try:
        return OptionsChange.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        option = (
            f"--{name.removesuffix('_seconds')}-time" if name.endswith("_seconds") else f"--{name.removesuffix('_gib')}"
        )
        raise Refused(
            f"{option} {first['input']}: {first['msg'].lower()}", fix=f"give {option} another value"
        ) from error


def _check_together(choice: str, message: str, from_attempt: int, base: str) -> None:
    """Raise Refused for what goes with --retry alone, and for a `base` beside --rebase."""
    if base:
        raise Refused("--base names the new base, so --rebase says nothing", fix="give one of them")
    if message and choice != "retry":
        raise Refused("-m goes with --retry: it is for the agent that tries again", fix="add --retry, or use say")
    if from_attempt < 0 or (from_attempt and choice != "retry"):
        raise Refused("--from-attempt N goes with --retry: it is for the next attempt", fix="add --retry")


def _choice(retry: bool, skip: bool, abort: bool) -> Literal["go", "retry", "skip", "abort"]:
    """Return the answer that the options name, `go` without any. Raises Refused for more than one."""
    if retry + skip + abort > 1:
        raise Refused("--retry, --skip and --abort cannot be used together", fix="give one of them")
    return "retry" if retry else "skip" if skip else "abort" if abort else "go"
