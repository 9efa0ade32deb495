"""The task graph and what follows from it alone: cycles, waves, critical path, rank. Pure; must never know progress.

`Graph` is the record that is stored; `Plan` is its compiled form with integer adjacency, made once per build and
shared by every version of it, so that a step costs nothing per task.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from buildwright.core.paths import HeldPaths
from buildwright.core.record import Record
from buildwright.core.sanitize import ForeignText
from buildwright.core.task import Task
from buildwright.errors import BadGraph


class Graph(Record):
    """Tasks and their dependencies, grouped in ordered milestones. `compile_plan` checks it; construction does not."""

    tasks: tuple[Task, ...]
    milestones: tuple[ForeignText, ...] = ()
    """Order of the milestones; tasks of a later one start when every task of the earlier ones has landed."""
    notes: ForeignText = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked graph with everything derived from it. Indexes are positions in `graph.tasks`."""

    graph: Graph
    position: Mapping[str, int]
    dependents: tuple[tuple[int, ...], ...]
    depth: tuple[int, ...]
    """Wave of each task, from 0: one more than its deepest dependency and than every earlier milestone; later for a task
    with a file that one before it in the order expects too. Only for people: no task waits for a wave."""
    remaining: tuple[float, ...]
    """Minutes of the longest path from the start of the task to the end of the graph."""
    needs: tuple[int, ...]
    """Number of different dependencies of each task."""
    rank: tuple[int, ...]
    """Start order: milestone, longest remaining path first, priority, then the order in the list. A permutation."""
    by_rank: tuple[int, ...]
    """The inverse of `rank`: index of the task that starts at each place."""
    milestone: tuple[int, ...]
    """Index of each task's milestone in `milestones`."""
    milestones: tuple[str, ...]

    def task(self, task_id: str) -> Task:
        return self.graph.tasks[self.position[task_id]]

    def needing(self, task_id: str) -> tuple[str, ...]:
        """Return the tasks that need this one, directly or not, in the order of the list."""
        seen, ahead = set[int](), [self.position[task_id]]
        while ahead:
            fresh = [one for one in self.dependents[ahead.pop()] if one not in seen]
            seen.update(fresh)
            ahead.extend(fresh)
        return tuple(self.graph.tasks[index].id for index in sorted(seen))

    def id_at(self, rank: int) -> str:
        return self.graph.tasks[self.by_rank[rank]].id

    @property
    def waves(self) -> tuple[tuple[str, ...], ...]:
        """Return the task ids by wave: for people to read, not a barrier."""
        waves: list[list[str]] = [[] for _ in range(max(self.depth, default=-1) + 1)]
        for index in sorted(range(len(self.depth)), key=self.rank.__getitem__):
            waves[self.depth[index]].append(self.graph.tasks[index].id)
        return tuple(tuple(wave) for wave in waves)

    @property
    def critical_path(self) -> tuple[str, ...]:
        """Return the chain of tasks with the largest sum of minutes, first to last: of each milestone its own."""
        left = [0.0] * len(self.depth)  # minutes from the start of each task to the end of its milestone
        starts: dict[int, int] = {}
        for index in sorted(range(len(left)), key=self.depth.__getitem__, reverse=True):
            later = self._next_on_path(index, left)
            left[index] = self.graph.tasks[index].minutes + (0.0 if later is None else left[later])
            best = starts.setdefault(self.milestone[index], index)
            starts[self.milestone[index]] = max(best, index, key=lambda i: (left[i], -i))
        path: list[int] = []
        for _, first in sorted(starts.items()):
            current: int | None = first
            while current is not None:
                path.append(current)
                current = self._next_on_path(current, left)
        return tuple(self.graph.tasks[index].id for index in path)

    def _next_on_path(self, index: int, left: Sequence[float]) -> int | None:
        inside = (one for one in self.dependents[index] if self.milestone[one] == self.milestone[index])
        return max(inside, key=lambda i: (left[i], -i), default=None)

    @property
    def minutes(self) -> float:
        """Return the length of the critical path in minutes: no schedule can be shorter."""
        return sum(self.task(name).minutes for name in self.critical_path)


def compile_plan(graph: Graph) -> Plan:
    """Check a graph and derive its plan in O(tasks + dependencies).

    Raises BadGraph naming the task: empty list, duplicate id, unknown or own dependency, cycle, unknown milestone,
    dependency on a later milestone, `tests_first` that names no later task.
    """
    tasks = graph.tasks
    position = _positions(tasks)
    dependents: list[list[int]] = [[] for _ in tasks]
    unmet = [0] * len(tasks)
    for index, task in enumerate(tasks):
        for needed in _checked_dependencies(task, position):
            dependents[position[needed]].append(index)
            unmet[index] += 1
    order = _topological(tasks, dependents, unmet)
    milestones, milestone = _milestones(graph, position)
    remaining = [0.0] * len(tasks)
    for index in reversed(order):
        longest = max((remaining[d] for d in dependents[index]), default=0.0)
        remaining[index] = tasks[index].minutes + longest
    by_start = sorted(range(len(tasks)), key=lambda i: (milestone[i], -remaining[i], -tasks[i].priority, i))
    rank = [0] * len(tasks)
    for place, index in enumerate(by_start):
        rank[index] = place
    depth = _waves(tasks, dependents, unmet, rank, milestone)
    return Plan(
        graph=graph,
        position=position,
        dependents=tuple(tuple(d) for d in dependents),
        depth=tuple(depth),
        remaining=tuple(remaining),
        needs=tuple(unmet),
        rank=tuple(rank),
        by_rank=tuple(by_start),
        milestone=tuple(milestone),
        milestones=milestones,
    )


def _waves(
    tasks: tuple[Task, ...], dependents: list[list[int]], unmet: list[int], rank: list[int], milestone: list[int]
) -> list[int]:
    """Return the wave of each task: after its dependencies, after the milestones before its own, and after every wave
    that has one of its files already."""
    unmet, depth = list(unmet), [0] * len(tasks)
    held = HeldPaths()
    ready: list[list[int]] = [[] for _ in range(max(milestone) + 1)]
    for index, count in enumerate(unmet):
        if count == 0:
            ready[milestone[index]].append(index)
    begins = 0
    for phase, first in enumerate(ready):
        due = [(begins, rank[index], index) for index in first]
        heapify(due)
        while due:
            earliest, _, index = heappop(due)
            files = tasks[index].files_expected
            depth[index] = max(earliest, max(map(held.until, files), default=0))
            held.hold(files, depth[index] + 1)
            begins = max(begins, depth[index] + 1)
            for dependent in dependents[index]:
                depth[dependent] = max(depth[dependent], depth[index] + 1)
                unmet[dependent] -= 1
                if unmet[dependent] == 0 and milestone[dependent] == phase:
                    heappush(due, (depth[dependent], rank[dependent], dependent))
                elif unmet[dependent] == 0:
                    ready[milestone[dependent]].append(dependent)
    return depth


def _positions(tasks: Iterable[Task]) -> dict[str, int]:
    position: dict[str, int] = {}
    folded: dict[str, str] = {}
    for index, task in enumerate(tasks):
        if task.id in position:
            raise BadGraph("this task id is used twice", key=task.id, fix="give every task its own id")
        twin = folded.get(task.id.casefold())
        if twin is not None:
            raise BadGraph(
                f"this task id differs from {twin} only in upper and lower case",
                key=task.id,
                fix="give every task an id that stays distinct on a file system that ignores case",
            )
        position[task.id] = index
        folded[task.id.casefold()] = task.id
    if not position:
        raise BadGraph("there are no tasks", fix="describe at least one task")
    return position


def _checked_dependencies(task: Task, position: Mapping[str, int]) -> tuple[str, ...]:
    needed_ids = tuple(dict.fromkeys(task.depends_on))
    for needed in needed_ids:
        if needed == task.id:
            raise BadGraph("the task depends on itself", key=task.id, fix=f"remove {task.id} from its depends_on")
        if needed not in position:
            raise BadGraph(
                f"depends on {needed}, which is not in the list",
                key=task.id,
                fix=f"add a task {needed}, or remove it from depends_on of {task.id}",
            )
    for later in task.tests_first:
        if later not in position:
            raise BadGraph(
                f"its tests are to fail until {later} is done, which is not in the list",
                key=task.id,
                fix=f"add a task {later}, or remove it from tests_first of {task.id}",
            )
        if later == task.id or later in needed_ids:
            raise BadGraph(
                f"its tests are to fail until {later} is done, which is not a later task",
                key=task.id,
                fix=f"name tasks in tests_first that come after {task.id}",
            )
    return needed_ids


def _topological(tasks: tuple[Task, ...], dependents: list[list[int]], unmet: list[int]) -> list[int]:
    unmet = list(unmet)
    queue = deque(index for index, count in enumerate(unmet) if count == 0)
    order: list[int] = []
    while queue:
        index = queue.popleft()
        order.append(index)
        for dependent in dependents[index]:
            unmet[dependent] -= 1
            if unmet[dependent] == 0:
                queue.append(dependent)
    if len(order) < len(tasks):
        cycle = _find_cycle(tasks, unmet)
        raise BadGraph(
            f"the tasks wait for each other in a circle: {' -> '.join(cycle)}",
            key=cycle[0],
            fix=f"remove one of these dependencies, for example {cycle[1]} from depends_on of {cycle[0]}",
        )
    return order


def _find_cycle(tasks: tuple[Task, ...], unmet: list[int]) -> list[str]:
    """Return one cycle, as ids, the first repeated at the end. Each stuck task (`unmet` > 0) is on or after one."""
    by_id = {tasks[i].id: tasks[i] for i, count in enumerate(unmet) if count > 0}
    current = next(iter(by_id))
    seen: dict[str, int] = {}
    path: list[str] = []
    while current not in seen:
        seen[current] = len(path)
        path.append(current)
        current = next(needed for needed in by_id[current].depends_on if needed in by_id)
    return [*path[seen[current] :], current]


def _milestones(graph: Graph, position: Mapping[str, int]) -> tuple[tuple[str, ...], list[int]]:
    named = tuple(dict.fromkeys(graph.milestones))
    used = tuple(dict.fromkeys(task.milestone for task in graph.tasks))
    order = named or used
    index = {name: place for place, name in enumerate(order)}
    for task in graph.tasks:
        if task.milestone not in index:
            raise BadGraph(
                f"belongs to milestone {task.milestone!r}, which is not among {', '.join(order)}",
                key=task.id,
                fix="name the milestone in `milestones`, or change the task's milestone",
            )
    for task in graph.tasks:
        for needed in task.depends_on:
            other = graph.tasks[position[needed]]
            if index[other.milestone] > index[task.milestone]:
                raise BadGraph(
                    f"depends on {needed} of the later milestone {other.milestone!r}",
                    key=task.id,
                    fix="move one of them to the other's milestone",
                )
    return order, [index[task.milestone] for task in graph.tasks]
