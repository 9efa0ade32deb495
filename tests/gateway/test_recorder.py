"""Recording against a fake provider, and playing the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from buildwright.core.limits import Options
from buildwright.errors import BadSettings
from buildwright.gateway import GatewayModel, LocalGateway, cassette
from buildwright.ports import ModelAccess, ModelEndpoint, Text, Turn
from tests.gateway.provider import ANTHROPIC_KEY, Provider, anthropic_stream, sse

TOOLS = [{"name": "Write", "input_schema": {}}, {"name": "final_result", "input_schema": {}}]
DONE = {"type": "text", "text": "Written."}
ODD = "# code: |\n  indented  \n\ttab ünï 🌍\n\n- a: *b\n'quoted' \x07"


def message(*content: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 11, "output_tokens": 22, "cache_read_input_tokens": 33, "cache_creation_input_tokens": 4}
    return {"type": "message", "model": "claude-opus-4-5", "content": list(content), "stop_reason": "x", "usage": usage}


async def say(door: ModelEndpoint, text: str) -> str:
    pieces = GatewayModel(delay=0.01).stream(door, "claude-opus-4-5", "", [Turn("user", text)])
    return "".join([piece.text async for piece in pieces if isinstance(piece, Text)])


async def post(http: aiohttp.ClientSession, door: ModelEndpoint, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    body = {"model": "m", "messages": list(messages), "tools": TOOLS[:1]}
    async with http.post(f"{door.url}/v1/messages", json=body, headers={"x-api-key": door.token}) as got:
        content = (await got.json())["content"]
    return [{key: value for key, value in block.items() if key != "id"} for block in content]


async def test_what_was_recorded_replays(provider: Provider, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    lane, file = tmp_path / "lane-7", Path("tapes/build.yaml")
    leak = f"keys: {ANTHROPIC_KEY} and sk-ant-api03-{'z' * 30} in {lane}/x\n"
    call = {"type": "tool_use", "name": "Write", "input": {"file_path": f"{lane}/a.py", "content": ODD}}
    broken = [*anthropic_stream("half")[:3], None]
    overload = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
    provider.script = [
        (529, {}, overload),
        anthropic_stream("streamed ", ODD, leak),
        message({"type": "text", "text": "I write."}, call | {"id": "t1"}),
        message({"type": "text", "text": "Written."}),
        broken,
        [*anthropic_stream("half")[:3], *sse(overload)],
    ]
    recording = LocalGateway(provider.environment(), tmp_path, file)
    first = await recording.open(ModelAccess("b1", "", 1, Options(), lane))
    spoken = await say(first, "plan it")
    door = await recording.open(ModelAccess("b1", "T1", 2, Options(), lane))
    start = {"role": "user", "content": "do it"}
    later: list[dict[str, Any]] = [start, {"role": "assistant", "content": [call | {"id": "t1"}]}]
    later.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]})
    written, closed = await post(http, door, start), await post(http, door, *later)
    third = await recording.open(ModelAccess("b1", "T2", 1, Options(), lane))
    async with http.post(
        f"{third.url}/v1/messages",
        json={"model": "m", "messages": [start], "stream": True},
        headers={"x-api-key": third.token},
    ) as got:
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.read()
    await recording.close()

    tape = tmp_path / file
    text = tape.read_text()
    for secret in (ANTHROPIC_KEY, first.token, door.token, "z" * 30, str(lane)):
        assert secret not in text
    entries = cassette.load(tape).turns
    assert [(one.when.task, one.when.attempt, one.when.turn) for one in entries] == [
        ("plan", 1, 0),
        ("T1", 2, 0),
        ("T1", 2, 1),
    ]

    elsewhere = tmp_path / "other-lane"
    playing = LocalGateway({}, tmp_path)
    options = Options(cassette=str(tape))
    again = await playing.open(ModelAccess("b2", "", 1, options, elsewhere))
    expected = spoken.replace(ANTHROPIC_KEY, "[secret]").replace(f"sk-ant-api03-{'z' * 30}", "[secret]")
    assert await say(again, "plan it") == expected.replace(str(lane), str(elsewhere))
    door = await playing.open(ModelAccess("b2", "T1", 2, options, elsewhere))
    assert str(written).replace(str(lane), str(elsewhere)) == str(await post(http, door, start))
    assert await post(http, door, *later) == closed
    spends = playing.metered(door)
    assert [spend[3:8] for spend in spends] == [("claude-opus-4-5", 11, 22, 33, 4)] * 2
    await playing.close()


async def test_a_structured_answer_is_recorded_as_json(
    provider: Provider, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    provider.script = [message({"type": "tool_use", "id": "t", "name": "final_result", "input": {"tasks": [1]}})]
    gateway = LocalGateway(provider.environment(), tmp_path, tmp_path / "c.yaml")
    door = await gateway.open(ModelAccess("b1", "", 1, Options()))
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": TOOLS}
    async with http.post(f"{door.url}/v1/messages", json=body, headers={"x-api-key": door.token}) as got:
        assert got.status == 200
    await gateway.close()
    (entry,) = cassette.load(tmp_path / "c.yaml").turns
    assert entry.reply.json_ == {"tasks": [1]}


async def test_a_record_is_gone_on_with(provider: Provider, tmp_path: Path) -> None:
    provider.script = [anthropic_stream("one")]
    for task in ("T1", "T2"):
        gateway = LocalGateway(provider.environment(), tmp_path, tmp_path / "c.yaml")
        await say(await gateway.open(ModelAccess("b1", task, 1, Options())), "x")
        await gateway.close()
    assert [entry.when.task for entry in cassette.load(tmp_path / "c.yaml").turns] == ["T1", "T2"]


async def test_a_file_that_is_no_record_is_not_touched(provider: Provider, tmp_path: Path) -> None:
    file = tmp_path / "notes.yaml"
    file.write_text("shopping: [bread]\n")
    gateway = LocalGateway(provider.environment(), tmp_path, file)
    with pytest.raises(BadSettings, match=r"notes\.yaml"):
        await gateway.open(ModelAccess("b1", "T1", 1, Options()))
    assert file.read_text() == "shopping: [bread]\n"
    await gateway.close()


async def test_thoughts_are_not_recorded_and_not_needed_to_replay(
    provider: Provider, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    lane = tmp_path / "lane-7"
    thought = {"type": "thinking", "thinking": "a private thought", "signature": "c2ln"}
    call = {"type": "tool_use", "id": "t1", "name": "Write", "input": {"file_path": f"{lane}/a.py", "content": "x"}}
    provider.script = [message(thought, {"type": "text", "text": "I write."}, call), message(thought, DONE)]
    recording = LocalGateway(provider.environment(), tmp_path, Path("tape.yaml"))
    door = await recording.open(ModelAccess("b1", "T1", 1, Options(), lane))
    start: dict[str, Any] = {"role": "user", "content": "do it"}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]}
    await post(http, door, start)
    await post(http, door, start, {"role": "assistant", "content": [thought, call]}, result)
    await recording.close()
    assert "private" not in (tmp_path / "tape.yaml").read_text()

    playing = LocalGateway({}, tmp_path)
    door = await playing.open(ModelAccess("b2", "T1", 1, Options(cassette=str(tmp_path / "tape.yaml")), lane))
    first = await post(http, door, start)
    assert [block["type"] for block in first] == ["text", "tool_use"]
    with_thought = await post(http, door, start, {"role": "assistant", "content": [thought, call]}, result)
    without = await post(http, door, start, {"role": "assistant", "content": [call]}, result)
    assert with_thought == without == [DONE]
    await playing.close()
