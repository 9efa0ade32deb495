"""The command that makes tasks of the comments on a build's pull request. Must never ask the forge itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.core.paths import check_path
from buildwright.core.task import Task
from buildwright.engine.build_command import BuildCommand
from buildwright.engine.task_commands import plan_of
from buildwright.errors import Refused, UnsafePath
from buildwright.ports import ForgeComment

_LONGEST = 20_000
"""Characters of a comment that its task has; of the lines that it is about, a fifth."""


@dataclass(frozen=True, slots=True)
class TakeFeedback(BuildCommand):
    """Make a task of each comment on the build's pull request that is none yet; the build then goes on."""

    name = "feedback"
    wakes = True
    reopens = True

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        raise Refused("the comments were not fetched", fix="give the command to the program that can ask the forge")


def tasks_of(build: Build, comments: Iterable[ForgeComment]) -> tuple[Task, ...]:
    """Return a task for each comment that has none in the plan. Raises IllegalMove before there is a plan."""
    plan = plan_of(build)
    return tuple(
        _task(one, plan.milestones[-1]) for one in comments if one.text.strip() and _name(one) not in plan.position
    )


def _name(comment: ForgeComment) -> str:
    return f"pr-{comment.id}"


def _task(comment: ForgeComment, milestone: str) -> Task:
    where = f" on {comment.path}" + (f":{comment.line}" if comment.line else "") if comment.path else ""
    about = f"\n\nThe lines that it is about:\n{comment.hunk[: _LONGEST // 5]}" if comment.hunk else ""
    said = comment.text.strip()[:_LONGEST]
    return Task(
        id=_name(comment),
        title=f"Review by {comment.author}{where}"[:200],
        goal=f"{comment.author} has reviewed the pull request and asks for this{where}:\n{said}{about}",
        acceptance=(said,),
        files_expected=(comment.path,) if _is_safe(comment.path) else (),
        milestone=milestone,
    )


def _is_safe(path: str) -> bool:
    try:
        check_path(path)
    except UnsafePath:
        return False
    return bool(path)
