"""Services beside checks: real servers, in both sandboxes and on the machine's loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from buildwright.core.finding import Report
from buildwright.errors import BadSettings
from buildwright.gates.checks import ChecksGate
from buildwright.gates.toolchain import read_settings
from buildwright.ports import GateTools, Sandbox
from buildwright.sandbox import Bubblewrap, NoSandbox
from tests.gates.projects import PATH, judged, write

ASK = """import os, sys, urllib.request
with urllib.request.urlopen(os.environ["STORE_URL"], timeout=10) as answer:
    said = answer.read().decode()
assert sys.argv[1] in said, said
"""


@pytest.fixture(params=[NoSandbox(), Bubblewrap()], ids=lambda sandbox: sandbox.name)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    found: Sandbox = request.param
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def project(root: Path, service: str, check: str) -> Path:
    text = f"[checks]\nask = {{ command = '{check}', kind = 'other' }}\n[services.store]\n{service}\n"
    return write(root, {"buildwright.toml": text, "ask.py": ASK, "kept.txt": "what is stored\n"})


async def judge(root: Path, sandbox: Sandbox) -> tuple[list[Report], str]:
    heard: list[str] = []
    done = await ChecksGate(GateTools(sandbox, PATH)).judge(judged(root, on_output=heard.append, grant_needs=True))
    return [one.report for one in done], "".join(heard)


@pytest.mark.parametrize("ready", ["port", "command"])
async def test_a_service_serves_a_check_and_ends_with_it(sandbox: Sandbox, tmp_path: Path, ready: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    asks = f'''"python3 -c 'import urllib.request as r; r.urlopen(\\"{url}\\")'"'''
    service = (
        f'command = "exec python3 -m http.server --bind 127.0.0.1 $PORT_OF_STORE"\n'
        f"ready = {port if ready == 'port' else asks}\n"
        f'env = {{ STORE_URL = "{url}kept.txt", PORT_OF_STORE = "{port}" }}'
    )
    reports, _ = await judge(project(tmp_path, service, 'python3 ask.py "what is stored"'), sandbox)
    assert [one.ok for one in reports] == [True], reports
    assert reports[0].evidence is not None
    assert reports[0].evidence.command == 'python3 ask.py "what is stored"'
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()


async def test_the_exit_code_is_that_of_the_check(sandbox: Sandbox, tmp_path: Path) -> None:
    service = 'command = "touch is-up; exec sleep 60"\nready = "test -e is-up"'
    reports, _ = await judge(project(tmp_path, service, "echo ran && exit 7"), sandbox)
    assert reports[0].evidence is not None
    assert reports[0].evidence.exit_code == 7
    assert "ran" in reports[0].findings[0].message


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ('command = "echo no disk here; exit 3"\nready = 1', ["store exited with code 3", "no disk here"]),
        ('command = "exec sleep 60"\nready = "false"\nseconds = 0.3', ["store was not ready within 0.3 seconds"]),
    ],
)
async def test_a_service_that_is_not_ready_is_told(tmp_path: Path, service: str, words: list[str]) -> None:
    reports, _ = await judge(project(tmp_path, service, "echo never reached"), Bubblewrap())
    assert [one.ok for one in reports] == [False]
    for word in words:
        assert word in reports[0].findings[0].message
    assert "never reached\n" not in reports[0].findings[0].message


@contextmanager
def served(text: str) -> Iterator[int]:
    """A server of the user's on this machine's loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode() * 10_000)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_service_of_the_machine_is_reached_by_its_address(sandbox: Sandbox, tmp_path: Path) -> None:
    with served("what the user runs") as port, served("another") as other:
        service = f'address = "localhost:{port}"\nenv = {{ STORE_URL = "http://127.0.0.1:{port}/" }}'
        reports, _ = await judge(project(tmp_path / "a", service, 'python3 ask.py "what the user runs"'), sandbox)
        assert [one.ok for one in reports] == [True, True], reports
        assert "services: store" in reports[0].findings[0].message
        service = f'address = "localhost:{port}"\nenv = {{ STORE_URL = "http://127.0.0.1:{other}/" }}'
        reports, _ = await judge(project(tmp_path / "b", service, 'python3 ask.py "another"'), sandbox)
        assert reports[-1].ok is (sandbox.name == "none"), "no other address is reached"


async def test_an_address_at_which_nothing_answers_is_told(tmp_path: Path) -> None:
    port = free_port()
    reports, _ = await judge(project(tmp_path, f'address = "localhost:{port}"', "true"), Bubblewrap())
    assert [one.code for one in reports[0].findings] == ["setup.service_missing"]
    assert f"localhost:{port}" in reports[0].findings[0].message


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("comand = 'x'", "did you mean command"),
        ("ready = 1", "needs either"),
        ("command = 'x'\naddress = 'localhost:1'\nready = 1", "needs either"),
        ("command = 'x'", "when it is ready"),
        ("command = 'x'\nready = 70000", "is not a port"),
        ("command = 'x'\nready = 1\nseconds = 0", "seconds"),
        ("command = 'x'\nready = 1\nenv = { PATH = '/x' }", "cannot be given"),
        ("address = 'db.example.org:5432'", "loopback"),
        ("address = 'localhost'", "loopback"),
    ],
)
def test_what_is_wrong_with_a_service_is_said(service: str, words: str) -> None:
    with pytest.raises(BadSettings) as caught:
        read_settings(f"[services.store]\n{service}\n")
    assert words in f"{caught.value} {caught.value.fix}"
