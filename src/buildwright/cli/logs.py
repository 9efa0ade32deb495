"""The verb `logs`: prints what agents, gates and git said. Must never show a line twice.

The stored log of a build of this home is shown by `quick_logs`, before this module is imported.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from buildwright.cli.output import Output
from buildwright.cli.quick_logs import PAGE, ShownLog
from buildwright.errors import Refused, Unreachable
from buildwright.settings import Settings

if TYPE_CHECKING:
    from buildwright.stream_client import Notice, ServerAccess


async def logs(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Keep printing until the build ends.")] = False,
    task: Annotated[str, Parameter(help="Only this task.")] = "",
    tail: Annotated[int, Parameter(validator=Number(gte=0), help="Start with the last N lines; 0 for all.")] = 0,
    json: Annotated[bool, Parameter(help="One JSON object per line on stdout.")] = False,
) -> None:
    """Show what agents, gates and git said. `--follow` listens to the server, if one runs; else it looks into the store."""
    from buildwright.cli.session import session
    from buildwright.engine.follow import follow as follow_build
    from buildwright.stream_client import find_server

    output = Output(json)
    shown = ShownLog(output, task)
    server = find_server(Settings.load()) if follow else None
    if server is not None:
        try:
            await _stream(server, build, tail, shown)
        except (Refused, Unreachable):
            if server.named or shown.seen:
                raise  # else the server has just ended, or the build is another user's: read the store
        else:
            shown.close()
            return
    async with session() as app:
        build_id = await app.find(build)
        loaded = await app.builds.load(build_id) if follow or json else None  # a log can be read without its build
        if loaded is not None:
            shown.about = {"build": loaded.id, "correlation_id": loaded.correlation_id}
        more = shown.add(await app.builds.read_log(build_id, task=task, limit=tail or PAGE, tail=tail > 0))
        while more == PAGE and tail <= 0 and not output.reader_left:
            more = shown.add(await app.builds.read_log(build_id, after=shown.seen, task=task, limit=PAGE))
        if follow and loaded is not None:
            async for news in follow_build(app.builds, loaded, log_after=shown.seen, task=task):
                shown.add(news.lines)
                if output.reader_left or (news.build.is_terminal and not news.more):
                    break
    shown.close()


async def _stream(server: ServerAccess, build: str, tail: int, shown: ShownLog) -> None:
    """Print a build's log lines from a server's stream, all or from the last `tail` on, until the build has ended.

    `build` is an id or its beginning, "" for the newest. Raises Unreachable, and whatever error the server answers with.
    """
    from buildwright.http_client import open_http_client
    from buildwright.stream_client import BuildStream, log_lines

    def say(notice: Notice) -> None:
        shown.output.say(notice.text)

    stream = BuildStream(server, build or "newest", "log", say, after="" if tail > 0 else "start")
    async with aclosing(stream.frames()) as frames:
        async for frame in frames:
            payload = frame["payload"]
            if frame["type"] == "hello":
                found = payload["executionId"]
                shown.about = {"build": found, "correlation_id": payload["correlationId"]}
                if payload["resume"] == "reset":  # another database, or a cursor too old: begin anew
                    await stream.start_anew()
                elif tail > 0 and not shown.seen:
                    async with open_http_client(server) as app:
                        shown.add(await app.builds.read_log(found, task=shown.task, limit=tail, tail=True))
            shown.add(log_lines(frame))
            if shown.output.reader_left:
                return
