"""How tasks move through a build: readiness, files, milestones, counters, checkpoints. Pure: the books of `apply`.

Each function returns new values of Build's fields. Except `begin_tasks`, which places each task once, none must ever
go through all tasks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

from immutables import Map

from buildwright.core import event as e
from buildwright.core.build import (
    NOT_STARTED,
    Approval,
    Build,
    Car,
    PhaseMark,
    PhaseSpan,
    Stage,
    TaskPhase,
    TaskState,
    can_be_reopened,
    usage_of,
)
from buildwright.core.event import Rejection
from buildwright.core.finding import Finding
from buildwright.core.graph import Plan
from buildwright.core.heap import heap_of, keys_of, merge, pop, push
from buildwright.core.paths import overlapping
from buildwright.errors import IllegalMove

Changes: TypeAlias = dict[str, Any]
"""New values of fields of Build."""


def begin_tasks(build: Build, plan: Plan) -> Changes:
    """Place every task of a new plan: tasks without dependencies are ready, or wait for their milestone."""
    ready: list[int] = []
    later: dict[int, list[int]] = {}
    for index, task in enumerate(plan.graph.tasks):
        if not task.depends_on:
            place = plan.milestone[index]
            (ready if place == 0 else later.setdefault(place, [])).append(plan.rank[index])
    sizes = [0] * len(plan.milestones)
    for place in plan.milestone:
        sizes[place] += 1
    first = next(place for place, size in enumerate(sizes) if size)
    if first:
        ready = later.pop(first, [])
    return {
        "tasks": _all_ready(build, plan, Map(), ready),
        "ready": heap_of(ready),
        "later": Map({place: heap_of(ranks) for place, ranks in later.items()}),
        "milestone": first,
        "milestone_sizes": tuple(sizes),
        "open_in_milestone": sizes[first],
    }


def _all_ready(build: Build, plan: Plan, tasks: Map[str, TaskState], ranks: list[int]) -> Map[str, TaskState]:
    fresh = TaskState(TaskPhase.READY, allowed=build.options.limits.attempts)
    known = {name: tasks.get(name) for name in map(plan.id_at, ranks)}
    return tasks.update({name: one._replace(phase=TaskPhase.READY) if one else fresh for name, one in known.items()})


def _waits(plan: Plan, tasks: Map[str, TaskState], index: int) -> bool:
    """Return whether a task waits for others, so that it can become ready: one that is redone has others behind it."""
    state = tasks.get(plan.graph.tasks[index].id)
    return state is None or state.phase is TaskPhase.WAITING


def _set_going(build: Build, plan: Plan, changes: Changes, ranks: list[int]) -> None:
    """Make the tasks of these ranks ready; those whose change had landed on another base join the train with it."""
    tasks: Map[str, TaskState] = changes["tasks"]
    old = [rank for rank in ranks if tasks.get(plan.id_at(rank), NOT_STARTED).again]
    new = [rank for rank in ranks if rank not in old] if old else ranks
    tasks, active, train = _all_ready(build, plan, tasks, new), changes["active"], build.train
    for task in sorted(map(plan.id_at, old), key=lambda one: tasks[one].landed):
        tasks = tasks.set(task, tasks[task]._replace(phase=TaskPhase.MERGING))
        active, train = active.set(task, None), (*train, Car(task, tasks[task].attempt))
    changes |= {"tasks": tasks, "active": active, "ready": merge(changes["ready"], heap_of(new))}
    if old:
        changes["train"] = train


def set_task(build: Build, task_id: str, state: TaskState) -> Changes:
    """Change only the task's own state."""
    return {"tasks": build.tasks.set(task_id, state)}


def end_task(build: Build, state: TaskState, at: datetime) -> TaskState:
    """Return a task that is over now."""
    return state._replace(finished_at=at, rested_until=build.clock.rested_at(at))


def going_on(build: Build, state: TaskState, at: datetime) -> TaskState:
    """Return a task that is not over any more, if it was: the time since then is not its own."""
    if state.finished_at is None:
        return state
    over = at - state.finished_at - (build.clock.rested_at(at) - state.rested_until)
    return state._replace(finished_at=None, over=state.over + over)


def start_task(build: Build, event: e.TaskStarted, at: datetime) -> Changes:
    """Give a ready task a slot and its files. An agent goes on with nothing that is another's, nor in its circles."""
    assert build.plan is not None
    task_id = event.task
    state, agent = build.task(task_id), event.agent or build.options.agent
    if state.agent not in {"", agent}:
        state = state._replace(conversation="", kept_base="", kept_tree="", refused=(), loop="")
    state = state._replace(
        phase=TaskPhase.WORKING,
        attempt=state.attempt + 1,
        agent=agent,
        base=event.base,
        patch=None,
        started_at=state.started_at or at,
        rested_before=state.rested_before if state.started_at else build.clock.rested_at(at),
        attempt_at=at,
        rested_before_attempt=build.clock.rested_at(at),
        diagnosis=state.later_diagnosis or state.diagnosis,
        later_diagnosis="",
        landed=0,
    )
    holders = build.holders
    for file in build.plan.task(task_id).files_expected:
        holders = holders.set(file, task_id)
    rank = build.plan.rank[build.plan.position[task_id]]
    ready = build.ready
    if ready is not None and ready.key == rank:
        _, ready = pop(ready)
    return {
        "tasks": build.tasks.set(task_id, state),
        "active": build.active.set(task_id, None),
        "holders": holders,
        "ready": ready,
        "working": build.working + 1,
    }


def park_task(build: Build, task_id: str, file: str) -> Changes:
    """Set a ready task aside until `file` is free."""
    assert build.plan is not None
    rank = build.plan.rank[build.plan.position[task_id]]
    ready = build.ready
    if ready is not None and ready.key == rank:
        _, ready = pop(ready)
    state = build.task(task_id)._replace(phase=TaskPhase.PARKED, waits_for=file)
    return {
        "tasks": build.tasks.set(task_id, state),
        "parked": build.parked.set(file, push(build.parked.get(file), rank)),
        "ready": ready,
    }


def reject_task(
    build: Build,
    task_id: str,
    state: TaskState,
    rejection: Rejection,
    reason: str,
    findings: tuple[Finding, ...] = (),
) -> Changes:
    """Reject an attempt. Its change, if any, is kept for the next attempt to go on from.

    It is one more failure in a row unless only the base has moved: a task that conflicts with a landing came late and
    did nothing wrong, and a wide plan has many of those without being stuck.
    """
    kept = state.patch is not None and not state.patch.is_empty
    late = rejection in {"conflict", "train"}
    state = state._replace(
        phase=TaskPhase.REJECTED,
        tried=state.tried + (not late),
        rejection=rejection,
        reason=reason,
        findings=findings,
        kept_base=state.base if kept else "",
        kept_tree=state.patch.tree if kept and state.patch else "",
    )
    changes: Changes = {"tasks": build.tasks.set(task_id, state)}
    if not late:
        changes["failures_in_row"] = (*build.failures_in_row, task_id)[-build.options.limits.stuck_after :]
    return changes


NOT_STUCK: Changes = {"failures_in_row": (), "stuck": False, "diagnosis": "", "asks_person": False, "proposal": None}
"""Counting starts anew: something landed, or a person has looked at it."""


def restart_task(build: Build, task_id: str, state: TaskState) -> Changes:
    """Make a rejected or failed task ready again. A task that was only rejected has kept its files.

    It waits when a task before it is redone, or is not there yet on another base.
    """
    plan = build.plan
    assert plan is not None
    index = plan.position[task_id]
    place, rank = plan.milestone[index], plan.rank[index]
    changes: Changes = {
        "active": build.active.delete(task_id) if task_id in build.active else build.active,
        "failed": tuple(task for task in build.failed if task != task_id),
    }
    phase = TaskPhase.WAITING
    if not build.unmet.get(index, plan.needs[index]):
        if place <= build.milestone:
            phase, changes["ready"] = TaskPhase.READY, push(build.ready, rank)
        else:
            changes["later"] = build.later.set(place, push(build.later.get(place), rank))
    changes["tasks"] = build.tasks.set(task_id, state._replace(phase=phase))
    if phase is TaskPhase.WAITING:  # what it waits for may need the same file
        changes |= release_files(build.evolve(changes), task_id, changes["tasks"][task_id])
    return changes


def finding_approved(build: Build, event: e.FindingApproved, at: datetime) -> Changes:
    """Keep the approval. Raises IllegalMove when the finding is approved already.

    Refused attempts are forgotten as after a user's retry: the same change may now be judged in another way.
    """
    state = build.task(event.task)
    if any(approval.finding == event.finding for approval in state.approvals):
        raise IllegalMove(f"finding {event.finding} is approved already", fix="see `buildwright gates`")
    approval = Approval(event.finding, event.code, event.reason, event.by, at)
    state = state._replace(approvals=(*state.approvals, approval), refused=())
    return set_task(build, event.task, state)


def judging_reopened(build: Build, event: e.JudgingReopened, at: datetime) -> Changes:
    """Put a refused change before the gates again. Raises IllegalMove while that is not to be done.

    A task that had failed takes its files again, like one that starts.
    """
    assert build.plan is not None
    state = build.task(event.task)
    if not can_be_reopened(state):
        raise IllegalMove(f"the change of task {event.task} was refused for something that has not been approved")
    holders = build.holders
    files = build.plan.task(event.task).files_expected
    if held := overlapping(files, holders, event.task):
        raise IllegalMove(
            f"task {held[1]} works on {held[0]}, which the change of task {event.task} needs",
            fix=f"approve it once {held[1]} is done",
        )
    for file in files:
        holders = holders.set(file, event.task)
    state = going_on(build, state, at)._replace(
        phase=TaskPhase.JUDGING,
        rejection=None,
        reason="",
        findings=(),
        refused=(),
        loop="",
        waits_for="",
    )
    return {
        "tasks": build.tasks.set(event.task, state),
        "active": build.active.set(event.task, None),
        "holders": holders,
        "failed": tuple(task for task in build.failed if task != event.task),
    }


def release_files(build: Build, task_id: str, state: TaskState) -> Changes:
    """Free the task's files; the first task waiting for each is ready again (or waits for another file).

    Tasks that waited for a path without naming it themselves (they name a folder around it, or a file in it) are all
    ready again: the task that takes it next would not free it for them.
    """
    plan = build.plan
    assert plan is not None
    files = plan.task(task_id).files_expected
    if not files:
        return {}
    tasks = build.tasks.set(task_id, state)
    holders, parked, ready = build.holders, build.parked, build.ready
    for file in files:
        if holders.get(file) == task_id:
            holders = holders.delete(file)
        waiting = parked.get(file)
        names_it = False
        while waiting is not None and not names_it:
            rank, waiting = pop(waiting)
            waiter = plan.id_at(rank)
            names_it = file in plan.task(waiter).files_expected
            tasks = tasks.set(waiter, tasks[waiter]._replace(phase=TaskPhase.READY, waits_for=""))
            ready = push(ready, rank)
        if file in parked:
            parked = parked.set(file, waiting) if waiting is not None else parked.delete(file)
    return {"tasks": tasks, "holders": holders, "parked": parked, "ready": ready}


_NOTHING_WRONG: Changes = {
    "reason": "",
    "findings": (),
    "kept_base": "",
    "kept_tree": "",
    "refused": (),
    "tried": 0,
    "loop": "",
    "again": "",
}
"""What a task that is over says of its attempts."""


def finish_task(build: Build, task_id: str, state: TaskState, phase: TaskPhase, at: datetime) -> Changes:
    """Mark a task done or given up (`phase`): free its files, its dependents and perhaps the next milestone."""
    plan = build.plan
    assert plan is not None
    state = end_task(build, going_on(build, state, at)._replace(phase=phase, **_NOTHING_WRONG), at)
    changes = {"tasks": build.tasks.set(task_id, state), "ready": build.ready, **release_files(build, task_id, state)}
    tasks: Map[str, TaskState] = changes["tasks"]
    unmet, later = build.unmet, build.later
    fresh: list[int] = []
    index = plan.position[task_id]
    for dependent in plan.dependents[index]:
        left = unmet.get(dependent, plan.needs[dependent]) - 1
        unmet = unmet.set(dependent, left)
        if left or not _waits(plan, tasks, dependent):
            continue
        if plan.milestone[dependent] <= build.milestone:
            fresh.append(plan.rank[dependent])
        else:
            place = plan.milestone[dependent]
            later = later.set(place, push(later.get(place), plan.rank[dependent]))
    milestone, still_open, early = build.milestone, build.open_in_milestone, build.over_early
    if (place := plan.milestone[index]) == milestone:
        still_open -= 1
    elif place > milestone:
        early = early.set(place, early.get(place, 0) + 1)
    while still_open == 0 and milestone + 1 < len(build.milestone_sizes):
        milestone += 1
        still_open = build.milestone_sizes[milestone] - early.get(milestone, 0)
        early = early.delete(milestone) if milestone in early else early
        fresh.extend(keys_of(later.get(milestone)))
        later = later.delete(milestone) if milestone in later else later
    done = build.done + (phase is TaskPhase.DONE)
    skipped = build.skipped + (phase is TaskPhase.SKIPPED)
    changes |= {
        "unmet": unmet,
        "later": later,
        "milestone": milestone,
        "open_in_milestone": still_open,
        "over_early": early,
        "active": build.active.delete(task_id) if task_id in build.active else build.active,
        "done": done,
        "skipped": skipped,
        **(NOT_STUCK if phase is TaskPhase.DONE else {}),
    }
    if fresh:
        _set_going(build, plan, changes, fresh)
    is_last = done + skipped == len(plan.graph.tasks)
    if is_last or milestone != build.milestone:
        changes["phase_began"] = None
    if is_last:
        changes["stage"] = stage_after_tasks(build)
    ended = [place for place in range(build.milestone, milestone + is_last) if build.milestone_sizes[place]]
    return changes | (_to_audit(build, ended[0]) if ended else {})


def _to_audit(build: Build, phase: int) -> Changes:
    """Return what marks a phase that ended as one to audit; nothing when it changed nothing or no audit is wanted."""
    base = build.phase_base or build.base
    if not build.options.is_audited or build.head == base:
        return {}
    return {"unaudited": (*build.unaudited, PhaseSpan(phase, base, build.head)), "phase_base": build.head}


def phase_audited(build: Build, event: e.PhaseAudited, _at: datetime) -> Changes:
    """Take the phase off those to audit. Raises IllegalMove when it is audited already."""
    span = PhaseSpan(event.phase, event.base, event.head)
    if span not in build.unaudited:
        raise IllegalMove(f"the phase {build.phase_name(event.phase)} is not to be audited")
    changes: Changes = {"unaudited": tuple(one for one in build.unaudited if one != span)}
    refused = next((report for report in event.verdict.reports if not report.ok), None)
    if refused is not None:
        first = refused.findings[0]
        fix = f" Fix: {first.fix}" if first.fix else ""
        said = f"the audit of {build.phase_name(event.phase)} says no ({refused.gate}): {str(first)[:600]}{fix[:300]}"
        changes["audit_refusals"] = (*build.audit_refusals, said)
    if event.mark:
        changes["unmarked"] = (*build.unmarked, PhaseMark(event.phase, event.head, event.mark))
    return changes


def phase_marked(build: Build, event: e.PhaseMarked, _at: datetime) -> Changes:
    """Make the mark the new head; its tree is that of the head before. Raises IllegalMove when it was not to come."""
    mark = PhaseMark(event.phase, event.onto, event.commit)
    if mark not in build.unmarked or mark.onto != build.head:
        raise IllegalMove(f"the phase {build.phase_name(event.phase)} is not to be marked as complete")
    left = tuple(one for one in build.unmarked if one != mark)
    return {"unmarked": left, "head": mark.commit, "phase_base": mark.commit}


def stage_after_tasks(build: Build) -> Stage:
    """Return the next stage: the final tree is judged once more unless exactly that tree was judged already."""
    judged = build.head_judged or not build.options.gates or not build.options.lanes
    return Stage.DELIVERING if judged else Stage.VERIFYING


# --- State of a running attempt for a restart, and its costs -------------------------------------------------------


def tokens_used(build: Build, event: e.TokensUsed, _at: datetime) -> Changes:
    """Add up tokens and money. Raises IllegalMove for a kept answer that is counted already."""
    used = usage_of(event)
    changes: Changes = {"usage": build.usage.plus(used)}
    if event.task and build.plan and event.task in build.plan.position:
        state = build.task(event.task)
        counted = _counted(state.counted, event.request)
        tokens, cost = state.tokens + used.tokens, state.cost_usd + used.cost_usd
        state = state._replace(tokens=tokens, cost_usd=cost, counted=counted)
        changes["tasks"] = build.tasks.set(event.task, state)
    else:
        changes["planning_counted"] = _counted(build.planning_counted, event.request)
    return changes


def _counted(names: tuple[str, ...], request: str) -> tuple[str, ...]:
    """Return the names with this one. A replayed answer counts once, whichever worker reports it."""
    if request and request in names:
        raise IllegalMove(f"the answer {request} is counted already")
    return (*names, request) if request else names


def checkpoint_created(build: Build, event: e.CheckpointCreated, _at: datetime) -> Changes:
    """Make this the checkpoint to go on from; it includes all messages that the user sent before it."""
    state = build.task(event.task)
    return set_task(
        build,
        event.task,
        state._replace(checkpoint_tree=event.tree, checkpoint_conversation=event.conversation, heard=()),
    )


def checkpoint_restored(build: Build, event: e.CheckpointRestored, _at: datetime) -> Changes:
    """Change nothing. Raises IllegalMove for any checkpoint but the attempt's newest."""
    if event.tree != build.task(event.task).checkpoint_tree:
        raise IllegalMove(f"{event.tree} is not the newest checkpoint of task {event.task}, attempt {event.attempt}")
    return {}


def end_attempt(state: TaskState, **changes: Any) -> TaskState:
    """Return the state with these changes, without what was kept to go on with the attempt."""
    return state._replace(checkpoint_tree="", checkpoint_conversation="", heard=(), carry_from=0, **changes)
