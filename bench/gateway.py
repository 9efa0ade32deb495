"""What the gateway adds to a streamed answer, in each protocol, over the same server asked directly in the same run.

python -m bench.gateway

The server streams 200 kB, paced as a fast model does, so that the time of an answer is what a user sees; and at once, 32
answers side by side, to compare the processor's work. The server and the clients are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bench.machine import load
from buildwright.core.limits import Options
from buildwright.gateway import LocalGateway
from buildwright.gateway.exchange import ModelAnswer, Protocol, Tokens
from buildwright.gateway.protocols import PROTOCOLS, read_request
from buildwright.ports import ModelAccess

SIZE, PIECE = 200_000, 500
PACED_SECONDS = 2.0
AT_ONCE = 32
MOST_FIRST_BYTE, MOST_IN_ALL, MOST_CPU = 0.003, 1.05, 1.5
"""Seconds to the first byte, and the ratios of time and of processor time, that the gateway may add."""

_SCHEDULED = 2
"""The clock of a process (clock_getcpuclockid(3)) that counts what the scheduler gave it, not ticks of 10 ms."""

_SAID = [{"role": "user", "content": "Say it."}]
ASKED: dict[Protocol, tuple[str, dict[str, Any]]] = {
    "anthropic": (
        "/v1/messages",
        {"model": "claude-sonnet-4-5", "max_tokens": 64_000, "stream": True, "messages": _SAID},
    ),
    "openai": (
        "/v1/chat/completions",
        {"model": "gpt-5", "stream": True, "stream_options": {"include_usage": True}, "messages": _SAID},
    ),
    "responses": ("/v1/responses", {"model": "gpt-5", "stream": True, "input": _SAID}),
    "gemini": (
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "Say it."}]}]},
    ),
}


def _answer(protocol: Protocol) -> list[bytes]:
    """The pieces of the answer, as the provider streams them."""
    path, body = ASKED[protocol]
    asked = read_request(protocol, json.dumps(body).encode(), model="gemini-2.5-flash", stream=True)
    model = str(body.get("model", "gemini-2.5-flash"))
    answer = ModelAnswer("bench", model, "x" * SIZE, (), Tokens(100, SIZE // 4))
    assert path
    return [frame.data for frame in PROTOCOLS[protocol].frames(asked, answer, PIECE)]


async def _serve() -> None:
    """The provider: answers at once, or paced where the query says so. Ends with its standard input."""
    answers = {path.split("?")[0]: _answer(protocol) for protocol, (path, _) in ASKED.items()}

    async def stream(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        pieces = answers[request.path]
        pause = PACED_SECONDS / len(pieces) if request.headers.get("x-paced") else 0.0
        for piece in pieces:
            await response.write(piece)
            if pause:
                await asyncio.sleep(pause)
        return response

    app = web.Application()
    app.add_routes([web.post("/{rest:.*}", stream)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


async def _ask(url: str, protocol: Protocol, token: str, streams: int, paced: bool) -> None:
    """A client: `streams` answers side by side; prints seconds to the first byte and in all, and its processor time."""
    path, body = ASKED[protocol]
    headers = {"x-api-key": token} | ({"x-paced": "1"} if paced else {})
    began_cpu = time.process_time()

    async def one(session: aiohttp.ClientSession) -> tuple[float, float]:
        began = time.perf_counter()
        async with session.post(url + path, json=body, headers=headers) as got:
            got.raise_for_status()
            await got.content.readany()
            first = time.perf_counter() - began
            await got.read()
        return first, time.perf_counter() - began

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await one(session)  # connections, imports
        times = await asyncio.gather(*(one(session) for _ in range(streams)))
    print(json.dumps({"times": times, "cpu": time.process_time() - began_cpu}))


async def _client(url: str, protocol: Protocol, token: str, streams: int, *, paced: bool) -> dict[str, Any]:
    argv = (sys.executable, "-m", "bench.gateway", "--ask", url, protocol, token, str(streams), str(int(paced)))
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"a client ended with exit code {process.returncode}")
    found: dict[str, Any] = json.loads(out)
    return found


def used(pid: int) -> float:
    """Processor seconds of a process that lives, to the nanosecond: of all its threads, also those that have ended."""
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


async def measure(times: int) -> dict[str, Any]:
    """Measure each protocol `times` times, directly and through a door in turns; medians and ratios."""
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.gateway",
        "--serve",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdin is not None
    direct = f"http://127.0.0.1:{int(await server.stdout.readline())}"
    keys = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k", "GEMINI_API_KEY": "k"}
    addresses = {"ANTHROPIC_BASE_URL": direct, "OPENAI_BASE_URL": f"{direct}/v1", "GOOGLE_GEMINI_BASE_URL": direct}
    results: dict[str, Any] = {"load": load()}
    with tempfile.TemporaryDirectory() as home:
        gateway = LocalGateway(keys | addresses, Path(home))
        try:
            for protocol in ASKED:
                door = await gateway.open(ModelAccess("bench", "T1", 1, Options()))
                turns = []
                for _ in range(times):
                    bare = await _client(direct, protocol, "k", 1, paced=True)
                    through = await _client(door.url, protocol, door.token, 1, paced=True)
                    turns.append((*bare["times"][0], *through["times"][0]))
                first, whole, first_through, whole_through = (
                    statistics.median(column) for column in zip(*turns, strict=True)
                )
                before = used(server.pid)
                alone = (await _client(direct, protocol, "k", AT_ONCE, paced=False))["cpu"]
                middle, own = used(server.pid), resource.getrusage(resource.RUSAGE_SELF)
                many = (await _client(door.url, protocol, door.token, AT_ONCE, paced=False))["cpu"]
                after, now = used(server.pid), resource.getrusage(resource.RUSAGE_SELF)
                ours = now.ru_utime + now.ru_stime - own.ru_utime - own.ru_stime
                results[protocol] = {
                    "first_byte_added": first_through - first,
                    "in_all": whole_through / whole,
                    "cpu_of_32": (many + after - middle + ours) / (alone + middle - before),
                    "gateway_cpu_of_32": ours,
                }
                await gateway.shut(door)
        finally:
            await gateway.close()
            server.stdin.close()
            await server.wait()
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description="Measure what the gateway adds.")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--state", type=Path, help="as a part of `python -m bench`: no goal is a failure then")
    parser.add_argument("--tiny", action="store_true", help="one run: to see that it works")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(_serve())
        return 0
    if given.ask:
        url, protocol, token, streams, paced = given.ask
        asyncio.run(_ask(url, protocol, token, int(streams), bool(int(paced))))
        return 0
    found = asyncio.run(measure(1 if given.tiny else given.times))
    print(json.dumps({"gateway": found}))
    if given.state:
        return 0
    rows = [found[protocol] for protocol in ASKED]
    over = any(row["first_byte_added"] > MOST_FIRST_BYTE or row["in_all"] > MOST_IN_ALL for row in rows)
    return int(over or any(row["cpu_of_32"] > MOST_CPU for row in rows))


if __name__ == "__main__":
    sys.exit(main())
