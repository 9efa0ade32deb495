"""What an attempt at a task is told, made anew from the build and its repository. Must never change anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from buildwright.agents.briefing import feedback_of_attempt, parts_of_attempt
from buildwright.agents.prompt import PromptPart, joined
from buildwright.core.apply import fold
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import LessonsGiven, Recorded, TaskStarted
from buildwright.core.lessons import GivenLesson
from buildwright.core.record import Record
from buildwright.engine.kept_work import Carried, carried_change, findings_of_attempt
from buildwright.errors import NotFound
from buildwright.ports import BriefingRequest, Builds, LaneKey, Workspace

_UNDER_WAY = frozenset({TaskPhase.WORKING, TaskPhase.JUDGING, TaskPhase.MERGING, TaskPhase.DONE})
"""Phases of a task whose newest attempt is shown; in the others it is the one to come."""


class PromptPartView(Record):
    """A part of a prompt and its size in bytes of UTF-8."""

    name: str
    bytes: int
    text: str


class PromptView(Record):
    """What an attempt is told: the running or last one, or, before its start, the next one as things stand now."""

    build: str
    task: str
    attempt: int
    """Counts from 1."""
    to_come: bool
    """Whether the attempt has not begun: what lands until then changes the text."""
    base: str
    """Commit that the attempt stands on; "" without a repository."""
    parts: tuple[PromptPartView, ...]
    """In their order."""
    feedback: str
    """What it is told of the attempt before, after all parts; "" for the first."""

    @property
    def text(self) -> str:
        """The whole text."""
        told = joined([PromptPart(part.name, part.text) for part in self.parts])
        return f"{told}\n\n{self.feedback}" if self.feedback else told


async def prompt_of(
    builds: Builds,
    workspace: Workspace,
    build: Build,
    task_id: str,
    attempt: int,
    resumes: Callable[[str], bool],
    lessons: Callable[[Build, str], Awaitable[tuple[GivenLesson, ...]]],
) -> PromptView:
    """Return what an attempt (0: the running or last one, else the one to come) at a task is told.

    `resumes` says whether the agent of a name can go on from a refused change, `lessons` which ones a task would be given
    now. What the set-up of its lane adds is known
    only once that has run, and is not part of it. Raises NotFound, GitFailed, StoreFailed.
    """
    if build.plan is None or task_id not in build.plan.position:
        raise NotFound(f"there is no task {task_id} in this build", fix=f"see `buildwright status {build.id}`")
    newest = build.task(task_id)
    chosen = attempt or newest.attempt + (newest.phase not in _UNDER_WAY)
    to_come = chosen > newest.attempt
    if chosen > newest.attempt + 1:
        raise NotFound(f"there was no attempt {chosen} at {task_id}", fix=f"see `buildwright why {build.id} {task_id}`")
    if not to_come:
        build = _as_it_began(await builds.read(build.id), task_id, chosen)
    assert build.plan is not None
    task, state = build.plan.task(task_id), build.task(task_id)
    if to_come and chosen == 1 and build.options.lessons:
        state = state._replace(lessons=await lessons(build, task_id))
    base = build.head if to_come else state.base
    place = workspace if build.options.lanes and base else None
    carried = Carried()
    if place is not None:
        key = LaneKey(build.id, task_id, chosen)
        carried = await carried_change(builds, place, build, key, base, resumes=resumes(state.agent))
    wrong = await findings_of_attempt(builds, build, task_id, state.carry_from) if state.carry_from else ()
    tree = carried.tree or base
    request = BriefingRequest(build, task, state, tree, bool(carried.tree), carried.conflicts, wrong)
    parts = await parts_of_attempt(request, place)
    return PromptView(
        build=build.id,
        task=task_id,
        attempt=chosen,
        to_come=to_come,
        base=base,
        parts=tuple(PromptPartView(name=name, bytes=len(text.encode()), text=text) for name, text in parts),
        feedback=feedback_of_attempt(request),
    )


def _as_it_began(history: Sequence[Recorded], task: str, attempt: int) -> Build:
    """Return the build as it was when the attempt began."""
    for place, recorded in enumerate(history):
        event = recorded.event
        if isinstance(event, TaskStarted) and (event.task, event.attempt) == (task, attempt):
            build = fold(list(history[: place + 1]))
            state = build.task(task)
            for later in history[place + 1 :]:
                if isinstance(later.event, LessonsGiven) and (later.event.task, later.event.attempt) == (task, attempt):
                    state = state._replace(lessons=later.event.given)
            return build.evolve({"tasks": build.tasks.set(task, state)})
    raise NotFound(f"there was no attempt {attempt} at {task}", fix="leave the number out")
