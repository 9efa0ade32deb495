"""Keeps what attempts made that do not land, each with its reason. Must never fail an action: it notes and goes on.

An attempt that is refused is kept before the fact is recorded, so that a crash in between keeps it once more, as the
same commit. What a lane holds when its agent is cut short is kept before the lane is closed, or opened anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase, TaskState, is_undone
from buildwright.core.event import AnyEvent
from buildwright.core.finding import Finding, Verdict
from buildwright.core.sanitize import Mask
from buildwright.core.terminal import clean
from buildwright.engine.action_context import ActionContext
from buildwright.errors import BuildwrightError, NotFound
from buildwright.ports import BuildReader, LaneKey, Merged, Workspace

_LONGEST_REASON = 2_000
_MOST_FINDINGS = 10
KILLED = "the process that ran the attempt was killed"
INTERRUPTED = "the attempt was interrupted"


async def keep_refused(bench: ActionContext, build: Build, facts: Sequence[AnyEvent]) -> None:
    """Keep the change of each attempt that these facts refuse."""
    workspace = bench.world.workspace
    if workspace is None or not build.options.lanes:
        return
    for fact in facts:
        reason = _refusal(fact)
        if not reason:
            continue
        task: str = fact.task  # type: ignore[union-attr]
        state = build.task(task)
        if state.patch is not None and not state.patch.is_empty and not is_undone(state):
            key = LaneKey(build.id, task, state.attempt)
            trouble = await _keep(workspace, build, key, state.patch.tree, reason)
            if trouble:
                bench.logbook.note("engine", trouble, task, state.attempt)


async def keep_lane(bench: ActionContext, build: Build, key: LaneKey, reason: str) -> None:
    """Keep what the lane of an attempt holds, if it is open and holds a change; also when cancelled meanwhile."""
    workspace = bench.world.workspace
    if workspace is None or not build.options.lanes:
        return
    keeping = asyncio.ensure_future(_keep(workspace, build, key, "", clean(reason, bench.world.mask)))
    cancelled: asyncio.CancelledError | None = None
    while not keeping.done():
        try:
            await asyncio.wait([keeping])
        except asyncio.CancelledError as cancel:
            cancelled = cancel
    if trouble := keeping.result():
        bench.logbook.note("engine", trouble, key.task, key.attempt)
    if cancelled is not None:
        raise cancelled


class AttemptWork(NamedTuple):
    """What an attempt made: from commit `base` to a tree; `commit` holds the tree where the work is kept, else ""."""

    base: str
    tree: str
    commit: str = ""


async def work_of_attempt(
    builds: BuildReader, workspace: Workspace, build: Build, task: str, attempt: int
) -> AttemptWork | None:
    """Return what an attempt made: kept because it did not land, or as its patch was taken; None when it left nothing.

    Raises GitFailed, StoreFailed.
    """
    try:
        kept = await workspace.kept(build.id) if build.base else ()
    except NotFound:
        kept = ()
    for work in kept:
        if (work.key.task, work.key.attempt) == (task, attempt):
            return AttemptWork(work.base, work.tree, work.commit)
    base = ""
    for recorded in await builds.read(build.id):
        event = recorded.event
        if isinstance(event, e.TaskStarted) and (event.task, event.attempt) == (task, attempt):
            base = event.base
        if isinstance(event, e.AgentFinished) and (event.task, event.attempt) == (task, attempt):
            return AttemptWork(base, event.patch.tree) if event.patch is not None and not event.patch.is_empty else None
    return None


class Carried(NamedTuple):
    """A change that an attempt goes on from, on its base; `conflicts` are files with both sides marked."""

    tree: str = ""
    """Tree with the change; "" when the attempt starts from its base."""
    conflicts: tuple[str, ...] = ()
    missing: int = 0
    """The attempt that the user has put back, if it left no change."""


async def carried_change(
    builds: BuildReader, workspace: Workspace, build: Build, key: LaneKey, base: str, *, resumes: bool
) -> Carried:
    """Return what an attempt on commit `base` goes on from: `resumes` says whether its agent can go on from a change.

    It is the rejected change of the attempt before, or the work of the one that the user has put back. Raises GitFailed,
    StoreFailed.
    """
    state = build.task(key.task)
    change = AttemptWork(state.kept_base, state.kept_tree) if resumes else AttemptWork("", "")
    missing = 0
    if state.carry_from:
        work = await work_of_attempt(builds, workspace, build, key.task, state.carry_from)
        change, missing = (change, state.carry_from) if work is None else (work, 0)
    if not change.tree:
        return Carried(missing=missing)
    at = state.attempt_at or build.created_at
    kept = await workspace.rebase(build.id, change.base, change.tree, base, f"Task {key.task}: kept", at)
    return Carried(kept.tree, () if isinstance(kept, Merged) else kept.files, missing)


async def findings_of_attempt(builds: BuildReader, build: Build, task: str, attempt: int) -> tuple[Finding, ...]:
    """Return why the gates refused an attempt when they last did; none of one that they never refused."""
    found: tuple[Finding, ...] = ()
    for recorded in await builds.read(build.id):
        event = recorded.event
        if not isinstance(event, e.PatchJudged | e.MergeJudged) or event.verdict.ok:
            continue
        if (event.task, event.attempt) == (task, attempt):
            found = event.verdict.findings
    return found


async def keep_leftovers(workspace: Workspace, build: Build) -> None:
    """Keep what lanes hold that a killed process has left open, before they are removed."""
    for task in build.active if build.options.lanes else ():
        state = build.task(task)
        if state.phase is TaskPhase.WORKING:
            await _keep(workspace, build, LaneKey(build.id, task, state.attempt), "", KILLED)


async def keep_unlanded(workspace: Workspace, build: Build, mask: Mask) -> None:
    """Keep what the tasks of an ended build had made that was never refused: to be judged or merged, or in a lane."""
    if not build.is_terminal or not build.options.lanes or not build.active:
        return
    await keep_leftovers(workspace, build)
    try:
        there = {(work.key.task, work.key.attempt) for work in await workspace.kept(build.id)}
    except BuildwrightError:
        return
    for task in build.active:
        state = build.task(task)
        if (task, state.attempt) not in there and not is_undone(state) and (tree := _newest_tree(state)):
            reason = state.reason or f"the build was {build.outcome} while the attempt was {_DOING[state.phase]}"
            await _keep(workspace, build, LaneKey(build.id, task, state.attempt), tree, clean(reason, mask))


_DOING = {
    TaskPhase.WORKING: "at work",
    TaskPhase.JUDGING: "being judged",
    TaskPhase.MERGING: "waiting to be merged",
    TaskPhase.REJECTED: "refused",
}


def cut_short(facts: Sequence[AnyEvent]) -> str:
    """Return why an attempt with these facts has made no patch, "" when it has made one."""
    match facts[-1] if facts else None:
        case e.AgentFinished():
            return ""
        case e.AgentBroke() as broke:
            return f"{broke.kind}: {broke.message}"
        case e.BuildPaused() as paused:
            return paused.message
        case _:
            return INTERRUPTED


def _newest_tree(state: TaskState) -> str:
    if state.phase is TaskPhase.WORKING:
        return state.checkpoint_tree
    return state.patch.tree if state.patch is not None and not state.patch.is_empty else ""


async def _keep(workspace: Workspace, build: Build, key: LaneKey, tree: str, reason: str) -> str:
    """Keep a tree, or ("") what the lane holds. Returns why that could not be done, "" when it is done."""
    state = build.task(key.task)
    assert build.plan is not None
    assert state.attempt_at is not None
    title = f"Task {key.task}, attempt {key.attempt}: {build.plan.task(key.task).title}"
    message = f"{title}\n\n{reason[:_LONGEST_REASON]}"
    try:
        await workspace.keep(key, state.base, tree, message, state.attempt_at, build.options.commits.author)
    except (BuildwrightError, OSError) as error:
        return f"what attempt {key.attempt} of {key.task} made could not be kept: {error}"
    return ""


def _refusal(fact: AnyEvent) -> str:
    """Return why a fact refuses an attempt, "" when it does not."""
    match fact:
        case e.PatchJudged() if not fact.verdict.ok:
            return _told(fact.verdict)
        case e.MergeJudged() if not fact.verdict.ok:
            return f"on top of what landed meanwhile: {_told(fact.verdict)}"
        case e.MergeConflicted():
            return f"conflicted in {', '.join(fact.files)} with what landed meanwhile"
        case _:
            return ""


def _told(verdict: Verdict) -> str:
    gates = ", ".join(report.gate for report in verdict.reports if not report.ok)
    findings = "\n".join(f"- {finding}" for finding in verdict.findings[:_MOST_FINDINGS])
    return f"refused by {gates}\n\n{findings}".strip()
