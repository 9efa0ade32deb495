"""What builds cost, summed: the caller's, or for an owner of the server those of all. Must never show them otherwise."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Query

from buildwright.answers import Costs
from buildwright.api.bodies import Router
from buildwright.api.params import Moment
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, SiteOf
from buildwright.errors import Forbidden
from buildwright.ports import CostKey

router = Router(tags=["costs"])


@router.get("/api/costs", responses=responses(403))
async def costs(
    site: SiteOf,
    caller: CallerOf,
    by: Annotated[CostKey, Query(description="What to sum by; days are of UTC.")] = "day",
    since: Annotated[Moment | None, Query(description="Only requests at this time or later.")] = None,
    until: Annotated[Moment | None, Query(description="Only requests before this time.")] = None,
    whose: Annotated[
        Literal["mine", "all"], Query(description="`all`: of every user; only for an owner of the server.")
    ] = "mine",
) -> Costs:
    """Return what requests to models cost in the caller's builds, by day, model, task and so on.

    By `requirement` the sums overlap, because a request counts for each requirement of its task; the total counts it once.
    """
    if whose == "all" and not caller.is_server_owner:
        raise Forbidden("only an owner of the server sees what others spend", fix="leave `whose` out")
    user_id = caller.user_id if whose == "mine" else ""
    sums = await site.records.runs.costs(by, since, until, user_id)
    once = await site.records.runs.costs("result", since, until, user_id) if by == "requirement" else sums
    return Costs(
        by=by,
        sums=sums,
        cost_usd=sum((each.cost_usd for each in once), Decimal(0)),
        thrown_away_usd=sum((each.thrown_away_usd for each in once), Decimal(0)),
        kept=await site.records.runs.kept_answers(since, until, user_id),
        unpriced=sum(each.unpriced for each in once),
    )
