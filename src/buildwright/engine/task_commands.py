"""Commands about the tasks of a build that has begun, or ended: change, take back, do anew. Must never do an effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from buildwright.core import event as e
from buildwright.core.again import rests_on_others
from buildwright.core.build import Build, TaskPhase, TaskState, is_undone, no_task
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Options
from buildwright.core.record import TaskId
from buildwright.core.task import Task
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
        ids = [*(task.id for task in self.tasks), *self.drop]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise Refused(f"task {twice[0]} is named twice", fix="name each task once")
        changed = e.PlanChanged(tasks=self.tasks, dropped=self.drop)
        return (*reopened(build), changed, *_goes_on(build, ids))


def _goes_on(build: Build, tasks: Iterable[str]) -> tuple[AnyEvent, ...]:
    """Return what ends a pause for failed tasks, when these are all of them."""
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
            raise IllegalMove("there is no plan yet that could be changed", fix="wait until the build has planned")
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
            return (*reopened(build), again, *_goes_on(build, [self.task]))
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
