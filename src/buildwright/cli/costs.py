"""The verb `costs`: prints what requests to models cost, over all builds. Must never change anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.session import session

_By = Literal["day", "project", "user", "model", "agent", "build"]
"""As `ports.CostKey`, which loads too much for a help text."""


async def costs(
    *,
    by: Annotated[_By, Parameter(help="What to sum by; days are of UTC.")] = "day",
    since: Annotated[datetime | None, Parameter(help="Only requests of this day or later, such as 2026-03-01.")] = None,
    until: Annotated[datetime | None, Parameter(help="Only requests before this day.")] = None,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Show what requests to models cost, over all builds that are still kept."""
    from buildwright.cli.table import Column, table

    output = Output(json)
    async with session() as app:
        sums = await app.costs(by, _utc(since), _utc(until))
    total = sum(each.cost_usd for each in sums)
    if output.json:
        rows = [each.model_dump(mode="json") for each in sums]
        output.data({"by": by, "sums": rows, "cost_usd": str(total), "unpriced": sum(each.unpriced for each in sums)})
        return
    if not sums:
        output.print("No request to a model is known.")
        return
    columns = (Column(by), *(Column(name, right=True) for name in ("requests", "in", "out", "cached", "cost")))
    shown = [
        (
            each.key,
            *(f"{number:,}" for number in (each.requests, each.input_tokens, each.output_tokens, each.cache_tokens)),
            f"${each.cost_usd:.2f}" + (f" and {each.unpriced} without a price" if each.unpriced else ""),
        )
        for each in sums
    ]
    output.lines(table(columns, shown, output.width))
    output.print(f"Total: ${total:.2f}", style="bold")


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
