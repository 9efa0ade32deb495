"""Records of what a plan is likely to take, and of how that was. Pure data; must never estimate anything."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from buildwright.core.record import Record


class Range(Record):
    """From the tenth to the ninetieth of a hundred cases."""

    low: float
    high: float


class EstimateView(Record):
    """What a plan is likely to take. Without a price or tokens that are known, `cost_usd` or `tokens` is None."""

    tasks: int
    waves: int
    tokens: Range | None = None
    cost_usd: Range | None = None
    seconds: Range | None = None
    attempts: Range | None = None
    basis: Literal["history", "prices"]
    """`history`: what tasks of earlier builds took; `prices`: published prices, and sizes of tasks that are assumed."""
    of_tasks: int = 0
    """Tasks of the history."""
    of_builds: int = 0

    @property
    def is_known(self) -> bool:
        """Whether it rests on builds before it or on a price, and not on assumed sizes of tasks alone."""
        return self.basis == "history" or self.cost_usd is not None


class EstimateOutcome(Record):
    """What a build took, beside what was estimated from the builds before it."""

    estimate: EstimateView
    cost_usd: Decimal
    seconds: float
    within: bool
    """Whether the cost, or without one the time, lies in the range."""
