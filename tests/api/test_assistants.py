"""The tools for assistants over HTTP: who may reach them, and that each caller can do what they may otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client as Assistant
from mcp.client.streamable_http import streamable_http_client

from buildwright.api.guard import COOKIE
from buildwright.assistants.tool import NOTICE
from buildwright.engine.commands import COMMANDS
from tests.api.conftest import OWNER, SHELL, Served, serving
from tests.cli.test_mcp import MODES, asked, refused, tasks

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
TALKS = {"Accept": "application/json, text/event-stream"}


@asynccontextmanager
async def assistant(served: Served, user: str = OWNER, mode: str = "auto") -> AsyncIterator[Assistant]:
    """An assistant with a token of this user."""
    token = served.site.signer.issue(user, "bearer", 3600, served.site.app.clock.now())
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=300) as http:
        transport = streamable_http_client(f"{served.address}/mcp", http_client=http)
        async with Assistant(transport, mode=mode) as client:
            yield client


def options(**more: Any) -> dict[str, Any]:
    return {**SHELL, "checks": [{"name": "passes", "command": "true"}], **more}


@pytest.mark.parametrize("mode", MODES)
async def test_an_assistant_builds_on_a_server(served: Served, repository: Path, mode: str) -> None:
    told: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async with assistant(served, mode=mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["plan", "start", "status", "events", "why", "diff", "costs", *(kind.name for kind in COMMANDS)]
        given = {"repository": str(repository), "options": options()}
        build = (await asked(client, "start", spec=tasks("a"), **given))["build_id"]
        result = await client.call_tool("status", {"wait_seconds": 300}, progress_callback=on_progress)
        status = result.structured_content
        assert (status["id"], status["outcome"]) == (build, "succeeded")
        assert told == sorted(set(told))
        assert told[-1] == status["version"]
        assert (await asked(client, "diff"))["files"][0]["path"] == "a.txt"
        (whole,) = (await client.read_resource(f"buildwright://builds/{build}/diff")).contents
        assert whole.meta == {"buildwright/notice": NOTICE}
        said = await refused(client, "stop")
        assert f"fix: see `buildwright status {build}`" in said, "commands, for they name tools"
    over_http = (await served.client.get(f"/api/builds/{build}")).json
    assert over_http["outcome"] == "succeeded"


async def test_a_call_that_waits_asks_the_server_only_when_something_happens(
    served: Served, repository: Path, tmp_path: Path
) -> None:
    command = f'touch "{tmp_path}/at-work"; until test -e "{tmp_path}/go"; do sleep 0.05; done; touch a.txt'
    async with assistant(served) as client:
        given = {"repository": str(repository), "options": options(agent_command=command)}
        build = (await asked(client, "start", spec=tasks("a"), **given))["build_id"]
        while not (tmp_path / "at-work").exists():
            await asyncio.sleep(0.05)
        before = await looks(served)
        assert (await asked(client, "status", build=build, wait_seconds=3))["outcome"] != "succeeded"
        while_quiet = await looks(served) - before
        (tmp_path / "go").touch()
        assert (await asked(client, "status", build=build, wait_seconds=300))["outcome"] == "succeeded"
    assert while_quiet <= 3


async def looks(served: Served) -> float:
    """How often the server was asked for events of a build."""
    text = (await served.client.get("/metrics")).text
    lines = [line for line in text.splitlines() if "_count{" in line and "/events" in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def test_each_caller_has_their_own_rights(served: Served, repository: Path) -> None:
    async with assistant(served) as client:
        given = {"repository": str(repository), "options": options()}
        build = (await asked(client, "start", spec=tasks("a"), **given))["build_id"]
        await asked(client, "status", build=build, wait_seconds=300)
    async with assistant(served, "bob") as client:
        assert (await client.list_resources()).resources == []
        for tool, more in (("status", {}), ("diff", {}), ("events", {}), ("why", {"task": "a"}), ("stop", {})):
            said = await refused(client, tool, build=build, **more)
            assert said.startswith("error (NotFound): there is no build"), said
        assert (await asked(client, "costs"))["sums"] == []
        said = await refused(client, "start", spec=tasks("a"), repository=str(repository), options=options())
        assert said.startswith("error (Forbidden): you may not run commands on this server"), said


async def test_what_holds_already_is_answered_only_to_those_who_may_ask_for_it(
    served: Served, repository: Path
) -> None:
    made = await served.client.post("/projects", {"name": "shop"})
    path = f"/projects/{made.json['id']}"
    for user, role in (("vic", "viewer"), ("mai", "maintainer")):
        assert (await (await served.user(user)).get("/auth/me")).status == 200
        assert (await served.client.ask("PUT", f"{path}/members/{user}", {"role": role})).status == 200
    wish = {"tasks": [{"id": "a", "title": "First"}], "target_type": "local_path", "target_ref": str(repository)}
    started = await served.client.post(f"{path}/build", {**wish, "options": options(approve_plan=True)})
    assert started.status == 202, started.text
    build = started.json["build_id"]
    while (await served.client.get(f"/api/builds/{build}")).json["control"] != "paused":
        await asyncio.sleep(0.05)
    async with assistant(served, "vic") as client:
        said = await refused(client, "pause", build=build)
        assert said.startswith("error (Forbidden): your role in this build is viewer"), said
    async with assistant(served, "mai") as client:
        assert (await asked(client, "pause", build=build))["control"] == "paused"
    assert (await served.client.post(f"/api/builds/{build}/stop")).status == 200


async def test_only_a_token_opens_the_tools(served: Served) -> None:
    site, nobody = served.site, await served.user("")
    now = site.app.clock.now()
    cookie = {"Cookie": f"{COOKIE}={site.signer.issue(OWNER, 'session', 600, now)}"}
    token = {"Authorization": f"Bearer {site.signer.issue(OWNER, 'bearer', 600, now)}"}
    foreign = ("https://evil.example", "null", "http://127.0.0.1:1")
    refusals: list[tuple[int, dict[str, str]]] = [
        (401, {}),
        (401, {"Authorization": "Bearer garbage"}),
        (403, cookie),
        *((403, {**token, "Origin": origin}) for origin in foreign),
        (421, {**token, "Host": "evil.example"}),
    ]
    for status, headers in refusals:
        answer = await nobody.post("/mcp", CALL, headers={**TALKS, **headers})
        assert answer.status == status, (headers, answer.text)
        assert '"start"' not in answer.text
    answer = await nobody.post("/mcp", CALL, headers={**TALKS, **token, "Origin": served.address})
    assert (answer.status, '"start"' in answer.text) == (200, True)
    for method in ("GET", "DELETE", "PUT"):
        answer = await nobody.ask(method, "/mcp", headers={**TALKS, **token})
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"jsonrpc":"2.0"}', b"\xff", b"[" * 10_000])
async def test_what_is_no_message_is_refused(served: Served, body: bytes) -> None:
    headers = {**TALKS, "Content-Type": "application/json"}
    answer = await served.client.ask("POST", "/mcp", data=body, headers=headers)
    assert 400 <= answer.status < 500, answer.text
    assert (await served.client.get("/health")).status == 200


async def test_a_call_that_waits_ends_with_the_server(tmp_path: Path, repository: Path) -> None:
    async with serving(tmp_path) as served:
        command = f'touch "{tmp_path}/at-work"; until test -e "{tmp_path}/go"; do sleep 0.05; done'
        made = await served.client.post(
            "/api/builds",
            {
                "tasks": [{"id": "a", "title": "First"}],
                "repository": str(repository),
                "options": options(agent_command=command),
            },
        )
        assert made.status == 202, made.text
        call = {**CALL, "method": "tools/call", "params": {"name": "status", "arguments": {"wait_seconds": 600}}}
        waiting = asyncio.create_task(served.client.post("/mcp", call, headers=TALKS))
        async with asyncio.timeout(120):
            while not (tmp_path / "at-work").exists():
                await asyncio.sleep(0.05)
        assert not waiting.done()
        served.site.closing.set()
        async with asyncio.timeout(60):
            (ended,) = await asyncio.gather(waiting, return_exceptions=True)
        assert not isinstance(ended, TimeoutError)
        assert '"result"' not in getattr(ended, "text", "")
        (tmp_path / "go").touch()
