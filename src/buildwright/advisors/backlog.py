"""Reads task files of Backlog.md: front matter with id, title, status and dependencies, then sections. No I/O.

Source of the format: files of Backlog.md 1.x. A task waits for its dependencies and for its open sub-tasks. Done tasks
are left out and named, and so is a dependency that no file given describes: it may be done or archived. What is to be
read or changed is told to the agent; a key of front matter that says neither what to do nor when is named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from buildwright.advisors.checklist import box, lines_outside_fences, named
from buildwright.advisors.dependencies import under_one_key
from buildwright.advisors.documents import checked_graph, load_yaml, validate
from buildwright.advisors.paths import paths_in
from buildwright.core.graph import Graph
from buildwright.core.record import TaskId
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadGraph, BadSpec

_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_MARKER: Final = re.compile(r"<!--\s*[A-Z_]+(?::[A-Z0-9_]+)*:(?:BEGIN|END)\s*-->")
_BULLET: Final = re.compile(r"\s*[-*+]\s+(?=\S)")
_CRITERIA: Final = "acceptance criteria"
_LONGEST_TITLE: Final = 200
_PRIORITIES: Final = {"critical": 3, "high": 2, "medium": 1, "low": 0}
_SHOWN: Final = {"references": "To be read", "documentation": "Documentation", "modified_files": "Files of it"}
"""Lists of the front matter, beside what they are called in the goal."""
_BOOKKEEPING: Final = frozenset(
    {"assignee", "reporter", "created_date", "updated_date", "labels", "ordinal", "subtasks"}
)
"""Keys that are left unsaid: who, when, and where on the board. A sub-task names its parent itself."""
_KNOWN: Final = frozenset({"to do", "todo", "in progress", "doing", "open", "ready", "backlog", "draft", "review", ""})
_ENDED: Final = frozenset({"done", "completed", "closed", "archived", "cancelled", "canceled"})


class Front(BaseModel):
    """The front matter of a task file."""

    model_config = ConfigDict(extra="allow")

    id: TaskId
    title: str = Field(min_length=1)
    status: str = "To Do"
    dependencies: tuple[TaskId, ...] = ()
    parent_task_id: str = ""
    priority: str = ""
    references: tuple[str, ...] = ()
    documentation: tuple[str, ...] = ()
    modified_files: tuple[str, ...] = ()

    @field_validator(*_SHOWN, mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return () if value is None else (value,) if isinstance(value, str) else value

    @field_validator("id", "title", mode="before")
    @classmethod
    def _number_is_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("parent_task_id", "priority", "status", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return "" if value is None else value

    @property
    def is_open(self) -> bool:
        return self.status.strip().lower() not in _ENDED


def looks_like_backlog(text: str) -> bool:
    """Return whether a text begins with front matter that has an id, a title and a status."""
    front = _FRONT.match(text.replace("\r\n", "\n"))
    return front is not None and all(
        re.search(rf"^{key}:", front[1], re.MULTILINE) for key in ("id", "title", "status")
    )


def parse_backlog(files: Sequence[tuple[str, str]], name: str, title: str) -> Spec:
    """Return the spec of task files, given as names and texts. Raises BadSpec or BadGraph with the file."""
    read: dict[str, tuple[Front, str]] = {}
    folded: dict[str, str] = {}
    for file, text in files:
        front, body = _split(file, text.replace("\r\n", "\n"))
        if front.id in read:
            raise BadGraph("this task id is used twice", file=file, key=front.id, fix="give every task its own id")
        read[front.id] = front, body
        folded[front.id.lower()] = front.id
    notes: list[str] = []
    if ended := [front.id for front, _ in read.values() if not front.is_open]:
        notes.append(f"{named(ended)}: done, so left out")
    for front, _ in read.values():
        if front.is_open and front.status.strip().lower() not in _KNOWN:
            notes.append(f"{front.id}: the status {front.status!r} does not say that it is done: built like any other")
    notes += _unread([front for front, _ in read.values() if front.is_open])
    parts: dict[str, list[str]] = {}
    for front, _ in read.values():
        if front.is_open and (whole := folded.get(front.parent_task_id.lower())):
            if whole.lower() not in (one.lower() for one in front.dependencies):
                parts.setdefault(whole, []).append(front.id)
            elif read[whole][0].is_open:
                notes.append(f"{front.id} depends on {whole}, whose sub-task it is: done after it")
    tasks = []
    for front, body in read.values():
        if front.is_open:
            missing = [one for one in front.dependencies if one.lower() not in folded]
            notes += [f"{front.id} depends on {one}, which is not among the files: not waited for" for one in missing]
            needed = [folded[one.lower()] for one in front.dependencies if one.lower() in folded]
            needed = [one for one in (*needed, *parts.get(front.id, ())) if read[one][0].is_open]
            tasks.append(_task(front, body, tuple(dict.fromkeys(needed))))
    if not tasks:
        raise BadSpec("every task is done", file=name, fix="give a task that is not: there is nothing to build")
    graph = checked_graph(Graph(tasks=tuple(tasks)), "", name, {})
    shown = tasks[0].title if len(files) == 1 else title
    return Spec(title=shown, source=name, form="backlog", graph=graph, notes=tuple(notes))


def _split(file: str, text: str) -> tuple[Front, str]:
    found = _FRONT.match(text)
    assert found is not None
    data = load_yaml(found[1], file)
    if isinstance(data, dict):
        data = under_one_key([data], "dependencies", frozenset(Front.model_fields) - {"dependencies"}, file, ())[0]
    return validate(Front, data, file), text[found.end() :]


def _unread(fronts: Sequence[Front]) -> list[str]:
    """Return notes on what the front matter of tasks has beside what is read."""
    unread: dict[str, list[str]] = {}
    for front in fronts:
        for key in (front.model_extra or {}).keys() - _BOOKKEEPING:
            unread.setdefault(key, []).append(front.id)
        if front.priority.strip().lower() not in {*_PRIORITIES, ""}:
            unread.setdefault(f"priority {front.priority!r}", []).append(front.id)
    return [f"{key} of {named(tasks)}: not read" for key, tasks in sorted(unread.items())]


def _task(front: Front, body: str, depends_on: tuple[str, ...]) -> Task:
    text = _MARKER.sub("", body)
    outside = dict(lines_outside_fences(text))
    goal: list[str] = [front.title] if len(front.title) > _LONGEST_TITLE else []
    acceptance: list[str] = []
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if heading := re.match(r"#{1,6}\s+(.*)", outside.get(number, "")):
            section = heading[1].strip().lower()
        if section == _CRITERIA and (said := _criterion(number, outside.get(number, ""))):
            acceptance.append(said)
        elif section != _CRITERIA or not heading:
            goal.append(line)
    for key, title in _SHOWN.items():
        if values := getattr(front, key):
            goal += ["", f"{title}:", *(f"- {value}" for value in values)]
    words = re.sub(r"\n{3,}", "\n\n", "\n".join(goal)).strip()
    quoted = [*outside.values(), *(f"`{path}`" for path in front.modified_files)]
    return Task(
        id=front.id,
        title=front.title[:_LONGEST_TITLE],
        goal=words or front.title,
        acceptance=tuple(acceptance),
        depends_on=depends_on,
        files_expected=paths_in("\n".join([front.title, *quoted]), quoted_only=True),
        priority=_PRIORITIES.get(front.priority.strip().lower(), 1),
    )


def _criterion(number: int, line: str) -> str:
    """Return what a line of the acceptance criteria asks for, with a box or without; "" when it is none of a list."""
    found = box(number, line)
    bullet = _BULLET.match(line)
    words = found.text if found is not None else line[bullet.end() :] if bullet else ""
    return re.sub(r"^#\d+\s+", "", words).strip()
