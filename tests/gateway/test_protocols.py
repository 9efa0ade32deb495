"""Every protocol through the same door: relay, meter, replay, kept answers, budget, errors. Real HTTP, real clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openai import APIStatusError, AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from buildwright.core.limits import Options
from buildwright.gateway import LocalGateway, cassette
from buildwright.gateway.exchange import AnswerReader, ModelRequest, Protocol
from buildwright.gateway.failures import stopped_by
from buildwright.gateway.parse import EventScanner, read_event
from buildwright.gateway.protocols import read_request
from buildwright.gateway.recorder import Recorder
from buildwright.gateway.response_cache import move_answer
from buildwright.ports import ModelAccess, ModelEndpoint
from tests.gateway.provider import (
    ANTHROPIC_KEY,
    GEMINI_KEY,
    OPENAI_KEY,
    Provider,
    anthropic_stream,
    gemini_stream,
    of_build,
    openai_stream,
    responses_stream,
    sse,
)


@dataclass(frozen=True)
class Way:
    """One protocol as a client speaks it: path of a stream, body for a text, a provider's stream, its key's header."""

    path: str
    body: Callable[[str], dict[str, Any]]
    stream: Callable[..., list[bytes]]
    key: tuple[str, str]


def said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


WAYS: dict[Protocol, Way] = {
    "anthropic": Way(
        "/v1/messages",
        lambda text: {"model": "claude-sonnet-4-5", "max_tokens": 100, "stream": True, "messages": said(text)},
        anthropic_stream,
        ("x-api-key", ANTHROPIC_KEY),
    ),
    "openai": Way(
        "/v1/chat/completions",
        lambda text: {
            "model": "gpt-5",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": said(text),
        },
        lambda *pieces: openai_stream(*pieces, usage={"prompt_tokens": 100, "completion_tokens": 7}),
        ("authorization", f"Bearer {OPENAI_KEY}"),
    ),
    "responses": Way(
        "/v1/responses",
        lambda text: {"model": "gpt-5-codex", "stream": True, "store": False, "input": said(text)},
        responses_stream,
        ("authorization", f"Bearer {OPENAI_KEY}"),
    ),
    "gemini": Way(
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        lambda text: {"contents": [{"role": "user", "parts": [{"text": text}]}]},
        gemini_stream,
        ("x-goog-api-key", GEMINI_KEY),
    ),
}
EVERY = pytest.mark.parametrize("protocol", WAYS)
HEADERS = pytest.mark.parametrize("header", ["x-api-key", "Authorization", "x-goog-api-key", "api-key"])


async def ask(
    http: aiohttp.ClientSession, door: ModelEndpoint, protocol: Protocol, text: str = "Hi", header: str = "x-api-key"
) -> tuple[int, bytes]:
    way = WAYS[protocol]
    token = f"Bearer {door.token}" if header == "Authorization" else door.token
    async with http.post(door.url + way.path, json=way.body(text), headers={header: token}) as got:
        return got.status, await got.read()


def read(protocol: Protocol, body: bytes) -> AnswerReader:
    reader = AnswerReader(protocol)
    for event in EventScanner().feed(body):
        read_event(reader, event)
    return reader


@EVERY
@HEADERS
async def test_a_stream_comes_as_it_is_and_is_metered(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession, protocol: Protocol, header: str
) -> None:
    way = WAYS[protocol]
    provider.script = [way.stream("Hel", "lo")]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    status, body = await ask(http, door, protocol, header=header)
    assert (status, body) == (200, b"".join(way.stream("Hel", "lo")))
    path, sent, _ = provider.requests[0]
    assert path == way.path
    assert sent[way.key[0]] == way.key[1]
    assert door.token not in repr(provider.requests)
    (spend,) = live.metered(door)
    assert (spend.input_tokens, spend.output_tokens) == (100, 7)
    assert Decimal(spend.cost_usd or 0) > 0


@EVERY
async def test_the_path_works_without_its_version(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession, protocol: Protocol
) -> None:
    if protocol == "gemini":
        path = "/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    else:
        path = WAYS[protocol].path.removeprefix("/v1")
    provider.script = [WAYS[protocol].stream("x")]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    body = WAYS[protocol].body("Hi")
    async with http.post(door.url + path, json=body, headers={"api-key": door.token}) as got:
        assert got.status == 200
    assert provider.requests[0][0] == WAYS[protocol].path


@EVERY
async def test_a_cassette_answers_with_text_and_tools(
    replaying: LocalGateway, http: aiohttp.ClientSession, tmp_path: Path, protocol: Protocol
) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(
        "version: 1\nmodel: gpt-5\nturns:\n  - reply:\n      say: I run it.\n      tools: [{name: sh, input: {cmd: ls -l}}]\n"
        "    usage: {input: 10, output: 5, cache_read: 4}\n    pace: {tokens_per_second: 400}\n"
    )
    door = await replaying.open(ModelAccess("b1", "T1", 1, Options(cassette=str(file))))
    status, body = await ask(http, door, protocol)
    reader = read(protocol, body)
    assert (status, "".join(reader.text), reader.done) == (200, "I run it.", True)
    assert [(call.name, call.input) for call in reader.calls] == [("sh", {"cmd": "ls -l"})]
    assert reader.tokens is not None
    assert reader.tokens[:3] == (10, 5, 4)
    assert replaying.metered(door)[0][4:7] == (10, 5, 4)


@EVERY
@pytest.mark.parametrize("ends", ["refused", "output_limit"])
async def test_an_answer_that_ends_too_early_says_so_in_every_protocol(
    replaying: LocalGateway, http: aiohttp.ClientSession, tmp_path: Path, protocol: Protocol, ends: str
) -> None:
    file, record = tmp_path / "script.yaml", tmp_path / "record.yaml"
    file.write_text(f"version: 1\nturns:\n  - {{reply: {{text: I begin}}, ends: {ends}}}\n")
    door = await replaying.open(ModelAccess("b1", "T1", 1, Options(cassette=str(file))))
    status, body = await ask(http, door, protocol)
    reader = read(protocol, body)
    assert (status, "".join(reader.text), reader.done, stopped_by(reader)) == (200, "I begin", True, ends)
    trouble = replaying.trouble(door)
    assert trouble is not None
    assert trouble.kind == ends
    recorder = Recorder(record)
    recorder.prepare()
    asked = ModelRequest(protocol, "m", True, 0, 0, "do it", (), "", (), True, 9, {})
    recorder.keep("T1", 1, None, asked, reader, ())
    assert cassette.load(record).turns[0].ends == ends


@EVERY
@pytest.mark.parametrize("kind", ["529", "cut", "error"])
async def test_faults_strike_in_every_protocol(
    replaying: LocalGateway, http: aiohttp.ClientSession, tmp_path: Path, protocol: Protocol, kind: str
) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(
        "version: 1\nmodel: gpt-5\nturns:\n  - reply: {text: 'Once upon a time'}\n    faults:\n"
        f"      - {{kind: {kind}, after_chars: 4}}\n"
    )
    door = await replaying.open(ModelAccess("b1", "T1", 1, Options(cassette=str(file))))
    if kind == "cut":
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask(http, door, protocol)
    else:
        status, body = await ask(http, door, protocol)
        if kind == "529":
            assert status == 529
            assert "Scripted" in body.decode()
        else:
            assert status == 200
            assert "verloaded" in (read(protocol, body).error or ("", ""))[1]
    status, body = await ask(http, door, protocol)
    assert "".join(read(protocol, body).text) == "Once upon a time"


CONVERSATIONS: dict[Protocol, dict[str, Any]] = {
    "responses": {
        "model": "m",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
            {"role": "user", "content": [{"type": "input_text", "text": "the folder"}]},
            {"role": "user", "content": [{"type": "input_text", "text": "first"}]},
            {"type": "reasoning", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]},
            {"role": "user", "content": "second"},
            {"type": "function_call", "name": "sh", "arguments": "{}", "call_id": "1"},
            {"type": "custom_tool_call", "name": "patch", "input": "x", "call_id": "2"},
            {"type": "function_call_output", "call_id": "1", "output": "fine"},
            {"type": "custom_tool_call_output", "call_id": "2", "output": "fine"},
            {"type": "function_call", "name": "sh", "arguments": "{}", "call_id": "3"},
            {"type": "function_call_output", "call_id": "3", "output": "fine"},
        ],
        "tools": [{"type": "function", "name": "sh"}, {"type": "custom", "name": "patch"}, {"type": "web_search"}],
        "tool_choice": {"type": "function", "name": "sh"},
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "first"}]},
            {"role": "model", "parts": [{"text": "ok"}]},
            {"role": "user", "parts": [{"text": "second"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "sh"}}, {"functionCall": {"name": "patch"}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "sh", "response": {}}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "sh"}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "sh", "response": {}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "sh"}, {"name": "patch"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["sh"]}},
    },
}


@pytest.mark.parametrize("protocol", CONVERSATIONS)
def test_a_conversation_is_counted_by_its_rounds(protocol: Protocol) -> None:
    asked = read_request(protocol, json.dumps(CONVERSATIONS[protocol]).encode(), model="m")
    assert (asked.message, asked.turn, asked.text) == (1, 2, "second")
    assert asked.used == ("sh", "patch", "sh")
    assert (asked.tools, asked.output_tool) == (("sh", "patch"), "sh")


async def test_codex_freeform_tools_get_plain_text(
    replaying: LocalGateway, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    file = tmp_path / "script.yaml"
    file.write_text("version: 1\nturns:\n  - reply: {tools: [{name: patch, input: {input: '*** Begin'}}]}\n")
    door = await replaying.open(ModelAccess("b1", "T1", 1, Options(cassette=str(file))))
    async with AsyncOpenAI(api_key=door.token, base_url=f"{door.url}/v1") as client:
        tool: Any = {"type": "custom", "name": "patch"}
        whole = await client.responses.create(model="gpt-5", input="go", tools=[tool])
        assert (whole.output[0].type, getattr(whole.output[0], "input", "")) == ("custom_tool_call", "*** Begin")
        async with client.responses.stream(model="gpt-5", input="go", tools=[tool]) as stream:
            async for _ in stream:
                pass
            final = await stream.get_final_response()
    assert (final.output[0].type, getattr(final.output[0], "input", "")) == ("custom_tool_call", "*** Begin")


class Answer(BaseModel):
    words: list[str]


async def test_a_real_client_of_responses_gets_structured_output(replaying: LocalGateway, tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_text("version: 1\nturns:\n  - reply: {json: {words: [a, b]}}\n    usage: {input: 10, output: 5}\n")
    door = await replaying.open(ModelAccess("b1", "T1", 1, Options(cassette=str(file))))
    async with AsyncOpenAI(api_key=door.token, base_url=f"{door.url}/v1") as client:
        model = OpenAIResponsesModel("gpt-5", provider=OpenAIProvider(openai_client=client))
        result = await Agent(model, output_type=Answer).run("go")
    assert result.output == Answer(words=["a", "b"])
    assert result.usage.input_tokens == 10


@EVERY
async def test_an_answer_is_bought_once_and_moved_to_another_lane(
    provider: Provider, http: aiohttp.ClientSession, tmp_path: Path, protocol: Protocol
) -> None:
    from buildwright.store.journal_sqlite import SqliteBuilds

    store = await SqliteBuilds.open(tmp_path / "state.db", tmp_path / "artifacts")
    old, new = tmp_path / "w1" / "files", tmp_path / "w2" / "files"
    half = len(str(old)) // 2
    provider.script = [WAYS[protocol].stream("in " + str(old)[:half], str(old)[half:] + "/a.txt")]
    for lane in (old, new):
        gateway = LocalGateway(provider.environment(), tmp_path, answers=store)
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options(), lane))
        _, body = await ask(http, door, protocol, f"Work in {lane}.")
        assert "".join(read(protocol, body).text) == f"in {lane}/a.txt"
        assert len(gateway.metered(door)) == 1
        await gateway.close()
    assert str(old).encode() not in body
    assert len(provider.requests) == 1
    await store.close()


def test_arguments_of_functions_are_moved_and_reasoning_stays() -> None:
    item = {"type": "function_call", "id": "f", "name": "sh", "arguments": '{"cmd": "ls /old/files"}'}
    thought = {"type": "reasoning", "encrypted_content": "/old/files"}
    stream = sse(
        {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": '{"cmd": "ls /ol'},
        {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": 'd/files"}'},
        {"type": "response.output_item.done", "item": item},
        {"type": "response.completed", "response": {"status": "completed", "output": [thought, item]}},
    )
    moved = move_answer(b"".join(stream), "responses", (("/old/files", "/new"),), streamed=True)
    bodies = [json.loads(event.data) for event in EventScanner().feed(moved)]
    assert bodies[0]["delta"] + bodies[1]["delta"] == '{"cmd": "ls /new"}'
    assert bodies[2]["item"]["arguments"] == '{"cmd": "ls /new"}'
    assert bodies[3]["response"]["output"] == [thought, item | {"arguments": '{"cmd": "ls /new"}'}]
    call = {"functionCall": {"name": "sh", "args": {"cmd": ["ls", "/old/files"]}}}
    chunk = {"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]}
    moved = move_answer(sse(chunk)[0], "gemini", (("/old/files", "/new"),), streamed=True)
    assert b'"ls", "/new"' in moved


@EVERY
async def test_a_stream_that_breaks_off_is_counted_by_what_went_through(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession, protocol: Protocol
) -> None:
    provider.script = [[*WAYS[protocol].stream("x" * 4000, "y")[:-2], None]]
    if protocol == "gemini":
        provider.script = [[WAYS[protocol].stream("x" * 4000, "y")[0], None]]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask(http, door, protocol, "word " * 2000)
    (spend,) = live.metered(door)
    assert spend.output_tokens >= 1000
    assert spend.input_tokens == 100 if protocol == "anthropic" else spend.input_tokens > 2000
    assert Decimal(spend.cost_usd or 0) > 0


async def test_many_requests_at_once_do_not_overrun_the_budget(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.script = [anthropic_stream("x", output=10_000)]  # $0.15 each
    budget = of_build(Decimal("0.20"))
    door = await live.open(ModelAccess("b1", "T1", 1, Options(), purses=budget))
    body = WAYS["anthropic"].body("Hi") | {"max_tokens": 10_000}  # no provider answers with more than it was asked for

    async def status() -> int:
        async with http.post(f"{door.url}/v1/messages", json=body, headers={"x-api-key": door.token}) as got:
            await got.read()
            return got.status

    got = await asyncio.gather(*(status() for _ in range(40)))
    assert sorted(got) == [200] * 2 + [402] * 38
    spent = sum(Decimal(spend.cost_usd or 0) for spend in live.metered(door))
    assert spent == 2 * Decimal("0.1503")


@EVERY
async def test_a_key_that_is_refused_is_not_asked_with_again(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession, protocol: Protocol
) -> None:
    provider.script = [(401, {}, {"error": {"message": "wrong key", "type": "invalid_api_key"}})]
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    way = WAYS[protocol]
    async with http.post(door.url + way.path, json=way.body("Hi"), headers={"x-api-key": door.token}) as got:
        assert got.headers["x-should-retry"] == "false"
        assert got.status == (400 if protocol == "responses" else 401)
        assert "wrong key" in await got.text()
    assert live.refusals == {401: 1}


async def test_an_openai_client_asks_once_when_the_budget_is_spent(live: LocalGateway) -> None:
    door = await live.open(ModelAccess("b1", "T1", 1, Options(), purses=of_build(Decimal(1), Decimal(1))))
    async with AsyncOpenAI(api_key=door.token, base_url=f"{door.url}/v1", max_retries=5) as client:
        with pytest.raises(APIStatusError) as refused:
            await client.responses.create(model="gpt-5", input="go")
    assert refused.value.status_code == 400
    assert "budget" in str(refused.value)


async def test_lists_counts_and_embeddings(live: LocalGateway, provider: Provider, http: aiohttp.ClientSession) -> None:
    door = await live.open(ModelAccess("b1", "T1", 1, Options(model="gemini-2.5-flash")))
    headers = {"x-goog-api-key": door.token}
    async with http.get(f"{door.url}/v1beta/models", headers=headers) as got:
        assert [one["name"] for one in (await got.json())["models"]] == ["models/gemini-2.5-flash"]
    for path in ("/v1/models", "/models"):
        async with http.get(door.url + path, headers=headers) as got:
            assert (await got.json())["data"][0]["id"] == "gemini-2.5-flash"
    provider.script = [{"totalTokens": 31}]
    path = "/v1beta/models/gemini-2.5-flash:countTokens"
    async with http.post(f"{door.url}{path}?key={door.token}", json={"contents": []}) as got:
        assert await got.json() == {"totalTokens": 31}
    assert provider.requests[-1][0] == path
    assert live.metered(door) == []
    provider.script = [{"data": [], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 9}}]
    body = {"model": "text-embedding-3-small", "input": "words"}
    async with http.post(f"{door.url}/v1/embeddings", json=body, headers=headers) as got:
        assert (await got.json())["usage"] == {"prompt_tokens": 9}
    (spend,) = live.metered(door)
    assert (spend.model, spend.input_tokens, spend.output_tokens) == ("text-embedding-3-small", 9, 0)
    async with http.get(f"{door.url}/v1/responses", headers=headers) as got:
        assert got.status == 404


async def test_a_gemini_answer_without_a_stream_or_as_a_list_is_metered(
    live: LocalGateway, provider: Provider, http: aiohttp.ClientSession
) -> None:
    chunk = json.loads(gemini_stream("Hello", thoughtsTokenCount=5)[0].removeprefix(b"data: "))
    door = await live.open(ModelAccess("b1", "T1", 1, Options()))
    for method, answer in (("generateContent", chunk), ("streamGenerateContent", [chunk])):
        provider.script = [(200, {}, answer)]
        address = f"{door.url}/v1beta/models/gemini-2.5-flash:{method}"
        async with http.post(address, json=WAYS["gemini"].body("Hi"), headers={"x-goog-api-key": door.token}) as got:
            assert await got.json() == answer
        (spend,) = live.metered(door)
        assert (spend.model, spend.input_tokens, spend.output_tokens) == ("gemini-2.5-flash", 100, 12)
