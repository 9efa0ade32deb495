"""The command that sends the comments of a review to the agents as one batch. Must never do an effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Annotated

from pydantic import Field

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import AnyEvent, ReviewComment
from buildwright.core.paths import check_path
from buildwright.core.task import Task
from buildwright.engine.build_command import BuildCommand, Words
from buildwright.engine.task_commands import plan_change, plan_of, task_of
from buildwright.errors import Refused


@dataclass(frozen=True, slots=True)
class SendReview(BuildCommand):
    """Send comments on lines to the agents: one message to each task at work, a new task for those that are over."""

    name = "review"
    receipt = "review_id"
    wakes = True
    reopens = True
    comments: Annotated[
        tuple[ReviewComment, ...], Field(min_length=1, max_length=500, description="On lines of files.")
    ]
    message: Annotated[Words, Field(description="What is said of the whole.")] = ""

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:
        plan_of(build)
        if not all(one.text.strip() for one in self.comments):
            raise Refused("a comment is empty", fix="say what is to change")
        for one in self.comments:
            check_path(one.path)
        for task in {one.task for one in self.comments if one.task}:
            task_of(build, task)
        added, messages = list[Task](), list[AnyEvent]()
        for task in dict.fromkeys(one.task for one in self.comments):
            told = [one for one in self.comments if one.task == task]
            if task and not build.is_terminal and build.task(task).phase not in {TaskPhase.DONE, TaskPhase.SKIPPED}:
                messages.append(e.MessageSent(id=f"{new_id}-{task}", text=self._text(told), task=task))
            else:
                added.append(self._task(build, task, told, {one.id for one in added}))
        sent = e.ReviewSent(
            id=new_id, comments=self.comments, message=self.message, tasks=tuple(one.id for one in added)
        )
        change = plan_change(build, tuple(added), ()) if added else ()
        first = [one for one in change if isinstance(one, e.BuildReopened)]
        return (*first, sent, *messages, *change[len(first) :])

    def _text(self, comments: Sequence[ReviewComment]) -> str:
        return "\n".join(self._lines(comments))[:20_000]

    def _lines(self, comments: Sequence[ReviewComment]) -> Iterator[str]:
        yield "A person has reviewed the change and asks for this:"
        if self.message:
            yield self.message
        for one in comments:
            last = f"-{one.end_line}" if one.end_line > one.line else ""
            side = " (as it was before the change)" if one.side == "old" else ""
            yield f"- {one.path}:{one.line}{last}{side}: {one.text}"

    def _task(self, build: Build, task: str, comments: Sequence[ReviewComment], taken: set[str]) -> Task:
        """Return the task that does what the comments on a change that has landed ask for."""
        plan = plan_of(build)
        names = (f"review-{number}" for number in count(1))
        name = next(one for one in names if one not in plan.position and one not in taken)
        of = plan.milestone[plan.position[task]] if task else 0
        place = min(max(of, build.milestone), len(plan.milestones) - 1)
        title = f"Do what the review of {task} asks for" if task else "Do what the review asks for"
        return Task(
            id=name,
            title=title,
            goal=self._text(comments),
            acceptance=tuple(dict.fromkeys(one.text for one in comments)),
            depends_on=(task,) if task else (),
            files_expected=tuple(dict.fromkeys(one.path for one in comments)),
            milestone=plan.milestones[place],
        )
