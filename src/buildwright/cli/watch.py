"""`watch`: a build over the stream of a running server, through cuts and restarts, until it ends."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


async def watch(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    stay: Annotated[bool, Parameter(help="Go on while it is paused.")] = False,
    json: Annotated[bool, Parameter(help="Every frame of the build as a JSON line, from the first.")] = False,
) -> int:
    """Follow a build over a server's WebSocket, until it ends or pauses. Whatever breaks the connection, nothing is missed.

    The server is that of BUILDWRIGHT_URL, with the token in BUILDWRIGHT_TOKEN, else the one that serves this home.
    """
    import asyncio

    from buildwright.cli.exits import exit_of
    from buildwright.cli.listening import Listener, Notes, step_of
    from buildwright.cli.live import LiveView
    from buildwright.cli.output import Output
    from buildwright.cli.reach import find_server
    from buildwright.cli.summary import print_summary
    from buildwright.cli.watching import Watching
    from buildwright.errors import Unreachable
    from buildwright.settings import Settings
    from buildwright.wiring import SystemClock

    settings = Settings.load()
    reach = find_server(settings)
    if reach is None:
        raise Unreachable(
            "no server serves this home", fix="start one with `buildwright serve`, or name one: BUILDWRIGHT_URL"
        )
    output, clock = Output(json), SystemClock()
    view = LiveView(Output(False), clock)
    watching = Watching(output, view, stay)
    query = {"build": build or "newest", "after": "start", "topics": "events,journal,log" if json else "journal"}
    notes = Notes(lambda why: watching.note(f"lost the connection ({why}); trying again"), watching.back)
    listener = Listener(reach, "/ws/devteam", query, notes, step_of(reach))
    try:
        if json:
            seen = await watching.follow(listener)
        else:
            async with view.shown():
                seen = await watching.follow(listener)
    except asyncio.CancelledError:
        output.say("no longer watching; the build goes on")
        raise
    if not json:
        print_summary(output, seen, clock.now())
    return exit_of(seen)
