"""The merge train: the changes that wait to land, and which of them to test next. Pure; must never land one itself.

Changes queue in the order in which they were judged; tasks that depend on each other never wait at once. The train
tests change N on top of the changes ahead of it, several at once, and lands only its first car, tested on the head. The
idea is that of Zuul's dependent pipeline.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from buildwright.core import event as e
from buildwright.core.action import Action, JudgeMerge, LandChange, PrepareMerge
from buildwright.core.build import Build, Car, TaskPhase, TaskState
from buildwright.core.progress import Changes, finish_task, reject_task, set_task
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


def _to_the_end(build: Build, place: int) -> tuple[Car, ...]:
    car = build.train[place]
    return (*_without_car(build, place), Car(car.task, car.attempt, alone=True))


def merge_prepared(build: Build, event: e.MergePrepared, _at: datetime) -> Changes:
    """Set the car on top of `onto`; it has passed already if exactly this tree was judged before."""
    place = _car(build, event.task)
    verdict = build.task(event.task).verdict
    judged = verdict is not None and verdict.ok and verdict.tree == event.tree
    passed = judged or not build.options.gates
    car = build.train[place]._replace(onto=event.onto, commit=event.commit, tree=event.tree, passed=passed)
    return {"train": _with_car(build, place, car)}


def merge_conflicted(build: Build, event: e.MergeConflicted, _at: datetime) -> Changes:
    """Send the task back after a conflict with the head; after one with an unlanded change, let the car wait."""
    place = _car(build, event.task)
    if event.onto != build.head:
        # A conflict with a change that has not landed may go away when that change leaves the train.
        return {"train": _to_the_end(build, place)}
    more = f" and {len(event.files) - MOST_NAMED} more files" if len(event.files) > MOST_NAMED else ""
    reason = f"the change conflicts with what landed meanwhile in {', '.join(event.files[:MOST_NAMED])}{more}"
    changes = reject_task(build, event.task, build.task(event.task), "conflict", reason)
    return {**changes, "train": _without_car(build, place)}


def merge_judged(build: Build, event: e.MergeJudged, _at: datetime) -> Changes:
    """Pass the car; or send it back if it failed on the head; or, if on top of others, try it again once first."""
    place = _car(build, event.task)
    car = build.train[place]
    if car.tree != event.verdict.tree:
        raise IllegalMove(f"merge.judged is of tree {event.verdict.tree}, the train tests {car.tree or 'none'}")
    state = replace(build.task(event.task), verdict=event.verdict)
    if event.verdict.ok:
        changes = set_task(build, event.task, state)
        return {**changes, "train": _with_car(build, place, car._replace(passed=True))}
    if place > 0:
        # It failed on top of changes that have not landed: its own fault only if it fails on the head.
        return {**set_task(build, event.task, state), "train": _to_the_end(build, place)}
    reason = "the change did not pass the checks on top of what landed meanwhile"
    changes = reject_task(build, event.task, state, "train", reason, event.verdict.findings)
    return {**changes, "train": _without_car(build, place)}


def change_landed(build: Build, event: e.ChangeLanded, at: datetime) -> Changes:
    """Make the first car the new head and finish its task."""
    place = _car(build, event.task)
    car = build.train[0]
    if place != 0 or not car.passed or car.commit != event.commit or car.onto != build.head:
        raise IllegalMove(f"task {event.task} cannot land: it is not the tested head of the train")
    state = replace(build.task(event.task), commit=event.commit)
    judged = build.options.gates and state.verdict is not None and state.verdict.whole
    landed: Changes = {"head": event.commit, "head_tree": event.tree, "head_judged": judged}
    finished = finish_task(build.evolve(landed), event.task, state, TaskPhase.DONE, at)
    return {**landed, **finished, "train": build.train[1:]}
