"""Which lines of two texts stand for each other. Pure; must never take the cube of the lines, as difflib may by itself."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple, TypeVar

_EXACT = 250_000
"""Lines of one text times those of the other, up to which all are aligned by. Above, only those that are there once: others
belong to a block when they stand beside these."""

Line = TypeVar("Line", bound=Hashable)


class Block(NamedTuple):
    """Lines that are equal in both: where they begin, from 0, and how many they are."""

    before: int
    after: int
    size: int


def equal_blocks(before: Sequence[Line], after: Sequence[Line]) -> list[Block]:
    """Return the blocks of equal lines in their order, none of them empty. What lies between them differs."""
    most = min(len(before), len(after))
    start = next((at for at in range(most) if before[at] != after[at]), most)
    end = next((at for at in range(most - start) if before[-1 - at] != after[-1 - at]), most - start)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if len(old) * len(new) > _EXACT:
        found = _by_unique_lines(old, new)
    else:
        found = [Block(*one) for one in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()]
    between = [Block(start + i, start + k, size) for i, k, size in found]
    blocks = [Block(0, 0, start), *between, Block(len(before) - end, len(after) - end, end)]
    return [block for block in blocks if block.size]


def _by_unique_lines(old: Sequence[Line], new: Sequence[Line]) -> list[Block]:
    """Return the blocks around the lines that are there once in both and come in the same order. O(lines * log lines)."""
    once = [{line for line, times in Counter(side).items() if times == 1} for side in (old, new)]
    both = once[0] & once[1]
    place = {line: at for at, line in enumerate(new) if line in both}
    blocks, upto, until = list[Block](), 0, 0
    for at, other in _rising([(at, place[line]) for at, line in enumerate(old) if line in place]):
        if at < upto:
            continue
        i, k = at, other
        while i > upto and k > until and old[i - 1] == new[k - 1]:
            i, k = i - 1, k - 1
        upto, until = at + 1, other + 1
        while upto < len(old) and until < len(new) and old[upto] == new[until]:
            upto, until = upto + 1, until + 1
        blocks.append(Block(i, k, upto - i))
    return blocks


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of these pairs in which the second numbers rise, as the first ones do."""
    ends, lasts, before = list[int](), list[int](), list[int]()  # of the best part of each length: its end, and which
    for at, (_, other) in enumerate(pairs):
        length = bisect_left(ends, other)
        before.append(lasts[length - 1] if length else -1)
        ends[length : length + 1] = [other]
        lasts[length : length + 1] = [at]
    found, at = list[tuple[int, int]](), lasts[-1] if lasts else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]
