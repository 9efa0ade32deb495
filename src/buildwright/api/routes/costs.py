"""What the caller's builds cost, summed. Must never show another user's builds."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import Query

from buildwright.answers import Costs
from buildwright.api.bodies import Router
from buildwright.api.params import Moment
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, SiteOf
from buildwright.ports import CostKey

router = Router(tags=["costs"])


@router.get("/api/costs", responses=responses())
async def costs(
    site: SiteOf,
    caller: CallerOf,
    by: Annotated[CostKey, Query(description="What to sum by; days are of UTC.")] = "day",
    since: Annotated[Moment | None, Query(description="Only requests at this time or later.")] = None,
    until: Annotated[Moment | None, Query(description="Only requests before this time.")] = None,
) -> Costs:
    """Return what requests to models cost in the caller's builds, by day, model, task and so on.

    By `requirement` the sums overlap, because a request counts for each requirement of its task; the total counts it once.
    """
    sums = await site.records.runs.costs(by, since, until, caller.user_id)
    once = await site.records.runs.costs("result", since, until, caller.user_id) if by == "requirement" else sums
    return Costs(
        by=by,
        sums=sums,
        cost_usd=sum((each.cost_usd for each in once), Decimal(0)),
        thrown_away_usd=sum((each.thrown_away_usd for each in once), Decimal(0)),
        kept=await site.records.runs.kept_answers(since, until, caller.user_id),
        unpriced=sum(each.unpriced for each in once),
    )
