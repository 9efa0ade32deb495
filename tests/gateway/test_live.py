"""Pass-through: real HTTP to a fake provider on 127.0.0.1."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from genai_prices import Usage, calc_price

from buildwright.core.limits import Options
from buildwright.errors import BadSettings
from buildwright.gateway import LocalGateway
from buildwright.ports import ModelAccess, ModelEndpoint
from tests.gateway.provider import ANTHROPIC_KEY, OPENAI_KEY, Provider, anthropic_stream, of_build, openai_stream

MESSAGES = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
CHAT = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}


def auth(door: ModelEndpoint) -> dict[str, str]:
    return {"x-api-key": door.token}


async def test_a_stream_is_relayed_in_order_and_metered(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    written = anthropic_stream("Hel", "lo", cache_read_input_tokens=2000, cache_creation_input_tokens=300)
    provider.script = [written]
    door = await live.open(ModelAccess("b1", "T1", 2, Options()))
    headers = auth(door) | {"anthropic-beta": "x-1", "Cookie": "a=b"}
    async with http.post(f"{door.url}/v1/messages?beta=true", json=MESSAGES | {"stream": True}, headers=headers) as got:
        assert got.status == 200
        assert got.headers["request-id"] == "req_42"
        assert await got.read() == b"".join(written)
    path, sent, body = provider.requests[0]
    assert path == "/v1/messages?beta=true"
    assert sent["x-api-key"] == ANTHROPIC_KEY
    assert sent["anthropic-beta"] == "x-1"
    assert sent["anthropic-version"] == "2023-06-01"
    assert "cookie" not in sent
    assert door.token not in repr(provider.requests)
    assert body == MESSAGES | {"stream": True}
    (spend,) = live.metered(door)
    assert spend[:8] == ("b1", "T1", 2, "claude-sonnet-4-5-20250929", 100, 7, 2000, 300)
    usage = Usage(input_tokens=2400, output_tokens=7, cache_read_tokens=2000, cache_write_tokens=300)
    assert spend.cost_usd is not None
    assert Decimal(spend.cost_usd) == calc_price(usage, "claude-sonnet-4-5", provider_id="anthropic").total_price
    assert live.metered(door) == []


@pytest.mark.parametrize("protocol", ["anthropic", "openai"])
async def test_a_large_request_goes_through_whole(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession, protocol: str
) -> None:
    body = {**(MESSAGES if protocol == "anthropic" else CHAT), "stream": True}
    body["messages"] = [{"role": "user", "content": "\u00fc" * 1_500_000}]
    provider.script = [anthropic_stream("a") if protocol == "anthropic" else openai_stream("a")]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    path = "/v1/messages" if protocol == "anthropic" else "/v1/chat/completions"
    data = io.BytesIO(json.dumps(body, ensure_ascii=False).encode())
    async with http.post(door.url + path, data=data, headers=auth(door)) as got:
        assert got.status == 200
    assert provider.requests[0][2]["messages"] == body["messages"]


async def test_the_first_piece_arrives_before_the_last_is_made(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    gate = asyncio.Event()
    written: list[Any] = list(anthropic_stream("a", "b"))
    provider.script = [[*written[:3], gate, *written[3:]]]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/messages", json=MESSAGES | {"stream": True}, headers=auth(door)) as got:
        begun = await got.content.readexactly(len(b"".join(written[:3])))
        assert begun == b"".join(written[:3])
        gate.set()
        assert await got.content.read() == b"".join(written[3:])


async def test_long_context_is_priced_by_its_tier(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    usage = {"input_tokens": 300_000, "output_tokens": 1000}
    provider.script = [
        {"type": "message", "model": "claude-sonnet-4-5", "content": [], "stop_reason": "end_turn", "usage": usage}
    ]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/messages", json=MESSAGES, headers=auth(door)) as got:
        assert (await got.json())["usage"] == usage
    (spend,) = live.metered(door)
    assert Decimal(spend.cost_usd or 0) == Decimal(300_000) * 6 / 10**6 + Decimal(1000) * Decimal("22.5") / 10**6


async def test_openai_stream_is_asked_for_usage_that_the_client_does_not_see(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    used = {"prompt_tokens": 50, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 20}}
    provider.script = [openai_stream("Hel", "lo", usage=used)]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    bearer = {"Authorization": f"Bearer {door.token}"}
    async with http.post(f"{door.url}/v1/chat/completions", json=CHAT | {"stream": True}, headers=bearer) as got:
        assert await got.read() == b"".join(openai_stream("Hel", "lo"))
    _, sent, body = provider.requests[0]
    assert sent["authorization"] == f"Bearer {OPENAI_KEY}"
    assert "x-api-key" not in sent
    assert body["stream_options"] == {"include_usage": True}
    (spend,) = live.metered(door)
    assert spend[3:8] == ("gpt-5-2025-08-07", 30, 9, 20, 0)
    expected = calc_price(Usage(input_tokens=50, output_tokens=9, cache_read_tokens=20), "gpt-5", provider_id="openai")
    assert Decimal(spend.cost_usd or 0) == expected.total_price


async def test_openai_client_that_asks_for_usage_gets_it(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    written = openai_stream("Hi", usage={"prompt_tokens": 5, "completion_tokens": 2})
    provider.script = [written]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    body = CHAT | {"stream": True, "stream_options": {"include_usage": True}}
    async with http.post(f"{door.url}/v1/chat/completions", json=body, headers=auth(door)) as got:
        assert await got.read() == b"".join(written)


async def test_an_unknown_model_has_no_cost(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    provider.script = [{"model": "my-own-model", "choices": [choice], "usage": usage}]
    door = await live.open(ModelAccess("b1", "T1", 1, Options(model="openai/my-own-model")))
    async with http.post(f"{door.url}/v1/chat/completions", json=CHAT, headers=auth(door)) as got:
        assert got.status == 200
    (spend,) = live.metered(door)
    assert (spend.model, spend.input_tokens, spend.output_tokens, spend.cost_usd) == ("my-own-model", 5, 2, None)


async def test_errors_of_the_provider_are_relayed_and_counted(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    provider.script = [(429, {"retry-after": "7", "Connection": "close"}, error)]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/messages", json=MESSAGES, headers=auth(door)) as got:
        assert (got.status, got.headers["retry-after"], await got.json()) == (429, "7", error)
    assert live.refusals == {429: 1}
    assert live.metered(door) == []


async def test_a_stream_cut_by_the_provider_is_cut_for_the_client_and_counted(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.script = [[*anthropic_stream("Hello")[:3], None]]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/messages", json=MESSAGES | {"stream": True}, headers=auth(door)) as got:
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.read()
    (spend,) = live.metered(door)
    assert (spend.input_tokens, spend.output_tokens) == (100, 1)


async def test_a_client_that_leaves_ends_the_provider_and_is_counted(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.script = [[*anthropic_stream("Hello")[:3], asyncio.Event()]]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    got = await http.post(f"{door.url}/v1/messages", json=MESSAGES | {"stream": True}, headers=auth(door))
    await got.content.readany()
    got.close()
    await asyncio.wait_for(provider.cancelled.wait(), 10)
    await live.shut(door)
    assert [spend.input_tokens for spend in live.metered(door)] == [100]


async def test_shutting_a_door_breaks_off_what_goes_through_it(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.script = [[*anthropic_stream("Hello")[:3], asyncio.Event()]]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/messages", json=MESSAGES | {"stream": True}, headers=auth(door)) as got:
        await got.content.readany()
        await live.shut(door)
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.read()
    await asyncio.wait_for(provider.cancelled.wait(), 10)
    assert len(live.metered(door)) == 1
    assert live.metered(door) == []
    async with http.post(f"{door.url}/v1/messages", json=MESSAGES, headers=auth(door)) as got:
        assert got.status == 401


async def test_an_unreachable_provider_is_a_502_in_the_protocols_words(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    environment = {"ANTHROPIC_API_KEY": ANTHROPIC_KEY, "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    gateway = LocalGateway(environment, tmp_path)
    door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/messages", json=MESSAGES, headers=auth(door)) as got:
        assert got.status == 502
        assert "x-should-retry" not in got.headers
        body = await got.json()
    assert body["error"]["type"] == "api_error"
    assert "127.0.0.1:9" in body["error"]["message"]
    await gateway.close()


async def test_a_redirect_is_not_followed_with_the_key(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.script = [(307, {"Location": f"{provider.url}/elsewhere"}, {})]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/messages", json=MESSAGES, headers=auth(door)) as got:
        assert got.status == 502
    assert len(provider.requests) == 1


async def test_the_other_providers_key_missing_is_said_plainly(
    provider: Provider, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    environment = {k: v for k, v in provider.environment().items() if k.startswith("ANTHROPIC")}
    gateway = LocalGateway(environment, tmp_path)
    door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/chat/completions", json=CHAT, headers=auth(door)) as got:
        assert (got.status, got.headers["x-should-retry"]) == (401, "false")
        assert "OPENAI_API_KEY" in (await got.json())["error"]["message"]
    await gateway.close()


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
async def test_the_budget_of_a_build_refuses_the_next_request(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession, path: str
) -> None:
    provider.script = [anthropic_stream("x", output=1_000_000)]
    budget = of_build(Decimal(10))
    door = await live.open(ModelAccess("b1", "T1", 1, Options(), purses=budget))
    other = await live.open(ModelAccess("b1", "T2", 1, Options(), purses=budget))
    elsewhere = await live.open(ModelAccess("b2", "T1", 1, Options(), purses=of_build(Decimal(10), build="b2")))
    async with http.post(f"{door.url}/v1/messages", json=MESSAGES | {"stream": True}, headers=auth(door)) as got:
        await got.read()
    async with http.post(other.url + path, json=MESSAGES, headers=auth(other)) as got:
        assert (got.status, got.headers["x-should-retry"]) == (402, "false")
        error = (await got.json())["error"]
        assert error["type"] in {"permission_error", "insufficient_quota"}
        assert "budget" in error["message"]
    async with http.post(f"{elsewhere.url}/v1/messages", json=MESSAGES, headers=auth(elsewhere)) as got:
        assert got.status == 200


async def test_what_earlier_processes_spent_counts_and_a_raised_budget_too(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.script = [anthropic_stream("x")]

    async def ask(most: int, spent: int) -> int:
        door = await live.open(ModelAccess("b1", "T1", 1, Options(), purses=of_build(Decimal(most), Decimal(spent))))
        async with http.post(f"{door.url}/v1/messages", json=MESSAGES, headers=auth(door)) as got:
            return got.status

    assert await ask(most=10, spent=9) == 200
    assert await ask(most=10, spent=10) == 402
    assert await ask(most=10, spent=0) == 402  # a journal that lags behind lowers nothing
    assert await ask(most=20, spent=10) == 200


async def test_a_bearer_token_stands_in_for_a_missing_key(
    provider: Provider, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    provider.script = [anthropic_stream("x")]
    environment = {name: value for name, value in provider.environment().items() if not name.endswith("_API_KEY")}
    gateway = LocalGateway(environment | {"ANTHROPIC_AUTH_TOKEN": "token-12345678"}, tmp_path)
    try:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        async with http.post(f"{door.url}/v1/messages", json=MESSAGES, headers=auth(door)) as got:
            assert got.status == 200
    finally:
        await gateway.close()
    headers = provider.requests[0][1]
    assert headers["authorization"] == "Bearer token-12345678"
    assert "x-api-key" not in headers


async def test_count_tokens_is_passed_on_and_not_metered(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.script = [{"input_tokens": 12}]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/messages/count_tokens", json=MESSAGES, headers=auth(door)) as got:
        assert await got.json() == {"input_tokens": 12}
    assert provider.requests[0][0] == "/v1/messages/count_tokens"
    assert live.metered(door) == []


@pytest.mark.parametrize(
    ("key", "options", "says"),
    [
        ({}, Options(), "ANTHROPIC_API_KEY"),
        ({}, Options(model="gpt-5"), "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "sk-12345678"}, Options(), "ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": "sk-12345678"}, Options(model="o4-mini"), "OPENAI_API_KEY"),
        ({"ANTHROPIC_API_KEY": '"sk-12345678"'}, Options(), "ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": "sk-12345678\n"}, Options(), "ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": "sk 12345678"}, Options(), "ANTHROPIC_API_KEY"),
        *(
            ({"ANTHROPIC_API_KEY": "sk-12345678", "ANTHROPIC_BASE_URL": url}, Options(), "ANTHROPIC_BASE_URL")
            for url in ("ftp://x", "api.anthropic.com", "http://", "http://[x", "http://x:port", "http://me:pw@x")
        ),
    ],
)
async def test_wrong_settings_are_refused_at_the_door(
    tmp_path: Path, key: dict[str, str], options: Options, says: str
) -> None:
    gateway = LocalGateway(key, tmp_path)
    with pytest.raises(BadSettings, match=says) as refused:
        await gateway.open(ModelAccess("b1", "T1", 1, options))
    assert "12345678" not in f"{refused.value}{refused.value.fix}"
    assert refused.value.fix
    await gateway.close()


async def test_a_proxy_of_the_environment_is_used_and_netrc_is_not(
    provider: Provider, tmp_path: Path, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", provider.url.replace("//", "//us%40er:pw@"))
    provider.script = [openai_stream("a")]
    environment = provider.environment() | {"OPENAI_BASE_URL": "http://models.invalid/v1"}
    gateway = LocalGateway(environment, tmp_path)
    door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
    async with http.post(f"{door.url}/v1/chat/completions", json=CHAT | {"stream": True}, headers=auth(door)) as got:
        assert got.status == 200
    assert provider.requests[0][1]["host"] == "models.invalid"
    assert provider.requests[0][1]["proxy-authorization"] == "Basic " + base64.b64encode(b"us@er:pw").decode()
    assert provider.requests[0][1]["authorization"] == f"Bearer {OPENAI_KEY}"
    await gateway.close()


async def test_fifty_streams_at_once(live: LocalGateway, provider: Provider, http: aiohttp.ClientSession) -> None:
    provider.script = [anthropic_stream(*(f"piece {number} " for number in range(50)))]
    doors = await asyncio.gather(*(live.open(ModelAccess("b1", f"T{number}", 1, Options())) for number in range(50)))
    assert len({door.url for door in doors}) == len({door.token for door in doors}) == 50
    assert len({door.url.split("/d/")[0] for door in doors}) == 1

    async def ask(door: ModelEndpoint) -> bytes:
        async with http.post(f"{door.url}/v1/messages", json=MESSAGES | {"stream": True}, headers=auth(door)) as got:
            return await got.read()

    answers = await asyncio.gather(*map(ask, doors))
    assert set(answers) == {b"".join(provider.script[0])}
    assert [[spend.task for spend in live.metered(door)] for door in doors] == [[f"T{n}"] for n in range(50)]
