"""Commands about the tasks of a build that has begun, or ended: change, take back, do anew. Must never do an effect."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from buildwright.core import event as e
from buildwright.core.again import rests_on_others
from buildwright.core.build import Build, TaskPhase, TaskState, is_undone, no_task
from buildwright.core.event import AnyEvent
from buildwright.core.graph import Plan
from buildwright.core.limits import Options
from buildwright.core.record import TaskId
from buildwright.core.replan import no_plan_yet
from buildwright.core.task import Task, Validation
from buildwright.engine.build_command import BuildCommand, Words, reopened
from buildwright.errors import IllegalMove, Refused


@dataclass(frozen=True, slots=True)
class ChangeTasks(BuildCommand):
    """Change the plan of a build that has begun: add, edit or drop tasks. What has landed stays as it is.

    A failed task that is edited may be tried again; when no other has failed, a build that paused for it goes on.
    """

    name = "task"
    wakes = True
    reopens = True
    tasks: Annotated[
        tuple[Task, ...],
        Field(max_length=1_000, description="New tasks, and whole tasks in place of those with their id."),
    ] = ()
    drop: Annotated[tuple[TaskId, ...], Field(max_length=1_000, description="Ids of tasks not to do.")] = ()

    def asks_of_machine(self) -> tuple[Options, Sequence[Task]]:
        return Options(), self.tasks

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        if not self.tasks and not self.drop:
            raise Refused("nothing is to change", fix="name the tasks to add, edit or drop")
        return plan_change(build, self.tasks, self.drop)


@dataclass(frozen=True, slots=True)
class MergeTasks(BuildCommand):
    """Make one task of several: it does what all of them say, and what needed one of them needs it.

    It keeps the id of the first, unless another `id` is given.
    """

    name = "merge"
    wakes = True
    reopens = True
    tasks: Annotated[tuple[TaskId, ...], Field(min_length=2, max_length=100, description="The first gives the id.")]
    id: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,79})?$", description="Its id.")] = ""
    title: Annotated[str, Field(max_length=200, description="Its title; else those of all.")] = ""

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        plan = plan_of(build)
        name = self.id or self.tasks[0]
        if name in plan.position and name not in self.tasks:
            raise Refused(f"there is a task {name} already", fix="give another id")
        parts = [task_of(build, one) for one in dict.fromkeys(self.tasks)]
        if len(parts) < 2:
            raise Refused("one task alone cannot be merged", fix="name two or more")
        merged = merged_task(parts, name, self.title, plan.milestones)
        return plan_change(
            build,
            (merged, *rewired(plan, {one.id: (name,) for one in parts}, but={one.id for one in parts})),
            tuple(one.id for one in parts if one.id != name),
        )


@dataclass(frozen=True, slots=True)
class SplitTask(BuildCommand):
    """Put other tasks in the place of one: what it needs, they need, unless one needs another; what needed it needs all."""

    name = "split"
    wakes = True
    reopens = True
    task: TaskId
    into: Annotated[tuple[Task, ...], Field(min_length=2, max_length=1_000, description="The tasks in its place.")]

    def asks_of_machine(self) -> tuple[Options, Sequence[Task]]:
        return Options(), self.into

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        plan, old = plan_of(build), task_of(build, self.task)
        names = {one.id for one in self.into}
        if known := sorted(name for name in names if name in plan.position and name != old.id):
            raise Refused(f"there is a task {known[0]} already", fix="give another id")
        parts = tuple(
            one.model_copy(
                update={
                    "depends_on": one.depends_on
                    if names.intersection(one.depends_on)
                    else tuple(dict.fromkeys((*old.depends_on, *one.depends_on))),
                    "milestone": one.milestone or old.milestone,
                }
            )
            for one in self.into
        )
        after = rewired(plan, {old.id: tuple(one.id for one in parts)}, but={old.id})
        return plan_change(build, (*parts, *after), () if old.id in names else (old.id,))


@dataclass(frozen=True, slots=True)
class ReorderTasks(BuildCommand):
    """Have tasks done in this order: each waits for the one named before it, beside what it needs already."""

    name = "reorder"
    wakes = True
    reopens = True
    tasks: Annotated[tuple[TaskId, ...], Field(min_length=2, max_length=1_000, description="In their new order.")]

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        listed = [task_of(build, one) for one in self.tasks]
        waiting = tuple(
            task.model_copy(update={"depends_on": (*task.depends_on, before.id)})
            for before, task in pairwise(listed)
            if before.id not in task.depends_on
        )
        if not waiting:
            raise Refused("they are done in this order already", fix="name another order")
        return plan_change(build, waiting, ())


def plan_of(build: Build) -> Plan:
    """Return the plan of a build. Raises IllegalMove before it has one."""
    if build.plan is None:
        raise no_plan_yet()
    return build.plan


def task_of(build: Build, task: str) -> Task:
    """Return a task of the plan. Raises NotFound, IllegalMove before there is a plan."""
    plan = plan_of(build)
    if task not in plan.position:
        raise no_task(build, task)
    return plan.task(task)


def merged_task(parts: Sequence[Task], name: str, title: str, milestones: Sequence[str]) -> Task:
    """Return a task that does what all of these say. Raises Refused when they name different agents."""
    agents = {one.agent for one in parts if one.agent}
    if len(agents) > 1:
        raise Refused(f"they name different agents: {', '.join(sorted(agents))}", fix="edit one of them before")
    gone = {one.id for one in parts} | {name}
    checks = [one.validation for one in parts if one.validation is not None]
    joined = " && ".join(f"({one.command})" for one in checks)
    texts = {field: _each(parts, field) for field in ("requirements", "acceptance", "files_expected")}
    needs = {field: tuple(x for x in _each(parts, field) if x not in gone) for field in ("depends_on", "tests_first")}
    first = parts[0]
    return first.model_copy(
        update={
            **texts,
            **needs,
            "id": name,
            "title": title or "; ".join(one.title for one in parts)[:200],
            "goal": "\n\n".join(one.goal for one in parts if one.goal),
            "action": first.action if len({one.action for one in parts}) == 1 else "change",
            "code_template": "\n\n".join(one.code_template for one in parts if one.code_template),
            "validation": checks[0] if len(checks) == 1 else Validation(command=joined) if checks else None,
            "milestone": max((one.milestone for one in parts), key=list(milestones).index),
            "priority": max(one.priority for one in parts),
            "critical": any(one.critical for one in parts),
            "agent": next(iter(agents), ""),
            "minutes": sum(one.minutes for one in parts),
        }
    )


def _each(parts: Sequence[Task], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for part in parts for one in getattr(part, field)))


def rewired(plan: Plan, instead: Mapping[str, tuple[str, ...]], but: Container[str]) -> tuple[Task, ...]:
    """Return the tasks of the plan, but for some, that name a replaced one, with the others in its place."""

    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(new for name in names for new in instead.get(name, (name,))))

    changed = []
    for task in plan.graph.tasks:
        names = {field: renamed(getattr(task, field)) for field in ("depends_on", "tests_first")}
        if task.id not in but and any(names[field] != getattr(task, field) for field in names):
            changed.append(task.model_copy(update=names))
    return tuple(changed)


def plan_change(build: Build, tasks: tuple[Task, ...], drop: tuple[str, ...]) -> Sequence[AnyEvent]:
    """Return the facts of a changed plan. Raises Refused for a task that is named twice."""
    ids = [*(task.id for task in tasks), *drop]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise Refused(f"task {twice[0]} is named twice", fix="name each task once")
    return (*reopened(build), e.PlanChanged(tasks=tasks, dropped=drop), *goes_on(build, ids))


def goes_on(build: Build, tasks: Iterable[str]) -> tuple[AnyEvent, ...]:
    """Return what ends a pause for failed tasks, when all of them are among these."""
    waits = build.pause is not None and build.pause.reason == "failure"
    return (e.BuildResumed(),) if waits and set(build.failed) <= set(tasks) else ()


@dataclass(frozen=True, slots=True)
class ChangeSpec(BuildCommand):
    """Change the spec of a build that was planned from one. The planner says what that changes of the plan.

    What has landed stays, and is not paid for again. A build that paused for a failed task goes on.
    """

    name = "spec"
    wakes = True
    reopens = True
    text: Annotated[str, Field(min_length=1, max_length=9_000_000, description="The whole text as it is now.")]

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        if build.plan is None:
            raise no_plan_yet()
        if self.text == (build.new_spec or build.spec.text):
            raise Refused("the spec is not another one", fix="give its new text")
        waits = build.pause is not None and build.pause.reason in {"failure", "plan"}
        return (*reopened(build), e.SpecChanged(text=self.text), *((e.BuildResumed(),) if waits else ()))


@dataclass(frozen=True, slots=True)
class UndoTask(BuildCommand):
    """Take back what a task has landed, by a commit on top that is judged like any change. The task is then skipped.

    Changes that rest on it are taken back before it `with_dependents`; otherwise they forbid it.
    """

    name = "undo"
    wakes = True
    reopens = True
    task: TaskId
    with_dependents: Annotated[bool, Field(description="Also the tasks that need it, the newest first.")] = False

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        state = _over(build, self.task)
        if not state.commit:
            raise IllegalMove(
                f"task {self.task} has landed no change that could be taken back",
                fix=f"see `buildwright why {build.id} {self.task}`",
            )
        rest = _resting(build, self.task, with_them=self.with_dependents, redo=False)
        return (*reopened(build), *rest, e.UndoRequested(task=self.task))


@dataclass(frozen=True, slots=True)
class RedoTask(BuildCommand):
    """Have a task attempted anew. What it has landed is taken back first; nothing else is built or paid for again.

    The tasks that rest on it are redone too `with_dependents`; otherwise they forbid it.
    """

    name = "redo"
    wakes = True
    reopens = True
    task: TaskId
    message: Annotated[Words, Field(description="For the agent of the next attempt.")] = ""
    from_attempt: Annotated[
        int, Field(ge=0, le=10**6, description="The attempt whose work the next one continues from; 0: from the start.")
    ] = 0
    with_dependents: Annotated[bool, Field(description="Also the tasks that need it.")] = False

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        if build.plan is not None and build.task(self.task).phase is TaskPhase.FAILED:
            again = e.TaskRetried(task=self.task, by="user", message=self.message, from_attempt=self.from_attempt)
            return (*reopened(build), again, *goes_on(build, [self.task]))
        _over(build, self.task)
        rest = _resting(build, self.task, with_them=self.with_dependents, redo=True)
        asked = e.UndoRequested(task=self.task, redo=True, message=self.message, from_attempt=self.from_attempt)
        return (*reopened(build), *rest, asked)


def _over(build: Build, task: str) -> TaskState:
    """Return the state of a task that is over. Raises NotFound, IllegalMove."""
    if build.plan is None or task not in build.plan.position:
        raise no_task(build, task)
    state = build.task(task)
    if state.phase in {TaskPhase.DONE, TaskPhase.SKIPPED}:
        return state
    if is_undone(state):
        raise IllegalMove(f"the change of task {task} is being taken back already", fix="wait until it is")
    raise IllegalMove(
        f"task {task} is {state.phase}: it has not come to an end yet",
        fix=f"see `buildwright why {build.id} {task}`",
    )


def _resting(build: Build, task: str, *, with_them: bool, redo: bool) -> list[AnyEvent]:
    """Return what takes back the changes that rest on a task's, the newest first. Raises IllegalMove."""
    plan = build.plan
    assert plan is not None
    there = [one for one in plan.needing(task) if rests_on_others(build.task(one))]
    busy = [one for one in there if build.task(one).phase is not TaskPhase.DONE]
    if busy:
        raise IllegalMove(
            f"{_named(busy)} task {task}, and an agent works on {'it' if len(busy) == 1 else 'them'}",
            fix="wait until that is over",
        )
    if there and not with_them:
        raise IllegalMove(
            f"{_named(there)} task {task}, and {'has' if len(there) == 1 else 'have'} landed on top of it",
            fix=f"say --with-dependents to {'have them redone too' if redo else 'take them back too'}",
        )
    # Without lanes nothing lands, and the order is that of the plan alone: what needs another one goes before it.
    last_first = sorted(there, key=lambda one: (build.task(one).landed, plan.depth[plan.position[one]]), reverse=True)
    return [e.UndoRequested(task=one, redo=redo) for one in last_first]


def _named(tasks: Sequence[str]) -> str:
    return f"task {tasks[0]} needs" if len(tasks) == 1 else f"tasks {', '.join(tasks)} need"
