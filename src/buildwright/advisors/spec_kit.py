"""Reads spec-kit's `tasks.md`: `- [ ] T001 [P] [US1] Description with path/file.py` under `## Phase N: ...`.

Must never do I/O. Source of the format: the tasks template of github/spec-kit. Phases become milestones. Within a
phase, consecutive tasks marked [P] run side by side; a task without the mark waits for all before it, and all after it
wait for it. Ticked tasks are left out, and tasks that depend on them do not wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from buildwright.advisors.documents import checked_graph
from buildwright.advisors.paths import paths_in
from buildwright.core.graph import Graph
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadGraph, BadSpec

_TASK: Final = re.compile(r"\s*[-*+] \[([ xX])\] (T\d{2,}[A-Za-z]?)\b[:.]?\s*(.*)")
_BOX: Final = re.compile(r"\s*[-*+] \[[ xX]?\]\s")
_PHASE: Final = re.compile(r"##\s+(Phase\b.*)", re.IGNORECASE)
_HEADING: Final = re.compile(r"(#{1,2})\s+(.*)")
_MARK: Final = re.compile(r"\s*\[(P|US\d+)\]", re.IGNORECASE)
_ABOUT: Final = re.compile(r"\*\*(Purpose|Goal)\*\*:\s*(.+)")
_NEEDS: Final = re.compile(r"\bdepends on ((?:T\d+[A-Za-z]?(?:,? and |, | )?)+)", re.IGNORECASE)
_ID: Final = re.compile(r"T\d+[A-Za-z]?")


@dataclass
class _TaskLine:
    """A task line as it was read."""

    number: int
    id: str
    done: bool
    parallel: bool
    stories: tuple[str, ...]
    text: str
    phase: str
    about: str


@dataclass
class _Phase:
    """The current state of the order within one phase."""

    barrier: tuple[str, ...] = ()
    """What every following task waits for."""
    group: list[str] = field(default_factory=list)
    """Parallel tasks since the barrier."""


def looks_like_spec_kit(text: str) -> bool:
    """Return whether a Markdown text has at least one task line of spec-kit."""
    return any(_TASK.match(line) for _, line in lines_outside_fences(text))


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


def parse_spec_kit(text: str, name: str, title: str) -> Spec:
    """Return the spec. Raises BadSpec or BadGraph with the line."""
    listed = _read(text, name)
    by_id = {line.id: line for line in listed}
    phases: dict[str, _Phase] = {}
    tasks = []
    for line in listed:
        if line.done:
            continue
        order = phases.setdefault(line.phase, _Phase())
        if line.parallel:
            before = order.barrier
            order.group.append(line.id)
        else:
            before = tuple(order.group) or order.barrier
            order.barrier, order.group = (line.id,), []
        tasks.append(_task(line, before, by_id, name))
    if not tasks:
        raise BadSpec("every task is ticked", file=name, fix="untick or add a task: there is nothing to build")
    graph = checked_graph(
        Graph(tasks=tuple(tasks), milestones=tuple(phases)), text, name, {line.id: line.number for line in listed}
    )
    return Spec(title=title, source=name, form="spec-kit", text=text, graph=graph)


def _read(text: str, name: str) -> list[_TaskLine]:
    listed: list[_TaskLine] = []
    seen: dict[str, int] = {}
    phase = about = ""
    for number, line in lines_outside_fences(text):
        if _HEADING.match(line):
            found = _PHASE.match(line)
            phase, about = (found[1].strip() if found else ""), ""
        elif told := _ABOUT.match(line):
            about = told[2].strip()
        elif task := _TASK.match(line):
            if task[2] in seen:
                message = f"the task id {task[2]} is used twice; first in line {seen[task[2]]}"
                raise BadGraph(message, file=name, line=number, key=task[2], fix="give every task its own id")
            seen[task[2]] = number
            marks, words = _marks(task[3])
            if not words:
                raise BadSpec("the task has no description", file=name, line=number, key=task[2], fix="say what to do")
            listed.append(
                _TaskLine(
                    number=number,
                    id=task[2],
                    done=task[1] != " ",
                    parallel="P" in marks,
                    stories=tuple(mark for mark in marks if mark != "P"),
                    text=words,
                    phase=phase,
                    about=about,
                )
            )
        elif phase and _BOX.match(line):
            fix = "begin it with an id, such as `- [ ] T012 ...`"
            raise BadSpec("a task without an id", file=name, line=number, fix=fix)
    return listed


def _marks(rest: str) -> tuple[list[str], str]:
    marks = []
    while found := _MARK.match(rest):
        marks.append(found[1].upper())
        rest = rest[found.end() :]
    return marks, rest.strip()


def _task(line: _TaskLine, before: tuple[str, ...], by_id: dict[str, _TaskLine], name: str) -> Task:
    named = [needed for found in _NEEDS.finditer(line.text) for needed in _ID.findall(found[1])]
    for needed in named:
        if needed not in by_id:
            fix = f"add a task {needed}, or correct the description of {line.id}"
            raise BadGraph(
                f"depends on {needed}, which is not in the list", file=name, line=line.number, key=line.id, fix=fix
            )
    depends_on = [needed for needed in (*before, *named) if not by_id[needed].done]
    where = f"\n\nPart of {line.phase}. {line.about}".rstrip() if line.phase else ""
    return Task(
        id=line.id,
        title=line.text if len(line.text) <= 200 else f"{line.text[:199]}…",
        goal=line.text + where,
        requirements=tuple(f"User story {story}" for story in line.stories),
        depends_on=tuple(dict.fromkeys(depends_on)),
        files_expected=paths_in(line.text),
        milestone=line.phase,
    )
