"""Replaces a lane's paths in a kept answer, in either protocol, whole or streamed. Must never do I/O.

A stream is cut anywhere, so a path may span several events: the pieces of each text are joined, and a changed text goes
out in its first event. Thinking is signed and stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias, assert_never

from buildwright.gateway.parse import EventScanner, json_object
from buildwright.gateway.protocols import Protocol, each_text

Renaming: TypeAlias = tuple[tuple[str, str], ...]
"""Old and new paths, in the order in which they are replaced."""

_SIGNED = frozenset({"thinking", "redacted_thinking"})


def move_answer(body: bytes, protocol: Protocol, renaming: Renaming, *, streamed: bool) -> bytes:
    """Return the answer with its paths replaced; the same bytes if nothing changes. Raises ValueError if invalid."""
    if not renaming:
        return body
    if not streamed:
        answer = json.loads(body)
        moved = each_text(answer, lambda text: _renamed(text, renaming), but=_SIGNED)
        return body if moved == answer else json.dumps(moved, ensure_ascii=False).encode("utf-8", "replace")
    scanner = EventScanner()
    events = list(scanner.feed(body))
    bodies = [json_object(event.data) for event in events]
    texts: dict[str, list[tuple[int, dict[str, Any], str]]] = {}
    for index, one in enumerate(bodies):
        for key, holder, field in _pieces(protocol, one):
            texts.setdefault(key, []).append((index, holder, field))
    changed: set[int] = set()
    for pieces in texts.values():
        text = "".join(holder[field] for _, holder, field in pieces)
        new = _renamed(text, renaming)
        if new != text:
            for index, holder, field in pieces:
                holder[field], new = new, ""
                changed.add(index)
    out = [_event(event.raw, bodies[index]) if index in changed else event.raw for index, event in enumerate(events)]
    return b"".join(out) + scanner.rest()


def _pieces(protocol: Protocol, body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the pieces of text in one event: key of the text they belong to, object that holds them, and its field."""
    match protocol:
        case "anthropic":
            delta = body.get("delta")
            if body.get("type") == "content_block_delta" and isinstance(delta, dict):
                for field in ("text", "partial_json"):
                    if isinstance(delta.get(field), str):
                        yield f"{body.get('index')} {field}", delta, field
        case "openai":
            for choice in body.get("choices") or ():
                delta = choice.get("delta") or {}
                if isinstance(delta.get("content"), str):
                    yield f"{choice.get('index')} content", delta, "content"
                for call in delta.get("tool_calls") or ():
                    function = call.get("function") or {}
                    if isinstance(function.get("arguments"), str):
                        yield f"{choice.get('index')} call {call.get('index')}", function, "arguments"
        case _:
            assert_never(protocol)


def _renamed(text: str, renaming: Renaming) -> str:
    for old, new in renaming:
        text = text.replace(old, new)
        escaped = json.dumps(old)[1:-1]
        if escaped != old:  # in the JSON of a tool's input
            text = text.replace(escaped, json.dumps(new)[1:-1])
    return text


def _event(raw: bytes, body: dict[str, Any]) -> bytes:
    """Return the event with new data, its other lines unchanged."""
    lines = [line for line in raw.splitlines() if line and not line.startswith(b"data:")]
    data = b"data: " + json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return b"\n".join([*lines, data]) + b"\n\n"
