"""Failures in the very words of the providers, from a server that answers so: each has its kind, which routes by it."""

from __future__ import annotations

from typing import Any

import pytest

from buildwright.core.limits import Options
from buildwright.errors import ModelFailed
from buildwright.gateway import GatewayModel, LocalGateway
from buildwright.ports import ModelAccess
from tests.gateway.provider import Provider, anthropic_stream, openai_stream, sse
from tests.gateway.test_client import ask

CLAUDE, GPT, GEMINI = "claude-sonnet-5-5", "gpt-5.4", "gemini-3.5-flash"
ONCE = GatewayModel(read_seconds=5.0, tries=1)


def anthropic(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011"}


def openai(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def gemini(status: int, message: str, kind: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": kind}}


TOO_LONG = (
    (CLAUDE, 400, anthropic("invalid_request_error", "prompt is too long: 215482 tokens > 200000 maximum")),
    (
        CLAUDE,
        400,
        anthropic(
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or"
            " `max_tokens` and try again",
        ),
    ),
    (CLAUDE, 413, anthropic("request_too_large", "Request exceeds the maximum size")),
    (
        GPT,
        400,
        openai(
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 140339 tokens."
            " Please reduce the length of the messages.",
            "invalid_request_error",
            "context_length_exceeded",
        ),
    ),
    (
        GPT,
        400,
        openai(
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "invalid_request_error",
            "context_length_exceeded",
        ),
    ),
    (
        GEMINI,
        400,
        gemini(
            400,
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "INVALID_ARGUMENT",
        ),
    ),
)


async def failure(live: LocalGateway, provider: Provider, model: str, item: Any) -> tuple[str, str]:
    """The kind as the agent's client sees it, and as the gateway does."""
    provider.script = [item]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    with pytest.raises(ModelFailed) as failed:
        await ask(door, model, ONCE)
    trouble = live.trouble(door)
    assert trouble is not None
    assert trouble.model == model
    return failed.value.kind, trouble.kind


@pytest.mark.parametrize(("model", "status", "body"), TOO_LONG)
async def test_a_context_that_is_too_long_is_known_by_each_providers_words(
    live: LocalGateway, provider: Provider, model: str, status: int, body: dict[str, Any]
) -> None:
    assert await failure(live, provider, model, (status, {}, body)) == ("context_length", "context_length")


@pytest.mark.parametrize(
    ("model", "headers", "body"),
    [
        (CLAUDE, {}, anthropic("rate_limit_error", "This request would exceed your organization's rate limit")),
        (
            CLAUDE,
            {
                "retry-after": "17",
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-30T00:00:17Z",
            },
            anthropic("rate_limit_error", "Number of request tokens has exceeded your per-minute rate limit"),
        ),
        (
            GPT,
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "17s"},
            openai("Rate limit reached for gpt-5.4 on requests per min (RPM)", "requests", "rate_limit_exceeded"),
        ),
        (GEMINI, {}, gemini(429, "Resource has been exhausted (e.g. check quota).", "RESOURCE_EXHAUSTED")),
    ],
)
async def test_a_rate_limit_is_one_with_and_without_headers(
    live: LocalGateway, provider: Provider, model: str, headers: dict[str, str], body: dict[str, Any]
) -> None:
    assert await failure(live, provider, model, (429, headers, body)) == ("rate_limit", "rate_limit")


@pytest.mark.parametrize(
    ("model", "status", "body", "kind"),
    [
        (CLAUDE, 529, anthropic("overloaded_error", "Overloaded"), "overloaded"),
        (GPT, 503, openai("The engine is currently overloaded, please try again later", "server_error"), "overloaded"),
        (GEMINI, 503, gemini(503, "The model is overloaded. Please try again later.", "UNAVAILABLE"), "overloaded"),
        (CLAUDE, 401, anthropic("authentication_error", "invalid x-api-key"), "auth"),
        (GPT, 401, openai("Incorrect API key provided", "invalid_request_error", "invalid_api_key"), "auth"),
        (CLAUDE, 404, anthropic("not_found_error", "model: claude-none-9"), "unknown_model"),
        (
            GPT,
            404,
            openai("The model `gpt-none` does not exist", "invalid_request_error", "model_not_found"),
            "unknown_model",
        ),
        (
            GPT,
            403,
            openai("Project `p` does not have access to model `gpt-9`", "invalid_request_error", "model_not_found"),
            "unknown_model",
        ),
        (
            GEMINI,
            404,
            gemini(404, "models/gemini-0 is not found for API version v1beta", "NOT_FOUND"),
            "unknown_model",
        ),
        (CLAUDE, 404, anthropic("not_found_error", "Not found"), "refused"),
        (CLAUDE, 504, anthropic("timeout_error", "The request took too long"), "timeout"),
        (GPT, 429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), "refused"),
    ],
)
async def test_each_refusal_has_its_kind(
    live: LocalGateway, provider: Provider, model: str, status: int, body: dict[str, Any], kind: str
) -> None:
    assert await failure(live, provider, model, (status, {}, body)) == (kind, kind)


@pytest.mark.parametrize(
    ("model", "pieces", "kind"),
    [
        (CLAUDE, [*anthropic_stream("be")[:3], None], "unavailable"),
        (GPT, [*openai_stream("be")[:1], None], "unavailable"),
        (CLAUDE, anthropic_stream("be")[:3], "unavailable"),
        (CLAUDE, [*anthropic_stream("be")[:3], *sse(anthropic("overloaded_error", "Overloaded"))], "overloaded"),
        (
            GPT,
            [
                *openai_stream("be")[:1],
                *sse(openai("Your input exceeds the context window", "context_length_exceeded")),
            ],
            "context_length",
        ),
    ],
    ids=["cut", "cut-openai", "ends-early", "overloaded-within", "too-long-within"],
)
async def test_an_answer_that_breaks_off_has_its_kind(
    live: LocalGateway, provider: Provider, model: str, pieces: list[Any], kind: str
) -> None:
    assert (await failure(live, provider, model, pieces))[0] == kind
