"""Reads a build agent's task list: tasks with action, file, position, phase and status. Must never do I/O.

`{task_list: {...}, tasks: [...]}`, `{tasks: [...]}` or a bare list; other keys are ignored. Finished and skipped tasks
are left out, and tasks that depend on them do not wait.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from buildwright.advisors.checklist import named
from buildwright.advisors.dependencies import under_one_key
from buildwright.advisors.documents import checked_graph, validate
from buildwright.core.graph import Graph
from buildwright.core.record import TaskId
from buildwright.core.spec import Spec
from buildwright.core.task import Task, TaskAction, Validation
from buildwright.errors import BadSpec

MARKS: Final = frozenset({"file", "position", "phase", "status"})
"""Keys of a task that tell this format from ours."""

_ACTIONS: Final[dict[str, TaskAction]] = {
    "CREATE": "create",
    "ADD": "create",
    "UPDATE": "modify",
    "MODIFY": "modify",
    "EDIT": "modify",
    "DELETE": "delete",
    "REMOVE": "delete",
}
_PRIORITIES: Final = {"critical": 3, "high": 2, "medium": 1, "low": 0}


class ForeignCheck(BaseModel):
    """The validation of a task."""

    command: str = Field(min_length=1)
    expected: str = "exit code 0"


class ForeignTask(BaseModel):
    """A task of the list."""

    model_config = ConfigDict(extra="ignore")

    id: TaskId
    title: str = ""
    description: str = ""
    action: str = ""
    file: str | None = None
    requirements: tuple[str, ...] = ()
    depends_on: tuple[TaskId, ...] = ()
    priority: int | Literal["critical", "high", "medium", "low"] = 0
    position: float | None = None
    phase: str | None = None
    status: Literal["pending", "in_progress", "failed", "blocked", "completed", "complete", "skipped"] = "pending"
    validation: ForeignCheck | None = None
    code_template: str | None = None

    @field_validator("id", mode="before")
    @classmethod
    def _number_is_an_id(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("depends_on", mode="before")
    @classmethod
    def _numbers_are_ids(cls, value: Any) -> Any:
        if value is None:
            return ()
        return [str(item) if isinstance(item, int) else item for item in value] if isinstance(value, list) else value

    @field_validator("requirements", mode="before")
    @classmethod
    def _one_requirement(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else () if value is None else value

    @property
    def finished(self) -> bool:
        return self.status in ("completed", "complete", "skipped")


_KEYS: Final = frozenset(ForeignTask.model_fields) - {"depends_on"}


class ForeignList(BaseModel):
    """The document."""

    model_config = ConfigDict(extra="ignore")

    tasks: tuple[ForeignTask, ...]


def parse_task_list(document: dict[str, Any], text: str, name: str, title: str) -> Spec:
    """Return the spec. Raises BadSpec or BadGraph with key and line."""
    if isinstance(tasks := document.get("tasks"), list):
        document = {**document, "tasks": under_one_key(tasks, "depends_on", _KEYS, name, ("tasks",))}
    listed = validate(ForeignList, document, name).tasks
    finished = {task.id for task in listed if task.finished}
    pending = [task for task in listed if not task.finished]
    if listed and not pending:
        raise BadSpec(
            "every task is completed or skipped", file=name, fix="add a pending task: there is nothing to build"
        )
    pending.sort(key=lambda task: (task.position if task.position is not None else float("inf"), -_priority(task)))
    graph = Graph(tasks=tuple(_task(task, finished) for task in pending))
    about = document.get("task_list")
    called = about.get("title") or about.get("name") if isinstance(about, dict) else None
    shown = called if isinstance(called, str) and called.strip() else title
    notes = (f"{named(task.id for task in listed if task.finished)}: finished, so left out",) if finished else ()
    return Spec(title=shown[:200], source=name, form="tasks", graph=checked_graph(graph, text, name), notes=notes)


def _priority(task: ForeignTask) -> int:
    return task.priority if isinstance(task.priority, int) else _PRIORITIES[task.priority]


def _task(task: ForeignTask, finished: set[str]) -> Task:
    action = task.action.strip().upper()
    return Task(
        id=task.id,
        title=(task.title or f"{action.capitalize()} {task.file or task.id}".strip())[:200],
        goal=task.description or f"{action} {task.file or ''}".strip(),
        action=_ACTIONS.get(action, "change"),
        requirements=task.requirements,
        depends_on=tuple(needed for needed in task.depends_on if needed not in finished),
        files_expected=(task.file,) if task.file else (),
        priority=_priority(task),
        critical=(task.phase or "").strip().lower() == "database",
        code_template=task.code_template or "",
        validation=Validation(command=task.validation.command, expected=task.validation.expected)
        if task.validation
        else None,
    )
