"""The verb `watch`: follows a build over a server's stream, through cuts and restarts; without a server, beside its store.

Must never miss an event."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.exit_codes import exit_of
from buildwright.cli.output import Output
from buildwright.errors import CouldNot, Unreachable
from buildwright.settings import Settings

if TYPE_CHECKING:
    from buildwright.cli.live import LiveView
    from buildwright.stream_client import BuildStream

_PRINTED = frozenset({"execution-update", "execution-log"})


async def watch(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    stay: Annotated[bool, Parameter(help="Keep watching while it is paused.")] = False,
    json: Annotated[bool, Parameter(help="Every frame of the build as a JSON line, from the first.")] = False,
) -> int:
    """Follow a build over a server's WebSocket, until it ends or pauses. Whatever breaks the connection, nothing is missed.

    The server is that of BUILDWRIGHT_URL, with the token in BUILDWRIGHT_TOKEN, else the one that serves this home. When none
    does, the build of this home is followed as by `status --watch`.
    """
    import asyncio

    from buildwright.cli.live import LiveView
    from buildwright.cli.summary import print_summary
    from buildwright.stream_client import BuildStream, find_server
    from buildwright.wiring import SystemClock

    server = find_server(Settings.load())
    if server is None:
        return await _beside_the_store(build, stay, json)
    output, clock = Output(json), SystemClock()
    view = LiveView(Output(False), clock)
    stream = BuildStream(server, build or "newest", "events,journal,log" if json else "journal", view.notice)
    try:
        if json:
            await _print_frames(stream, output, stay)
        else:
            async with view.shown():
                await _show(stream, view, stay)
    except asyncio.CancelledError:
        output.say("no longer watching; the build continues")
        raise
    seen = stream.build
    if seen is None:
        raise CouldNot("the stream ended before anything of the build came", fix="try again")
    if not json:
        print_summary(output, seen, clock.now())
    return exit_of(seen)


async def _beside_the_store(build: str, stay: bool, json: bool) -> int:
    """Follow a build of this home, which no server serves. Raises Unreachable for frames, which only a server sends."""
    from buildwright.cli.session import session
    from buildwright.cli.status import watch_here

    if json:
        raise Unreachable(
            "no server serves this home, and frames come from a server",
            fix="start one with `buildwright serve`, name one: BUILDWRIGHT_URL, or use `buildwright status --watch --json`",
        )
    async with session() as app:
        return exit_of(await watch_here(app, await app.find(build), Output(False), stay=stay))


async def _show(stream: BuildStream, view: LiveView, stay: bool) -> None:
    """Show each event until the build has ended, or is paused and nothing of it runs."""
    async with aclosing(stream.news()) as all_news:
        async for _, news in all_news:
            if news is None:
                continue
            view.build = news.build
            news.tell(view.on_event, view.on_log)
            if not news.more and (news.build.is_terminal or _rests(stream, stay)):
                return


async def _print_frames(stream: BuildStream, output: Output, stay: bool) -> None:
    """Print the frames until the server closes the stream after the last log lines, or the build rests."""
    async with aclosing(stream.news()) as all_news:
        async for frame, news in all_news:
            if frame["type"] in _PRINTED:
                output.data(frame)
            if news is not None and not news.more and (output.reader_left or _rests(stream, stay)):
                return


def _rests(stream: BuildStream, stay: bool) -> bool:
    """Return whether the build is paused and nothing of it still runs; always False with `stay`."""
    build = stream.build
    return build is not None and build.pause is not None and not build.active and not stay
