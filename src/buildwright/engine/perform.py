"""Carrying out one action: an effect in the world becomes facts. The one place where any error becomes a fact.

Every effect is idempotent by its action's key, because a crash may come between the effect and its fact. Must never
append to the journal: it returns facts, and the driver records them.
"""

from __future__ import annotations

import asyncio
import errno
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from typing import assert_never

from buildwright.core import event as e
from buildwright.core.action import (
    Action,
    AuditPhase,
    Deliver,
    Diagnose,
    JudgeBase,
    JudgeMerge,
    JudgePatch,
    LandChange,
    MakePlan,
    MarkPhase,
    PrepareMerge,
    PrepareTarget,
    RevisePlan,
    RunAgent,
    SealTests,
    VerifyBuild,
)
from buildwright.core.activity import provider_trouble
from buildwright.core.build import Build, is_undone
from buildwright.core.event import AnyEvent
from buildwright.core.failpoint import failpoint
from buildwright.core.fault import Fault
from buildwright.core.graph import compile_plan
from buildwright.core.proof import BY_PROOF
from buildwright.core.replan import plan_changed
from buildwright.core.sanitize import Mask, sanitize
from buildwright.engine.action_context import ActionContext
from buildwright.engine.attempt import run_attempt
from buildwright.engine.delivery import deliver, told, workspace_of
from buildwright.engine.diagnosis import diagnose
from buildwright.engine.first_commit import first_commit
from buildwright.engine.judge import audit_phase, judge, judge_base
from buildwright.engine.kept_work import keep_refused, keep_unlanded
from buildwright.engine.lessons import learn
from buildwright.engine.review import review
from buildwright.engine.sealing import seal_tests
from buildwright.engine.usage import PASSES, access, pause_for, shut_door
from buildwright.errors import (
    AgentFailed,
    BadGraph,
    BadSettings,
    BadSpec,
    BuildwrightError,
    Conflict,
    CouldNot,
    DiskFull,
    IllegalMove,
    LostLease,
    ModelFailed,
    Refused,
    ToolMissing,
    Unreachable,
)
from buildwright.ports import BUILD_TRAILER, Merged, Target, Workspace

TRIES = 3
"""Tries of an effect that the world refuses, before the build pauses."""


async def perform(bench: ActionContext, action: Action, build: Build) -> Sequence[AnyEvent]:
    """Carry out the action and return its facts; errors become facts too. Raises only CancelledError."""
    facts = [sanitize(fact, bench.world.mask) for fact in await _tried(bench, action, build)]
    await keep_refused(bench, build, facts)
    return facts


async def _stand(bench: ActionContext, build: Build) -> None:
    """Let this home's mirror stand on the commit that the user has put the build on since it began."""
    if build.rebases and bench.world.workspace is not None:
        await bench.world.workspace.stand_on(build.id, build.base)


async def _tried(bench: ActionContext, action: Action, build: Build) -> Sequence[AnyEvent]:
    wanted_at: float | None = asyncio.get_running_loop().time() - bench.waited
    for tried in range(1, TRIES + 1):
        failpoint(f"perform.{type(action).__name__}.before")
        try:
            await _stand(bench, build)
            facts = await _in_turn(bench, action, build, wanted_at)
        except LostLease as lost:
            bench.logbook.note("engine", f"{action.key}: left to others: {lost}")
            return ()
        except Refused as refusal:
            return (_refused(action, refusal),)
        except (CouldNot, OSError) as error:
            trouble = error if isinstance(error, CouldNot) else _of_the_system(error)
            bench.logbook.note("engine", f"{action.key}: {trouble}")
            if tried == TRIES or isinstance(trouble, DiskFull | ToolMissing):
                return (_paused(trouble),)
            wanted_at = None
            await bench.world.clock.sleep(0.25 * 4**tried)
        except Conflict as conflict:
            # Of preparing, that is a branch that would not take the result: told before anything is paid for.
            bars_delivery = isinstance(action, PrepareTarget)
            return (e.BuildPaused(reason="delivery" if bars_delivery else "trouble", message=told(conflict)),)
        except Exception as bug:  # an effect must become an event whatever happened
            bench.logbook.note("engine", f"{action.key}:\n{''.join(traceback.format_exception(bug))}")
            return (e.BuildPaused(reason="trouble", message=f"{action.key} broke: {type(bug).__name__}: {bug}"),)
        else:
            failpoint(f"perform.{type(action).__name__}.after")
            return facts
    raise AssertionError("unreachable: the last try returns")


async def _in_turn(bench: ActionContext, action: Action, build: Build, wanted_at: float | None) -> Sequence[AnyEvent]:
    """Carry the action out; judging waits for its turn. `wanted_at` is by the event loop's clock, None for a retry."""
    async with bench.judging if isinstance(action, JudgePatch) else nullcontext():
        waited = None if wanted_at is None else asyncio.get_running_loop().time() - wanted_at
        with bench.world.observe(action, build, waited):
            return await _effect(bench, action, build)


async def _effect(bench: ActionContext, action: Action, build: Build) -> Sequence[AnyEvent]:  # noqa: C901, PLR0912  a case for each
    match action:
        case PrepareTarget():
            target = await _prepare(bench, build)
            return (e.TargetPrepared(commit=target.commit, tree=target.tree, branch=target.branch, notes=target.notes),)
        case MakePlan() | RevisePlan():
            return await make_plan(bench, build)
        case JudgeBase():
            return (e.BaseJudged(verdict=await judge_base(bench, build, action.tree), round=build.judging_round),)
        case SealTests():
            return (await seal_tests(bench, action, build),)
        case RunAgent():
            return await run_attempt(bench, action, build)
        case JudgePatch() | JudgeMerge():
            # A change that is taken back is judged as a tree of the build: what its task asks for is gone with it.
            verdict = await judge(bench, build, action.tree, "" if is_undone(build.task(action.task)) else action.task)
            if isinstance(action, JudgeMerge):
                return (
                    e.MergeJudged(task=action.task, attempt=action.attempt, verdict=verdict, round=build.judging_round),
                )
            verdict = await review(bench, action, build, verdict)
            taught = await learn(bench, action, build, verdict)
            return (
                *taught,
                e.PatchJudged(task=action.task, attempt=action.attempt, verdict=verdict, round=build.judging_round),
            )
        case PrepareMerge():
            return (await _prepare_merge(bench, action, build),)
        case LandChange():
            await workspace_of(bench).land(build.id, action.commit, action.onto, bench.guard, number=build.rebases)
            return (_landed(action, build),)
        case Diagnose():
            return await diagnose(bench, action, build)
        case VerifyBuild():
            return (e.BuildVerified(verdict=await judge(bench, build, action.tree), round=build.judging_round),)
        case AuditPhase():
            return (await audit_phase(bench, action, build),)
        case MarkPhase(phase, onto, commit):
            await workspace_of(bench).land(build.id, commit, onto, bench.guard, number=build.rebases)
            return (e.PhaseMarked(phase=phase, onto=onto, commit=commit),)
        case Deliver():
            return (await deliver(bench, action, build),)
        case _:
            assert_never(action)


async def _prepare(bench: ActionContext, build: Build) -> Target:
    workspace, delivery, fork = workspace_of(bench), build.options.delivery, build.fork
    if fork is not None and fork.base:
        return await workspace.branch_off(build.id, build.repository, fork.source, fork.base, fork.head, delivery)
    first = first_commit(build.id, build.spec, build.options)
    return await workspace.prepare(
        build.id, build.repository, build.base_ref, delivery, lfs=build.options.lfs, first=first
    )


def _landed(action: LandChange, build: Build) -> AnyEvent:
    if is_undone(build.task(action.task)):
        return e.ChangeUndone(task=action.task, attempt=action.attempt, commit=action.commit, tree=action.tree)
    patch = build.task(action.task).patch
    proof = BY_PROOF if patch is not None and patch.is_empty else ""
    return e.ChangeLanded(task=action.task, attempt=action.attempt, commit=action.commit, tree=action.tree, proof=proof)


async def make_plan(bench: ActionContext, build: Build) -> Sequence[AnyEvent]:
    """Ask the planner for a plan, or what a changed spec means for the one there is.

    The cost of its requests is recorded whether or not there is an answer.
    """
    world = bench.world
    if world.planner is None or world.gateway is None:
        raise BadSpec(
            "this spec is not a complete task list, and there is no planner", fix="give a task list as JSON or YAML"
        )
    try:
        # A refused plan is asked for anew; the same answer again would be refused again.
        attempt = build.plans_rejected + 1
        door = await world.gateway.open(access(build, attempt=attempt))
    except BadSettings as missing:
        return (e.PlanRejected(message=f"{missing} Fix: {missing.fix}"),)
    model = build.options.planning_model
    outcome: AnyEvent
    digest = world.instructions.get("reviser" if build.new_spec else "planner", "")
    try:
        bench.logbook.note("engine", "planning: reading the repository")
        context = await world.plan_context(build) if world.plan_context else ""
        bench.logbook.note("engine", "planning: asking the model for tasks")
        if build.new_spec:
            tasks, dropped = await world.planner.revise(build, context, model, door)
            cleaned = tuple(sanitize(task, world.mask) for task in tasks)
            outcome = e.PlanChanged(tasks=cleaned, dropped=dropped, spec=build.spec_changes, instructions=digest)
            newest = bench.newest()
            if newest.spec_changes == build.spec_changes:
                plan_changed(
                    newest, outcome, newest.updated_at
                )  # else it would be asked, and paid for, again and again
        else:
            outcome = made = sanitize(
                e.PlanMade(graph=await world.planner.plan(build.spec, context, model, door), instructions=digest),
                world.mask,
            )
            compile_plan(made.graph)  # cleaned, the names of two milestones can be the same
    except (BadGraph, IllegalMove) as bad:
        outcome = e.PlanRejected(message=f"the model's plan cannot be built: {bad}", instructions=digest)
    except ModelFailed as failure:
        trouble = world.gateway.trouble(door)
        if trouble is not None and trouble.kind in PASSES:
            return (pause_for(bench, door, trouble.kind, trouble.message, trouble.model or model),)
        told = provider_trouble(failure.kind, str(failure), model, failure.fix or "")
        outcome = e.PlanRejected(message=told, instructions=digest)
    finally:
        await shut_door(bench, door)
    return (outcome,)


async def _prepare_merge(bench: ActionContext, action: PrepareMerge, build: Build) -> AnyEvent:
    assert build.plan is not None
    state = build.task(action.task)
    assert state.patch is not None
    assert state.attempt_at is not None
    task = build.plan.task(action.task)
    commits = build.options.commits
    ours = (
        f"{BUILD_TRAILER}: {build.id}",
        f"Buildwright-Task: {action.task}",
        f"Buildwright-Attempt: {action.attempt}",
    )
    if is_undone(state):
        ours = (ours[0], f"Buildwright-Undone-Task: {action.task}", f"Buildwright-Undone-Commit: {state.commit}")
    trailers = (*ours, *commits.lines)
    command = task.validation.command if task.validation is not None and state.patch.is_empty else ""
    proven = (f"Nothing to change: `{command}` passes.", "") if command else ()
    subject = f"Take back task {action.task}: {task.title}" if is_undone(state) else f"Task {action.task}: {task.title}"
    message = "\n".join((subject, "", *proven, *trailers, ""))
    rest = (action.onto, message, state.attempt_at, commits.author, commits.signing_key)
    if is_undone(state):
        result = await workspace_of(bench).take_back(build.id, state.commit, *rest)
    else:
        result = await workspace_of(bench).rebase(build.id, state.base, state.patch.tree, *rest)
    if isinstance(result, Merged):
        return e.MergePrepared(
            task=action.task, attempt=action.attempt, onto=action.onto, commit=result.commit, tree=result.tree
        )
    return e.MergeConflicted(
        task=action.task, attempt=action.attempt, onto=action.onto, files=result.files, tree=result.tree
    )


def _refused(action: Action, refusal: Refused) -> AnyEvent:
    if isinstance(action, PrepareTarget):
        return e.BuildFinished(outcome="failed", message=told(refusal))
    if isinstance(action, RunAgent) and not isinstance(refusal, BadSettings):
        return e.AgentBroke(task=action.task, attempt=action.attempt, kind="refused", message=told(refusal))
    if isinstance(action, MakePlan | RevisePlan):
        return e.PlanRejected(message=told(refusal))
    return _paused(refusal)


def _paused(error: BuildwrightError) -> AnyEvent:
    fault: Fault = ""
    match error:
        case ModelFailed():
            fault = "provider"
        case AgentFailed():
            fault = "agent"
        case CouldNot() if not isinstance(error, Unreachable):
            fault = "machine"
    return e.BuildPaused(reason="trouble", message=told(error), fault=fault)


def _of_the_system(error: OSError) -> CouldNot:
    """Return a system's error (no process, memory, handle, space) as one of ours: it is often gone a moment later."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return DiskFull(fix="free some space, then resume")
    return CouldNot(f"the system refused: {error}", fix="see what uses up the machine, then resume")


async def forget_lanes(workspace: Workspace, build: Build, mask: Mask) -> None:
    """Remove what a finished build left on disk beside its branch, once its work that did not land is kept."""
    await keep_unlanded(workspace, build, mask)
    await asyncio.shield(workspace.forget(build.id))
