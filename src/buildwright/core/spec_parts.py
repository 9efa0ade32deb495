"""The parts of a spec's text: headings, items of lists, rows of tables, sentences, by offsets. Pure; must never change a text.

The pieces follow each other without a gap: joined, they are the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

PieceKind = Literal["heading", "item", "sentence", "row", "code", "other"]
ASKING: frozenset[PieceKind] = frozenset({"item", "sentence", "row"})
"""Kinds of pieces that ask for something; the others are titles, examples and white space."""

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,4}[.)])[ \t]+(?:\[[ xX~/-]\][ \t]+)?(?=\S)")
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*$")
_RULER = re.compile(r"[ \t]*\|?[ \t:|-]*-{3,}[ \t:|-]*$")
_QUOTED = re.compile(r"[ \t>]*")
_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f]+[\"'\u201d\u2019)\]*_`]*(?=\s|$)")
_SHORT = re.compile(r"(?:^|[\s(])(?:e\.g|i\.e|etc|vs|cf|no|fig|approx|incl|resp|[A-Za-z])\.$", re.IGNORECASE)
_WORD = re.compile(r"\w")


class Piece(NamedTuple):
    """A piece of the text, from `start` to before `end` in characters. `line` counts from 1."""

    kind: PieceKind
    start: int
    end: int
    line: int


class _TextLine(NamedTuple):
    start: int
    text: str
    number: int

    @property
    def end(self) -> int:
        """The end of its words, before the end of the line."""
        return self.start + len(self.text.rstrip())


def pieces_of(text: str) -> tuple[Piece, ...]:
    """Return the pieces of a Markdown or plain text, in order; what is between two of them is a piece of `other`."""
    found: list[Piece] = []
    at, line = 0, 1
    for piece in _asked(text):
        if piece.start > at:
            found.append(Piece("other", at, piece.start, line))
        found.append(piece)
        at, line = piece.end, piece.line
    if at < len(text):
        found.append(Piece("other", at, len(text), line))
    return tuple(found)


def _asked(text: str) -> Iterator[Piece]:
    """Yield the pieces that are more than white space and marks."""
    lines = list(_lines(text))
    at = _behind_front_matter(lines)
    while at < len(lines):
        line = lines[at]
        if not line.text.strip() or line.text.lstrip().startswith("<!--"):
            at += 1
        elif fence := _FENCE.match(line.text):
            end = _fence_end(lines, at, fence[1])
            yield Piece("code", line.start, lines[end].end, line.number)
            at = end + 1
        elif _HEADING.match(line.text) or (at + 1 < len(lines) and _is_underlined(lines, at)):
            yield Piece("heading", line.start, line.end, line.number)
            at += 1
        elif _UNDERLINE.fullmatch(line.text) or _RULER.fullmatch(line.text):
            at += 1
        elif _ROW.fullmatch(line.text):
            titles = at + 1 < len(lines) and _RULER.fullmatch(lines[at + 1].text) is not None
            yield Piece("heading" if titles else "row", line.start, line.end, line.number)
            at += 1
        else:
            end = _block_end(lines, at)
            yield from _block(text, lines[at:end])
            at = end


def _lines(text: str) -> Iterator[_TextLine]:
    at = 0
    for number, line in enumerate(text.split("\n"), 1):
        yield _TextLine(at, line, number)
        at += len(line) + 1


def _behind_front_matter(lines: list[_TextLine]) -> int:
    if lines and lines[0].text.strip() == "---":
        end = next((place for place, line in enumerate(lines[1:], 1) if line.text.strip() == "---"), 0)
        return end + 1 if end else 0
    return 0


def _fence_end(lines: list[_TextLine], at: int, fence: str) -> int:
    closing = re.compile(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
    return next((i for i in range(at + 1, len(lines)) if closing.match(lines[i].text)), len(lines) - 1)


def _is_underlined(lines: list[_TextLine], at: int) -> bool:
    below = lines[at + 1].text
    return _UNDERLINE.fullmatch(below) is not None and _ITEM.match(lines[at].text) is None and len(below.strip()) > 1


def _block_end(lines: list[_TextLine], at: int) -> int:
    """Return the line behind a paragraph or an item: before an empty line, or one that begins something else."""
    for place in range(at + 1, len(lines)):
        text = lines[place].text
        if not text.strip() or any(mark.match(text) for mark in (_FENCE, _HEADING, _ITEM, _ROW)):
            return place
    return len(lines)


def _block(text: str, lines: list[_TextLine]) -> Iterator[Piece]:
    """Yield an item whole, and of a paragraph its sentences."""
    first = lines[0]
    if mark := _ITEM.match(first.text):
        yield Piece("item", first.start + mark.end(), lines[-1].end, first.number)
        return
    quoted = _QUOTED.match(first.text)
    start, last = first.start + (quoted.end() if quoted else 0), lines[-1].end
    for end in (*_sentence_ends(text, start, last), last):
        words = text[start:end]
        start += len(words) - len(words.lstrip())
        if _WORD.search(words):
            yield Piece("sentence", start, end, first.number + text.count("\n", first.start, start))
            start = end


def _sentence_ends(text: str, start: int, last: int) -> Iterator[int]:
    for found in _END.finditer(text, start, last):
        if not _SHORT.search(text, max(start, found.start() - 8), found.start() + 1):
            yield found.end()
