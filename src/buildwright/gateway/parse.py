"""Reads answers as they stream by, in either protocol: text, tool calls, usage, stop reason. Must never do I/O.

Event streams have the format of https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, assert_never

from buildwright.gateway.answers import Tokens, ToolUse
from buildwright.gateway.protocols import Protocol

LONGEST_EVENT = 16 * 1024 * 1024
"""Largest event in bytes, more than any model says: a stream without line ends must not fill the memory."""


class SseEvent(NamedTuple):
    """One event: its bytes as they came, and its data ("" for a comment)."""

    raw: bytes
    data: str


class TooLong(Exception):
    """An event of a stream exceeds LONGEST_EVENT."""


class EventScanner:
    """Splits a byte stream, fed in any pieces, into events; linear in the bytes."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._raw = bytearray()
        self._data: list[str] = []
        self._after_return = False

    def feed(self, data: bytes) -> Iterator[SseEvent]:
        """Yield the events that `data` completes. Raises TooLong."""
        for line in data.splitlines(keepends=True):
            if self._after_return and line == b"\n":
                # The second half of a CRLF that was split between two pieces.
                self._raw += line
                self._after_return = False
                continue
            self._after_return = False
            self._line += line
            if len(self._raw) + len(self._line) > LONGEST_EVENT:
                raise TooLong
            if self._line.endswith((b"\n", b"\r")):
                self._after_return = self._line.endswith(b"\r")
                yield from self._end_line()

    def rest(self) -> bytes:
        """Return the bytes after the last complete event."""
        return bytes(self._raw + self._line)

    def _end_line(self) -> Iterator[SseEvent]:
        self._raw += self._line
        text = self._line.rstrip(b"\r\n").decode("utf-8", "replace")
        self._line.clear()
        if not text:
            event = SseEvent(bytes(self._raw), "\n".join(self._data))
            self._raw.clear()
            self._data = []
            yield event
        elif text.startswith("data:"):
            self._data.append(text[5:].removeprefix(" "))


class ProviderError(NamedTuple):
    """An error event in the middle of a stream."""

    type: str
    message: str


class AnswerReader:
    """Collects one answer from its events or its whole body. Must never fail on what it does not understand."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol: Protocol = protocol
        self.model = ""
        self.tokens: Tokens | None = None
        """None until the provider reports usage."""
        self.text: list[str] = []
        self.stop = ""
        self.done = False
        """Whether the answer is complete."""
        self.error: ProviderError | None = None
        self._calls: dict[int, tuple[str, list[str]]] = {}

    @property
    def calls(self) -> tuple[ToolUse, ...]:
        """The tool calls so far, in order; one whose input is not an object has an empty input."""
        return tuple(ToolUse(name, json_object("".join(parts))) for _, (name, parts) in sorted(self._calls.items()))

    def event(self, data: str) -> str:
        """Read the data of one event; return the text it adds."""
        if data.strip() == "[DONE]":
            self.done = True
            return ""
        body = json_object(data)
        match self._protocol:
            case "anthropic":
                return self._anthropic(body)
            case "openai":
                return self._openai(body)
            case _:
                assert_never(self._protocol)

    def body(self, raw: bytes) -> None:
        """Read the whole answer of a request that was not streamed."""
        body = json_object(raw.decode("utf-8", "replace"))
        if self._protocol == "anthropic":
            self._anthropic({"type": "message_start", "message": body})
            for index, block in enumerate(_list(body.get("content"))):
                self._anthropic({"type": "content_block_start", "index": index, "content_block": block})
                if block.get("type") == "text":
                    self.text.append(str(block.get("text", "")))
                elif block.get("type") == "tool_use":
                    self._calls[index][1].append(json.dumps(block.get("input")))
            self.stop = str(body.get("stop_reason") or "")
        else:
            choices = [{**one, "delta": one.get("message")} for one in _list(body.get("choices"))]
            self._openai({**body, "choices": choices})
        self.done = bool(self.stop)

    def _anthropic(self, body: Mapping[str, Any]) -> str:
        kind, delta = body.get("type"), _mapping(body.get("delta"))
        index = body.get("index") if isinstance(body.get("index"), int) else 0
        if kind == "content_block_delta":
            if delta.get("type") == "text_delta" and isinstance(delta.get("text"), str):
                self.text.append(delta["text"])
                return str(delta["text"])
            if delta.get("type") == "input_json_delta" and index in self._calls:
                self._calls[index][1].append(str(delta.get("partial_json", "")))
        elif kind == "content_block_start":
            block = _mapping(body.get("content_block"))
            if block.get("type") == "tool_use":
                self._calls[int(index or 0)] = (str(block.get("name", "")), [])
        elif kind == "message_start":
            message = _mapping(body.get("message"))
            self.model = str(message.get("model") or self.model)
            self._count_anthropic(_mapping(message.get("usage")))
        elif kind == "message_delta":
            self.stop = str(delta.get("stop_reason") or self.stop)
            self._count_anthropic(_mapping(body.get("usage")))
        elif kind == "message_stop":
            self.done = True
        elif kind == "error":
            self._fail(body)
        return ""

    def _count_anthropic(self, usage: Mapping[str, Any]) -> None:
        # Counts are running sums, and a later event repeats only some of them.
        if not usage:
            return
        old = self.tokens or Tokens()
        by_age = _mapping(usage.get("cache_creation"))
        self.tokens = Tokens(
            _number(usage, "input_tokens", old.input),
            _number(usage, "output_tokens", old.output),
            _number(usage, "cache_read_input_tokens", old.cache_read),
            _number(usage, "cache_creation_input_tokens", old.cache_write),
            _number(by_age, "ephemeral_1h_input_tokens", old.cache_write_1h),
        )

    def _openai(self, body: Mapping[str, Any]) -> str:
        self.model = str(body.get("model") or self.model)
        if body.get("error"):
            self._fail(body)
        if usage := _mapping(body.get("usage")):
            cached = _number(_mapping(usage.get("prompt_tokens_details")), "cached_tokens", 0)
            prompt = _number(usage, "prompt_tokens", 0)
            self.tokens = Tokens(max(prompt - cached, 0), _number(usage, "completion_tokens", 0), cached)
        added = ""
        for choice in _list(body.get("choices"))[:1]:
            delta = _mapping(choice.get("delta"))
            if isinstance(delta.get("content"), str):
                added = delta["content"]
                self.text.append(added)
            for number, call in enumerate(_list(delta.get("tool_calls"))):
                index = _number(call, "index", number)
                function = _mapping(call.get("function"))
                _, parts = self._calls.setdefault(index, (str(function.get("name", "")), []))
                parts.append(str(function.get("arguments") or ""))
            self.stop = str(choice.get("finish_reason") or self.stop)
        return added

    def _fail(self, body: Mapping[str, Any]) -> None:
        error = _mapping(body.get("error"))
        self.error = ProviderError(str(error.get("type") or ""), str(error.get("message") or "no reason given"))


def json_object(text: str) -> dict[str, Any]:
    """Return the object in a JSON text, an empty one for anything else, such as `[DONE]`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _number(source: Mapping[str, Any], key: str, default: int) -> int:
    value = source.get(key)
    return value if isinstance(value, int) and value >= 0 else default
