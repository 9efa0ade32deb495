"""The verb `status`: shows how far a build is, or lists all builds. Must never run a build.

What needs no more than rows and kept views is shown by `quick_status`, before this module is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.status_parts import StatusPart
from buildwright.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from buildwright.cli.output import Output
    from buildwright.cli.runners_text import NobodyThere
    from buildwright.client import Client
    from buildwright.core.build import Build

_State = Literal["running", "paused", "succeeded", "failed", "stopped"]
_MOST_SEARCHED = 10_000
"""Builds, newest first, among which those in a state or of a project are looked for."""


async def status(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    all_builds: Annotated[bool, Parameter(name="--all", help="List the builds instead.")] = False,
    state: Annotated[_State | None, Parameter(help="List the builds in this state.")] = None,
    project: Annotated[
        str,
        Parameter(
            help="List the builds of this project, by its name or id: that of their repository, unless they were given one."
        ),
    ] = "",
    short: Annotated[
        bool, Parameter(help="One line, quick enough for a prompt; nothing when there is no build.")
    ] = False,
    show: Annotated[
        StatusPart | None,
        Parameter(
            help="One part: `spec` with the state of each of its sentences, `phases` of the plan, `choices` of a pause with "
            "their prices, `forecast` of time and money, your `messages` and what came of them."
        ),
    ] = None,
    watch: Annotated[bool, Parameter(help="Show it again whenever it changes, until it ends or pauses.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout (one per change with --watch).")] = False,
) -> int:
    """Show how far a build is: its tasks, what runs now, what it cost, and what it needs from you."""
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.cli.quick_status import asked_rows, show_short
    from buildwright.cli.session import session
    from buildwright.cli.status_parts import show_part
    from buildwright.client import list_builds
    from buildwright.settings import Settings

    output = Output(json)
    settings = Settings.load()
    lists = all_builds or state is not None or bool(project)
    if lists + short + watch + (show is not None) > 1:
        raise Refused("a list of builds, --short, --show and --watch cannot be used together", fix="give one of them")
    if lists:
        async with session() as app:
            await _list(app, state, project, output, None if settings.server_url else settings.home)
        return Exit.DONE
    if short:
        show_short(await list_builds(settings, *asked_rows(build)), build, output)
        return Exit.DONE
    async with session() as app:
        build_id = await app.find(build)
        if show is not None:
            await show_part(app, build_id, show, output)
            return Exit.DONE
        await (watch_here if watch else _show)(app, build_id, output)
    return Exit.DONE


async def _list(app: Client, state: _State | None, project: str, output: Output, home: Path | None) -> None:
    """Print the newest builds, of those in the state and of the project that are given, with what each cost."""
    from buildwright.cli.quick_status import MOST_LISTED, kept_times, list_state, show_list

    chosen = state is not None or bool(project)
    rows = await app.builds.rows(_MOST_SEARCHED if chosen else MOST_LISTED)
    names = await app.project_names({row.project_id for row in rows})
    found = [
        row
        for row in rows
        if (state is None or list_state(row) == state)
        and (not project or project in {row.project_id, names.get(row.project_id)})
    ][:MOST_LISTED]
    sums = await app.costs("build", found[-1].created_at) if found else ()
    resting = [row.build_id for row in found if row.runs_on and not (await app.crew(row.build_id)).is_there]
    times = kept_times(home, found, resting) if home is not None else {}
    costs = {each.key: each.cost_usd for each in sums}
    show_list(found, costs, output, names, resting=resting, times=times, chosen=chosen)


async def _show(app: Client, build_id: str, output: Output) -> None:
    """Print the build as it is now, who works on it, and what to type next."""
    from buildwright.cli.foreground import brought_home
    from buildwright.cli.quick_status import show_view
    from buildwright.cli.runners_text import nobody_there, said
    from buildwright.cli.summary import summary_fields
    from buildwright.store.kept_views import MOST_SHOWN
    from buildwright.views.overview import build_view

    build, _ = await brought_home(app, await app.builds.load(build_id), output)
    crew = await app.crew(build_id)
    now = app.clock.now() if crew.is_there else build.updated_at  # the times of a build that no process runs stand
    missing = nobody_there(crew, build_id)
    if output.json:
        output.data({**summary_fields(build, now, missing=missing), **crew.fields()})
        return
    view = build_view(build, now, MOST_SHOWN)
    show_view(output, view, said(crew), missing)


async def watch_here(app: Client, build_id: str, output: Output, *, stay: bool = False) -> Build:
    """Follow the journal until the build ends or pauses, with the lines that the process running it shows; return the build.

    With `stay` a pause does not end it.
    """
    from buildwright.cli.foreground import brought_home, toggled
    from buildwright.cli.live import LiveView
    from buildwright.cli.runners_text import nobody_there
    from buildwright.cli.summary import lacking, print_summary, summary_fields
    from buildwright.engine.follow import follow
    from buildwright.views.overview import build_view

    build = await app.builds.load(build_id)
    view = LiveView(output, app.clock, pause=toggled(app))

    async def missing() -> NobodyThere | None:
        return nobody_there(await app.crew(build_id), build_id)

    async def fields() -> dict[str, object]:
        return summary_fields(build, app.clock.now(), missing=await missing())

    if output.json:
        output.data(await fields())
    elif lacks := lacking(build_view(build, app.clock.now(), 0), await missing()):
        output.say(lacks.words)
    async with view.shown():
        view.build = build
        await view.look_back(app.builds, build_id)
        newest = await app.builds.read_log(build_id, limit=1, tail=True)
        async for news in follow(app.builds, build, log_after=newest[-1].seq if newest else 0):
            build = news.build
            if not output.json:
                news.tell(view.on_event, view.on_log)
            elif news.steps:
                output.data(await fields())
            if news.more:
                continue
            if build.is_terminal or (build.pause is not None and not stay) or output.reader_left:
                break
    build, _ = await brought_home(app, build, output)
    if not output.json:
        print_summary(output, build, app.clock.now())
    return build
