"""Foreign text made fit for people: no terminal controls, no secrets, no endless lines. Pure; must never take time that
grows faster than the text, and never let the place where a text was cut into chunks change what comes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

LONGEST_LINE: Final = 8_192
"""Characters of a line that are shown, the mark that says how many are not included."""
_HELD: Final = 2 * LONGEST_LINE
"""Characters of a line that are looked at: more than are shown, so that a secret which goes beyond the cut is seen whole."""
_MARK_ROOM: Final = 48

_SEQUENCE = r"""
    (?: \x1b\[ | \x9b ) [0-?]{0,128} [ -/]{0,16} (?P<csi>[@-~])?                     # colors, moves of the cursor
  | (?: \x1b[\]PX^_] | [\x90\x98\x9d-\x9f] )                                         # titles, links, device strings
        [^\x07\x1b\n\x80-\x9f]{0,4096} (?P<text>\x07|\x1b\\|\x9c)?
  | \x1b [ -/]{0,16} (?P<escape>[0-~])?
"""
"""ECMA-48. All of it is bounded and may end anywhere: what is unfinished at the end of a line goes with what it had begun."""
_BEGIN: Final = "\x1b\x90\x98\x9b\x9d\x9e\x9f"

_CONTROLS = re.compile(
    rf"{_SEQUENCE}"
    r"| [\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+"  # C0 but TAB, LF and CR; DEL; C1
    r"| [\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+"  # what turns the direction of writing
    r"| [\ud800-\udfff]+",
    re.VERBOSE,
)
_ANY_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What there is in every text that has something to strip: ten times as fast to look for."""
_ONE_SEQUENCE = re.compile(_SEQUENCE, re.VERBOSE)


def strip_controls(text: str) -> str:
    """The text as a terminal would leave it, line by line, with nothing in it that a terminal would obey.

    Escape sequences, control characters but TAB and LF, marks that turn the direction of writing and lone surrogates go;
    of a line that was written over (`\\r`, a progress bar) its last state stays; a line of more than `LONGEST_LINE`
    characters is cut, and says how many more there were.
    """
    return clean(text, str)


def clean(text: str, mask: Callable[[str], str]) -> str:
    """`strip_controls`, and `mask` for each line, before it is cut."""
    if "\n" not in text and "\r" not in text and len(text) <= LONGEST_LINE and not _ANY_CONTROL.search(text):
        masked = mask(text)  # most texts are one plain line: the same as below in a third of the time
        if len(masked) <= LONGEST_LINE:
            return masked
    cleaner = Cleaner(mask)
    return cleaner.feed(text) + cleaner.end()


class Cleaner:
    """`clean` for a text that comes in chunks: what comes out in all is the same however it was cut.

    Lines come out whole, since neither what will stand on a line at last nor what is a secret is known before its end.
    Holds two lines of the longest kind at most, and one escape sequence.
    """

    def __init__(self, mask: Callable[[str], str] = str) -> None:
        self._mask = mask
        self._unfinished = ""
        self._now = _Line()
        self._before = _Line()
        """What stood on the line when it was last begun anew."""

    def feed(self, chunk: str) -> str:
        """Take the next chunk; the lines it ends, each with its line feed."""
        text = self._unfinished + chunk
        cut = _unfinished_from(text)
        text, self._unfinished = text[:cut], text[cut:]
        if _ANY_CONTROL.search(text):
            text = _CONTROLS.sub("", text)
        return "".join(f"{line}\n" for line in self._lines(text))

    def end(self) -> str:
        """What stands on a last line that was not ended; "" when there is none. Another text may follow."""
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
    """Where an escape sequence begins that the end of the text cuts off; the length of the text when there is none."""
    start = max(text.rfind(begin) for begin in _BEGIN)
    found = _ONE_SEQUENCE.match(text, start) if start >= 0 else None
    return start if found is not None and found.end() == len(text) and found.lastgroup is None else len(text)
