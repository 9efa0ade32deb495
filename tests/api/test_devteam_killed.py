"""A server that is killed between its answer and the build, and during the build; and an API process with a worker beside it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from buildwright.auth import Signer, secret_key
from buildwright.wiring import SystemClock
from tests.api.conftest import WRITES
from tests.api.test_devteam import BASE, CHECKED, INITIALIZE, bare, wanted
from tests.cli.conftest import Program
from tests.e2e.test_cluster import machine, program_in
from tests.git import git
from tests.services import fresh_database, redis_of_this_worker
from tests.workspace.served import smart_http

PATIENCE = 60.0
KEY = {"Idempotency-Key": "the-one", "X-Correlation-Id": "ticket-11"}
POINTS = ("intake.claim.before", "intake.claim.after", "intake.start.after", "intake.begin.after")


@dataclass
class Server:
    """A `buildwright serve` of its own process."""

    process: subprocess.Popen[bytes]
    address: str
    token: str
    log: Path

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, str]:
        """Status, JSON and Location."""
        own = {"Authorization": f"Bearer {self.token}", **headers}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.address + path, json=body, headers=own) as answer,
        ):
            return answer.status, await answer.json(content_type=None), answer.headers.get("Location", "")

    async def until(self, *states: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                status, found, _ = await self.ask("GET", f"{BASE}/status/shop")
                assert status == 200, found
                if found["status"] in states:
                    return dict(found)
                await asyncio.sleep(0.05)

    async def event(self, execution: dict[str, Any]) -> dict[str, Any]:
        """The event of an execution, once it is done."""
        async with asyncio.timeout(PATIENCE):
            while True:
                _, found, _ = await self.ask("GET", execution["links"]["event"])
                if found["status"] == "done":
                    return dict(found)
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(timeout=PATIENCE) == -signal.SIGKILL

    def lines(self, execution: str) -> list[dict[str, Any]]:
        """Lines of its log, after its end, that are of an execution."""
        self.process.terminate()
        assert self.process.wait(timeout=PATIENCE) == 0, self.log.read_text("utf-8")
        return lines_of(self.log, execution)


def lines_of(log: Path, execution: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("executionId") == execution]


@contextmanager
def serve(program: Program, **environment: str) -> Iterator[Server]:
    note, log = program.home / "server.json", program.directory / "log"
    note.unlink(missing_ok=True)
    command = [sys.executable, "-m", "buildwright", "serve", "--port", "0", "--json"]
    with log.open("w") as sink:
        process = subprocess.Popen(
            command, cwd=program.directory, env=program.environment | environment, stdout=sink, stderr=sink
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not note.exists():
                assert process.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < deadline
                time.sleep(0.05)
            signer = Signer(secret_key(program.home, {}))
            token = signer.issue(program.environment["USER"], "bearer", 3600, SystemClock().now())
            yield Server(process, json.loads(note.read_text())["url"], token, log)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=PATIENCE)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return program_in(tmp_path / "home", tmp_path / "desk", USER="ann", BUILDWRIGHT_ROOTS=str(tmp_path))


def once(tmp_path: Path, gate: Path | None = None) -> dict[str, Any]:
    """Options of a build whose agents note that they have done their task."""
    waits = f"while [ ! -e {gate} ]; do sleep 0.05; done; " if gate else ""
    return {**CHECKED, "agent_command": f"{waits}{WRITES}; echo $BUILDWRIGHT_TASK_ID >> {tmp_path}/ran"}


@pytest.mark.parametrize("point", POINTS)
async def test_a_server_killed_between_its_answer_and_the_build_begins_it_once_when_it_is_back(
    program: Program, tmp_path: Path, repository: Path, point: str
) -> None:
    body = wanted(repository, options=once(tmp_path))
    with serve(program, BUILDWRIGHT_FAILPOINT=f"{point}:1") as server:
        with suppress(aiohttp.ClientError):  # the answer may die with the server
            status, _, _ = await server.ask("POST", INITIALIZE, body, **KEY)
            assert status == 202
        assert server.process.wait(timeout=PATIENCE) == -signal.SIGKILL
    with serve(program) as server:
        end = await server.until("completed", "failed", "paused")
        assert (end["status"], end["correlationId"]) == ("completed", "ticket-11")
        status, problem, location = await server.ask("POST", INITIALIZE, body, **KEY)
        assert (status, problem["state"], location) == (409, "accepted", f"{BASE}/status/shop")
        builds = (await server.ask("GET", "/api/builds"))[1]["items"]
        assert [build["build_id"] for build in builds] == [end["executionId"]]
        assert (tmp_path / "ran").read_text().split() == ["a", "b"]


async def test_a_server_killed_during_the_build_goes_on_with_it(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    gate = tmp_path / "open"
    with serve(program) as server:
        status, begun, _ = await server.ask("POST", INITIALIZE, wanted(repository, options=once(tmp_path, gate)), **KEY)
        assert status == 202
        async with asyncio.timeout(PATIENCE):
            while (await server.ask("GET", f"{BASE}/status/shop"))[1]["currentTask"] is None:
                await asyncio.sleep(0.05)
        server.kill()
    gate.touch()
    with serve(program) as server:
        end = await server.until("completed", "failed", "paused")
        assert (end["status"], end["executionId"]) == ("completed", begun["executionId"])
        assert (await server.event(end))["task_context"]["outcome"] == "succeeded"
        branch = f"buildwright/{end['executionId'][:8]}"
        assert git(repository, "ls-tree", "--name-only", branch).split() == ["README.md", "a.txt", "b.txt"]
        last = server.lines(end["executionId"])[-1]
    assert (last["event"], last["correlationId"], last["projectId"]) == ("execution-ended", "ticket-11", "shop")


async def test_an_api_process_and_a_worker(tmp_path: Path, repository: Path) -> None:
    hub = tmp_path / "hubs" / "hub.git"
    git(tmp_path, "init", "-q", "--bare", str(hub))
    git(hub, "config", "http.receivepack", "true")
    origin = bare(tmp_path, repository)
    with smart_http(hub.parent) as (address, _):
        async with fresh_database() as database:
            shared = {
                "DATABASE_URL": database,
                "REDIS_URL": redis_of_this_worker(),
                "BUILDWRIGHT_HUB": f"{address}/hub.git",
            }
            program = program_in(
                tmp_path / "api", tmp_path / "desk", None, USER="ann", BUILDWRIGHT_ROOTS=str(tmp_path), **shared
            )
            options = {**CHECKED, "delivery": {"kind": "push", "branch": "made"}}
            with machine(tmp_path / "worker", shared) as log, serve(program) as server:
                async with asyncio.timeout(PATIENCE):
                    while '"begins"' not in log.read_text("utf-8"):
                        await asyncio.sleep(0.05)
                body = wanted(repository, options=options)
                status, begun, _ = await server.ask("POST", INITIALIZE, body, **KEY)
                assert status == 202
                end = await server.until("completed", "failed", "paused")
                assert (end["status"], end["executionId"]) == ("completed", begun["executionId"])
                assert {stage["status"] for stage in end["stages"]} == {"done"}
                assert git(origin, "ls-tree", "--name-only", "made").split() == ["README.md", "a.txt", "b.txt"]
                assert (await server.event(end))["task_context"]["outcome"] == "succeeded"
                # A branch for a repository of this machine: the server sees to it that it is there.
                at_home = {**CHECKED, "delivery": {"kind": "branch", "branch": "home"}}
                asked = {"repository": str(repository), "tasks": [{"id": "c", "title": "C"}], "options": at_home}
                status, started, _ = await server.ask("POST", "/api/builds", asked)
                assert status == 202, started
                note = tmp_path / "api" / "awaited" / started["build_id"]
                async with asyncio.timeout(PATIENCE):
                    while not note.read_text("utf-8"):
                        await asyncio.sleep(0.1)
                assert note.read_text("utf-8") == "refs/heads/home"
                assert git(repository, "ls-tree", "--name-only", "home").split() == ["README.md", "c.txt"]
                here = server.lines(begun["executionId"])
            there = lines_of(log, begun["executionId"])
    for lines in (here, there):
        assert {line["correlationId"] for line in lines} == {"ticket-11"}
        assert {line["projectId"] for line in lines} == {"shop"}
    assert {"event-received", "event-started", "execution-ended"} <= {line["event"] for line in here}
    assert {"taken", "recorded"} <= {line["event"] for line in there}
