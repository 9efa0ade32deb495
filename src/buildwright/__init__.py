"""Buildwright: turns a description of software into merged, proven changes. Must never do work when imported."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buildwright.core.build import Build
    from buildwright.core.event import Recorded
    from buildwright.core.limits import Check, Delivery, Limits, Options
    from buildwright.core.options_change import OptionsChange
    from buildwright.core.spec import Spec
    from buildwright.core.task import Task
    from buildwright.engine.commands import CommandResult, NewBuild
    from buildwright.errors import BuildwrightError
    from buildwright.library import BuildHandle, Buildwright, ListedBuild, Orchestrator
    from buildwright.ports import BuildRow
    from buildwright.views.runtime import (
        BuildGraph,
        BuildHistoryEvent,
        BuildState,
        CheckReport,
        PatchSet,
        ReviewDecision,
        ReviewReport,
        RuntimeTask,
        ValidationReport,
    )
    from buildwright.views.statuses import BuildPhase, TaskStatus
    from buildwright.views.summary import BatchResult, BuildResult, Summary, TaskResult

__all__ = [
    "BatchResult",
    "Build",
    "BuildGraph",
    "BuildHandle",
    "BuildHistoryEvent",
    "BuildPhase",
    "BuildResult",
    "BuildRow",
    "BuildState",
    "Buildwright",
    "BuildwrightError",
    "Check",
    "CheckReport",
    "CommandResult",
    "Delivery",
    "Limits",
    "ListedBuild",
    "NewBuild",
    "Options",
    "OptionsChange",
    "Orchestrator",
    "PatchSet",
    "Recorded",
    "ReviewDecision",
    "ReviewReport",
    "RuntimeTask",
    "Spec",
    "Summary",
    "Task",
    "TaskResult",
    "TaskStatus",
    "ValidationReport",
]

_HOMES = {
    "BatchResult": "views.summary",
    "Build": "core.build",
    "BuildGraph": "views.runtime",
    "BuildHistoryEvent": "views.runtime",
    "BuildPhase": "views.statuses",
    "BuildResult": "views.summary",
    "BuildRow": "ports",
    "BuildState": "views.runtime",
    "BuildwrightError": "errors",
    "Check": "core.limits",
    "CheckReport": "views.runtime",
    "CommandResult": "engine.commands",
    "Delivery": "core.limits",
    "Limits": "core.limits",
    "NewBuild": "engine.commands",
    "Options": "core.limits",
    "OptionsChange": "core.options_change",
    "PatchSet": "views.runtime",
    "Recorded": "core.event",
    "ReviewDecision": "views.runtime",
    "ReviewReport": "views.runtime",
    "RuntimeTask": "views.runtime",
    "Spec": "core.spec",
    "Summary": "views.summary",
    "Task": "core.task",
    "TaskResult": "views.summary",
    "TaskStatus": "views.statuses",
    "ValidationReport": "views.runtime",
}
"""The module of each public name; all others are in `library`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'library')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
