"""Reads boxes of Markdown lists, `- [ ] text`: what is shared by all importers of such lists. Must never do I/O.

What a mark means, said once: `[ ]` and `[]` are open, `[x]`, `[X]` and a check mark are done, `[~]` and `[/]` are begun
and so still open, `[-]` is put off (a format may say that it is begun), and any other mark is open and named. A box whose
text is struck through is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

State = Literal["open", "done", "begun", "put off", "struck", "odd"]

_MARKED: Final = r"\[[ \t]*([^\[\]\s]?)[ \t]*\](\*?)"
_BOX: Final = re.compile(
    rf"([ \t]*)(?:(?:[-*+\u2022]|\d{{1,4}}[.)])[ \t]*|(?={_MARKED}[ \t])){_MARKED}(?![(\[:])[ \t]*(.*)$"
)
"""A box behind a bullet, also without a space before or after it, or at the start of a line; a link is none."""
_STATES: Final[dict[str, State]] = {
    "": "open",
    "x": "done",
    "X": "done",
    "\u2713": "done",
    "\u2714": "done",
    "\u2705": "done",
    "~": "begun",
    "/": "begun",
    "-": "put off",
    "~~": "struck",
}
_STRUCK: Final = re.compile(r"(\S+[ \t]+)?~~((?:(?!~~).)+)~~\W*$")
MOST_NAMED: Final = 20
"""Ids that one note names; the others are counted."""


class Box(NamedTuple):
    """A line with a box."""

    number: int
    """Its line, from 1."""
    indent: int
    mark: str
    """What stands in the box; "" for an empty one, "~~" if its text is struck through."""
    optional: bool
    """Whether an asterisk follows the box (Kiro)."""
    text: str

    @property
    def state(self) -> State:
        return _STATES.get(self.mark, "odd")

    @property
    def is_open(self) -> bool:
        """Whether the work is still to be done: everything but what is ticked, put off or struck through."""
        return self.state not in ("done", "put off", "struck")


def box(number: int, line: str) -> Box | None:
    """Return the box of a line, None when it has none (a link `[x](url)` is none)."""
    found = _BOX.match(line)
    if found is None:
        return None
    mark, words = found[4], (found[6] or "").strip()
    if _STATES.get(mark) != "done" and (struck := _STRUCK.match(words)):
        mark, words = "~~", (struck[1] or "") + struck[2]
    return Box(number, len(found[1].expandtabs(4)), mark, bool(found[5]), words)


def lines_outside_fences(text: str) -> Iterator[tuple[int, str]]:
    """Yield line numbers from 1 and lines that are neither in a fenced block nor in a comment that begins a line."""
    fence = ""
    in_comment = False
    for number, line in enumerate(text.splitlines(), start=1):
        opened = re.match(r"\s{0,3}(`{3,}|~{3,})", line)
        if in_comment or (not fence and line.lstrip().startswith("<!--")):
            in_comment = "-->" not in line
        elif fence:
            if opened and opened[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif opened:
            fence = opened[1]
        else:
            yield number, line


def notes_on_hidden(text: str) -> list[str]:
    """Return the note on open boxes that are no tasks because they stand in a fenced block or a comment."""
    read = {number for number, _ in lines_outside_fences(text)}
    lines = enumerate(text.splitlines(), start=1)
    hidden = (box(number, line.replace("<!--", "")) for number, line in lines if "[" in line and number not in read)
    found = named(str(one.number) for one in hidden if one is not None and one.is_open)
    return [f"boxes in a fence or a comment are no tasks: line {found}"] if found else []


def named(ids: Iterable[str]) -> str:
    """Return ids for a note, at most `MOST_NAMED` of them and the number of the others."""
    listed = list(ids)
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(listed[:MOST_NAMED]) + more


def notes_on_marks(boxes: Iterable[tuple[str, Box]], begun_too: str = "") -> list[str]:
    """Return what a user should know about marks: tasks left out, and open ones that do not look it.

    `boxes` are ids and boxes; `begun_too` is a mark that means "begun" in this format, beside the usual ones.
    """
    kinds: dict[str, list[str]] = {}
    for name, one in boxes:
        if (begun_too and one.mark == begun_too) or one.state == "begun":
            kinds.setdefault(f"marked [{one.mark}], begun, so open: built like any other", []).append(name)
        elif one.state == "done":
            kinds.setdefault("ticked, so left out", []).append(name)
        elif one.state == "put off":
            kinds.setdefault("marked [-], put off, so left out (write [ ] to build it)", []).append(name)
        elif one.state == "struck":
            kinds.setdefault("struck through, so left out", []).append(name)
        elif one.state == "odd":
            kinds.setdefault(f"marked [{one.mark}], which says neither done nor put off: built", []).append(name)
    return [f"{named(ids)}: {said}" for said, ids in kinds.items()]
