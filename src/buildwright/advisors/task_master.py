"""Reads task-master's `tasks.json`: numbered tasks with subtasks. Must never do I/O.

Source of the format: files of `task-master` 0.x, `{tasks: [...]}` or one object per tag, `{master: {tasks: [...]}}`;
keys that are not read are named. Ids are numbers, or words where people wrote them. A task with open subtasks is replaced
by them: what needed the task needs all of them, and they need what it needed. Done, cancelled and deferred ones are left
out and named, and dependents do not wait for them.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from buildwright.advisors.checklist import named
from buildwright.advisors.dependencies import under_one_key
from buildwright.advisors.documents import checked_graph, key_path, validate
from buildwright.advisors.paths import paths_in
from buildwright.core.graph import Graph
from buildwright.core.record import TaskId
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadGraph, BadSpec

MARKS: Final = frozenset({"dependencies", "subtasks", "testStrategy", "details", "description"})
"""Keys of a task that tell this format from ours."""

_PRIORITIES: Final = {"critical": 3, "high": 2, "medium": 1, "low": 0}
_OTHER_PRIORITIES: Final = {"urgent": "critical", "highest": "critical", "normal": "medium", "lowest": "low", "": None}
_STATUSES: Final = {
    "todo": "pending",
    "to-do": "pending",
    "open": "pending",
    "not-started": "pending",
    "started": "in-progress",
    "inprogress": "in-progress",
    "complete": "completed",
    "closed": "completed",
}
"""Words for a status that people and agents write, beside the tool's own."""


_FIGURES: Final = frozenset(
    {"complexityScore", "recommendedSubtasks", "expansionPrompt", "complexityReasoning", "complexity", "updatedAt"}
    | {"createdAt", "effort", "actualEffort", "assignee", "tags", "parentId", "parentTaskId", "databaseId", "displayId"}
)
"""Keys of a task that say nothing of what is to be done."""


class Item(BaseModel):
    """A task or subtask."""

    model_config = ConfigDict(extra="allow")

    id: TaskId
    title: str = Field(min_length=1)
    description: str | None = None
    details: str | None = None
    test_strategy: str | None = Field(default=None, alias="testStrategy")
    dependencies: tuple[str, ...] = ()
    priority: Literal["critical", "high", "medium", "low"] | None = None
    status: Literal[
        "pending", "in-progress", "review", "blocked", "done", "completed", "cancelled", "canceled", "deferred"
    ] = "pending"
    subtasks: tuple[Item, ...] = ()

    @field_validator("id", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return _as_id(value)

    @field_validator("dependencies", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        return () if value is None else [_as_id(_id_in(item)) for item in value] if isinstance(value, list) else value

    @field_validator("status", mode="before")
    @classmethod
    def _one_spelling(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        word = value.strip().lower().replace("_", "-").replace(" ", "-")
        return _STATUSES.get(word, word)

    @field_validator("priority", mode="before")
    @classmethod
    def _in_small_letters(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        word = value.strip().lower()
        return _OTHER_PRIORITIES.get(word, word)

    @field_validator("subtasks", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return () if value is None else value

    @property
    def left_out(self) -> bool:
        return self.status in ("done", "completed", "cancelled", "canceled", "deferred")


_KEYS: Final = frozenset(Item.model_fields) - {"dependencies"} | {"testStrategy"}


class Tag(BaseModel):
    """One list of tasks."""

    model_config = ConfigDict(extra="ignore")

    tasks: tuple[Item, ...]


def parse_task_master(data: dict[str, Any], text: str, name: str, title: str, wanted: str = "") -> Spec:
    """Return the spec of the list under the tag `wanted`, or `master`. Raises BadSpec or BadGraph with key and line."""
    where, tag = _choose_tag(data, name, wanted)
    if isinstance(tag, dict) and isinstance(tag.get("tasks"), list):
        tag = {"tasks": under_one_key(tag["tasks"], "dependencies", _KEYS, name, (*where, "tasks"))}
    items = validate(Tag, tag, name, where).tasks
    nodes = _Nodes(name)
    for index, item in enumerate(items):
        nodes.add(item, "", (*where, "tasks", index), ())
    if items and not nodes.open:
        raise BadSpec(
            "every task is done, cancelled or deferred", file=name, fix="add a pending task: there is nothing to build"
        )
    graph = Graph(tasks=tuple(nodes.task(number) for number in nodes.open))
    checked = checked_graph(graph, text, name)
    beside = [one for one in _tags(data) if (one,) != where] if where else []
    notes = [f"{named(beside)}: other tags, so left out (choose one with --tag)"] if beside else []
    return Spec(title=title, source=name, form="task-master", graph=checked, notes=(*nodes.notes(), *notes))


def _tags(data: dict[str, Any]) -> list[str]:
    return [key for key, value in data.items() if isinstance(value, dict) and "tasks" in value]


def has_tags(data: dict[str, Any]) -> bool:
    """Return whether the task lists are under the names of tags."""
    return "tasks" not in data and any(isinstance(value, dict) and "tasks" in value for value in data.values())


def _choose_tag(data: dict[str, Any], name: str, wanted: str) -> tuple[tuple[str, ...], Any]:
    tags = _tags(data)
    if not has_tags(data):
        if wanted:
            fix = "leave out --tag: the whole list is built"
            raise BadSpec(f"has no tags, so none is called {wanted!r}", file=name, fix=fix)
        return (), data
    tag = wanted or ("master" if "master" in tags else tags[0] if len(tags) == 1 else "")
    if tag not in tags:
        problem = f"has no tag {wanted!r}; its tags: " if wanted else "has several tags and none is 'master': "
        close = get_close_matches(wanted, tags, n=1)
        fix = f"choose one with --tag, for example --tag {(close or tags)[0]}"
        raise BadSpec(f"{problem}{named(tags)}", file=name, fix=fix)
    return (tag,), data[tag]


class _Nodes:
    """All items of a file by full number, and the open subtasks that replace each group."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._items: dict[str, Item] = {}
        self._parents: dict[str, tuple[str, ...]] = {}
        self._children: dict[str, list[str]] = {}
        self._open: dict[str, None] = {}

    def add(
        self, item: Item, parent: str, where: tuple[str | int, ...], parents: tuple[str, ...], gone: bool = False
    ) -> None:
        number = item.id if not parent or item.id.startswith(f"{parent}.") else f"{parent}.{item.id}"
        if number in self._items:
            raise BadGraph(
                "this task id is used twice",
                file=self._name,
                key=key_path((*where, "id")),
                fix=f"renumber one of the two {number}",
            )
        gone = gone or item.left_out
        self._items[number] = item
        self._parents[number] = parents
        self._children[number] = []
        if parent:
            self._children[parent].append(number)
        before = len(self._open)
        for index, inner in enumerate(item.subtasks):
            self.add(inner, number, (*where, "subtasks", index), (*parents, number), gone)
        if not gone and len(self._open) == before:
            self._open[number] = None

    def notes(self) -> list[str]:
        """Return which items became no task, by status; those below one that is left out are left out with it."""
        kinds: dict[str, list[str]] = {}
        unread: dict[str, None] = {}
        for number, item in self._items.items():
            unread |= dict.fromkeys(
                key for key, value in (item.model_extra or {}).items() if value and key not in _FIGURES
            )
            if number in self._open and item.status in ("in-progress", "review", "blocked"):
                kinds.setdefault(f"{item.status}, so open: built like any other", []).append(number)
            if item.left_out:
                kinds.setdefault(f"{item.status}, so left out", []).append(number)
            elif number not in self._open:
                above = any(self._items[parent].left_out for parent in self._parents[number])
                kinds.setdefault("left out with its task" if above else "built by its subtasks", []).append(number)
        keys = [f"{named(map(repr, unread))}: keys that are not read"] if unread else []
        return [*(f"{named(numbers)}: {said}" for said, numbers in kinds.items()), *keys]

    @property
    def open(self) -> tuple[str, ...]:
        """Numbers of the items that become tasks, in the order of the file."""
        return tuple(self._open)

    def task(self, number: str) -> Task:
        item = self._items[number]
        above = [self._items[parent] for parent in self._parents[number]]
        words = "\n\n".join(part for part in (item.description, item.details) if part)
        context = "\n\n".join(f"Part of: {parent.title}\n{parent.description or ''}".strip() for parent in above)
        priority = next((one.priority for one in (item, *reversed(above)) if one.priority), "medium")
        return Task(
            id=number,
            title=item.title[:200],
            goal="\n\n".join(part for part in (words or item.title, context) if part),
            acceptance=(item.test_strategy,) if item.test_strategy else (),
            depends_on=tuple(dict.fromkeys(self._needed(number))),
            files_expected=paths_in(f"{item.title}\n{words}", quoted_only=True),
            priority=_PRIORITIES[priority],
        )

    def _needed(self, number: str) -> list[str]:
        needed: list[str] = []
        for one in (number, *reversed(self._parents[number])):
            for dependency in self._items[one].dependencies:
                needed += self._stands_for(self._resolve(one, dependency))
        return needed

    def _resolve(self, number: str, dependency: str) -> str:
        """Return a dependency's full number: in a subtask, a bare number means a sibling before a top-level task."""
        parents = self._parents[number]
        if parents and f"{parents[-1]}.{dependency}" in self._items:
            return f"{parents[-1]}.{dependency}"
        if dependency.endswith(".0") and dependency not in self._items:
            dependency = dependency.removesuffix(".0")  # a whole number that a program wrote as 1.0
        if dependency not in self._items:
            fix = f"add a task {dependency}, or remove it from the dependencies of {number}"
            raise BadGraph(f"depends on {dependency}, which is not in the list", file=self._name, key=number, fix=fix)
        return dependency

    def _stands_for(self, number: str) -> list[str]:
        if number in self._open:
            return [number]
        return [task for child in self._children[number] for task in self._stands_for(child)]


def _id_in(value: Any) -> Any:
    """Return the id of a dependency that is written as an object."""
    return value["id"] if isinstance(value, dict) and "id" in value else value


def _as_id(value: Any) -> Any:
    # A subtask number such as 1.2 may come as a float; bool is an int in Python, but no id.
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
