"""What a user may change of the options of a build that is paused. Pure data and its effect; must never decide."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from buildwright.core.limits import Budget, Check, DeliveryKind, Options
from buildwright.core.record import Record

_PLACES: Final = {
    "branch": "delivery",
    "deliver": "delivery",
    "attempts": "limits",
    "task_seconds": "limits",
    "gate_seconds": "limits",
    "disk_gib": "limits",
    "phase_seconds": "limits",
    "task_budget_usd": "limits",
    "day_budget_usd": "limits",
    "project_budget_usd": "limits",
}
"""The record inside `Options` that holds a field, for those that are not its own."""
_NAMES: Final = {"deliver": "kind"}
"""The names that fields have there, where it is another one."""
_WEEK: Final = 7 * 86_400
_Line = Annotated[str, Field(max_length=2_000)]
_Seconds = Annotated[float, Field(gt=0, le=_WEEK)]


class OptionsChange(Record):
    """New values of options; what is left out stays as it is."""

    checks: Annotated[tuple[Check, ...], Field(max_length=50)] | None = Field(
        None, description="Commands that judge every change from now on; none: found from the repository's files."
    )
    setup: Annotated[tuple[_Line, ...], Field(max_length=50)] | None = Field(
        None, description="Commands to run in a fresh checkout before the checks."
    )
    gate_seconds: _Seconds | None = Field(None, description="Seconds for one check.")
    disk_gib: Annotated[float, Field(gt=0, le=10_000)] | None = Field(
        None, description="GiB that one agent or check may write on disk."
    )
    task_seconds: _Seconds | None = Field(None, description="Seconds for one attempt.")
    phase_seconds: _Seconds | None = Field(None, description="Seconds for one phase of the plan.")
    attempts: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description="Attempts per task.")
    task_budget_usd: Budget | None = Field(None, description="US dollars that each task may cost.")
    day_budget_usd: Budget | None = Field(None, description="US dollars that all your builds may cost in a day of UTC.")
    project_budget_usd: Budget | None = Field(None, description="US dollars that all builds of the project may cost.")
    branch: Annotated[str, Field(max_length=200)] | None = Field(None, description="Branch for the result.")
    deliver: DeliveryKind | None = Field(None, description="Where the result goes, such as `pr`.")
    model: Annotated[str, Field(max_length=200)] | None = Field(None, description="The model that writes.")
    accept_checks: Annotated[tuple[_Line, ...], Field(max_length=50)] | None = Field(
        None, description="Checks that need not pass before any change, or codes of findings, such as `checks.none`."
    )
    accept_base: bool | None = Field(None, description="Continue although the base does not pass its own checks.")

    @property
    def given(self) -> dict[str, Any]:
        """Return the values that are to change, by field."""
        return {name: value for name, value in self if value is not None}

    def of(self, options: Options) -> Options:
        """Return the options with these values."""
        for name, value in self.given.items():
            place = _PLACES.get(name)
            if place is None:
                options = options.model_copy(update={name: value})
            else:
                inner = getattr(options, place).model_copy(update={_NAMES.get(name, name): value})
                options = options.model_copy(update={place: inner})
        return options


def changed_options(old: Options, new: Options) -> tuple[str, ...]:
    """Return the names of the options that differ, those of a record inside as `limits.attempts`."""
    names = []
    for name, value in new:
        before = getattr(old, name)
        if isinstance(value, Record) and isinstance(before, Record):
            names += [f"{name}.{inner}" for inner, one in value if one != getattr(before, inner)]
        elif value != before:
            names.append(name)
    return tuple(names)
