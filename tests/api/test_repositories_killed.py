"""A server that is killed after it has taken a push, and while it audits one: each is audited once when it is back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.test_devteam_killed import PATIENCE, Server, serve
from tests.api.test_repositories import pushed
from tests.cli.conftest import Program
from tests.e2e.test_cluster import program_in
from tests.forges.github import ZEROS, Delivery, HostedGitHub
from tests.forges.served import forge_of
from tests.git import git

POINTS = ("pushed.claim.before", "pushed.claim.after", "pushed.finish.before")


@pytest.fixture
def github(tmp_path: Path) -> Iterator[HostedGitHub]:
    with forge_of(HostedGitHub, "github", tmp_path / "forge") as here:
        work = tmp_path / "work"
        git(tmp_path, "init", "-q", "-b", "main", str(work))
        (work / "a.py").write_text("import json\n")
        pushed(here, work, "main", "Start")
        yield here


@pytest.fixture
def program(tmp_path: Path, github: HostedGitHub) -> Program:
    known = {**github.environment, "BUILDWRIGHT_PUBLIC_URL": "https://build.example"}
    return program_in(tmp_path / "home", tmp_path / "desk", None, USER="ann", **known)


async def sent(server: Server, delivery: Delivery) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.address + delivery.path, data=delivery.body, headers=delivery.headers) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


@pytest.mark.parametrize("point", POINTS)
async def test_a_push_that_was_answered_is_audited_whatever_is_killed(
    program: Program, github: HostedGitHub, point: str
) -> None:
    here = github.commit_of("main")
    with serve(program, BUILDWRIGHT_FAILPOINT=f"{point}:1") as server:
        status, made, _ = await server.ask("POST", "/repos/connect", {"name": "acme/shop"})
        assert status == 201, made
        (hook,) = github.hooks
        delivery = github.delivery(hook, "push", github.push_body(ZEROS, here))
        with suppress(aiohttp.ClientError):  # the answer may die with the server
            status, answer = await sent(server, delivery)
            assert (status, answer["outcome"]) == (202, "queued")
        assert server.process.wait(timeout=PATIENCE) == -signal.SIGKILL
    with serve(program) as server:
        async with asyncio.timeout(PATIENCE):
            while True:
                _, found, _ = await server.ask("GET", f"/repos/{made['id']}/audits")
                (audit,) = found["items"]
                if audit["told"]:
                    break
                await asyncio.sleep(0.05)
        assert (audit["commit"], audit["status"], len(audit["checks"])) == (here, "passed", 12), audit
        assert (await sent(server, delivery))[1] == {"outcome": "again", "audits": []}
    assert [one["state"] for one in github.statuses][-1] == "success"
    assert [one["conclusion"] for one in github.check_runs] == ["success"]
