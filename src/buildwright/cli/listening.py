"""A client of a server's streams that comes back: after every cut it goes on where it was, and nothing is missed. Prints nothing.

It waits 1, 2, 3 and so on up to 30 seconds between tries, each a little shorter or longer, so that a thousand clients do
not come back at the same moment.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple

import aiohttp

from buildwright.cli.reach import Reach
from buildwright.errors import BuildwrightError, CouldNot, Forbidden, NotFound, Refused, Unauthorized, Unreachable

HANDSHAKE_SECONDS = 10.0
LONGEST_WAIT = 30.0
SILENCE_SECONDS = 45.0
"""A stream of events that is silent longer than this is dead: the server pings every 15 seconds."""
_PING_SECONDS = 15.0
_REFUSED: Mapping[int, type[BuildwrightError]] = {
    400: Refused,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    422: Refused,
}
_LOST = (aiohttp.ClientError, OSError, TimeoutError)


class Notes(NamedTuple):
    """Who is told of the connection itself."""

    lost: Callable[[str], None]
    """Why it is gone; said once, however many tries follow."""
    back: Callable[[], None]


class Listener:
    """One stream of frames, through cuts."""

    def __init__(self, reach: Reach, path: str, query: Mapping[str, str], notes: Notes, step: float = 1.0) -> None:
        """`step` is by how many seconds each wait is longer than the one before."""
        self._reach = reach
        self._path = path
        self.query = dict(query)
        """What is asked for when it connects the next time; `after` follows what came."""
        self._notes = notes
        self._step = step
        self._tries = 0
        self._was_connected = False
        self._away = False
        self._over = False
        self._anew = False
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def by_socket(self) -> AsyncGenerator[dict[str, Any], None]:
        """Frames over WebSocket, each `hello` included, until the build has ended.

        Raises Unreachable when the very first try fails, and what the server says when it refuses.
        """
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with aclosing(self._socket_once(session)) as frames:
                        async for frame in frames:
                            yield frame
                    if self._over:
                        return
                except _LOST as error:
                    self._lose(error)
                await self._pause()

    async def by_events(self) -> AsyncGenerator[dict[str, Any], None]:
        """The same over server-sent events."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=HANDSHAKE_SECONDS, sock_read=SILENCE_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    async with aclosing(self._events_once(session)) as frames:
                        async for frame in frames:
                            yield frame
                    if self._over:
                        return
                except _LOST as error:
                    self._lose(error)
                await self._pause()

    async def subscribe(self, topics: list[str]) -> None:
        """Want something else from here on, also after a cut."""
        self.query["topics"] = ",".join(topics)
        if self._socket is not None and not self._socket.closed:
            await self._socket.send_json({"type": "subscribe", "payload": {"topics": topics}})

    def come_back(self) -> None:
        """Leave this stream of events, and begin once more with the first."""
        self._anew = True

    async def start_anew(self) -> None:
        """Have everything once more, from the first event on."""
        self.query["after"] = "start"
        if self._socket is not None and not self._socket.closed:
            topics = self.query["topics"].split(",")
            await self._socket.send_json({"type": "subscribe", "payload": {"topics": topics, "after": "start"}})

    async def _socket_once(self, session: aiohttp.ClientSession) -> AsyncGenerator[dict[str, Any], None]:
        self._over = False
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            websocket = await session.ws_connect(
                self._reach.url + self._path,
                params=self.query,
                headers=self._reach.headers(),
                heartbeat=_PING_SECONDS,
                max_msg_size=0,
            )
        self._socket = websocket
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                first = await websocket.receive()
            while first.type is aiohttp.WSMsgType.TEXT:
                frame = json.loads(first.data)
                self._arrived(frame)
                yield frame
                first = await websocket.receive()
            self._judge(websocket.close_code, str(first.extra or ""))
        finally:
            self._socket = None
            await websocket.close()

    async def _events_once(self, session: aiohttp.ClientSession) -> AsyncGenerator[dict[str, Any], None]:
        self._over = False
        url, headers = self._reach.url + self._path, self._reach.headers()
        async with session.get(url, params=self.query, headers=headers) as answer:
            if answer.status == 204:
                self._over = True
                return
            if answer.status != 200:
                await _refuse(answer)
            buffer = b""
            async for data in answer.content.iter_any():
                *events, buffer = (buffer + data).split(b"\n\n")
                for event in events:
                    frame = _frame_of(event)
                    if frame is None:
                        continue
                    self._arrived(frame)
                    if frame["type"] == "end":
                        self._over = True
                        return
                    if frame["type"] != "reset":
                        yield frame
                    if self._anew:
                        self._anew = False
                        self.query["after"] = "start"
                        return
        raise aiohttp.ClientConnectionError("the stream broke off")

    def _arrived(self, frame: dict[str, Any]) -> None:
        """The connection works, and this is had."""
        self._tries = 0
        self._was_connected = True
        if self._away:
            self._away = False
            self._notes.back()
        payload = frame["payload"]
        cursor = payload.get("cursor") or payload.get("after")
        if (cursor and frame["type"] != "hello") or (
            cursor and payload.get("resume") != "reset" and not self.query.get("after")
        ):
            self.query["after"] = cursor

    def _judge(self, code: int | None, reason: str) -> None:
        """What a close means. Raises what the server says when it refuses."""
        self._over = code == 1000
        if code is not None and 4400 <= code < 4500:
            raise _REFUSED.get(code - 4000, Refused)(reason or "the server refused the connection")
        if not self._over:
            raise aiohttp.ClientConnectionError(reason or "the connection was closed")

    def _lose(self, error: BaseException) -> None:
        why = str(error) or type(error).__name__
        if not self._was_connected:
            raise Unreachable(
                f"the server {self._reach.url} does not answer: {why}", fix="start it with `buildwright serve`"
            ) from error
        if not self._away:
            self._away = True
            self._notes.lost(why)

    async def _pause(self) -> None:
        self._tries += 1
        seconds = min(LONGEST_WAIT, self._tries * self._step)
        await asyncio.sleep(seconds * random.uniform(0.75, 1.25))  # noqa: S311  no secret


def step_of(reach: Reach) -> float:
    """Seconds by which each wait is longer than the one before (BUILDWRIGHT_RECONNECT_SECONDS)."""
    try:
        return max(0.0, float(reach.settings.environment.get("BUILDWRIGHT_RECONNECT_SECONDS", "") or 1.0))
    except ValueError:
        return 1.0


def _frame_of(event: bytes) -> dict[str, Any] | None:
    """The frame in a server-sent event; None for a comment."""
    for line in event.split(b"\n"):
        if line.startswith(b"data: "):
            found: dict[str, Any] = json.loads(line[6:])
            return found
    return None


async def _refuse(answer: aiohttp.ClientResponse) -> None:
    """Raise what a problem says; a server that is in trouble is tried again."""
    if answer.status >= 500 or answer.status in {408, 429}:
        raise aiohttp.ClientConnectionError(f"the server answers with {answer.status}")
    try:
        problem = await answer.json(content_type=None)
        detail, fix = str(problem["detail"]), str(problem.get("fix", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        detail, fix = f"the server answers with {answer.status}", ""
    raise _REFUSED.get(answer.status, CouldNot)(detail, fix=fix or None)
