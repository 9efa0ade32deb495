"""Newer contracts in a build that has begun: the plan that follows from them. Pure; must never find what is stale.

No work is thrown away: a task that has landed, or that an agent works on, stays as it is, and another task after it
brings it up to date. A task that has not begun takes the words of the new contracts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from difflib import SequenceMatcher
from itertools import count
from typing import Final

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase
from buildwright.core.fork import WORK
from buildwright.core.graph import Graph, Plan, compile_plan
from buildwright.core.progress import Changes
from buildwright.core.replan import FREE, change_plan, no_plan_yet
from buildwright.core.task import Task
from buildwright.errors import IllegalMove

_ALIKE: Final = 0.5
"""How alike two lines must be, from 0 to 1, for one to be the other in new words."""


def contracts_changed(build: Build, event: e.ContractsChanged, at: datetime) -> Changes:
    """Take the contracts and their plan. Raises IllegalMove for a task that is begun and gone, or says something else."""
    if build.plan is None:
        raise no_plan_yet()
    plan = compile_plan(event.graph)
    old = {task.id: task for task in build.plan.graph.tasks}
    gone = tuple(name for name in old if name not in plan.position)
    given = tuple(name for name in plan.position if name not in old or _says_other(old[name], plan.task(name)))
    for name in (*gone, *given):
        if name in old and not _may_change(build, name):
            raise IllegalMove(
                f"task {name} is {build.task(name).phase}: it was begun meanwhile", fix="take the contracts again"
            )
    return {"spec": event.spec, **change_plan(build, plan, given, gone, at)}


def _may_change(build: Build, task: str) -> bool:
    """Return whether a task takes other words: nothing of it has begun, or it has failed."""
    state = build.task(task)
    return state.phase is TaskPhase.FAILED or (state.phase in FREE and not state.attempt)


def plan_of_contracts(build: Build, before: Graph, now: Graph, stale: Mapping[str, tuple[str, ...]]) -> Graph:
    """Return the build's plan once the contracts say `now` what they said `before`; `stale` says why, by task.

    What the user has changed in the plan stays, unless the contracts say something else of it now. Raises IllegalMove
    before there is a plan.
    """
    if build.plan is None:
        raise no_plan_yet()
    phases = _phases(build.plan, before, now)
    reworded = _reworded(before, now)
    old, new = ({task.id: task for task in graph.tasks} for graph in (before, now))
    listed: dict[str, Task] = {}
    behind: dict[str, str] = {}
    for mine in build.plan.graph.tasks:
        wanted = new.get(reworded.get(mine.id, mine.id))
        if _may_change(build, mine.id):
            if mine.id in old and mine.id not in new:
                continue
            is_new = wanted is not None and (mine == old.get(mine.id) or _says_other(old.get(mine.id), wanted))
            listed[mine.id] = wanted if is_new and wanted is not None else _in_phase(mine, phases)
            continue
        listed[mine.id] = kept = _in_phase(mine, phases)
        if mine.id in stale and build.task(mine.id).phase is not TaskPhase.SKIPPED:
            taken = {*build.plan.position, *behind.values(), *(name for name in new if name not in reworded.values())}
            again = _again(kept, wanted, stale[mine.id], taken, behind)
            behind[mine.id] = again.id
            listed[again.id] = again
    for task in now.tasks:
        if task.id not in {*build.plan.position, *listed} and _says_other(old.get(task.id), task):
            listed[task.id] = task
    tasks = tuple(_placed(build, task, listed, behind) for task in _ordered(listed, now))
    milestones = dict.fromkeys((*now.milestones, *(task.milestone for task in tasks)))
    return build.plan.graph.model_copy(update={"tasks": tasks, "milestones": tuple(milestones)})


def _reworded(before: Graph, now: Graph) -> dict[str, str]:
    """Return the tasks whose line reads otherwise now, by the id of the old line: a new one stands in its place."""
    found: dict[str, str] = {}
    for old_phase, new_phase in zip(before.milestones, now.milestones, strict=False):
        old = [task for task in before.tasks if task.milestone == old_phase]
        new = [task for task in now.tasks if task.milestone == new_phase]
        ids = [task.id for task in old], [task.id for task in new]
        for what, first, last, start, end in SequenceMatcher(None, *ids, autojunk=False).get_opcodes():
            if what == "replace":
                pairs = zip(old[first:last], new[start:end], strict=False)
                found |= {one.id: other.id for one, other in pairs if _is_alike(one.title, other.title)}
    return found


def _is_alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one.casefold(), other.casefold(), autojunk=False).ratio() >= _ALIKE


def _says_other(old: Task | None, new: Task) -> bool:
    return old is None or any(getattr(old, name) != getattr(new, name) for name in WORK)


def _phases(plan: Plan, before: Graph, now: Graph) -> dict[str, str]:
    """Return the name that each phase of the plan has now: that of the same number, or of the last one."""
    names = dict(zip(before.milestones, now.milestones, strict=False))
    there = {*before.milestones, *now.milestones}
    return {name: names.get(name, now.milestones[-1]) if name in there else name for name in plan.milestones}


def _in_phase(task: Task, phases: Mapping[str, str]) -> Task:
    name = phases.get(task.milestone, task.milestone)
    return task if name == task.milestone else task.model_copy(update={"milestone": name})


def _again(
    kept: Task, wanted: Task | None, reasons: tuple[str, ...], taken: set[str], behind: Mapping[str, str]
) -> Task:
    """Return the task that brings a begun one up to date; `wanted` is None when nothing asks for it any more."""
    fresh = wanted is not None and wanted.id not in {kept.id, *taken}
    numbered = (one for number in count(2) if (one := f"{kept.id[:76]}-{number}") not in taken)
    name = wanted.id if wanted is not None and fresh else next(numbered)
    differs = "\n".join(f"- {reason}" for reason in reasons)
    if wanted is None:
        title, what = (
            f"Take out: {kept.title}",
            "The contracts do not ask for this any more: take out what only it needs.",
        )
    else:
        title, what = f"Bring up to date: {wanted.title}", f"Bring it up to date with this: {wanted.goal}"
    said = f"Task {kept.id} was built from older contracts. {what}\n\nWhat differs:\n{differs}"
    source = wanted or kept
    return source.model_copy(
        update={
            "id": name,
            "title": title[:200],
            "goal": said,
            "acceptance": () if wanted is None else source.acceptance,
            "validation": None if wanted is None else source.validation,
            "tests_first": (),
            "depends_on": (kept.id, *(behind[one] for one in kept.depends_on if one in behind)),
            "files_expected": tuple(dict.fromkeys((*source.files_expected, *kept.files_expected))),
            "milestone": kept.milestone,
        }
    )


def _ordered(listed: Mapping[str, Task], now: Graph) -> list[Task]:
    """Return the tasks in the order of the contracts; each other one stays behind the one that it follows."""
    place = {task.id: number for number, task in enumerate(now.tasks)}
    found: list[tuple[int, int, Task]] = []
    last = -1
    for number, (name, task) in enumerate(listed.items()):
        last = place.get(name, last)
        found.append((last, number, task))
    return [task for _, _, task in sorted(found, key=lambda one: one[:2])]


def _placed(build: Build, task: Task, listed: Mapping[str, Task], behind: Mapping[str, str]) -> Task:
    """Return the task without needs that are gone; one that has not begun also waits for what is brought up to date."""
    needs = [one for one in task.depends_on if one in listed]
    if task.id not in behind.values() and _may_change(build, task.id):
        needs += [behind[one] for one in needs if one in behind]
    changed = {
        "depends_on": tuple(dict.fromkeys(needs)),
        "tests_first": tuple(one for one in task.tests_first if one in listed),
    }
    return task.model_copy(update=changed)
