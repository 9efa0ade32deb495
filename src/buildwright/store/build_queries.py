"""Queries over many builds, with SQLAlchemy: by project, user, page. Reads head rows; must never write a journal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self, assert_never

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    cast,
    column,
    func,
    select,
    table,
    tuple_,
    type_coerce,
)

from buildwright.errors import NotFound
from buildwright.ports import BuildRow, CostKey
from buildwright.store.database import Database
from buildwright.store.tables import build_runs, events
from buildwright.views.costs import CostSum
from buildwright.views.execution_log import TaskLogEntry

_COLUMNS = [build_runs.c[field.name] for field in fields(BuildRow)]


class BuildQueries:
    """The builds of a database, newest first. It must be of the newest revision (see `revisions.migrate`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Return the builds at `path`, a SQLite file or a PostgreSQL URL, not yet connected. Raises BadSettings."""
        return cls(Database.open(path))

    async def get(self, build_id: str) -> BuildRow:
        """Return a build's row. Raises NotFound."""
        found = await self._fetch(select(*_COLUMNS).where(build_runs.c.build_id == build_id))
        if not found:
            raise NotFound(f"there is no build {build_id}", fix="see the list with `buildwright status`")
        return found[0]

    async def list_by_project(self, project_id: str, limit: int = 1000) -> list[BuildRow]:
        """Return the builds of a project."""
        return await self._fetch(_newest_first().where(build_runs.c.project_id == project_id).limit(limit))

    async def latest_by_project(self, project_id: str, user_id: str = "") -> BuildRow | None:
        """Return the newest build of a project, or of one user in it; None when there is none."""
        query = _newest_first().where(build_runs.c.project_id == project_id)
        if user_id:
            query = query.where(build_runs.c.user_id == user_id)
        found = await self._fetch(query.limit(1))
        return found[0] if found else None

    async def latest_of_projects(self, project_ids: Sequence[str], user_id: str) -> dict[str, BuildRow]:
        """Return a user's newest build in each of these projects, without projects that have none."""
        other = build_runs.alias("other")
        newest = (
            select(other.c.build_id)
            .where(other.c.project_id == build_runs.c.project_id, other.c.user_id == user_id)
            .order_by(other.c.created_at.desc(), other.c.build_id.desc())
            .limit(1)
            .scalar_subquery()
        )
        query = _newest_first().where(build_runs.c.project_id.in_(project_ids), build_runs.c.build_id == newest)
        return {row.project_id: row for row in (await self._fetch(query) if project_ids else [])}

    async def list_between(self, start: datetime, end: datetime) -> list[BuildRow]:
        """Return the builds created at `start` or later and before `end`."""
        created = build_runs.c.created_at
        return await self._fetch(_newest_first().where(created >= start, created < end))

    async def page(
        self,
        user_id: str,
        limit: int,
        before: tuple[datetime, str] | None = None,
        project_id: str = "",
        phase: str = "",
        prefix: str = "",
    ) -> list[BuildRow]:
        """Return at most `limit` builds of a user: all, those of a project, in a phase, or whose ids begin with `prefix`.

        `before` is the end of the previous page: `created_at` and `build_id` of its last row.
        """
        return await self._fetch(page_query(user_id, limit, before, project_id, phase, prefix))

    async def count_since(self, user_id: str, since: datetime) -> int:
        """Return how many builds a user has created at `since` or later. Pruned builds do not count."""
        of_user = (build_runs.c.user_id == user_id) & (build_runs.c.created_at >= since)
        found = await self._database.fetch(select(func.count()).select_from(build_runs).where(of_user))
        return int(found[0][0])

    async def costs(
        self, by: CostKey, start: datetime | None = None, end: datetime | None = None, user_id: str = ""
    ) -> list[CostSum]:
        """Return what requests to models cost from `start` to before `end`, of a user or of all ("")."""
        within = (start or datetime.min.replace(tzinfo=UTC), end or datetime.max.replace(tzinfo=UTC))
        rows = await self._database.fetch(costs_query(by, *within, user_id, postgres=self._database.is_postgres))
        return [_cost_sum(*tuple(row)) for row in rows]

    async def execution_log(
        self, build_id: str, after: int = 0, limit: int = 1000, task: str = ""
    ) -> list[TaskLogEntry]:
        """Return the entries of a build's log of tasks with an id > `after`, of one task when given."""
        return [entry_of(row) for row in await self._database.fetch(log_query(build_id, after, limit, task))]

    async def unfinished(self, user_id: str) -> list[BuildRow]:
        """Return the builds of a user that have not ended: running, waiting or paused."""
        return await self._fetch(unfinished_query(user_id))

    async def close(self) -> None:
        """Close the file or the connections."""
        await self._database.close()

    async def _fetch(self, query: Select[tuple[object, ...]]) -> list[BuildRow]:
        return [BuildRow(*tuple(row)) for row in await self._database.fetch(query)]


def _cost_sum(key: str, requests: int, tokens_in: int, tokens_out: int, cached: int, usd: object, none: int) -> CostSum:
    return CostSum(
        key=key,
        requests=requests,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cache_tokens=cached,
        cost_usd=round(Decimal(str(usd)), 6),  # SQLite sums floating point numbers
        unpriced=none,
    )


def page_query(
    user_id: str,
    limit: int,
    before: tuple[datetime, str] | None,
    project_id: str = "",
    phase: str = "",
    prefix: str = "",
) -> Select[tuple[object, ...]]:
    """Return the query of `BuildQueries.page`: a walk along one index, from `before` on."""
    query = _newest_first().where(build_runs.c.user_id == user_id)
    if before is not None:
        query = query.where(tuple_(build_runs.c.created_at, build_runs.c.build_id) < before)
    if project_id:
        query = query.where(build_runs.c.project_id == project_id)
    if phase:
        query = query.where(build_runs.c.phase == phase)
    if prefix:
        query = query.where(build_runs.c.build_id.startswith(prefix, autoescape=True))
    return query.limit(limit)


def unfinished_query(user_id: str) -> Select[tuple[object, ...]]:
    """Return the query of `BuildQueries.unfinished`: it uses an index that holds only such builds."""
    of_user = (build_runs.c.user_id == user_id) & build_runs.c.completed_at.is_(None)
    return _newest_first().where(of_user)


def _newest_first() -> Select[tuple[object, ...]]:
    return select(*_COLUMNS).order_by(build_runs.c.created_at.desc(), build_runs.c.build_id.desc())


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
        case "agent":  # "" for advisors, and where a journal is older than this field
            return func.coalesce(used["agent"].as_string(), "")
        case "build":
            return build_runs.c.build_id
        case _:
            assert_never(by)


_TEXTS = ("execution_id", "loop_id", "task_id", "instance_id", "event_type", "message", "context")
_VIEW = table(
    "task_execution_log",
    column("id", Integer),
    *(column(name, String) for name in _TEXTS),
    column("timestamp", events.c.at.type),
)


def log_query(build_id: str, after: int, limit: int, task: str) -> Select[tuple[Any, ...]]:
    """Return the query of entries with an id > `after`, of one task when given, in order."""
    query = select(_VIEW).where(_VIEW.c.execution_id == build_id, _VIEW.c.id > after)
    if task:
        query = query.where(_VIEW.c.task_id == task)
    return query.order_by(_VIEW.c.id).limit(limit)


def entry_of(row: Row[Any]) -> TaskLogEntry:
    """Return the entry that a row of the view is."""
    fields = dict(row._mapping)
    context = json.loads(fields["context"])
    return TaskLogEntry(**fields | {"context": context, "instance_id": fields["instance_id"] or ""})
