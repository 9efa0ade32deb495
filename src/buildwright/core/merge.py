"""The merge train: the changes that wait to land, and which of them to test next. Pure; must never land one itself.

Changes queue in the order in which they were judged; tasks that depend on each other never wait at once. The train
tests change N on top of the changes ahead of it, several at once, and lands only its first car, tested on the head. The
idea is that of Zuul's dependent pipeline.
"""

from __future__ import annotations

from datetime import datetime

from buildwright.core import event as e
from buildwright.core.action import Action, JudgeMerge, LandChange, PrepareMerge
from buildwright.core.build import Build, Car, TaskPhase, TaskState, is_undone
from buildwright.core.event import Rejection
from buildwright.core.finding import Verdict
from buildwright.core.graph import Plan
from buildwright.core.progress import Changes, end_task, finish_task, reject_task, set_task
from buildwright.errors import IllegalMove

MOST_NAMED = 20
"""Number of files that a reason names; thousands can conflict."""


def train_actions(build: Build) -> list[Action]:
    """Return the tests to run, each car on top of those ahead; the landing of the first, if tested on the head."""
    actions: list[Action] = []
    ahead = build.head
    for place, car in enumerate(build.train[: build.options.limits.train]):
        if car.alone and place > 0:
            continue
        if car.onto != ahead or not car.commit:
            actions.append(PrepareMerge(car.task, car.attempt, ahead))
            break  # the cars behind need this car's commit first
        if place == 0 and car.passed:
            actions.append(LandChange(car.task, car.attempt, car.onto, car.commit, car.tree))
        elif not car.passed:
            actions.append(JudgeMerge(car.task, car.attempt, car.tree))
        ahead = car.commit
    return actions


def board(build: Build, task_id: str, state: TaskState) -> Changes:
    """Add the task's change to the end of the train."""
    return {**set_task(build, task_id, state), "train": (*build.train, Car(task_id, state.attempt))}


def _car(build: Build, task_id: str) -> int:
    for place, car in enumerate(build.train):
        if car.task == task_id:
            return place
    raise IllegalMove(f"task {task_id} is not in the merge train")


def _with_car(build: Build, place: int, car: Car) -> tuple[Car, ...]:
    return (*build.train[:place], car, *build.train[place + 1 :])


def _without_car(build: Build, place: int) -> tuple[Car, ...]:
    return (*build.train[:place], *build.train[place + 1 :])


def _until_first(build: Build, place: int) -> tuple[Car, ...]:
    """Let a car wait until it is first: at the end, or in its place when its change had landed in this order before."""
    car = build.train[place]
    alone = Car(car.task, car.attempt, alone=True)
    return _with_car(build, place, alone) if build.task(car.task).again else (*_without_car(build, place), alone)


def merge_prepared(build: Build, event: e.MergePrepared, _at: datetime) -> Changes:
    """Set the car on top of `onto`; it has passed already if exactly this tree was judged before."""
    place = _car(build, event.task)
    verdict = build.task(event.task).verdict
    judged = verdict is not None and verdict.ok and verdict.tree == event.tree
    passed = judged or not build.options.gates
    car = build.train[place]._replace(onto=event.onto, commit=event.commit, tree=event.tree, passed=passed)
    return {"train": _with_car(build, place, car)}


def merge_conflicted(build: Build, event: e.MergeConflicted, at: datetime) -> Changes:
    """Send the task back after a conflict with the head; after one with an unlanded change, let the car wait."""
    place = _car(build, event.task)
    if event.onto != build.head:
        # A conflict with a change that has not landed may go away when that change leaves the train.
        return {"train": _until_first(build, place)}
    more = f" and {len(event.files) - MOST_NAMED} more files" if len(event.files) > MOST_NAMED else ""
    files = f"{', '.join(event.files[:MOST_NAMED])}{more}"
    if build.task(event.task).again:
        return leaves_train(build, event.task, "conflict", f"it conflicts in {files} with what is there now", at)
    reason = f"the change conflicts with what landed meanwhile in {files}"
    changes = reject_task(build, event.task, build.task(event.task), "conflict", reason)
    return {**changes, "train": _without_car(build, place)}


def merge_judged(build: Build, event: e.MergeJudged, at: datetime) -> Changes:
    """Pass the car; or send it back if it failed on the head; or, if on top of others, try it again once first."""
    place = _car(build, event.task)
    car = build.train[place]
    if car.tree != event.verdict.tree:
        raise IllegalMove(f"merge.judged is of tree {event.verdict.tree}, the train tests {car.tree or 'none'}")
    state = build.task(event.task)
    if event.verdict.ok or not is_undone(state):
        state = state._replace(verdict=event.verdict)
    if event.verdict.ok:
        changes = set_task(build, event.task, state)
        return {**changes, "train": _with_car(build, place, car._replace(passed=True))}
    if place > 0:
        # It failed on top of changes that have not landed: its own fault only if it fails on the head.
        return {**set_task(build, event.task, state), "train": _until_first(build, place)}
    if state.again:
        return leaves_train(build, event.task, "train", f"refused by {refusal(event.verdict)}", at, event.verdict)
    reason = "the change did not pass the checks on top of what landed meanwhile"
    changes = reject_task(build, event.task, state, "train", reason, event.verdict.findings)
    return {**changes, "train": _without_car(build, place)}


def change_landed(build: Build, event: e.ChangeLanded, at: datetime) -> Changes:
    """Make the first car the new head and finish its task."""
    landed = moved_head(build, event)
    state = build.task(event.task)._replace(commit=event.commit, landed=build.version + 1)
    return {**landed, **finish_task(build.evolve(landed), event.task, state, TaskPhase.DONE, at)}


def moved_head(build: Build, event: e.ChangeLanded | e.ChangeUndone) -> Changes:
    """Make the first car the new head. Raises IllegalMove for any other."""
    place = _car(build, event.task)
    car, state = build.train[0], build.task(event.task)
    if place != 0 or not car.passed or car.commit != event.commit or car.onto != build.head:
        raise IllegalMove(f"task {event.task} cannot land: it is not the tested head of the train")
    if is_undone(state) is not isinstance(event, e.ChangeUndone):
        raise IllegalMove(f"{event.type} is not what task {event.task} is in the train for")
    judged = build.options.gates and state.verdict is not None and state.verdict.whole
    return {"head": event.commit, "head_tree": event.tree, "head_judged": judged, "train": build.train[1:]}


# --- Changes that had landed ---------------------------------------------------------------------------------------


def refusal(verdict: Verdict) -> str:
    """Return which gate refused, and its first finding."""
    gates = [report.gate for report in verdict.reports if not report.ok]
    return ": ".join([*gates[:1], *(str(finding)[:600] for finding in verdict.findings[:1])])


def leaves_train(
    build: Build, task_id: str, rejection: Rejection, reason: str, at: datetime, verdict: Verdict | None = None
) -> Changes:
    """Take a change out of the train that had landed before and does not fit now.

    Nothing more is undone then: the changes that were to be taken back stay landed, which the user is told. A change
    that does not fit on another base has failed its task; those that need it wait for it.
    """
    plan, state = build.plan, build.task(task_id)
    assert plan is not None
    if state.again != "replay":
        told: Changes = {"undo_refused": reason, "undo_refused_of": task_id}
        return told | _stay_landed(build.evolve(told), at)
    behind = _replayed_behind(build, plan, task_id)
    tasks, active = build.tasks, build.active.delete(task_id)
    for other in behind:
        tasks, active = tasks.set(other, tasks[other]._replace(phase=TaskPhase.WAITING)), active.delete(other)
    kept = state.patch is not None and not state.patch.is_empty
    failed = end_task(
        build,
        state._replace(
            phase=TaskPhase.FAILED,
            again="",
            rejection=rejection,
            reason=reason,
            findings=verdict.findings if verdict is not None else (),
            verdict=verdict or state.verdict,
            kept_base=state.base if kept else "",
            kept_tree=state.patch.tree if kept and state.patch else "",
        ),
        at,
    )
    return {
        "tasks": tasks.set(task_id, failed),
        "active": active,
        "failed": (*build.failed, task_id),
        "train": tuple(car for car in build.train if car.task not in {task_id, *behind}),
    }


def _stay_landed(build: Build, at: datetime) -> Changes:
    """Take the changes out of the train that were to be taken back: their tasks are done as before."""
    staying = [car.task for car in build.train if is_undone(build.task(car.task))]
    changes: Changes = {"train": tuple(car for car in build.train if car.task not in staying)}
    for task in staying:
        now = build.evolve(changes)
        changes |= finish_task(now, task, now.task(task), TaskPhase.DONE, at)
    return changes


def _replayed_behind(build: Build, plan: Plan, task_id: str) -> list[str]:
    """Return the tasks in the train, put on another base, that need this one, or one of them."""
    aboard = {car.task for car in build.train if build.task(car.task).again == "replay"}
    behind: list[str] = []
    ahead = [task_id]
    while ahead:
        for index in plan.dependents[plan.position[ahead.pop()]]:
            name = plan.graph.tasks[index].id
            if name in aboard and name not in behind:
                behind.append(name)
                ahead.append(name)
    return behind
