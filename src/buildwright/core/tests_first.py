"""Tests that come before their code: which of them must fail still in a tree, and which are due. Pure; must never run one.

A task with `tests_first` adds tests of code that later tasks write. Until all of those are in a tree its tests fail
there, and are left out of what judges other changes; with the last of them they must pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from buildwright.core.build import Build, TaskPhase


class EarlyTests(NamedTuple):
    """The files that a task with `tests_first` added to a tree, and the tasks of their code that the tree lacks."""

    task: str
    until: tuple[str, ...]
    paths: tuple[str, ...]


def red_tests(build: Build, task: str, tree: str) -> tuple[EarlyTests, ...]:
    """Return the early tests in a tree of a task's change (task "": the final tree) whose code is not all there."""
    return tuple(one for one in _early(build, task, tree) if one.until)


def due_tests(build: Build, task: str, tree: str) -> tuple[EarlyTests, ...]:
    """Return the early tests of other tasks whose code is complete with this task's change."""
    plan = build.plan
    if plan is None or not task:
        return ()
    return tuple(one for one in _early(build, task, tree) if not one.until and task in plan.task(one.task).tests_first)


def _early(build: Build, task: str, tree: str) -> Iterator[EarlyTests]:
    plan = build.plan
    if plan is None or not any(one.tests_first for one in plan.graph.tasks):
        return
    ahead = {car.task: place for place, car in enumerate(build.train)}
    car = next((car for car in build.train if car.task == task and car.tree == tree), None)

    def is_in(other: str) -> bool:
        """Return whether the tree has the other task's change. A lane has what had landed when it was opened."""
        if other == task:
            return True
        state = build.task(other)
        if state.phase is not TaskPhase.DONE:
            return car is not None and other in ahead and ahead[other] < ahead[task]
        if not task or car is not None:
            return True
        opened = build.task(task).attempt_at
        return opened is not None and state.finished_at is not None and state.finished_at <= opened

    for one in plan.graph.tasks:
        patch = build.task(one.id).patch
        if one.tests_first and patch is not None and is_in(one.id):
            added = tuple(change.path for change in patch.changes if change.kind == "added")
            yield EarlyTests(one.id, tuple(other for other in one.tests_first if not is_in(other)), added)
