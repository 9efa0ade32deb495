"""Joins string literals that code puts together, so that a secret in pieces is seen whole. Must never run code."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

_QUOTE = rb"[\"'`]"
# A closing quote, an operator or a line's end, an opening quote: "a" + "b", "a" . "b", "a" "b", "a" \ "b".
_JOINT = re.compile(
    rb"[\"'`](?<=[\w+/=.~@:$!-][\"'`])[ \t]{0,20}(?:[+.&~]|\.\.|<>|\|\|)?[ \t]{0,20}"
    rb"(?:\\?\r?\n[ \t]{0,80})?(?:(?:[+.&~]|\|\|)[ \t]{0,20})?[rbfuRBFU]{0,2}[\"'`](?=[\w+/=.~@:$!-])"
)
_LISTS = re.compile(rb"join\(\s{0,20}[\[(]([^\])\n]{1,2000})[\])]|\[([^\]]{1,2000})\]\s{0,20}\.\s{0,20}join\(")
_COMMA = re.compile(_QUOTE + rb"\s{0,40},\s{0,40}[rbfu]?" + _QUOTE)
_MOST = 20_000
_AROUND = 300


class Joined(NamedTuple):
    """A text without its joints. `places[n]` is where the n-th joint was in it, `removed[n]` the bytes gone by then."""

    content: bytes
    places: list[int]
    removed: list[int]

    def original(self, offset: int) -> int:
        """Return where a byte of the joined text stands in the original."""
        at = bisect_right(self.places, offset)
        return offset + (self.removed[at - 1] if at else 0)

    def windows(self) -> Iterator[tuple[int, int]]:
        """Yield the pieces of the joined text around its joints, as first and last byte; they do not overlap."""
        start, stop = -1, -1
        for place in self.places:
            if start < 0 or place - _AROUND > stop:
                if start >= 0:
                    yield start, stop
                start = max(place - _AROUND, 0)
            stop = min(place + _AROUND, len(self.content))
        if start >= 0:
            yield start, stop

    def crosses(self, start: int, end: int) -> bool:
        """Return whether a piece of the joined text was in two pieces."""
        return bisect_right(self.places, start) < bisect_right(self.places, end - 1)


def join(content: bytes) -> Joined | None:
    """Return the content with its string literals joined, None when there is nothing to join."""
    spans = [found.span() for found in _JOINT.finditer(content)][:_MOST]
    if b"join(" in content:
        for found in _LISTS.finditer(content):
            start = found.start(found.lastindex or 0)
            spans += [
                (start + a, start + b) for a, b in (c.span() for c in _COMMA.finditer(found[found.lastindex or 0]))
            ]
    if not spans:
        return None
    kept, places, removed, end, gone = [], [], [], 0, 0
    for start, stop in sorted(spans):
        if start < end:
            continue
        kept.append(content[end:start])
        gone += stop - start
        places.append(stop - gone)
        removed.append(gone)
        end = stop
    kept.append(content[end:])
    return Joined(b"".join(kept), places, removed)
