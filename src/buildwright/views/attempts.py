"""Two attempts at a task side by side: their changes aligned by file, hunk and line, and what differs between them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal, NamedTuple

from buildwright.core.record import Record
from buildwright.views.line_words import pieces_of
from buildwright.views.review import DiffFile, DiffHunk, DiffLine

MOST_LINES = 3_000
"""Lines of a file's hunks above which they are not aligned."""

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
    left_kind: str = ""
    """What the left attempt did to it: `added`, `changed`, `deleted`, `renamed`; "" for nothing."""
    right_kind: str = ""
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
    """Return two changes aligned. O(the square of the lines of a hunk) at worst, for each hunk."""
    mine, other = ({file.path: file for file in one.files} for one in (left, right))
    files = [_file(path, mine.get(path), other.get(path)) for path in {**mine, **other}]
    files.sort(key=lambda file: (file.match == "same", file.path))
    differ = sum(file.match != "same" for file in files)
    if not differ:
        words = "Both made the same change."
    else:
        same = len(files) - differ
        words = f"They differ in {differ} of {len(files)} file{'' if len(files) == 1 else 's'}"
        words += f"; {same} {'is' if same == 1 else 'are'} the same." if same else "."
    ends = (_end(left), _end(right))
    return AttemptsView(build=build_id, task=task, left=ends[0], right=ends[1], words=words, files=tuple(files))


def _end(change: AttemptChange) -> AttemptEnd:
    return AttemptEnd(
        attempt=change.attempt,
        old=change.old,
        new=change.new,
        files=len(change.files),
        added=sum(file.added for file in change.files),
        removed=sum(file.removed for file in change.files),
    )


def _file(path: str, left: DiffFile | None, right: DiffFile | None) -> AttemptFile:
    sides = [side for side in (left, right) if side is not None]
    match: FileMatch = "only_right" if left is None else "only_left" if right is None else "differs"
    kinds = {"left_kind": left.kind if left else "", "right_kind": right.kind if right else ""}
    lines = sum(len(hunk.lines) for side in sides for hunk in side.hunks)
    if any(side.binary for side in sides):
        return AttemptFile(path=path, match=match, **kinds, not_shown="It is a binary file.")
    if lines > MOST_LINES:
        return AttemptFile(path=path, match=match, **kinds, not_shown=f"Its changes have {lines:,} lines.")
    hunks = tuple(_hunks(left.hunks if left else (), right.hunks if right else ()))
    if match == "differs" and kinds["left_kind"] == kinds["right_kind"] and not any(hunk.differs for hunk in hunks):
        match = "same"
    return AttemptFile(path=path, match=match, **kinds, hunks=hunks)


def _hunks(left: Sequence[DiffHunk], right: Sequence[DiffHunk]) -> Iterator[AttemptHunk]:
    for mine, other in _grouped(left, right):
        runs = tuple(_runs(_lines_of(mine), _lines_of(other)))
        first = (mine or other)[0]
        yield AttemptHunk(
            heading=first.heading,
            left_start=mine[0].new_start if mine else 0,
            right_start=other[0].new_start if other else 0,
            differs=any(run.differs for run in runs),
            runs=runs,
        )


def _lines_of(hunks: Sequence[DiffHunk]) -> list[DiffLine]:
    return [line for hunk in hunks for line in hunk.lines]


def _grouped(left: Sequence[DiffHunk], right: Sequence[DiffHunk]) -> Iterator[tuple[list[DiffHunk], list[DiffHunk]]]:
    """Yield the hunks of both by the lines of the file before that they share; all as one where those were other lines."""
    if not _same_base(left, right):
        yield list(left), list(right)
        return
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


def _same_base(left: Sequence[DiffHunk], right: Sequence[DiffHunk]) -> bool:
    """Return whether both changed the same lines before, as far as both show them."""
    before = {line.old: line.text for hunk in left for line in hunk.lines if line.old is not None}
    return all(
        before.get(line.old, line.text) == line.text for hunk in right for line in hunk.lines if line.old is not None
    )


def _runs(left: Sequence[DiffLine], right: Sequence[DiffLine]) -> Iterator[AttemptLinesRun]:
    keys = [[(line.kind, line.text) for line in side] for side in (left, right)]
    rows: list[tuple[bool, AttemptLines]] = []
    for tag, i, j, k, m in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        if tag == "equal":
            rows += [(False, AttemptLines(left=a, right=b)) for a, b in zip(left[i:j], right[k:m], strict=True)]
        else:
            rows += [(True, row) for row in _apart(left[i:j], right[k:m])]
    for differs, run in groupby(rows, key=lambda row: row[0]):
        yield AttemptLinesRun(differs=differs, lines=tuple(row for _, row in run))


def _apart(left: Sequence[DiffLine], right: Sequence[DiffLine]) -> Iterator[AttemptLines]:
    """Yield lines that differ side by side, with the words that differ marked where one stands beside the other."""
    both = min(len(left), len(right))
    told = pieces_of(["removed"] * both + ["added"] * both, [line.text for line in (*left[:both], *right[:both])])
    for place in range(max(len(left), len(right))):
        yield AttemptLines(
            left=_in_pieces(left[place], told.get(place, ())) if place < len(left) else None,
            right=_in_pieces(right[place], told.get(both + place, ()) if place < both else ())
            if place < len(right)
            else None,
        )


def _in_pieces(line: DiffLine, pieces: tuple[str, ...]) -> DiffLine:
    return line.model_copy(update={"pieces": pieces}) if pieces else line
