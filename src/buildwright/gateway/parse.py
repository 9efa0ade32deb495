"""Splits a stream of bytes into events, and reads answers as they go by. Must never do I/O.

Event streams have the format of https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from buildwright.gateway.exchange import AnswerReader, json_object, objects
from buildwright.gateway.protocols import PROTOCOLS

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


def read_event(reader: AnswerReader, data: str) -> str:
    """Read the data of one event; return the text it adds."""
    if data.strip() == "[DONE]":
        reader.done = True
        return ""
    return PROTOCOLS[reader.protocol].read_event(reader, json_object(data))


def read_body(reader: AnswerReader, raw: bytes) -> None:
    """Read the whole answer of a request that was not streamed as events."""
    try:
        body = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return
    # Gemini's stream without events is one list of chunks.
    for one in objects(body if isinstance(body, list) else [body]):
        PROTOCOLS[reader.protocol].read_whole(reader, one)
