"""Cuts the way from one release to the next into a graph of tasks, by file and symbol. Pure.

Lines are compared as `difflib` does. What changes in one symbol of one file is one task; pieces that no unchanged lines
part belong to one task, so that each can be applied to any mixture of the others. A task waits for those that define
what its new lines name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from graphlib import TopologicalSorter
from typing import NamedTuple

from buildwright.code_map.outline import outline, outline_language

_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_APART = 2
"""Unchanged lines that must lie between two tasks of a file: a merge by lines needs one, and an agent's extra line another."""


class Hunk(NamedTuple):
    """Lines `start` to `stop` (from 0, without `stop`) of the earlier file that become `new`, from line `first` of the later."""

    start: int
    stop: int
    new: tuple[str, ...]
    first: int = 0


class Piece(NamedTuple):
    """What one task changes: hunks of one file. For a file that is new, `path` alone and one hunk."""

    path: str
    symbol: str
    hunks: tuple[Hunk, ...]
    is_new: bool = False

    @property
    def name(self) -> str:
        """File and symbol in one word for people."""
        return f"{self.path}: {self.symbol}" if self.symbol else self.path


class Step(NamedTuple):
    """One task of the graph. Pieces that wait for each other are one task."""

    id: str
    pieces: tuple[Piece, ...]
    depends_on: tuple[str, ...]

    @property
    def name(self) -> str:
        """Files and symbols in one line for people."""
        return ", ".join(piece.name for piece in self.pieces)


def apply(lines: list[str], hunks: Iterable[Hunk]) -> list[str]:
    """Return the lines of a file after some of its hunks."""
    after = list(lines)
    for hunk in sorted(hunks, reverse=True):
        after[hunk.start : hunk.stop] = hunk.new
    return after


def cut(project: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Step]:
    """Return the tasks between two states of the sources (texts by path), in an order that respects what they wait for.

    Files that the later release no longer has stay as they are.
    """
    pieces = [piece for path in sorted(after) for piece in _pieces(path, before.get(path), after[path])]
    groups, needs = _groups(_waits(pieces, before, after))
    ids = {group: f"{project}-{number:03}" for number, group in enumerate(groups, 1)}
    return [
        Step(ids[group], tuple(pieces[one] for one in groups[group]), tuple(sorted(ids[one] for one in needs[group])))
        for group in groups
    ]


def _pieces(path: str, before: str | None, after: str) -> Iterator[Piece]:
    new = after.splitlines(keepends=True)
    if before is None:
        yield Piece(path, "", (Hunk(0, 0, tuple(new)),), is_new=True)
        return
    old = before.splitlines(keepends=True)
    at_old, at_new = symbol_of(path, before), symbol_of(path, after)
    grouped: dict[str, list[Hunk]] = defaultdict(list)
    last: tuple[str, int] | None = None
    for tag, start, stop, first, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        said = next((number for number in range(first, end) if new[number].strip()), None)
        name = at_old(start) if said is None else at_new(said)
        if last is not None and start - last[1] < _APART:
            name = last[0]
        grouped[name].append(Hunk(start, stop, tuple(new[first:end]), first))
        last = name, stop
    for name, hunks in grouped.items():
        yield Piece(path, name, tuple(hunks))


def symbol_of(path: str, text: str) -> Callable[[int], str]:
    """Return what says in which definition of a file a line (from 0) lies, "" before the first; with a method's class."""
    language = outline_language(path)
    found = [one for one in outline(language, text.encode()).symbols if one.depth < 2] if language else []
    starts, names, holder = [one.line - 1 for one in found], [""], ""
    for one in found:
        holder = holder if one.depth else one.name
        names.append(f"{holder}.{one.name}" if one.depth else one.name)
    return lambda line: names[bisect_right(starts, line)]


def _waits(pieces: list[Piece], before: Mapping[str, str], after: Mapping[str, str]) -> list[set[int]]:
    """Return for each piece the numbers of those that define a name which its new lines hold and nothing defined before."""
    known = {word for text in before.values() for word in _WORD.findall(text)}
    defines: dict[str, int] = {}
    for number, piece in enumerate(pieces):
        for word in _defined(piece, after):
            if word not in known:
                defines.setdefault(word, number)
    return [
        {defines[word] for hunk in piece.hunks for word in _WORD.findall("".join(hunk.new)) if word in defines}
        - {number}
        for number, piece in enumerate(pieces)
    ]


def _defined(piece: Piece, after: Mapping[str, str]) -> Iterator[str]:
    """Yield the names that a piece brings: its symbol, what it imports or assigns at the top, a new file's name."""
    if piece.is_new:
        yield piece.path.rsplit("/", 1)[-1].split(".", 1)[0]
        language = outline_language(piece.path)
        yield from (one.name for one in outline(language, after[piece.path].encode()).symbols) if language else ()
        return
    yield piece.symbol.rsplit(".", 1)[-1]
    for hunk in piece.hunks:
        for line in hunk.new:
            if line[:1].strip():
                yield from _WORD.findall(line.split("(")[0])


def _groups(waits: list[set[int]]) -> tuple[dict[int, list[int]], dict[int, set[int]]]:
    """Return the pieces of each group, which wait for each other, in an order that can be built; and the groups it waits for."""
    reach = [set(one) for one in waits]
    for middle in range(len(waits)):
        for known in reach:
            if middle in known:
                known.update(reach[middle])
    group_of = {
        number: min({other for other in reach[number] if number in reach[other]} | {number})
        for number in range(len(waits))
    }
    needs: dict[int, set[int]] = defaultdict(set)
    for number, group in group_of.items():
        needs[group] |= {group_of[one] for one in waits[number]} - {group}
    ordered = TopologicalSorter(needs).static_order()
    return {group: [number for number, of in group_of.items() if of == group] for group in ordered}, needs
