"""Our own task list: `{title?, tasks: [...], milestones?, notes?}` with the fields of `core.task.Task`.

Must never do I/O, nor accept an unknown key.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from buildwright.advisors.documents import checked_graph, validate
from buildwright.core.graph import Graph
from buildwright.core.record import Record
from buildwright.core.spec import Spec
from buildwright.core.task import Task


class TaskList(Record):
    """The document."""

    title: str = Field(default="", max_length=200)
    tasks: tuple[Task, ...]
    milestones: tuple[str, ...] = ()
    notes: str = ""


def parse_own_tasks(data: Any, text: str, name: str, title: str) -> Spec:
    """Return the spec. Raises BadSpec or BadGraph with key and line."""
    listed = validate(TaskList, data, name)
    graph = Graph(tasks=listed.tasks, milestones=listed.milestones, notes=listed.notes)
    checked = checked_graph(graph, text, name)
    return Spec(title=listed.title or title, source=name, form="tasks", text=listed.notes, graph=checked)
