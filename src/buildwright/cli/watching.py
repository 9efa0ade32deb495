"""What `watch` makes of the frames of one build: its state, the lines for people, or the frames as they are. Opens no stream."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime
from typing import Any

from buildwright.cli.listening import Listener
from buildwright.cli.live import LiveView
from buildwright.cli.output import Output
from buildwright.cli.wording import Line
from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import Recorded, decode
from buildwright.errors import CouldNot
from buildwright.ports import LogEntry

_SHOWN = frozenset({"execution-update", "execution-log"})


class Watching:
    """What came of one build so far."""

    def __init__(self, output: Output, view: LiveView, stay: bool) -> None:
        self._output = output
        self._view = view
        self._stay = stay
        self._build: Build | None = None
        self._head = 0
        self._line = 0
        self._event = 0

    async def follow(self, listener: Listener) -> Build:
        """Take frames until the build has ended, or rests. Raises CouldNot when the stream ends before that."""
        async with aclosing(listener.by_socket()) as frames:
            async for frame in frames:
                await self._take(frame, listener)
                build = self._build
                if build is not None and build.version >= self._head and self._is_over(build):
                    break
        if self._build is None:
            raise CouldNot("the stream ended before anything of the build came", fix="try again")
        return self._build

    def note(self, text: str) -> None:
        """A word on the connection."""
        self._view.say(Line("pause", text))

    def back(self) -> None:
        """The connection is there again."""
        self._view.say(Line("again", "connected again; nothing was missed"))

    def _is_over(self, build: Build) -> bool:
        if self._output.reader_left:
            return True
        if self._output.json and build.is_terminal:
            return False  # the last lines of the log follow; the server ends the stream
        paused = build.pause is not None and not build.active and not self._stay
        return build.is_terminal or paused

    async def _take(self, frame: dict[str, Any], listener: Listener) -> None:
        kind, payload = frame["type"], frame["payload"]
        if kind in {"hello", "subscribed"}:
            if payload["resume"] == "reset":  # another database: what was seen is of no use
                self._build, self._head, self._event, self._line = None, 0, 0, 0
                await listener.start_anew()
                return
            listener.query["build"] = payload["executionId"]
            self._head = max(self._head, payload["head"][payload["executionId"]]["event"])
            await self._at_head(listener)
        elif kind == "journal":
            self._apply(frame)
            await self._at_head(listener)
        elif kind == "execution-log":
            self._lines(frame)
        elif self._output.json and kind in _SHOWN and payload["seq"] > self._event:
            self._event = payload["seq"]
            self._output.data(frame)

    async def _at_head(self, listener: Listener) -> None:
        """What happened before is known; from here on what agents say is of interest, too."""
        known = self._build.version if self._build is not None else 0
        if known >= self._head and listener.query["topics"] == "journal":
            await listener.subscribe(["journal", "log"])

    def _apply(self, frame: dict[str, Any]) -> None:
        payload = frame["payload"]
        known = self._build.version if self._build is not None else 0
        if payload["seq"] <= known:
            return
        event = decode(payload["event"], payload["data"])
        recorded = Recorded(payload["seq"], datetime.fromisoformat(frame["ts"]), event)
        self._build = apply(self._build, recorded)
        self._view.build = self._build
        if not self._output.json and recorded.seq > self._head:
            self._view.on_event(recorded, self._build)

    def _lines(self, frame: dict[str, Any]) -> None:
        lines = [line for line in frame["payload"]["lines"] if line["seq"] > self._line]
        if not lines:
            return
        self._line = lines[-1]["seq"]
        if self._output.json:
            self._output.data({**frame, "payload": {**frame["payload"], "lines": lines}})
            return
        for line in lines:
            at = datetime.fromisoformat(line["ts"])
            self._view.on_log(LogEntry(at, line["task"], line["attempt"], line["kind"], line["text"]))
