"""The choice of what happens next: one pure function of a build. Must never look at a clock or change anything.

`decide` answers twice: with facts that are the machine's own to state (a task starts, a build pauses) and with the
effects that should be in flight. The engine records the facts, asks again, and makes what is in flight what is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from buildwright.core import event as e
from buildwright.core.action import (
    Action,
    AuditPhase,
    Deliver,
    Diagnose,
    JudgeBase,
    JudgePatch,
    MakePlan,
    MarkPhase,
    PrepareTarget,
    RevisePlan,
    RunAgent,
    SealTests,
    VerifyBuild,
)
from buildwright.core.attempts_over import why_no_more
from buildwright.core.build import Build, Control, Stage, TaskPhase, budget_mark, can_be_reopened
from buildwright.core.delivery_again import delivered_again, ended_as_before, is_given_up
from buildwright.core.event import AnyEvent, StepMode
from buildwright.core.fault import Fault
from buildwright.core.figures import count, money
from buildwright.core.heap import pop
from buildwright.core.judged_base import base_fault, base_refusal
from buildwright.core.merge import train_actions
from buildwright.core.paths import overlapping
from buildwright.core.repetition import same_change, same_findings
from buildwright.core.replan import waits_for_approval
from buildwright.core.routing import models_chosen
from buildwright.core.timed_out import time_limit_of


@dataclass(frozen=True, slots=True)
class Decision:
    """Facts to record now, in order, and the effects that should be in flight after them.

    With `start` False, effects in flight go on but none begins (a paused build, or one driven by hand between steps).
    """

    facts: tuple[AnyEvent, ...] = ()
    actions: tuple[Action, ...] = ()
    start: bool = True


def decide(build: Build) -> Decision:
    """Return what to record and what to have in flight. Costs O(active tasks + new starts), not O(tasks)."""
    match build.control:
        case Control.FINISHED | Control.STOPPED:
            return Decision()
        case Control.STOPPING if build.past_end is not None:
            return Decision(facts=(ended_as_before(build.past_end),))
        case Control.STOPPING:
            outcome: e.Outcome = "aborted" if build.stop_how == "abort" else "stopped"
            return Decision(facts=(e.BuildFinished(outcome=outcome, message=build.message),))
        case Control.PAUSED:
            # What was asked before the pause is paid in it.
            told = _budget_told(build)
            return Decision(facts=told) if told else Decision(actions=_wanted(build), start=False)
        case Control.RUNNING if build.past_end is not None:
            return Decision(*delivered_again(build, build.past_end))
        case Control.RUNNING:
            if facts := _budget_told(build) or _follows(build):
                return Decision(facts=facts)
            if build.options.by_hand:
                return _by_hand(build)
            facts = _begins(build)
            return Decision(facts=facts, actions=() if facts else _wanted(build))


class TimedFact(NamedTuple):
    """A fact that time alone causes: `seconds` after `since`, unless the build has moved on by then."""

    since: datetime
    seconds: float
    fact: AnyEvent


def timed_fact(build: Build) -> TimedFact | None:
    """Return what happens if nothing else does: a pause, or the phase of a build that runs, lasts too long."""
    limits, pause = build.options.limits, build.pause
    if build.control is Control.PAUSED and pause is not None:
        if pause.until is not None:
            seconds = max((pause.until - pause.since).total_seconds(), 0.0)
            return TimedFact(pause.since, seconds, e.BuildResumed(by="clock"))
        message = f"paused for longer than {limits.pause_seconds / 60:g} minutes"
        return TimedFact(pause.since, limits.pause_seconds, e.StopRequested(how="abort", message=message))
    timed = build.control is Control.RUNNING and not build.options.by_hand
    if not timed or limits.phase_seconds is None or build.phase_began is None:
        return None
    name, left = build.phase_name(build.milestone), build.open_in_milestone
    message = (
        f"{name} takes longer than its limit of {limits.phase_seconds:g} s; {left} of its tasks"
        f" {'is' if left == 1 else 'are'} not done. Fix: give it more time with"
        f" `buildwright resume {build.id} --phase-time {2 * limits.phase_seconds:g}`;"
        " without the option it gets the same time again"
    )
    return TimedFact(
        build.phase_began, limits.phase_seconds, e.BuildPaused(reason="phase", message=message, fault="limits")
    )


# --- Driven by hand ------------------------------------------------------------------------------------------------


_BEGINS: Mapping[Stage, StepMode] = {
    Stage.CREATED: "plan_only",
    Stage.PLANNING: "plan_only",
    Stage.WORKING: "implement_only",
    Stage.DELIVERING: "verify_only",
}
"""The mode of what begins in a stage without an effect, or before one: a task starts before its agent runs."""


def allowed_modes(build: Build) -> frozenset[StepMode]:
    """Return the modes in which a step can be asked of a build now: none while it makes one, rests or ends."""
    if not build.waits_for_step:
        return frozenset()
    modes = {mode for mode, _ in _steps(build)}
    return frozenset({*modes, "auto"} if modes else ())


def _by_hand(build: Build) -> Decision:
    """Return the one thing that the requested step may do; without a step, what is in flight goes on, as in a pause.

    Only the end of an action changes the choice, so it stays the same until the step is over.
    """
    if build.step is not None:
        for mode, decision in _steps(build):
            if build.step.mode in {"auto", mode}:
                return decision
    return Decision(actions=_wanted(build), start=False)


def _steps(build: Build) -> list[tuple[StepMode, Decision]]:
    """Return what a step could do now, the preferred one first: a working task is finished before another starts."""
    facts = _begins(build)
    begins = [(_BEGINS[build.stage], Decision(facts=facts))] if facts else []
    if begins and build.stage is not Stage.WORKING:
        return begins  # known without an effect
    steps = [(action.mode, Decision(actions=(action,))) for action in _wanted(build)]
    if build.stage is Stage.PLANNING:  # judging the base is the first half of planning
        steps += [("plan_only", step) for mode, step in steps if mode != "plan_only"]
    return [*steps, *begins]


# --- Facts ---------------------------------------------------------------------------------------------------------


def _follows(build: Build) -> tuple[AnyEvent, ...]:
    """Return the facts that follow from what has happened: also of a build driven by hand, between its steps."""
    match build.stage:
        case Stage.PLANNING:
            if trouble := _base_trouble(build) or _fails(build):
                return trouble
            return (e.BuildPaused(reason="plan", message=build.plan_error),) if build.plan_error else ()
        case Stage.WORKING | Stage.VERIFYING | Stage.DELIVERING if build.new_spec:
            # What failed, or is done, may be something else in the plan for the new spec.
            if build.plan_error:
                return (e.BuildPaused(reason="plan", message=build.plan_error),)
            return _over_budget(build) or _reopened(build) or _rejected_facts(build)
        case Stage.WORKING if build.options.approve_plan and not build.plan_approved:
            return _base_trouble(build) or (e.BuildPaused(reason="approval", message=waits_for_approval(build)),)
        case Stage.WORKING:
            facts = (
                models_chosen(build, _by_rank(build))
                or _reopened(build)
                or _undo_refused(build)
                or _trouble(build)
                or _loops(build)
            )
            if facts or build.needs_diagnosis:
                # The cause of failures in several tasks is likely to hit the next task too, so none starts before the
                # cause was looked for. Nor is one retried or given up: a user asked afterwards knows the diagnosis.
                return facts
            return _rejected_facts(build) or _asks_person(build) or _fails(build)
        case Stage.DELIVERING:
            return _delivering_facts(build)
        case _:
            return ()


def _begins(build: Build) -> tuple[AnyEvent, ...]:
    """Return the facts that begin something, or that replace an effect: the next step of a build driven by hand."""
    match build.stage:
        case Stage.CREATED if not build.options.lanes:
            return (e.TargetPrepared(commit="", tree=""),)
        case Stage.PLANNING if graph := (build.fork and build.fork.graph) or build.spec.graph:
            return (e.PlanMade(graph=graph),)
        case Stage.WORKING | Stage.DELIVERING if build.new_spec:
            return ()
        case Stage.WORKING if not build.needs_diagnosis and not _base_actions(build) and not _why_it_fails(build):
            # What had landed comes first: nothing begins on a head that lacks it, or that is about to lose it. Nor does
            # a phase begin before the one before it has passed its audit, where phases are marked.
            waits = build.waits_for_mark or any(build.task(car.task).again for car in build.train)
            return () if waits else _starts(build)
        case Stage.DELIVERING if not (build.unaudited or build.unmarked) and (
            not build.options.lanes or build.options.delivery.kind == "none" or build.head == build.base
        ):
            return (e.BuildDelivered(kind="none", commit=build.head), e.BuildFinished(outcome="succeeded"))
        case _:
            return ()


def _base_trouble(build: Build) -> tuple[AnyEvent, ...]:
    """Pause before anything is paid for when the base does not pass, unless the user accepts that."""
    if build.options.on_failure == "pause" and (refusal := base_refusal(build)):
        return (e.BuildPaused(reason="base", message=refusal, fault=base_fault(build)),)
    return ()


def _trouble(build: Build) -> tuple[AnyEvent, ...]:
    """Return the facts that end or pause the build, the most serious reason first."""
    if trouble := _base_trouble(build) or _audit_refused(build):
        return trouble
    if build.failed:
        assert build.plan is not None
        if _too_much_failed(build):
            return _fails(build)
        if build.options.on_failure == "pause":
            task = build.failed[0]
            state = build.task(task)
            how = "does not fit on the new base" if state.landed else f"failed after {count(state.attempt, 'attempt')}"
            fault: Fault = "base" if state.landed else "limits" if time_limit_of(state) else "agent"
            message = f"task {task} {how}: {state.reason}"
            return (e.BuildPaused(reason="failure", message=message, task=task, fault=fault),)
    return _over_budget(build)


def _budget_told(build: Build) -> tuple[AnyEvent, ...]:
    """Return that a mark of the budget is reached, each once."""
    spent, budget = build.usage.cost_usd, build.budget_usd
    if budget is None or (mark := budget_mark(spent, budget)) <= build.budget_mark:
        return ()
    return (e.BudgetReached(percent=mark, spent_usd=spent, budget_usd=budget),)


def _over_budget(build: Build) -> tuple[AnyEvent, ...]:
    if build.budget_usd is not None and build.usage.cost_usd >= build.budget_usd:
        message = f"{money(build.usage.cost_usd)} of a budget of {money(build.budget_usd)} are spent"
        return (e.BuildPaused(reason="budget", message=message, fault="limits"),)
    return ()


def _audit_refused(build: Build) -> tuple[AnyEvent, ...]:
    """Return the fact that ends or pauses a build of which the audit refuses a phase: nothing is delivered as it is."""
    if not build.audit_refusals:
        return ()
    message = build.audit_refusals[0]
    if build.options.on_failure == "pause":
        return (e.BuildPaused(reason="audit", message=message),)
    return (e.BuildFinished(outcome="failed", message=message),)


def _undo_refused(build: Build) -> tuple[AnyEvent, ...]:
    """Pause when a landed change could not be taken back: it stays, and so do those that were to go with it."""
    if not build.undo_refused or build.options.on_failure != "pause":
        return ()
    task = build.undo_refused_of
    message = f"the change of task {task} was not taken back and stays: {build.undo_refused}"
    return (e.BuildPaused(reason="undo", message=message, task=task),)


def _asks_person(build: Build) -> tuple[AnyEvent, ...]:
    """Pause, once, when the diagnosis says that no attempt can help, or proposes another plan.

    Asked after tasks without attempts left failed.
    """
    if (build.asks_person or build.proposal is not None) and build.options.on_failure == "pause":
        return (e.BuildPaused(reason="stuck", message=build.diagnosis),)
    return ()


def _loops(build: Build) -> tuple[AnyEvent, ...]:
    """Return the facts about tasks that go in circles: more attempts would only cost more."""
    facts: list[AnyEvent] = []
    for task in _by_rank(build):
        state = build.task(task)
        if state.phase is TaskPhase.JUDGING and (before := same_change(state)):
            message = f"attempt {state.attempt} made exactly the change that was refused in attempt {before.attempt}"
            facts.append(e.LoopDetected(task=task, attempt=state.attempt, kind="patch", message=message))
        elif state.phase is TaskPhase.REJECTED and not state.loop:
            row = same_findings(state)
            if row >= build.options.limits.loop_after:
                message = f"{row} attempts in a row were refused for the same findings"
                facts.append(e.LoopDetected(task=task, attempt=state.attempt, kind="finding", message=message))
    return tuple(facts)


def _reopened(build: Build) -> tuple[AnyEvent, ...]:
    """Put changes before the gates again whose findings were approved while the gates still judged them."""
    states = [(task, build.task(task)) for task in _by_rank(build)]
    return tuple(
        e.JudgingReopened(task=task, attempt=state.attempt)
        for task, state in states
        if state.phase is TaskPhase.REJECTED and can_be_reopened(state)
    )


def _rejected_facts(build: Build) -> tuple[AnyEvent, ...]:
    facts: list[AnyEvent] = []
    for task in _by_rank(build):
        state = build.task(task)
        if state.phase is not TaskPhase.REJECTED:
            continue
        if (message := why_no_more(build, task)) is not None:
            facts.append(e.TaskFailed(task=task, message=message, findings=state.findings))
        else:
            facts.append(e.TaskRetried(task=task))
    return tuple(facts)


def _starts(build: Build) -> tuple[AnyEvent, ...]:
    """Start ready tasks in free slots, the longest remaining path first; set aside those whose file is held."""
    plan = build.plan
    assert plan is not None
    free = build.options.limits.concurrency - build.working
    if build.options.by_hand and build.active:
        return ()  # one after the other: a user who steps sees one change through before the next begins
    facts: list[AnyEvent] = []
    taken: dict[str, str] = {}
    seen: set[int] = set()
    heap = build.ready
    while free > 0 and heap is not None:
        rank, heap = pop(heap)
        task = plan.graph.tasks[plan.by_rank[rank]]
        state = build.task(task.id)
        if state.phase is not TaskPhase.READY or rank in seen:
            continue  # a stale entry of the heap
        seen.add(rank)
        files = task.files_expected
        held = overlapping(files, build.holders, task.id) or overlapping(files, taken, task.id)
        if held is not None:
            facts.append(e.TaskWaited(task=task.id, file=held[0], holder=held[1]))
            continue
        failed = max(state.tried, build.options.second_after) if state.loop else state.tried
        agent = build.options.agent_for(task, failed)
        facts.append(e.TaskStarted(task=task.id, attempt=state.attempt + 1, base=build.head, agent=agent))
        taken.update(dict.fromkeys(task.files_expected, task.id))
        free = 0 if build.options.by_hand else free - 1
    return tuple(facts)


def _too_much_failed(build: Build) -> str:
    """Return why the failed tasks end the build at once; "" when they do not."""
    assert build.plan is not None
    critical = [task for task in build.failed if build.plan.task(task).critical]
    if critical:
        return f"the critical task {critical[0]} failed"
    limit = build.options.limits.failed_tasks
    failed = len(build.failed)
    return f"{count(failed, 'task')} failed, more than the limit of {limit}" if failed > limit else ""


def _dead_end(build: Build) -> str:
    """Return why the build cannot go on: nothing runs, nothing can start, and tasks failed; "" when it can."""
    if not build.failed or build.active or build.all_tasks_done or _base_actions(build) or _starts(build):
        return ""
    left = build.total - build.done - build.skipped - len(build.failed)
    needing = f"{count(left, 'task')} that {'needs' if left == 1 else 'need'}"
    needed = "it" if len(build.failed) == 1 else "them"
    return f"{', '.join(build.failed)} failed" + (f", so {needing} {needed} could not start" if left else "")


def _why_it_fails(build: Build) -> str:
    """Return why a build ends as failed before all its tasks are done; "" when it does not."""
    if build.options.on_failure == "fail" and (refusal := base_refusal(build)):
        return refusal
    if build.stage is Stage.PLANNING:
        return ""
    return (_too_much_failed(build) if build.failed else "") or _dead_end(build)


def _fails(build: Build) -> tuple[AnyEvent, ...]:
    """End the build as failed, if it must, after what has landed is delivered."""
    message = _why_it_fails(build)
    if not message or _owes_result(build):
        return ()
    message += f"; what has landed could not be delivered: {build.delivery_error}" if build.delivery_error else ""
    return (e.BuildFinished(outcome="failed", message=message),)


def _owes_result(build: Build) -> bool:
    """Return whether a failing build that asks no user has changes that landed and are not delivered yet."""
    options = build.options
    asked = options.on_failure == "pause" or options.delivery.kind == "none" or not options.lanes
    return not (asked or is_given_up(build) or build.head in {build.delivered_commit, build.base})


def _delivering_facts(build: Build) -> tuple[AnyEvent, ...]:
    if build.verdict is not None and not build.verdict.ok:
        return (e.BuildFinished(outcome="failed", message="the result did not pass the checks"),)
    if refused := _undo_refused(build) or _audit_refused(build):
        return refused
    if build.delivered_commit and build.delivered_commit == build.head and not build.delivered_in_part:
        return (e.BuildFinished(outcome="succeeded"),)
    if is_given_up(build):
        return (e.BuildPaused(reason="delivery", message=build.delivery_error),)
    return ()


def _wanted(build: Build) -> tuple[Action, ...]:
    match build.stage:
        case Stage.CREATED:
            return (PrepareTarget(),)
        case Stage.PLANNING:
            return _base_actions(build) or (MakePlan(),)
        case Stage.VERIFYING | Stage.DELIVERING if build.new_spec:
            return (RevisePlan(build.spec_changes),)
        case Stage.WORKING if not build.new_spec and _why_it_fails(build) and _owes_result(build):
            return (Deliver(build.head, build.deliveries + 1),)
        case Stage.WORKING:
            return (
                *_base_actions(build),
                *_task_actions(build),
                *(() if build.waits_for_mark else train_actions(build)),
                *_audits(build),
                *_marks(build),
                *_diagnosis(build),
                *((RevisePlan(build.spec_changes),) if build.new_spec and not _base_actions(build) else ()),
            )
        case Stage.VERIFYING:
            return (VerifyBuild(build.head_tree),)
        case Stage.DELIVERING:
            return _audits(build) or _marks(build) or (Deliver(build.head, build.deliveries + 1),)
        case Stage.FINISHED:
            return ()


def _base_actions(build: Build) -> tuple[Action, ...]:
    """Return the judging of the base until it is done: no plan and no attempt is paid for before it."""
    judged = build.base_verdict is not None or not build.options.gates or not build.options.lanes
    return () if judged else (JudgeBase(build.base_tree),)


def _audits(build: Build) -> tuple[AuditPhase, ...]:
    """Return the audit of the first phase that waits for one; of the last phase once its tree is verified."""
    if not build.unaudited or build.stage is Stage.VERIFYING:
        return ()
    return (AuditPhase(*build.unaudited[0]),)


def _marks(build: Build) -> tuple[MarkPhase, ...]:
    """Return the mark of the first audited phase that waits for one. A user lets one go on that the audit refused."""
    return () if build.audit_refusals or not build.unmarked else (MarkPhase(*build.unmarked[0]),)


def _diagnosis(build: Build) -> tuple[Action, ...]:
    return (Diagnose(build.diagnoses + 1),) if build.needs_diagnosis else ()


def _task_actions(build: Build) -> list[Action]:
    actions: list[Action] = []
    for task in _by_rank(build):
        state = build.task(task)
        if state.phase is TaskPhase.WORKING:
            actions.append(SealTests(task) if _to_be_sealed(build, task) else RunAgent(task, state.attempt))
        elif state.phase is TaskPhase.JUDGING and state.patch is not None:
            actions.append(JudgePatch(task, state.attempt, state.patch.tree))
    return actions


def _to_be_sealed(build: Build, task: str) -> bool:
    """Return whether the task's tests are to be sealed before its agent starts: once for all its attempts."""
    options = build.options
    if not (options.sealed_tests and options.gates and options.lanes) or build.task(task).sealed is not None:
        return False
    return build.plan is not None and bool(build.plan.task(task).acceptance)


def _by_rank(build: Build) -> list[str]:
    """Return the active tasks in a fixed order (a persistent map has none)."""
    plan = build.plan
    if plan is None:
        return []
    if len(build.active) < 2:
        return list(build.active)
    return sorted(build.active, key=lambda task: plan.rank[plan.position[task]])
