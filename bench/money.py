"""Whether money and providers' limits hold when many ask at once: on real gateways, and a provider of this bench.

python -m bench.money

Limit: 64 attempts meet a limit whose reset only a header of the provider tells; counted is what reaches the provider before
the reset. In the same run without the gateway: each client then waits by itself, as its library does.

Budget: 16 attempts ask at once, in one process and in two processes on one store, until they are refused. Each answer
uses up to all the output that its request allows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bench.machine import load
from buildwright.core.limits import Options
from buildwright.errors import ModelFailed
from buildwright.gateway import GatewayModel, LocalGateway
from buildwright.gateway.access import price_of
from buildwright.gateway.exchange import ModelAnswer, Tokens
from buildwright.gateway.protocols import PROTOCOLS, read_request
from buildwright.ports import ModelAccess, ModelEndpoint, Purse, PurseName, Turn
from buildwright.store.journal_sqlite import SqliteBuilds

MODEL = "claude-sonnet-4-5"
ATTEMPTS, LIMIT_SECONDS, MOST_FURTHER = 64, 6.0, 2
SPENDERS, MOST_OUTPUT, INPUT = 16, 4_000, 200
BUDGET = Decimal("1.00")
_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answer: _Answer) -> AsyncIterator[str]:
    """A provider on 127.0.0.1; its address."""
    app = web.Application()
    app.add_routes([web.post("/{rest:.*}", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _stream(request: web.Request, raw: bytes, output: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    answer = ModelAnswer("bench", MODEL, "x", (), Tokens(INPUT, output))
    for frame in PROTOCOLS["anthropic"].frames(read_request("anthropic", raw), answer, 500):
        await response.write(frame.data)
    return response


async def limit(attempts: int, *, through: bool) -> dict[str, int]:
    """Let attempts meet a limit, through a gateway or straight; how many calls came before the reset, and who got answers."""
    times: list[float] = []
    opens = [0.0]

    async def answer(request: web.Request) -> web.StreamResponse:
        raw, now = await request.read(), time.time()
        opens[0] = opens[0] or now + LIMIT_SECONDS
        times.append(now)
        if now >= opens[0]:
            return await _stream(request, raw, 5)
        await asyncio.sleep(0.05)
        reset = datetime.fromtimestamp(opens[0], UTC).isoformat().replace("+00:00", "Z")
        headers = {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": reset}
        error = {"type": "error", "error": {"type": "rate_limit_error", "message": "too many"}}
        return web.json_response(error, status=429, headers=headers)

    async with serving(answer) as url:
        with tempfile.TemporaryDirectory() as home:
            gateway = LocalGateway({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url}, Path(home))

            async def one(number: int) -> bool:
                straight = ModelEndpoint(url, "k")
                door = await gateway.open(ModelAccess("b", f"T{number}", 1, Options())) if through else straight
                try:
                    async for _ in GatewayModel().stream(door, MODEL, "", [Turn("user", "hi")], 100):
                        pass
                except ModelFailed:
                    return False
                return True

            answered = sum(await asyncio.gather(*map(one, range(attempts))))
            await gateway.close()
    early = sum(at < opens[0] for at in times)
    return {"attempts": attempts, "further": early - 1, "answered": answered}


async def _spend(url: str, home: Path, name: str, spenders: int, store: Path | None) -> None:
    """A process's attempts: each asks until it is refused."""
    builds = await SqliteBuilds.open(store / "buildwright.db", store / "artifacts") if store is not None else None
    environment = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url}
    gateway = LocalGateway(environment, home, ledger=builds.ledger if builds is not None else None)
    purse = Purse(PurseName("day" if builds is not None else "build", "bench"), BUDGET)
    body = {"model": MODEL, "max_tokens": MOST_OUTPUT, "stream": True, "messages": [{"role": "user", "content": "hi"}]}

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        door = await gateway.open(ModelAccess(name, f"T{number}", 1, Options(), purses=(purse,)))
        status = 200
        while status == 200:
            async with session.post(f"{door.url}/v1/messages", json=body, headers={"x-api-key": door.token}) as got:
                await got.read()
                status = got.status
        if status != 402:
            raise SystemExit(f"an attempt was answered with status {status}")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(one(session, number) for number in range(spenders)))
    await gateway.close()
    if builds is not None:
        await builds.close()


async def budget(processes: int) -> dict[str, Any]:
    """Let 16 attempts spend a budget at once; what the provider was owed, and the dearest answer, in US dollars."""
    chance, bills = random.Random(7), list[Decimal]()
    at_once, most_at_once = [0], [0]

    async def answer(request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        at_once[0] += 1
        most_at_once[0] = max(most_at_once[0], at_once[0])
        output = chance.randint(MOST_OUTPUT // 4, MOST_OUTPUT)
        await asyncio.sleep(0.02 + output / MOST_OUTPUT / 20)
        bills.append(price_of(MODEL, INPUT, output) or Decimal(0))
        at_once[0] -= 1
        return await _stream(request, raw, output)

    async with serving(answer) as url:
        with tempfile.TemporaryDirectory() as folder:
            if processes == 1:
                await _spend(url, Path(folder), "b", SPENDERS, None)
            else:
                argv = (sys.executable, "-m", "bench.money", "--spend", url, folder, str(SPENDERS // processes))
                started = [await asyncio.create_subprocess_exec(*argv, f"b{number}") for number in range(processes)]
                if any([await process.wait() for process in started]):
                    raise SystemExit("a process of attempts failed")
    return {
        "processes": processes,
        "answers": len(bills),
        "at_once": most_at_once[0],
        "over_usd": float(max(sum(bills) - BUDGET, Decimal(0))),
        "dearest_usd": float(max(bills)),
        "left_usd": float(max(BUDGET - sum(bills), Decimal(0))),
    }


async def measure(attempts: int) -> dict[str, Any]:
    """All that this part finds."""
    await asyncio.to_thread(price_of, MODEL, 1, 1)
    return {
        "load": load(),
        "limit": await limit(attempts, through=True),
        "without": await limit(attempts, through=False),
        "budget": [await budget(processes) for processes in (1, 2)],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.money", description="Try budgets and limits.")
    parser.add_argument("--state", type=Path, help="as a part of `python -m bench`: no goal is a failure then")
    parser.add_argument("--tiny", action="store_true", help="eight attempts: to see that it works")
    parser.add_argument("--spend", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.spend:
        url, folder, spenders, name = given.spend
        asyncio.run(_spend(url, Path(folder) / name, name, int(spenders), Path(folder)))
        return 0
    found = asyncio.run(measure(8 if given.tiny else ATTEMPTS))
    print(json.dumps({"money": found}))
    if given.state:
        return 0
    over = any(row["over_usd"] > row["dearest_usd"] for row in found["budget"])
    return int(over or found["limit"]["further"] > MOST_FURTHER)


if __name__ == "__main__":
    sys.exit(main())
