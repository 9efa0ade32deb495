"""Records of answers that routes and tools of assistants give alike. Pure data; must never make one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from buildwright.ports import CostKey
from buildwright.views.costs import CostSum, KeptAnswers
from buildwright.views.overview import BuildView, WorkerHolds
from buildwright.wiring.changes import FileStat


class Status(BuildView):
    """How far a build is, what runs now, what it cost, what it needs, and which processes work on it."""

    runner: str | None = Field(default=None, description="The process that holds the build.")
    workers: tuple[WorkerHolds, ...] = ()
    refused: dict[str, str] = Field(
        default_factory=dict, description="What the caller may not do to it, each with the reason."
    )


class EventPage(BaseModel):
    """Entries of the journal, each with `seq`, `at`, `type` and its own fields; defaults are left out."""

    items: list[dict[str, Any]]
    next_after: int = Field(description="`after` of the next page, also when there is nothing new yet.")
    version: int = Field(description="Number of the newest event.")


class Diff(BaseModel):
    """What a build or a task changed, as a unified diff."""

    build: str
    task: str
    attempt: int = 0
    old: str
    new: str
    files: list[FileStat]
    diff: str


class Costs(BaseModel):
    """Sums of the requests to models of the caller's builds that are still kept."""

    by: CostKey
    sums: list[CostSum]
    cost_usd: Decimal
    thrown_away_usd: Decimal = Field(description="The part spent on attempts that did not land, or were taken back.")
    kept: KeptAnswers = Field(description="Answers that were played again after a crash or a pause, not bought twice.")
    unpriced: int = Field(description="Requests whose price is not known; `cost_usd` leaves them out.")
    words: dict[str, str] = Field(
        default_factory=dict, description="What people call a key: the title of a build, a result in words."
    )
