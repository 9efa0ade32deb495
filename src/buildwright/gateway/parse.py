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


_LONGEST_MARK = 16


class SseEvent(NamedTuple):
    """One event: its bytes as they came."""

    raw: bytes

    @property
    def data(self) -> str:
        """Its data, "" for a comment."""
        raw = self.raw
        begin = 0 if raw.startswith(b"data:") else raw.find(b"\ndata:") + 1
        end = raw.find(b"\n", begin)
        if raw.startswith(b"data:", begin) and raw.find(b"\ndata:", end) < 0 <= end and b"\r" not in raw:
            line = raw[begin + (6 if raw.startswith(b" ", begin + 5) else 5) : end]
        else:
            lines = (line[5:].removeprefix(b" ") for line in raw.splitlines() if line.startswith(b"data:"))
            line = b"\n".join(lines)
        return line.decode("utf-8", "replace")


class TooLong(Exception):
    """An event of a stream exceeds LONGEST_EVENT."""


class EventScanner:
    """Splits a byte stream, fed in any pieces, into events; linear in the bytes."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._lines: _LineScanner | None = None
        """Once a carriage return was seen, which makes ends of lines of its own."""

    def feed(self, data: bytes) -> Iterator[SseEvent]:
        """Yield the events that `data` completes. Raises TooLong."""
        if self._lines is None and b"\r" in data:
            self._lines = _LineScanner()
            data, self._kept = bytes(self._kept) + data, bytearray()
        if self._lines is not None:
            yield from self._lines.feed(data)
            return
        start = 0
        if self._kept:
            before = len(self._kept)
            self._kept += data
            end = self._kept.find(b"\n\n", before - 1) + 2
            if end < 2:
                data = b""
            else:
                yield SseEvent(bytes(self._kept[:end]))
                self._kept.clear()
                start = end - before
        while (end := data.find(b"\n\n", start) + 2) > 1:
            yield SseEvent(data[start:end])
            start = end
        self._kept += data[start:]
        if len(self._kept) > LONGEST_EVENT:
            raise TooLong

    def rest(self) -> bytes:
        """Return the bytes after the last complete event."""
        return self._lines.rest() if self._lines is not None else bytes(self._kept)


class _LineScanner:
    """Splits a stream with any ends of lines into events, line by line."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._raw = bytearray()
        self._after_return = False

    def feed(self, data: bytes) -> Iterator[SseEvent]:
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
                self._raw += self._line
                if not self._line.rstrip(b"\r\n"):
                    yield SseEvent(bytes(self._raw))
                    self._raw.clear()
                self._line.clear()

    def rest(self) -> bytes:
        return bytes(self._raw + self._line)


def read_event(reader: AnswerReader, data: str) -> str:
    """Read the data of one event; return the text it adds."""
    if len(data) < _LONGEST_MARK and data.strip() == "[DONE]":
        reader.done = True
        return ""
    protocol = PROTOCOLS[reader.protocol]
    return "" if data.startswith(protocol.REPEATS) else protocol.read_event(reader, json_object(data))


def read_body(reader: AnswerReader, raw: bytes) -> None:
    """Read the whole answer of a request that was not streamed as events."""
    try:
        body = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return
    # Gemini's stream without events is one list of chunks.
    for one in objects(body if isinstance(body, list) else [body]):
        PROTOCOLS[reader.protocol].read_whole(reader, one)
