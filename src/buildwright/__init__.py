"""Buildwright: turns a description of software into merged, proven changes. Must never do work when imported."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buildwright.core.build import Build
    from buildwright.core.event import Recorded
    from buildwright.core.limits import Check, Delivery, Limits, Options
    from buildwright.core.spec import Spec
    from buildwright.core.task import Task
    from buildwright.engine.commands import CommandResult, NewBuild
    from buildwright.errors import BuildwrightError
    from buildwright.library import BuildHandle, Buildwright, ListedBuild, Orchestrator
    from buildwright.ports import BuildRow
    from buildwright.views.summary import BatchResult, BuildResult, Summary, TaskResult

__all__ = [
    "BatchResult",
    "Build",
    "BuildHandle",
    "BuildResult",
    "BuildRow",
    "Buildwright",
    "BuildwrightError",
    "Check",
    "CommandResult",
    "Delivery",
    "Limits",
    "ListedBuild",
    "NewBuild",
    "Options",
    "Orchestrator",
    "Recorded",
    "Spec",
    "Summary",
    "Task",
    "TaskResult",
]

_HOMES = {
    "BatchResult": "views.summary",
    "Build": "core.build",
    "BuildResult": "views.summary",
    "BuildRow": "ports",
    "BuildwrightError": "errors",
    "Check": "core.limits",
    "CommandResult": "engine.commands",
    "Delivery": "core.limits",
    "Limits": "core.limits",
    "NewBuild": "engine.commands",
    "Options": "core.limits",
    "Recorded": "core.event",
    "Spec": "core.spec",
    "Summary": "views.summary",
    "Task": "core.task",
    "TaskResult": "views.summary",
}
"""The module of each public name; all others are in `library`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'library')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
