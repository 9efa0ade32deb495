"""The verb `costs`: prints what requests to models cost, over all builds. Must never change a build."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.output import Output, one_form, utc
from buildwright.cli.session import session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildwright.views.costs import CostSum

_By = Literal["day", "month", "project", "user", "model", "agent", "build", "task", "attempt", "requirement", "result"]
"""As `ports.CostKey`, which loads too much for a help text."""


async def costs(
    *,
    by: Annotated[
        _By, Parameter(help="What to sum by; days are of UTC, results say what became of the attempts.")
    ] = "day",
    since: Annotated[datetime | None, Parameter(help="Only requests of this day or later, such as 2026-03-01.")] = None,
    until: Annotated[datetime | None, Parameter(help="Only requests before this day.")] = None,
    build: Annotated[str, Parameter(help="Only requests of this build: its id, or how it begins; `newest`.")] = "",
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
    csv: Annotated[bool, Parameter(help="A table with commas on stdout, for spreadsheets.")] = False,
) -> None:
    """Show what requests to models cost, over all builds that are still kept or of one, and how much of it was thrown away.

    Thrown away is what was spent on attempts that have ended and did not land, or were taken back. By requirement, a
    request counts for each requirement of its task, so that the sums overlap; the total counts it once.
    """
    from buildwright.core.figures import money
    from buildwright.views.costs import CostSum

    output = Output(one_form(json, csv))
    async with session() as app:
        between = (utc(since), utc(until), await app.find(build) if build else "")
        sums = await app.costs(by, *between)
        results = sums if by == "result" else await app.costs("result", *between)
        kept = await app.kept_answers(*between)
    rows = [each.model_dump(mode="json") for each in sums]
    if csv:
        output.csv(list(CostSum.model_fields), rows)
    elif json:
        total, thrown_away = _total(results)
        told = {"cost_usd": str(total), "thrown_away_usd": str(thrown_away), "kept": kept.model_dump(mode="json")}
        output.data({"by": by, "sums": rows, **told, "unpriced": sum(each.unpriced for each in results)})
    elif not sums:
        output.print("No request to a model is known.")
    else:
        _show(output, by, sums, results)
        if kept.answers:
            output.print(
                f"Kept answers: {kept.answers:,} were played again, and {money(kept.saved_usd)} not paid twice."
            )


def _show(output: Output, by: str, sums: Sequence[CostSum], results: Sequence[CostSum]) -> None:
    """Print the table, the total, and what was thrown away and why."""
    from buildwright.cli.output import one_line
    from buildwright.cli.table import Column, table
    from buildwright.core.figures import money
    from buildwright.views.costs import RESULTS, USEFUL

    names = ("requests", "in", "out", "cached", "cost", "thrown away")
    columns = (Column(by), *(Column(name, right=True) for name in names))
    shown = [
        (
            RESULTS.get(each.key, each.key) if by == "result" else one_line(_short(by, each.key)) or "-",
            *(f"{number:,}" for number in (each.requests, each.input_tokens, each.output_tokens, each.cache_tokens)),
            money(each.cost_usd) + (f" and {each.unpriced} without a price" if each.unpriced else ""),
            money(each.thrown_away_usd) if each.thrown_away_usd else "",
        )
        for each in sums
    ]
    output.lines(table(columns, shown, output.width))
    total, thrown_away = _total(results)
    output.print(f"Total: {money(total)}", style="bold")
    cached = sum(each.cache_read_tokens for each in results)
    if cached:
        asked = sum(each.input_tokens + each.cache_tokens for each in results)
        output.print(f"From the provider's cache: {cached:,} tokens, {cached / asked:.0%} of all input.")
    if thrown_away:
        why = [
            f"{money(each.cost_usd)} {RESULTS.get(each.key, each.key)}" for each in results if each.key not in USEFUL
        ]
        output.print(f"Thrown away: {money(thrown_away)}, {thrown_away / total:.0%}: {'; '.join(why)}.", wrap=True)


def _short(by: str, key: str) -> str:
    """Return the key of a task or an attempt with the first characters of its build."""
    build, slash, task = key.partition("/")
    return f"{build[:8]}{slash}{task}" if by in {"task", "attempt"} else key


def _total(results: Sequence[CostSum]) -> tuple[Decimal, Decimal]:
    cost = sum((each.cost_usd for each in results), Decimal(0))
    return cost, sum((each.thrown_away_usd for each in results), Decimal(0))
