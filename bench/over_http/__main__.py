"""`python -m bench.over_http --state DIR`: servers on an empty and a full store, asked in turn. Prints one line of JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from bench.over_http.homes import USER, Home, environment_of, make_home
from buildwright.auth import Signer, secret_key

PATIENCE = 60.0
TASKS = [{"id": "a", "title": "First"}, {"id": "b", "title": "Second"}]
OPTIONS = {"agent": "noop", "lanes": False, "gates": False}


@dataclass(slots=True)
class Sizes:
    """How much is measured."""

    builds: int = 100_000
    events: int = 50_000
    rate: float = 50.0
    """Requests a second."""
    blocks: int = 5
    block: int = 200
    """Requests to one address before the next has its turn."""
    starts: int = 100


TINY = Sizes(builds=500, events=2000, blocks=1, block=20, starts=5)


@dataclass(slots=True)
class Server:
    """A server on a home, and a client of it."""

    home: Home
    address: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, body: Any = None) -> float:
        """Seconds until the answer is there. Raises SystemExit when it is not a good one."""
        began = time.perf_counter()
        async with self.session.request(method, self.address + path, json=body) as answer:
            text = await answer.read()
        seconds = time.perf_counter() - began
        if answer.status not in {200, 202}:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:500]!r}")
        return seconds


@asynccontextmanager
async def serving(home: Home) -> AsyncIterator[Server]:
    """A server in a process of its own."""
    environment = environment_of(home.place)
    argv = [sys.executable, "-m", "buildwright", "serve", "--port", "0", "--json"]
    with (home.place / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*argv, cwd=home.place, env=environment, stdout=log, stderr=log)
    try:
        noted = home.place / "server.json"
        deadline = time.monotonic() + PATIENCE
        while not noted.exists():
            if process.returncode is not None or time.monotonic() > deadline:
                raise SystemExit(f"no server: {(home.place / 'serve.log').read_text()[-1500:]}")
            await asyncio.sleep(0.05)
        address = json.loads(noted.read_text())["url"]
        token = Signer(secret_key(home.place, environment)).issue(USER, "bearer", 3600, datetime.now(UTC))
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            yield Server(home, address, session)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def steadily(count: int, rate: float, ask: Callable[[], Awaitable[float]]) -> list[float]:
    """Ask at the rate, whether answers have come or not: who waits for a slow answer would hide it."""
    asked: list[asyncio.Task[float]] = []
    began = time.perf_counter()
    for i in range(count):
        await asyncio.sleep(max(0.0, began + i / rate - time.perf_counter()))
        asked.append(asyncio.ensure_future(ask()))
    return list(await asyncio.gather(*asked))


def figures(seconds: list[float]) -> dict[str, float]:
    """Milliseconds: the median, and what 95 and 99 of a hundred are within."""
    ordered = sorted(seconds)
    at = {name: ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)] for name, part in _PARTS.items()}
    return {name: round(value * 1000, 3) for name, value in at.items()} | {"times": len(ordered)}


_PARTS = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


async def measured(state: Path, sizes: Sizes) -> dict[str, Any]:
    """All figures of one round."""
    empty = await make_home(state / "empty")
    full = await make_home(state / "full", sizes.builds, sizes.events)
    async with AsyncExitStack() as stack:
        without, within = [await stack.enter_async_context(serving(home)) for home in (empty, full)]
        targets = {
            "empty": (without, empty.build),
            "full": (within, full.build),
            "long": (within, full.long),
        }
        paths = {"build": "/api/build/{}", "status": "/api/builds/{}"}
        found: dict[str, dict[str, list[float]]] = {path: {name: [] for name in targets} for path in paths}
        for block in range(sizes.blocks + 1):
            for path, place in paths.items():
                for name, (server, build_id) in targets.items():
                    address = place.format(build_id)
                    seconds = await steadily(
                        sizes.block if block else 5, sizes.rate, partial(server.ask, "GET", address)
                    )
                    found[path][name] += seconds if block else []
        page = [await within.ask("GET", "/api/builds") for _ in range(sizes.block)]
        by_hand = {"project_id": "bench", "seed": {}, "tasks": TASKS, "options": OPTIONS}
        itself = {"title": "Bench", "tasks": TASKS, "options": OPTIONS}
        starts = {
            "start, runs by itself": await steadily(sizes.starts, 5, lambda: within.ask("POST", "/api/builds", itself)),
            "start, by hand": await steadily(sizes.starts, 5, lambda: within.ask("POST", "/api/build/start", by_hand)),
        }
    return {
        "sizes": {"builds": sizes.builds, "events": sizes.events, "rate": sizes.rate},
        "reads": {path: {name: figures(seconds) for name, seconds in of.items()} for path, of in found.items()},
        "page": figures(page),
        "starts": {name: figures(seconds) for name, seconds in starts.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.over_http")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--tiny", action="store_true", help="to see that it works")
    given = parser.parse_args()
    shutil.rmtree(given.state, ignore_errors=True)
    given.state.mkdir(parents=True)
    try:
        found = asyncio.run(measured(given.state.absolute(), TINY if given.tiny else Sizes()))
    finally:
        shutil.rmtree(given.state, ignore_errors=True)
    print(json.dumps({"http": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
