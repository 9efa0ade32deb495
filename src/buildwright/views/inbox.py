"""What needs a person: of every build of a user, each with what can be done about it. Pure; must never do it.

What blocks most comes first: the tasks that cannot be done before a person has acted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from pydantic import Field, JsonValue

from buildwright.core.build import Build, Pause, TaskPhase, TaskState, unapproved
from buildwright.core.figures import count
from buildwright.core.record import Record
from buildwright.views.command_lines import resume_body, resume_line
from buildwright.views.interview import InterviewEntry
from buildwright.views.overview import approvable_in, pause_view, steps_view
from buildwright.views.statuses import MET

NeedKind = Literal["pause", "plan", "finding", "step", "runner", "interview"]
"""`plan`: one that waits to be seen before it runs; `runner`: no process carries the build out."""
_MOST_FINDINGS = 10


class Remedy(Record):
    """One thing that a person can do: in words, as a command line, and as a request."""

    name: str
    """What it is, such as retry, skip, approve."""
    words: str
    command: str
    """"" where only a page or a request can do it."""
    method: Literal["GET", "POST"] = "POST"
    path: str
    body: dict[str, JsonValue] = Field(default_factory=dict)
    takes: str = ""
    """Field of the body that the person has to fill, such as `reason`; "" for none."""


class Need(Record):
    """One thing that waits for a person."""

    kind: NeedKind
    build: str = ""
    """"" for an interview."""
    project: str
    title: str
    """Of the build, or of the project that is asked about."""
    words: str
    """Why it waits, in a sentence."""
    task: str = ""
    since: datetime
    until: datetime | None = None
    """When it goes on by itself, if it does."""
    blocks: int
    """Tasks that cannot be done before."""
    blocked: str
    """That in words."""
    findings: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    """What the reader can do; () with `refused`."""
    refused: str = ""
    """Why the reader may do nothing about it, and whom to ask; "" where nothing bars it."""
    evidence: str
    """Path of what there is to read about it."""


def inbox_of(
    builds: Iterable[Build],
    interviews: Iterable[InterviewEntry] = (),
    unattended: Iterable[str] = (),
    refused: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Need, ...]:
    """Return what needs a person, what blocks most first, of the same the oldest.

    `unattended` are the ids of builds that run and that no process carries out; `refused` has why the reader may not steer a
    build, by its id.
    """
    alone = frozenset(unattended)
    needs = [need for build in builds if not build.is_terminal for need in _of_build(build, build.id in alone)]
    needs = [
        need.model_copy(update={"remedies": (), "refused": refused[need.build]}) if need.build in refused else need
        for need in needs
    ]
    needs += [_of_interview(entry) for entry in interviews if not entry.is_complete]
    return tuple(sorted(needs, key=lambda one: (one.until is not None, -one.blocks, one.since)))


def _of_build(build: Build, unattended: bool) -> Iterator[Need]:
    pause = build.pause
    if pause is not None:
        yield _of_pause(build, pause)
    elif build.waits_for_step:
        yield _of_step(build)
    elif unattended:
        words = "No process carries it out: the one that did has ended."
        remedy = Remedy(
            name="run", words="continue it", command=f"buildwright run {build.id[:8]}", path=_at(build, "run")
        )
        yield _need(build, "runner", words, build.updated_at, remedies=(remedy,))
    for task in () if build.plan is None else build.plan.position:
        state = build.task(task)
        in_pause = pause is not None and pause.task == task
        if (asked := approvals_asked(state)) and not in_pause:
            yield _of_findings(build, task, state, asked)


def _of_pause(build: Build, pause: Pause) -> Need:
    return _need(
        build,
        "plan" if pause.reason == "approval" else "pause",
        pause_words(pause),
        pause.since,
        task=pause.task,
        until=pause.until,
        findings=pause_view(build, pause).findings[:_MOST_FINDINGS],
        remedies=pause_remedies(build, pause),
    )


def pause_words(pause: Pause) -> str:
    """Return why a build is paused, in one line."""
    return pause.message.partition("\n")[0] or _WHY.get(pause.reason, pause.reason)


def pause_remedies(build: Build, pause: Pause) -> tuple[Remedy, ...]:
    """Return the ways out of a pause: the approvals that would do, then the choices."""
    choices = (
        Remedy(
            name=choice.name,
            words=choice.words,
            command=resume_line(build.id, choice),
            path=_at(build, "resume"),
            body=resume_body(choice),
        )
        for choice in pause_view(build, pause).choices
    )
    asked = approvals_asked(build.task(pause.task)) if pause.task else ()
    return (*_approving(build, asked), *choices)


_WHY = {
    "user": "You have paused it.",
    "approval": "Its plan waits until you have seen it.",
    "budget": "Its budget is spent.",
}
"""Why a build is paused, where the pause says nothing itself."""


def _of_step(build: Build) -> Need:
    remedies = tuple(
        Remedy(
            name="step",
            words="make the next step" if mode == "auto" else f"make one step: {mode}",
            command=f"buildwright step {build.id[:8]}" + ("" if mode == "auto" else f" --mode {mode}"),
            path=_at(build, "step"),
            body={"mode": mode},
        )
        for mode in steps_view(build).allowed
    )
    return _need(build, "step", "It is driven by hand and waits for a step.", build.updated_at, remedies=remedies)


def approvals_asked(state: TaskState) -> tuple[str, ...]:
    """Return the fingerprints of the findings whose approval alone has the task's change judged again; () for none."""
    if state.phase not in {TaskPhase.REJECTED, TaskPhase.READY, TaskPhase.FAILED} or state.patch is None:
        return ()
    return approvable_in(state)


def _of_findings(build: Build, task: str, state: TaskState, asked: tuple[str, ...]) -> Need:
    return _need(
        build,
        "finding",
        f"The change of {task} is refused only for what you can approve.",
        build.updated_at if state.attempt_at is None else state.attempt_at,
        task=task,
        findings=tuple(map(str, unapproved(state)))[:_MOST_FINDINGS],
        remedies=_approving(build, asked),
    )


def _approving(build: Build, fingerprints: Sequence[str]) -> tuple[Remedy, ...]:
    return tuple(
        Remedy(
            name="approve",
            words="let this finding pass, and say why",
            command=f'buildwright approve {build.id[:8]} {one} -m "..."',
            path=_at(build, "approve"),
            body={"finding": one},
            takes="reason",
        )
        for one in fingerprints
    )


def _of_interview(entry: InterviewEntry) -> Need:
    said = Remedy(
        name="answer",
        words="answer the next question",
        command="buildwright init",
        path=f"/projects/{entry.project_id}/questionnaire",
        takes="message",
    )
    return Need(
        kind="interview",
        project=entry.project_id,
        title=entry.title or entry.name,
        words="The interview has begun and is not complete.",
        since=entry.updated_at,
        blocks=0,
        blocked="its build",
        remedies=(said,),
        evidence=f"/projects/{entry.project_id}/questionnaire/state",
    )


def _need(
    build: Build,
    kind: NeedKind,
    words: str,
    since: datetime,
    *,
    task: str = "",
    until: datetime | None = None,
    findings: tuple[str, ...] = (),
    remedies: tuple[Remedy, ...] = (),
) -> Need:
    blocked = blocked_by(build, task if kind == "finding" else "")
    return Need(
        kind=kind,
        build=build.id,
        project=build.project_id,
        title=build.spec.title,
        words=words,
        task=task,
        since=since,
        until=until,
        blocks=blocked,
        blocked=_blocked_words(build, blocked),
        findings=findings,
        remedies=remedies,
        evidence=_at(build, f"why/{task}") if task and build.plan is not None else _at(build, ""),
    )


def blocked_by(build: Build, task: str = "") -> int:
    """Return how many tasks cannot be done before this one is, itself among them; "" counts all that are open."""
    if build.plan is None:
        return 0
    if not task:
        return build.total - build.done - build.skipped
    return 1 + sum(build.task(one).phase not in MET for one in build.plan.needing(task))


def _blocked_words(build: Build, blocked: int) -> str:
    if build.plan is None:
        return "the plan, and with it everything"
    return "the end of the build" if not blocked else count(blocked, "task")


def _at(build: Build, rest: str) -> str:
    return f"/api/builds/{build.id}" + (f"/{rest}" if rest else "")
