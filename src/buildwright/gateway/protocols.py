"""Reads requests of the two protocols, and writes their errors. Must never do I/O.

Sources: Anthropic Messages (https://docs.anthropic.com/en/api/messages, .../errors) and OpenAI Chat Completions
(https://platform.openai.com/docs/api-reference/chat, .../guides/error-codes).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never

Protocol = Literal["anthropic", "openai"]

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "permission_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_exceeded",
}


class DeclinedByProvider(Exception):
    """The gateway itself refuses a request. `final` tells the client not to try again."""

    def __init__(self, status: int, message: str, *, final: bool = True) -> None:
        self.status, self.message, self.final = status, message, final
        super().__init__(message)


class BrokenOff(Exception):
    """An answer breaks off: the provider was lost, or (`scripted`) the cassette says so."""

    def __init__(self, *, scripted: bool = False) -> None:
        self.scripted = scripted
        super().__init__("The answer breaks off.")


def error_type(protocol: Protocol, status: int) -> str:
    """Return the protocol's own name for a status."""
    match protocol:
        case "anthropic":
            return _ANTHROPIC_TYPES.get(status, "api_error")
        case "openai":
            return _OPENAI_TYPES.get(status, "server_error")
        case _:
            assert_never(protocol)


def error_body(protocol: Protocol, status: int, message: str) -> dict[str, Any]:
    """Return an error body in the protocol's format."""
    kind = error_type(protocol, status)
    match protocol:
        case "anthropic":
            return {"type": "error", "error": {"type": kind, "message": message}}
        case "openai":
            return {"error": {"message": message, "type": kind, "param": None, "code": kind}}
        case _:
            assert_never(protocol)


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """The parts of a request that the gateway needs.

    `message` is how many messages of a person came before the last one (0 for the first), `turn` the assistant's rounds
    since that one. Both follow from the request alone, so that a retry or a resumed conversation gets the same answer.
    """

    protocol: Protocol
    model: str
    stream: bool
    message: int
    turn: int
    text: str
    """The last message of a person."""
    tools: tuple[str, ...]
    output_tool: str
    """The tool by which the client wants a structured answer, "" when it wants text."""
    used: tuple[str, ...]
    """The tools that the assistant has used since `text`."""
    counts_usage: bool
    """Whether the client wants usage in the stream (OpenAI only; Anthropic always sends it)."""
    size: int
    """Bytes of the request."""
    body: Mapping[str, Any]


def read_request(protocol: Protocol, raw: bytes) -> ModelRequest:
    """Parse a request body. Raises Declined(400) when it is invalid."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DeclinedByProvider(400, f"The request is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise DeclinedByProvider(400, "The request is not a JSON object.")
    messages, model = body.get("messages"), body.get("model")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise DeclinedByProvider(400, "messages: a list of messages is required.")
    if not isinstance(model, str):
        raise DeclinedByProvider(400, "model: a name is required.")
    said, turn, text, used = 0, 0, "", []
    for one in messages:
        if one.get("role") == "assistant":
            turn += 1
            used += list(_tools_used(one))
        elif one.get("role") == "user" and not _is_tool_result(one):
            said, turn, text, used = said + 1, 0, _text_of(one.get("content")), []
    tools = tuple(_tool_names(body.get("tools")))
    options = body.get("stream_options")
    return ModelRequest(
        protocol=protocol,
        model=model,
        stream=body.get("stream") is True,
        message=max(said - 1, 0),
        turn=turn,
        text=text,
        tools=tools,
        output_tool=_output_tool(body.get("tool_choice"), tools),
        used=tuple(used),
        counts_usage=isinstance(options, dict) and options.get("include_usage") is True,
        size=len(raw),
        body=body,
    )


def each_text(value: Any, change: Callable[[str], str], *, but: Collection[str] = ()) -> Any:
    """Return a JSON value with every string in it changed, except in objects of the types in `but`."""
    match value:
        case str():
            return change(value)
        case {"type": str() as kind} if kind in but:
            return value
        case dict():
            return {change(key): each_text(one, change, but=but) for key, one in value.items()}
        case list():
            return [each_text(one, change, but=but) for one in value]
        case _:
            return value


def _blocks(content: object) -> Iterator[dict[str, Any]]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from (block for block in content if isinstance(block, dict))


def _text_of(content: object) -> str:
    return "\n".join(str(block["text"]) for block in _blocks(content) if isinstance(block.get("text"), str))


def _is_tool_result(message: Mapping[str, Any]) -> bool:
    return any(block.get("type") == "tool_result" for block in _blocks(message.get("content")))


def _tools_used(message: Mapping[str, Any]) -> Iterator[str]:
    for block in _blocks(message.get("content")):
        if block.get("type") == "tool_use":
            yield str(block.get("name"))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict) and isinstance(call.get("function"), dict):
            yield str(call["function"].get("name"))


def _tool_names(tools: object) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else []:
        if isinstance(tool, dict):
            function = tool.get("function")
            name = function.get("name") if isinstance(function, dict) else tool.get("name")
            if isinstance(name, str):
                yield name


def _output_tool(choice: object, tools: tuple[str, ...]) -> str:
    """Return the forced tool, else `final_result`: pydantic-ai does not force it on models that cannot be forced."""
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else choice.get("name")
        if isinstance(name, str) and name in tools:
            return name
    for tool in tools:
        if tool.startswith("final_result"):
            return tool
    forced = choice == "required" or (isinstance(choice, dict) and choice.get("type") == "any")
    return tools[0] if forced and len(tools) == 1 else ""
