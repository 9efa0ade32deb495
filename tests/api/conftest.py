"""A real server on a free port of this machine, and clients of it by user."""

from __future__ import annotations

import asyncio
import io
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from json import dumps
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from buildwright.api.app import api_for, open_site
from buildwright.api.server import Quiet, configured
from buildwright.api.state import ServerState
from buildwright.settings import Settings
from buildwright.wiring import open_app
from tests.e2e.test_cluster import machine
from tests.git import git
from tests.services import fresh_database, redis_of_this_worker

OWNER = "ann"
"""Whose machine the server is."""
WRITES = 'echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"'
"""An agent's command that adds one file named after its task."""
SHELL = {"agent": "shell", "agent_command": WRITES, "sandbox": "none"}
NOTHING = {"agent": "noop", "lanes": False}
"""Options of a build that needs nothing."""


@dataclass
class Answered:
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    json: Any
    text: str = ""


@dataclass
class Client:
    """A user of the server."""

    session: aiohttp.ClientSession
    address: str

    async def ask(self, method: str, path: str, json: Any = None, **more: Any) -> Answered:
        """One request; `more` is what aiohttp takes."""
        if json is not None:
            more["data"] = io.BytesIO(dumps(json).encode())
            more["headers"] = {"content-type": "application/json", **more.get("headers", {})}
        async with self.session.request(method, self.address + path, allow_redirects=False, **more) as answer:
            text = await answer.text()
            is_json = "json" in answer.headers.get("content-type", "")
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answered(answer.status, headers, await answer.json(content_type=None) if is_json else None, text)

    async def get(self, path: str, **more: Any) -> Answered:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> Answered:
        return await self.ask("POST", path, json, **more)


@dataclass
class Served:
    """A server that runs, and its users."""

    site: ServerState
    address: str
    stack: AsyncExitStack
    clients: dict[str, Client] = field(default_factory=dict)
    logged: list[dict[str, Any]] = field(default_factory=list)

    @property
    def client(self) -> Client:
        """The owner of the machine."""
        return self.clients[OWNER]

    async def user(self, name: str) -> Client:
        """A client with a token of this user; "" for nobody."""
        if name not in self.clients:
            token = self.site.signer.issue(name, "bearer", 3600, self.site.app.clock.now()) if name else ""
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            session = await self.stack.enter_async_context(aiohttp.ClientSession(headers=headers))
            self.clients[name] = Client(session, self.address)
        return self.clients[name]


@asynccontextmanager
async def serving(folder: Path, **environment: str) -> AsyncIterator[Served]:
    """A server with its home below a folder, which is also where it may build."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    own = {
        "USER": OWNER,
        "HOME": str(folder),
        "BUILDWRIGHT_HOME": str(folder / "home"),
        "BUILDWRIGHT_ROOTS": str(folder),
    }
    settings = Settings.load(kept | own | environment, directory=folder)
    logged: list[dict[str, Any]] = []

    def log(event: str, **fields: Any) -> None:
        logged.append({"event": event, **fields})

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with listening:
        async with open_app(settings) as app, open_site(app, log, address) as site, AsyncExitStack() as stack:
            server = Quiet(configured(api_for(site)))
            running = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                while not server.started and not running.done():
                    await asyncio.sleep(0.005)
                served = Served(site, address, stack, logged=logged)
                await served.user(OWNER)
                yield served
                await stack.aclose()
            finally:
                site.closing.set()
                server.should_exit = True
                await running


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as it:
        yield it


@pytest.fixture(params=["sqlite", "postgres"])
async def kept_in(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """The environment of a server that builds alone on SQLite, and of one whose builds a worker does, on PostgreSQL.

    Only a test that builds, in its `repository`, has a worker.
    """
    if request.param == "sqlite":
        yield {}
        return
    hub = tmp_path / "hub.git"
    git(tmp_path, "init", "-q", "--bare", str(hub))
    async with fresh_database(has_tables=True) as database:
        shared = {"DATABASE_URL": database, "REDIS_URL": redis_of_this_worker(), "BUILDWRIGHT_HUB": str(hub)}
        if "repository" not in request.fixturenames:
            yield shared
            return
        with machine(tmp_path / "worker", shared) as log:
            yield shared
            while '"begins"' not in log.read_text():  # before, the signal that ends it would kill it
                await asyncio.sleep(0.1)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit, where the server may build."""
    path = tmp_path / "target"
    path.mkdir()
    (path / "README.md").write_text("# Target\n", encoding="utf-8")
    git(path, "init", "-q", "-b", "main")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "Start")
    return path


async def ended(client: Client, build_id: str, seconds: float = 60.0) -> dict[str, Any]:
    """The status of a build once it has ended or is paused."""
    async with asyncio.timeout(seconds):
        while True:
            status = (await client.get(f"/api/builds/{build_id}")).json
            if status["control"] not in {"running", "stopping"}:
                return dict(status)
            await asyncio.sleep(0.05)
