"""The verb `status`: shows how far a build is, or lists all builds. Must never run a build."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.errors import NotFound, Refused

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.client import Client
    from buildwright.ports import BuildRow
    from buildwright.settings import Settings


async def status(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    all_builds: Annotated[bool, Parameter(name="--all", help="List the builds instead.")] = False,
    short: Annotated[
        bool, Parameter(help="One line, quick enough for a prompt; nothing when there is no build.")
    ] = False,
    watch: Annotated[bool, Parameter(help="Show it again whenever it changes, until it ends or pauses.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout (one per change with --watch).")] = False,
) -> int:
    """Show how far a build is: its tasks, what runs now, what it cost, and what it needs from you."""
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.cli.session import session
    from buildwright.settings import Settings

    output = Output(json)
    settings = Settings.load()
    if all_builds + short + watch > 1:
        raise Refused("--all, --short and --watch cannot be used together", fix="give one of them")
    if all_builds:
        await _list(settings, output)
        return Exit.DONE
    if short:
        await _show_short(settings, build, output)
        return Exit.DONE
    if not watch and await _show_kept(settings, build, output):
        return Exit.DONE
    async with session() as app:
        build_id = await app.find(build)
        await (_watch if watch else _show)(app, build_id, output)
    return Exit.DONE


async def _show_short(settings: Settings, build: str, output: Output) -> None:
    """Print the row of a build as one line, without reading its journal. Raises NotFound."""
    from dataclasses import asdict

    from buildwright.cli.output import one_line
    from buildwright.client import list_builds

    prefix = "" if build == "newest" else build
    rows = await list_builds(settings, 2 if prefix else 1, prefix)
    if prefix and len(rows) != 1:
        what = "more than one build begins" if rows else "there is no build that begins"
        raise NotFound(f"{what} with {build}", fix="see buildwright status --all")
    if output.json:
        output.data({"build": asdict(rows[0]) if rows else None})
    elif rows:
        output.print(f"{rows[0].build_id[:8]} {short_state(rows[0], datetime.now(UTC))}  {one_line(rows[0].title, 40)}")


def short_state(row: BuildRow, now: datetime) -> str:
    """Return the state of a build in a few words, with its time: to its end, of a paused one to its last event."""
    from buildwright.cli.table import duration

    state = row.outcome or (row.phase if row.control == "running" else row.control)
    task = f" {row.current_task_id}" if row.current_task_id and not row.outcome else ""
    until = row.completed_at or (row.updated_at if row.control == "paused" else now)
    return f"{state}{task}, {duration(max(0.0, (until - row.created_at).total_seconds()))}"


async def _show_kept(settings: Settings, build: str, output: Output) -> bool:
    """Show a build of this home from its kept view. Returns False when there is none, or a process has the build."""
    import asyncio

    from buildwright.cli.kept_views import kept_view
    from buildwright.cli.summary import print_view, view_fields
    from buildwright.store.build_rows import find_row

    if settings.server_url or settings.database_url:
        return False
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = await asyncio.to_thread(find_row, settings.database, "" if build == "newest" else build)
    view = kept_view(settings.home, found.row) if found is not None and found.holder is None else None
    if view is None:
        return False
    if output.json:
        output.data({**view_fields(view, dict(view)), "runner": None, "workers": []})
        return True
    output.print(f"Build {view.id}")
    print_view(output, view)
    return True


async def _show(app: Client, build_id: str, output: Output) -> None:
    """Print the build as it is now, who works on it, and what to type next."""
    from buildwright.cli.foreground import brought_home
    from buildwright.cli.runners_text import nobody, said
    from buildwright.cli.summary import print_summary, summary_fields

    build, _ = await brought_home(app, await app.builds.load(build_id), output)
    crew = await app.crew(build_id)
    if output.json:
        output.data({**summary_fields(build, app.clock.now()), **crew.fields()})
        return
    output.print(f"Build {build.id}")
    for line in said(crew):
        output.print(line)
    print_summary(output, build, app.clock.now())
    if not crew.is_there and not build.waits_for_user and not build.is_terminal:
        output.say(nobody(crew, build.id))


async def _watch(app: Client, build_id: str, output: Output) -> None:
    """Follow the journal until the build ends or pauses, with the lines that the process running it shows."""
    from buildwright.cli.foreground import brought_home
    from buildwright.cli.live import LiveView
    from buildwright.cli.summary import print_summary, summary_fields
    from buildwright.engine.follow import follow

    build = await app.builds.load(build_id)
    view = LiveView(output, app.clock)
    if output.json:
        output.data(summary_fields(build, app.clock.now()))
    async with view.shown():
        view.build = build
        await view.look_back(app.builds, build_id)
        newest = await app.builds.read_log(build_id, limit=1, tail=True)
        async for news in follow(app.builds, build, log_after=newest[-1].seq if newest else 0):
            build = news.build
            if not output.json:
                news.tell(view.on_event, view.on_log)
            elif news.steps:
                output.data(summary_fields(build, app.clock.now()))
            if news.more:
                continue
            if build.is_terminal or build.pause is not None or output.reader_left:
                break
    build, _ = await brought_home(app, build, output)
    if not output.json:
        print_summary(output, build, app.clock.now())


async def _list(settings: Settings, output: Output) -> None:
    """Print the builds as a table, newest first."""
    from dataclasses import asdict

    from buildwright.cli.output import one_line
    from buildwright.cli.table import Column, table
    from buildwright.client import list_builds

    rows = await list_builds(settings)
    if output.json:
        output.data({"builds": [asdict(row) for row in rows]})
        return
    if not rows:
        output.print("There are no builds yet.")
        output.say(typed("Next: buildwright demo"))
        return
    columns = (Column("build"), Column("state"), Column("created", leaves=1), Column("title", leaves=2))
    lines = [
        (
            row.build_id[:8],
            row.outcome or (row.phase if row.control == "running" else row.control),
            f"{row.created_at:%Y-%m-%d %H:%M}",
            one_line(row.title),
        )
        for row in rows
    ]
    output.lines(table(columns, lines, output.width))
