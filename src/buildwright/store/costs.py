"""The query that sums the costs of requests to models, from the journals. Must never write."""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_never

from sqlalchemy import JSON, BigInteger, ColumnElement, Select, cast, func, select, type_coerce

from buildwright.ports import CostKey
from buildwright.store.tables import build_runs, events


def costs_query(
    by: CostKey, start: datetime, end: datetime, user_id: str, *, postgres: bool
) -> Select[tuple[Any, ...]]:
    """Return the query of the columns of `CostSum`, of requests from `start` to before `end`; "" is any user."""
    # A NUL is what PostgreSQL cannot read as a text.
    data = func.replace(events.c.data, "\\u0000", "\\u2400")
    used = cast(data, JSON) if postgres else type_coerce(data, JSON)

    def total(name: str) -> ColumnElement[Any]:
        return func.coalesce(func.sum(cast(used[name].as_string(), BigInteger)), 0)

    usd = used["cost_usd"].as_string()
    key = _key(by, used, postgres=postgres)
    query = (
        select(
            key.label("key"),
            func.count().label("requests"),
            total("input_tokens"),
            total("output_tokens"),
            total("cache_read_tokens") + total("cache_write_tokens"),
            func.coalesce(func.sum(used["cost_usd"].as_numeric(20, 10)), 0),
            func.count() - func.count(usd),
        )
        .join(build_runs, build_runs.c.build_id == events.c.build_id)
        .where(events.c.type == "tokens.used", events.c.at >= start, events.c.at < end)
        .group_by(key)
        .order_by(key)
    )
    return query.where(build_runs.c.user_id == user_id) if user_id else query


def _key(by: CostKey, used: Any, *, postgres: bool) -> ColumnElement[Any]:
    match by:
        case "day" if postgres:
            return func.to_char(func.timezone("UTC", events.c.at), "YYYY-MM-DD")
        case "day":
            return func.strftime("%Y-%m-%d", events.c.at)
        case "project":
            return build_runs.c.project_id
        case "user":
            return build_runs.c.user_id
        case "model":
            return used["model"].as_string()  # type: ignore[no-any-return]
        case "build":
            return build_runs.c.build_id
        case _:
            assert_never(by)
