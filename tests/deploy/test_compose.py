"""Everything that compose.yaml starts, started with its own command lines, variables and health checks, on 127.0.0.1."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from buildwright.supervisor.processes import Rights
from buildwright.supervisor.servers import ServerProgram
from tests.cli.conftest import WRITES, Program, shell
from tests.deploy.composed import argv_of, composed
from tests.git import git
from tests.servers import PostgresServer, RedisServer
from tests.starter import SOURCE

PATIENCE = 60.0
REDIS_PASSWORD = "0123456789abcdef"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Stand:
    """The services of compose.yaml as processes of this machine."""

    folder: Path
    services: dict[str, Any]
    ports: dict[str, int]
    database: ServerProgram
    cache: ServerProgram
    data: Path
    """Of PostgreSQL: made already."""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def here(self, text: str, service: str) -> str:
        """A word of compose.yaml, with addresses and folders of this machine in place of those of containers."""
        for host, inner in (("db", 5432), ("redis", 6379)):
            text = text.replace(f"@{host}:{inner}", f"@127.0.0.1:{self.ports[host]}")
        text = text.replace("0.0.0.0", "127.0.0.1").replace("8321", str(self.ports["api"]))
        text = text.replace("/hub/", f"{self.folder}/hub/").replace("/var/lib/", f"{self.folder}/{service}/")
        return text.replace("redis-cli ", f"redis-cli -p {self.ports['redis']} ")

    def argv(self, words: list[str], service: str) -> list[str]:
        found = [self.here(word, service) for word in words]
        return [sys.executable, "-m", *found] if found[0] == "buildwright" else found

    def environment(self, service: str) -> dict[str, str]:
        given = {name: self.here(str(value), service) for name, value in self.services[service]["environment"].items()}
        path = f"{self.database.path.parent}:{self.cache.path.parent}:{os.environ['PATH']}"
        own = {"PATH": path, "PYTHONPATH": str(SOURCE), "PYTHONUTF8": "1"}
        return own | {"HOME": str(self.folder), "PGPORT": str(self.ports["db"])} | given

    def start(self, service: str, *more: str, cwd: Path | None = None, rights: Rights | None = None) -> None:
        """Start the command of a service; its output is in a file."""
        (self.folder / service).mkdir(exist_ok=True)
        with (self.folder / f"{service}.log").open("wb") as log:
            self.running[service] = subprocess.Popen(
                [*self.argv(self.services[service]["command"], service), *more],
                env=self.environment(service),
                cwd=cwd or self.folder / service,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **(rights or {}),
            )

    def start_servers(self, *names: str) -> None:
        for name in names:
            if name == "db":
                where = "/proc/self/cwd" if self.database.rights else str(self.data)
                self.start("db", "-D", where, cwd=self.data, rights=self.database.rights)
            else:
                self.start(name, "--port", str(self.ports[name]), "--bind", "127.0.0.1")
            self.until_healthy(name)

    def once(self, service: str) -> None:
        """Run a service that ends by itself."""
        self.start(service)
        assert self.running.pop(service).wait(PATIENCE) == 0, self.said(service)

    def health(self, service: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """One health check, as Compose would do it."""
        check = self.argv(argv_of(self.services[service]["healthcheck"]["test"]), service)
        environment = self.environment(service) | changed
        return subprocess.run(check, env=environment, capture_output=True, text=True, check=False, cwd=self.folder)

    def until_healthy(self, service: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while (check := self.health(service)).returncode != 0:
            assert self.running[service].poll() is None, self.said(service)
            assert time.monotonic() < deadline, f"{check.stdout}{check.stderr}\n{self.said(service)}"
            time.sleep(0.1)

    def stop(self, service: str) -> int:
        """End it as Compose does; its exit code."""
        process = self.running.pop(service)
        process.send_signal(signal.Signals[self.services[service].get("stop_signal", "SIGTERM")])
        return process.wait(PATIENCE)

    def said(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text("utf-8", "replace")


@contextmanager
def ended_at_last(stand: Stand) -> Iterator[Stand]:
    try:
        yield stand
    finally:
        for process in reversed(stand.running.values()):
            process.kill()
            process.wait()


async def stand_on(stack: ExitStack, folder: Path, postgres: PostgresServer) -> Stand:
    """Everything ready to be started; PostgreSQL has a data folder, as its image makes one, and does not run."""
    record = postgres.record
    await postgres.stop()
    data = postgres.folder / "data"
    services = composed({"POSTGRES_PASSWORD": record.password, "REDIS_PASSWORD": REDIS_PASSWORD})["services"]
    ports = {"db": record.port, "redis": free_port(), "api": free_port()}
    stand = Stand(folder, services, ports, postgres.program, RedisServer(folder / "redis").program, data)
    return stack.enter_context(ended_at_last(stand))


@pytest.mark.parametrize("ours", [("worker",), ("worker", "api")], ids=["workers", "workers-and-api"])
async def test_it_starts_becomes_healthy_builds_and_ends(
    ours: tuple[str, ...], tmp_path: Path, own_postgres: PostgresServer, three: Path, repository: Path
) -> None:
    with ExitStack() as stack:
        stand = await stand_on(stack, tmp_path, own_postgres)
        stand.start_servers("db", "redis")
        assert stand.health("redis", REDISCLI_AUTH="wrong").returncode != 0
        stand.once("migrate")
        for name in ours:
            assert stand.health(name).returncode == 6, "nobody is there yet"
            stand.start(name)
        for name in ours:
            stand.until_healthy(name)

        user = user_of(stand, tmp_path)
        built = user("build", three, "--repo", repository, "--check", "true", *shell(WRITES), "--json")
        assert built.code == 0, built.err
        files = git(repository, "ls-tree", "--name-only", f"buildwright/{built.lines[-1]['id'][:8]}").split()
        assert files == ["README.md", "a.txt", "b.txt", "c.txt"]

        for name in (*reversed(ours), "redis", "db"):
            assert stand.stop(name) == 0, stand.said(name)
            assert stand.health(name).returncode != 0


def user_of(stand: Stand, folder: Path) -> Program:
    """The command line on the same three addresses, with a home of its own."""
    environment = stand.environment("worker") | {"BUILDWRIGHT_HOME": str(folder / "user")}
    (folder / "desk").mkdir()
    return Program(folder / "user", folder / "desk", environment, patience=PATIENCE)


async def test_a_service_whose_server_is_away_is_not_healthy_and_comes_back(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    with ExitStack() as stack:
        stand = await stand_on(stack, tmp_path, own_postgres)
        stand.start_servers("db", "redis")
        stand.once("migrate")
        stand.start("worker")
        stand.until_healthy("worker")
        assert stand.stop("db") == 0
        assert stand.health("db").returncode != 0
        assert stand.health("worker").returncode == 6
        assert stand.running["worker"].poll() is None, "a worker waits for its database"
        stand.start_servers("db")
        stand.until_healthy("worker")
        assert stand.stop("worker") == 0
