"""The log of a build as a server streams it, line by line, through cuts. Prints no line itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from buildwright.cli.listening import Listener, Notes, step_of
from buildwright.ports import LogLine

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.cli.reach import Reach

Show = Callable[[list[LogLine], dict[str, str]], None]


async def follow_log(reach: Reach, build: str, task: str, tail: int, show: Show, output: Output) -> None:
    """Show every line from the first, or from the last `tail`, until the build has ended; of one task when given.

    Raises Unreachable, and what the server says when it refuses.
    """
    query = {"topics": "log"} | ({"tail": str(tail), "task": task} if tail > 0 else {"after": "start"})
    notes = Notes(
        lambda why: output.say(f"lost the connection ({why}); trying again"),
        lambda: output.say("connected again; nothing was missed"),
    )
    listener = Listener(reach, f"/api/builds/{quote(build or 'newest', safe='')}/stream", query, notes, step_of(reach))
    about: dict[str, str] = {}
    seen = 0
    async with aclosing(listener.by_events()) as frames:
        async for frame in frames:
            payload = frame["payload"]
            if frame["type"] == "hello":
                about = {"build": payload["executionId"], "correlation_id": payload["correlationId"]}
                if payload["resume"] == "reset":  # another database, or what followed was cut: begin with what is there
                    listener.query["after"] = "start"
                    listener.come_back()
                continue
            lines = [_line(line) for line in payload.get("lines", ()) if line["seq"] > seen]
            if lines:
                seen = lines[-1].seq
                show([line for line in lines if task in {"", line.task}], about)
            if output.reader_left:
                return


def _line(found: dict[str, Any]) -> LogLine:
    at = datetime.fromisoformat(found["ts"])
    return LogLine(found["seq"], at, found["task"], found["attempt"], found["kind"], found["text"])
