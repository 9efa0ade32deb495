"""Finished answers are kept and played again: real HTTP to a fake provider, a real journal file, one gateway for each life."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from buildwright.core.limits import Options
from buildwright.errors import StoreFailed
from buildwright.gateway import LocalGateway
from buildwright.gateway.exchange import AnswerReader, Protocol
from buildwright.gateway.parse import EventScanner, read_event
from buildwright.gateway.protocols import read_request
from buildwright.gateway.response_cache import LARGEST, digest_of, move_answer
from buildwright.ports import GO_ON, AnswerKey, Answers, ModelAccess, ModelEndpoint
from buildwright.store.journal_sqlite import SqliteBuilds
from tests.gateway.provider import Provider, anthropic_stream, of_build, openai_stream, sse

MESSAGES: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hi"}],
}
CHAT: dict[str, Any] = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}
WHOLE = {
    "type": "message",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 5},
}
WHOLE_CHAT = {
    "model": "gpt-5",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5},
}

Live = Callable[..., Any]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteBuilds]:
    opened = await SqliteBuilds.open(tmp_path / "state.db", tmp_path / "artifacts")
    yield opened
    await opened.close()


@pytest.fixture
def life(provider: Provider, store: SqliteBuilds, tmp_path: Path) -> Live:
    """One process's gateway on what all of them keep."""

    @asynccontextmanager
    async def living(answers: Answers = store) -> AsyncIterator[LocalGateway]:
        gateway = LocalGateway(provider.environment(), tmp_path, answers=answers)
        try:
            yield gateway
        finally:
            await gateway.close()

    return living


async def ask(
    http: aiohttp.ClientSession, door: ModelEndpoint, body: dict[str, Any], **headers: str
) -> tuple[int, bytes, str]:
    path = "/v1/messages" if "max_tokens" in body else "/v1/chat/completions"
    async with http.post(door.url + path, json=body, headers={"x-api-key": door.token, **headers}) as got:
        return got.status, await got.read(), got.content_type


@pytest.mark.parametrize(
    ("body", "script"),
    [
        (MESSAGES | {"stream": True}, anthropic_stream("Hel", "lo")),
        (MESSAGES, WHOLE),
        (CHAT | {"stream": True}, openai_stream("Hel", "lo", usage={"prompt_tokens": 3, "completion_tokens": 5})),
        (CHAT, WHOLE_CHAT),
    ],
    ids=["messages-stream", "messages", "chat-stream", "chat"],
)
async def test_an_attempt_that_is_begun_again_gets_the_same_bytes_and_the_same_spend_for_nothing(
    life: Live, provider: Provider, http: aiohttp.ClientSession, body: dict[str, Any], script: Any
) -> None:
    provider.script = [script]
    volatile = {"metadata": {"user_id": "one"}} if "max_tokens" in body else {"user": "one"}
    async with life() as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        bought = await ask(http, door, body | volatile)
        (first,) = gateway.metered(door)
    async with life() as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options(), purses=of_build(Decimal(1), Decimal(1))))
        again = await ask(http, door, body | dict.fromkeys(volatile, "two"), **{"x-request-id": "other"})
        (second,) = gateway.metered(door)
        assert (await ask(http, door, body | {"temperature": 0.5}))[0] == 402
    assert bought == again
    assert bought[0] == 200
    assert first == second
    assert first.request
    assert len(provider.requests) == 1


async def test_asking_the_same_twice_buys_twice_and_both_are_played_in_order(
    life: Live, provider: Provider, http: aiohttp.ClientSession
) -> None:
    provider.script = [anthropic_stream(word) for word in ("one", "two", "three")]
    body = MESSAGES | {"stream": True}
    async with life() as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        bought = [(await ask(http, door, body))[1] for _ in range(2)]
        spends = gateway.metered(door)
    assert bought[0] != bought[1]
    async with life() as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        assert [(await ask(http, door, body))[1] for _ in range(2)] == bought
        assert gateway.metered(door) == spends
        assert len(provider.requests) == 2
        assert b"three" in (await ask(http, door, body))[1]
        for task, attempt in (("T1", 2), ("T2", 1)):
            await ask(http, await gateway.open(ModelAccess("b1", task, attempt, Options())), body)
    assert len(provider.requests) == 5


async def test_only_what_came_to_its_own_end_is_kept(
    life: Live, provider: Provider, http: aiohttp.ClientSession
) -> None:
    good = anthropic_stream("whole")
    broken = sse({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, {"type": "message_stop"})
    provider.script = [
        [*good[:3], None],
        (529, {}, {"error": {"type": "overloaded_error"}}),
        [*good[:1], *broken],
        anthropic_stream("I will not", stop="refusal"),
        good,
    ]
    body = MESSAGES | {"stream": True}
    async with life() as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask(http, door, body)
        for _ in range(3):
            await ask(http, door, body)
    async with life() as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        assert (await ask(http, door, body))[1] == b"".join(good)
        assert len(provider.requests) == 5
    async with life() as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        assert (await ask(http, door, body))[1] == b"".join(good)
    assert len(provider.requests) == 5


class Held:
    """Keeps an answer only when it is let."""

    def __init__(self, inner: Answers, error: Exception | None = None) -> None:
        self.inner, self.error = inner, error
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def find_answer(self, key: AnswerKey) -> bytes | None:
        return await self.inner.find_answer(key)

    async def keep_answer(self, key: AnswerKey, answer: bytes) -> None:
        self.asked.set()
        await self.let.wait()
        if self.error is not None:
            raise self.error
        await self.inner.keep_answer(key, answer)


async def test_the_agent_gets_the_end_only_after_the_answer_is_kept(
    life: Live, provider: Provider, http: aiohttp.ClientSession, store: SqliteBuilds
) -> None:
    written = anthropic_stream("Hel", "lo")
    # A pause before the end, so that the pieces do not come as one.
    provider.script = [[*written[:-1], gate := asyncio.Event(), written[-1]]]
    held = Held(store)
    async with life(held) as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        headers = {"x-api-key": door.token}
        async with http.post(f"{door.url}/v1/messages", json=MESSAGES | {"stream": True}, headers=headers) as got:
            early = b"".join(written[:-1])
            assert await got.content.readexactly(len(early)) == early
            gate.set()
            await held.asked.wait()
            ending = asyncio.create_task(got.content.read())
            await asyncio.sleep(0.05)
            assert not ending.done()
            held.let.set()
            assert await ending == written[-1]


async def test_a_record_that_cannot_be_written_costs_no_answer_and_one_that_cannot_be_read_is_asked_again_later(
    life: Live, provider: Provider, http: aiohttp.ClientSession, store: SqliteBuilds, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script = [anthropic_stream("x")]
    failing = Held(store, StoreFailed("no disk"))
    failing.let.set()
    async with life(failing) as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        assert (await ask(http, door, MESSAGES | {"stream": True}))[0] == 200
        assert len(gateway.metered(door)) == 1
    assert "bought again" in caplog.text

    class Unreadable(Held):
        async def find_answer(self, key: AnswerKey) -> bytes | None:
            raise StoreFailed("the database is locked")

    async with life(Unreadable(store)) as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
        status, said, _ = await ask(http, door, MESSAGES | {"stream": True})
    assert status == 503
    assert b"database is locked" in said
    assert len(provider.requests) == 1


async def test_very_long_answers_and_those_of_nothing_that_runs_again_are_not_kept(
    life: Live, provider: Provider, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script = [anthropic_stream(*["x" * 500_000] * (LARGEST // 500_000 + 1))]
    body = MESSAGES | {"stream": True}
    async with life() as gateway:
        for _ in range(2):
            door = await gateway.open(ModelAccess("b1", "T1", 1, Options()))
            assert len((await ask(http, door, body))[1]) > LARGEST
        assert f"more than {LARGEST} bytes" in caplog.text
        provider.script = [anthropic_stream("x")]
        for _ in range(2):
            assert (await ask(http, await gateway.open(ModelAccess("b1", "", 1, Options(), kept=False)), body))[
                0
            ] == 200
    assert len(provider.requests) == 4


async def test_a_cassette_is_kept_like_a_provider(
    life: Live, http: aiohttp.ClientSession, tmp_path: Path, store: SqliteBuilds
) -> None:
    cassette = tmp_path / "script.yaml"
    turn = "version: 1\nmodel: claude-sonnet-4-5\nturns:\n  - reply: {text: %s}\n    usage: {input: 7, output: 9}\n"
    bodies = [MESSAGES, MESSAGES | {"stream": True}, CHAT, CHAT | {"stream": True}]
    said = []
    for word in ("first", "second"):
        cassette.write_text(turn % word)
        async with life() as gateway:
            door = await gateway.open(ModelAccess("b1", "T1", 1, Options(cassette=str(cassette))))
            said.append(([await ask(http, door, body) for body in bodies], gateway.metered(door)))
    assert said[0] == said[1]
    assert [spend.output_tokens for spend in said[0][1]] == [9, 9, 9, 9]
    assert len({spend.request for spend in said[0][1]}) == 4


# --- another lane --------------------------------------------------------------------------------------------------


def tool_stream(protocol: Protocol, *pieces: str) -> list[bytes]:
    """An answer that calls a tool; the JSON of its input comes in these pieces."""
    if protocol == "openai":
        head = {"model": "gpt-5", "object": "chat.completion.chunk"}
        calls = [
            head
            | {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]}
            for piece in pieces
        ]
        named = {"index": 0, "id": "c1", "function": {"name": "Write", "arguments": ""}}
        first = head | {"choices": [{"index": 0, "delta": {"tool_calls": [named]}}]}
        last = head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
        return sse(first, *calls, last, "[DONE]")
    block = {"type": "tool_use", "id": "t1", "name": "Write", "input": {}}
    return sse(
        {"type": "message_start", "message": {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    )


def calls_of(protocol: Protocol, body: bytes) -> list[dict[str, Any]]:
    reader = AnswerReader(protocol)
    for event in EventScanner().feed(body):
        read_event(reader, event)
    return [call.input for call in reader.calls]


@pytest.mark.parametrize("protocol", ["anthropic", "openai"])
async def test_on_another_worker_the_same_question_gets_the_answer_with_its_own_paths(
    life: Live, provider: Provider, http: aiohttp.ClientSession, tmp_path: Path, protocol: Protocol
) -> None:
    old, new = tmp_path / "w1" / "T1-1" / "files", tmp_path / "w2" / "lanes" / "T1-1" / "files"
    path = str(old)
    half = len(path) // 2
    answer = tool_stream(protocol, '{"file_path": "' + path[:half], path[half:] + '/a.txt", "content": "x"}')
    provider.script = [answer]

    def question(lane: Path) -> dict[str, Any]:
        folder = re.sub(r"[^a-zA-Z0-9]", "-", str(lane))
        text = f"Work in {lane}, your home is {lane.parent}/home/claude/projects/{folder}."
        base = MESSAGES if protocol == "anthropic" else CHAT
        return base | {"stream": True, "messages": [{"role": "user", "content": text}]}

    async with life() as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options(), old))
        assert (await ask(http, door, question(old)))[1] == b"".join(answer)
    async with life() as gateway:
        door = await gateway.open(ModelAccess("b1", "T1", 1, Options(), new))
        _, moved, _ = await ask(http, door, question(new))
        assert calls_of(protocol, moved) == [{"file_path": f"{new}/a.txt", "content": "x"}]
        assert path.encode() not in moved
    assert len(provider.requests) == 1


def test_whole_answers_are_moved_but_what_is_signed_stays() -> None:
    answer = {"content": [{"type": "thinking", "thinking": "/old/files"}, {"type": "text", "text": "in /old/files"}]}
    raw = json.dumps(answer).encode()
    moved = json.loads(move_answer(raw, "anthropic", (("/old/files", "/new/ü"),), streamed=False))
    assert moved["content"] == [{"type": "thinking", "thinking": "/old/files"}, {"type": "text", "text": "in /new/ü"}]
    assert move_answer(raw, "anthropic", (("/elsewhere", "/new"),), streamed=False) == raw
    assert move_answer(b"as it is", "anthropic", (), streamed=True) == b"as it is"


def test_a_bare_go_on_is_no_question_to_codex_either() -> None:
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Do it."}]}
    go_on = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": GO_ON}]}
    more = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": f"{GO_ON} And test it."}]}

    def digest(*items: dict[str, Any]) -> str:
        return digest_of(read_request("responses", json.dumps({"model": "m", "input": items}).encode()), None)

    assert digest(said, go_on) == digest(said)
    assert digest(said, more) != digest(said)


def test_what_changes_the_question_and_what_does_not() -> None:
    said: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "Do it."}]}]

    def digest(messages: list[dict[str, Any]] = said, **more: Any) -> str:
        body = {"model": "m", "max_tokens": 9, "messages": messages, **more}
        return digest_of(read_request("anthropic", json.dumps(body).encode()), None)

    same = digest()
    cached = [{"role": "user", "content": [{"type": "text", "text": "Do it.", "cache_control": {"type": "ephemeral"}}]}]
    marked = [{"role": "user", "content": [*said[0]["content"], {"type": "text", "text": GO_ON}]}]
    apart = [*said, {"role": "user", "content": GO_ON}]
    assert {digest(cached), digest(marked), digest(apart), digest(metadata={"user_id": "x"})} == {same}
    other: list[dict[str, Any]] = [
        {"temperature": 1},
        {"system": "x"},
        {"tools": []},
        {"stream": True},
        {"max_tokens": 8},
    ]
    assert len({same, *(digest(**one) for one in other), digest([*said, *said])}) == 7
