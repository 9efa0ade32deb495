"""An unfinished build whose spec has the same name but other tasks: what differs, and how it takes the change over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.core.build import Build
    from buildwright.core.graph import Graph
    from buildwright.core.task import Task

_OVER = frozenset({"done", "skipped"})


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


def print_difference(output: Output, build: Build, found: PlanDifference) -> None:
    """Print a line for each task that differs, with the fields that are new."""
    assert build.plan is not None
    for task in found.added:
        output.say(f"  + {task.id}: {task.title}")
    for task in found.edited:
        old = build.plan.task(task.id)
        fields = [name.replace("_", " ") for name, value in task if value != getattr(old, name)]
        output.say(f"  ~ {task.id}: {', '.join(fields)}")
    for name in found.dropped:
        output.say(f"  - {name}: {build.plan.task(name).title}")
    for name in found.kept:
        output.say(f"  = {name}: stays as it is, for it is {build.task(name).phase}")
