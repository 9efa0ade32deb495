"""OpenAI's Chat Completions, which many other servers speak too. Must never do I/O.

Sources: https://platform.openai.com/docs/api-reference/chat, .../chat-streaming and .../guides/error-codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from buildwright.gateway.exchange import (
    AnswerFrame,
    AnswerReader,
    ModelAnswer,
    ModelRequest,
    ProviderName,
    ReadWhen,
    Step,
    TextRequest,
    Tokens,
    data_event,
    mapping,
    number,
    objects,
    pieces_of,
    texts_of,
    unsaid,
)
from buildwright.gateway.protocols.anthropic import messages_of

PROVIDER: ProviderName = "openai"
_ENDS = {"refused": "content_filter", "output_limit": "length"}
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_exceeded",
}


def steps(body: Mapping[str, Any]) -> Iterator[Step]:
    """Yield a step for each message; results of tools have a role of their own."""
    for message in messages_of(body):
        if message.get("role") == "assistant":
            calls = [mapping(call.get("function")) for call in objects(message.get("tool_calls"))]
            yield Step(None, tuple(str(call.get("name")) for call in calls))
        elif message.get("role") == "user":
            yield Step(texts_of(message.get("content")))


def tool_names(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the functions."""
    for tool in objects(body.get("tools")):
        name = mapping(tool.get("function")).get("name")
        if isinstance(name, str):
            yield name


def chosen_tool(body: Mapping[str, Any]) -> str:
    """Return the forced function."""
    choice = body.get("tool_choice")
    return "*" if choice == "required" else str(mapping(mapping(choice).get("function")).get("name") or "")


def counts_usage(body: Mapping[str, Any]) -> bool:
    """Usage has to be asked for."""
    return mapping(body.get("stream_options")).get("include_usage") is True


def path(_model: str) -> str:
    """Return the path of `question`."""
    return "/v1/chat/completions"


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return an error's body."""
    kind = ERRORS.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def error_frame(status: int, message: str) -> bytes:
    """Return an event that has the error as its data."""
    return data_event(error_body(status, message))


def final_status(status: int) -> int:
    """Clients of this protocol heed the header `x-should-retry`."""
    return status


def whole(_asked: ModelRequest, answer: ModelAnswer) -> dict[str, Any]:
    """Return a completion."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.calls:
        message["tool_calls"] = [_call(answer, index) for index in range(len(answer.calls))]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _stop(answer)}
    return {**_head(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer.tokens)}


def frames(asked: ModelRequest, answer: ModelAnswer, size: int) -> Iterator[AnswerFrame]:
    """Yield the chunks of a completion."""
    head = _head(answer, "chat.completion.chunk")

    def frame(delta: dict[str, Any], chars: int = 0, finish: str | None = None) -> AnswerFrame:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return AnswerFrame(data_event({**head, "choices": [choice]}), chars)

    yield frame({"role": "assistant", "content": ""})
    for piece in pieces_of(answer.text, size):
        yield frame({"content": piece}, len(piece))
    for index in range(len(answer.calls)):
        call = _call(answer, index)
        arguments = call["function"]["arguments"]
        opening = call | {"function": {"name": call["function"]["name"], "arguments": ""}}
        yield frame({"tool_calls": [{"index": index, **opening}]})
        for piece in pieces_of(arguments, size):
            yield frame({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, len(piece))
    yield frame({}, finish=_stop(answer))
    if asked.counts_usage:
        yield AnswerFrame(data_event({**head, "choices": [], "usage": _usage(answer.tokens)}), 0)
    yield AnswerFrame(b"data: [DONE]\n\n", 0)


def _head(answer: ModelAnswer, kind: str) -> dict[str, Any]:
    # A fixed time of creation: the same request must give the same bytes.
    return {"id": f"chatcmpl-{answer.id}", "object": kind, "created": 0, "model": answer.model}


def _usage(tokens: Tokens) -> dict[str, Any]:
    prompt = tokens.input + tokens.cache_read + tokens.cache_write
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens.output,
        "total_tokens": prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read},
    }


def _call(answer: ModelAnswer, index: int) -> dict[str, Any]:
    call = answer.calls[index]
    function = {"name": call.name, "arguments": json.dumps(call.input)}
    return {"id": answer.call_id(index), "type": "function", "function": function}


def _stop(answer: ModelAnswer) -> str:
    return _ENDS.get(answer.ends) or ("tool_calls" if answer.calls else "stop")


def when_read(event: bytes) -> ReadWhen:
    """A chunk is a piece unless it says why the answer ends, what was used, or an error."""
    is_piece = b'"delta"' in event and unsaid(event, b'"finish_reason"', b'"usage"', b'"error"')
    return "later" if is_piece else "now"


def read_event(reader: AnswerReader, body: dict[str, Any]) -> str:
    """Read one chunk."""
    reader.model = str(body.get("model") or reader.model)
    if body.get("error"):
        reader.fail(mapping(body["error"]))
    if usage := mapping(body.get("usage")):
        cached = number(mapping(usage.get("prompt_tokens_details")), "cached_tokens")
        prompt = number(usage, "prompt_tokens")
        reader.tokens = Tokens(max(prompt - cached, 0), number(usage, "completion_tokens"), cached)
    added = ""
    for choice in objects(body.get("choices"))[:1]:
        delta = mapping(choice.get("delta"))
        added = reader.say(delta.get("content"))
        reader.think(delta.get("reasoning_content"))
        for place, call in enumerate(objects(delta.get("tool_calls"))):
            index, function = number(call, "index", place), mapping(call.get("function"))
            reader.open_calls.setdefault(index, (str(function.get("name", "")), []))
            reader.call(index, function.get("arguments"))
        reader.stop = str(choice.get("finish_reason") or reader.stop)
    return added


def read_whole(reader: AnswerReader, body: dict[str, Any]) -> None:
    """Read a completion: its message has the fields of a chunk's delta."""
    choices = [{**one, "delta": one.get("message")} for one in objects(body.get("choices"))]
    read_event(reader, {**body, "choices": choices})
    reader.done = bool(reader.stop)


def texts(body: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield text and arguments of functions."""
    for choice in objects(body.get("choices")):
        delta = mapping(choice.get("delta"))
        if isinstance(delta.get("content"), str):
            yield f"{choice.get('index')} content", delta, "content"
        for call in objects(delta.get("tool_calls")):
            function = mapping(call.get("function"))
            if isinstance(function.get("arguments"), str):
                yield f"{choice.get('index')} call {call.get('index')}", function, "arguments"


def question(asked: TextRequest) -> dict[str, Any]:
    """Return a request."""
    messages = [{"role": role, "content": text} for role, text in asked.turns]
    if asked.system:
        messages.insert(0, {"role": "system", "content": asked.system})
    # OpenAI's own models refuse the old name of the limit; other servers with its protocol know only that name.
    limit = "max_tokens" if asked.model.startswith("openai/") else "max_completion_tokens"
    body = {"model": asked.model.removeprefix("openai/"), limit: asked.max_tokens, "stream": True}
    return body | {"stream_options": {"include_usage": True}, "messages": messages}
