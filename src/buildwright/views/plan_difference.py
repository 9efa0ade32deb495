"""How a task list differs from the plan of a build. Pure; must never say whether the build may take it."""

from __future__ import annotations

from typing import NamedTuple

from buildwright.core.build import Build, TaskPhase
from buildwright.core.graph import Graph
from buildwright.core.record import Record
from buildwright.core.task import Task

_OVER = frozenset({TaskPhase.DONE, TaskPhase.SKIPPED})


class PlanDifference(NamedTuple):
    """How a task list differs from the plan of a build. Tasks that are over stay as they are."""

    added: tuple[Task, ...]
    edited: tuple[Task, ...]
    dropped: tuple[str, ...]
    kept: tuple[str, ...]
    """Tasks that differ, or are not in the list, and are over: they stay."""

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.edited or self.dropped)


def difference(build: Build, graph: Graph) -> PlanDifference:
    """Return what of the list is not yet in the build's plan. Takes O(tasks)."""
    assert build.plan is not None
    known = {task.id: task for task in build.plan.graph.tasks}
    over = {task for task in known if build.task(task).phase in _OVER}
    wanted = {task.id: task for task in graph.tasks}
    changed = [task for task in graph.tasks if task.id in known and task != known[task.id]]
    return PlanDifference(
        tuple(task for task in graph.tasks if task.id not in known),
        tuple(task for task in changed if task.id not in over),
        tuple(task for task in known if task not in wanted and task not in over),
        tuple(
            [task.id for task in changed if task.id in over]
            + [one for one in known if one not in wanted and one in over]
        ),
    )


class EditedTask(Record):
    """A task that says something else, and in which of its fields."""

    id: str
    fields: tuple[str, ...]


class DifferenceView(Record):
    """How a task list differs from the plan of a build, by the ids of tasks."""

    added: tuple[str, ...] = ()
    edited: tuple[EditedTask, ...] = ()
    dropped: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Tasks that differ, or are not in the list, and are over: they stay."""


def edited_fields(build: Build, task: Task) -> tuple[str, ...]:
    """Return the fields in which a task differs from the one of its id in the build's plan."""
    assert build.plan is not None
    old = build.plan.task(task.id)
    return tuple(name for name, value in task if value != getattr(old, name))


def difference_view(build: Build, found: PlanDifference) -> DifferenceView:
    """Return the difference as programs are told it."""
    return DifferenceView(
        added=tuple(task.id for task in found.added),
        edited=tuple(EditedTask(id=task.id, fields=edited_fields(build, task)) for task in found.edited),
        dropped=found.dropped,
        kept=found.kept,
    )
