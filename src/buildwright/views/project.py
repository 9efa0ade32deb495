"""What a project's pages show of its build: status, phases, files, log lines. Pure; must never decide.

A phase is a milestone of the plan that has tasks. The results of a build are in `summary`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from buildwright.core.build import Build, TaskPhase, TaskState
from buildwright.core.record import Record
from buildwright.views.overview import MessageView, messages_waiting, pause_view, task_counts
from buildwright.views.statuses import (
    BUSY,
    TASKS,
    BuildStatusName,
    PhaseStatus,
    is_failure,
    is_refusal,
    phase_shown,
    phase_status,
    project_status,
)

ResumeAction = Literal["retry", "retry_with_message", "skip", "abort"]
LogLevel = Literal["debug", "info", "warning", "error"]

PLANNING = "Planning"
"""Name of the phase before there is a plan; its number is 0."""


class PhaseView(Record):
    """One phase. `number` counts from 1."""

    number: int
    name: str
    status: PhaseStatus
    tasks: int
    done: int
    skipped: int
    failed: int


class BuildStatus(Record):
    """The status of a build."""

    build_id: str
    project_id: str
    correlation_id: str
    title: str
    status: BuildStatusName
    stage: str
    """A `Stage` value."""
    phase: str
    """Name of the build's current phase."""
    phase_number: int
    """From 1; 0 before there is a plan."""
    phase_count: int
    phases: tuple[PhaseView, ...] = ()
    progress: int = Field(ge=0, le=100)
    """Percent of the tasks that have landed or were skipped; 100 only when the build is completed."""
    active: bool
    """Whether an agent works now."""
    loop_count: int
    """Refused attempts in the current phase."""
    tasks: dict[str, int] = Field(default_factory=dict)
    """Numbers of tasks by phase; zeros are left out."""
    paused_at: datetime | None = None
    pause_reason: str = ""
    pause_kind: str = ""
    """The reason of `BuildPaused`, such as failure or budget."""
    pause_phase: str = ""
    pause_task: str = ""
    pause_deadline: datetime | None = None
    """When the build is given up unless the user resumes it."""
    pause_findings: tuple[str, ...] = ()
    options: tuple[ResumeAction, ...] = ()
    """The ways to resume a paused build."""
    interjections_waiting: tuple[MessageView, ...] = ()
    """Messages that no agent has heard yet; a message that is gone from here was heard."""
    started_at: datetime | None = None
    updated_at: datetime
    completed_at: datetime | None = None
    error_detail: str = ""
    """Why the build failed or was cancelled."""


class BuildAnswer(Record):
    """The result of a request to a build."""

    build_id: str
    project_id: str
    status: BuildStatusName


class WrittenFile(Record):
    """A file that the build has made or changed, as it is at the integration head."""

    path: str
    size_bytes: int
    language: str = ""


class LogRow(Record):
    """One line of a build's log."""

    seq: int
    timestamp: datetime
    source: str
    """`agent`, or `engine`, `gate`, `git`."""
    level: LogLevel
    kind: str
    task: str = ""
    attempt: int = 0
    message: str


def status_of(build: Build) -> BuildStatus:
    """Return the whole status, in O(tasks)."""
    name = project_status(build.control, build.outcome or "", build.version)
    phases = phases_of(build)
    current = current_phase(build, phases)
    pause = build.pause
    shown = pause_view(build, pause) if pause is not None else None
    return BuildStatus(
        build_id=build.id,
        project_id=build.project_id,
        correlation_id=build.correlation_id,
        title=build.spec.title,
        status=name,
        stage=build.stage.value,
        phase=current.name if current else PLANNING,
        phase_number=current.number if current else 0,
        phase_count=len(phases),
        phases=phases,
        progress=progress_of(build),
        active=build.outcome is None and any(build.task(task).phase is TaskPhase.WORKING for task in build.active),
        loop_count=loop_count(build),
        tasks=task_counts(build),
        paused_at=pause.since if pause else None,
        pause_reason=(pause.message or pause.reason) if pause else "",
        pause_kind=pause.reason if pause else "",
        pause_phase=phase_name(build, pause.task) if pause else "",
        pause_task=pause.task if pause else "",
        pause_deadline=pause.since + timedelta(seconds=build.options.limits.pause_seconds) if pause else None,
        pause_findings=shown.findings if shown else (),
        options=resume_actions(build),
        interjections_waiting=messages_waiting(build),
        started_at=build.created_at if name != "pending" else None,
        updated_at=build.updated_at,
        completed_at=build.finished_at,
        error_detail=build.message if name in {"failed", "cancelled"} else "",
    )


def progress_of(build: Build) -> int:
    """Return the percent of the tasks that are over; 100 only for a completed build."""
    if build.outcome == "succeeded":
        return 100
    return min(99, 100 * (build.done + build.skipped) // build.total) if build.total else 0


def resume_actions(build: Build) -> tuple[ResumeAction, ...]:
    """Return the ways out of the build's pause; none when it is not paused."""
    if build.pause is None:
        return ()
    return ("retry", "retry_with_message", *(("skip",) if build.failed else ()), "abort")


def phases_of(build: Build) -> tuple[PhaseView, ...]:
    """Return the milestones that have tasks, in order, in O(tasks)."""
    plan = build.plan
    if plan is None:
        return ()
    counts = {place: Counter[str]() for place, size in enumerate(build.milestone_sizes) if size}
    for place, task in zip(plan.milestone, plan.graph.tasks, strict=True):
        counts[place][TASKS[phase_shown(build, build.task(task.id))][1]] += 1
    return tuple(
        PhaseView(
            number=number,
            name=plan.milestones[place] or f"Phase {number}",
            status=phase_status(
                tasks=count.total(),
                over=count["done"] + count["skipped"],
                failed=count["failed"],
                is_current=place == build.milestone,
                paused=build.pause is not None,
                ended=build.outcome is not None,
            ),
            tasks=count.total(),
            done=count["done"],
            skipped=count["skipped"],
            failed=count["failed"],
        )
        for number, (place, count) in enumerate(counts.items(), 1)
    )


def current_phase(build: Build, phases: tuple[PhaseView, ...]) -> PhaseView | None:
    """Return the phase that the build works at or worked at last; None before there is a plan."""
    number = _numbers(build).get(build.milestone, 0)
    return phases[number - 1] if 0 < number <= len(phases) else None


def phase_name(build: Build, task_id: str = "") -> str:
    """Return the name of the phase of a task, or of the build when no task is given."""
    plan = build.plan
    if plan is None:
        return PLANNING
    place = plan.milestone[plan.position[task_id]] if task_id in plan.position else build.milestone
    return phase_at(build, place)[0]


def phase_at(build: Build, place: int) -> tuple[str, int]:
    """Return the name and the number, from 1, of the phase at a place among the milestones; 0 before there is a plan."""
    if build.plan is None:
        return PLANNING, 0
    return build.phase_name(place), build.phase_number(place)


def _numbers(build: Build) -> dict[int, int]:
    """Return the numbers of phases by the places of their milestones."""
    filled = [place for place, size in enumerate(build.milestone_sizes) if size]
    return {place: number for number, place in enumerate(filled, 1)}


def loop_count(build: Build) -> int:
    """Return the number of rejected attempts in the current phase."""
    plan = build.plan
    if plan is None:
        return 0
    return sum(
        refused_attempts(s) for t, s in build.tasks.items() if plan.milestone[plan.position[t]] == build.milestone
    )


def refused_attempts(state: TaskState) -> int:
    """Return the number of rejected attempts at a task, without the one that runs or has landed."""
    return max(0, state.attempt - (state.phase in BUSY | {TaskPhase.DONE}))


def written_paths(build: Build) -> list[str]:
    """Return the sorted paths that landed changes made or changed. Some may be gone again at the head."""
    landed = (
        state.patch for state in build.tasks.values() if state.phase is TaskPhase.DONE and state.patch is not None
    )
    return sorted({change.path for patch in landed for change in patch.changes if change.kind != "deleted"})


# --- The log -------------------------------------------------------------------------------------------------------

_OF_AGENTS = frozenset({"said", "printed", "wrote", "ran", "heard", "used_tokens", "warned", "saved", "finished"})
_LEVELS: dict[str, LogLevel] = {
    "warned": "warning",
    "printed": "debug",
    "heard": "debug",
    "used_tokens": "debug",
    "saved": "debug",
}


def log_row(seq: int, at: datetime, task: str, attempt: int, kind: str, text: str) -> LogRow:
    """Return a stored line as it is shown: with its source and level."""
    return LogRow(
        seq=seq,
        timestamp=at,
        source="agent" if kind in _OF_AGENTS else kind,
        level="error" if is_failure(kind, text) else "warning" if is_refusal(kind, text) else _LEVELS.get(kind, "info"),
        kind=kind,
        task=task,
        attempt=attempt,
        message=text,
    )


def matching(rows: Iterable[LogRow], level: str = "", source: str = "", search: str = "") -> list[LogRow]:
    """Return the rows of that level and source ("" for any) whose message contains `search`, ignoring case."""
    wanted = search.casefold()
    return [
        row
        for row in rows
        if (not level or row.level == level)
        and (not source or row.source == source)
        and (not wanted or wanted in row.message.casefold())
    ]
