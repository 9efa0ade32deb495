"""Reads the tables of stats, which it first brings up to date. Must never read a journal for a figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any

from pydantic_core import from_json
from sqlalchemy import text

from buildwright.store.database import Database
from buildwright.store.stats import BEHIND, COST_UNITS, count_some, forget
from buildwright.views.stats import Stats, StatsPeriod, StatsRow, percentile

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_END_OF_TIME = 24 * 10**9
_PERIODS = {"hour": "hour", "day": "hour / 24 * 24", "week": "(hour + 72) / 168 * 168 - 72"}
"""The first hour of the period of an hour. The first hour there is lies on a Thursday, 72 hours after a Monday."""
_SUMS = """
SELECT {period} AS period, sum(succeeded), sum(failed), sum(skipped), sum(first_pass), sum(attempts), sum(requests),
    sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(cost), sum(unpriced),
    sum(timed), sum(duration)
FROM metrics_sums WHERE hour >= :start AND hour < :end{user} GROUP BY 1 ORDER BY 1
"""
_DURATIONS = """
SELECT {period}, buckets FROM metrics_durations WHERE hours = 24 AND hour >= :first AND hour < :last{user}
UNION ALL SELECT {period}, buckets FROM metrics_durations WHERE hours = 1 AND hour >= :start AND hour < :first{user}
UNION ALL SELECT {period}, buckets FROM metrics_durations WHERE hours = 1 AND hour >= :last AND hour < :end{user}
"""
"""Of whole days from `first` to before `last`, and of the hours before and after them."""


async def count(database: Database) -> None:
    """Bring the tables up to date: count what the journals have got since they were last."""
    if await database.fetch(text(f"{BEHIND} LIMIT 1")):
        while await database.ask(partial(count_some, postgres=database.is_postgres)):
            pass


async def recount(database: Database) -> None:
    """Make the tables anew from the journals. What builds came to that were pruned stays.

    A process that is killed meanwhile leaves tables that `count` completes.
    """
    await database.ask(partial(forget, postgres=database.is_postgres))
    await count(database)


async def read(
    database: Database, by: StatsPeriod, start: datetime | None, end: datetime | None, user_id: str
) -> Stats:
    """Return the stats of the hours from that of `start` to that before `end`, of a user or of all ("")."""
    await count(database)
    hours = (start - _FIRST) // _HOUR if start else 0, -((_FIRST - end) // _HOUR) if end else _END_OF_TIME
    ends = dict(zip(("start", "end"), hours, strict=True))
    first, last = -(-ends["start"] // 24) * 24, ends["end"] // 24 * 24
    whole = (
        {"first": first, "last": last} if by != "hour" and first < last else dict.fromkeys(("first", "last"), hours[1])
    )

    async def ask(question: str, **values: int) -> list[tuple[Any, ...]]:
        asked = text(question.format(period=_PERIODS[by], user=" AND user_id = :user_id" if user_id else ""))
        of_user = {"user_id": user_id} if user_id else {}
        return [tuple(row) for row in await database.fetch(asked.bindparams(**values, **of_user))]

    sums = await ask(_SUMS, **ends)
    took: defaultdict[int, list[list[int]]] = defaultdict(list)
    for hour, buckets in await ask(_DURATIONS, **ends, **whole):
        took[hour].append(from_json(buckets))
    total = [sum(int(row[place]) for row in sums) for place in range(1, 15)]
    rows = tuple(_row(_FIRST + int(hour) * _HOUR, figures, took[hour]) for hour, *figures in sums)
    return Stats(by=by, rows=rows, total=_row(None, total, [*chain.from_iterable(took.values())]))


def _row(start: datetime | None, figures: Sequence[Any], took: Sequence[Sequence[int]]) -> StatsRow:
    """Return the record of a row of sums. PostgreSQL's sums are Decimals."""
    succeeded, failed, skipped, first_pass, attempts, requests, *tokens, cost, unpriced, timed, duration = map(
        int, figures
    )
    judged = succeeded + failed
    fresh, written, read_again, cached = tokens
    return StatsRow(
        start=start,
        tasks=judged + skipped,
        succeeded=succeeded,
        failed=failed,
        skipped=skipped,
        first_pass=first_pass,
        first_pass_rate=round(first_pass / judged, 4) if judged else None,
        attempts=attempts,
        requests=requests,
        input_tokens=fresh,
        output_tokens=written,
        cache_read_tokens=read_again,
        cache_write_tokens=cached,
        tokens=sum(tokens),
        cost_usd=round(Decimal(cost) / COST_UNITS, 6),
        unpriced=unpriced,
        mean_seconds=round(duration / timed / 1000, 3) if timed else None,
        p95_seconds=percentile(took, 95),
    )
