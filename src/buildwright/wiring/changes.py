"""The change that a build, or one of its tasks, made: its two ends, and line counts. Must never change anything."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from buildwright.core.build import Build, no_task
from buildwright.core.event import BuildForked, MergePrepared
from buildwright.engine.kept_work import AttemptWork, work_of_attempt
from buildwright.errors import NotFound, Refused
from buildwright.views.attempts import AttemptChange, AttemptsView, attempts_side_by_side
from buildwright.views.review import ReviewView, diff_files, owners_in, review_of

if TYPE_CHECKING:
    from buildwright.ports import Builds, KeptWork, Workspace
    from buildwright.workspace import GitWorkspace

_BLOCK = 1000
"""Events read at once, from the newest backwards."""


@dataclass(frozen=True, slots=True)
class FileStat:
    """The lines added and removed in one file; both 0 for a binary file or a change of mode."""

    path: str
    added: int
    removed: int


class Change(NamedTuple):
    """A change as git's unified diff between two commits or trees."""

    old: str
    new: str
    text: str


class ChangeWanted(NamedTuple):
    """Which change of a build: of all that landed, of one task, or of one of the task's attempts (from 1)."""

    task: str = ""
    attempt: int = 0
    binary: bool = False
    """Whether `git apply` must accept the text: then it holds the bytes of files that are no text."""
    ignore_space: bool = False
    """Whether lines that differ in white space alone count as the same."""


async def change_of(builds: Builds, workspace: Workspace, build: Build, wanted: ChangeWanted) -> Change:
    """Return what the build has landed so far, or what one task or attempt changed, landed or not.

    Raises NotFound, GitFailed.
    """
    if wanted.attempt:
        old, new = await _ends_of_attempt(builds, workspace, build, wanted.task, wanted.attempt)
    else:
        old, new = await _ends(builds, build, wanted.task)
    if old == new:
        return Change(old, new, "")
    how = {"binary": wanted.binary, "ignore_space": wanted.ignore_space}
    return Change(old, new, await workspace.diff(build.id, old, new, **how))


async def review(
    builds: Builds, workspace: GitWorkspace, build: Build, task: str, *, ignore_space: bool = False
) -> ReviewView:
    """Return the change of the build, or of one of its tasks, with the purpose of each hunk. Raises NotFound, GitFailed."""
    wanted = ChangeWanted(task, ignore_space=ignore_space)
    old, new, text = await change_of(builds, workspace, build, wanted)
    files = await asyncio.to_thread(diff_files, text)
    owners = None
    if not task:
        log = await workspace.log_of_lines(build.id, old, new) if old != new else ""
        owners = await asyncio.to_thread(owners_in, log)
    return await asyncio.to_thread(review_of, build, task, (old, new), files, owners)


async def attempts(
    builds: Builds, workspace: Workspace, build: Build, task: str, left: int, right: int
) -> AttemptsView:
    """Return what two attempts at a task changed, side by side. Raises NotFound, Refused (the same one), GitFailed."""
    if left == right:
        raise Refused(f"both are attempt {left}", fix="name two attempts")
    made = []
    for attempt in (left, right):
        old, new, text = await change_of(builds, workspace, build, ChangeWanted(task, attempt))
        made.append(AttemptChange(attempt, old, new, await asyncio.to_thread(diff_files, text)))
    return await asyncio.to_thread(attempts_side_by_side, build.id, task, *made)


async def kept_work(workspace: Workspace, build: Build) -> tuple[KeptWork, ...]:
    """Return what is kept of attempts that did not land; nothing for a build that touched no repository."""
    if not build.base:
        return ()
    try:
        return await workspace.kept(build.id)
    except NotFound:
        return ()


def file_stats(text: str) -> list[FileStat]:
    """Return the files and line counts of a unified diff as git writes it."""
    stats: list[FileStat] = []
    in_hunk = False
    for line in text.split("\n"):
        if line.startswith("diff --git "):
            in_hunk = False
            stats.append(FileStat(line.rpartition(" b/")[2].removesuffix('"'), 0, 0))
        elif line.startswith("@@"):
            in_hunk = True
        elif in_hunk and stats and line[:1] in {"+", "-"}:
            last = stats[-1]
            added, removed = line[0] == "+", line[0] == "-"
            stats[-1] = replace(last, added=last.added + added, removed=last.removed + removed)
    return stats


async def _ends_of_attempt(
    builds: Builds, workspace: Workspace, build: Build, task_id: str, attempt: int
) -> tuple[str, str]:
    """Return the two ends of what an attempt made: kept because it did not land, or else as its patch was taken."""
    work = await check_attempt(builds, workspace, build, task_id, attempt)
    return work.base, work.commit or work.tree


async def check_attempt(builds: Builds, workspace: Workspace, build: Build, task_id: str, attempt: int) -> AttemptWork:
    """Return what an attempt at a task made. Raises NotFound when it left no change."""
    _check_task(build, task_id)
    work = await work_of_attempt(builds, workspace, build, task_id, attempt)
    if work is not None:
        return work
    raise NotFound(
        f"attempt {attempt} of {task_id} left no change", fix=f"see `buildwright why {build.id[:8]} {task_id}`"
    )


def _check_task(build: Build, task_id: str) -> None:
    if build.plan is None or task_id not in build.plan.position:
        raise no_task(build, task_id)


async def _ends(builds: Builds, build: Build, task_id: str) -> tuple[str, str]:
    if not task_id:
        if not build.base:
            raise NotFound("this build has changed no repository yet", fix=f"see `buildwright status {build.id}`")
        return build.base, build.head
    _check_task(build, task_id)
    state = build.task(task_id)
    if state.commit:
        onto = await _landed_on(builds, build, task_id, state.commit)
        if onto:
            return onto, state.commit
    if state.patch is None:
        raise NotFound(f"{task_id} has changed nothing yet", fix=f"see `buildwright why {build.id} {task_id}`")
    return state.patch.base_tree, state.patch.tree


async def _landed_on(builds: Builds, build: Build, task_id: str, commit: str) -> str:
    """Return the commit below a landed one, also of a build that this one was forked from; "" when none is known."""
    until = build.version
    while until > 0:
        after = max(0, until - _BLOCK)
        for recorded in reversed(await builds.read(build.id, after, until - after)):
            event = recorded.event
            if isinstance(event, MergePrepared) and event.task == task_id and event.commit == commit:
                return event.onto
            if isinstance(event, BuildForked):
                return next((one.onto for one in event.landed if one.commit == commit), "")
        until = after
    return ""
