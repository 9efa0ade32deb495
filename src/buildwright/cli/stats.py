"""The verb `stats`: prints what builds came to, by hour, day or week. Must never change a build."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.output import Output, one_form, utc
from buildwright.cli.session import session

if TYPE_CHECKING:
    from buildwright.views.stats import Stats, StatsRow

_FORMS = {"hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d", "week": "%Y-%m-%d"}


async def stats(
    *,
    by: Annotated[
        Literal["hour", "day", "week"], Parameter(help="The periods; they begin in UTC, weeks on Monday.")
    ] = "day",
    since: Annotated[datetime | None, Parameter(help="Only from the hour of this time on, such as 2026-03-01.")] = None,
    until: Annotated[datetime | None, Parameter(help="Only hours that begin before this time.")] = None,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
    csv: Annotated[bool, Parameter(help="A table with commas on stdout, for spreadsheets.")] = False,
) -> None:
    """Show what builds came to: tasks that ended, attempts, tokens, cost and durations, also of builds that are pruned.

    A task counts in the hour in which it ended, a request in that of its answer. The first pass rate is the share of
    tasks that succeeded with their first attempt. The 95th percentile of the durations (p95) is off by less than 1.6 %.
    """
    from buildwright.views.stats import StatsRow

    output = Output(one_form(json, csv))
    async with session() as app:
        found = await app.stats(by, utc(since), utc(until))
    if csv:
        output.csv(list(StatsRow.model_fields), [row.model_dump(mode="json") for row in found.rows])
    elif json:
        output.data(found.model_dump(mode="json"))
    elif not found.rows:
        output.print("Nothing has happened in that time.")
    else:
        _show(output, found)


def _show(output: Output, found: Stats) -> None:
    from buildwright.cli.table import Column, table

    names = ("tasks", "succeeded", "failed", "skipped", "first pass", "attempts", "tokens", "cost", "mean", "p95")
    last = {"skipped": 3, "attempts": 2, "mean": 1}
    columns = (Column(found.by), *(Column(name, right=True, leaves=last.get(name, 0)) for name in names))
    rows = [(row.start.strftime(_FORMS[found.by]) if row.start else "", *_cells(row)) for row in found.rows]
    output.lines(table(columns, [*rows, ("all", *_cells(found.total))], output.width))
    if found.total.unpriced:
        output.print(f"The price of {found.total.unpriced:,} requests is not known: the cost leaves them out.")


def _cells(row: StatsRow) -> tuple[str, ...]:
    from buildwright.cli.table import duration, tokens
    from buildwright.core.figures import money

    times = (duration(seconds) if seconds is not None else "-" for seconds in (row.mean_seconds, row.p95_seconds))
    return (
        *(f"{number:,}" for number in (row.tasks, row.succeeded, row.failed, row.skipped)),
        f"{row.first_pass_rate:.0%}" if row.first_pass_rate is not None else "-",
        f"{row.attempts:,}",
        tokens(row.tokens),
        money(row.cost_usd),
        *times,
    )
