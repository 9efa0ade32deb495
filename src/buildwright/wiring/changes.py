"""The change that a build, or one of its tasks, made: its two ends, and line counts. Must never change anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from buildwright.core.build import Build
from buildwright.core.event import MergePrepared
from buildwright.errors import NotFound

if TYPE_CHECKING:
    from buildwright.ports import Builds, Workspace

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


async def change_of(builds: Builds, workspace: Workspace, build: Build, task_id: str = "") -> Change:
    """Return what the build has landed so far, or what one task changed, landed or not. Raises NotFound, GitFailed."""
    old, new = await _ends(builds, build, task_id)
    return Change(old, new, "" if old == new else await workspace.diff(build.id, old, new))


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


async def _ends(builds: Builds, build: Build, task_id: str) -> tuple[str, str]:
    if not task_id:
        if not build.base:
            raise NotFound("this build has changed no repository yet", fix=f"see `buildwright status {build.id}`")
        return build.base, build.head
    if build.plan is None or task_id not in build.plan.position:
        raise NotFound(f"there is no task {task_id} in this build", fix=f"see `buildwright status {build.id}`")
    state = build.task(task_id)
    if state.commit:
        onto = await _landed_on(builds, build, task_id, state.commit)
        if onto:
            return onto, state.commit
    if state.patch is None:
        raise NotFound(f"{task_id} has changed nothing yet", fix=f"see `buildwright why {build.id} {task_id}`")
    return state.patch.base_tree, state.patch.tree


async def _landed_on(builds: Builds, build: Build, task_id: str, commit: str) -> str:
    until = build.version
    while until > 0:
        after = max(0, until - _BLOCK)
        for recorded in reversed(await builds.read(build.id, after, until - after)):
            event = recorded.event
            if isinstance(event, MergePrepared) and event.task == task_id and event.commit == commit:
                return event.onto
        until = after
    return ""
