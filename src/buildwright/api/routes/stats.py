"""What the caller's builds came to, by hour, day or week. Must never show another user's builds."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from buildwright.api.bodies import Router
from buildwright.api.params import Moment
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, SiteOf
from buildwright.views.stats import Stats, StatsPeriod

router = Router(tags=["costs"])


@router.get("/api/stats", responses=responses())
async def stats(
    site: SiteOf,
    caller: CallerOf,
    by: Annotated[StatsPeriod, Query(description="The periods; they begin in UTC, weeks on Monday.")] = "day",
    since: Annotated[Moment | None, Query(description="Only from the hour of this time on.")] = None,
    until: Annotated[Moment | None, Query(description="Only hours that begin before this time.")] = None,
) -> Stats:
    """Return what the caller's builds came to, also those that are pruned, by hour, day or week."""
    return await site.records.runs.stats(by, since, until, caller.user_id)
