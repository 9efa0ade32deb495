"""Adds what requests without a build cost, a row for each model. Must never be a build's: its journal has them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from buildwright.ports import Spend
from buildwright.store.database import Database
from buildwright.store.stats import COST_UNITS


async def add_spends(
    database: Database, table: Table, name: dict[str, Any], about: dict[str, Any], spends: Sequence[Spend]
) -> None:
    """Add requests to the rows of `table` whose key is `name` and a model. `about` fills the other columns of a new row."""
    by_model: dict[str, list[Spend]] = {}
    for spend in spends:
        by_model.setdefault(spend.model, []).append(spend)

    async def work(connection: AsyncConnection) -> None:
        for model, several in by_model.items():
            figures = _figures(several)
            insert = database.insert(table).values({**name, "model": model, **about, **figures})
            more = {column: table.c[column] + insert.excluded[column] for column in figures}
            await connection.execute(insert.on_conflict_do_update(index_elements=[*name, "model"], set_=more))

    await database.write(work)


def _figures(spends: Sequence[Spend]) -> dict[str, int]:
    """Return the columns of what some requests came to."""
    usd = sum((Decimal(one.cost_usd) for one in spends if one.cost_usd is not None), Decimal(0))
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    return {
        "requests": len(spends),
        **{name: sum(getattr(one, name) for one in spends) for name in names},
        "cost": round(usd * COST_UNITS),
        "unpriced": sum(one.cost_usd is None for one in spends),
    }
