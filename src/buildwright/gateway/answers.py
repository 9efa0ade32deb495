"""Writes one answer in either protocol, whole or as a stream. Must never do I/O or read a clock.

Sources: Anthropic streaming messages (https://docs.anthropic.com/en/docs/build-with-claude/streaming) and OpenAI chat
completion chunks (https://platform.openai.com/docs/api-reference/chat-streaming).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_never

from buildwright.gateway.protocols import ModelRequest, Protocol, error_body


class Tokens(NamedTuple):
    """The tokens of one request. `input` excludes the cache; `cache_write_1h` is the dearer part of `cache_write`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0


class ToolUse(NamedTuple):
    """One tool call in an answer."""

    name: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A model's answer: text, then tool calls. `id` is unique in a conversation, because clients match tools by it."""

    id: str
    model: str
    text: str
    calls: tuple[ToolUse, ...]
    tokens: Tokens


class AnswerFrame(NamedTuple):
    """A piece of a stream: its bytes, and how many characters of the answer are in it."""

    data: bytes
    chars: int


def whole(asked: ModelRequest, answer: ModelAnswer) -> dict[str, Any]:
    """Return the body that answers a request without a stream."""
    match asked.protocol:
        case "anthropic":
            content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
            content += [
                {"type": "tool_use", "id": _call_id(answer, index), "name": call.name, "input": call.input}
                for index, call in enumerate(answer.calls)
            ]
            return {**_anthropic_head(answer), "content": content, "stop_reason": _stop(asked.protocol, answer)} | {
                "usage": _anthropic_usage(answer.tokens)
            }
        case "openai":
            message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
            if answer.calls:
                message["tool_calls"] = [_openai_call(answer, index) for index in range(len(answer.calls))]
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _stop(asked.protocol, answer)}
            return {
                **_openai_head(answer, "chat.completion"),
                "choices": [choice],
                "usage": _openai_usage(answer.tokens),
            }
        case _:
            assert_never(asked.protocol)


def frames(asked: ModelRequest, answer: ModelAnswer, size: int) -> Iterator[AnswerFrame]:
    """Yield the answer as a stream whose pieces hold at most `size` characters."""
    match asked.protocol:
        case "anthropic":
            yield from _anthropic_frames(answer, size)
        case "openai":
            yield from _openai_frames(answer, size, asked.counts_usage)
        case _:
            assert_never(asked.protocol)


def error_frame(protocol: Protocol, status: int, message: str) -> bytes:
    """Return an error event for the middle of a stream."""
    body = error_body(protocol, status, message)
    return _event("error", body) if protocol == "anthropic" else _data(body)


def _stop(protocol: Protocol, answer: ModelAnswer) -> str:
    if protocol == "anthropic":
        return "tool_use" if answer.calls else "end_turn"
    return "tool_calls" if answer.calls else "stop"


def _call_id(answer: ModelAnswer, index: int) -> str:
    return f"toolu_{answer.id}{index:03d}"


def _pieces(text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _data(body: object) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n\n"


def _event(name: str, body: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\n" + _data(body)


# --- Anthropic -------------------------------------------------------------------------------------------------------


def _anthropic_head(answer: ModelAnswer) -> dict[str, Any]:
    return {"id": f"msg_{answer.id}", "type": "message", "role": "assistant", "model": answer.model, "content": []} | {
        "stop_reason": None,
        "stop_sequence": None,
    }


def _anthropic_usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cache_read,
        "output_tokens": tokens.output,
    }


def _anthropic_frames(answer: ModelAnswer, size: int) -> Iterator[AnswerFrame]:
    def frame(name: str, chars: int = 0, **body: Any) -> AnswerFrame:
        return AnswerFrame(_event(name, {"type": name, **body}), chars)

    # As the provider does: the head reports one output token, the last delta the sum.
    head = _anthropic_usage(answer.tokens._replace(output=min(1, answer.tokens.output)))
    yield frame("message_start", message={**_anthropic_head(answer), "usage": head})
    yield frame("ping")
    index = 0
    if answer.text:
        yield frame("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in _pieces(answer.text, size):
            yield frame("content_block_delta", len(piece), index=0, delta={"type": "text_delta", "text": piece})
        yield frame("content_block_stop", index=0)
        index = 1
    for number, call in enumerate(answer.calls):
        block = {"type": "tool_use", "id": _call_id(answer, number), "name": call.name, "input": {}}
        yield frame("content_block_start", index=index, content_block=block)
        for piece in _pieces(json.dumps(call.input), size):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield frame("content_block_delta", len(piece), index=index, delta=delta)
        yield frame("content_block_stop", index=index)
        index += 1
    stop = {"stop_reason": _stop("anthropic", answer), "stop_sequence": None}
    yield frame("message_delta", delta=stop, usage={"output_tokens": answer.tokens.output})
    yield frame("message_stop")


# --- OpenAI ----------------------------------------------------------------------------------------------------------


def _openai_head(answer: ModelAnswer, kind: str) -> dict[str, Any]:
    # A fixed time of creation: the same request must give the same bytes.
    return {"id": f"chatcmpl-{answer.id}", "object": kind, "created": 0, "model": answer.model}


def _openai_usage(tokens: Tokens) -> dict[str, Any]:
    prompt = tokens.input + tokens.cache_read + tokens.cache_write
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens.output,
        "total_tokens": prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read},
    }


def _openai_call(answer: ModelAnswer, index: int) -> dict[str, Any]:
    call = answer.calls[index]
    function = {"name": call.name, "arguments": json.dumps(call.input)}
    return {"id": _call_id(answer, index), "type": "function", "function": function}


def _openai_frames(answer: ModelAnswer, size: int, counts_usage: bool) -> Iterator[AnswerFrame]:
    head = _openai_head(answer, "chat.completion.chunk")

    def frame(delta: dict[str, Any], chars: int = 0, finish: str | None = None) -> AnswerFrame:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return AnswerFrame(_data({**head, "choices": [choice]}), chars)

    yield frame({"role": "assistant", "content": ""})
    for piece in _pieces(answer.text, size):
        yield frame({"content": piece}, len(piece))
    for index in range(len(answer.calls)):
        call = _openai_call(answer, index)
        arguments = call["function"]["arguments"]
        opening = call | {"function": {"name": call["function"]["name"], "arguments": ""}}
        yield frame({"tool_calls": [{"index": index, **opening}]})
        for piece in _pieces(arguments, size):
            yield frame({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, len(piece))
    yield frame({}, finish=_stop("openai", answer))
    if counts_usage:
        yield AnswerFrame(_data({**head, "choices": [], "usage": _openai_usage(answer.tokens)}), 0)
    yield AnswerFrame(b"data: [DONE]\n\n", 0)
