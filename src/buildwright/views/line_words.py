"""Which words differ between the lines of a diff that stand for each other. Pure; must never judge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_LONGEST = 1_000
"""Characters of the longest line that is compared word by word."""
_LEAST_ALIKE = 0.5
"""The least share of words that two lines have in common if one became the other."""
_MOST = 3_000_000
"""Words of one line times words of the other, summed over the pairs of one answer: comparing takes long."""

Pieces = tuple[str, ...]
"""A line in pieces, by turns unchanged and changed, an unchanged one first, which may be ""."""


class Comparing:
    """How much more is compared word by word for one answer."""

    def __init__(self, most: int = _MOST) -> None:
        self._left = most

    def takes(self, before: int, after: int) -> bool:
        """Return whether two lines of these numbers of words are still compared, and count them."""
        self._left -= before * after
        return self._left >= 0


def pieces_of(kinds: Sequence[str], texts: Sequence[str], comparing: Comparing) -> dict[int, Pieces]:
    """Return the pieces of the lines of a hunk, by place, where a removed line became an added one.

    `kinds` are `same`, `added` or `removed`. The first line of a removed run is held against the first of the added run
    that follows, and so on, as long as `comparing` takes them. Takes O(lines) beside that.
    """
    found: dict[int, Pieces] = {}
    for old, new in _runs(kinds):
        for before, after in zip(old, new, strict=False):
            if both := _compared(texts[before], texts[after], comparing):
                found[before], found[after] = both
    return found


def _runs(kinds: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the places of each run of removed lines, with those of the added lines right behind it."""
    removed: list[int] = []
    for kind, group in groupby(range(len(kinds)), key=lambda place: kinds[place]):
        places = list(group)
        if kind == "added" and removed:
            yield removed, places
        removed = places if kind == "removed" else []


def _compared(old: str, new: str, comparing: Comparing) -> tuple[Pieces, Pieces] | None:
    """Return both lines in pieces; None when they are too different, or too long to be compared."""
    if max(len(old), len(new)) > _LONGEST:
        return None
    before, after = _WORD.findall(old), _WORD.findall(new)
    if not comparing.takes(len(before), len(after)):
        return None
    matcher = SequenceMatcher(None, before, after)
    if matcher.quick_ratio() < _LEAST_ALIKE or matcher.ratio() < _LEAST_ALIKE:
        return None
    mine, its = [""], [""]
    for kind, start, end, other, until in matcher.get_opcodes():
        same = kind == "equal"
        _add(mine, "".join(before[start:end]), same=same)
        _add(its, "".join(after[other:until]), same=same)
    return tuple(mine), tuple(its)


def _add(pieces: list[str], text: str, *, same: bool) -> None:
    if not text:
        return
    if (len(pieces) % 2 == 1) is same:
        pieces[-1] += text
    else:
        pieces.append(text)
