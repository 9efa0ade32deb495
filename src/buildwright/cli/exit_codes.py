"""The exit codes of the program, as one table that docs/cli.md shows too. Must never print or exit."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from buildwright.errors import (
    BadSettings,
    BudgetSpent,
    BuildwrightError,
    Conflict,
    Contradiction,
    Refused,
    ToolMissing,
    Unreachable,
)

if TYPE_CHECKING:
    from buildwright.core.build import Build


class Exit(IntEnum):
    """How a command ended, as the exit code of the process."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    GATE_FAILED = 3
    PAUSED = 4
    BUDGET = 5
    UNREACHABLE = 6
    CONFLICT = 7
    CONFIGURATION = 78
    INTERRUPTED = 130


MEANINGS: dict[Exit, str] = {
    Exit.DONE: "done; tasks that you skipped are named",
    Exit.FAILED: "failed, stopped or given up",
    Exit.USAGE: "usage, or input that was refused",
    Exit.GATE_FAILED: "the result did not pass the checks",
    Exit.PAUSED: "paused: the build needs you",
    Exit.BUDGET: "paused: the budget is reached",
    Exit.UNREACHABLE: "a server cannot be reached, or no worker runs",
    Exit.CONFLICT: "the state does not allow it, for example the build is running already",
    Exit.CONFIGURATION: "a setting, or a program that is needed, is missing or wrong",
    Exit.INTERRUPTED: "interrupted or detached; the build is safe and can be continued",
}
_OF_ERRORS = (
    (Contradiction, Exit.USAGE),
    (BadSettings, Exit.CONFIGURATION),
    (ToolMissing, Exit.CONFIGURATION),
    (BudgetSpent, Exit.BUDGET),
    (Refused, Exit.USAGE),
    (Conflict, Exit.CONFLICT),
    (Unreachable, Exit.UNREACHABLE),
)
"""The first class that fits counts."""


def exit_for(error: BuildwrightError) -> Exit:
    """Return the exit code for an error."""
    return next((code for kind, code in _OF_ERRORS if isinstance(error, kind)), Exit.FAILED)


def exit_of(build: Build) -> Exit:
    """Return the exit code of a command that ran or watched this build and stops now."""
    if build.outcome is not None:
        if build.outcome == "succeeded":
            return Exit.DONE
        return Exit.GATE_FAILED if build.outcome == "failed" and _a_gate_said_no(build) else Exit.FAILED
    if build.pause is not None:
        return Exit.BUDGET if build.pause.reason == "budget" else Exit.PAUSED
    if build.waits_for_step:
        return Exit.DONE
    return Exit.INTERRUPTED


def _a_gate_said_no(build: Build) -> bool:
    """Return whether gates refused the base, the final tree, or every failed task (and no agent failed)."""
    from buildwright.core.judged_base import base_refusal  # the table alone is needed by what starts quickly

    if (build.verdict is not None and not build.verdict.ok) or (not build.done and base_refusal(build)):
        return True
    rejections = {build.task(task_id).rejection for task_id in build.failed}
    return bool(rejections) and rejections <= {"gate", "train"}
