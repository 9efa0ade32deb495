"""Replay over real HTTP: which entry answers, how it is put for the client, faults, pace, doors."""

from __future__ import annotations

import asyncio
import io
import json
import resource
import zlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from genai_prices import Usage, calc_price

from buildwright.core.limits import Options
from buildwright.errors import BadSpec
from buildwright.gateway import LocalGateway
from buildwright.ports import ModelAccess, ModelEndpoint

Ask = Callable[..., Awaitable[tuple[int, Any]]]

HEAD = "version: 1\nmodel: claude-sonnet-4-5\nturns:\n"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(*tools: str) -> dict[str, Any]:
    blocks = [{"type": "tool_use", "id": f"t{n}", "name": name, "input": {}} for n, name in enumerate(tools)]
    return {"role": "assistant", "content": [*blocks, {"type": "text", "text": "ok"}]}


TOOL_RESULT = {
    "role": "user",
    "content": [
        {"type": "tool_result", "tool_use_id": "t0", "content": "fine"},
        {"type": "text", "text": "<reminder>"},
    ],
}


class Script:
    """A door onto a cassette, and a way to ask through it."""

    def __init__(self, gateway: LocalGateway, http: aiohttp.ClientSession, folder: Path) -> None:
        self.gateway, self.http, self.folder = gateway, http, folder
        self.door = ModelEndpoint("", "")

    async def open(self, turns: str, task: str = "T1", attempt: int = 1, lane: Path | None = None) -> ModelEndpoint:
        file = self.folder / "script.yaml"
        file.write_text(HEAD + turns)
        self.door = await self.gateway.open(ModelAccess("b1", task, attempt, Options(cassette=str(file)), lane))
        return self.door

    def post(
        self, *messages: dict[str, Any], path: str = "/v1/messages", tools: list[str] | None = None, **more: Any
    ) -> Any:
        body = {"model": "asked-for", "max_tokens": 10, "messages": list(messages) or [user("Hi")], **more}
        if tools:
            body["tools"] = [{"name": name, "input_schema": {}} for name in tools]
        return self.http.post(self.door.url + path, json=body, headers={"x-api-key": self.door.token})

    async def ask(self, *messages: dict[str, Any], **more: Any) -> dict[str, Any]:
        async with self.post(*messages, **more) as got:
            body = await got.json()
            assert got.status == 200, body
            assert isinstance(body, dict)
            return body

    async def text(self, *messages: dict[str, Any], **more: Any) -> str:
        return str((await self.ask(*messages, **more))["content"][0]["text"])


@pytest.fixture
def script(replaying: LocalGateway, http: aiohttp.ClientSession, tmp_path: Path) -> Script:
    return Script(replaying, http, tmp_path)


async def test_the_first_entry_that_matches_answers(script: Script) -> None:
    turns = """
  - {when: {task: T1, attempt: 2}, reply: {text: second attempt}}
  - {when: {task: T1, contains: findings}, reply: {text: about findings}}
  - {when: {task: T1, tool: Grep}, reply: {text: with grep}}
  - {when: {task: T1, message: 1}, reply: {text: second message}}
  - {when: {task: T1, turn: 1}, reply: {text: second turn}}
  - {when: {task: T1}, reply: {text: T1}}
  - {when: {task: plan}, reply: {text: the planner}}
  - {when: {task: 7}, reply: {text: a number}}
"""
    await script.open(turns)
    assert await script.text(user("Hi")) == "T1"
    assert await script.text(user("see the findings")) == "about findings"
    assert await script.text(user("Hi"), tools=["Read", "Grep"]) == "with grep"
    assert await script.text(user("Hi"), assistant(), user("More")) == "second message"
    assert await script.text(user("Hi"), assistant("Read"), TOOL_RESULT) == "second turn"
    await script.open(turns, attempt=2)
    assert await script.text(user("Hi")) == "second attempt"
    await script.open(turns, task="")
    assert await script.text(user("Hi")) == "the planner"
    await script.open(turns, task="7")
    assert await script.text(user("Hi")) == "a number"


async def test_no_match_says_what_was_asked_and_which_file_lacks_it(script: Script) -> None:
    await script.open("  - {when: {task: T1, turn: 0}, reply: {text: a}}\n", task="T9", attempt=3)
    async with script.post(user("Do   the\nthing"), tools=["Read"]) as got:
        assert (got.status, got.headers["x-should-retry"]) == (400, "false")
        error = (await got.json())["error"]
    assert error["type"] == "invalid_request_error"
    for part in ("script.yaml", "task T9", "attempt 3", "turn 0", "'Do the thing'", "Read"):
        assert part in error["message"]
    assert script.gateway.metered(script.door) == []


FILES = """
  - when: {task: T1, turn: 0}
    reply:
      say: Here.
      files: {a.py: "A = 1\\n", dir/b.py: "B = 2"}
      delete: [old file.py]
"""


async def test_files_for_a_client_without_tools_are_blocks(script: Script) -> None:
    await script.open(FILES)
    expected = (
        "Here.\n=== FILE: a.py ===\nA = 1\n=== END FILE ===\n"
        "=== FILE: dir/b.py ===\nB = 2\n=== END FILE ===\n=== DELETE: old file.py ===\n"
    )
    assert await script.text(user("Hi")) == expected
    body = await script.ask(user("Hi"), path="/v1/chat/completions")
    assert body["choices"][0]["message"]["content"] == expected


async def test_files_for_a_client_with_tools_are_calls(script: Script, tmp_path: Path) -> None:
    lane = tmp_path / "lane"
    lane.mkdir()
    (lane / "a.py").write_text("old\n")
    await script.open(FILES, lane=lane)
    tools = ["Read", "Write", "Bash"]
    first = await script.ask(user("Hi"), tools=tools)
    assert first["stop_reason"] == "tool_use"
    assert [block.get("text") or block["name"] for block in first["content"]] == ["Here.", "Read"]
    assert first["content"][1]["input"] == {"file_path": f"{lane}/a.py"}
    second = await script.ask(user("Hi"), assistant("Read"), TOOL_RESULT, tools=tools)
    assert [block["input"] for block in second["content"]] == [
        {"file_path": f"{lane}/a.py", "content": "A = 1\n"},
        {"file_path": f"{lane}/dir/b.py", "content": "B = 2"},
        {"command": f"rm -f -- '{lane}/old file.py'", "description": "Change files"},
    ]
    done = (user("Hi"), assistant("Read"), TOOL_RESULT, assistant("Write", "Write", "Bash"), TOOL_RESULT)
    last = await script.ask(*done, tools=tools)
    assert (last["content"], last["stop_reason"]) == ([{"type": "text", "text": "Done."}], "end_turn")
    ids = {block["id"] for body in (first, second) for block in body["content"] if "id" in block}
    assert len(ids) == 4


async def test_tools_know_the_lane_and_are_closed_unless_the_script_goes_on(script: Script, tmp_path: Path) -> None:
    call = "[{name: Bash, input: {command: 'ls ${LANE}', list: ['${LANE}', 1]}}]"
    await script.open(
        f"  - {{when: {{turn: 0}}, reply: {{say: Look., tools: {call}}}}}\n"
        "  - {when: {turn: 1, contains: more}, reply: {text: I went on.}}\n",
        lane=tmp_path,
    )
    body = await script.ask(user("Hi"))
    assert body["content"][1]["input"] == {"command": f"ls {tmp_path}", "list": [str(tmp_path), 1]}
    assert await script.text(user("Hi"), assistant("Bash"), TOOL_RESULT) == "Done."
    assert await script.text(user("more"), assistant("Bash"), TOOL_RESULT) == "I went on."


async def test_usage_is_what_the_script_says_else_counted_and_always_the_same(script: Script) -> None:
    await script.open(
        "  - {when: {contains: exact}, reply: {text: a}, "
        "usage: {input: 1200, output: 400, cache_read: 50, cache_write: 6}}\n"
        "  - {reply: {text: 'twelve chars'}, model: claude-opus-4-5}\n"
    )
    body = await script.ask(user("exact"))
    assert body["usage"] == {
        "input_tokens": 1200,
        "cache_creation_input_tokens": 6,
        "cache_read_input_tokens": 50,
        "output_tokens": 400,
    }
    other = await script.ask(user("rough"))
    assert other == await script.ask(user("rough"))
    assert (other["model"], other["usage"]["output_tokens"]) == ("claude-opus-4-5", 4)
    exact, rough, again = script.gateway.metered(script.door)
    assert rough == again
    usage = Usage(input_tokens=1256, output_tokens=400, cache_read_tokens=50, cache_write_tokens=6)
    price = calc_price(usage, "claude-sonnet-4-5", provider_id="anthropic").total_price
    assert Decimal(exact.cost_usd or 0) == price


@pytest.mark.parametrize("stream", [True, False])
async def test_openai_answers_are_metered_though_the_client_does_not_ask(script: Script, stream: bool) -> None:
    await script.open("  - {reply: {text: hello}, usage: {input: 10, output: 5, cache_read: 3}}\n")
    async with script.post(path="/v1/chat/completions", stream=stream) as got:
        raw = await got.read()
    if stream:
        chunks = [json.loads(line[6:]) for line in raw.split(b"\n\n") if line and line != b"data: [DONE]"]
        assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "hello"
        assert raw.endswith(b"data: [DONE]\n\n")
    (spend,) = script.gateway.metered(script.door)
    assert spend[4:8] == (10, 5, 3, 0)


async def test_scripted_statuses_come_first_then_the_answer(script: Script) -> None:
    faults = "[{kind: 429, times: 2, retry_after: 0.5}, {kind: '529'}, {kind: 500}]"
    turns = f"  - {{reply: {{text: at last}}, faults: {faults}}}\n"
    first, seen = await script.open(turns), []
    for _ in range(4):
        async with script.post() as got:
            seen.append((got.status, got.headers.get("retry-after"), (await got.json())["error"]["type"]))
    assert seen == [
        (429, "0.5", "rate_limit_error"),
        (429, "0.5", "rate_limit_error"),
        (529, None, "overloaded_error"),
        (500, None, "api_error"),
    ]
    assert await script.text() == "at last"
    assert len(script.gateway.metered(first)) == 1
    await script.open(turns)
    async with script.post() as got:
        assert got.status == 429  # Another door counts for itself.


async def test_a_cut_stream_breaks_where_the_script_says(script: Script) -> None:
    await script.open(
        "  - {reply: {text: 'abcdefghijklmnopqrstuvwxyz'}, usage: {input: 9, output: 9}, "
        "faults: [{kind: cut, after_chars: 10}]}\n"
    )
    async with script.post(stream=True) as got:
        seen = b""
        while b"abcdefghij" not in seen:
            seen += await got.content.readany()
        with pytest.raises(aiohttp.ClientPayloadError):
            seen += await got.read()
    assert b"klm" not in seen
    assert [spend[4:6] for spend in script.gateway.metered(script.door)] == [(9, 2)]
    async with script.post(stream=True) as got:
        assert (await got.read()).endswith(b'data: {"type":"message_stop"}\n\n')


async def test_a_fault_strikes_an_answer_without_stream_too(script: Script) -> None:
    await script.open("  - {reply: {text: a}, faults: [{kind: cut}, {kind: hang, seconds: 0.05}]}\n")
    for _ in range(2):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await script.ask()
    assert await script.text() == "a"
    assert len(script.gateway.metered(script.door)) == 1


async def test_an_error_event_ends_a_stream(script: Script) -> None:
    await script.open("  - {reply: {text: 'abcdefghij'}, faults: [{kind: error, after_chars: 4}]}\n")
    async with script.post(stream=True) as got:
        raw = await got.read()
    assert b'"abcd"' in raw
    assert raw.rstrip().splitlines()[-1].startswith(b'data: {"type":"error","error":{"type":"overloaded_error"')


async def test_a_hanging_answer_ends_with_its_door(script: Script) -> None:
    await script.open("  - {reply: {text: 'abcdefghij'}, faults: [{kind: hang, seconds: 600, after_chars: 4}]}\n")
    async with script.post(stream=True) as got:
        seen = b""
        while b"abcd" not in seen:
            seen += await got.content.readany()
        await script.gateway.shut(script.door)
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.read()


async def test_the_gateway_closes_while_answers_hang(script: Script) -> None:
    await script.open("  - {reply: {text: 'abcdefghij'}, faults: [{kind: hang, seconds: 600, after_chars: 4}]}\n")
    async with script.post(stream=True) as got:
        await got.content.readany()
        await script.gateway.close()
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.read()
    with pytest.raises(aiohttp.ClientConnectionError):
        await script.ask()


async def test_a_paced_answer_comes_in_pieces(script: Script) -> None:
    await script.open(f"  - {{reply: {{text: '{'word ' * 40}'}}, pace: {{tokens_per_second: 1000}}}}\n")
    async with script.post(stream=True) as got:
        assert (await got.read()).count(b"text_delta") == 2
    await script.open(f"  - {{reply: {{text: '{'word ' * 40}'}}, pace: {{tokens_per_second: 100}}}}\n")
    async with script.post(stream=True) as got:
        assert (await got.read()).count(b"text_delta") == 13


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/messages", "authentication_error"), ("/v1/chat/completions", "authentication_error")]
)
async def test_a_wrong_token_is_refused_for_good(script: Script, path: str, kind: str) -> None:
    right = await script.open("  - {reply: {text: a}}\n")
    script.door = ModelEndpoint(right.url, right.token[:-1])
    async with script.post(path=path) as got:
        assert (got.status, got.headers["x-should-retry"]) == (401, "false")
        assert (await got.json())["error"]["type"] == kind
    other = await script.open("  - {reply: {text: a}}\n")
    script.door = ModelEndpoint(other.url, right.token)
    async with script.post(path=path) as got:
        assert got.status == 401
    assert script.gateway.denied(other) == ("the gateway: a wrong token",)
    script.door = ModelEndpoint(other.url + "x", other.token)
    async with script.post(path=path) as got:
        assert got.status == 401
    script.door = other
    async with script.post(path="/upload/" + "x" * 200) as got:
        assert got.status == 404
    wrong, address = script.gateway.denied(other)
    assert (wrong, address[:34], len(address)) == (
        "the gateway: a wrong token",
        "the gateway: POST /upload/xxxxxxxx",
        113,
    )


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"model": "m"}', b'{"messages": []}', b"[" * 100_000, b'{"messages":[1],"model":"m"}']
)
async def test_a_bad_body_is_a_400_in_the_protocols_words(
    script: Script, http: aiohttp.ClientSession, raw: bytes
) -> None:
    door = await script.open("  - {reply: {text: a}}\n")
    async with http.post(f"{door.url}/v1/messages", data=raw, headers={"x-api-key": door.token}) as got:
        assert got.status == 400
        assert (await got.json())["error"]["type"] == "invalid_request_error"
    async with http.post(f"{door.url}/v1/chat/completions", data=raw, headers={"x-api-key": door.token}) as got:
        assert got.status == 400
        assert (await got.json())["error"]["code"] == "invalid_request_error"


async def test_a_body_beyond_the_limit_is_refused(script: Script, http: aiohttp.ClientSession) -> None:
    door = await script.open("  - {reply: {text: a}}\n")
    raw = io.BytesIO(b" " * (32 * 1024 * 1024 + 1))
    async with http.post(f"{door.url}/v1/messages", data=raw, headers={"x-api-key": door.token}) as got:
        assert got.status == 413
        assert (await got.json())["error"]["type"] == "request_too_large"


async def test_the_small_addresses(script: Script, http: aiohttp.ClientSession) -> None:
    door = await script.open("  - {reply: {text: a}}\n")
    headers = {"Authorization": f"Bearer {door.token}"}
    for address in (door.url, f"{door.url}/"):
        async with http.head(address) as got:
            assert got.status == 200
    async with http.get(f"{door.url}/v1/models", headers=headers) as got:
        assert [one["id"] for one in (await got.json())["data"]] == ["claude-sonnet-4-5"]
    async with http.get(f"{door.url}/v1/models") as got:
        assert got.status == 401
    body = {"model": "m", "messages": [user("x" * 4000)]}
    async with http.post(f"{door.url}/v1/messages/count_tokens", json=body, headers=headers) as got:
        assert 1000 < (await got.json())["input_tokens"] < 1030
    async with http.get(f"{door.url}/v1/files", headers=headers) as got:
        assert (got.status, (await got.json())["error"]["type"]) == (404, "not_found_error")


async def test_a_wrong_cassette_is_refused_at_the_door(script: Script, tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match=r"script\.yaml \(turns\[0\]\.reply\)"):
        await script.open("  - {reply: {}}\n")
    with pytest.raises(BadSpec, match=r"none\.yaml"):
        await script.gateway.open(ModelAccess("b1", "T1", 1, Options(cassette=str(tmp_path / "none.yaml"))))


@pytest.mark.parametrize("form", ["gzip", "deflate"])
async def test_a_small_body_that_becomes_a_large_one_is_refused_before_it_is_large(script: Script, form: str) -> None:
    """Clients may compress what they ask. A megabyte of it that means a gigabyte is given up at the limit."""
    await script.open("  - {reply: {text: Hello.}}\n")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if form == "gzip" else 15)
    body = packer.compress(b'{"model": "') + b"".join(packer.compress(b"x" * 1_000_000) for _ in range(2_000))
    body += packer.flush()
    assert len(body) < 4_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    head = {"x-api-key": script.door.token, "Content-Encoding": form}
    async with script.http.post(f"{script.door.url}/v1/messages", data=io.BytesIO(body), headers=head) as got:
        assert got.status == 413, await got.text()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 1_000_000_000
    assert await script.text() == "Hello."


async def test_large_requests_at_once_are_refused_when_they_are_too_much_together(script: Script) -> None:
    """Each is allowed, and all of them would fill the memory; what is under way is answered, and then there is room."""
    await script.open("  - {reply: {text: Hello.}, faults: [{kind: hang, seconds: 600, times: 4}]}\n")
    large = user("x" * 30_000_000)
    body = zlib.compress(json.dumps({"model": "m", "max_tokens": 10, "messages": [large]}).encode())
    head = {"x-api-key": script.door.token, "Content-Encoding": "deflate"}

    async def ask() -> tuple[int, str]:
        data = io.BytesIO(body)
        async with script.http.post(f"{script.door.url}/v1/messages", data=data, headers=head) as got:
            return got.status, await got.text()

    asked = [asyncio.create_task(ask()) for _ in range(9)]
    done: set[asyncio.Task[tuple[int, str]]] = set()
    while len(done) < 5:
        done, waiting = await asyncio.wait(asked, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert done, "those that are too much are refused at once"
        await asyncio.sleep(0.05)
    assert {one.result()[0] for one in done} == {429}
    assert all("under way" in one.result()[1] for one in done)
    for one in waiting:
        one.cancel()
    await asyncio.wait(waiting)
    async with asyncio.timeout(60):
        while (again := await ask())[0] == 429:  # until the gateway has seen that nobody waits any more
            await asyncio.sleep(0.05)
    assert again[0] == 200
