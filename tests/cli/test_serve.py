"""`buildwright serve` as a process: what it refuses to start with, how somebody signs in, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.cli.conftest import Process, Program

WRONG = {
    "BUILDWRIGHT_RATE_BUILDS": "often",
    "BUILDWRIGHT_RATE_EVENTS": "10/fortnight",
    "BUILDWRIGHT_BUILDS_AT_ONCE": "-1",
    "BUILDWRIGHT_BUILDS_PER_HOUR": "many",
    "BUILDWRIGHT_ROOTS": "here:/there",
    "BUILDWRIGHT_HOSTS": "https://build.example",
    "BUILDWRIGHT_GIT_HOSTS": "git.example:22",
    "BUILDWRIGHT_SECRET": "short",
    "BUILDWRIGHT_ALLOW_COMMANDS": "some",
    "BUILDWRIGHT_INSECURE_URLS": "perhaps",
    "BUILDWRIGHT_CORRELATION_ID": "a b",
}


class Server(NamedTuple):
    """A server that runs."""

    process: Process
    address: str
    sign_in: str
    token: str

    def ask(self, path: str, body: Any = None, timeout: float = 60) -> tuple[int, Any]:
        """Status and JSON of one request with a bearer token."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@contextmanager
def serving(program: Program, tmp_path: Path) -> Iterator[Server]:
    """A server on a free port. Whoever ends it looks at how it ended; else it is ended here."""
    process = program.start("serve", "--port", "0", "--json", BUILDWRIGHT_ROOTS=str(tmp_path))
    assert process.stderr is not None
    try:
        address = process.stderr.readline().rpartition(" ")[2].strip()
        sign_in = process.stderr.readline().rpartition(" ")[2].strip()
        yield Server(process, address, sign_in, program("token").out.strip())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=program.patience)


def until(what: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


@pytest.mark.parametrize("name", WRONG)
def test_a_setting_that_means_nothing_is_named_at_start(program: Program, name: str) -> None:
    ended = program("serve", "--port", "0", **{name: WRONG[name]})
    assert (ended.code, ended.out) == (78, "")
    assert name in ended.err
    assert not (program.home / "server.json").exists()


def test_all_that_is_wrong_is_named_at_once(program: Program) -> None:
    ended = program("serve", "--port", "0", **WRONG, DATABASE_URL="mysql://there", BUILDWRIGHT_HUB="/hub")
    assert ended.code == 78
    missing = [name for name in (*WRONG, "DATABASE_URL", "REDIS_URL") if name not in ended.err]
    # The id of builds in other systems is read once the rest of the settings has been.
    assert missing in ([], ["BUILDWRIGHT_CORRELATION_ID"])


def test_a_port_that_is_taken_says_how_to_take_another(program: Program) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        served = program("serve", "--port", port)
    assert served.code == 7
    assert f"port {port} is in use" in served.err
    assert "--port" in served.err


def test_what_is_set_well_starts(program: Program, tmp_path: Path) -> None:
    program.environment |= {
        "BUILDWRIGHT_RATE_BUILDS": "30/minute;500/hour",
        "BUILDWRIGHT_RATE_EVENTS": "off",
        "BUILDWRIGHT_BUILDS_AT_ONCE": "2",
        "BUILDWRIGHT_HOSTS": "build.example, Other.example",
        "BUILDWRIGHT_GIT_HOSTS": "git.example",
        "BUILDWRIGHT_SECRET": "s" * 32,
        "BUILDWRIGHT_ALLOW_COMMANDS": "all",
        "BUILDWRIGHT_INSECURE_URLS": "0",
    }
    with serving(program, tmp_path) as server:
        assert server.ask("/auth/me")[0] == 200
        assert urlsplit(server.address).port not in {None, 0}


def test_somebody_signs_in_once_with_the_printed_address(program: Program, tmp_path: Path) -> None:
    with serving(program, tmp_path) as server:
        jar = CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

        def ask(path: str, fields: Mapping[str, str] | None = None, **headers: str) -> tuple[int, str, Any]:
            data = None if fields is None else urlencode(fields).encode()
            try:
                with opener.open(urllib.request.Request(server.address + path, data, headers), timeout=60) as answer:
                    return answer.status, answer.read().decode(), answer.headers
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode(), error.headers

        assert ask("/auth/me")[0] == 401
        place = urlsplit(server.sign_in)
        token = parse_qs(place.query)["token"][0]
        status, page, _ = ask(f"{place.path}?{place.query}")
        assert (status, token in page) == (200, True)
        assert ask("/auth/me")[0] == 401, "reading the page signs nobody in"
        assert ask("/sign-in", {"token": token}, Origin="https://evil.example")[0] == 403
        assert ask("/sign-in", {"token": token + "x"})[0] == 401
        assert len(jar) == 0
        status, _, _ = ask("/sign-in", {"token": token}, Origin=server.address)
        assert status == 200, "it leads to the page that describes the API"
        (cookie,) = jar
        assert (cookie.name, cookie.path, cookie.secure, cookie.domain_specified) == (
            "buildwright_session",
            "/",
            False,
            False,
        )
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "strict"
        assert cookie.expires is not None
        assert token not in str(cookie.value)
        status, said, _ = ask("/auth/me")
        assert (status, json.loads(said)["kind"]) == (200, "session")
        assert ask("/api/tickets", {}, Origin=server.address)[0] == 201
        assert ask("/api/tickets", {}, Origin="https://evil.example")[0] == 403
        again = urllib.request.Request(f"{server.address}/sign-in", urlencode({"token": token}).encode())
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(again, timeout=60)
        with refused.value:
            assert refused.value.code == 401
            assert "used before" in json.load(refused.value)["detail"]
        status, _, headers = ask("/sign-out", {})
        assert status == 204
        assert "buildwright_session=" in headers["Set-Cookie"]
        assert ask("/auth/me")[0] == 401


def test_what_is_asked_is_answered_before_it_ends_and_builds_go_on(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    begun = tmp_path / "begun"
    writes = f'touch "{begun}-$BUILDWRIGHT_TASK_ID"; sleep 3; echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"'
    options = {
        "agent": "shell",
        "agent_command": writes,
        "sandbox": "none",
        "checks": [{"name": "t", "command": "true"}],
    }
    common = {"repository": str(repository), "options": options}
    with serving(program, tmp_path) as server, ThreadPoolExecutor(1) as threads:
        hand = {"project_id": "p", "seed": {}, "tasks": [{"id": "hand", "title": "By hand"}], **common}
        status, by_hand = server.ask("/api/build/start", hand)
        assert status == 200, by_hand
        planned = by_hand
        while planned["build_graph"] is None:
            status, planned = server.ask("/api/build/step", {"build_id": by_hand["build_id"], "mode": "plan_only"})
            assert status == 200, planned
        judged = server.ask("/api/build/step", {"build_id": by_hand["build_id"], "mode": "verify_only"})
        assert judged[0] == 200, judged  # the base, before an agent is paid for
        status, started = server.ask("/api/builds", {"tasks": [{"id": "auto", "title": "By itself"}], **common})
        assert status == 202, started
        flying = threads.submit(
            server.ask, "/api/build/step", {"build_id": by_hand["build_id"], "mode": "implement_only"}
        )
        until(Path(f"{begun}-hand").exists)
        until(Path(f"{begun}-auto").exists)
        server.process.send_signal(signal.SIGTERM)
        status, answer = flying.result(timeout=60)
        assert status in {200, 202}
        assert answer["build_id"] == by_hand["build_id"]
        out, said = server.process.communicate(timeout=program.patience)
        assert (server.process.returncode, "Traceback" in out + said) == (0, False)
    with serving(program, tmp_path) as server:
        until(lambda: server.ask(f"/api/builds/{started['build_id']}")[1]["outcome"] == "succeeded")
        status, answer = server.ask(f"/api/build/{by_hand['build_id']}")
        assert status == 200
        if answer["last_patch"] is None:  # the step was cut off: it is made again
            assert server.ask("/api/build/step", {"build_id": by_hand["build_id"]})[0] == 200
        assert server.ask(f"/api/build/{by_hand['build_id']}")[1]["last_patch"] is not None


def test_asked_twice_it_ends_at_once(program: Program, tmp_path: Path) -> None:
    with serving(program, tmp_path) as server:
        place = urlsplit(server.address)
        with socket.create_connection((place.hostname, place.port)) as slow:
            head = f"POST /projects HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {server.token}\r\n"
            slow.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
            until(lambda: server.ask("/health")[0] == 200)
            server.process.send_signal(signal.SIGTERM)
            until(lambda: _refuses(place.hostname or "", place.port or 0))
            assert server.process.poll() is None, "it waits for who has asked already"
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=program.patience) == 130
    with serving(program, tmp_path) as server:
        assert server.ask("/health")[0] == 200


def _refuses(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port)).close()
    except OSError:
        return True
    return False
