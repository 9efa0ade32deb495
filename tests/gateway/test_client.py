"""The model client: kinds of failure, retries, protocols, limits."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.limits import Options
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.errors import ModelFailed
from buildwright.gateway import GatewayModel, LocalGateway
from buildwright.gateway.upstream import protocol_of
from buildwright.ports import ModelAccess, ModelEndpoint, Spent, Stopped, Text, Turn
from tests.gateway.provider import Provider, anthropic_stream, of_build, openai_stream, sse

QUICK = GatewayModel(read_seconds=5.0, delay=0.01)


async def ask(
    door: ModelEndpoint, model: str = "", client: GatewayModel = QUICK, **more: Any
) -> list[Text | Spent | Stopped]:
    turns = [Turn("user", "Hi"), Turn("assistant", "Yes?"), Turn("user", "Go")]
    return [piece async for piece in client.stream(door, model, "Be good.", turns, **more)]


def error(kind: str, message: str = "no") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


async def test_anthropic_request_and_answer(live: LocalGateway, provider: Provider) -> None:
    provider.script = [anthropic_stream("Hel", "lo", cache_read_input_tokens=5, cache_creation_input_tokens=6)]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    assert await ask(door, max_tokens=77) == [
        Text("Hel"),
        Text("lo"),
        Spent("claude-sonnet-4-5-20250929", 100, 7, 5, 6),
        Stopped("end"),
    ]
    assert provider.requests[0][2] == {
        "model": DEFAULT_MODEL,
        "max_tokens": 77,
        "stream": True,
        "system": "Be good.",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Go"},
        ],
    }


async def test_openai_request_and_answer(live: LocalGateway, provider: Provider) -> None:
    usage = {"prompt_tokens": 50, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 20}}
    provider.script = [openai_stream("Hel", "lo", usage=usage)]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    assert await ask(door, "gpt-5") == [
        Text("Hel"),
        Text("lo"),
        Spent("gpt-5-2025-08-07", 30, 9, 20, 0),
        Stopped("end"),
    ]
    body = provider.requests[0][2]
    assert body["messages"][0] == {"role": "system", "content": "Be good."}
    assert (body["model"], body["max_completion_tokens"]) == ("gpt-5", 32_000)
    await ask(door, "openai/qwen3")
    body = provider.requests[1][2]
    assert (body["model"], body["max_tokens"]) == ("qwen3", 32_000)


def test_the_protocol_follows_from_the_name() -> None:
    assert {protocol_of(name) for name in ("gpt-5", "o4-mini", "openai/anything", "chatgpt-4o-latest")} == {"openai"}
    assert {protocol_of(name) for name in (DEFAULT_MODEL, "anthropic/claude", "opus", "my-gpt-5")} == {"anthropic"}


@pytest.mark.parametrize(("reason", "stopped"), [("max_tokens", "length"), ("refusal", "refused"), ("end_turn", "end")])
async def test_why_it_stopped(live: LocalGateway, provider: Provider, reason: str, stopped: str) -> None:
    provider.script = [anthropic_stream("x", stop=reason)]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    assert (await ask(door))[-1] == (stopped,)


@pytest.mark.parametrize(
    ("status", "body", "kind", "asked"),
    [
        (429, error("rate_limit_error"), "rate_limit", 4),
        (529, error("overloaded_error"), "overloaded", 4),
        (503, error("api_error"), "overloaded", 4),
        (500, error("api_error"), "unavailable", 4),
        (502, {"unexpected": True}, "unavailable", 4),
        (504, error("timeout_error"), "timeout", 4),
        (400, error("invalid_request_error", "prompt is too long: 9 tokens > 8"), "context_length", 1),
        (400, error("invalid_request_error", "maximum context length is 8"), "context_length", 1),
        (413, error("request_too_large"), "context_length", 1),
        (400, error("invalid_request_error"), "refused", 1),
        (401, error("authentication_error"), "auth", 1),
        (403, error("permission_error"), "auth", 1),
        (404, error("not_found_error"), "refused", 1),
        (429, {"error": {"type": "insufficient_quota", "message": "pay"}}, "refused", 1),
    ],
)
async def test_each_status_has_its_kind(
    live: LocalGateway, provider: Provider, status: int, body: dict[str, Any], kind: str, asked: int
) -> None:
    provider.script = [(status, {}, body)]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    with pytest.raises(ModelFailed) as failed:
        await ask(door)
    assert (failed.value.kind, len(provider.requests)) == (kind, asked)


async def test_failures_before_text_are_retried(live: LocalGateway, provider: Provider) -> None:
    early = anthropic_stream("x")[:2]
    provider.script = [
        (429, {"retry-after": "0.01"}, error("rate_limit_error")),
        [*early, None],
        [*early, *sse(error("overloaded_error"))],
        anthropic_stream("at last"),
    ]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    assert (await ask(door))[0] == Text("at last")
    assert len(provider.requests) == 4
    # The two that began were answered, and are paid for.
    assert [spend.output_tokens for spend in live.metered(door)] == [1, 1, 7]


async def test_failures_after_text_are_not_retried(live: LocalGateway, provider: Provider) -> None:
    begun = anthropic_stream("x")[:3]
    provider.script = [[*begun, *sse(error("overloaded_error"))]]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    with pytest.raises(ModelFailed) as failed:
        await ask(door)
    assert (failed.value.kind, len(provider.requests)) == ("overloaded", 1)


async def test_a_wait_beyond_the_patience_is_not_begun(live: LocalGateway, provider: Provider) -> None:
    provider.script = [(429, {"retry-after": "3600"}, error("rate_limit_error"))]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    with pytest.raises(ModelFailed) as failed:
        await ask(door)
    assert (failed.value.kind, len(provider.requests)) == ("rate_limit", 1)


async def test_a_stream_that_ends_without_its_end_is_a_failure(live: LocalGateway, provider: Provider) -> None:
    provider.script = [anthropic_stream("x")[:-1]]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    with pytest.raises(ModelFailed, match="broke off"):
        await ask(door)


async def test_silence_is_a_timeout(replaying: LocalGateway, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("version: 1\nturns:\n  - {reply: {text: a}, faults: [{kind: hang, seconds: 600, times: 9}]}\n")
    door = await replaying.open(ModelAccess("b1", "T1", 1, Options(cassette=str(file))))
    with pytest.raises(ModelFailed) as failed:
        await ask(door, client=GatewayModel(read_seconds=0.05, tries=2, delay=0.01))
    assert failed.value.kind == "timeout"


async def test_no_gateway_is_unavailable() -> None:
    with pytest.raises(ModelFailed, match="not reached") as failed:
        await ask(ModelEndpoint("http://127.0.0.1:9/d/x", "t"))
    assert failed.value.kind == "unavailable"


async def test_a_shut_door_and_a_spent_budget_are_not_retried(live: LocalGateway, provider: Provider) -> None:
    provider.script = [anthropic_stream("x", output=1000)]
    door = await live.open(ModelAccess("b1", "T1", 1, Options(), purses=of_build(Decimal("0.001"))))
    await ask(door)
    with pytest.raises(ModelFailed, match="budget") as failed:
        await ask(door)
    assert failed.value.kind == "budget"
    await live.shut(door)
    with pytest.raises(ModelFailed) as failed:
        await ask(door)
    assert failed.value.kind == "auth"
    assert len(provider.requests) == 1


async def test_a_large_prompt_goes_through(live: LocalGateway, provider: Provider) -> None:
    provider.script = [anthropic_stream("x")]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    big = "ü" * 2_000_000
    pieces = [piece async for piece in QUICK.stream(door, "", "", [Turn("user", big)])]
    assert pieces[-1] == Stopped("end")
    assert provider.requests[0][2]["messages"][0]["content"] == big
