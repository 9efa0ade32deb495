"""What the caller's builds cost, summed. Must never show another user's builds."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field

from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, SiteOf
from buildwright.ports import CostKey
from buildwright.views.costs import CostSum

router = Router(tags=["costs"])


class Costs(BaseModel):
    """Sums of the requests to models of the caller's builds that are still kept."""

    by: CostKey
    sums: list[CostSum]
    cost_usd: Decimal
    unpriced: int = Field(description="Requests whose price is not known; `cost_usd` leaves them out.")


@router.get("/api/costs", responses=responses())
async def costs(
    site: SiteOf,
    caller: CallerOf,
    by: Annotated[CostKey, Query(description="What to sum by; days are of UTC.")] = "day",
    since: Annotated[AwareDatetime | None, Query(description="Only requests at this time or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only requests before this time.")] = None,
) -> Costs:
    """Return what requests to models cost in the caller's builds, by day, project, user, model or build."""
    sums = await site.records.runs.costs(by, since, until, caller.user_id)
    total = sum((each.cost_usd for each in sums), Decimal(0))
    return Costs(by=by, sums=sums, cost_usd=total, unpriced=sum(each.unpriced for each in sums))
