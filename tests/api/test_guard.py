"""The door, attacked: hosts, origins and bodies that should not get in, and how others fare meanwhile."""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from buildwright.api import bodies
from buildwright.api.app import ROUTERS, api_for
from buildwright.api.bodies import LARGEST_BODY, LARGEST_SPEC
from buildwright.api.guard import COOKIE
from buildwright.api.server import Quiet, configured
from tests.api.attacking import Attacked, attacking
from tests.api.conftest import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD_HOSTS = ("127.0.0.1", "127.0.0.1:{port}", "localhost", "LocalHost:{port}", "[::1]:{port}", "build.example")
BAD_HOSTS = (
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example",
    "localhost.evil.example:{port}",
    "evil-localhost",
    "sub.build.example",
    "localhost@evil.example",
    "127.0.0.1:{port}@evil.example",
    "evil.example#127.0.0.1",
    "evil.example/127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "localhost,evil.example",
    "localhost evil.example",
    "",
)
FOREIGN = (
    "null",
    "",
    "https://evil.example",
    "http://127.0.0.1.evil.example:{port}",
    "http://evil.example:{port}",
    "http://127.0.0.1:1",
    "http://127.0.0.1",
    "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1:{port}@evil.example",
    "http://ann@127.0.0.1:{port}",
    "http://localhost:{port}",
    "file://",
    "chrome-extension://abcdef",
    "http://[",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Attacked]:
    async with attacking(tmp_path_factory.mktemp("attacked")) as it:
        yield it


def port_of(attacked: Attacked) -> str:
    return attacked.host.rpartition(":")[2]


# --- Rows 41 and 42: hosts and origins -----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", GOOD_HOSTS)
async def test_it_answers_to_its_own_names(attacked: Attacked, host: str) -> None:
    answer = await attacked.ask("GET /auth/me HTTP/1.1", attacked.bearer, host=host.format(port=port_of(attacked)))
    assert (answer.status, answer.json["user_id"]) == (200, "ann")


@pytest.mark.parametrize("host", BAD_HOSTS)
async def test_a_name_that_is_not_its_own_gets_nothing(attacked: Attacked, host: str) -> None:
    for path in ("/auth/me", "/health", "/sign-in", "/api/builds"):
        answer = await attacked.ask(f"GET {path} HTTP/1.1", attacked.bearer, host=host.format(port=port_of(attacked)))
        assert answer.status in {421, 400}, answer
        assert "ann" not in answer.body


async def test_no_host_and_two_hosts_get_nothing(attacked: Attacked) -> None:
    for lines in (
        [],
        [f"Host: {attacked.host}", "Host: evil.example"],
        ["Host: evil.example", f"Host: {attacked.host}"],
    ):
        head = "\r\n".join(["GET /auth/me HTTP/1.1", *lines, attacked.bearer, "Connection: close", "", ""])
        assert [answer.status for answer in await attacked.send(head.encode())] in ([400], [421])


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_page_of_another_site_cannot_use_the_session(attacked: Attacked, origin: str) -> None:
    site = attacked.served.site
    session = site.signer.issue("ann", "session", 600, site.app.clock.now())
    given = (f"Cookie: {COOKIE}={session}", f"Origin: {origin.format(port=port_of(attacked))}")
    answer = await attacked.ask("POST /api/tickets HTTP/1.1", *given)
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    answer = await attacked.ask("POST /sign-in HTTP/1.1", given[1], body=b"token=x")
    assert answer.status == 403
    own = await attacked.ask("POST /api/tickets HTTP/1.1", given[0], f"Origin: http://{attacked.host}")
    assert own.status == 201
    both = await attacked.ask("POST /api/tickets HTTP/1.1", given[0], f"Origin: http://{attacked.host}", given[1])
    assert both.status == 403


# --- Rows 35 and 36: bodies -----------------------------------------------------------------------------------------------


async def test_a_body_that_is_too_large_is_not_read(attacked: Attacked) -> None:
    head = f"POST /api/builds/x/say HTTP/1.1\r\nHost: {attacked.host}\r\n{attacked.bearer}\r\nContent-Type: application/json\r\n"
    of_specs = head.replace("/api/builds/x/say", "/events")
    (answer,) = await attacked.send(f"{of_specs}Content-Length: {LARGEST_SPEC + 1}\r\n\r\n".encode(), b"{")
    assert (answer.status, answer.json["code"]) == (413, "too-large")
    for length in (LARGEST_BODY + 1, 10**12, 10**18):
        (answer,) = await attacked.send(f"{head}Content-Length: {length}\r\n\r\n".encode(), b"{")
        assert (answer.status, answer.headers["connection"]) == (413, "close"), answer
        assert answer.json["code"] == "too-large"
    chunk = b"%x\r\n%s\r\n" % (60_000, b" " * 60_000)
    (answer,) = await attacked.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), *[chunk] * 17)
    assert (answer.status, answer.json["code"]) == (413, "too-large")
    whole = json.dumps({"name": "whole", "description": "d" * 10_000, "spec": "s" * 900_000}).encode()
    kept = await attacked.ask("POST /projects HTTP/1.1", attacked.bearer, "Content-Type: application/json", body=whole)
    assert kept.status == 201


async def test_others_are_answered_while_a_large_body_is_read(attacked: Attacked) -> None:
    """Most of the time goes into reading it: what stands at its end is wrong, so nothing follows."""
    tasks = [{"id": f"t{i}", "title": "x", "more": [[{"a": 1}] * 25]} for i in range(7_000)]
    whole = json.dumps(
        {"name": "whole", "tasks": tasks, "wrong": "é" * 3_800_000, "spec": 1}, ensure_ascii=False
    ).encode()
    assert LARGEST_BODY < len(whole) < LARGEST_SPEC
    client, order = attacked.served.client, list[str]()
    head = (
        f"POST /projects HTTP/1.1\r\nHost: {attacked.host}\r\n{attacked.bearer}\r\nContent-Type: application/json\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port_of(attacked)))
    writer.transport.set_write_buffer_limits(0)  # so that `drain` waits until all is sent
    writer.write(f"{head}Connection: close\r\nContent-Length: {len(whole)}\r\n\r\n".encode() + whole[:-1])
    await writer.drain()
    for _ in range(10):  # meanwhile the server has what was sent
        assert (await client.get("/health")).status == 200

    async def large() -> bytes:
        answer = await reader.read()
        order.append("large")
        return answer

    writer.write(whole[-1:])
    reading = asyncio.create_task(large())
    while "large" not in order:
        assert (await client.get("/health")).status == 200
        order.append("health")
    writer.close()
    head, _, body = (await reading).decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 422 ")
    assert [error["pointer"] for error in json.loads(body)["errors"]] == ["/spec", "/wrong"]
    assert order.index("large") >= 3, order  # one at most, were it read on the event loop


def _names_only(tasks: dict[str, Any] | None) -> bool:
    """Whether a field, by its schema, holds no tasks: it is not there, or names tasks that exist."""
    return tasks is None or tasks.get("items", {}).get("type") == "string"


async def test_every_route_with_a_body_reads_it_beside_the_loop() -> None:
    """And every one that may hold a task list or a spec takes one of the same size."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    assert all(type(route) is bodies.BodyRoute for route in routes if route.body_field is not None)
    large = set()
    for route in routes:
        if route.body_field is None:
            continue
        annotation: Any = route.body_field.field_info.annotation
        schema = TypeAdapter(annotation).json_schema()
        models = [schema, *schema.get("$defs", {}).values()]
        fields = [model.get("properties", {}) for model in models]
        if any("spec" in of or not _names_only(of.get("tasks")) for of in fields):
            large.add(route.path)
    sent = {path for path in large if bodies.largest({"method": "POST", "path": path}) == LARGEST_SPEC}
    assert sent == large
    assert len(large) == 10


@pytest.mark.parametrize(
    "rest",
    [
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 1x\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_a_body_that_is_framed_wrongly_is_refused(attacked: Attacked, rest: str) -> None:
    head = (
        f"POST /projects HTTP/1.1\r\nHost: {attacked.host}\r\n{attacked.bearer}\r\nContent-Type: application/json\r\n"
    )
    before = (await attacked.served.client.get("/projects")).json
    answers = await attacked.send((head + rest).encode(), end=True)
    assert all(400 <= answer.status < 502 and answer.status != 500 for answer in answers), answers
    assert (await attacked.served.client.get("/projects")).json == before


async def test_a_second_request_hidden_in_a_body_is_none(attacked: Attacked) -> None:
    hidden = f"POST /events HTTP/1.1\r\nHost: {attacked.host}\r\n{attacked.bearer}\r\n\r\n"
    head = f"POST /projects HTTP/1.1\r\nHost: {attacked.host}\r\nContent-Type: application/json\r\n"
    both = f"{head}Content-Length: {len(hidden) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
    answers = await attacked.send(both.encode(), end=True)
    assert [answer.status for answer in answers if answer.status < 400] == []


async def test_a_body_that_comes_slowly_is_given_up(attacked: Attacked) -> None:
    attacked.served.site.body_seconds = 0.6
    try:
        head = f"POST /projects HTTP/1.1\r\nHost: {attacked.host}\r\n{attacked.bearer}\r\nContent-Type: application/json\r\n"
        trickle = [b'{"name": "', *[b"x"] * 40]
        began = time.monotonic()
        answers = await asyncio.gather(
            *(attacked.send(f"{head}Content-Length: 500\r\n\r\n".encode(), *trickle, pause=0.1) for _ in range(20))
        )
        for (answer,) in answers:
            assert (answer.status, answer.json["code"], answer.headers["connection"]) == (408, "too-slow", "close")
        print(f"\n20 slow bodies were given up in {time.monotonic() - began:.1f} s")
    finally:
        attacked.served.site.body_seconds = 20.0


async def test_a_head_that_comes_slowly_is_given_up(attacked: Attacked) -> None:
    """What is answered, a connection that is kept, and a WebSocket go on."""
    async with hurrying(attacked) as hurried:
        head = f"GET /auth/me HTTP/1.1\r\nHost: {hurried.host}\r\n{hurried.bearer}\r\n"
        whole, last = f"{head}\r\n".encode(), f"{head}Connection: close\r\n\r\n".encode()
        name, _, token = hurried.bearer.partition(": ")
        async with (
            aiohttp.ClientSession(headers={name: token}) as session,
            session.ws_connect(f"{hurried.address}/ws?build={hurried.seeds.paused}") as stream,
        ):
            answers = await asyncio.gather(
                *(hurried.send(head.encode(), *[b"X: y\r\n"] * 200, pause=0.1) for _ in range(20)),
                *(hurried.send() for _ in range(20)),
                hurried.send(whole, *[b"G"] * 200, pause=0.1),
                hurried.send(whole, last, pause=1.5),
            )
            assert answers[:40] == [[]] * 40
            assert [[one.status for one in answer] for answer in answers[40:]] == [[200], [200, 200]]
            await stream.send_json({"type": "ping"})
            said = [await stream.receive_json(timeout=20)]
            while said[-1]["type"] != "pong":
                said.append(await stream.receive_json(timeout=20))


@asynccontextmanager
async def hurrying(attacked: Attacked) -> AsyncIterator[Attacked]:
    """The same site on another port, where the head of a request has 0.6 seconds."""
    server = Quiet(configured(api_for(attacked.served.site), head_seconds=0.6))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield replace(attacked, address=f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        server.should_exit = True
        await running
        listening.close()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/projects", b'{"name": ' + b"[" * 100_000),
        ("/projects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        ("/projects", b'{"name": "n", "tasks": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("/projects", json.dumps({"name": "n", "tasks": json.loads("[" * 500 + "]" * 500)}).encode()),
        (
            "/events",
            b'{"type": "project.note", "projectId": "p", "text": "t", "data": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
        ),
        ("/api/builds", b"[" * 400_000),
        ("/api/build/start", b'{"project_id": "p", "seed": ' + b"[" * 3_000 + b"]" * 3_000 + b"}"),
        ("/api/builds", json.dumps({"spec": "a: &a [x]\nb: &b [*a,*a]\n" * 2000, "name": "tasks.yaml"}).encode()),
    ],
)
async def test_json_that_is_nested_deeply_is_refused(attacked: Attacked, path: str, body: bytes) -> None:
    answer = await attacked.ask(f"POST {path} HTTP/1.1", attacked.bearer, "Content-Type: application/json", body=body)
    assert answer.status in {400, 422}, answer
    assert answer.headers["content-type"] == "application/problem+json"


async def test_bodies_that_are_no_json_are_refused(attacked: Attacked) -> None:
    for body in (
        b"\xff\xfe",
        b"NaN",
        b'{"name": NaN}',
        b'"\\ud800"',
        b'{"name": "\\u0000"}',
        b'{"name": "\\ud800"}',
        b"null",
        b"[]",
    ):
        answer = await attacked.ask(
            "POST /projects HTTP/1.1", attacked.bearer, "Content-Type: application/json", body=body
        )
        assert answer.status in {400, 422}, (body, answer)
    for kind in (
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ):
        answer = await attacked.ask(
            "POST /projects HTTP/1.1", attacked.bearer, f"Content-Type: {kind}", body=b'{"name": 1}'
        )
        assert answer.status in {400, 422}, (kind, answer)


async def test_an_innocent_client_is_served_meanwhile(attacked: Attacked) -> None:
    """Row 35. Printed, not asserted: how long others wait depends on the machine."""
    over = asyncio.Event()
    over.set()
    calm = await innocent(attacked.served.client, over)
    over.clear()
    served = asyncio.create_task(innocent(attacked.served.client, over))
    deep = b'{"name": ' + b"[" * 200_000
    head = f"POST /projects HTTP/1.1\r\nHost: {attacked.host}\r\n{attacked.bearer}\r\n"
    large = [b"%x\r\n%s\r\n" % (60_000, b" " * 60_000)] * 17
    attacked.served.site.body_seconds = 1.0
    await asyncio.gather(
        *(attacked.ask("POST /projects HTTP/1.1", attacked.bearer, body=deep) for _ in range(30)),
        *(attacked.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), *large) for _ in range(30)),
        *(attacked.send(f"{head}Content-Length: 9\r\n\r\n".encode(), b"{", seconds=3) for _ in range(100)),
        *(attacked.ask("GET /auth/me HTTP/1.1", "Authorization: Bearer " + "x" * 9_000) for _ in range(100)),
    )
    attacked.served.site.body_seconds = 20.0
    over.set()
    print(f"\np95 of others: {calm:.0f} ms in quiet, {await served:.0f} ms under attack")


async def innocent(client: Client, over: asyncio.Event) -> float:
    """Milliseconds, 95th percentile, of looking at one's builds until it is over, and 40 times at least."""
    times: list[float] = []
    while len(times) < 40 or not over.is_set():
        began = time.perf_counter()
        assert (await client.get("/api/builds")).status == 200
        times.append(time.perf_counter() - began)
    return 1000 * statistics.quantiles(times, n=20)[-1]
