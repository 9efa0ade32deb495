"""The first page of a user: projects with their health, what needs a person, what happened since. Pure; must never decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import Field

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import Recorded
from buildwright.core.figures import count
from buildwright.core.record import Record
from buildwright.views.estimate import Range
from buildwright.views.forecast import seconds_left
from buildwright.views.inbox import Need
from buildwright.views.overview import clocks_stand, headline, running_tasks, seconds_of, task_counts
from buildwright.views.project import current_phase, phases_of, progress_of

MOST_NEWS = 5
_MOST_NAMED = 3
_RED_PAUSES = frozenset({"base", "failure", "stuck", "delivery", "plan", "trouble", "audit", "undo"})
"""Pauses because something does not work; the others wait for a person's word, for money or for time."""


class BuildHealth(Record):
    """How a build, or a project by its newest build, is doing: the colour, and why in words."""

    colour: Literal["green", "yellow", "red"]
    cause: str


class BuildCard(Record):
    """A build as the first page shows it."""

    id: str
    project: str
    title: str
    version: int
    state: str
    """In words for people."""
    outcome: str
    """"" until it has ended."""
    health: BuildHealth
    phase: str = ""
    """Name of the phase it is in; "" before there is a plan."""
    phase_number: int = 0
    """From 1."""
    phase_count: int = 0
    progress: int = 0
    """Percent of the tasks that are over."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Tasks by phase; without zeros."""
    total: int = 0
    running: tuple[str, ...] = ()
    """Tasks in work."""
    seconds: float
    """From its creation to its end, or to now."""
    seconds_left: Range | None = None
    """Until its last task is done; None when that is not known."""
    cost_usd: Decimal
    budget_usd: Decimal | None = None
    created_at: datetime
    updated_at: datetime
    clocks_run: bool
    """Whether `seconds` grows."""


class HomeProject(Record):
    """A project: a registered one, or the builds of one repository."""

    id: str
    name: str
    registered: bool
    """Whether `/projects/{id}` has it."""
    health: BuildHealth
    builds: tuple[BuildCard, ...] = ()
    """Those that have not ended and the newest one, newest first."""
    more_builds: int = 0
    """Older ones."""


class NewsLine(Record):
    """One line of what happened since the user was here, with its evidence."""

    build: str
    title: str
    kind: Literal["ended", "paused", "failed", "delivered", "landed", "planned"]
    words: str
    at: datetime
    seq: int
    """Number of the event; of several the newest."""
    tasks: tuple[str, ...] = ()
    commit: str = ""
    """That landed or was delivered last."""
    evidence: str
    """Path of what there is to read about it."""


class Home(Record):
    """All of the first page."""

    as_of: datetime
    """Time of this answer; the next visit gives it as `since`."""
    projects: tuple[HomeProject, ...]
    """With what needs a person first, then the newest."""
    inbox: tuple[Need, ...]
    news: tuple[NewsLine, ...] = ()
    """At most five lines, the newest first; () without `since`."""
    more_news: int = 0
    """Lines that were left out: the least important."""


class SeenBuild(NamedTuple):
    """A build with the events that the user has not seen."""

    build: Build
    events: Sequence[Recorded] = ()


def health_of(build: Build, *, unattended: bool = False) -> BuildHealth:
    """Return how a build is doing. `unattended`: it runs, and no process carries it out."""
    if build.outcome == "succeeded":
        skipped = f"{build.skipped} of its tasks were given up" if build.skipped else ""
        return (
            BuildHealth(colour="yellow", cause=skipped)
            if skipped
            else BuildHealth(colour="green", cause="It has succeeded.")
        )
    if build.outcome == "stopped":
        return BuildHealth(colour="yellow", cause="You have stopped it.")
    if build.outcome:
        return BuildHealth(colour="red", cause=_sentence(build.message or f"It has {build.outcome}"))
    if build.pause is not None:
        cause = build.pause.message.partition("\n")[0] or ("You have paused it" if build.pause.reason == "user" else "")
        colour: Literal["yellow", "red"] = "red" if build.pause.reason in _RED_PAUSES else "yellow"
        return BuildHealth(colour=colour, cause=_sentence(cause or f"It is paused: {build.pause.reason}"))
    if build.failed:
        return BuildHealth(colour="red", cause=f"{_named(build.failed)} failed.")
    if unattended:
        return BuildHealth(colour="yellow", cause="No process carries it out.")
    if build.waits_for_step:
        return BuildHealth(colour="yellow", cause="It waits for a step.")
    if build.failures_in_row:
        return BuildHealth(colour="yellow", cause=f"{len(build.failures_in_row)} attempts in a row were refused.")
    again = [task for task in build.active if build.task(task).attempt > 1]
    if again:
        return BuildHealth(colour="yellow", cause=f"{_named(again)} had to be tried again.")
    return BuildHealth(colour="green", cause="Everything goes as planned.")


def card_of(build: Build, now: datetime, *, unattended: bool = False) -> BuildCard:
    """Return a build as the first page shows it."""
    phases = phases_of(build)
    current = current_phase(build, phases)
    return BuildCard(
        id=build.id,
        project=build.project_id,
        title=build.spec.title,
        version=build.version,
        state=headline(build),
        outcome=build.outcome or "",
        health=health_of(build, unattended=unattended),
        phase=current.name if current else "",
        phase_number=current.number if current else 0,
        phase_count=len(phases),
        progress=progress_of(build),
        counts=task_counts(build),
        total=build.total,
        running=tuple(running_tasks(build)),
        seconds=seconds_of(build, now),
        seconds_left=seconds_left(build, now),
        cost_usd=build.usage.cost_usd,
        budget_usd=build.budget_usd,
        created_at=build.created_at,
        updated_at=build.updated_at,
        clocks_run=not clocks_stand(build),
    )


def projects_of(
    cards: Iterable[BuildCard], named: Mapping[str, str], older: Mapping[str, int], inbox: Iterable[Need]
) -> tuple[HomeProject, ...]:
    """Return the projects with their builds (`cards`, newest first). `named` has the registered ones by id, newest first.

    `older` counts the builds of a project that have no card.
    """
    of_project: dict[str, list[BuildCard]] = {}
    for card in cards:
        of_project.setdefault(card.project, []).append(card)
    waiting = [need.project for need in inbox if need.until is None]
    projects = [
        HomeProject(
            id=project,
            name=named.get(project, project),
            registered=project in named,
            health=mine[0].health if (mine := of_project.get(project, [])) else _NOTHING,
            builds=tuple(mine),
            more_builds=older.get(project, 0),
        )
        for project in dict.fromkeys((*of_project, *named))
    ]
    place = {project: index for index, project in reversed(list(enumerate(waiting)))}
    return tuple(sorted(projects, key=lambda one: place.get(one.id, len(waiting))))


_NOTHING = BuildHealth(colour="green", cause="Nothing has been built yet.")


def news_of(seen: Iterable[SeenBuild], most: int = MOST_NEWS) -> tuple[tuple[NewsLine, ...], int]:
    """Return at most `most` lines of what these events say, the newest first, and how many lines were left out."""
    lines = [line for one in seen for line in _news(one.build, one.events)]
    chosen = sorted(lines, key=lambda line: (_RANK[line.kind], -line.at.timestamp()))[:most]
    return tuple(sorted(chosen, key=lambda line: line.at, reverse=True)), len(lines) - len(chosen)


_RANK = {kind: rank for rank, kind in enumerate(("ended", "paused", "failed", "delivered", "landed", "planned"))}


def _news(build: Build, events: Sequence[Recorded]) -> Iterator[NewsLine]:
    """Yield the lines about one build: what still holds of each kind, by the newest event of it."""
    newest: dict[str, Recorded] = {}
    landed: dict[str, Recorded] = {}
    failed: dict[str, Recorded] = {}
    for recorded in events:
        match recorded.event:
            case e.ChangeLanded(task=task):
                landed[task] = recorded
            case e.TaskFailed(task=task):
                failed[task] = recorded
            case e.BuildPaused() | e.BuildDelivered() | e.PlanMade() | e.BuildFinished():
                newest[recorded.event.type] = recorded
    done = [task for task in landed if build.task(task).phase is TaskPhase.DONE]
    if done:
        last = landed[done[-1]]
        words = f"{count(len(done), 'task')} landed: {_named(done)}."
        yield _line(build, "landed", words, last, done, commit=build.task(done[-1]).commit)
    gone = [task for task in failed if build.task(task).phase is TaskPhase.FAILED]
    if gone:
        words = f"{count(len(gone), 'task')} failed: {_named(gone)}."
        yield _line(build, "failed", words, failed[gone[-1]], gone)
    if (made := newest.get("plan.made")) is not None:
        yield _line(build, "planned", f"It has a plan of {count(build.total, 'task')}.", made)
    if (delivered := newest.get("build.delivered")) is not None and isinstance(delivered.event, e.BuildDelivered):
        event = delivered.event
        yield _line(build, "delivered", f"Its result is in {event.ref or event.kind}.", delivered, commit=event.commit)
    if build.outcome and (ended := newest.get("build.finished")) is not None:
        why = f": {build.message}" if build.message else ""
        yield _line(build, "ended", _sentence(f"It has {_ENDED[build.outcome]}{why}"), ended)
    if build.pause is not None and (paused := newest.get("build.paused")) is not None:
        why = build.pause.message.partition("\n")[0] or build.pause.reason
        yield _line(build, "paused", _sentence(f"It is paused: {why}"), paused)


_ENDED = {"succeeded": "succeeded", "failed": "failed", "stopped": "been stopped", "aborted": "been given up"}


def _line(
    build: Build,
    kind: Literal["ended", "paused", "failed", "delivered", "landed", "planned"],
    words: str,
    recorded: Recorded,
    tasks: Sequence[str] = (),
    commit: str = "",
) -> NewsLine:
    path = f"/api/builds/{build.id}"
    evidence = {"planned": f"{path}/phases", "delivered": f"{path}/diff", "ended": f"{path}/gates", "paused": path}
    return NewsLine(
        build=build.id,
        title=build.spec.title,
        kind=kind,
        words=words,
        at=recorded.at,
        seq=recorded.seq,
        tasks=tuple(tasks),
        commit=commit,
        evidence=evidence.get(kind) or f"{path}/why/{tasks[-1]}",
    )


def _named(tasks: Sequence[str]) -> str:
    more = len(tasks) - _MOST_NAMED
    return ", ".join(tasks[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
