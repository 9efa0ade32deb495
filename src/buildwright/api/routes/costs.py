"""What builds cost, summed: the caller's, or for an owner of the server those of all. Must never show them otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.responses import Response

from buildwright.answers import Costs
from buildwright.api.bodies import Router
from buildwright.api.params import Moment, OwnBuild
from buildwright.api.problems import responses
from buildwright.api.responses import estimate_of
from buildwright.api.state import Caller, CallerOf, ServerState, SiteOf
from buildwright.errors import Forbidden
from buildwright.ports import CostKey
from buildwright.views.build_costs import BuildCostKey, BuildCosts, build_costs
from buildwright.views.costs import RESULTS, CostSum
from buildwright.wiring.csv_text import csv_text
from buildwright.wiring.estimate import begun_estimate, outcome

router = Router(tags=["costs"])


By = Annotated[CostKey, Query(description="What to sum by; days are of UTC.")]
Since = Annotated[Moment | None, Query(description="Only requests at this time or later.")]
Until = Annotated[Moment | None, Query(description="Only requests before this time.")]
Whose = Annotated[Literal["mine", "all"], Query(description="`all`: of every user; only for an owner of the server.")]
OfBuild = Annotated[str, Query(max_length=64, description="Only of your build with this id.")]
_MOST_TITLES = 500
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}


@router.get("/api/costs", responses=responses(403))
async def costs(
    site: SiteOf,
    caller: CallerOf,
    by: By = "day",
    since: Since = None,
    until: Until = None,
    whose: Whose = "mine",
    build: OfBuild = "",
) -> Costs:
    """Return what requests to models cost in the caller's builds, by day, model, task and so on.

    By `requirement` the sums overlap, because a request counts for each requirement of its task; the total counts it once.
    """
    user_id = _user_of(caller, whose)
    sums = await site.records.runs.costs(by, since, until, user_id, build)
    once = await site.records.runs.costs("result", since, until, user_id, build) if by == "requirement" else sums
    return Costs(
        by=by,
        sums=sums,
        cost_usd=sum((each.cost_usd for each in once), Decimal(0)),
        thrown_away_usd=sum((each.thrown_away_usd for each in once), Decimal(0)),
        kept=await site.records.runs.kept_answers(since, until, user_id, build),
        unpriced=sum(each.unpriced for each in once),
        words=await _words(site, user_id, by),
    )


async def _words(site: ServerState, user_id: str, by: CostKey) -> dict[str, str]:
    if by == "result":
        return dict(RESULTS)
    if by != "build":
        return {}
    rows = await site.records.runs.page(user_id, _MOST_TITLES)
    return {row.build_id: row.title for row in rows if row.title}


def _user_of(caller: Caller, whose: str) -> str:
    """Return whose builds are meant, "" for all. Raises Forbidden."""
    if whose == "all" and not caller.is_server_owner:
        raise Forbidden("only an owner of the server sees what others spend", fix="leave `whose` out")
    return caller.user_id if whose == "mine" else ""


@router.get("/api/costs.csv", response_class=Response, responses={**responses(403), **_CSV})
async def costs_csv(
    site: SiteOf,
    caller: CallerOf,
    by: By = "day",
    since: Since = None,
    until: Until = None,
    whose: Whose = "mine",
    build: OfBuild = "",
) -> Response:
    """Return the sums of `/api/costs` as a table for spreadsheets."""
    return _table(f"costs-by-{by}", await site.records.runs.costs(by, since, until, _user_of(caller, whose), build))


@router.get("/api/builds/{build_id}/costs", responses=responses(403, 404))
async def costs_of_build(site: SiteOf, build: OwnBuild) -> BuildCosts:
    """Return what one build cost by phase, task, model, agent and requirement; what was thrown away; what was estimated."""
    events = await site.app.builds.read(build.id)
    estimated = await estimate_of(site, build, begun_estimate)
    ended = outcome(build, site.app.clock.now(), estimated) if estimated is not None else None
    return await asyncio.to_thread(build_costs, build, events, ended)


@router.get("/api/builds/{build_id}/costs.csv", response_class=Response, responses={**responses(403, 404), **_CSV})
async def costs_of_build_csv(
    site: SiteOf, build: OwnBuild, by: Annotated[BuildCostKey, Query(description="What to sum by.")] = "task"
) -> Response:
    """Return the sums of one build as a table for spreadsheets."""
    found = await asyncio.to_thread(build_costs, build, await site.app.builds.read(build.id))
    rows = next(table.rows for table in found.tables if table.by == by)
    return _table(f"costs-{build.id[:8]}-by-{by}", rows)


def _table(name: str, rows: Sequence[CostSum]) -> Response:
    text = csv_text(list(CostSum.model_fields), [row.model_dump(mode="json") for row in rows])
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)
