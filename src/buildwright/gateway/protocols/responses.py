"""OpenAI's Responses, which Codex speaks. Must never do I/O.

Source: https://platform.openai.com/docs/api-reference/responses and .../responses-streaming.
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
    leaves,
    mapping,
    named_event,
    number,
    objects,
    pieces_of,
    texts_of,
)
from buildwright.gateway.protocols import chat
from buildwright.gateway.protocols.anthropic import messages_of

PROVIDER: ProviderName = "openai"
_PIECES = event_begins(
    "response.output_text.delta",
    "response.refusal.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
)
_REPEATS = event_begins(
    "response.output_text.done",
    "response.content_part.done",
    "response.function_call_arguments.done",
    "response.custom_tool_call_input.done",
)
"""Each holds a text of the answer once more, as long as it is. Where another field comes first the event is read."""
_ITEM_DONE = event_begins("response.output_item.done")
_MESSAGES = (b'"type":"message"', b'"type": "message"')
_HEAD = 400
"""Bytes of an event, of which the beginning of an item says what it is."""

_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_ENDS = {"refused": "content_filter", "output_limit": "max_output_tokens"}
_FINAL = frozenset({401, 402, 403})
_SIGNED = frozenset({"reasoning"})


def steps(body: Mapping[str, Any]) -> Iterator[Step]:
    """Yield the steps. One round of the assistant is several items; messages of a person in a row are one message."""
    said: str | None = None
    acting, tools = False, list[str]()
    for item in _items(body):
        kind = item.get("type", "message")
        if kind == "message" and item.get("role") == "user":
            if acting:
                yield Step(None, tuple(tools))
                acting, tools = False, []
            said = texts_of(item.get("content"))
        elif kind in _CALLS or kind == "reasoning" or item.get("role") == "assistant":
            if said is not None:
                yield Step(said)
                said = None
            acting = True
            if kind in _CALLS:
                tools.append(str(item.get("name") or "local_shell"))
        elif acting and str(kind).endswith("_output"):
            # The results end a round: what the assistant does after them is the next one.
            yield Step(None, tuple(tools))
            acting, tools = False, []
    if acting:
        yield Step(None, tuple(tools))
    if said is not None:
        yield Step(said)


def _items(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if given is None and "previous_response_id" not in body:
        raise DeclinedByProvider(400, "input: a text or a list of items is required.")
    return messages_of({"input": given or []}, "input")


def tool_names(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of functions and of tools that take plain text."""
    yield from (tool["name"] for tool in objects(body.get("tools")) if isinstance(tool.get("name"), str))


def chosen_tool(body: Mapping[str, Any]) -> str:
    """Return the forced tool."""
    choice = body.get("tool_choice")
    return "*" if choice == "required" else str(mapping(choice).get("name") or "")


def counts_usage(_body: Mapping[str, Any]) -> bool:
    """Usage comes unasked."""
    return True


def path(_model: str) -> str:
    """Return the path of `question`."""
    return "/v1/responses"


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return an error's body, that of the maker's other protocol."""
    return chat.error_body(status, message)


def error_frame(status: int, message: str) -> bytes:
    """Return an event `response.failed`."""
    error = {"code": chat.ERRORS.get(status, "server_is_overloaded" if status == 529 else "server_error")} | {
        "message": message
    }
    response = {"id": "resp_failed", "object": "response", "status": "failed", "error": error, "output": []}
    return named_event("response.failed", {"type": "response.failed", "response": response})


def final_status(status: int) -> int:
    """Codex asks again after 401, 402 and 403, whatever the headers say, but not after 400."""
    return 400 if status in _FINAL else status


def whole(asked: ModelRequest, answer: ModelAnswer) -> dict[str, Any]:
    """Return a finished response."""
    return _finished(answer, _output(asked, answer))


def frames(asked: ModelRequest, answer: ModelAnswer, size: int) -> Iterator[AnswerFrame]:
    """Yield the events of a response: each item is begun, filled and repeated whole."""
    sequence = 0

    def frame(name: str, chars: int = 0, **body: Any) -> AnswerFrame:
        nonlocal sequence
        sequence += 1
        kind = f"response.{name}"
        return AnswerFrame(named_event(kind, {"type": kind, "sequence_number": sequence - 1, **body}), chars)

    yield frame("created", response=_response(answer, "in_progress", []))
    yield frame("in_progress", response=_response(answer, "in_progress", []))
    output = _output(asked, answer)
    for index, item in enumerate(output):
        place = {"item_id": item["id"], "output_index": index}
        begun = item | {"status": "in_progress"}
        match item["type"]:
            case "message":
                text, part = answer.text, {"type": "output_text", "text": "", "annotations": []}
                yield frame("output_item.added", output_index=index, item=begun | {"content": []})
                place["content_index"] = 0
                yield frame("content_part.added", **place, part=part)
                for piece in pieces_of(text, size):
                    yield frame("output_text.delta", len(piece), **place, delta=piece)
                yield frame("output_text.done", **place, text=text)
                yield frame("content_part.done", **place, part=part | {"text": text})
            case "custom_tool_call":
                yield frame("output_item.added", output_index=index, item=begun | {"input": ""})
                for piece in pieces_of(item["input"], size):
                    yield frame("custom_tool_call_input.delta", len(piece), **place, delta=piece)
                yield frame("custom_tool_call_input.done", **place, input=item["input"])
            case _:
                yield frame("output_item.added", output_index=index, item=begun | {"arguments": ""})
                for piece in pieces_of(item["arguments"], size):
                    yield frame("function_call_arguments.delta", len(piece), **place, delta=piece)
                yield frame("function_call_arguments.done", **place, arguments=item["arguments"])
        yield frame("output_item.done", output_index=index, item=item)
    done = _finished(answer, output)
    yield frame(done["status"], response=done)


def _response(answer: ModelAnswer, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    # A fixed time of creation: the same request must give the same bytes.
    head = {"id": f"resp_{answer.id}", "object": "response", "created_at": 0, "status": status, "model": answer.model}
    return head | {"error": None, "incomplete_details": None, "output": output, "usage": None}


def _finished(answer: ModelAnswer, output: list[dict[str, Any]]) -> dict[str, Any]:
    if not answer.ends:
        return _response(answer, "completed", output) | {"usage": _usage(answer.tokens)}
    details = {"incomplete_details": {"reason": _ENDS[answer.ends]}, "usage": _usage(answer.tokens)}
    return _response(answer, "incomplete", output) | details


def _output(asked: ModelRequest, answer: ModelAnswer) -> list[dict[str, Any]]:
    """Return the items: the text, then a call of each tool in the form that the client declared for it."""
    items: list[dict[str, Any]] = []
    if answer.text:
        part = {"type": "output_text", "text": answer.text, "annotations": []}
        head = {"type": "message", "id": f"msg_{answer.id}", "status": "completed", "role": "assistant"}
        items.append(head | {"content": [part]})
    plain = {tool.get("name") for tool in objects(asked.body.get("tools")) if tool.get("type") == "custom"}
    for index, call in enumerate(answer.calls):
        head = {"id": f"item_{answer.id}{index:03d}", "call_id": answer.call_id(index), "name": call.name}
        if call.name in plain:
            items.append({"type": "custom_tool_call", **head, "status": "completed", "input": _plain_input(call.input)})
        else:
            arguments = json.dumps(call.input)
            items.append({"type": "function_call", **head, "status": "completed", "arguments": arguments})
    return items


def _plain_input(given: Mapping[str, Any]) -> str:
    text = given.get("input")
    return text if isinstance(text, str) else json.dumps(given)


def _usage(tokens: Tokens) -> dict[str, Any]:
    prompt = tokens.input + tokens.cache_read + tokens.cache_write
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": tokens.cache_read},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + tokens.output,
    }


def when_read(event: bytes) -> ReadWhen:
    """Deltas are pieces; a text that is done says again what they said, be it alone, as a part or as a message."""
    begin = event.find(b"data:")
    if event.startswith(_PIECES, begin):
        return "later"
    if event.startswith(_REPEATS, begin):
        return "never"
    if event.startswith(_ITEM_DONE, begin):
        item = event.find(b'"item":', begin, _HEAD)
        kind = event.find(b'"type":', item, _HEAD) if item >= 0 else -1
        # The first type within the item is its own, or that of a part of a message, which then is read.
        if kind >= 0 and event.startswith(_MESSAGES, kind):
            return "never"
    return "now"


def read_event(reader: AnswerReader, body: dict[str, Any]) -> str:
    """Read one event."""
    place = number(body, "output_index")
    match str(body.get("type", "")).removeprefix("response."):
        case "output_text.delta" | "refusal.delta":
            return reader.say(body.get("delta"))
        case "reasoning_text.delta" | "reasoning_summary_text.delta":
            reader.think(body.get("delta"))
        case "output_item.added":
            item = mapping(body.get("item"))
            if item.get("type") in _CALLS:
                reader.open_calls[place] = (str(item.get("name") or "local_shell"), [])
        case "function_call_arguments.delta" | "custom_tool_call_input.delta":
            reader.think(body.get("delta"))
        case "output_item.done":
            _call(reader, place, mapping(body.get("item")))
        case "created" | "in_progress":
            reader.model = str(mapping(body.get("response")).get("model") or reader.model)
        case "completed" | "incomplete" | "failed":
            _end(reader, mapping(body.get("response")))
        case "error":
            reader.fail(mapping(body.get("error")) or body, "code")
    return ""


def read_whole(reader: AnswerReader, body: dict[str, Any]) -> None:
    """Read a response, or an error."""
    if body.get("error"):
        reader.fail(mapping(body["error"]))
    for place, item in enumerate(objects(body.get("output"))):
        for part in objects(item.get("content")):
            reader.say(part.get("text") if part.get("type") == "output_text" else part.get("refusal"))
        reader.think(item.get("arguments") or item.get("input"))
        _call(reader, place, item)
    _end(reader, body)


def _call(reader: AnswerReader, place: int, item: Mapping[str, Any]) -> None:
    """Take a tool call from the item that repeats it whole; its characters came with its pieces."""
    match item.get("type"):
        case "function_call":
            reader.open_calls[place] = (str(item.get("name", "")), [str(item.get("arguments") or "")])
        case "custom_tool_call":
            reader.open_calls[place] = (str(item.get("name", "")), [json.dumps({"input": item.get("input")})])
        case "local_shell_call":
            reader.open_calls[place] = ("local_shell", [json.dumps(item.get("action"))])


def _end(reader: AnswerReader, response: Mapping[str, Any]) -> None:
    reader.model = str(response.get("model") or reader.model)
    if usage := mapping(response.get("usage")):
        cached = number(mapping(usage.get("input_tokens_details")), "cached_tokens")
        prompt = number(usage, "input_tokens")
        reader.tokens = Tokens(max(prompt - cached, 0), number(usage, "output_tokens"), cached)
    match response.get("status"):
        case "completed":
            reader.stop = "tool_calls" if reader.open_calls else "stop"
        case "incomplete":
            reason = mapping(response.get("incomplete_details")).get("reason")
            reader.stop = "length" if reason == "max_output_tokens" else str(reason or "length")
        case "failed":
            reader.fail(mapping(response.get("error")), "code")
    reader.done = bool(reader.stop)


def texts(body: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the pieces of texts, and every text of the events that repeat them; reasoning is signed and stays."""
    kind = str(body.get("type", ""))
    if kind.endswith(".delta") and "reasoning" not in kind and isinstance(body.get("delta"), str):
        yield f"{body.get('item_id')} {body.get('content_index')}", body, "delta"
    elif not kind.endswith(".delta"):
        for holder, place in leaves(body, but=_SIGNED):
            yield f"{id(holder)} {place}", holder, place


def question(asked: TextRequest) -> dict[str, Any]:
    """Return a request; nothing is stored at the provider."""
    items = [
        {
            "type": "message",
            "role": role,
            "content": [{"type": "output_text" if role == "assistant" else "input_text", "text": text}],
        }
        for role, text in asked.turns
    ]
    body = {"model": asked.model.removeprefix("openai/"), "max_output_tokens": asked.max_tokens, "stream": True}
    return body | {"store": False, "input": items} | ({"instructions": asked.system} if asked.system else {})
