"""The verb `logs`: prints what agents, gates and git said. Must never show a line twice."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from buildwright.cli.output import Output
from buildwright.cli.session import session
from buildwright.errors import Refused, Unreachable
from buildwright.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildwright.ports import LogLine
    from buildwright.stream_client import Notice, ServerAccess

_PAGE = 1000


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
    from buildwright.engine.follow import follow as follow_build
    from buildwright.stream_client import find_server

    output = Output(json)
    shown = _Shown(output, task)
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
        more = shown.add(await app.builds.read_log(build_id, task=task, limit=tail or _PAGE, tail=tail > 0))
        while more == _PAGE and tail <= 0 and not output.reader_left:
            more = shown.add(await app.builds.read_log(build_id, after=shown.seen, task=task, limit=_PAGE))
        if follow and loaded is not None:
            async for news in follow_build(app.builds, loaded, log_after=shown.seen, task=task):
                shown.add(news.lines)
                if output.reader_left or (news.build.is_terminal and not news.more):
                    break
    shown.close()


async def _stream(server: ServerAccess, build: str, tail: int, shown: _Shown) -> None:
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


class _Shown:
    """Prints log lines of a build, or of one task when `task` is not "", and remembers how far it has come."""

    def __init__(self, output: Output, task: str) -> None:
        self.output = output
        self.task = task
        self.about: dict[str, str] = {}
        """The fields about the build that each JSON object begins with."""
        self.seen = 0
        """The number of the newest line that was added."""
        self._is_empty = True

    def add(self, lines: Sequence[LogLine]) -> int:
        """Print the lines that are new and of the task. Returns how many lines were given, printed or not."""
        for line in lines:
            if line.seq > self.seen and self.task in {"", line.task}:
                self._is_empty = False
                self._print(line)
        self.seen = max(self.seen, lines[-1].seq) if lines else self.seen
        return len(lines)

    def close(self) -> None:
        """Say so when nothing was printed."""
        if self._is_empty and not self.output.json:
            self.output.say("Nothing was logged." if not self.task else f"Nothing was logged for {self.task}.")

    def _print(self, line: LogLine) -> None:
        from buildwright.cli.event_text import log_rows

        if self.output.json:
            self.output.data({**self.about, **line._asdict()})
            return
        style = "red" if line.kind in {"warned", "error"} else ""
        for row in log_rows(line):
            self.output.print(row, style=style)
