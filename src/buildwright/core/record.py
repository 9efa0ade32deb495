"""The base of all frozen data: unknown keys are errors, JSON round trips lose nothing. Must never hold logic."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from buildwright.core.sanitize import Origin


class Record(BaseModel):
    """Frozen data. Unknown keys are an error, so that a misspelt key is never silently dropped, and so are numbers that
    JSON cannot express.

    Built at first use, and without reading docstrings from the source: both together were most of a command's start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)


TaskId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"), Origin.IDENTIFIER]
"""A task's name: 1 to 80 characters, ASCII letters, digits, dot, underscore, hyphen; safe in a file or ref name."""

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]
"""A point in time, in UTC: one of another zone is converted, one without a zone refused."""
