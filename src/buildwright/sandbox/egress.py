"""The way out of a sandbox without network to a list of hosts: a proxy for HTTP and CONNECT on a socket of ours.

It looks names up itself and connects to the address that it has checked, so that a name cannot mean another place the
second time. Must never connect to a host that the list does not name, nor to an address inside the network unless the
list names that address or the host is marked as the user's own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from buildwright.core.addresses import is_inside, plain_host
from buildwright.ports import Reach

_LARGEST_HEAD = 65_536
_HEAD_SECONDS = 30.0
_CONNECT_SECONDS = 30.0
_PIECE = 65_536
_MOST_AT_ONCE = 256
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that no proxy of the user leads to."""
_LONGEST_TOLD = 100
MOST_REFUSED = 50
"""Places that are remembered as refused by one command."""


class Refusal(Exception):
    """Why a request through the proxy is not carried out."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Asked(NamedTuple):
    """A request: where to, and what to send there first (nothing for CONNECT)."""

    host: str
    port: int
    head: bytes = b""

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Egress:
    """The proxy of one command. `refused` names the places that it asked for and may not reach, in their order."""

    def __init__(
        self, reach: Reach, environment: Mapping[str, str], on_refused: Callable[[str], None] | None = None
    ) -> None:
        """`environment` is the user's: a proxy of theirs is asked for what lies behind it.

        `on_refused` is told of each refused place once.
        """
        self._ports: dict[str, set[int]] = {}
        for place in (*reach.hosts, *reach.trusted):
            self._ports.setdefault(place.host, set()).update(place.ports)
        self._trusted = frozenset(place.host for place in reach.trusted)
        self._environment = environment
        self._open: set[asyncio.Task[None]] = set()
        self.refused: dict[str, None] = {}
        self._on_refused = on_refused
        self._told: set[str] = set()

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Serve at a socket until the end of the context, which cuts what is still open."""
        server = await asyncio.start_unix_server(self._accept, path, limit=_LARGEST_HEAD)
        try:
            yield
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _MOST_AT_ONCE:
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, TimeoutError):
            try:
                async with asyncio.timeout(_HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                asked = self._read(head)
                far_reader, far = await self._connect(asked)
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                return
            except Refusal as refusal:
                writer.write(_answer(refusal))
                await writer.drain()
                return
            with contextlib.closing(far):
                if asked.head:
                    far.write(asked.head)
                else:
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(pass_on(reader, far), pass_on(far_reader, writer))

    def _read(self, head: bytes) -> _Asked:
        """Return what a request asks for. Raises Refusal, and tells of what no list could name."""
        try:
            return _read(head)
        except Refusal:
            self._tell(ascii(head.split(b"\r\n")[0].decode("latin-1")[:_LONGEST_TOLD])[1:-1])
            raise

    def _tell(self, what: str) -> None:
        """Tell of something refused, once, and of a bounded number: a command may ask without end."""
        if self._on_refused is not None and what not in self._told and len(self._told) < MOST_REFUSED:
            self._told.add(what)
            self._on_refused(what)

    async def _connect(self, asked: _Asked) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a place that the list names. Raises Refusal."""
        if asked.port not in self._ports.get(asked.host, ()):
            raise self._refuse(asked, "it is not among the hosts that this command may reach")
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                if proxy := _proxy_of(asked, self._environment):
                    return await _through(proxy, asked)
                return await self._connect_to_one_of(asked, await self._addresses(asked))
        except (OSError, TimeoutError) as error:
            raise Refusal("502 Bad Gateway", f"{asked.place} cannot be reached: {str(error) or 'no answer'}") from error

    async def _addresses(self, asked: _Asked) -> Sequence[str]:
        """Return the addresses of a host, all of which may be reached. Raises Refusal, OSError."""
        found = await asyncio.get_running_loop().getaddrinfo(asked.host, asked.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(where[0]) for *_, where in found))
        for address in addresses:
            plain = ipaddress.ip_address(address.partition("%")[0])
            named = asked.host in self._trusted or asked.port in self._ports.get(str(plain), ())
            if is_inside(plain) and not named:
                why = f"it means {plain}, an address inside this network that is not named itself"
                raise self._refuse(asked, why, asked._replace(host=str(plain)).place)
        return addresses

    async def _connect_to_one_of(
        self, asked: _Asked, addresses: Sequence[str]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        failure = OSError(f"no address of {asked.host} is known")
        for address in addresses:
            try:
                return await asyncio.open_connection(address, asked.port)
            except OSError as error:
                failure = error
        raise failure

    def _refuse(self, asked: _Asked, why: str, lacking: str = "") -> Refusal:
        """Note what the list lacks, by default the place itself, and return the answer."""
        place = lacking or asked.place
        if place not in self.refused and len(self.refused) < MOST_REFUSED:
            self.refused[place] = None
        self._tell(place)
        return Refusal("403 Forbidden", f"buildwright does not let this command reach {asked.place}: {why}")


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction of a connection to its end."""
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


def _read(head: bytes) -> _Asked:
    """Return what the head of a request asks for. Raises Refusal for what no client of a proxy sends."""
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    try:
        method, target, version = lines[0].decode("ascii").split(" ")
        if not version.startswith("HTTP/1.") or not target.isprintable():
            raise ValueError(version)
        if method == "CONNECT":
            host, port = _host(target.rpartition(":")[0]), int(target.rpartition(":")[2])
            return _Asked(host, port)
        parts = urlsplit(target)
        if parts.scheme != "http" or parts.username is not None:
            raise ValueError(target)
        host, port = (
            _host(parts.netloc.partition(":")[0] if "[" not in parts.netloc else parts.hostname or ""),
            parts.port or 80,
        )
    except ValueError as error:
        raise Refusal("400 Bad Request", "buildwright's proxy takes CONNECT and plain http addresses") from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # The host of the address alone counts, and each connection carries one request: a second one could name another.
    kept = [line for line in lines[1:] if line.partition(b":")[0].strip().lower() not in _DROPPED]
    first = [f"{method} {path} HTTP/1.1".encode(), b"Host: " + parts.netloc.encode(), b"Connection: close"]
    return _Asked(host, port, b"\r\n".join([*first, *kept]) + b"\r\n\r\n")


_DROPPED = frozenset((b"host", b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive", b"upgrade"))


def _host(text: str) -> str:
    host = plain_host(text)
    if host is None:
        raise ValueError(text)
    return host


def _answer(refusal: Refusal) -> bytes:
    body = f"{refusal}\n".encode()
    head = f"HTTP/1.1 {refusal.status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


def _proxy_of(asked: _Asked, environment: Mapping[str, str]) -> str:
    """Return the address of the user's own proxy for a request; "" for none."""
    if asked.host in LOOPBACK:
        return ""
    mine = {name.lower(): value for name, value in environment.items() if name.lower().endswith("_proxy")}
    for entry in mine.get("no_proxy", "").replace(",", " ").split():
        name = entry.lower().lstrip("*.")
        if entry == "*" or asked.host == name or asked.host.endswith(f".{name}"):
            return ""
    return mine.get("http_proxy" if asked.head else "https_proxy", "") or mine.get("all_proxy", "")


async def _through(proxy: str, asked: _Asked) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect through the user's proxy, which knows names that we do not. Raises OSError."""
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise OSError("the proxy that your environment names is not an http address")
    tls = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if tls else 80), ssl=tls or None)
    try:
        head = f"CONNECT {asked.place} HTTP/1.1\r\nHost: {asked.place}\r\n"
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            head += f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
        writer.write(f"{head}\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if answer.split(b" ", 2)[1:2] != [b"200"]:
            raise OSError(f"your proxy says {answer.splitlines()[0].decode('latin-1')[:100]}")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        writer.close()
        raise OSError("your proxy gave no answer") from error
    except BaseException:
        writer.close()
        raise
    return reader, writer
