"""The effect of each fact on a build: one table of moves, one pure function. Must never decide anything (see `decide`).

`MOVES` is the whole machine: for every event, the control states, stages and task phases in which it is legal. The
diagram in docs/flow.md is drawn from it. An event that is not legal raises IllegalMove and changes nothing. Large because
the machine is one table, and each of its moves is one short function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from immutables import Map

from buildwright.core import event as e
from buildwright.core.activity import MODEL_AWAY
from buildwright.core.again import base_changed, build_reopened, change_undone, undo_requested
from buildwright.core.build import (
    AskedStep,
    Build,
    Control,
    Moments,
    Note,
    PastEnd,
    Pause,
    Sealing,
    Stage,
    TaskPhase,
    TaskState,
    budget_mark,
)
from buildwright.core.contract_change import contracts_changed
from buildwright.core.event import AnyEvent, Event, Recorded
from buildwright.core.fork import begin_forked, build_forked, forked_head
from buildwright.core.graph import compile_plan
from buildwright.core.merge import board, change_landed, merge_conflicted, merge_judged, merge_prepared
from buildwright.core.money import budget_reached, limit_met
from buildwright.core.progress import (
    NOT_STUCK,
    Changes,
    begin_tasks,
    checkpoint_created,
    checkpoint_restored,
    end_attempt,
    end_task,
    finding_approved,
    finish_task,
    going_on,
    judging_reopened,
    park_task,
    phase_audited,
    phase_marked,
    reject_task,
    release_files,
    restart_task,
    set_task,
    start_task,
    tokens_used,
)
from buildwright.core.repetition import refused, same_change
from buildwright.core.replan import options_changed, plan_changed, spec_changed
from buildwright.core.review import review_in
from buildwright.core.work_clock import WorkClock
from buildwright.errors import IllegalMove


@dataclass(frozen=True, slots=True)
class Move:
    """When an event is legal and what it changes. `tasks` are the phases its task may be in.

    `to`, `to_stage` and `to_control` are what its task, the stage and the control may become; empty when unchanged.
    """

    change: Callable[[Build, Any, datetime], Changes]
    stages: frozenset[Stage]
    controls: frozenset[Control]
    tasks: frozenset[TaskPhase] = frozenset()
    to: tuple[TaskPhase, ...] = ()
    to_stage: tuple[Stage, ...] = ()
    to_control: tuple[Control, ...] = ()


def apply(build: Build | None, recorded: Recorded) -> Build:
    """Return the build after one more event (None: before the first). Pure; O(log tasks), unless it places every task.

    Raises IllegalMove when the event cannot happen to this build now, or is not the next one.
    """
    event = recorded.event
    if build is None:
        return _create(recorded)
    if recorded.seq != build.version + 1:
        message = f"event {recorded.seq} does not follow event {build.version}"
        raise IllegalMove(message, fix="read the journal again and apply its events in order")
    move = MOVES[type(event)]
    _check(build, event, move)
    clock = build.clock.after(type(event), recorded.at)
    if clock is not build.clock:
        build = build.evolve({"clock": clock})
    changes = move.change(build, event, recorded.at)
    if event.keeps_moment:
        before = build.moments.get(event.type)
        moments = Moments(before.first if before else recorded.at, recorded.at)
        changes = {**changes, "moments": build.moments.set(event.type, moments)}
    if build.step is not None and event.ends_step:
        changes = {**changes, "step": None}
    return build.evolve({**changes, "version": recorded.seq, "updated_at": recorded.at})


def fold(events: list[Recorded], build: Build | None = None) -> Build:
    """Return what these events make of `build` (None: a new one). Raises IllegalMove; ValueError without both."""
    for recorded in events:
        build = apply(build, recorded)
    if build is None:
        raise ValueError("an empty journal describes no build")
    return build


def _create(recorded: Recorded) -> Build:
    event = recorded.event
    if not isinstance(event, e.BuildCreated) or recorded.seq != 1:
        raise IllegalMove("a journal starts with build.created as event 1")
    return Build(
        id=event.build_id,
        version=1,
        project_id=event.project_id,
        user_id=event.user_id,
        repository=event.repository,
        base_ref=event.base,
        spec=event.spec,
        options=event.options,
        correlation_id=event.correlation_id,
        budget_usd=event.options.limits.budget_usd,
        created_at=recorded.at,
        updated_at=recorded.at,
        clock=WorkClock.of(recorded.at, by_hand=event.options.by_hand),
        moments=Map({event.type: Moments(recorded.at, recorded.at)}),
    )


def _check(build: Build, event: AnyEvent, move: Move) -> None:
    if build.control not in move.controls:
        raise IllegalMove(f"{event.type} cannot happen: the build is {build.control}")
    if event.judges and event.round != build.judging_round:  # type: ignore[union-attr]
        raise IllegalMove(f"{event.type} comes too late: the user has changed what judges")
    if build.stage not in move.stages:
        raise IllegalMove(f"{event.type} cannot happen while the build is {build.stage}")
    if move.tasks:
        task_id: str = event.task  # type: ignore[union-attr]
        if build.plan is None or task_id not in build.plan.position:
            raise IllegalMove(f"{event.type}: there is no task {task_id}")
        state = build.task(task_id)
        if state.phase not in move.tasks:
            raise IllegalMove(f"{event.type} cannot happen: task {task_id} is {state.phase}")
        attempt = getattr(event, "attempt", None)
        expected = state.attempt + 1 if isinstance(event, e.TaskStarted) else state.attempt
        if attempt is not None and attempt != expected:
            raise IllegalMove(f"{event.type} is of attempt {attempt} of task {task_id}, which is at attempt {expected}")


# --- Getting ready -------------------------------------------------------------------------------------------------


def _target_prepared(build: Build, event: e.TargetPrepared, _at: datetime) -> Changes:
    return {
        "stage": Stage.PLANNING,
        "base": event.commit,
        "base_tree": event.tree,
        "head": event.commit,
        "head_tree": event.tree,
        "branch": event.branch,
        "notes": event.notes,
        **forked_head(build),
    }


def _plan_made(build: Build, event: e.PlanMade, _at: datetime) -> Changes:
    plan = compile_plan(event.graph)
    begun = begin_tasks(build, plan) if build.fork is None else begin_forked(build, build.fork, plan)
    return {"stage": Stage.WORKING, "plan": plan, "plan_error": "", **begun}


def _plan_rejected(build: Build, event: e.PlanRejected, _at: datetime) -> Changes:
    return {"plan_error": event.message, "plans_rejected": build.plans_rejected + 1}


def _base_judged(build: Build, event: e.BaseJudged, _at: datetime) -> Changes:
    untouched = build.head == build.base
    return {"base_verdict": event.verdict, "head_judged": build.head_judged or (untouched and event.verdict.ok)}


# --- Attempts ------------------------------------------------------------------------------------------------------


def _task_started(build: Build, event: e.TaskStarted, at: datetime) -> Changes:
    return {**start_task(build, event, at), "phase_began": build.phase_began or at}


def _model_chosen(build: Build, event: e.ModelChosen, _at: datetime) -> Changes:
    state = build.task(event.task)
    down = (*state.models_down, event.before) if state.model_attempt == event.attempt else ()
    state = state._replace(model=event.name, model_reason=event.kind, model_attempt=event.attempt, models_down=down)
    return set_task(build, event.task, state)


def _tests_sealed(build: Build, event: e.TestsSealed, _at: datetime) -> Changes:
    state = build.task(event.task)
    if state.sealed is not None:
        raise IllegalMove(f"the tests of task {event.task} are sealed already")
    return set_task(build, event.task, state._replace(sealed=Sealing(event.artifact, event.tests, event.why_none)))


def _lessons_given(build: Build, event: e.LessonsGiven, _at: datetime) -> Changes:
    state = build.task(event.task)
    if state.lessons is not None:
        raise IllegalMove(f"the lessons for task {event.task} are chosen already")
    return set_task(build, event.task, state._replace(lessons=event.given))


def _task_waited(build: Build, event: e.TaskWaited, _at: datetime) -> Changes:
    return park_task(build, event.task, event.file)


def _nothing(_build: Build, _event: Event, _at: datetime) -> Changes:
    return {}


def _agent_finished(build: Build, event: e.AgentFinished, at: datetime) -> Changes:
    state = build.task(event.task)
    state = end_attempt(
        state,
        phase=TaskPhase.JUDGING,
        patch=event.patch,
        summary=event.summary,
        conversation=event.conversation or state.conversation,
    )
    working = {"working": build.working - 1}
    if not build.options.lanes:
        return {**finish_task(build, event.task, state, TaskPhase.DONE, at), **working}
    if event.patch is None or (event.patch.is_empty and not event.to_prove):
        return {**reject_task(build, event.task, state, "empty", event.nothing), **working}
    if not build.options.gates:
        return {**board(build, event.task, state._replace(phase=TaskPhase.MERGING)), **working}
    return {**set_task(build, event.task, state), **working}


def _agent_broke(build: Build, event: e.AgentBroke, _at: datetime) -> Changes:
    state = end_attempt(build.task(event.task), patch=None, conversation=event.conversation, failure=event.kind)
    changes = reject_task(build, event.task, state, "agent", f"{event.kind}: {event.message}")
    return {**changes, "working": build.working - 1}


def _patch_judged(build: Build, event: e.PatchJudged, at: datetime) -> Changes:
    state = build.task(event.task)._replace(verdict=event.verdict)
    if (review := review_in(event.verdict)) is not None:
        state = state._replace(review=review, reviewed_at=at)
    if event.verdict.ok:
        return board(build, event.task, state._replace(phase=TaskPhase.MERGING))
    patch = build.task(event.task).patch
    reason = f"the change did not pass the checks{patch.without if patch is not None else ''}"
    if state.patch is not None:
        state = state._replace(refused=refused(state, state.patch, event.verdict.findings))
    return reject_task(build, event.task, state, "gate", reason, event.verdict.findings)


def _loop_detected(build: Build, event: e.LoopDetected, _at: datetime) -> Changes:
    """Reject a change that was refused before, for the findings it got then: the gates need not run on it again."""
    state = build.task(event.task)._replace(loop=event.message)
    if state.phase is TaskPhase.REJECTED:
        return set_task(build, event.task, state)
    before = same_change(state)
    return reject_task(build, event.task, state, "gate", event.message, before.findings if before else ())


# --- What becomes of a rejected task -------------------------------------------------------------------------------


def _task_retried(build: Build, event: e.TaskRetried, at: datetime) -> Changes:
    state = build.task(event.task)
    allowed = state.allowed if event.by == "rule" else state.attempt + build.options.limits.attempts
    guidance = (*state.guidance, event.message) if event.message else state.guidance
    if event.from_attempt not in range(state.attempt + 1):
        raise IllegalMove(
            f"task {event.task} has had {state.attempt} attempts, and none is number {event.from_attempt}"
        )
    state = state._replace(allowed=allowed, guidance=guidance, carry_from=event.from_attempt)
    if event.from_attempt not in {0, state.attempt}:  # what was said is of another attempt
        state = state._replace(conversation="")
    if event.by == "user":  # the user's guidance may lead to the same change for another reason
        state = state._replace(refused=(), tried=0, loop="", reason=state.loop or state.reason)
    return restart_task(build, event.task, going_on(build, state, at))


def _task_failed(build: Build, event: e.TaskFailed, at: datetime) -> Changes:
    state = end_task(build, build.task(event.task)._replace(phase=TaskPhase.FAILED, reason=event.message), at)
    return {
        **set_task(build, event.task, state),
        "active": build.active.delete(event.task),
        "failed": (*build.failed, event.task),
        **release_files(build, event.task, state),
    }


def _task_skipped(build: Build, event: e.TaskSkipped, at: datetime) -> Changes:
    failed = tuple(task for task in build.failed if task != event.task)
    changes = finish_task(build, event.task, build.task(event.task)._replace(landed=0), TaskPhase.SKIPPED, at)
    return {**changes, "failed": failed}


def _build_stuck(build: Build, event: e.BuildStuck, _at: datetime) -> Changes:
    if event.number and (event.number != build.diagnoses + 1 or not build.needs_diagnosis):
        raise IllegalMove(f"diagnosis {event.number} comes too late: the build is not stuck any more")
    tasks = build.tasks
    told = {advice.task: advice.text for advice in event.task_advice}
    for task in event.tasks if event.advice else ():
        state = build.task(task)
        words = "\n".join(filter(None, (event.advice, told.get(task, ""))))
        # What an attempt was told never changes while it runs.
        runs = state.phase is TaskPhase.WORKING
        tasks = tasks.set(task, state._replace(later_diagnosis=words) if runs else state._replace(diagnosis=words))
    return {
        "tasks": tasks,
        "stuck": True,
        "diagnoses": build.diagnoses + 1,
        "diagnosis": event.advice,
        "asks_person": event.ask_person,
        "proposal": event.proposal,
    }


# --- Control -------------------------------------------------------------------------------------------------------


def _paused(build: Build, event: e.BuildPaused, at: datetime) -> Changes:
    if event.reason == "phase" and build.phase_began is None:
        raise IllegalMove("the phase whose time was up has ended")
    pause = Pause(event.reason, event.message, event.task, at, event.fault, event.until, event.asked_by)
    return {"control": Control.PAUSED, "pause": pause}


def _all_models_again(build: Build) -> Map[str, TaskState]:
    """Have models chosen anew where one had failed, in running attempts at once: the user has seen to it."""
    active = set(build.active)
    changed = {}
    for task, state in build.tasks.items():
        was_away = state.model_reason in MODEL_AWAY
        new = state._replace(model_reason="") if was_away else state
        if task in active and (was_away or state.models_down):
            new = new._replace(models_down=(), model_attempt=0)
        if new is not state:
            changed[task] = new
    return build.tasks.update(changed)


def _resumed(build: Build, event: e.BuildResumed, at: datetime) -> Changes:
    changes: Changes = {"control": Control.RUNNING, "pause": None, "plan_error": "", **NOT_STUCK}
    changes |= {"audit_refusals": (), "undo_refused": "", "tasks": _all_models_again(build)}
    # After a change of what judges there is no verdict to accept: the base is judged anew.
    asked = build.pause is not None and build.pause.reason == "base" and build.base_verdict is not None
    changes["base_accepted"] = build.base_accepted or asked
    if build.pause is not None and build.pause.reason == "approval":
        changes["plan_approved"] = True
    if build.phase_began is not None and build.pause is not None:
        over = build.pause.reason == "phase"  # then the phase gets its whole time once more
        changes["phase_began"] = at if over else build.phase_began + (at - build.pause.since)
    if build.delivery_error:
        changes |= {"deliveries": 0, "delivery_error": ""}
    if event.budget_usd is not None:
        changes["budget_usd"] = event.budget_usd
        changes["budget_mark"] = budget_mark(build.usage.cost_usd, event.budget_usd)
    return changes


def _stop_requested(build: Build, event: e.StopRequested, _at: datetime) -> Changes:
    if event.how == "abort" and build.control is not Control.PAUSED:
        # The pause limit and the user's answer can come at the same moment: the first one counts.
        raise IllegalMove("only a paused build can be given up", fix="stop it instead")
    return {"control": Control.STOPPING, "pause": None, "stop_how": event.how, "message": event.message}


def _step_requested(build: Build, event: e.StepRequested, _at: datetime) -> Changes:
    if not build.options.by_hand:
        raise IllegalMove("the build runs by itself; it was not started with --by-hand", fix="start one with --by-hand")
    if build.step is not None:
        raise IllegalMove(
            f"the build has not made the step yet that it was asked for ({build.step.mode})", fix="wait until it has"
        )
    return {"step": AskedStep(event.id, event.mode)}


def _message_sent(build: Build, event: e.MessageSent, _at: datetime) -> Changes:
    return {"notes_to_agents": (*build.notes_to_agents, Note(event.id, event.text, event.task))}


def _message_delivered(build: Build, event: e.MessageDelivered, _at: datetime) -> Changes:
    state = build.task(event.task)
    heard = tuple(note for note in build.notes_to_agents if note.id == event.id)
    changes = set_task(build, event.task, state._replace(heard=(*state.heard, *heard)))
    return changes | {"notes_to_agents": tuple(note for note in build.notes_to_agents if note.id != event.id)}


# --- The end -------------------------------------------------------------------------------------------------------


def _verified(_build: Build, event: e.BuildVerified, _at: datetime) -> Changes:
    return {"verdict": event.verdict, "head_judged": event.verdict.ok, "stage": Stage.DELIVERING}


def _delivered(build: Build, event: e.BuildDelivered, _at: datetime) -> Changes:
    where = f"{event.remote} {event.ref}".strip()
    there: Changes = {
        "delivered": where,
        "delivered_commit": event.commit,
        "delivery_error": "",
        # Journals of before tell it by the draft; without gates every pull request is one.
        "delivered_in_part": event.in_part or (event.draft and build.options.gates),
    }
    request: Changes = {"pull_request": event.pull_request, "pull_request_ref": event.ref}
    return there | (request if event.pull_request else {})


def _delivery_failed(build: Build, event: e.DeliveryFailed, _at: datetime) -> Changes:
    return {
        "deliveries": build.deliveries + 1,
        "delivery_error": event.message,
        "delivery_temporary": event.temporary,
    }


def _delivery_requested(build: Build, event: e.DeliveryRequested, _at: datetime) -> Changes:
    assert build.outcome is not None
    assert build.finished_at is not None
    return {
        # A pull request is updated from then on; a push or a branch is for once.
        "usual_delivery": None if event.delivery.kind == "pr" else build.lasting_delivery,
        "options": build.options.model_copy(update={"delivery": event.delivery}),
        "past_end": PastEnd(build.outcome, build.message, build.finished_at),
        "stage": Stage.DELIVERING,
        "control": Control.RUNNING,
        "outcome": None,
        "message": "",
        "finished_at": None,
        "stop_how": "",
        "phase_began": None,
        "delivered": "",
        "delivered_commit": "",
        "deliveries": 0,
        "delivery_error": "",
    }


def _finished(build: Build, event: e.BuildFinished, at: datetime) -> Changes:
    ended = Control.STOPPED if event.outcome in {"stopped", "aborted"} else Control.FINISHED
    return {
        "stage": Stage.FINISHED,
        "control": ended,
        "outcome": event.outcome,
        "message": event.message,
        # Its work has not taken longer because it was delivered later.
        "finished_at": build.past_end.at if build.past_end is not None else at,
        "pause": None,
        "past_end": None,
    }


# --- The table -----------------------------------------------------------------------------------------------------

_RUNNING = frozenset({Control.RUNNING})
_PAUSED = frozenset({Control.PAUSED})
_GOING = frozenset({Control.RUNNING, Control.PAUSED})
_LIVE = frozenset({Control.RUNNING, Control.PAUSED, Control.STOPPING})
_ANY = frozenset({Stage.CREATED, Stage.PLANNING, Stage.WORKING, Stage.VERIFYING, Stage.DELIVERING})
_WORK = frozenset({Stage.WORKING})
_BUILT = frozenset({Stage.WORKING, Stage.VERIFYING, Stage.DELIVERING})
_P = TaskPhase


def _in(*phases: TaskPhase) -> frozenset[TaskPhase]:
    return frozenset(phases)


MOVES: dict[type[Event], Move] = {
    e.BuildForked: Move(build_forked, frozenset({Stage.CREATED}), _RUNNING),
    e.TargetPrepared: Move(_target_prepared, frozenset({Stage.CREATED}), _LIVE, to_stage=(Stage.PLANNING,)),
    e.PlanMade: Move(
        _plan_made,
        frozenset({Stage.PLANNING}),
        _LIVE,
        to_stage=(Stage.WORKING, Stage.VERIFYING, Stage.DELIVERING),
    ),
    e.PlanRejected: Move(_plan_rejected, _BUILT | {Stage.PLANNING}, _LIVE),
    e.BaseJudged: Move(_base_judged, _WORK | {Stage.PLANNING}, _LIVE),
    e.TaskStarted: Move(_task_started, _WORK, _RUNNING, _in(_P.READY), (_P.WORKING,)),
    e.ModelChosen: Move(_model_chosen, _WORK, _LIVE, _in(_P.WORKING)),
    e.TestsSealed: Move(_tests_sealed, _WORK, _LIVE, _in(_P.WORKING)),
    e.TaskWaited: Move(_task_waited, _WORK, _RUNNING, _in(_P.READY), (_P.PARKED,)),
    e.AgentHeartbeat: Move(_nothing, _WORK, _LIVE, _in(_P.WORKING, _P.JUDGING, _P.MERGING)),
    e.TokensUsed: Move(tokens_used, _ANY, _LIVE),
    e.BudgetReached: Move(budget_reached, _ANY, _GOING),
    e.LimitMet: Move(limit_met, _ANY, _LIVE),
    e.CheckpointCreated: Move(checkpoint_created, _WORK, _LIVE, _in(_P.WORKING)),
    e.CheckpointRestored: Move(checkpoint_restored, _WORK, _LIVE, _in(_P.WORKING)),
    e.LessonsGiven: Move(_lessons_given, _WORK, _LIVE, _in(_P.WORKING)),
    e.LessonLearned: Move(_nothing, _WORK, _LIVE, _in(_P.JUDGING)),
    e.AgentDenied: Move(_nothing, _WORK, _LIVE, _in(_P.WORKING)),
    e.ConversationCompacted: Move(_nothing, _WORK, _LIVE, _in(_P.WORKING)),
    e.AgentFinished: Move(
        _agent_finished,
        _WORK,
        _LIVE,
        _in(_P.WORKING),
        (_P.JUDGING, _P.MERGING, _P.REJECTED, _P.DONE),
        (Stage.DELIVERING,),
    ),
    e.AgentBroke: Move(_agent_broke, _WORK, _LIVE, _in(_P.WORKING), (_P.REJECTED,)),
    e.PatchJudged: Move(_patch_judged, _WORK, _LIVE, _in(_P.JUDGING), (_P.MERGING, _P.REJECTED)),
    e.FindingApproved: Move(finding_approved, _WORK, _GOING, frozenset(_P) - _in(_P.WAITING, _P.DONE, _P.SKIPPED)),
    e.JudgingReopened: Move(judging_reopened, _WORK, _GOING, _in(_P.REJECTED, _P.READY, _P.FAILED), (_P.JUDGING,)),
    e.MergePrepared: Move(merge_prepared, _WORK, _LIVE, _in(_P.MERGING)),
    e.MergeConflicted: Move(
        merge_conflicted, _WORK, _LIVE, _in(_P.MERGING), (_P.REJECTED, _P.FAILED, _P.DONE), (Stage.DELIVERING,)
    ),
    e.MergeJudged: Move(
        merge_judged, _WORK, _LIVE, _in(_P.MERGING), (_P.REJECTED, _P.FAILED, _P.DONE), (Stage.DELIVERING,)
    ),
    e.ChangeLanded: Move(change_landed, _WORK, _LIVE, _in(_P.MERGING), (_P.DONE,), (Stage.DELIVERING,)),
    e.TaskRetried: Move(_task_retried, _WORK, _GOING, _in(_P.REJECTED, _P.FAILED), (_P.READY, _P.WAITING)),
    e.TaskFailed: Move(_task_failed, _WORK, _RUNNING, _in(_P.REJECTED), (_P.FAILED,)),
    e.TaskSkipped: Move(
        _task_skipped, _WORK, _GOING, _in(_P.FAILED), (_P.SKIPPED,), (Stage.VERIFYING, Stage.DELIVERING)
    ),
    e.LoopDetected: Move(_loop_detected, _WORK, _RUNNING, _in(_P.JUDGING, _P.REJECTED), (_P.REJECTED,)),
    e.BuildStuck: Move(_build_stuck, _WORK, _LIVE),
    e.StepRequested: Move(_step_requested, _ANY, _RUNNING),
    e.BuildPaused: Move(_paused, _ANY, _RUNNING, to_control=(Control.PAUSED,)),
    e.BuildResumed: Move(_resumed, _ANY, _PAUSED, to_control=(Control.RUNNING,)),
    e.OptionsChanged: Move(options_changed, _ANY, _PAUSED, to_stage=(Stage.VERIFYING,)),
    e.SpecChanged: Move(spec_changed, _BUILT, _GOING),
    e.PlanChanged: Move(
        plan_changed,
        _BUILT,
        _GOING,
        to_stage=(Stage.WORKING, Stage.VERIFYING, Stage.DELIVERING),
    ),
    e.UndoRequested: Move(
        undo_requested,
        _BUILT,
        _GOING,
        _in(_P.DONE, _P.SKIPPED),
        (_P.MERGING, _P.WAITING, _P.READY),
        (Stage.WORKING,),
    ),
    e.ChangeUndone: Move(
        change_undone,
        _WORK,
        _LIVE,
        _in(_P.MERGING),
        (_P.SKIPPED, _P.WAITING, _P.READY),
        (Stage.VERIFYING, Stage.DELIVERING),
    ),
    e.ContractsChanged: Move(
        contracts_changed,
        _BUILT,
        _GOING,
        to_stage=(Stage.WORKING, Stage.VERIFYING, Stage.DELIVERING),
    ),
    e.BaseChanged: Move(base_changed, _BUILT | {Stage.PLANNING}, _GOING, to_stage=(Stage.WORKING,)),
    e.BuildReopened: Move(
        build_reopened,
        frozenset({Stage.FINISHED}),
        frozenset({Control.FINISHED, Control.STOPPED}),
        to_stage=tuple(sorted(_ANY, key=list(Stage).index)),
        to_control=(Control.RUNNING,),
    ),
    e.DeliveryRequested: Move(
        _delivery_requested,
        frozenset({Stage.FINISHED}),
        frozenset({Control.FINISHED, Control.STOPPED}),
        to_stage=(Stage.DELIVERING,),
        to_control=(Control.RUNNING,),
    ),
    e.StopRequested: Move(_stop_requested, _ANY, _GOING, to_control=(Control.STOPPING,)),
    e.MessageSent: Move(_message_sent, _ANY, _GOING),
    e.ReviewSent: Move(_nothing, _ANY, _GOING),
    e.MessageDelivered: Move(_message_delivered, _WORK, _LIVE, _in(_P.WORKING)),
    e.BuildVerified: Move(_verified, frozenset({Stage.VERIFYING}), _LIVE, to_stage=(Stage.DELIVERING,)),
    e.PhaseAudited: Move(phase_audited, _BUILT, _LIVE),
    e.PhaseMarked: Move(phase_marked, _BUILT, _LIVE),
    e.BuildDelivered: Move(_delivered, frozenset({Stage.WORKING, Stage.DELIVERING}), _LIVE),
    e.DeliveryFailed: Move(_delivery_failed, frozenset({Stage.WORKING, Stage.DELIVERING}), _LIVE),
    e.BuildFinished: Move(
        _finished,
        _ANY,
        frozenset({Control.RUNNING, Control.STOPPING}),
        to_stage=(Stage.FINISHED,),
        to_control=(Control.STOPPED, Control.FINISHED),
    ),
}
