"""What landed and goes through the train again: taken back, redone, or put on another base. Pure; must never decide.

Each function places every task anew, because tasks that are over open again: users ask for this now and then.
"""

from __future__ import annotations

from datetime import datetime

from immutables import Map

from buildwright.core import event as e
from buildwright.core.build import Build, Car, Control, Stage, TaskPhase, TaskState, is_undone
from buildwright.core.graph import Plan
from buildwright.core.merge import moved_head
from buildwright.core.progress import NOT_STUCK, Changes, finish_task, going_on, stage_after_tasks
from buildwright.core.replan import placed, stage_with_work
from buildwright.errors import IllegalMove

_NOT_DELIVERED: Changes = {
    "verdict": None,
    "delivered": "",
    "delivered_commit": "",
    "deliveries": 0,
    "delivery_error": "",
}


def undo_requested(build: Build, event: e.UndoRequested, at: datetime) -> Changes:
    """Let the landed change of a task be taken back, through the train; what landed nothing is redone at once.

    Raises IllegalMove for a change that later ones rest on: they are taken back before it.
    """
    plan, state = build.plan, build.task(event.task)
    assert plan is not None
    rest = [one for one in plan.needing(event.task) if rests_on_others(build.task(one))]
    if rest:
        raise IllegalMove(
            f"{', '.join(rest)} need{'s' if len(rest) == 1 else ''} task {event.task}",
            fix="take their changes back too: --with-dependents",
        )
    if event.from_attempt not in range(state.attempt + 1):
        raise IllegalMove(
            f"task {event.task} has had {state.attempt} attempts, and none is number {event.from_attempt}"
        )
    if event.redo:
        state = _redone(build, state, event)
    again = state.commit and state.phase is TaskPhase.DONE
    if not again and not event.redo:
        raise IllegalMove(
            f"task {event.task} has landed no change that could be taken back", fix="see `buildwright why`"
        )
    phase = TaskPhase.MERGING if again else TaskPhase.WAITING
    state = going_on(build, state, at)._replace(phase=phase, again=("redo" if event.redo else "undo") if again else "")
    was_done = build.task(event.task).phase is TaskPhase.DONE
    changes: Changes = {"done": build.done - was_done, "skipped": build.skipped - (not was_done)}
    if again:
        changes["active"] = build.active.set(event.task, None)
        changes["train"] = (*build.train, Car(event.task, state.attempt))
    changes |= placed(build.evolve(changes), plan, {**build.tasks, event.task: state})
    return changes | stage_with_work(build.evolve(changes))


def rests_on_others(state: TaskState) -> bool:
    """Return whether a task's change lies on those it needs, and is not on its way to be taken back."""
    at_work = {TaskPhase.WORKING, TaskPhase.JUDGING, TaskPhase.MERGING, TaskPhase.REJECTED}
    return state.phase is TaskPhase.DONE or (state.phase in at_work and not is_undone(state))


def _redone(build: Build, state: TaskState, event: e.UndoRequested) -> TaskState:
    return state._replace(
        allowed=state.attempt + build.options.limits.attempts,
        guidance=(*state.guidance, event.message) if event.message else state.guidance,
        carry_from=event.from_attempt,
        conversation=state.conversation if event.from_attempt == state.attempt else "",
        rejection="undone",
        reason="",
        findings=(),
        refused=(),
        tried=0,
        loop="",
    )


def change_undone(build: Build, event: e.ChangeUndone, at: datetime) -> Changes:
    """Make the commit that takes a change back the new head. Its task is skipped, or begins anew."""
    state, plan = build.task(event.task), build.plan
    assert plan is not None
    changes: Changes = {**moved_head(build, event), "undone": (*build.undone, state.commit, event.commit)}
    again, state = state.again, state._replace(commit="")
    now = build.evolve(changes)
    if again == "undo":
        finished = finish_task(now, event.task, state, TaskPhase.SKIPPED, at)
        return {**changes, **finished}
    changes["active"] = build.active.delete(event.task)
    state = state._replace(phase=TaskPhase.WAITING, again="", landed=0)
    return changes | placed(now, plan, {**build.tasks, event.task: state})


def base_changed(build: Build, event: e.BaseChanged, at: datetime) -> Changes:
    """Stand on the new base: it is judged, and what had landed joins the train again, in the order of its landing."""
    if event.number != build.rebases + 1:
        raise IllegalMove("the base was changed meanwhile", fix="look at it, and say it again")
    changes: Changes = {
        "base_ref": event.base,
        "base": event.commit,
        "base_tree": event.tree,
        "branch": event.branch,
        "notes": event.notes,
        "head": event.commit,
        "head_tree": event.tree,
        "head_judged": False,
        "base_verdict": None,
        "base_accepted": False,
        "judging_round": build.judging_round + 1,
        "rebases": event.number,
        "phase_base": "",
        "unaudited": (),
        "unmarked": (),
        "audit_refusals": (),
        "undone": (),
        **_NOT_DELIVERED,
    }
    if build.plan is None:
        return changes
    changes |= _replayed(build.evolve(changes), build.plan, at)
    return changes | stage_with_work(build.evolve(changes))


def _replayed(build: Build, plan: Plan, at: datetime) -> Changes:
    """Put all that had landed into the train, ahead of what waits there. What was to be taken back is not there now."""
    states = dict(build.tasks)
    aboard: list[str] = []
    for task, state in build.tasks.items():
        if is_undone(state):
            phase = TaskPhase.SKIPPED if state.again == "undo" else TaskPhase.WAITING
            landed = state.landed if state.again == "undo" else 0
            states[task] = state._replace(phase=phase, again="", commit="", landed=landed)
        elif state.again or state.commit:
            aboard.append(task)
            states[task] = going_on(build, state, at)._replace(phase=TaskPhase.MERGING, again="replay", commit="")
    aboard.sort(key=lambda task: states[task].landed)
    waiting = [Car(car.task, car.attempt) for car in build.train if not build.task(car.task).again]
    phases = [state.phase for state in states.values()]
    changes: Changes = {
        "train": (*(Car(task, states[task].attempt) for task in aboard), *waiting),
        "active": Map(dict.fromkeys([*(one for one in build.active if not build.task(one).again), *aboard])),
        "done": phases.count(TaskPhase.DONE),
        "skipped": phases.count(TaskPhase.SKIPPED),
    }
    return changes | placed(build.evolve(changes), plan, states)


def build_reopened(build: Build, _event: e.BuildReopened, at: datetime) -> Changes:
    """Go on where the build ended: what was at work is begun anew, as after a crash."""
    changes: Changes = {
        "control": Control.RUNNING,
        "options": build.options.model_copy(update={"delivery": build.lasting_delivery}),
        "usual_delivery": None,
        "outcome": None,
        "message": "",
        "finished_at": None,
        "stop_how": "",
        "audit_refusals": (),
        "undo_refused": "",
        "plan_error": "",
        "phase_began": build.phase_began and at,
        **_NOT_DELIVERED,
        **NOT_STUCK,
    }
    if "target.prepared" not in build.moments:
        stage = Stage.CREATED
    elif build.plan is None:
        stage = Stage.PLANNING
    else:
        stage = stage_after_tasks(build) if build.all_tasks_done else Stage.WORKING
    return {**changes, "stage": stage}
