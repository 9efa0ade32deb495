"""The plan of a build as a table that is changed row by row, and what goes when a task goes. Pure; must never change one."""

from __future__ import annotations

import shlex

from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.figures import count
from buildwright.core.record import Record
from buildwright.core.replan import FREE, at_work, no_plan_yet
from buildwright.core.task import Task
from buildwright.errors import NotFound
from buildwright.views.spec_progress import spec_progress

_MOST_NAMED = 5


class PlanRow(Record):
    """A task of a plan, whole, with what it has reached and whether it may be changed."""

    task: Task
    state: str
    """A `TaskPhase` value."""
    attempt: int
    wave: int
    """From 1: tasks of one wave do not need each other."""
    on_critical_path: bool
    needed_by: tuple[str, ...]
    """Tasks that name it as one that they need."""
    may_change: bool
    why_not: str = ""
    """Why it may not be changed; "" when it may."""


class PlanTable(Record):
    """The plan of a build, in the order in which its tasks may begin."""

    build: str
    version: int
    title: str
    waits_for_approval: bool
    ended: bool
    minutes: float
    """Of its longest chain."""
    total_minutes: float
    waves: int
    milestones: tuple[str, ...] = ()
    rows: tuple[PlanRow, ...] = ()


class WithoutTask(Record):
    """What goes when a task is dropped from a plan."""

    task: str
    title: str
    words: str
    freed: tuple[str, ...] = ()
    """Tasks that need it now, and would begin without what it makes."""
    unbuilt: tuple[str, ...] = ()
    """Parts of the user's spec that no other task builds."""
    command: str


def plan_table(build: Build) -> PlanTable:
    """Return the plan as a table. O(tasks). Raises IllegalMove before there is a plan."""
    plan = build.plan
    if plan is None:
        raise no_plan_yet()
    tasks = plan.graph.tasks
    on_path = set(plan.critical_path)
    order = sorted(range(len(tasks)), key=lambda at: (plan.milestone[at], plan.depth[at], plan.rank[at]))
    return PlanTable(
        build=build.id,
        version=build.version,
        title=build.spec.title,
        waits_for_approval=build.pause is not None and build.pause.reason == "approval",
        ended=build.is_terminal,
        minutes=plan.minutes,
        total_minutes=sum(task.minutes for task in tasks),
        waves=max(plan.depth, default=-1) + 1,
        milestones=plan.milestones if any(plan.milestones) else (),
        rows=tuple(
            PlanRow(
                task=tasks[at],
                state=build.task(tasks[at].id).phase.value,
                attempt=build.task(tasks[at].id).attempt,
                wave=plan.depth[at] + 1,
                on_critical_path=tasks[at].id in on_path,
                needed_by=tuple(tasks[one].id for one in plan.dependents[at]),
                may_change=build.task(tasks[at].id).phase in FREE,
                why_not=_why_not(build, build.task(tasks[at].id).phase),
            )
            for at in order
        ),
    )


def _why_not(build: Build, phase: TaskPhase) -> str:
    if phase in FREE:
        return ""
    if phase in {TaskPhase.DONE, TaskPhase.SKIPPED}:
        return f"It is {phase.value}: it stays as it is. Redo it, or add another task."
    wait = "wait, or resume the build" if build.control is Control.PAUSED else "or wait"
    return f"It is {phase.value}: {at_work(build)}. Tell its agent something, {wait}."


def without_task(build: Build, task: str) -> WithoutTask:
    """Return what goes with a task: its part of the spec, and what others need of it.

    Raises NotFound, IllegalMove before there is a plan.
    """
    plan = build.plan
    if plan is None:
        raise no_plan_yet()
    if task not in plan.position:
        raise NotFound(f"the plan has no task {task}", fix="name one of its tasks")
    freed = tuple(plan.graph.tasks[at].id for at in plan.dependents[plan.position[task]])
    found = spec_progress(build)
    pieces = [piece for document in found.documents for piece in document.pieces]
    unbuilt = tuple(" ".join(one.text.split()) for one in pieces if one.asks and one.tasks == (task,))
    words = []
    if freed:
        named = ", ".join(freed[:_MOST_NAMED]) + (
            f" and {len(freed) - _MOST_NAMED} more" if len(freed) > _MOST_NAMED else ""
        )
        words.append(f"{named} {'needs' if len(freed) == 1 else 'need'} it, and would begin without what it makes.")
    else:
        words.append("No other task needs it.")
    if unbuilt:
        words.append(f"No other task builds {count(len(unbuilt), 'part')} of what you asked for.")
    else:
        words.append("No part of what you asked for is known to need it alone.")
    return WithoutTask(
        task=task,
        title=plan.task(task).title,
        words=" ".join(words),
        freed=freed,
        unbuilt=unbuilt,
        command=f"buildwright task drop {build.id[:8]} {shlex.quote(task)}",
    )
