"""Tables of plain text, and figures for people. Must never cut an id, nor anything in a pipe or a file."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_GAP = 2
_LEAST = 16
"""The smallest width of the last column, in terminal cells; narrower text says nothing."""


class Column(NamedTuple):
    """A column. When the terminal is too narrow, the column with the largest `leaves` is dropped first, 0 never."""

    name: str
    right: bool = False
    leaves: int = 0


class TableCell(NamedTuple):
    """A piece of a line, in one style."""

    text: str
    style: str = ""


Cell = str | TableCell


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None) -> list[list[TableCell]]:
    """Return the head and one line per row. `width` is the terminal's width in cells, None for no limit.

    Columns are dropped until the rest fits; then the last one, unless it is the only one, is cut to the width left.
    """
    head = [TableCell(column.name, "bold") for column in columns]
    lines = [head, *([cell if isinstance(cell, TableCell) else TableCell(cell) for cell in row] for row in rows)]
    widths = [max(cells(line[index].text) for line in lines) for index in range(len(columns))]
    kept = [index for index in range(len(columns)) if any(row[index].text for row in lines[1:])]
    room = None
    if width is not None:
        while _needed(columns, widths, kept) > width:
            going = max(kept, key=lambda index: (columns[index].leaves, index))
            if columns[going].leaves == 0:
                break
            kept.remove(going)
        room = max(_LEAST, width - sum(widths[index] + _GAP for index in kept[:-1]))
    return [_line(line, columns, widths, kept, room) for line in lines]


def size(number: int) -> str:
    """Format a number of bytes for people, such as 1.5 MiB."""
    value = float(number)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def duration(seconds: float) -> str:
    """Format seconds for people: 3.2 s, 2 min 5 s, 1 h 4 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def tokens(number: int) -> str:
    """Format a number of tokens in three digits: 950, 18.2k, 1.4M."""
    if number < 1000:
        return str(number)
    return f"{number / 1000:.1f}k" if number < 1_000_000 else f"{number / 1_000_000:.1f}M"


def cells(text: str) -> int:
    """Return the width of a text in terminal cells: wide letters count two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _needed(columns: Sequence[Column], widths: Sequence[int], kept: Sequence[int]) -> int:
    """Return the width of the kept columns; the last one, if it may be cut, counts with its smallest width."""
    if not kept:
        return 0
    last = kept[-1]
    tail = min(widths[last], _LEAST) if _may_be_cut(columns, last) else widths[last]
    return sum(widths[index] + _GAP for index in kept[:-1]) + tail


def _may_be_cut(columns: Sequence[Column], index: int) -> bool:
    """Return whether a column is the last one, which may be cut, and not the first, which holds ids."""
    return index == len(columns) - 1 and index > 0


def _line(
    line: Sequence[TableCell], columns: Sequence[Column], widths: Sequence[int], kept: Sequence[int], room: int | None
) -> list[TableCell]:
    """Return one row with its kept columns padded to their widths; the last is cut to `room` cells."""
    pieces: list[TableCell] = []
    for index in kept:
        text, style = line[index]
        if index == kept[-1]:
            if room is not None and _may_be_cut(columns, index):
                text = _cut(text, room)
            missing = widths[index] - cells(text) if columns[index].right else 0
            pieces.append(TableCell(" " * max(0, missing) + text, style))
        else:
            fill = " " * (widths[index] - cells(text))
            pieces.append(TableCell(f"{fill}{text}" if columns[index].right else f"{text}{fill}", style))
            pieces.append(TableCell(" " * _GAP))
    return pieces


def _cut(text: str, room: int) -> str:
    """Return a text of at most `room` cells, with three dots where it was cut."""
    if cells(text) <= room:
        return text
    while text and cells(text) > room - 3:
        text = text[:-1]
    return text + "..."
