"""Sums of what requests to models cost, over builds. Pure data; must never be a build's own budget."""

from __future__ import annotations

from decimal import Decimal

from buildwright.core.record import Record


class CostSum(Record):
    """The sum of the requests of one day, project, user, model, agent or build."""

    key: str
    requests: int
    input_tokens: int
    output_tokens: int
    cache_tokens: int
    """Tokens that were read from the provider's cache, or written into it."""
    cost_usd: Decimal
    unpriced: int
    """Requests whose price is not known; `cost_usd` leaves them out."""
