"""Replaces a lane's paths in a kept answer, in any protocol, whole or streamed. Must never do I/O.

A stream is cut anywhere, so a path may span several events: the pieces of each text are joined, and a changed text goes
out in its first event. Thinking is signed and stays as it is.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from buildwright.gateway.exchange import Protocol, each_text, json_object
from buildwright.gateway.parse import EventScanner
from buildwright.gateway.protocols import PROTOCOLS

Renaming: TypeAlias = tuple[tuple[str, str], ...]
"""Old and new paths, in the order in which they are replaced."""

_SIGNED = frozenset({"thinking", "redacted_thinking", "reasoning"})


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
    texts: dict[str, list[tuple[int, Any, Any]]] = {}
    for index, one in enumerate(bodies):
        for key, holder, place in PROTOCOLS[protocol].texts(one):
            texts.setdefault(key, []).append((index, holder, place))
    changed: set[int] = set()
    for pieces in texts.values():
        text = "".join(holder[place] for _, holder, place in pieces)
        new = _renamed(text, renaming)
        if new != text:
            for index, holder, place in pieces:
                holder[place], new = new, ""
                changed.add(index)
    out = [_event(event.raw, bodies[index]) if index in changed else event.raw for index, event in enumerate(events)]
    return b"".join(out) + scanner.rest()


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
