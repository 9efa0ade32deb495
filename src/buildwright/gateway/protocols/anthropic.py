"""Anthropic's Messages. Must never do I/O.

Sources: https://docs.anthropic.com/en/api/messages, .../errors and .../build-with-claude/streaming.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from buildwright.gateway.exchange import (
    AnswerFrame,
    AnswerReader,
    DeclinedByProvider,
    ModelAnswer,
    ModelRequest,
    ProviderName,
    ReadWhen,
    Step,
    TextRequest,
    Tokens,
    event_begins,
    mapping,
    named_event,
    number,
    objects,
    pieces_of,
    texts_of,
)

PROVIDER: ProviderName = "anthropic"
_PIECES = event_begins("content_block_delta")
_ENDS = {"refused": "refusal", "output_limit": "max_tokens"}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "permission_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def steps(body: Mapping[str, Any]) -> Iterator[Step]:
    """Yield a step for each message; a result of a tool is none of a person's."""
    for message in messages_of(body):
        blocks = objects(message.get("content"))
        if message.get("role") == "assistant":
            yield Step(None, tuple(str(block.get("name")) for block in blocks if block.get("type") == "tool_use"))
        elif message.get("role") == "user" and not any(block.get("type") == "tool_result" for block in blocks):
            yield Step(texts_of(message.get("content")))


def messages_of(body: Mapping[str, Any], name: str = "messages") -> list[dict[str, Any]]:
    """Return the list of messages in a request. Raises DeclinedByProvider(400) when it has none."""
    messages = body.get(name)
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise DeclinedByProvider(400, f"{name}: a list of messages is required.")
    return messages


def tool_names(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the tools."""
    yield from (tool["name"] for tool in objects(body.get("tools")) if isinstance(tool.get("name"), str))


def chosen_tool(body: Mapping[str, Any]) -> str:
    """Return the forced tool."""
    choice = mapping(body.get("tool_choice"))
    return "*" if choice.get("type") == "any" else str(choice.get("name") or "")


def counts_usage(_body: Mapping[str, Any]) -> bool:
    """Usage comes unasked."""
    return True


def path(_model: str) -> str:
    """Return the path of `question`."""
    return "/v1/messages"


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return an error's body."""
    return {"type": "error", "error": {"type": _ERRORS.get(status, "api_error"), "message": message}}


def error_frame(status: int, message: str) -> bytes:
    """Return an event `error`."""
    return named_event("error", error_body(status, message))


def final_status(status: int) -> int:
    """Clients of this protocol heed the header `x-should-retry`."""
    return status


def whole(_asked: ModelRequest, answer: ModelAnswer) -> dict[str, Any]:
    """Return a message."""
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
    content += [
        {"type": "tool_use", "id": answer.call_id(index), "name": call.name, "input": call.input}
        for index, call in enumerate(answer.calls)
    ]
    return {**_head(answer), "content": content, "stop_reason": _stop(answer), "usage": _usage(answer.tokens)}


def frames(_asked: ModelRequest, answer: ModelAnswer, size: int) -> Iterator[AnswerFrame]:
    """Yield the events of a message."""

    def frame(name: str, chars: int = 0, **body: Any) -> AnswerFrame:
        return AnswerFrame(named_event(name, {"type": name, **body}), chars)

    # As the provider does: the head reports one output token, the last delta the sum.
    head = _usage(answer.tokens._replace(output=min(1, answer.tokens.output)))
    yield frame("message_start", message={**_head(answer), "usage": head})
    yield frame("ping")
    index = 0
    if answer.text:
        yield frame("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in pieces_of(answer.text, size):
            yield frame("content_block_delta", len(piece), index=0, delta={"type": "text_delta", "text": piece})
        yield frame("content_block_stop", index=0)
        index = 1
    for place, call in enumerate(answer.calls):
        block = {"type": "tool_use", "id": answer.call_id(place), "name": call.name, "input": {}}
        yield frame("content_block_start", index=index, content_block=block)
        for piece in pieces_of(json.dumps(call.input), size):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield frame("content_block_delta", len(piece), index=index, delta=delta)
        yield frame("content_block_stop", index=index)
        index += 1
    stop = {"stop_reason": _stop(answer), "stop_sequence": None}
    yield frame("message_delta", delta=stop, usage={"output_tokens": answer.tokens.output})
    yield frame("message_stop")


def _head(answer: ModelAnswer) -> dict[str, Any]:
    return {"id": f"msg_{answer.id}", "type": "message", "role": "assistant", "model": answer.model, "content": []} | {
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cache_read,
        "output_tokens": tokens.output,
    }


def _stop(answer: ModelAnswer) -> str:
    return _ENDS.get(answer.ends) or ("tool_use" if answer.calls else "end_turn")


def when_read(event: bytes) -> ReadWhen:
    """The deltas of blocks are pieces."""
    return "later" if event.startswith(_PIECES, event.find(b"data:")) else "now"


def read_event(reader: AnswerReader, body: dict[str, Any]) -> str:
    """Read one event."""
    delta, place = mapping(body.get("delta")), number(body, "index")
    match body.get("type"):
        case "content_block_delta":
            reader.think(delta.get("thinking"))
            reader.call(place, delta.get("partial_json"))
            return reader.say(delta.get("text")) if delta.get("type") == "text_delta" else ""
        case "content_block_start":
            block = mapping(body.get("content_block"))
            if block.get("type") == "tool_use":
                reader.open_calls[place] = (str(block.get("name", "")), [])
        case "message_start":
            message = mapping(body.get("message"))
            reader.model = str(message.get("model") or reader.model)
            _count(reader, mapping(message.get("usage")))
        case "message_delta":
            reader.stop = str(delta.get("stop_reason") or reader.stop)
            _count(reader, mapping(body.get("usage")))
        case "message_stop":
            reader.done = True
        case "error":
            reader.fail(mapping(body.get("error")))
    return ""


def read_whole(reader: AnswerReader, body: dict[str, Any]) -> None:
    """Read a message, or an error."""
    if body.get("error"):
        reader.fail(mapping(body["error"]))
    read_event(reader, {"type": "message_start", "message": body})
    for place, block in enumerate(objects(body.get("content"))):
        read_event(reader, {"type": "content_block_start", "index": place, "content_block": block})
        reader.think(block.get("thinking"))
        if block.get("type") == "text":
            reader.say(block.get("text"))
        elif block.get("type") == "tool_use":
            reader.call(place, json.dumps(block.get("input")))
    reader.stop = str(body.get("stop_reason") or "")
    reader.done = bool(reader.stop)


def _count(reader: AnswerReader, usage: Mapping[str, Any]) -> None:
    # Counts are running sums, and a later event repeats only some of them.
    if not usage:
        return
    old = reader.tokens or Tokens()
    by_age = mapping(usage.get("cache_creation"))
    reader.tokens = Tokens(
        number(usage, "input_tokens", old.input),
        number(usage, "output_tokens", old.output),
        number(usage, "cache_read_input_tokens", old.cache_read),
        number(usage, "cache_creation_input_tokens", old.cache_write),
        number(by_age, "ephemeral_1h_input_tokens", old.cache_write_1h),
    )


def texts(body: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield text and input of tools; thinking is signed and stays."""
    delta = body.get("delta")
    if body.get("type") == "content_block_delta" and isinstance(delta, dict):
        for name in ("text", "partial_json"):
            if isinstance(delta.get(name), str):
                yield f"{body.get('index')} {name}", delta, name


def question(asked: TextRequest) -> dict[str, Any]:
    """Return a request."""
    messages = [{"role": role, "content": text} for role, text in asked.turns]
    body = {"model": asked.model.removeprefix("anthropic/"), "max_tokens": asked.max_tokens, "stream": True}
    return body | ({"system": asked.system} if asked.system else {}) | {"messages": messages}
