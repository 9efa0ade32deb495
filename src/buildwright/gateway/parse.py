"""Splits a stream of bytes into events, and reads answers as they go by. Must never do I/O.

Event streams have the format of https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import fields
from typing import NamedTuple

from buildwright.gateway.exchange import AnswerReader, json_object, objects
from buildwright.gateway.protocols import PROTOCOLS

LONGEST_EVENT = 16 * 1024 * 1024
"""Largest event in bytes, more than any model says: a stream without line ends must not fill the memory."""
MOST_UNREAD = 1024 * 1024
"""Bytes of the pieces of one answer that are left unread."""

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
        self._kept: list[bytes] = []
        """The pieces of the event that has begun, none empty."""
        self._size = 0
        self._lines: _LineScanner | None = None
        """Once a carriage return was seen, which makes ends of lines of its own."""

    def feed(self, data: bytes) -> Iterator[SseEvent]:
        """Yield the events that `data` completes. Raises TooLong."""
        if self._lines is None and b"\r" in data:
            self._lines = _LineScanner()
            data, self._kept = b"".join((*self._kept, data)), []
        if self._lines is not None:
            yield from self._lines.feed(data)
            return
        start = 0
        if self._kept:
            cut_between = data.startswith(b"\n") and self._kept[-1].endswith(b"\n")
            start = 1 if cut_between else _end_of_event(data, 0)
            if start:
                yield SseEvent(b"".join((*self._kept, data[:start])))
                self._kept, self._size = [], 0
        if not self._kept:
            while end := _end_of_event(data, start):
                yield SseEvent(data[start:end])
                start = end
        if start < len(data):
            self._kept.append(data[start:])
            self._size += len(data) - start
        if self._size > LONGEST_EVENT:
            raise TooLong

    def rest(self) -> bytes:
        """Return the bytes after the last complete event."""
        return self._lines.rest() if self._lines is not None else b"".join(self._kept)


def _end_of_event(data: bytes, start: int) -> int:
    """Return where the event that begins at `start` ends, 0 if it does not. To look for one byte is much the fastest."""
    end = data.find(b"\n", start) + 1
    while end and not data.startswith(b"\n", end):
        end = data.find(b"\n", end) + 1
    return end + 1 if end else 0


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


def read_event(reader: AnswerReader, event: SseEvent) -> str:
    """Read one event, unless it only repeats; return the text it adds."""
    protocol = PROTOCOLS[reader.protocol]
    return "" if protocol.when_read(event.raw) == "never" else _read(reader, event.data)


def _read(reader: AnswerReader, data: str) -> str:
    if len(data) < _LONGEST_MARK and data.strip() == "[DONE]":
        reader.done = True
        return ""
    return PROTOCOLS[reader.protocol].read_event(reader, json_object(data))


class AnswerStream:
    """Reads an answer into `reader` while its stream goes by, no further than it must be known. Linear in the bytes.

    What ends the answer, counts it or fails it is read at once. Its pieces are most of a stream, and all that they say
    is how long it is: they are read when an answer ends uncounted, or is cut. Of one that ends counted none is, but the
    first where nothing else names the model; all if `whole`, for a recorder, which writes the text down. Up to
    `MOST_UNREAD` bytes wait; beyond, the oldest are read.
    """

    def __init__(self, reader: AnswerReader, *, whole: bool = False) -> None:
        self._reader = reader
        self._when_read = PROTOCOLS[reader.protocol].when_read
        self._scanner = EventScanner()
        self._behind = None if whole else AnswerReader(reader.protocol)
        """Reads all events in their order, later."""
        self._waiting: deque[SseEvent] = deque()
        self.unread = 0
        """Bytes that wait to be read."""

    def feed(self, piece: bytes, *, drops_usage: bool = False) -> bytes:
        """Read a piece of the stream; return what of it is for the client. Raises TooLong.

        It is passed on as it came, unless a chunk that only tells the usage must be left out: then in whole events.
        """
        kept: list[bytes] = []
        for event in self._scanner.feed(piece):
            when = self._when_read(event.raw)
            if self._behind is not None and when != "never":
                self._waiting.append(event)
                self.unread += len(event.raw)
            if when == "now" or (when == "later" and self._behind is None):
                data = event.data
                _read(self._reader, data)
                if self._reader.done:
                    self.settle()
                if drops_usage and _only_usage(data):
                    continue
            if drops_usage:
                kept.append(event.raw)
        while self._behind is not None and self.unread > MOST_UNREAD:
            self._read_next(self._behind)
        return b"".join(kept) if drops_usage else piece

    def rest(self) -> bytes:
        """Return the bytes after the last complete event."""
        return self._scanner.rest()

    def settle(self) -> None:
        """Read what must be known when the answer has ended, or the stream is over. All after it is read at once."""
        behind, self._behind = self._behind, None
        if behind is None:
            return
        if not self._reader.done or self._reader.tokens is None:
            while self._waiting:
                self._read_next(behind)
            for field in fields(behind):
                setattr(self._reader, field.name, getattr(behind, field.name))
        else:
            # Where only the pieces name the model, all of them do.
            while self._waiting and not (self._reader.model or behind.model):
                self._read_next(behind)
            self._reader.model = self._reader.model or behind.model
        self._waiting.clear()
        self.unread = 0

    def _read_next(self, behind: AnswerReader) -> None:
        event = self._waiting.popleft()
        self.unread -= len(event.raw)
        _read(behind, event.data)


def _only_usage(data: str) -> bool:
    """Return whether a chunk only tells the usage."""
    if '"usage"' not in data:
        return False
    body = json_object(data)
    return body.get("choices") == [] and bool(body.get("usage"))


def read_body(reader: AnswerReader, raw: bytes) -> None:
    """Read the whole answer of a request that was not streamed as events."""
    try:
        body = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return
    # Gemini's stream without events is one list of chunks.
    for one in objects(body if isinstance(body, list) else [body]):
        PROTOCOLS[reader.protocol].read_whole(reader, one)
