"""`buildwright health` against servers that answer in every way, and against real rows of workers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from buildwright.ports import WorkerRow
from buildwright.store import revisions
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.lease_holders import this_process
from tests.cli.conftest import Program
from tests.store.process import AT


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer to everything; its URL and what it was asked."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_is_well(program: Program) -> None:
    with answering(200, b'{"status":"ok"}') as (url, asked):
        # A proxy is for the world outside.
        said = program("health", url, HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1")
        assert (said.code, said.out, said.err) == (0, f"{url} is healthy\n", "")
        assert program("health", f"{url}/", "--json").object == {"schema": 1, "healthy": True, "what": f"{url}/"}
    assert asked == ["/health", "/health"]
    assert not program.home.exists()


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, b'{"status":"ok"}', "answers with status 503"),
        (200, b'{"status":"starting"}', "does not say that it is well"),
        (200, b"[]", "does not say that it is well"),
        (200, b"<p>hello</p>", "does not answer with JSON"),
        (200, b"\xff\xfe\xff", "does not answer with JSON"),
    ],
)
def test_a_server_that_is_not(program: Program, status: int, body: bytes, why: str) -> None:
    with answering(status, body) as (url, _):
        said = program("health", url)
    assert (said.code, said.out) == (6, "")
    assert why in said.err
    assert "fix:" in said.err


def test_nobody_there(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "timed out" in program("health", url, "--timeout", "0.2").err
    said = program("health", url)
    assert (said.code, "Connection refused" in said.err) == (6, True)


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("file:///etc/passwd",), 2, "is not the URL of a server"),
        (("--timeout", "0"), 2, "leaves no time"),
        (("--name", "w1"), 2, "is for a worker"),
        (("http://127.0.0.1:1", "--worker"), 2, "not by a URL"),
        (("--worker",), 78, "in the database that they share"),
    ],
)
def test_what_cannot_be_asked(program: Program, arguments: tuple[str, ...], code: int, why: str) -> None:
    said = program("health", *arguments)
    assert (said.code, why in said.err) == (code, True), said.err


async def test_workers(program: Program, postgres_url: str, tmp_path: Path) -> None:
    shared = {"DATABASE_URL": postgres_url, "REDIS_URL": "redis://127.0.0.1:1/0", "BUILDWRIGHT_HUB": str(tmp_path)}
    program.environment |= shared
    empty = program("health", "--worker")
    assert (empty.code, "revision none" in empty.err) == (1, True)
    assert await revisions.version(postgres_url) is None, "a look makes no tables"

    store = await PostgresBuilds.open(postgres_url)
    try:
        missing = program("health", "--worker")
        assert (missing.code, f"worker {socket.gethostname()} has not started" in missing.err) == (6, True)
        row = WorkerRow(this_process(), socket.gethostname(), 2, 0, AT, AT, 60.0, 0.0, "{}")
        await store.beat(row)
        await store.beat(row._replace(holder="elsewhere:1:1", name="quiet", heartbeat_seconds=0.001))
        assert program("health", "--worker").code == 0
        quiet = program("health", "--worker", "--name", "quiet")
        assert (quiet.code, "no sign of life" in quiet.err) == (6, True)
    finally:
        await store.close()
    away = program("health", "--worker", "--timeout", "0.5", DATABASE_URL="postgresql://a:hush@127.0.0.1:1/b")
    assert (away.code, "hush" in away.err) == (6, False)
