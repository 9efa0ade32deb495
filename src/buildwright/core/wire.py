"""The records that the outside sees of a build (Z1), with the names it demands. Pure data; what fills them is `projection`."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from buildwright.core.record import Record, UtcTime


class BuildPhase(StrEnum):
    """How far a build has come, in the words of the wire."""

    PLANNING = "planning"
    IMPLEMENTING = "implementing"
    VERIFYING = "verifying"
    REVIEWING = "reviewing"
    ITERATING = "iterating"
    READY = "ready"
    ABORTED = "aborted"
    ERROR = "error"


class TaskStatus(StrEnum):
    """How far a task has come. `blocked` is one that failed for good; a task the user gave up counts as done."""

    TODO = "todo"
    DOING = "doing"
    DONE = "done"
    BLOCKED = "blocked"


class ReviewDecision(StrEnum):
    """What a reviewer said."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"


class Task(Record):
    """A task as the wire shows it: what is planned, with how far it has come."""

    id: str
    title: str
    goal: str
    acceptance: tuple[str, ...]
    depends_on: tuple[str, ...] = ()
    files_expected: tuple[str, ...] = ()
    status: TaskStatus = TaskStatus.TODO
    created_at: UtcTime
    completed_at: UtcTime | None = None


class BuildGraph(Record):
    """All tasks of a build."""

    tasks: tuple[Task, ...]
    notes: str = ""
    created_at: UtcTime


class PatchSet(Record):
    """A change an agent made. `diff` is "" here: the text is git's, and whoever shows it asks the workspace."""

    id: str
    task_id: str
    diff: str = ""
    touched_files: tuple[str, ...]
    notes: str = ""
    created_at: UtcTime


class ValidationReport(Record):
    """What the validators said: scope, syntax and the task's own command."""

    ok: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    normalized_html: str | None = None
    js_valid: bool = True
    created_at: UtcTime


class CheckReport(Record):
    """What typecheck, lint and tests said. `ok` also covers the build command, which has no field of its own."""

    ok: bool
    typecheck_ok: bool = True
    lint_ok: bool = True
    unit_ok: bool = True
    logs: str = ""
    created_at: UtcTime


class ReviewReport(Record):
    """What a reviewer decided and why."""

    decision: ReviewDecision
    reasons: tuple[str, ...] = ()
    required_fixes: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()
    created_at: UtcTime


class BuildHistoryEvent(Record):
    """One event, with the phase that the build was in after it."""

    ts: UtcTime
    phase: BuildPhase
    action: str
    details: dict[str, Any]


class BuildState(Record):
    """A whole build as the wire shows it."""

    build_id: str
    project_id: str
    user_id: str
    phase: BuildPhase = BuildPhase.PLANNING
    current_task_id: str | None = None
    brief: dict[str, Any] = Field(default_factory=dict)
    build_plan: dict[str, Any] = Field(default_factory=dict)
    product_doc: dict[str, Any] = Field(default_factory=dict)
    build_graph: BuildGraph | None = None
    patch_sets: tuple[PatchSet, ...] = ()
    last_patch: PatchSet | None = None
    validation_reports: tuple[ValidationReport, ...] = ()
    last_validation: ValidationReport | None = None
    check_reports: tuple[CheckReport, ...] = ()
    last_checks: CheckReport | None = None
    review_reports: tuple[ReviewReport, ...] = ()
    last_review: ReviewReport | None = None
    history: tuple[BuildHistoryEvent, ...] = ()
    created_at: UtcTime
    updated_at: UtcTime
    completed_at: UtcTime | None = None

    @property
    def is_terminal(self) -> bool:
        return self.phase in {BuildPhase.READY, BuildPhase.ABORTED, BuildPhase.ERROR}

    @property
    def all_tasks_done(self) -> bool:
        return self.build_graph is not None and all(t.status is TaskStatus.DONE for t in self.build_graph.tasks)

    def get_current_task(self) -> Task | None:
        """The task being worked on; of several, the one whose attempt started last."""
        tasks = self.build_graph.tasks if self.build_graph else ()
        return next((task for task in tasks if task.id == self.current_task_id), None)

    def get_blocked_tasks(self) -> list[Task]:
        """Tasks still to do that wait for at least one dependency."""
        tasks = self.build_graph.tasks if self.build_graph else ()
        done = {task.id for task in tasks if task.status is TaskStatus.DONE}
        return [t for t in tasks if t.status is TaskStatus.TODO and any(needed not in done for needed in t.depends_on)]
