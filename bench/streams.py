"""The live streams of a real server: a thousand WebSockets of which fifty never read, and a long log to one client.

python -m bench.streams --state DIR [--tiny]

The server is one process, all clients are another, and this one writes the log, as a worker would: so what is measured has
the server's look for news of other processes in it. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
LINES_PER_SECOND = 4
LINE_BYTES = 500
_SENT_AT = re.compile(rb"@(\d+\.\d+)")


class Size(NamedTuple):
    """How large a run is."""

    clients: int
    never_read: int
    seconds: float
    lines: int


FULL = Size(1000, 50, 20.0, 100_000)
TINY = Size(40, 2, 2.0, 5_000)


class Client(asyncio.Protocol):
    """A WebSocket that looks at nothing but the times in what comes; cheap, because a thousand of it share a processor."""

    def __init__(self, request: bytes, waits: list[float]) -> None:
        self._request = request
        self._waits = waits
        self._buffer = b""
        self._open = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.closed = True

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self._buffer += data
        if not self._open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head[:200]
            self._open, self._buffer = True, rest
            self.opened.set_result(None)
        while len(self._buffer) >= 4:
            opcode, size, start = self._buffer[0] & 15, self._buffer[1] & 127, 2
            if size == 126:
                size, start = int.from_bytes(self._buffer[2:4]), 4
            elif size == 127:
                size, start = int.from_bytes(self._buffer[2:10]), 10
            if len(self._buffer) < start + size:
                return
            body, self._buffer = self._buffer[start : start + size], self._buffer[start + size :]
            if opcode == 9:  # a ping; its answer is masked with nothing
                self.transport.write(bytes([0x8A, 0x80 | len(body), 0, 0, 0, 0]) + body)
            if not self.greeted.done():
                self.greeted.set_result(None)
            self._waits += [now - float(sent) for sent in _SENT_AT.findall(body)]


async def clients(url: str, build: str, token: str, size: Size) -> dict[str, Any]:
    """All clients, in the process that calls it. Ends when its standard input does."""
    loop = asyncio.get_running_loop()
    host, port = url.removeprefix("http://").split(":")
    request = (
        f"GET /ws/devteam?build={build} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()
    waits: list[float] = []
    handshakes: list[float] = []
    made: list[Client] = []
    gate = asyncio.Semaphore(20)

    async def connect(reads: bool) -> None:
        async with gate:
            began = time.perf_counter()
            transport, client = await loop.create_connection(lambda: Client(request, waits), host, int(port))
            await client.opened
            handshakes.append(time.perf_counter() - began)
            made.append(client)
            await client.greeted
            if not reads:
                transport.pause_reading()

    await asyncio.gather(*(connect(number >= size.never_read) for number in range(size.clients)))
    print("connected", flush=True)
    waits.clear()
    await asyncio.to_thread(sys.stdin.read)
    lost = sum(client.closed for client in made)
    for client in made:
        client.transport.abort()
    return {"waits": _quantiles(waits), "lines": len(waits), "handshakes": _quantiles(handshakes), "lost": lost}


def _quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    found = {name: ordered[min(int(len(ordered) * part), len(ordered) - 1)] for name, part in at.items()}
    return {**found, "most": ordered[-1]}


class Server:
    """`buildwright serve` on a home, as a process."""

    def __init__(self, home: Path) -> None:
        self._environment = {**os.environ, "BUILDWRIGHT_HOME": str(home), "USER": "bench"}
        self._environment.pop("DATABASE_URL", None)
        self._note = home / "server.json"
        log = home.parent / "server.log"
        with log.open("wb") as sink:
            argv = [sys.executable, "-m", "buildwright", "serve", "--port", "0"]
            self.process = subprocess.Popen(argv, cwd=home.parent, env=self._environment, stdout=sink, stderr=sink)
        deadline = time.monotonic() + 30
        while not self._note.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start: {log.read_text()[-1500:]}")
            time.sleep(0.02)
        self.url = str(json.loads(self._note.read_text())["url"])

    def token(self, *options: str) -> str:
        argv = [sys.executable, "-m", "buildwright", "token", *options]
        return subprocess.run(argv, env=self._environment, check=True, capture_output=True, text=True).stdout.strip()

    def rss_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


async def measure(state: Path, size: Size) -> dict[str, Any]:
    """One round."""
    from buildwright.core import event as e
    from buildwright.core.limits import Options
    from buildwright.core.spec import Spec
    from buildwright.store.journal_sqlite import SqliteBuilds

    home = state / "home"
    home.mkdir(parents=True)
    server = Server(home)
    builds = await SqliteBuilds.open(home / "buildwright.db", home / "artifacts")

    async def begin() -> str:
        build_id = str(uuid.uuid4())
        created = e.BuildCreated(
            build_id=build_id, project_id="bench", user_id="bench", repository="", spec=Spec(title="bench"),
            options=Options(agent="noop", lanes=False),
        )  # fmt: skip
        await builds.create(build_id, [created], datetime.now(UTC))
        return build_id

    try:
        token = server.token()
        build = await begin()
        before = server.rss_bytes()
        argv = [sys.executable, "-m", "bench.streams", "--clients", server.url, build, token, json.dumps(size)]
        process = await asyncio.create_subprocess_exec(
            *argv, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1_000_000
        )
        assert process.stdout is not None
        assert process.stdin is not None
        assert (await process.stdout.readline()).strip() == b"connected"
        connected, cpu = server.rss_bytes(), server.cpu_seconds()
        number = round(size.seconds * LINES_PER_SECOND)
        began = time.perf_counter()
        for step in range(number):
            await asyncio.sleep(max(0.0, began + step / LINES_PER_SECOND - time.perf_counter()))
            await builds.write_log(build, [_line(f"@{time.time():.6f} ".ljust(LINE_BYTES - 190, "x"))])
            await builds.read_log(build, limit=1)  # it is written at once
        await asyncio.sleep(1.0)
        cores = (server.cpu_seconds() - cpu) / (time.perf_counter() - began)
        at_end = server.rss_bytes()
        process.stdin.close()
        found = json.loads(await process.stdout.readline())
        await process.wait()
        expected = number * (size.clients - size.never_read)
        seconds, last = await _long_log(server.url, token, builds, await begin(), size.lines)
        return {
            **found,
            "expected": expected,
            "clients": size.clients,
            "never_read": size.never_read,
            "server_cores": cores,
            "rss": {"before": before, "connected": connected, "at_end": at_end, "most": server.rss_bytes()},
            "long_log": {"lines": last, "seconds": seconds},
        }
    finally:
        await builds.close()
        server.close()


def _line(text: str) -> Any:
    from buildwright.ports import LogEntry

    return LogEntry(datetime.now(UTC), "t1", 1, "said", text)


async def _long_log(url: str, token: str, builds: Any, build: str, lines: int) -> tuple[dict[str, float], int]:
    """Seconds until one client has it all, each way, and how many lines it has."""
    for start in range(0, lines, 1000):
        await builds.write_log(build, [_line(f"line {start + n} ".ljust(100, "x")) for n in range(1000)])
    last = (await builds.read_log(build, limit=1, tail=True))[-1].seq
    return {way: await _receive(way, url, token, build, last) for way in ("ws", "sse")}, last


async def _receive(way: str, url: str, token: str, build: str, last: int) -> float:
    """Seconds until one client has the whole log."""
    import aiohttp

    end = f'"seq":{last},'.encode()
    headers = {"Authorization": f"Bearer {token}"}
    began = time.perf_counter()
    async with aiohttp.ClientSession(headers=headers, read_bufsize=2**20) as session:
        if way == "ws":
            path = f"{url}/ws/devteam?build={build}&topics=log&after=start"
            async with session.ws_connect(path, max_msg_size=0) as websocket:
                while end not in str((await websocket.receive()).data).encode():
                    pass
        else:
            path = f"{url}/api/builds/{build}/stream?topics=log&after=start"
            async with session.get(path) as answer:
                rest = b""
                async for data in answer.content.iter_any():
                    if end in rest + data:
                        break
                    rest = data[-40:]
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description="Measure the streams of a server.")
    parser.add_argument("--state", type=Path, default=ROOT / ".bench" / "streams")
    parser.add_argument("--tiny", action="store_true", help="few clients: to see that it works")
    parser.add_argument("--clients", nargs=4, metavar="X", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.clients:
        url, build, token, size = given.clients
        print(json.dumps(asyncio.run(clients(url, build, token, Size(*json.loads(size))))), flush=True)
        return 0
    shutil.rmtree(given.state, ignore_errors=True)
    given.state.mkdir(parents=True)
    try:
        found = asyncio.run(measure(given.state, TINY if given.tiny else FULL))
        print(json.dumps({"streams": found}))
    finally:
        shutil.rmtree(given.state, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
