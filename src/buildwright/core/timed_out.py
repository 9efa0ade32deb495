"""Which limit of time ended an attempt, if one did. Pure; must never read a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from buildwright.core.build import TaskState

TimeLimit = Literal["", "gate_seconds", "task_seconds"]
"""The field of the limits that gives more time; "" where more time would not help."""


def time_limit_of(state: TaskState) -> TimeLimit:
    """Return the limit that ended the last attempt of a task: of its agent, or of all checks that refused its change."""
    errors = [finding for finding in state.findings if finding.severity == "error"]
    if errors and all(finding.code == "check.timeout" and "--gate-time" in finding.fix for finding in errors):
        return "gate_seconds"
    return "task_seconds" if state.reason.startswith("timeout: ") else ""
