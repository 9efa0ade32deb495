"""Buildwright: turns a description of software into merged, proven changes. Importing does no work."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buildwright.core.limits import Check, Delivery, Limits, Options
    from buildwright.core.spec import Spec
    from buildwright.core.task import Task
    from buildwright.errors import BuildwrightError
    from buildwright.library import Orchestrator
    from buildwright.ports import BuildRow
    from buildwright.views.summary import BatchResult, BuildResult, Summary, TaskResult

__all__ = [
    "BatchResult",
    "BuildResult",
    "BuildRow",
    "BuildwrightError",
    "Check",
    "Delivery",
    "Limits",
    "Options",
    "Orchestrator",
    "Spec",
    "Summary",
    "Task",
    "TaskResult",
]

_HOMES = {
    "BatchResult": "views.summary",
    "BuildResult": "views.summary",
    "BuildRow": "ports",
    "BuildwrightError": "errors",
    "Check": "core.limits",
    "Delivery": "core.limits",
    "Limits": "core.limits",
    "Options": "core.limits",
    "Spec": "core.spec",
    "Summary": "views.summary",
    "Task": "core.task",
    "TaskResult": "views.summary",
}
"""The module of each public name; those not listed live in `library`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'library')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
