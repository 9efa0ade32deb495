"""The client of a server's streams: which server to ask, and a build's WebSocket, which resumes after every cut.

Must never print, and never miss or repeat anything of a build. It waits 1, 2, 3 and so on up to 30 seconds between
tries, each a little shorter or longer, so that a thousand clients do not come back at the same moment.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, NamedTuple

import aiohttp

from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import Recorded, decode
from buildwright.engine.follow import News
from buildwright.engine.steps import Decided
from buildwright.errors import BadSettings, BuildwrightError, Forbidden, NotFound, Refused, Unauthorized, Unreachable
from buildwright.ports import LogLine
from buildwright.settings import Settings

HANDSHAKE_SECONDS = 10.0
LONGEST_WAIT = 30.0
TOKEN_SECONDS = 3600.0
QUIET = "quiet"
"""Type of the frame that reports that the connected server was silent for a second, or as long as was asked for."""
_PING_SECONDS = 15.0
_REFUSED: Mapping[int, tuple[type[BuildwrightError], str]] = {
    4401: (
        Unauthorized,
        "print a token with `buildwright token` where the server runs, and set BUILDWRIGHT_TOKEN to it",
    ),
    4403: (Forbidden, "ask for a build of your own"),
    4404: (NotFound, "see `buildwright status --all` for the builds there are"),
}
_LOST = (aiohttp.ClientError, OSError, TimeoutError)

Frame = dict[str, Any]


class Notice(NamedTuple):
    """A change of a connection, for people to read."""

    connected: bool
    text: str


class ServerAccess(NamedTuple):
    """A server and the token for it. `named`: by the environment; else found in the home, whose store works too."""

    url: str
    named: bool
    settings: Settings

    def headers(self) -> dict[str, str]:
        """Return the headers that identify the caller; anew for each request, since tokens expire.

        The reader of what answers say has the command line at hand.
        """
        return {"Authorization": f"Bearer {_token(self.settings)}", "Prefer": "fix=commands"}


def find_server(settings: Settings) -> ServerAccess | None:
    """Return the server that BUILDWRIGHT_URL names, else the one that serves this home. Raises BadSettings."""
    url = settings.server_url
    if url:
        if not settings.server_token:
            raise BadSettings(
                "BUILDWRIGHT_URL names a server, and BUILDWRIGHT_TOKEN is missing",
                fix="print a token there with `buildwright token`, and set BUILDWRIGHT_TOKEN to it",
            )
        return ServerAccess(url, True, settings)
    from buildwright.store.lease_holders import may_live

    try:
        noted = json.loads((settings.home / "server.json").read_text(encoding="utf-8"))
        url, holder = str(noted["url"]), str(noted["holder"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return ServerAccess(url, False, settings) if may_live(holder) else None


class BuildStream:
    """A server's messages about one build, through cuts: `frames` for the messages, or `news` for their meaning."""

    def __init__(
        self,
        server: ServerAccess,
        build: str,
        topics: str,
        say: Callable[[Notice], None],
        *,
        after: str = "start",
        told: int | None = None,
        quiet: float | None = None,
    ) -> None:
        """`build` is an id, the beginning of one, or `newest`; `after` a cursor, `start`, or "" for now on.

        `say` is told when the connection is lost, once however many tries follow, and when it is back. Steps of `news`
        are those after event `told`, by default after what had happened at the first connection. With `quiet`, a frame
        of type QUIET comes whenever the connected server has been silent for that many seconds.
        """
        self.build: Build | None = None
        """The newest state that `news` knows."""
        self._server = server
        self._query = {"build": build, "topics": topics, "after": after}
        self._say = say
        self._told = told
        self._quiet = quiet
        self._head = self._event = self._line = 0
        self._tries = 0
        self._was_connected = self._away = self._over = False
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Yield frames, the `hello` of each connection included, until the build has ended.

        Raises Unreachable when the very first try fails, and the server's error when it refuses.
        """
        async with aiohttp.ClientSession() as session:
            while not self._over:
                try:
                    async with aclosing(self._connection(session)) as frames:
                        async for frame in frames:
                            yield frame
                except _LOST as error:
                    self._lose(error)
                    await self._pause()

    async def news(self) -> AsyncGenerator[tuple[Frame, News | None], None]:
        """Yield each new frame with its meaning; the meaning is None before the first event is known.

        Needs the topic `journal`. When no other topic was requested, log lines come too as soon as the past is known.
        """
        async with aclosing(self.frames()) as frames:
            async for frame in frames:
                kind, payload = frame["type"], frame["payload"]
                steps: list[Decided] = []
                if kind in {"hello", "subscribed"}:
                    await self._greeted(payload)
                elif kind == "journal":
                    steps = self._applied(frame)
                elif kind == "execution-log":
                    payload["lines"] = [line for line in payload["lines"] if line["seq"] > self._line]
                    if not payload["lines"]:
                        continue
                    self._line = payload["lines"][-1]["seq"]
                elif kind == "execution-update":
                    if payload["seq"] <= self._event:
                        continue
                    self._event = payload["seq"]
                behind = self._version < self._head
                if not behind and self._query["topics"] == "journal":
                    await self._subscribe("journal,log")
                news = None if self.build is None else News(self.build, steps, log_lines(frame), behind)
                yield frame, news

    async def start_anew(self) -> None:
        """Request everything once more, from the first event on."""
        await self._subscribe(self._query["topics"], after="start")

    @property
    def _version(self) -> int:
        return self.build.version if self.build is not None else 0

    async def _greeted(self, payload: dict[str, Any]) -> None:
        if payload["resume"] == "reset":  # another database: what was seen is of no use
            self.build, self._told = None, None
            self._head = self._event = self._line = 0
            await self.start_anew()
            return
        build_id = payload["executionId"]
        self._query["build"] = build_id
        self._head = max(self._head, payload["head"][build_id]["event"])
        self._told = self._head if self._told is None else self._told

    def _applied(self, frame: Frame) -> list[Decided]:
        payload = frame["payload"]
        if payload["seq"] <= self._version:
            return []
        event = decode(payload["event"], payload["data"])
        recorded = Recorded(payload["seq"], datetime.fromisoformat(frame["ts"]), event)
        self.build = apply(self.build, recorded)
        return [Decided(recorded, self.build)] if recorded.seq > (self._told or 0) else []

    async def _subscribe(self, topics: str, **more: str) -> None:
        """Subscribe to other topics from here on, also after a cut."""
        self._query |= {"topics": topics, **more}
        if self._socket is not None and not self._socket.closed:
            await self._socket.send_json({"type": "subscribe", "payload": {"topics": topics.split(","), **more}})

    async def _connection(self, session: aiohttp.ClientSession) -> AsyncGenerator[Frame, None]:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            websocket = await session.ws_connect(
                f"{self._server.url}/ws/devteam",
                params=self._query,
                headers=self._server.headers(),
                heartbeat=_PING_SECONDS,
                max_msg_size=0,
            )
        self._socket = websocket
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                message = await websocket.receive()
            while message.type is aiohttp.WSMsgType.TEXT:
                frame = json.loads(message.data)
                self._arrived(frame)
                yield frame
                while (heard := await self._heard(websocket)) is None:
                    yield {"type": QUIET, "payload": {}}
                message = heard
            self._judge(websocket.close_code, str(message.extra or ""))
        finally:
            self._socket = None
            await websocket.close()

    async def _heard(self, websocket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage | None:
        """Return the next message; None when the server has been silent for the requested time."""
        try:
            return await websocket.receive(self._quiet)
        except TimeoutError:
            return None

    def _arrived(self, frame: Frame) -> None:
        """Note that the connection works and that the client has this frame."""
        self._tries = 0
        self._was_connected = True
        if self._away:
            self._away = False
            self._say(Notice(True, "connected again; nothing was missed"))
        payload = frame["payload"]
        cursor = payload.get("cursor") or payload.get("after")
        if cursor and (frame["type"] != "hello" or (payload.get("resume") != "reset" and not self._query["after"])):
            self._query["after"] = cursor

    def _judge(self, code: int | None, reason: str) -> None:
        """Judge a close by its code. Raises the server's error when it refuses."""
        self._over = code == 1000
        if code is not None and 4400 <= code < 4500:
            kind, fix = _REFUSED.get(code, (Refused, ""))
            raise kind(reason or "the server refused the connection", fix=fix or None)
        if not self._over:
            raise aiohttp.ClientConnectionError(reason or "the connection was closed")

    def _lose(self, error: BaseException) -> None:
        why = str(error) or type(error).__name__
        if not self._was_connected:
            raise Unreachable(
                f"the server {self._server.url} does not answer: {why}", fix="start it with `buildwright serve`"
            ) from error
        if not self._away:
            self._away = True
            self._say(Notice(False, f"lost the connection ({why}); trying again"))

    async def _pause(self) -> None:
        self._tries += 1
        try:
            step = float(self._server.settings.environment.get("BUILDWRIGHT_RECONNECT_SECONDS", "") or 1.0)
        except ValueError:
            step = 1.0
        seconds = min(LONGEST_WAIT, self._tries * max(0.0, step))
        await asyncio.sleep(seconds * random.uniform(0.75, 1.25))  # noqa: S311  no secret


def log_lines(frame: Frame) -> list[LogLine]:
    """Return the log lines of a frame; none unless it is of a log."""
    return [
        LogLine(
            line["seq"], datetime.fromisoformat(line["ts"]), line["task"], line["attempt"], line["kind"], line["text"]
        )
        for line in frame["payload"].get("lines", ())
    ]


def _token(settings: Settings) -> str:
    if settings.server_url:
        return settings.server_token
    from buildwright.auth import Signer, secret_key

    signer = Signer(secret_key(settings.home, settings.environment))
    return signer.issue(settings.user, "bearer", TOKEN_SECONDS, datetime.now(UTC))
