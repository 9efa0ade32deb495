"""How answers go over the wire: compressed for who takes it, by their tag for who knows them, and without waiting."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from typing import Any

import aiohttp
import pytest
from starlette.datastructures import Headers

from buildwright.api.app import api_for
from buildwright.api.server import Quiet, configured
from buildwright.api.whole_answers import LARGE, takes
from tests.api.conftest import NOTHING, Served


async def _build(served: Served, tasks: int) -> str:
    wanted = {"tasks": [{"id": f"t{n}", "title": f"Task {n}"} for n in range(tasks)], "options": NOTHING}
    made = await served.client.post("/api/build/start", {"project_id": "p", "seed": {}, **wanted})
    while made.json["build_graph"] is None:
        made = await served.client.post("/api/build/step", {"build_id": made.json["build_id"], "mode": "plan_only"})
        assert made.status == 200, made.text
    return str(made.json["build_id"])


async def _raw(served: Served, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return what came over the wire, not unpacked."""
    token = served.client.session.headers["Authorization"]
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["accept-encoding"]) as session,
        session.get(served.address + path, headers={"Authorization": token, **headers}) as answer,
    ):
        named = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, named, await answer.read()


@pytest.mark.parametrize("tasks", [20, 2000])
async def test_an_answer_is_compressed_for_who_takes_it(served: Served, tasks: int) -> None:
    path = f"/api/build/{await _build(served, tasks)}"
    _, plain_headers, plain = await _raw(served, path)
    assert "content-encoding" not in plain_headers
    assert (len(plain) > LARGE) is (tasks > 20)
    _, headers, packed = await _raw(served, path, **{"Accept-Encoding": "br;q=1, GZIP"})
    assert headers.get("content-encoding") == "gzip"
    assert headers["content-length"] == str(len(packed))
    assert len(packed) < len(plain) / 3
    assert json.loads(gzip.decompress(packed)) == json.loads(plain)
    assert "accept-encoding" in headers["vary"] and "accept-encoding" in plain_headers["vary"]  # noqa: PT018
    _, headers, refused = await _raw(served, path, **{"Accept-Encoding": "gzip;q=0, identity"})
    assert ("content-encoding" in headers, refused) == (False, plain)


async def test_whoever_knows_an_answer_is_sent_no_body(served: Served) -> None:
    path = f"/api/build/{await _build(served, 3)}"
    _, headers, _ = await _raw(served, path)
    tag = headers["etag"]
    for known in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        status, headers, body = await _raw(served, path, **{"If-None-Match": known})
        assert (status, body, headers["etag"]) == (304, b"", tag)
        assert headers["cache-control"] == "no-store"
    status, _, body = await _raw(served, path, **{"If-None-Match": '"other"'})
    assert (status, bool(body)) == (200, True)
    changed = await served.client.post("/api/build/step", {"build_id": path.rpartition("/")[2]})
    assert changed.status == 200
    status, headers, _ = await _raw(served, path, **{"If-None-Match": tag})
    assert (status, headers["etag"] != tag) == (200, True)


async def test_what_is_refused_or_made_is_neither_kept_nor_compressed(served: Served) -> None:
    unknown, headers, _ = await _raw(served, "/api/builds/nothing", **{"Accept-Encoding": "gzip", "If-None-Match": "*"})
    assert unknown == 404
    assert not {"etag", "content-encoding"} & set(headers)
    made = await served.client.post("/auth/tokens", {"name": "x"})
    assert not {"etag", "content-encoding"} & set(made.headers)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("x-gzip", False),
        ("gzip; q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0.001", True),
        ("", False),
        ("br", False),
    ],
)
def test_what_a_client_takes(given: str, taken: bool) -> None:
    assert takes(Headers({"accept-encoding": given}), "gzip") is taken


async def test_no_answer_waits_for_an_acknowledgement(served: Served) -> None:
    """Else the second packet of an answer waits up to 40 ms on a kept connection, for a client that delays it."""
    seen: list[int] = []
    api = api_for(served.site)

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        connection = scope["state"]["abort"].__self__.get_extra_info("socket")
        seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await api(scope, receive, send)

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind(("127.0.0.1", 0))
    server = Quiet(configured(noted))
    with listening:
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            while not server.started and not running.done():
                await asyncio.sleep(0.005)
            async with aiohttp.ClientSession() as session, session.get(address + "/health") as answer:
                assert answer.status in {200, 421}
        finally:
            server.should_exit = True
            await running
    assert seen == [1]
