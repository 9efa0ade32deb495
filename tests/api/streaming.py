"""A server on a home of its own, builds whose story a test tells itself, and clients of streams."""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from buildwright.api.app import api_for, open_site
from buildwright.api.broadcast import BroadcastLimits
from buildwright.api.server import Quiet, configured
from buildwright.api.state import ServerState
from buildwright.core import event as e
from buildwright.core.event import AnyEvent
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.ports import LogEntry
from buildwright.settings import Settings
from buildwright.wiring import open_app


@dataclass
class Served:
    """A server that listens."""

    site: ServerState
    url: str
    logged: list[dict[str, Any]]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def token(self, user: str = "ann", kind: Any = "bearer", seconds: float = 600.0) -> str:
        return self.site.signer.issue(user, kind, seconds, self.site.app.clock.now())

    def client(self, user: str = "ann") -> aiohttp.ClientSession:
        """A session with the token of a user, "" for nobody; the caller closes it."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return aiohttp.ClientSession(self.url, headers=headers)

    async def begin(self, project: str = "shop", user: str = "ann", tasks: int = 3) -> Story:
        """A new build whose story the test tells."""
        story = Story(self.site.app.builds, str(uuid.uuid4()), project, user, tasks)
        await story.begin()
        return story


@dataclass
class Story:
    """A build that nobody carries out: the test writes what happens."""

    builds: Any
    id: str
    project: str
    user: str
    tasks: int
    version: int = 0
    lines: int = 0

    async def begin(self) -> None:
        spec = Spec(title="Story")
        created = e.BuildCreated(
            build_id=self.id,
            project_id=self.project,
            user_id=self.user,
            repository="",
            spec=spec,
            options=Options(agent="noop", lanes=False),
            correlation_id="corr-1",
        )
        await self.builds.create(self.id, [created], datetime.now(UTC))
        self.version = 1
        graph = Graph(
            tasks=tuple(
                Task(id=f"t{number}", title=f"Task {number}", milestone="One" if number < self.tasks else "Two")
                for number in range(1, self.tasks + 1)
            )
        )
        await self.tell(e.TargetPrepared(commit="", tree=""), e.PlanMade(graph=graph))
        await self.tell(e.TaskStarted(task="t1", attempt=1))

    async def tell(self, *events: AnyEvent) -> None:
        await self.builds.append(self.id, self.version, list(events), datetime.now(UTC))
        self.version += len(events)

    async def beat(self, times: int = 1) -> None:
        """Events that change nothing."""
        await self.tell(
            *[e.AgentHeartbeat(task="t1", attempt=1, status="working", percent=number % 100) for number in range(times)]
        )

    async def say(self, number: int = 1, size: int = 20) -> None:
        """Log lines, numbered in their text."""
        now = datetime.now(UTC)
        texts = [f"line {self.lines + step} ".ljust(size, "x") for step in range(1, number + 1)]
        await self.builds.write_log(self.id, [LogEntry(now, "t1", 1, "said", text) for text in texts])
        self.lines += number

    async def end(self) -> None:
        """The build is stopped."""
        await self.tell(e.StopRequested(message="enough"), e.BuildFinished(outcome="stopped", message="enough"))


@asynccontextmanager
async def serving(
    folder: Path, limits: BroadcastLimits | None = None, more: Mapping[str, str] | None = None
) -> AsyncIterator[Served]:
    """A server on a home below a folder."""
    logged: list[dict[str, Any]] = []

    def log(event: str, **fields: Any) -> None:
        logged.append({"event": event, **fields})

    environment = {"USER": "ann", "HOME": str(folder), "BUILDWRIGHT_HOME": str(folder / "home"), **(more or {})}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with open_app(Settings.load(environment, folder)) as app, open_site(app, log, url) as site:
            if limits is not None:
                site.tails.limits = limits
            server = Quiet(configured(api_for(site)))
            running = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                yield Served(site, url, logged)
            finally:
                site.closing.set()
                server.should_exit = True
                await running


class Frames:
    """The frames of a WebSocket, one after the other."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.code: int | None = None

    async def next(self, seconds: float = 10.0) -> dict[str, Any] | None:
        """The next frame, None when it was closed (`code` says how)."""
        message = await self.socket.receive(seconds)
        if message.type is aiohttp.WSMsgType.TEXT:
            found: dict[str, Any] = json.loads(message.data)
            assert set(found) == {"type", "ts", "projectId", "payload"}
            return found
        self.code = self.socket.close_code
        return None

    async def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """All frames up to so many of a type."""
        found: list[dict[str, Any]] = []
        while sum(frame["type"] == kind for frame in found) < count:
            frame = await self.next()
            assert frame is not None, f"closed with {self.code} before {kind} came: {found[-3:]}"
            found.append(frame)
        return found

    async def rest(self) -> list[dict[str, Any]]:
        """All frames up to the close."""
        found = []
        while (frame := await self.next()) is not None:
            found.append(frame)
        return found


@asynccontextmanager
async def opened(session: aiohttp.ClientSession, path: str, **more: Any) -> AsyncIterator[Frames]:
    """A WebSocket."""
    async with session.ws_connect(path, max_msg_size=0, **more) as websocket:
        yield Frames(websocket)


def event_seqs(frames: list[dict[str, Any]]) -> list[int]:
    """Numbers of the events in `execution-update` frames."""
    return [frame["payload"]["seq"] for frame in frames if frame["type"] == "execution-update"]


def line_seqs(frames: list[dict[str, Any]]) -> list[int]:
    """Numbers of the lines in `execution-log` frames."""
    return [line["seq"] for frame in frames if frame["type"] == "execution-log" for line in frame["payload"]["lines"]]


class Proxy:
    """A TCP proxy that cuts what goes through it, whenever it is told to."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.cuts = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    @property
    def is_used(self) -> bool:
        return bool(self._open)

    def cut(self) -> None:
        """Drop every connection, in the middle of whatever it carries."""
        self.cuts += bool(self._open)
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            self._open -= {writer, back}
            writer.transport.abort()
            back.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(4_096):
                sink.write(data)
                await sink.drain()
            sink.transport.abort()
        except (ConnectionError, asyncio.CancelledError):
            sink.transport.abort()
