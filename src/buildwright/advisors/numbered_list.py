"""Reads numbered lists of boxes: OpenSpec's `tasks.md` (`- [ ] 1.1 Text`) and Kiro's (`- [ ] 1. Text`, `- [ ]* 1.2`).

Must never do I/O. Sources of the formats: files of OpenSpec 1.x and of Kiro's specs. A task with open sub-tasks is
replaced by them. Both tools work a list through from top to bottom, so each task waits for the one before it. Lines
below a task belong to it. `[-]` is begun in both, so it is open; optional tasks and checkpoints of Kiro are left out and
named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from buildwright.advisors.checklist import Box, box, lines_outside_fences, named, notes_on_hidden, notes_on_marks
from buildwright.advisors.documents import checked_graph
from buildwright.advisors.paths import paths_in
from buildwright.core.graph import Graph
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadGraph, BadSpec

_NUMBERED: Final = re.compile(r"[*_]{0,3}(\d{1,4}(?:\.\d{1,4})+[.:)]?|\d{1,4}[.:)])[*_:]{0,3}\s+(\S.*)")
_UNBOXED: Final = re.compile(r"(?:[-*+]\s+)?(\d{1,4}(?:\.\d{1,4})+(?=[.:)]?\s)|\d{1,4}(?=[.)]\s))[.:)]?\s+(\S.*)")
_NEEDS: Final = re.compile(
    r"(?<![A-Za-z])(?:depends(?:[ _]on)?|dependenc(?:y|ies)|prerequisites?|blocked[ -]by)[ *_:]+(?:tasks? )?"
    r"(\d+(?:\.\d+)*(?:(?:, ?and |, ?| and | & )\d+(?:\.\d+)*)*)",
    re.IGNORECASE,
)
_HEADING: Final = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_REQUIREMENTS: Final = re.compile(r"[-*+]?\s*_Requirements?:\s*(.+?)_\s*$", re.IGNORECASE)
_BEGUN: Final = "-"
_CHECKPOINT: Final = re.compile(r"\W*(?:final )?checkpoint\b", re.IGNORECASE)
_ASKS_FOR_TESTS: Final = re.compile(r"\b(?:all|the) tests (?:still )?pass\b|\bask the user\b", re.IGNORECASE)


@dataclass
class _Item:
    """A numbered task as it was read."""

    box: Box
    id: str
    text: str
    section: str
    lines: list[str] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)
    parent: _Item | None = None
    has_open_parts: bool = False

    @property
    def is_open(self) -> bool:
        return self.box.is_open or self.box.mark == _BEGUN

    @property
    def is_checkpoint(self) -> bool:
        """Whether it asks for no change, only for tests that pass."""
        return bool(_CHECKPOINT.match(self.text)) and all(map(_ASKS_FOR_TESTS.search, self.lines or [self.text]))

    @property
    def is_optional(self) -> bool:
        return self.box.optional or (self.parent is not None and self.parent.is_optional)


def looks_numbered(text: str) -> bool:
    """Return whether a Markdown text has boxes and most of the outermost ones begin with a number such as 1. or 1.1."""
    boxes = [one for number, line in lines_outside_fences(text) if "[" in line and (one := box(number, line))]
    outer = [one for one in boxes if one.indent == 0]
    numbered = sum(bool(_NUMBERED.match(one.text)) for one in outer)
    return numbered > 0 and numbered * 2 > len(outer)


def parse_numbered_list(text: str, name: str, title: str) -> Spec:
    """Return the spec. Raises BadSpec or BadGraph with the line."""
    items, notes = _read(text, name)
    form: Literal["kiro", "openspec"] = "kiro" if _is_kiro(items) else "openspec"
    for item in items:
        if item.is_open and not item.is_optional and item.parent is not None:
            item.parent.has_open_parts = True
    notes += _against_the_list(items)
    left_out = [item.id for item in items if item.is_open and item.is_optional]
    notes = [*notes_on_marks(((item.id, item.box) for item in items), _BEGUN), *notes]
    if left_out:
        notes.append(f"{named(left_out)}: optional ([ ]*), so left out (remove the asterisk to build it)")
    if checkpoints := [item.id for item in items if item.is_open and item.is_checkpoint]:
        notes.append(f"{named(checkpoints)}: a checkpoint, so left out: the checks judge every change")
    notes += notes_on_hidden(text)
    tasks: list[Task] = []
    for item in items:
        if item.is_open and not (item.is_optional or item.is_checkpoint or item.has_open_parts):
            tasks.append(_task(item, (tasks[-1].id,) if tasks else ()))
    if not tasks:
        raise BadSpec(
            "every task is ticked or optional", file=name, fix="untick or add a task: there is nothing to build"
        )
    numbers = {item.id: item.box.number for item in items}
    graph = checked_graph(Graph(tasks=tuple(tasks)), text, name, numbers)
    return Spec(title=title, source=name, form=form, text=text, graph=graph, notes=tuple(notes))


def _against_the_list(items: list[_Item]) -> list[str]:
    """Return notes on tasks that name a later one as what they depend on: the list gives the order."""
    places = {item.id: place for place, item in enumerate(items)}
    notes = []
    for place, item in enumerate(items):
        words = "\n".join((item.text, *item.lines))
        asked = [one for found in _NEEDS.finditer(words) for one in re.findall(r"\d+(?:\.\d+)*", found[1])]
        notes += [
            f"{item.id} says that it depends on {one}, which the list has later: the list is followed"
            for one in asked
            if item.is_open and places.get(one, place) > place
        ]
    return notes


def _is_kiro(items: list[_Item]) -> bool:
    return any(item.box.optional or item.requirements or item.parent is not None for item in items) or all(
        "." not in item.id for item in items
    )


def _read(text: str, name: str) -> tuple[list[_Item], list[str]]:
    items: list[_Item] = []
    by_id: dict[str, _Item] = {}
    notes: list[str] = []
    section = ""
    for number, line in lines_outside_fences(text):
        if heading := _HEADING.match(line):
            section = heading[1]
            continue
        one = box(number, line) if "[" in line else None
        found = _NUMBERED.match(one.text) if one is not None else None
        if one is not None and found is not None:
            item = _item(one, found, section, by_id, name)
            items.append(item)
            by_id[item.id] = item
        elif items and line.strip() and line[:1] in " \t":
            _below(items[-1], line.strip())
        elif one is not None:
            said = " and is ticked" if one.state == "done" else ""
            notes.append(f"line {number} has no number{said}, so it is not a task: {one.text}")
        elif (bare := _UNBOXED.match(line)) and ("." in bare[1] or (items and "." not in items[0].id)):
            notes.append(f"line {number} has no box, so it is not a task: {bare[1]} {bare[2]}")
    return items, notes


def _item(one: Box, found: re.Match[str], section: str, by_id: dict[str, _Item], name: str) -> _Item:
    number = found[1].rstrip(".:)")
    if number in by_id:
        message = f"the number {number} is used twice; first in line {by_id[number].box.number}"
        raise BadGraph(message, file=name, line=one.number, key=number, fix="give every task its own number")
    above = number.rpartition(".")[0]
    return _Item(one, number, found[2].strip(), section, parent=by_id.get(above))


def _below(item: _Item, line: str) -> None:
    if asked := _REQUIREMENTS.match(line):
        item.requirements += [f"Requirement {one.strip()}" for one in asked[1].split(",") if one.strip()]
    else:
        item.lines.append(line)


def _task(item: _Item, depends_on: tuple[str, ...]) -> Task:
    context = []
    parent = item.parent
    while parent is not None:
        context.append("\n".join((f"Part of {parent.id}: {parent.text}", *parent.lines)))
        parent = parent.parent
    if item.section:
        context.append(f"Part of {item.section}.")
    words = "\n".join((item.text, *item.lines))
    return Task(
        id=item.id,
        title=item.text if len(item.text) <= 200 else f"{item.text[:199]}…",
        goal="\n\n".join((words, *context)),
        requirements=tuple(item.requirements),
        depends_on=depends_on,
        files_expected=paths_in(words),
    )
