"""Limits of providers: one request meets a limit, and all others wait for its reset, in all processes. On a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from buildwright.core.limits import Options
from buildwright.gateway import GatewayModel, LocalGateway
from buildwright.gateway.limits import asked_wait
from buildwright.ports import MarkReached, ModelAccess, Purse, PurseName, QuotaWindow, Text, Turn
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.records import Records
from tests.gateway.provider import ANTHROPIC_KEY, Provider, anthropic_stream
from tests.store.process import open_in

MODEL = "claude-sonnet-4-5"
ERROR = {"type": "error", "error": {"type": "rate_limit_error", "message": "too many"}}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteBuilds]:
    opened = await open_in(tmp_path / "home")
    yield opened
    await opened.close()


class Limited:
    """A provider that refuses for `seconds`, with headers that say for how long, then answers.

    The time begins with the first request. `times` are those of its requests.
    """

    def __init__(self, status: int, seconds: float, headers: Callable[[float], dict[str, str]]) -> None:
        self.status, self.seconds, self.headers = status, seconds, headers
        self.opens_at = 0.0
        self.times: list[float] = []
        self.asked: list[dict[str, str]] = []

    @property
    def early(self) -> int:
        return sum(at < self.opens_at for at in self.times)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        now = time.time()
        self.opens_at = self.opens_at or now + self.seconds
        self.times.append(now)
        self.asked.append({name.lower(): value for name, value in request.headers.items()})
        if now < self.opens_at:
            await asyncio.sleep(0.02)
            return web.json_response(ERROR, status=self.status, headers=self.headers(self.opens_at - now))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in anthropic_stream("hello"):
            await response.write(piece)
        return response


async def serve(limited: Limited) -> tuple[web.AppRunner, dict[str, str]]:
    app = web.Application()
    app.add_routes([web.post("/{rest:.*}", limited.answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner, {"ANTHROPIC_API_KEY": ANTHROPIC_KEY, "ANTHROPIC_BASE_URL": url}


async def ask(gateway: LocalGateway, build: str, task: str) -> str:
    door = await gateway.open(ModelAccess(build, task, 1, Options()))
    pieces = [
        piece.text
        async for piece in GatewayModel(delay=0.1).stream(door, MODEL, "", [Turn("user", "hi")], 100)
        if isinstance(piece, Text)
    ]
    await gateway.shut(door)
    return "".join(pieces)


def wait(left: float) -> dict[str, str]:
    return {"retry-after": f"{left:.2f}"}


def anthropic(left: float) -> dict[str, str]:
    reset = (datetime.now(UTC) + timedelta(seconds=left)).isoformat().replace("+00:00", "Z")
    return {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": reset}


def openai(left: float) -> dict[str, str]:
    return {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": f"{left:.2f}s"}


@pytest.mark.parametrize(("status", "headers"), [(429, wait), (429, anthropic), (429, openai), (529, wait)])
async def test_64_attempts_that_meet_a_limit_wait_for_its_reset_and_go_on(
    tmp_path: Path, status: int, headers: Callable[[float], dict[str, str]]
) -> None:
    limited = Limited(status, 4, headers)
    runner, environment = await serve(limited)
    gateway = LocalGateway(environment, tmp_path)
    answers = await asyncio.gather(*(ask(gateway, "b1", f"T{number}") for number in range(64)))
    assert answers == ["hello"] * 64
    assert 1 <= limited.early <= 3  # the one that met it, and at most two more
    assert len(limited.times) - limited.early == 64
    (met,) = gateway.noticed("b1")  # told the build once, not for each attempt
    assert isinstance(met, QuotaWindow)
    assert (met.provider, met.kind) == ("anthropic", "overloaded" if status == 529 else "rate_limit")
    assert abs(met.until - limited.opens_at) < 1
    assert not any("x-hold-seconds" in sent for sent in limited.asked)
    await gateway.close()
    await runner.cleanup()


async def test_without_a_word_of_the_provider_the_pauses_double(tmp_path: Path) -> None:
    limited = Limited(429, 6, lambda _left: {})
    runner, environment = await serve(limited)
    gateway = LocalGateway(environment, tmp_path)
    assert await asyncio.gather(*(ask(gateway, "b1", f"T{number}") for number in range(16))) == ["hello"] * 16
    # Asked at 0, 1, 3 and 7 seconds.
    assert limited.early == 3
    await gateway.close()
    await runner.cleanup()


async def test_what_one_process_meets_stops_another_and_a_new_one(tmp_path: Path, store: SqliteBuilds) -> None:
    limited = Limited(429, 6, wait)
    runner, environment = await serve(limited)
    gateways = [LocalGateway(environment, tmp_path / str(number), ledger=store.ledger) for number in range(3)]
    idle = await gateways[1].open(ModelAccess("b2", "T1", 1, Options()))  # its process has read the ledger before
    first = asyncio.create_task(ask(gateways[0], "b1", "T1"))
    async with asyncio.timeout(3):
        while not await store.ledger.windows():
            await asyncio.sleep(0.01)
    await asyncio.sleep(1)  # twice as long as between two looks at the ledger
    answers = await asyncio.gather(first, ask(gateways[1], "b2", "T2"), ask(gateways[2], "b3", "T1"))
    assert [*answers] == ["hello"] * 3
    assert limited.early == 1
    assert [len(gateway.noticed(f"b{number}")) for number, gateway in enumerate(gateways, 1)] == [1, 1, 1]
    await gateways[1].shut(idle)
    for gateway in gateways:
        await gateway.close()
    await runner.cleanup()


async def test_another_model_and_another_key_are_not_held_back(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    limited = Limited(429, 60, wait)
    runner, environment = await serve(limited)
    gateway = LocalGateway(environment, tmp_path)
    door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
    body = {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"x-api-key": door.token, "x-hold-seconds": "0"}

    async def status(model: str) -> tuple[int, bool]:
        async with http.post(f"{door.url}/v1/messages", json=body | {"model": model}, headers=headers) as got:
            return got.status, "x-waited-at-gateway" in got.headers

    assert await status("one") == (429, False)
    assert await status("one") == (429, True)
    assert await status("two") == (429, False)
    assert len(limited.times) == 2
    assert gateway.limit(door) is not None
    await gateway.close()
    await runner.cleanup()


async def test_a_key_without_money_is_no_limit_that_ends(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.script = [(429, {"retry-after": "60"}, {"error": {"type": "insufficient_quota", "message": "pay"}})]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    for _ in range(2):
        body = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
        headers = {"Authorization": f"Bearer {door.token}"}
        async with http.post(f"{door.url}/v1/chat/completions", json=body, headers=headers) as got:
            assert got.status == 429
    assert len(provider.requests) == 2


NOW = datetime(2026, 11, 30, 14, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"Retry-After": "7"}, "", 7),
        ({"retry-after": "0.25"}, "", 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, "", 1.5),
        ({"retry-after": format_datetime(datetime(2026, 11, 30, 14, 5, tzinfo=UTC), usegmt=True)}, "", 300),
        ({"retry-after": format_datetime(datetime(2026, 11, 30, 13, 5, tzinfo=UTC), usegmt=True)}, "", 0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "5",
                "anthropic-ratelimit-requests-reset": "2026-11-30T15:00:00Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-30T14:01:00Z",
            },
            "",
            60,
        ),
        (
            {
                "anthropic-ratelimit-unified-5h-status": "rejected",
                "anthropic-ratelimit-unified-5h-reset": str(int(NOW) + 3600),
                "anthropic-ratelimit-unified-7d-status": "allowed",
                "anthropic-ratelimit-unified-7d-reset": str(int(NOW) + 90_000),
            },
            "",
            3600,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, "", 360),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, "", 0.12),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW + 30) * 1000)}, "", 30),
        ({"x-ratelimit-remaining-tokens": "10", "x-ratelimit-reset-tokens": "1h2m"}, "", None),
        ({}, "Quota exceeded. Please retry in 34.5s.", 34.5),
        ({}, "Please try again in 20 ms", 0.02),
        ({"retry-after": "soon"}, "come again", None),
        ({"retry-after": "nan"}, "", None),
        ({"retry-after": "-5"}, "", 0),
    ],
)
def test_how_long_a_provider_wants_not_to_be_asked(
    headers: dict[str, str], message: str, seconds: float | None
) -> None:
    found = asked_wait(headers, message, NOW)
    assert found == pytest.approx(seconds) if seconds is not None else found is None


async def test_a_day_is_shared_by_processes_and_told_at_50_80_and_100_percent(
    tmp_path: Path, provider: Provider, store: SqliteBuilds, http: aiohttp.ClientSession
) -> None:
    # 1 USD for an answer: 66,000 of output at 15 USD for a million, and 100 tokens of input at 3.
    provider.script = [anthropic_stream("x", output=66_647, input_tokens=100)]
    gateways = [LocalGateway(provider.environment(), tmp_path / str(n), ledger=store.ledger) for n in range(2)]

    async def spend(number: int, most: str) -> tuple[int, str]:
        purse = Purse(PurseName("day", "ann"), Decimal(most))
        door = await gateways[number].open(ModelAccess(f"b{number}", "T1", 1, Options(), purses=(purse,)))
        body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        async with http.post(f"{door.url}/v1/messages", json=body, headers={"x-api-key": door.token}) as got:
            return got.status, await got.text()

    for number in (0, 1, 0, 1, 0):
        assert (await spend(number, "4.9"))[0] == 200
    status, text = await spend(1, "4.9")
    assert status == 402
    assert "The day's budget" in text
    assert "of $4.9 is spent ($5.00)" in text, "the limit is told as it was written"
    assert "ann" in text
    told = {number: gateways[number].noticed(f"b{number}") for number in (0, 1)}
    marks = {number: [one.percent for one in told[number] if isinstance(one, MarkReached)] for number in (0, 1)}
    assert marks == {0: [50, 100], 1: [80, 100]}
    assert (await spend(1, "6"))[0] == 200  # raised
    for gateway in gateways:
        await gateway.close()


async def test_a_month_has_the_limit_of_the_user_as_it_is_now(
    tmp_path: Path, provider: Provider, store: SqliteBuilds, http: aiohttp.ClientSession
) -> None:
    provider.script = [anthropic_stream("x", output=66_647, input_tokens=100)]
    records = Records.open(tmp_path / "home" / "buildwright.db")
    await records.users.add("ann", datetime.now(UTC))
    gateway = LocalGateway(provider.environment(), tmp_path / "gateway", ledger=store.ledger)

    async def spend(user: str) -> tuple[int, str]:
        access = ModelAccess("b", "T1", 1, Options(), purses=(Purse(PurseName("month", user)),))
        door = await gateway.open(access)
        body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        async with http.post(f"{door.url}/v1/messages", json=body, headers={"x-api-key": door.token}) as got:
            return got.status, await got.text()

    assert (await spend("ann"))[0] == 200
    await records.users.change("ann", {"most_usd_a_month": Decimal("1.5")})
    assert (await spend("ann"))[0] == 200
    status, text = await spend("ann")
    assert (status, "The month's budget" in text, "$1.5" in text) == (402, True, True)
    assert (await spend("bob"))[0] == 200  # his own month, without a limit
    await records.users.change("ann", {"most_usd_a_month": Decimal(9)})
    assert (await spend("ann"))[0] == 200
    await gateway.close()
    await records.close()
