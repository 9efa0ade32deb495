"""Foreign text made fit for people: no terminal controls, no secrets, no endless lines. Pure; must never take time that
grows faster than the text, and never let the place where a text was cut into chunks change the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

LONGEST_LINE: Final = 8_192
"""Characters of a line that are shown, not counting the mark that says how many are left out."""
REASON_LINES: Final = 10
"""Most lines of what a failing command said last that a person is shown."""
_HELD: Final = 2 * LONGEST_LINE
"""Characters of a line that are examined: more than are shown, so that a secret across the cut is seen whole."""
_MARK_ROOM: Final = 48

_SEQUENCE = r"""
    (?: \x1b\[ | \x9b ) [0-?]{0,128} [ -/]{0,16} (?P<csi>[@-~])?                     # colors, moves of the cursor
  | (?: \x1b[\]PX^_] | [\x90\x98\x9d-\x9f] )                                         # titles, links, device strings
        [^\x07\x1b\n\x80-\x9f]{0,4096} (?P<text>\x07|\x1b\\|\x9c)?
  | \x1b [ -/]{0,16} (?P<escape>[0-~])?
"""
"""ECMA-48. Every part is bounded and may end anywhere: a sequence unfinished at the end of a line is removed too."""
_BEGIN: Final = "\x1b\x90\x98\x9b\x9d\x9e\x9f"

_CONTROLS = re.compile(
    rf"{_SEQUENCE}"
    r"| [\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x8f\x91-\x97\x99\x9a\x9c]+"  # C0 but TAB, LF, CR; DEL; C1: what begins none
    r"| [\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+"  # turns the direction of writing
    r"| [\ud800-\udfff]+",
    re.VERBOSE,
)
_ANY_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Every text with something to strip matches this: searching for it is ten times as fast."""
_ONE_SEQUENCE = re.compile(_SEQUENCE, re.VERBOSE)


def strip_controls(text: str) -> str:
    """Return the text as a terminal would leave it, line by line, with nothing in it that a terminal would obey.

    Escape sequences, control characters but TAB and LF, marks that turn the direction of writing and lone surrogates
    are removed; a line that was written over (`\\r`, a progress bar) keeps its last state; a line of more than
    `LONGEST_LINE` characters is cut, and says how many more there were.
    """
    return clean(text, str)


def clean(text: str, mask: Callable[[str], str]) -> str:
    """Apply `mask` to each line before it is cut, and `strip_controls`."""
    if "\n" not in text and "\r" not in text and len(text) <= LONGEST_LINE and not _ANY_CONTROL.search(text):
        masked = mask(text)  # most texts are one plain line: the same as below in a third of the time
        if len(masked) <= LONGEST_LINE:
            return masked
    cleaner = Cleaner(mask)
    return cleaner.feed(text) + cleaner.end()


class Cleaner:
    """`clean` for a text that comes in chunks: the whole result is the same however the text was cut.

    Lines come out whole, since only the end of a line tells what it shows at last and what in it is a secret.
    Holds two lines of the longest kind at most, and one escape sequence.
    """

    def __init__(self, mask: Callable[[str], str] = str) -> None:
        self._mask = mask
        self._unfinished = ""
        self._now = _Line()
        self._before = _Line()
        """The content of the line before it was last begun anew."""

    def feed(self, chunk: str) -> str:
        """Take the next chunk; return the lines it ends, each with its line feed."""
        text = self._unfinished + chunk
        cut = _unfinished_from(text)
        text, self._unfinished = text[:cut], text[cut:]
        if _ANY_CONTROL.search(text):
            text = _CONTROLS.sub("", text)
        return "".join(f"{line}\n" for line in self._lines(text))

    def end(self) -> str:
        """Return the last line if it was not ended, else "". Another text may follow."""
        self._unfinished = ""
        return self._end_line()

    def _lines(self, text: str) -> Iterator[str]:
        *ended, rest = text.split("\n")
        for line in ended:
            self._write(line)
            yield self._end_line()
        self._write(rest)

    def _write(self, text: str) -> None:
        first, *again = text.split("\r") if "\r" in text else (text,)
        self._now.add(first)
        for state in again:
            if self._now.length:
                self._before, self._now = self._now, _Line()
            self._now.add(state)

    def _end_line(self) -> str:
        line = self._now if self._now.length else self._before
        self._now, self._before = _Line(), _Line()
        masked = self._mask(line.text())
        over = line.length - min(line.length, _HELD)
        if not over and len(masked) <= LONGEST_LINE:
            return masked
        shown = LONGEST_LINE - _MARK_ROOM
        return f"{masked[:shown]} [{len(masked) - shown + over} more characters]"


class _Line:
    """The beginning of a line, and how long it is."""

    __slots__ = ("_pieces", "length")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.length = 0

    def add(self, text: str) -> None:
        if text:
            if self.length < _HELD:
                self._pieces.append(text[: _HELD - self.length])
            self.length += len(text)

    def text(self) -> str:
        return "".join(self._pieces)


def _unfinished_from(text: str) -> int:
    """Return where an escape sequence begins that the end of the text cuts off; the length of the text when none is."""
    start = max(text.rfind(begin) for begin in _BEGIN)
    found = _ONE_SEQUENCE.match(text, start) if start >= 0 else None
    return start if found is not None and found.end() == len(text) and found.lastgroup is None else len(text)


def lines_of(text: str) -> tuple[str, ...]:
    """Return the first line of what was said and the last ten after it, without those that are blank or only drawn."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip(" \t=-_.^~*")]
    return (*lines[:1], *lines[1:][-REASON_LINES:])
