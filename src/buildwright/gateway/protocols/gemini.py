"""Gemini's generateContent and streamGenerateContent, which name the model in the address. Must never do I/O.

Source: https://ai.google.dev/api/generate-content and .../api/caching#Content.
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
    leaves,
    mapping,
    number,
    objects,
    pieces_of,
    texts_of,
    unsaid,
)
from buildwright.gateway.protocols.anthropic import messages_of

PROVIDER: ProviderName = "google"
_NEWS = (b'"finishReason"', b'"functionCall"', b'"promptFeedback"', b'"error"')
_ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
_ENDS = {"": "STOP", "refused": "SAFETY", "output_limit": "MAX_TOKENS"}
_STOPS = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "PROHIBITED_CONTENT": "content_filter"}


def steps(body: Mapping[str, Any]) -> Iterator[Step]:
    """Yield a step for each content; a function's response is none of a person's."""
    for content in messages_of(body, "contents"):
        parts = objects(content.get("parts"))
        if content.get("role") == "model":
            calls = (mapping(part.get("functionCall")) for part in parts)
            yield Step(None, tuple(str(call["name"]) for call in calls if "name" in call))
        elif not any("functionResponse" in part for part in parts):
            yield Step(texts_of(parts))


def tool_names(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the declared functions."""
    for tool in objects(body.get("tools")):
        for function in objects(tool.get("functionDeclarations")):
            if isinstance(function.get("name"), str):
                yield function["name"]


def chosen_tool(body: Mapping[str, Any]) -> str:
    """Return the one function that is allowed, if the model has to call one."""
    choice = mapping(mapping(body.get("toolConfig")).get("functionCallingConfig"))
    if choice.get("mode") != "ANY":
        return ""
    allowed = choice.get("allowedFunctionNames")
    return str(allowed[0]) if isinstance(allowed, list) and len(allowed) == 1 else "*"


def counts_usage(_body: Mapping[str, Any]) -> bool:
    """Usage comes unasked."""
    return True


def path(model: str) -> str:
    """Return the path of `question` for this model."""
    return f"/v1beta/models/{model.removeprefix('google/')}:streamGenerateContent?alt=sse"


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return an error's body."""
    return {"error": {"code": status, "message": message, "status": _ERRORS.get(status, "INTERNAL")}}


def error_frame(status: int, message: str) -> bytes:
    """Return an event that has the error as its data."""
    return data_event(error_body(status, message))


def final_status(status: int) -> int:
    """Clients ask again only after 429 and what a server fails with."""
    return status


def whole(_asked: ModelRequest, answer: ModelAnswer) -> dict[str, Any]:
    """Return a whole answer."""
    parts: list[dict[str, Any]] = [{"text": answer.text}] if answer.text else []
    return _chunk(answer, [*parts, *_calls(answer)], ended=True)


def frames(_asked: ModelRequest, answer: ModelAnswer, size: int) -> Iterator[AnswerFrame]:
    """Yield the answer in chunks; a function's call comes whole, with the end."""
    for piece in pieces_of(answer.text, size):
        yield AnswerFrame(data_event(_chunk(answer, [{"text": piece}], ended=False)), len(piece))
    calls = _calls(answer)
    chars = sum(len(json.dumps(call)) for call in calls)
    yield AnswerFrame(data_event(_chunk(answer, calls or [{"text": ""}], ended=True)), chars)


def _calls(answer: ModelAnswer) -> list[dict[str, Any]]:
    return [
        {"functionCall": {"id": answer.call_id(index), "name": call.name, "args": call.input}}
        for index, call in enumerate(answer.calls)
    ]


def _chunk(answer: ModelAnswer, parts: list[dict[str, Any]], *, ended: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if ended:
        candidate["finishReason"] = _ENDS[answer.ends]
    tokens = answer.tokens if ended else answer.tokens._replace(output=0)
    head = {"modelVersion": answer.model, "responseId": f"resp_{answer.id}"}
    return {"candidates": [candidate], "usageMetadata": _usage(tokens), **head}


def _usage(tokens: Tokens) -> dict[str, Any]:
    prompt = tokens.input + tokens.cache_read + tokens.cache_write
    return {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": tokens.cache_read,
        "candidatesTokenCount": tokens.output,
        "totalTokenCount": prompt + tokens.output,
    }


def when_read(event: bytes) -> ReadWhen:
    """A chunk is a piece unless it ends the answer or has a call; each has the usage so far, which the last one repeats."""
    return "later" if b'"candidates"' in event and unsaid(event, *_NEWS) else "now"


def read_event(reader: AnswerReader, body: dict[str, Any]) -> str:
    """Read one chunk."""
    reader.model = str(body.get("modelVersion") or reader.model)
    if body.get("error"):
        reader.fail(mapping(body["error"]), "status")
    if usage := mapping(body.get("usageMetadata")):
        cached = number(usage, "cachedContentTokenCount")
        prompt = number(usage, "promptTokenCount") + number(usage, "toolUsePromptTokenCount")
        output = number(usage, "candidatesTokenCount") + number(usage, "thoughtsTokenCount")
        reader.tokens = Tokens(max(prompt - cached, 0), output, cached)
    if blocked := mapping(body.get("promptFeedback")).get("blockReason"):
        reader.stop = _STOPS.get(str(blocked), "content_filter")
    added = ""
    for candidate in objects(body.get("candidates"))[:1]:
        for part in objects(mapping(candidate.get("content")).get("parts")):
            if part.get("thought") is True:
                reader.think(part.get("text"))
            elif call := mapping(part.get("functionCall")):
                place = len(reader.open_calls)
                reader.open_calls[place] = (str(call.get("name", "")), [])
                reader.call(place, json.dumps(call.get("args") or {}))
            else:
                added += reader.say(part.get("text"))
        if reason := candidate.get("finishReason"):
            ended = _STOPS.get(str(reason), str(reason).lower())
            reader.stop = "tool_calls" if reader.open_calls and ended == "stop" else ended
    reader.done = bool(reader.stop)
    return added


def read_whole(reader: AnswerReader, body: dict[str, Any]) -> None:
    """Read a whole answer: it is one chunk."""
    read_event(reader, body)


def texts(body: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the pieces of the text, and every text in the arguments of functions."""
    for candidate in objects(body.get("candidates")):
        for part in objects(mapping(candidate.get("content")).get("parts")):
            if isinstance(part.get("text"), str) and part.get("thought") is not True:
                yield f"{candidate.get('index')} text", part, "text"
            for holder, place in leaves(mapping(part.get("functionCall")).get("args")):
                yield f"{id(holder)} {place}", holder, place


def question(asked: TextRequest) -> dict[str, Any]:
    """Return a request."""
    contents = [
        {"role": "model" if role == "assistant" else "user", "parts": [{"text": text}]} for role, text in asked.turns
    ]
    body = {"contents": contents, "generationConfig": {"maxOutputTokens": asked.max_tokens}}
    return body | ({"systemInstruction": {"parts": [{"text": asked.system}]}} if asked.system else {})
