"""The contract of `Model`, over the scripted one and the one behind the gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from buildwright.core.limits import Options
from buildwright.errors import ModelFailed
from buildwright.gateway import GatewayModel, LocalGateway
from buildwright.ports import Model, ModelAccess, ModelEndpoint, Spent, Stopped, Text, Turn
from tests.adapters.scripted_model import ScriptedModel

LONG = "A line of the answer with ünïcödé 🌍.\n" * 200
Given = Callable[[list[str], bool], Awaitable[tuple[Model, ModelEndpoint]]]


def protocol_model(kind: str) -> str:
    return "gpt-5" if kind == "openai" else "claude-sonnet-4-5"


@pytest.fixture(params=["scripted", "anthropic", "openai"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def given(kind: str, tmp_path: Path) -> AsyncIterator[Given]:
    """Make a model that gives these answers in turn, the last of them cut when asked."""
    async with AsyncExitStack() as stack:

        async def make(answers: list[str], cut: bool) -> tuple[Model, ModelEndpoint]:
            if kind == "scripted":
                broken = ModelFailed("cut", kind="unavailable")
                last = (answers[-1], broken) if cut else answers[-1]
                return ScriptedModel(*answers[:-1], last), ModelEndpoint("", "")
            fault = {"kind": "cut", "after_chars": len(answers[-1]) // 2, "times": 9}
            turns = [{"when": {"message": n}, "reply": {"text": text}} for n, text in enumerate(answers)]
            if cut:
                turns[-1]["faults"] = [fault]
            file = tmp_path / "c.yaml"
            file.write_text(json.dumps({"version": 1, "turns": turns}, ensure_ascii=False))
            gateway = LocalGateway({}, tmp_path)
            stack.push_async_callback(gateway.close)
            return GatewayModel(delay=0.01), await gateway.open(ModelAccess("b", "T1", 1, Options(cassette=str(file))))

        yield make


async def test_an_answer_is_text_then_usage_then_the_end(given: Given, kind: str) -> None:
    model, door = await given([LONG], False)
    pieces = [piece async for piece in model.stream(door, protocol_model(kind), "Be brief.", [Turn("user", "Hi")])]
    *texts, spent, stopped = pieces
    assert all(isinstance(piece, Text) for piece in texts)
    assert "".join(piece.text for piece in texts if isinstance(piece, Text)) == LONG
    assert len(texts) > 1
    assert isinstance(spent, Spent)
    assert spent.model == protocol_model(kind)
    assert min(spent.input_tokens, spent.output_tokens) > 0
    assert stopped == Stopped("end")


async def test_a_conversation_goes_on(given: Given, kind: str) -> None:
    model, door = await given(["first", "second"], False)
    turns = [Turn("user", "Hi")]
    for expected in ("first", "second"):
        pieces = [piece async for piece in model.stream(door, protocol_model(kind), "", turns)]
        assert "".join(piece.text for piece in pieces if isinstance(piece, Text)) == expected
        turns += [Turn("assistant", expected), Turn("user", "Go on")]


async def test_an_answer_cut_after_text_is_a_failure_and_the_text_came(given: Given, kind: str) -> None:
    model, door = await given([LONG], True)
    seen: list[str] = []

    async def listen() -> None:
        async for piece in model.stream(door, protocol_model(kind), "", [Turn("user", "Hi")]):
            assert isinstance(piece, Text)
            seen.append(piece.text)

    with pytest.raises(ModelFailed) as failed:
        await listen()
    assert failed.value.kind == "unavailable"
    assert seen
    assert LONG.startswith("".join(seen))


async def test_an_answer_may_be_left_in_the_middle(given: Given, kind: str) -> None:
    model, door = await given([LONG], False)
    stream = model.stream(door, protocol_model(kind), "", [Turn("user", "Hi")])
    async with aclosing(stream) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            assert isinstance(piece, Text)
            break
