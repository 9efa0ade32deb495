"""Reads task files of Backlog.md: front matter with id, title, status and dependencies, then sections. No I/O.

Source of the format: files of Backlog.md 1.x. A task waits for its dependencies and for its open sub-tasks. Done tasks
are left out and named, and so is a dependency that no file given describes: it may be done or archived.
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
_MARKER: Final = re.compile(r"<!--.*?-->")
_CRITERIA: Final = "acceptance criteria"
_PRIORITIES: Final = {"critical": 3, "high": 2, "medium": 1, "low": 0}
_KNOWN: Final = frozenset({"to do", "todo", "in progress", "doing", "open", "ready", "backlog", "draft", "review", ""})
_ENDED: Final = frozenset({"done", "completed", "closed", "archived", "cancelled", "canceled"})


class Front(BaseModel):
    """The front matter of a task file."""

    model_config = ConfigDict(extra="ignore")

    id: TaskId
    title: str = Field(min_length=1)
    status: str = "To Do"
    dependencies: tuple[TaskId, ...] = ()
    parent_task_id: str = ""
    priority: str = ""

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
    parts: dict[str, list[str]] = {}
    for front, _ in read.values():
        if front.is_open and (whole := folded.get(front.parent_task_id.lower())):
            parts.setdefault(whole, []).append(front.id)
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


def _task(front: Front, body: str, depends_on: tuple[str, ...]) -> Task:
    goal: list[str] = []
    acceptance: list[str] = []
    section = ""
    for number, line in lines_outside_fences(_MARKER.sub("", body)):
        if heading := re.match(r"#{1,6}\s+(.*)", line):
            section = heading[1].strip().lower()
        if section == _CRITERIA:
            if (one := box(number, line)) is not None:
                acceptance.append(re.sub(r"^#\d+\s+", "", one.text))
        else:
            goal.append(line)
    words = re.sub(r"\n{3,}", "\n\n", "\n".join(goal)).strip()
    return Task(
        id=front.id,
        title=front.title[:200],
        goal=words or front.title,
        acceptance=tuple(acceptance),
        depends_on=depends_on,
        files_expected=paths_in(f"{front.title}\n{words}", quoted_only=True),
        priority=_PRIORITIES.get(front.priority.strip().lower(), 1),
    )
