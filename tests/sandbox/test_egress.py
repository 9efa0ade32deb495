"""What a command in the box reaches: named hosts through the proxy, ports that lead out, and nothing else."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from buildwright.core.addresses import Destination, read_place
from buildwright.ports import Command, Completed, Reach
from buildwright.sandbox import Bubblewrap
from buildwright.sandbox.egress import MOST_REFUSED, Egress

ENV = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}


class Site(BaseHTTPRequestHandler):
    """Says which host and path it was asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['Host']} {self.path} {self.headers.get('Proxy-Authorization')}".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def site(host: str = "127.0.0.1") -> Iterator[int]:
    server = ThreadingHTTPServer((host, 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def named(*texts: str) -> tuple[Destination, ...]:
    places = [read_place(text) for text in texts]
    assert all(places), texts
    return tuple(place for place in places if place)


async def boxed(folder: Path, script: str, reach: Reach | None = None, **more: object) -> Completed:
    command = Command(("sh", "-c", script), folder, ENV, reach=reach, **more)  # type: ignore[arg-type]
    return await Bubblewrap().run(command)


async def test_a_named_host_is_reached_and_another_is_refused_by_name(tmp_path: Path) -> None:
    with site() as port, site() as other:
        reach = Reach(named(f"127.0.0.1:{port}"))
        # --noproxy '': curl else goes to addresses of the loopback itself, which is the box's own.
        ask = "curl -sS --noproxy '' -m 20"
        script = (
            f"{ask} http://127.0.0.1:{port}/a?b=c; echo; {ask} -p http://127.0.0.1:{port}/tunnel; echo;"
            f"{ask} http://127.0.0.1:{other}/; {ask} -p http://127.0.0.1:{other}/; {ask} http://example.org/x; exit 5"
        )
        done = await boxed(tmp_path, script, reach)
    text = done.output.decode()
    assert done.exit_code == 5, text
    assert f"127.0.0.1:{port} /a?b=c None" in text
    assert f"127.0.0.1:{port} /tunnel None" in text
    assert done.refused == (f"127.0.0.1:{other}", "example.org:80")
    assert f"does not let this command reach 127.0.0.1:{other}" in text


async def test_each_refused_place_is_told_once_and_what_names_no_place_as_it_was_asked(tmp_path: Path) -> None:
    told: list[str] = []
    ask = "curl -sS -m 20 -o /dev/null"
    raw = "import os,socket,urllib.parse as u; p=u.urlsplit(os.environ['HTTP_PROXY']).netloc.split(':')\n"
    raw += "s=socket.create_connection(p); s.sendall(b'CONNECT 0x7f.1:9 HTTP/1.1\\r\\n\\r\\n'); s.recv(99)"
    script = f'{ask} http://far.example/a; {ask} http://far.example/b; {ask} https://far.example/; python3 -c "{raw}"'
    done = await boxed(tmp_path, script, Reach(), on_refused=told.append)
    assert done.refused == ("far.example:80", "far.example:443")
    assert told == [*done.refused, "CONNECT 0x7f.1:9 HTTP/1.1"]


async def test_a_command_that_asks_without_end_is_told_of_so_often_and_no_more(tmp_path: Path) -> None:
    told: list[str] = []
    raw = "import os,socket,urllib.parse as u; p=u.urlsplit(os.environ['HTTP_PROXY']).netloc.split(':')\n"
    raw += "for n in range(80):\n s=socket.create_connection(p)\n"
    raw += " s.sendall(b'CONNECT 0x%x:9 HTTP/1.1\\r\\n\\r\\n' % n); s.recv(99)"
    await boxed(tmp_path, f'python3 -c "{raw}"', Reach(), on_refused=told.append)
    assert len(told) == len(set(told)) == MOST_REFUSED


async def test_a_loopback_is_never_asked_of_the_users_own_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway of an agent whose client asks its proxy for everything: its token must not leave this machine."""
    with site() as port, site() as proxy:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        ask = f"curl -sS --noproxy '' -m 20 http://127.0.0.1:{port}/x"
        done = await boxed(tmp_path, ask, Reach(trusted=named(f"127.0.0.1:{port}")))
    assert done.output == f"127.0.0.1:{port} /x None".encode()


async def test_without_a_list_there_is_no_proxy_and_around_it_no_way(tmp_path: Path) -> None:
    with site() as port, site() as other:
        assert (await boxed(tmp_path, 'test -z "$HTTPS_PROXY" && test ! -e /run/buildwright')).exit_code == 0
        reach = Reach(named(f"127.0.0.1:{port}"))
        direct = await boxed(tmp_path, f"curl -sS -m 5 --noproxy '*' http://127.0.0.1:{other}/", reach)
        assert direct.exit_code == 7, direct.output
        looked = await boxed(tmp_path, "getent hosts example.org; ls /sys/class/net 2>/dev/null; exit 3", reach)
        assert looked.exit_code == 3
        assert b"example" not in looked.output


async def test_the_proxy_is_no_child_of_the_command_and_ends_with_it(tmp_path: Path) -> None:
    """`wait` waits for every child; the exit code and the end by a signal are the command's own."""
    reach = Reach(named("example.org"))
    program = "import os\ntry:\n    os.wait()\nexcept ChildProcessError:\n    print('no child')"
    done = await Bubblewrap().run(Command(("python3", "-c", program), tmp_path, ENV, reach=reach))
    assert done.output == b"no child\n"
    assert (await boxed(tmp_path, "kill -9 $$", reach)).exit_code == 137
    assert (await boxed(tmp_path, "trap 'exit 3' TERM; sleep 60 & wait", reach, seconds=1.0)).exit_code is None


async def test_a_port_of_its_loopback_leads_to_one_address(tmp_path: Path) -> None:
    with site() as port, site() as other:
        done = await boxed(
            tmp_path,
            f"curl -sS -m 20 http://127.0.0.1:{port}/door; curl -sS -m 5 http://127.0.0.1:{other}/",
            relays={port: ("127.0.0.1", port)},
        )
    assert done.exit_code == 7, done.output
    assert f"127.0.0.1:{port} /door" in done.output.decode()


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> Iterator[list[str]]:
    """Names for this process alone, as its resolver would give them, and which were asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def found(host: str, port: int, *rest: int, **more: int) -> object:
        if host not in addresses:
            return real(host, port, *rest, **more)
        asked.append(host)
        one = addresses[host].pop(0) if len(addresses[host]) > 1 else addresses[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield asked


async def ask(egress: Egress, folder: Path, head: str) -> str:
    async with egress.listening(folder / "s"):
        reader, writer = await asyncio.open_unix_connection(folder / "s")
        writer.write(head.encode("latin-1"))
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
    (folder / "s").unlink(missing_ok=True)
    return answer.decode("latin-1")


async def test_a_name_that_means_an_address_inside_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with site() as port, names(monkeypatch, **{"inside.example": ["127.0.0.1"]}):
        get = f"GET http://inside.example:{port}/x HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n"
        name = f"inside.example:{port}"
        refused = Egress(Reach(named(name)), {})
        assert "403" in await ask(refused, tmp_path, get)
        assert list(refused.refused) == [f"127.0.0.1:{port}"], "what the list lacks"
        allowed = await ask(Egress(Reach(named(name, f"127.0.0.1:{port}")), {}), tmp_path, get)
        assert f"inside.example:{port} /x" in allowed, "the address is named too; the host is that of the address"
        assert "200" in await ask(Egress(Reach((), named(name)), {}), tmp_path, get), "the user's own registry"


async def test_the_address_that_was_checked_is_the_one_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site() as port, names(monkeypatch, **{"turns.example": ["127.0.0.2", "127.0.0.1"]}) as asked:
        place = named(f"turns.example:{port}", f"127.0.0.2:{port}")
        answer = await ask(Egress(Reach(place), {}), tmp_path, f"CONNECT turns.example:{port} HTTP/1.1\r\n\r\n")
    assert "502" in answer, answer
    assert asked == ["turns.example"], "looked up once"


@pytest.mark.parametrize(
    "head",
    [
        "CONNECT good.example.evil.example:443 HTTP/1.1",
        "CONNECT evil-good.example:443 HTTP/1.1",
        "CONNECT good.example:22 HTTP/1.1",
        "CONNECT good.example\0.evil.example:443 HTTP/1.1",
        "CONNECT good.example%00:443 HTTP/1.1",
        "CONNECT 0x7f.1:443 HTTP/1.1",
        "CONNECT 2130706433:443 HTTP/1.1",
        "CONNECT [::ffff:127.0.0.1]:443 HTTP/1.1",
        "CONNECT g\u00f6od.example:443 HTTP/1.1",
        "CONNECT good.example:443",
        "CONNECT good.example:443 HTTP/1.1 x",
        "GET http://user@good.example/ HTTP/1.1",
        "GET http://evil.example#good.example/ HTTP/1.1",
        "GET http://good.example@evil.example/ HTTP/1.1",
        "GET ftp://good.example/ HTTP/1.1",
        "GET / HTTP/1.1",
        "GET http://good.example:x/ HTTP/1.1",
        "\x16\x03\x01",
    ],
)
async def test_what_is_not_exactly_named_is_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    with names(monkeypatch, **{"good.example": ["127.0.0.1"]}) as asked:
        answer = await ask(Egress(Reach(named("good.example")), {}), tmp_path, f"{head}\r\n\r\n")
    assert answer.startswith(("HTTP/1.1 403", "HTTP/1.1 400")), answer
    assert asked == [], "nothing was looked up"


async def test_the_users_own_proxy_is_asked_for_what_lies_behind_it(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\nhello from behind")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mine = {"https_proxy": f"http://kim:pa%40ss@127.0.0.1:{port}", "NO_PROXY": "other.example"}
    reach = Reach(named("far.example"))
    answer = await ask(Egress(reach, mine), tmp_path, "CONNECT far.example:443 HTTP/1.1\r\n\r\n")
    assert answer.endswith("hello from behind")
    assert heads[0].startswith(b"CONNECT far.example:443 HTTP/1.1\r\n")
    assert b"Basic a2ltOnBhQHNz" in heads[0]
    assert "403" in await ask(Egress(reach, mine), tmp_path, "CONNECT else.example:443 HTTP/1.1\r\n\r\n")
    server.close()


@pytest.mark.parametrize(
    "text", ["*.example.org", "a/b", "http://a", "a:0", "a:99999", "", "a b", "-a.example", "1.2", "a:b"]
)
def test_what_names_no_host_is_not_taken(text: str) -> None:
    assert read_place(text) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Example.ORG.", "example.org"),
        ("a:8080", "a:8080"),
        ("[::1]:80", "[::1]:80"),
        ("::1", "[::1]"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_a_host_has_one_form(text: str, shown: str) -> None:
    assert str(read_place(text)) == shown
