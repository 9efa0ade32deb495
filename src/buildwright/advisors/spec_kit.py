"""Reads spec-kit's `tasks.md`: `- [ ] T001 [P] [US1] Description with path/file.py` under `## Phase N: ...`.

Must never do I/O. Source of the format: the tasks template of github/spec-kit. Sections with tasks become milestones.
Within one, consecutive tasks marked [P] run side by side; a task without the mark waits for all before it, and all
after it wait for it. Ticked and put-off tasks are left out and named, and tasks that depend on them do not wait. Tests
under a heading "Tests ..." come before the code they test: they fail until the section's other tasks are done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from buildwright.advisors.checklist import Box, box, lines_outside_fences, named, notes_on_marks
from buildwright.advisors.documents import checked_graph
from buildwright.advisors.order_words import ID, Named, blocked_by_it, needed_by_itself, orders_in
from buildwright.advisors.paths import paths_in
from buildwright.core.graph import Graph
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadGraph, BadSpec

_TASK: Final = re.compile(
    rf"((?:\[(?:P|US\d+)\]\s*)*)[*_\[`~]{{0,4}}({ID})(?![\w-])[*_\]`~]{{0,4}}[:.]?[*_]{{0,3}}\s*(.*)"
)
"""Marks before the id, the id, and the rest."""
_HEADING: Final = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_PHASE: Final = re.compile(r"Phase\b", re.IGNORECASE)
_PHASE_NUMBER: Final = re.compile(r"Phase [\w.]+\W*", re.IGNORECASE)
_TESTS: Final = re.compile(
    r"(?:\W|\d)*(?:(?:\w+ )?tests? (?:for|first)\b|tests?\W*$|write tests first\b)", re.IGNORECASE
)
_MARK: Final = re.compile(r"\s*\[(P|US\d+)\]", re.IGNORECASE)
_ABOUT: Final = re.compile(r"\*\*(Purpose|Goal)\*\*:\s*(.+)")
_MOST_ENDS: Final = 50
"""Parallel tasks at the end of a section that its tests wait for; a longer row would cost its square."""
_BEGINS: Final = re.compile(rf"(?:[\W\d_]|\[[xX]\])*(?<!\w)({ID})(?!\w|-\w)")
"""A line that begins with an id, behind any bullet, number, box, sign or markup."""
_SOME_ID: Final = re.compile(rf"(?<!\w){ID}")
_SEVERAL: Final = re.compile(rf"\W{{1,3}}(?:and )?{ID}(?!\w)")
"""What follows an id where a line names more than one of them."""
_LEADING: Final = re.compile(r"\A(?:[:.\u2013\u2014-]+|[*_]{1,3})\s+")
"""What separates the words of a task from its id and marks."""
_TWO: Final = 2
_LONGEST_PROSE: Final = 2_000
_MOST_PAIRS: Final = 100_000
"""Pairs of tasks, one before the other, that the lines beside the tasks may tell."""
_CRITERIA: Final = re.compile(
    r"\b(?:criteria|checkpoints?|acceptance|definition of done|verification|validation|checklist|gates?)\b",
    re.IGNORECASE,
)


@dataclass
class _TaskLine:
    """A task line as it was read."""

    box: Box
    id: str
    parallel: bool
    stories: tuple[str, ...]
    text: str
    section: str
    about: str
    tests: int
    """Number of the heading "Tests ..." it stands under, 0 for none."""
    place: int
    """Number of the highest heading around it that is not the title: tests and their code share one."""
    steps: list[str] = field(default_factory=list)
    """Lines that are indented below it, and boxes without an id among them."""
    criteria: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        return "\n".join((self.text, *self.steps))


@dataclass
class _Queue:
    """The current state of the order within one section."""

    barrier: tuple[str, ...] = ()
    """What every following task waits for."""
    group: list[str] = field(default_factory=list)
    """Parallel tasks since the barrier."""
    tests: int = 0
    """The heading "Tests ..." of the task before, as in its line."""


def looks_like_spec_kit(text: str) -> bool:
    """Return whether a Markdown text has at least one task line of spec-kit."""
    boxes = (box(number, line) for number, line in lines_outside_fences(text) if "[" in line)
    return any(one is not None and _TASK.match(one.text) for one in boxes)


def parse_spec_kit(text: str, name: str, title: str) -> Spec:
    """Return the spec. Raises BadSpec or BadGraph with the line."""
    reader = _Reader(name)
    reader.read(text)
    listed = reader.tasks
    by_id = {line.id: line for line in listed}
    places = {line.id: place for place, line in enumerate(listed)}
    sections: dict[str, _Queue] = {}
    tasks = []
    later = _code_after_tests(listed)
    stated, ignored = _stated_orders(text, reader, listed, places)
    for line in listed:
        if not line.box.is_open:
            continue
        order = sections.setdefault(line.section, _Queue())
        if order.tests and order.tests != line.tests and 0 < len(order.group) <= _MOST_ENDS:
            order.barrier, order.group = tuple(order.group), []  # code waits for the tests that come first
        order.tests = line.tests
        if line.parallel:
            before = order.barrier
            order.group.append(line.id)
        else:
            before = tuple(order.group) or order.barrier
            order.barrier, order.group = (line.id,), []
        needed = _needed(line, (*before, *stated.get(line.id, ())), by_id, places, listed, name)
        tasks.append(_task(line, needed, later.get(line.id, ())))
    notes = [*notes_on_marks((line.id, line.box) for line in listed), *_unlisted(text, places), *reader.notes, *ignored]
    if not tasks:
        raise BadSpec(
            f"every task is ticked or put off ({'; '.join(notes)})" if _puts_off(listed) else "every task is ticked",
            file=name,
            fix="untick or add a task: there is nothing to build",
        )
    numbers = {line.id: line.box.number for line in listed}
    graph = checked_graph(Graph(tasks=tuple(tasks), milestones=tuple(sections)), text, name, numbers)
    return Spec(title=title, source=name, form="spec-kit", text=text, graph=graph, notes=tuple(notes))


def _unlisted(text: str, places: Mapping[str, int]) -> list[str]:
    """Return the note on lines that begin with an id that no box has, wherever they stand: a fence, a table, a comment."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if (begins := _BEGINS.match(line)) and begins[1] not in places:
            found.setdefault(begins[1], number)
    lines = named(f"{task} (line {number})" for task, number in found.items())
    said = "not in the list, for the line has no box or is in a fence or a comment (write `- [ ] T012 ...` to build it)"
    return [f"{lines}: {said}"] if found else []


def _puts_off(listed: list[_TaskLine]) -> bool:
    return any(line.box.state == "put off" for line in listed)


class _Reader:
    """Reads lines one after the other: tasks, what belongs to them, and notes on boxes that become no task."""

    def __init__(self, name: str) -> None:
        self.tasks: list[_TaskLine] = []
        self.notes: list[str] = []
        self._name = name
        self.own: set[int] = set()
        """Numbers of the lines that belong to a task."""
        self._seen: dict[str, int] = {}
        self._sections: dict[str, int] = {}
        self._section = self._about = self._label = ""
        self._in_phase = self._below = False
        self._tests = self._place = self._tests_level = 0

    def read(self, text: str) -> None:
        """Read a whole text. Raises BadSpec or BadGraph with the line."""
        for number, line in lines_outside_fences(text):
            if found := _HEADING.match(line):
                self._heading(number, len(found[1]), found[2].strip())
            elif told := _ABOUT.match(line):
                self._about = told[2].strip()
            elif "[" in line and (one := box(number, line)) is not None:
                self._box(one)
            elif line.strip():
                self._words(number, line)

    def _words(self, number: int, line: str) -> None:
        """Give a line that is indented below a task to the task; any other may be a label of what follows."""
        above = self.tasks[-1] if self.tasks and self.tasks[-1].section == self._section else None
        if above is not None and len(line) - len(line.lstrip()) > above.box.indent and self._below:
            above.steps.append(line.strip())
            self.own.add(number)
            if not _CRITERIA.search(line):
                return
        else:
            self._below = False
        self._label = line.strip()

    def _heading(self, number: int, level: int, words: str) -> None:
        self._label, self._below = words, False
        is_phase = bool(_PHASE.match(words))
        if level <= 2 or is_phase:
            self._section, self._about = (self._own_name(words) if level > 1 or is_phase else ""), ""
            self._in_phase, self._place = is_phase, number
        if _TESTS.match(_PHASE_NUMBER.sub("", words)):
            self._tests, self._tests_level = number, level
        elif level <= max(self._tests_level, 2) or is_phase:
            self._tests = 0

    def _own_name(self, words: str) -> str:
        """Return a section's name; a later one of the same name is a section of its own."""
        count = self._sections[words] = self._sections.get(words, 0) + 1
        return words if count == 1 else f"{words} ({count})"

    def _box(self, one: Box) -> None:
        found = _TASK.match(one.text)
        if found is None:
            self._box_without_id(one)
            return
        task, rest = found[2], found[1] + found[3]
        if task in self._seen:
            message = f"the task id {task} is used twice; first in line {self._seen[task]}"
            raise BadGraph(message, file=self._name, line=one.number, key=task, fix="give every task its own id")
        self._seen[task] = one.number
        marks, words = _marks(rest)
        if one.is_open and _SEVERAL.match(words):
            said, fix = f"the line names several tasks: {one.text[:60]}", "write a line for each of them"
            raise BadSpec(said, file=self._name, line=one.number, key=task, fix=fix)
        if not words:
            raise BadSpec(
                "the task has no description", file=self._name, line=one.number, key=task, fix="say what to do"
            )
        stories = tuple(mark for mark in marks if mark != "P")
        self.tasks.append(
            _TaskLine(one, task, "P" in marks, stories, words, self._section, self._about, self._tests, self._place)
        )
        self._label, self._below = "", True
        self.own.add(one.number)

    def _box_without_id(self, one: Box) -> None:
        """Give an open box to the task it belongs to, or name it. One that is ticked has nothing open."""
        above = self.tasks[-1] if self.tasks and self.tasks[-1].section == self._section else None
        if above is not None and one.indent > above.box.indent and not self._label:
            above.steps.append(f"- [{one.mark or ' '}] {one.text}")
        elif not one.is_open:
            if one.state != "done":
                said = "marked [-]" if one.state == "put off" else "struck through"
                self.notes.append(f"line {one.number} is {said} and has no id, so it is left out: {one.text}")
        elif _CRITERIA.search(self._label):
            heir = next(
                (line for line in reversed(self.tasks) if line.box.is_open or line.section != self._section), None
            )
            told = "is left to you"
            if heir is not None and heir.section == self._section:
                heir.criteria.append(one.text)
                told = f"is asked of {heir.id} as acceptance"
            self.notes.append(f"line {one.number} has no id, so it is not a task; it {told}: {one.text}")
        elif self._in_phase:
            fix = "begin it with an id, such as `- [ ] T012 ...`"
            raise BadSpec("a task without an id", file=self._name, line=one.number, fix=fix)
        else:
            self.notes.append(f"line {one.number} has no id, so it is not a task: {one.text}")


def _marks(rest: str) -> tuple[list[str], str]:
    marks = []
    while found := _MARK.match(rest):
        marks.append(found[1].upper())
        rest = rest[found.end() :]
    return marks, _LEADING.sub("", rest.strip())


def _code_after_tests(listed: list[_TaskLine]) -> dict[str, tuple[str, ...]]:
    """Return, for each open task under a heading "Tests ...", the tasks whose code it tests.

    Those are the others of its section with the same user story; in a section of tests alone, those of the next one.
    """
    by_place: dict[int, list[_TaskLine]] = {}
    for line in listed:
        if line.box.is_open:
            by_place.setdefault(line.place, []).append(line)
    groups = list(by_place.values())
    later: dict[str, tuple[str, ...]] = {}
    for place, group in enumerate(groups):
        code = [line for line in group if not line.tests]
        following = groups[place + 1] if place + 1 < len(groups) else []
        last = _ends(code or following)
        for line in (one for one in group if one.tests):
            stories = _ends([one for one in code if one.stories == line.stories]) if line.stories else last
            own = tuple(one.id for one in stories or last if one.box.number > line.box.number)
            if own:
                later[line.id] = own
    return later


def _ends(code: list[_TaskLine]) -> list[_TaskLine]:
    """Return the tasks with which a stretch of code is done: the last one without [P] and all after it."""
    code = [line for line in code if not line.tests]
    start = max((place for place, line in enumerate(code) if not line.parallel), default=0)
    return code[start:][-_MOST_ENDS:]


def _needed(
    line: _TaskLine,
    before: tuple[str, ...],
    by_id: Mapping[str, _TaskLine],
    places: Mapping[str, int],
    listed: list[_TaskLine],
    name: str,
) -> tuple[str, ...]:
    """Return the open tasks that a task waits for. Raises BadGraph for an id that its words name and no line has."""
    needed = list(before)
    for first, last in needed_by_itself(line.words):
        for one in filter(None, (first, last)):
            if one not in by_id:
                fix = f"add a task {one}, or correct the description of {line.id}"
                raise BadGraph(
                    f"depends on {one}, which is not in the list", file=name, line=line.box.number, key=line.id, fix=fix
                )
        between = listed[places[first] : places[last] + 1] if last else [by_id[first]]
        needed += [one.id for one in between if one is not line or not last]
    return tuple(one for one in dict.fromkeys(needed) if by_id[one].box.is_open)


def _stated_orders(
    text: str, reader: _Reader, listed: list[_TaskLine], places: Mapping[str, int]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return what tasks wait for by the lines beside them, such as "T005 blocks T006", and notes on what is not followed.

    These lines are prose and diagrams, so an order that the list contradicts is named and not followed.
    """
    stated: dict[str, list[str]] = {}
    ignored: list[str] = []
    pairs = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if number in reader.own or len(line) > _LONGEST_PROSE or len(_SOME_ID.findall(line)) < _TWO:
            continue
        for before, after in orders_in(line):
            first, second = _listed_as(before, listed, places), _listed_as(after, listed, places)
            pairs += len(first) * len(second)
            if pairs > _MOST_PAIRS:
                ignored.append(f"line {number} and those below it order too many tasks: not followed")
                return stated, ignored
            late = [f"{one.id} before {two.id}" for one in first for two in second if places[one.id] > places[two.id]]
            if late:
                ignored.append(f"line {number} says {named(late)}, against the order of the list: not followed")
            for two in second:
                stated.setdefault(two.id, []).extend(one.id for one in first if places[one.id] < places[two.id])
    for task in listed:
        for two in _listed_as(blocked_by_it(task.words), listed, places):
            stated.setdefault(two.id, []).append(task.id)
    return stated, ignored


def _listed_as(names: Named, listed: list[_TaskLine], places: Mapping[str, int]) -> list[_TaskLine]:
    """Return the tasks of the list that ids and ranges stand for."""
    found: list[_TaskLine] = []
    for first, last in names:
        ends = [places[one] for one in (first, last or first) if one in places]
        found += listed[ends[0] : ends[-1] + 1] if ends and (len(ends) > 1) else []
    return found


def _task(line: _TaskLine, depends_on: tuple[str, ...], until: tuple[str, ...]) -> Task:
    where = f"\n\nPart of {line.section}. {line.about}".rstrip() if line.section else ""
    return Task(
        id=line.id,
        title=line.text if len(line.text) <= 200 else f"{line.text[:199]}…",
        goal=line.words + where,
        requirements=tuple(f"User story {story}" for story in line.stories),
        acceptance=tuple(line.criteria),
        depends_on=depends_on,
        files_expected=paths_in(line.text),
        milestone=line.section,
        tests_first=until,
    )
