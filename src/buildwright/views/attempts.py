"""Two attempts at a task side by side: their changes aligned by file, hunk and line, and what differs between them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from buildwright.core.alignment import Block, equal_blocks
from buildwright.core.figures import count
from buildwright.core.record import Record
from buildwright.views.line_words import Comparing, pieces_of
from buildwright.views.review import DiffFile, DiffHunk, DiffLine

MOST_LINES = 3_000
"""Lines of a file's hunks above which they are not aligned."""
MOST_IN_ALL = 10_000
"""Lines of the hunks of all files that one answer shows; those that differ come first."""

FileMatch = Literal["same", "differs", "only_left", "only_right"]


class AttemptLines(Record):
    """A line of the left attempt's change beside the one of the right; None where one of them has none."""

    left: DiffLine | None = None
    right: DiffLine | None = None


class AttemptLinesRun(Record):
    """Lines one after the other that are the same in both changes, or that differ."""

    differs: bool
    lines: tuple[AttemptLines, ...]


class AttemptHunk(Record):
    """Hunks of both changes that are about the same lines of the file as it was."""

    heading: str = ""
    left_start: int = 0
    """The first line in the left attempt's file; 0 where the left attempt changed nothing here."""
    right_start: int = 0
    differs: bool
    runs: tuple[AttemptLinesRun, ...]


class AttemptFile(Record):
    """A file that at least one of the attempts changed."""

    path: str
    match: FileMatch
    words: str
    """The match in words."""
    left_kind: str = ""
    """What the left attempt did to it: `added`, `changed`, `deleted`, `renamed`; "" for nothing."""
    right_kind: str = ""
    besides: str = ""
    """What differs besides its lines, such as its name before or its mode, in words; "" for nothing."""
    not_shown: str = ""
    """Why its lines are not: "" when they are."""
    hunks: tuple[AttemptHunk, ...] = ()


class AttemptEnd(Record):
    """An attempt and its change."""

    attempt: int
    old: str
    new: str
    files: int
    added: int
    removed: int


class AttemptsView(Record):
    """The changes of two attempts at a task, side by side."""

    build: str
    task: str
    left: AttemptEnd
    right: AttemptEnd
    words: str
    """How they differ, in a sentence."""
    files: tuple[AttemptFile, ...] = ()
    """Those that differ first, then by path."""


class AttemptChange(NamedTuple):
    """An attempt: its number, the two ends of its change, and its files."""

    attempt: int
    old: str
    new: str
    files: Sequence[DiffFile]


def attempts_side_by_side(build_id: str, task: str, left: AttemptChange, right: AttemptChange) -> AttemptsView:
    """Return two changes aligned, as far as the bounds above let it. O(lines) beside that."""
    mine, other = ({file.path: file for file in one.files} for one in (left, right))
    pairs = [_Pair(path, mine.get(path), other.get(path)) for path in {**mine, **other}]
    ordered = sorted(((pair, _match(pair)) for pair in pairs), key=lambda one: (one[1] == "same", one[0].path))
    names: dict[FileMatch, str] = {
        "same": "the same in both",
        "differs": "differs",
        "only_left": f"only attempt {left.attempt}",
        "only_right": f"only attempt {right.attempt}",
    }
    room = _Room()
    files = tuple(_file(pair, match, names[match], room) for pair, match in ordered)
    differ = sum(file.match != "same" for file in files)
    if not differ:
        words = "Both made the same change."
    else:
        same = len(files) - differ
        words = f"They differ in {differ} of {count(len(files), 'file')}"
        words += f"; {same} {'is' if same == 1 else 'are'} the same." if same else "."
    ends = (_end(left), _end(right))
    return AttemptsView(build=build_id, task=task, left=ends[0], right=ends[1], words=words, files=files)


def _end(change: AttemptChange) -> AttemptEnd:
    return AttemptEnd(
        attempt=change.attempt,
        old=change.old,
        new=change.new,
        files=len(change.files),
        added=sum(file.added for file in change.files),
        removed=sum(file.removed for file in change.files),
    )


class _Pair(NamedTuple):
    """What both attempts did to one file; None for nothing."""

    path: str
    left: DiffFile | None
    right: DiffFile | None

    @property
    def lines(self) -> int:
        """Return the lines of all hunks of both."""
        return sum(len(hunk.lines) for side in (self.left, self.right) if side for hunk in side.hunks)


class _Room:
    """How much more one answer shows."""

    def __init__(self) -> None:
        self._lines = MOST_IN_ALL
        self.comparing = Comparing()

    def refusal(self, lines: int) -> str:
        """Return why a file of this many lines is not shown; "" for one that is, and count it."""
        if lines > MOST_LINES:
            return f"Its changes have {lines:,} lines."
        if lines > self._lines:
            return f"With its {lines:,} lines there are more than {MOST_IN_ALL:,} to show."
        self._lines -= lines
        return ""


def _match(pair: _Pair) -> FileMatch:
    """Return whether both did the same to a file. O(lines)."""
    left, right = pair.left, pair.right
    if left is None:
        return "only_right"
    if right is None:
        return "only_left"
    if _besides(left) != _besides(right) or left.binary != right.binary:
        return "differs"
    if left.binary:
        return "same" if _is_one(left.new_blob, right.new_blob) else "differs"
    numbered = _is_one(left.old_blob, right.old_blob)
    return "same" if _keys(_lines_of(left.hunks), numbered) == _keys(_lines_of(right.hunks), numbered) else "differs"


def _is_one(blob: str, other: str) -> bool:
    """Return whether two ids are of one content: git shortens them, not always to the same length."""
    return bool(blob and other) and (blob.startswith(other) or other.startswith(blob))


def _besides(file: DiffFile) -> str:
    """Return what a change does to a file besides its lines, in words."""
    return (
        file.kind + (f" from {file.old_path}" if file.old_path else "") + (f", mode {file.mode}" if file.mode else "")
    )


def _file(pair: _Pair, match: FileMatch, words: str, room: _Room) -> AttemptFile:
    left, right = pair.left, pair.right
    told = (_besides(left), _besides(right)) if left and right else ("", "")
    shown = AttemptFile(
        path=pair.path,
        match=match,
        words=words,
        left_kind=left.kind if left else "",
        right_kind=right.kind if right else "",
        besides=f"On the left {told[0]}; on the right {told[1]}." if told[0] != told[1] else "",
    )
    binary = any(side.binary for side in (left, right) if side)
    if why := "It is a binary file." if binary else room.refusal(pair.lines):
        return shown.model_copy(update={"not_shown": why})
    return shown.model_copy(update={"hunks": tuple(_hunks(left, right, room.comparing))})


def _hunks(left: DiffFile | None, right: DiffFile | None, comparing: Comparing) -> Iterator[AttemptHunk]:
    numbered = left is None or right is None or _is_one(left.old_blob, right.old_blob)
    both = [list(side.hunks) if side else [] for side in (left, right)]
    for mine, other in _grouped(*both) if numbered else [both]:
        runs = tuple(_runs(_lines_of(mine), _lines_of(other), numbered, comparing))
        if runs:
            yield AttemptHunk(
                heading=(mine or other)[0].heading,
                left_start=mine[0].new_start if mine else 0,
                right_start=other[0].new_start if other else 0,
                differs=any(run.differs for run in runs),
                runs=runs,
            )


def _lines_of(hunks: Sequence[DiffHunk]) -> list[DiffLine]:
    return [line for hunk in hunks for line in hunk.lines]


def _grouped(left: Sequence[DiffHunk], right: Sequence[DiffHunk]) -> Iterator[tuple[list[DiffHunk], list[DiffHunk]]]:
    """Yield the hunks of both by the lines that they share of the file before, which is the same one for both."""
    ordered = sorted(
        [(hunk, False) for hunk in left] + [(hunk, True) for hunk in right], key=lambda one: one[0].old_start
    )
    mine, other, end = list[DiffHunk](), list[DiffHunk](), -1
    for hunk, is_right in ordered:
        if (mine or other) and hunk.old_start > end:
            yield mine, other
            mine, other = [], []
        (other if is_right else mine).append(hunk)
        end = max(end, hunk.old_start + hunk.old_lines)
    if mine or other:
        yield mine, other


_Key = tuple[str, str, bool, int | None]


def _keys(lines: Sequence[DiffLine], numbered: bool) -> list[_Key]:
    """Return what lines are compared by: with their numbers in the file before where that is the same one for both."""
    return [(line.kind, line.text, line.unended, line.old if numbered else None) for line in lines]


def _runs(
    left: Sequence[DiffLine], right: Sequence[DiffLine], numbered: bool, comparing: Comparing
) -> Iterator[AttemptLinesRun]:
    rows: list[tuple[bool, AttemptLines]] = []
    mine, other = _keys(left, numbered), _keys(right, numbered)
    upto, until = 0, 0
    for i, k, size in (*equal_blocks(mine, other), Block(len(left), len(right), 0)):
        rows += [(True, row) for row in _apart(left[upto:i], right[until:k], comparing)]
        upto, until = i + size, k + size
        rows += [
            (False, AttemptLines(left=one, right=two)) for one, two in zip(left[i:upto], right[k:until], strict=True)
        ]
    for differs, run in groupby(rows, key=lambda row: row[0]):
        yield AttemptLinesRun(differs=differs, lines=tuple(row for _, row in run))


def _apart(left: Sequence[DiffLine], right: Sequence[DiffLine], comparing: Comparing) -> Iterator[AttemptLines]:
    """Yield lines that differ side by side, with the words that differ marked where one stands beside the other."""
    both = min(len(left), len(right))
    texts = [line.text for line in (*left[:both], *right[:both])]
    told = pieces_of(["removed"] * both + ["added"] * both, texts, comparing)
    for place in range(max(len(left), len(right))):
        yield AttemptLines(
            left=_in_pieces(left[place], told.get(place, ())) if place < len(left) else None,
            right=_in_pieces(right[place], told.get(both + place, ()) if place < both else ())
            if place < len(right)
            else None,
        )


def _in_pieces(line: DiffLine, pieces: tuple[str, ...]) -> DiffLine:
    return line.model_copy(update={"pieces": pieces}) if pieces else line
