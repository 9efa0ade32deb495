"""A plan or options that the user changes while the build goes on. Pure; must never decide.

Of a plan every task keeps what it has reached; of options it is found which verdicts no longer count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from immutables import Map

from buildwright.core import event as e
from buildwright.core.build import Build, Car, Control, Stage, TaskPhase, TaskState, no_task
from buildwright.core.figures import count
from buildwright.core.graph import Graph, Plan, compile_plan
from buildwright.core.heap import heap_of
from buildwright.core.limits import Options
from buildwright.core.progress import Changes, going_on, stage_after_tasks
from buildwright.core.task import Task
from buildwright.errors import IllegalMove

_OVER = frozenset({TaskPhase.DONE, TaskPhase.SKIPPED})
FREE = frozenset({TaskPhase.WAITING, TaskPhase.READY, TaskPhase.PARKED, TaskPhase.FAILED})
"""Phases of a task that no agent works on and that has not landed: it may be edited or dropped."""
_PLACING = ("depends_on", "files_expected", "milestone")
"""Fields of a task that say when it may start."""


def plan_changed(build: Build, event: e.PlanChanged, at: datetime) -> Changes:
    """Take the changed plan. Raises IllegalMove for a task that is worked on or over, BadGraph for a circle of tasks.

    Goes through all tasks: users change a plan now and then. A failed task that is edited may be tried again.
    """
    old = build.plan
    if old is None:
        raise no_plan_yet()
    if event.spec and not (build.new_spec and event.spec == build.spec_changes):
        raise IllegalMove(f"the plan for change {event.spec} of the spec comes too late")
    revised: Changes = {}
    if event.spec:
        revised = {"spec": build.spec.model_copy(update={"text": build.new_spec}), "new_spec": "", "step": None}
        revised["plan_approved"] = False
    given = {task.id: task for task in event.tasks}
    for task_id in (*given, *event.dropped):
        _check_free(build, old, task_id, given.get(task_id))
    plan = compile_plan(changed_graph(old, event.tasks, event.dropped))
    _check_phases(build, plan, given)
    return change_plan(build, plan, given, event.dropped, at) | revised


def change_plan(build: Build, plan: Plan, given: Collection[str], dropped: Iterable[str], at: datetime) -> Changes:
    """Return the build's changes with this plan: `given` tasks are new or say something else, `dropped` ones are gone."""
    gone = set(dropped)
    states = {task: state for task, state in build.tasks.items() if task not in gone}
    for task_id in given:
        if states.get(task_id, TaskState(TaskPhase.WAITING)).phase is TaskPhase.FAILED:
            states[task_id] = _may_try_again(build, states[task_id], at)
    failed = tuple(task for task in build.failed if task not in gone and task not in given)
    changes: Changes = {
        "plan": plan,
        "proposal": None,
        "failed": failed,
        "failures_in_row": tuple(task for task in build.failures_in_row if task not in gone),
        "notes_to_agents": tuple(note for note in build.notes_to_agents if note.task not in gone),
        **placed(build, plan, states),
    }
    after = build.evolve(changes)
    if build.pause is not None and build.pause.reason == "approval":
        changes["pause"] = build.pause._replace(message=waits_for_approval(after))
    return changes | stage_with_work(after)


def waits_for_approval(build: Build) -> str:
    """Return, in words, what of the build's plan waits for the user's approval: what has not landed or been given up."""
    assert build.plan is not None
    left = changed_graph(build.plan, (), tasks_over(build))
    waves = max(compile_plan(left).depth) + 1 if left.tasks else 0
    return f"the plan waits for your approval: {count(len(left.tasks), 'task')} in {count(waves, 'wave')}"


def no_plan_yet() -> IllegalMove:
    """Return the error of a build that has no plan which could be changed."""
    return IllegalMove("there is no plan yet that could be changed", fix="wait until the build has planned")


def spec_changed(build: Build, event: e.SpecChanged, _at: datetime) -> Changes:
    """Keep the new text until the planner has answered; the text that the plan is made of takes an edit back."""
    if build.spec.graph is not None:
        raise IllegalMove("the build was made from a task list", fix="change its tasks instead")
    new = "" if event.text == build.spec.text else event.text
    changes: Changes = {"new_spec": new, "spec_changes": build.spec_changes + 1, "plan_error": ""}
    return changes if not new else {**changes, "deliveries": 0, "delivery_error": ""}


def free_tasks(build: Build) -> list[str]:
    """Return the tasks that no agent works on and that have not landed, in the order of the plan."""
    tasks = build.plan.graph.tasks if build.plan is not None else ()
    return [task.id for task in tasks if build.task(task.id).phase in FREE]


def at_work(build: Build) -> str:
    """Return, in words, why a task cannot be changed that is neither free nor over.

    In a pause running agents and checks go on, and what has not begun waits.
    """
    works = "an agent or a check works on it"
    return f"{works}, or it waits for the build to continue" if build.control is Control.PAUSED else works


def tasks_over(build: Build) -> list[str]:
    """Return the tasks that have landed or were given up, in the order of the plan."""
    tasks = build.plan.graph.tasks if build.plan is not None else ()
    return [task.id for task in tasks if build.task(task.id).phase in _OVER]


def changed_graph(plan: Plan, tasks: Iterable[Task], dropped: Iterable[str]) -> Graph:
    """Return the plan's graph with these tasks added or in place of those of the same id, and without the dropped."""
    given, gone = {task.id: task for task in tasks}, set(dropped)
    kept = [given.pop(task.id, task) for task in plan.graph.tasks if task.id not in gone]
    listed = tuple(_without_needs(task, gone) for task in (*kept, *given.values()))
    phases = dict.fromkeys((*plan.milestones, *(task.milestone for task in listed)))
    return plan.graph.model_copy(update={"tasks": listed, "milestones": tuple(phases)})


def _without_needs(task: Task, gone: set[str]) -> Task:
    if gone.isdisjoint((*task.depends_on, *task.tests_first)):
        return task
    left = {
        name: tuple(one for one in getattr(task, name) if one not in gone) for name in ("depends_on", "tests_first")
    }
    return task.model_copy(update=left)


def _without(holders: Map[str, str], gone: set[str]) -> Map[str, str]:
    for file, holder in list(holders.items()):
        if holder in gone:
            holders = holders.delete(file)
    return holders


def _check_free(build: Build, plan: Plan, task_id: str, new: Task | None) -> None:
    """Raise IllegalMove when the task cannot be changed into `new` (None: dropped), NotFound when it is not there."""
    state = build.task(task_id)
    if task_id not in plan.position:
        if new is None:
            raise no_task(build, task_id)
        return
    if state.phase in _OVER:
        raise IllegalMove(f"task {task_id} is {state.phase}: it cannot be changed any more", fix="add another task")
    if state.phase not in FREE:
        what, fix = at_work(build), "tell its agent with `say`, or wait until it is over"
        if build.control is Control.PAUSED:
            fix = "wait until that is over, or resume the build; or tell its agent with `say`"
        raise IllegalMove(f"task {task_id} is {state.phase}: {what}", fix=fix)
    if new is None or not state.attempt:
        return
    old = plan.task(task_id)
    if any(getattr(old, name) != getattr(new, name) for name in _PLACING):
        raise IllegalMove(
            f"task {task_id} has been tried already, so its dependencies, files and phase stay",
            fix="drop it and add another task",
        )


def _check_phases(build: Build, plan: Plan, given: Iterable[str]) -> None:
    """Raise IllegalMove for a task in a phase that is over."""
    for task_id in given:
        place = plan.milestone[plan.position[task_id]]
        if place < build.milestone and build.task(task_id).phase not in _OVER:
            name = plan.milestones[place] or f"phase {place + 1}"
            raise IllegalMove(f"{name} is over, so task {task_id} cannot be in it", fix="put it into a later phase")


def _may_try_again(build: Build, state: TaskState, at: datetime) -> TaskState:
    allowed = state.attempt + build.options.limits.attempts
    state = going_on(build, state, at)
    return state._replace(phase=TaskPhase.READY, allowed=allowed, refused=(), tried=0, loop="")


def placed(build: Build, plan: Plan, states: dict[str, TaskState]) -> Changes:
    """Place every task as `begin_tasks` does, by what each has reached, and open the first milestone that is not over.

    A task that was begun before keeps its history while it waits.
    """
    phases = {task: state.phase for task, state in states.items()}
    opened = [0] * len(plan.milestones)
    for index, task in enumerate(plan.graph.tasks):
        opened[plan.milestone[index]] += phases.get(task.id) not in _OVER
    last = len(opened) - 1
    current = next((place for place in range(last + 1) if opened[place]), last)
    ready: list[int] = []
    later: dict[int, list[int]] = {}
    unmet: dict[int, int] = {}
    for index, task in enumerate(plan.graph.tasks):
        left = sum(phases.get(need) not in _OVER for need in set(task.depends_on))
        if left != plan.needs[index]:
            unmet[index] = left
        state = states.get(task.id)
        if state is not None and state.phase not in FREE - {TaskPhase.FAILED}:
            continue
        fresh = state or TaskState(TaskPhase.WAITING, allowed=build.options.limits.attempts)
        if left == 0 and plan.milestone[index] <= current:
            states[task.id] = fresh._replace(phase=TaskPhase.READY, waits_for="")
            ready.append(plan.rank[index])
            continue
        if fresh.attempt:
            states[task.id] = fresh._replace(phase=TaskPhase.WAITING, waits_for="")
        else:
            states.pop(task.id, None)
        if left == 0:
            later.setdefault(plan.milestone[index], []).append(plan.rank[index])
    sizes = [plan.milestone.count(place) for place in range(len(opened))]
    early = {place: sizes[place] - opened[place] for place in range(current + 1, last + 1)}
    # What a task waits for may need the same file, so only one that could be at work keeps its files.
    resting = {task for task in build.holders.values() if task not in states or states[task].phase is TaskPhase.WAITING}
    return {
        "tasks": Map(states),
        "holders": _without(build.holders, resting),
        "ready": heap_of(ready),
        "later": Map({place: heap_of(ranks) for place, ranks in later.items()}),
        "parked": Map(),
        "unmet": Map(unmet),
        "milestone": current,
        "phase_began": build.phase_began if current == build.milestone else None,
        "milestone_sizes": tuple(sizes),
        "open_in_milestone": opened[current],
        "over_early": Map({place: count for place, count in early.items() if count}),
    }


def stage_with_work(build: Build) -> Changes:
    """Return the stage after the change: new work takes a build back from its end, and without any left it goes there."""
    if not build.all_tasks_done:
        return {"stage": Stage.WORKING, "verdict": None, "deliveries": 0, "delivery_error": ""}
    return {"stage": stage_after_tasks(build)} if build.stage is Stage.WORKING else {}


def options_changed(build: Build, event: e.OptionsChanged, _at: datetime) -> Changes:
    """Take the new options. What was judged by other checks, or under another set-up, is judged anew."""
    old, new = build.options, event.options
    changes: Changes = {"options": new, "deliveries": 0, "delivery_error": ""}
    if more := new.limits.attempts - old.limits.attempts:
        changes["tasks"] = build.tasks.update(
            {
                task: state._replace(allowed=max(state.allowed + more, 1))
                for task, state in build.tasks.items()
                if state.phase not in _OVER
            }
        )
    if old.model != new.model:
        tasks = changes.get("tasks", build.tasks)
        running = {task: tasks[task]._replace(model_attempt=0, models_down=()) for task in build.active}
        changes["tasks"] = tasks.update(running)
    if _judges_differently(build, old, new):
        changes |= judged_anew(build.evolve(changes))
    return changes


def judged_anew(build: Build) -> Changes:
    """Forget the verdicts on the base, on the head, and on what waits to land; those that are on their way come too late."""
    changes: Changes = {
        "base_verdict": None,
        "base_accepted": False,
        "head_judged": False,
        "judging_round": build.judging_round + 1,
        "train": tuple(Car(car.task, car.attempt, alone=car.alone) for car in build.train),
        "tasks": build.tasks.update({car.task: _unjudged(build.task(car.task)) for car in build.train}),
    }
    if build.stage in {Stage.VERIFYING, Stage.DELIVERING} and build.options.gates and build.options.lanes:
        changes |= {"stage": Stage.VERIFYING, "verdict": None}
    return changes


def _unjudged(state: TaskState) -> TaskState:
    return state._replace(verdict=None)


def _judges_differently(build: Build, old: Options, new: Options) -> bool:
    """Return whether the new options can change a verdict. Other limits do so only for a base that did not pass."""
    if (old.checks, old.setup) != (new.checks, new.setup):
        return True
    refused = build.base_verdict is not None and not build.base_verdict.ok
    before, now = old.limits, new.limits
    return refused and (before.gate_seconds, before.disk_gib) != (now.gate_seconds, now.disk_gib)
