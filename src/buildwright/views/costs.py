"""Sums of what requests to models cost, over builds. Pure data; must never be a build's own budget."""

from __future__ import annotations

from decimal import Decimal

from buildwright.core.record import Record

RESULTS = {
    "": "interviews, planning, diagnosis and review",
    "landed": "landed",
    "open": "not ended yet",
    "agent": "the agent failed",
    "empty": "nothing was changed",
    "gate": "refused by the checks",
    "conflict": "in conflict with what landed meanwhile",
    "train": "refused on top of what landed meanwhile",
    "undone": "taken back by the user",
    "stopped": "the build ended first",
}
"""What became of the attempts that requests were made for, and what people are told of it; "" is of no attempt."""
USEFUL = ("", "landed", "open")
"""What was not, or is not yet, spent on work that was thrown away."""


class KeptAnswers(Record):
    """Answers that were kept and played again instead of bought twice, and what they would have cost."""

    answers: int = 0
    saved_usd: Decimal = Decimal(0)


class CostSum(Record):
    """The sum of the requests of one key: a day, project, user, model, agent, build, task, attempt and so on.

    The key of a task is `BUILD/TASK`, of an attempt `BUILD/TASK#1`, and of an advisor's request there `BUILD`. An
    interview stands among builds, tasks and attempts as `interview-PROJECT`, a plan without a build as `plan-ID`.
    """

    key: str
    requests: int
    input_tokens: int
    output_tokens: int
    cache_tokens: int
    """Tokens that were read from the provider's cache, or written into it."""
    cache_read_tokens: int = 0
    """Those that were read from it: input that was paid at the lower price."""
    cost_usd: Decimal
    thrown_away_usd: Decimal = Decimal(0)
    """The part that was spent on attempts that have ended and did not land, or were taken back."""
    unpriced: int
    """Requests whose price is not known; `cost_usd` leaves them out."""

    def plus(self, other: CostSum) -> CostSum:
        """Return the sum of both, under this key."""
        mine, its = self.model_dump(exclude={"key"}), other.model_dump(exclude={"key"})
        return CostSum(key=self.key, **{name: value + its[name] for name, value in mine.items()})
