"""Reads boxes of Markdown lists, `- [ ] text`: what is shared by all importers of such lists. Must never do I/O.

What a mark means, said once: `[ ]` and `[]` are open, `[x]`, `[X]` and a check mark are done, `[~]` and `[/]` are begun
and so still open, `[-]` is put off (a format may say that it is begun), and any other mark is open and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

State = Literal["open", "done", "begun", "put off", "odd"]

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
}
MOST_NAMED: Final = 20
"""Ids that one note names; the others are counted."""


class Box(NamedTuple):
    """A line with a box."""

    number: int
    """Its line, from 1."""
    indent: int
    mark: str
    """What stands in the box; "" for an empty one."""
    optional: bool
    """Whether an asterisk follows the box (Kiro)."""
    text: str

    @property
    def state(self) -> State:
        return _STATES.get(self.mark, "odd")

    @property
    def is_open(self) -> bool:
        """Whether the work is still to be done: everything but what is ticked or put off."""
        return self.state not in ("done", "put off")


def box(number: int, line: str) -> Box | None:
    """Return the box of a line, None when it has none (a link `[x](url)` is none)."""
    found = _BOX.match(line)
    if found is None:
        return None
    return Box(number, len(found[1].expandtabs(4)), found[4], bool(found[5]), (found[6] or "").strip())


def lines_outside_fences(text: str) -> Iterator[tuple[int, str]]:
    """Yield line numbers from 1 and lines that are not in a fenced block."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        opened = re.match(r"\s{0,3}(`{3,}|~{3,})", line)
        if fence:
            if opened and opened[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif opened:
            fence = opened[1]
        else:
            yield number, line


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
        elif one.state == "odd":
            kinds.setdefault(f"marked [{one.mark}], which says neither done nor put off: built", []).append(name)
    return [f"{named(ids)}: {said}" for said, ids in kinds.items()]
