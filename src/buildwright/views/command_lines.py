"""What to type for each way out of a pause, as every door shows it. Pure; must never decide which ways there are."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue

    from buildwright.views.overview import Choice

_TAKEN = {
    "budget_usd": "--max-cost",
    "options.task_budget_usd": "--max-task-cost",
    "options.day_budget_usd": "--max-day-cost",
    "options.project_budget_usd": "--max-project-cost",
    "options.gate_seconds": "--gate-time",
    "options.task_seconds": "--task-time",
    "options.phase_seconds": "--phase-time",
    "options.branch": "--branch",
    "accept_plan": "--accept-plan",
}
"""Options of `resume` by the field of the request that they set (`Choice.takes`)."""


def resume_line(build_id: str, choice: Choice) -> str:
    """Return what to type for one choice of a pause."""
    option = "" if choice.name == "go" else f" --{choice.name}"
    taken = f" {_TAKEN[choice.takes]}" if choice.takes else ""
    taken += f" {shlex.quote(choice.value)}" if choice.takes and choice.value else ""
    taken += "".join(f" {_TAKEN[field]} {shlex.quote(value)}" for field, value in choice.also.items())
    return f"buildwright resume {build_id[:8]}{option}{taken}"


def resume_body(choice: Choice) -> dict[str, JsonValue]:
    """Return the body of `POST /api/builds/{build_id}/resume` for one choice of a pause."""
    body: dict[str, JsonValue] = {"choice": choice.name}
    options: dict[str, JsonValue] = {}
    for takes, value in ((choice.takes, choice.value), *choice.also.items()):
        name, _, field = takes.partition(".")
        if field:
            options[field] = value
            body[name] = options
        elif name:
            body[name] = value or True
    return body
