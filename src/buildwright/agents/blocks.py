"""Finds file, edit and plan blocks in a model's answer while it streams. Pure and linear; must never apply a block.

A marker counts only at column 0 and outside a block: quoted inside a file it is content. One exception keeps a
forgotten end from swallowing the next file: a FILE or EDIT opener inside an open FILE or EDIT block drops the open
block with a warning and opens the new one. A file that must contain such a line is put between markers with more "="
signs; markers with fewer are then content. An unterminated block at the end of the answer is dropped as well.

The same holds for the parts of an EDIT, which may quote a merge conflict as it is. A part with a second middle line
(the line below a heading, say) is refused: where to split it would be a guess.

The formats; one code fence around the content is allowed, and removed if it is opened and closed:

    === FILE: path ===           === EDIT: path ===          === DELETE: path ===
    content                      <<<<<<< SEARCH              === TASK DONE: id ===
    === END FILE ===             old lines                   === BUILD PLAN ===
                                 =======                     - [ ] one thing to do
                                 new lines                   === END BUILD PLAN ===
                                 >>>>>>> REPLACE
                                 === END EDIT ===
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, assert_never

PROSE_PIECE = 200
"""A line of prose longer than this many characters is passed on in pieces, before it ends."""
LONGEST_MARKER = 5_000
"""Characters; a path has at most 4,096 bytes."""


class Prose(NamedTuple):
    """Text outside every block."""

    text: str


class FileBlock(NamedTuple):
    """The whole content of a file."""

    path: str
    content: str


class Replacement(NamedTuple):
    """Text that must occur exactly once, and its replacement."""

    search: str
    replace: str


class EditBlock(NamedTuple):
    """Replacements in one file, in order; all or none must be made."""

    path: str
    replacements: tuple[Replacement, ...]


class DeleteBlock(NamedTuple):
    """A file to remove."""

    path: str


class PlanItem(NamedTuple):
    """A line of the agent's own checklist."""

    text: str
    done: bool


class PlanBlock(NamedTuple):
    """The agent's own checklist."""

    items: tuple[PlanItem, ...]


class DoneBlock(NamedTuple):
    """The agent's claim that an item of its checklist is done; never a verdict."""

    item: str


class Malformed(NamedTuple):
    """A block that was dropped, and why, in words for the model and the user. `line` counts from 1."""

    line: int
    problem: str


Block: TypeAlias = Prose | FileBlock | EditBlock | DeleteBlock | PlanBlock | DoneBlock | Malformed

_State = Literal["prose", "file", "edit", "search", "replace", "plan"]
_END: dict[str, str] = {"file": "=== END FILE ===", "edit": "=== END EDIT ===", "plan": "=== END BUILD PLAN ==="}
_WIDTH = 7
"""Fewest signs in the markers of a SEARCH/REPLACE part: as many as git puts around a conflict."""
_MORE_SIGNS = "write its markers with more signs: <<<<<<<< SEARCH, ========, >>>>>>>> REPLACE"


@dataclass(slots=True)
class _Open:
    """The block that is being read."""

    path: str
    line: int
    lines: list[str]
    search: str
    replacements: list[Replacement]
    signs: int = 3
    """Number of "=" on each side of its markers."""
    width: int = _WIDTH
    torn: bool = False
    """Whether the current line is in a merge conflict that the part quotes."""

    def ends(self, mark: str, kind: str) -> bool:
        signs = "=" * self.signs
        return mark == f"{signs} END {kind} {signs}"


class BlockScanner:
    """Splits an answer, fed in chunks, into blocks; each block is returned when its last line is complete."""

    def __init__(self) -> None:
        self._state: _State = "prose"
        self._open = _Open("", 0, [], "", [])
        self._partial: list[str] = []
        self._partial_length = 0
        self._inside_line = False
        """Whether the start of the current line was passed on as prose: then the line cannot be a marker."""
        self._line = 0
        self._out: list[Block] = []

    def feed(self, chunk: str) -> list[Block]:
        """Return the blocks that this chunk completes. Takes time linear in the chunk alone."""
        *complete, rest = chunk.split("\n")
        for piece in complete:
            self._partial.append(piece)
            self._take("".join(self._partial) + "\n")
            self._partial, self._partial_length = [], 0
        if rest:
            self._partial.append(rest)
            self._partial_length += len(rest)
            self._pass_on_long_prose()
        return self._drain()

    def finish(self) -> list[Block]:
        """Return what is left at the end of the answer. A block that is still open is dropped."""
        if self._partial:
            self._take("".join(self._partial))
            self._partial, self._partial_length = [], 0
        if self._state != "prose":
            self._drop("was not finished before the answer ended")
        return self._drain()

    def _drain(self) -> list[Block]:
        out, self._out = self._out, []
        return out

    def _pass_on_long_prose(self) -> None:
        if self._state != "prose" or self._partial_length < PROSE_PIECE:
            return
        # What begins like a marker is held back up to the longest possible marker. Only the first pieces are checked:
        # joining all of them for every chunk would make one endless line quadratic.
        begins = "".join(self._partial[:3])[:3]
        if self._inside_line or begins != "===" or self._partial_length > LONGEST_MARKER:
            self._out.append(Prose("".join(self._partial)))
            self._inside_line = True
            self._partial, self._partial_length = [], 0

    def _take(self, line: str) -> None:
        self._line += 1
        if self._inside_line:
            self._inside_line = False
            self._out.append(Prose(line))
            return
        # Only a line that can be a marker is stripped: stripping costs the length of the line.
        mark = line.rstrip() if line[:3] in {"===", "<<<", ">>>"} else ""
        inside = self._state in {"file", "edit", "search", "replace"}
        if inside and (opener := _opener(mark)) is not None and opener.signs >= self._open.signs:
            self._drop("has no end line before the next block begins")
        match self._state:
            case "prose":
                self._outside(line, mark)
            case "file":
                self._in_file(line, mark)
            case "edit" | "search" | "replace":
                self._in_edit(line, mark)
            case "plan":
                self._in_plan(line, mark)
            case _:
                assert_never(self._state)

    def _outside(self, line: str, mark: str) -> None:
        opener = _opener(mark)
        if opener is not None:
            kind, path, signs = opener
            self._open = _Open(path, self._line, [], "", [], signs)
            if not path:
                self._out.append(Malformed(self._line, f"the {kind} block in line {self._line} names no path"))
            self._state = "file" if kind == "FILE" else "edit"
        elif mark == "=== BUILD PLAN ===":
            self._open = _Open("", self._line, [], "", [])
            self._state = "plan"
        elif (deleted := _named(mark, "=== DELETE: ")) is not None:
            self._out.append(DeleteBlock(deleted))
        elif (item := _named(mark, "=== TASK DONE: ")) is not None:
            self._out.append(DoneBlock(item))
        elif mark in _END.values():
            self._out.append(Malformed(self._line, f"line {self._line} ends a block that was never begun: {mark}"))
        else:
            self._out.append(Prose(line))

    def _in_file(self, line: str, mark: str) -> None:
        if not self._open.ends(mark, "FILE"):
            self._open.lines.append(line)
            return
        if self._open.path:
            self._out.append(FileBlock(self._open.path, "".join(_without_fence(self._open.lines))))
        self._state = "prose"

    def _in_edit(self, line: str, mark: str) -> None:
        block = self._open
        if block.ends(mark, "EDIT"):
            self._end_edit()
        elif self._state == "edit":
            self._between_parts(line, mark)
        elif block.torn or (block.width == _WIDTH and mark.startswith("<" * _WIDTH)):
            # A merge conflict quoted from the file: the middle line in it is not the middle of this part.
            block.torn = not mark.startswith(">" * _WIDTH)
            block.lines.append(line)
        elif mark == "=" * block.width:
            if self._state == "replace":
                self._drop(f"has two lines {mark} in one part, so its SEARCH text is not certain; {_MORE_SIGNS}")
            else:
                block.search, block.lines, self._state = "".join(block.lines), [], "replace"
        elif self._state == "replace" and mark == f"{'>' * block.width} REPLACE":
            block.replacements.append(Replacement(block.search, "".join(block.lines)))
            block.lines, self._state = [], "edit"
        else:
            block.lines.append(line)

    def _between_parts(self, line: str, mark: str) -> None:
        width = len(mark) - len(mark.lstrip("<"))
        if width >= _WIDTH and mark[width:] == " SEARCH":
            self._open.width, self._open.torn, self._state = width, False, "search"
        elif line.strip() and not line.startswith(("```", "~~~")):
            # Dropped as a whole: guessing where such a line belongs could edit the wrong place.
            self._drop(f"has text outside its SEARCH/REPLACE parts in line {self._line}")

    def _end_edit(self) -> None:
        if self._state == "search":
            self._drop(f"has a SEARCH part without {'=' * self._open.width}")
        elif self._state == "replace":
            self._drop(f"has a replacement without {'>' * self._open.width} REPLACE")
        elif not self._open.replacements:
            self._drop("has no SEARCH part")
        elif self._open.path:
            self._out.append(EditBlock(self._open.path, tuple(self._open.replacements)))
        self._state = "prose"

    def _in_plan(self, line: str, mark: str) -> None:
        if mark != _END["plan"]:
            self._open.lines.append(line)
            return
        items = (_plan_item(entry) for entry in self._open.lines)
        self._out.append(PlanBlock(tuple(item for item in items if item is not None)))
        self._state = "prose"

    def _drop(self, why: str) -> None:
        name = {"file": "FILE", "plan": "BUILD PLAN"}.get(self._state, "EDIT")
        what = f"the {name} block {self._open.path}".rstrip()
        self._out.append(
            Malformed(self._open.line, f"{what} (line {self._open.line}) {why}; nothing of it was applied")
        )
        self._state = "prose"


def _named(mark: str, start: str) -> str | None:
    if mark.startswith(start) and mark.endswith(" ==="):
        return mark[len(start) : -len(" ===")].strip() or None
    return None


class _Opener(NamedTuple):
    kind: str
    path: str
    signs: int


def _opener(mark: str) -> _Opener | None:
    width = len(mark) - len(mark.lstrip("="))
    signs = "=" * width
    for kind in ("FILE", "EDIT"):
        start = f"{signs} {kind}:"
        if width >= 3 and mark.startswith(start) and mark.endswith(signs):
            return _Opener(kind, mark[len(start) : -width].strip(), width)
    return None


def _without_fence(lines: list[str]) -> list[str]:
    """Return the lines without the code fence, if the first line opens one and the last closes exactly that one."""
    if len(lines) < 2:
        return lines
    first, last = lines[0].rstrip(), lines[-1].rstrip()
    for sign in "`~":
        width = len(first) - len(first.lstrip(sign))
        if width >= 3 and last == sign * width and sign not in first[width:]:
            return lines[1:-1]
    return lines


def _plan_item(line: str) -> PlanItem | None:
    entry = line.strip()
    for mark, done in (("- [ ] ", False), ("- [x] ", True), ("- [X] ", True)):
        if entry.startswith(mark):
            return PlanItem(entry[len(mark) :].strip(), done)
    return None
