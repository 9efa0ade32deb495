"""Queries over many builds, with SQLAlchemy: by project, user, page. Reads head rows; must never write a journal."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self, assert_never

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    Table,
    case,
    cast,
    column,
    func,
    literal,
    select,
    table,
    tuple_,
    type_coerce,
)

from buildwright.core.event import ContractsChanged, PlanChanged, PlanMade
from buildwright.core.graph import Graph
from buildwright.errors import NotFound
from buildwright.ports import BuildRow, CostKey
from buildwright.store import stats_rows
from buildwright.store.database import Database
from buildwright.store.rows import event_of
from buildwright.store.stats import COST_UNITS
from buildwright.store.tables import (
    build_runs,
    events,
    interview_costs,
    metrics_attempts,
    plan_costs,
    projects,
    replayed_answers,
)
from buildwright.views.costs import USEFUL, CostSum, KeptAnswers
from buildwright.views.execution_log import TaskLogEntry
from buildwright.views.stats import Stats, StatsPeriod

_BUILDS_AT_ONCE = 500
"""Builds that one query names."""
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

    async def project_names(self, ids: Collection[str]) -> dict[str, str]:
        """Return the names of those of these projects that were given one."""
        rows = await self._database.fetch(select(projects.c.id, projects.c.name).where(projects.c.id.in_(ids)))
        return {str(row.id): str(row.name) for row in rows}

    async def latest_of_projects(self, project_ids: Sequence[str]) -> dict[str, BuildRow]:
        """Return the newest build in each of these projects, of whatever user, without projects that have none."""
        other = build_runs.alias("other")
        newest = (
            select(other.c.build_id)
            .where(other.c.project_id == build_runs.c.project_id)
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
        shared: Collection[str] = (),
    ) -> list[BuildRow]:
        """Return at most `limit` builds of a user: all, those of a project, in a phase, or whose ids begin with `prefix`.

        Those of `shared` projects are with them, whose ever they are; "" is any user. `before` is the
        end of the previous page: `created_at` and `build_id` of its last row.
        """
        return await self._fetch(page_query(user_id, limit, before, project_id, phase, prefix, shared))

    async def count_since(self, user_id: str, since: datetime) -> int:
        """Return how many builds a user has created at `since` or later. Pruned builds do not count."""
        of_user = (build_runs.c.user_id == user_id) & (build_runs.c.created_at >= since)
        found = await self._database.fetch(select(func.count()).select_from(build_runs).where(of_user))
        return int(found[0][0])

    async def costs(
        self,
        by: CostKey,
        start: datetime | None = None,
        end: datetime | None = None,
        user_id: str = "",
        build_id: str = "",
    ) -> list[CostSum]:
        """Return what requests to models cost from `start` to before `end`, of a user and of a build, or of all ("").

        By requirement, a request counts for each requirement of its task: those sums overlap.
        """
        await stats_rows.count(self._database)  # it says what became of the attempts
        within = (start or datetime.min.replace(tzinfo=UTC), end or datetime.max.replace(tzinfo=UTC))
        key: CostKey = "task" if by == "requirement" else by
        rows = await self._database.fetch(
            costs_query(key, *within, user_id, build_id, postgres=self._database.is_postgres)
        )
        sums = [_cost_sum(*tuple(row)) for row in rows]
        sums = await self._by_requirement(sums) if by == "requirement" else sums
        found = {one.key: one for one in sums}
        for kept in () if build_id else (interview_costs, plan_costs):
            query = apart_query(kept, by, *within, user_id, postgres=self._database.is_postgres)
            for row in await self._database.fetch(query):
                key, *figures, cost, unpriced = tuple(row)
                apart = _cost_sum(key, *figures, Decimal(int(cost)) / COST_UNITS, 0, unpriced)
                found[key] = found[key].plus(apart) if key in found else apart
        return [found[key] for key in sorted(found)]

    async def kept_answers(
        self, start: datetime | None = None, end: datetime | None = None, user_id: str = "", build_id: str = ""
    ) -> KeptAnswers:
        """Return what was played again on the days from that of `start` to before that of `end`, narrowed as `costs`."""
        query = select(func.count(), func.sum(replayed_answers.c.answers), func.sum(replayed_answers.c.saved)).join(
            build_runs, build_runs.c.build_id == replayed_answers.c.build_id
        )
        if start is not None:
            query = query.where(replayed_answers.c.day >= f"{start.astimezone(UTC):%Y-%m-%d}")
        if end is not None:
            query = query.where(replayed_answers.c.day < f"{end.astimezone(UTC):%Y-%m-%d}")
        if user_id:
            query = query.where(build_runs.c.user_id == user_id)
        if build_id:
            query = query.where(build_runs.c.build_id == build_id)
        ((found, answers, saved),) = [tuple(row) for row in await self._database.fetch(query)]
        return KeptAnswers(answers=int(answers), saved_usd=Decimal(int(saved)) / COST_UNITS) if found else KeptAnswers()

    async def _by_requirement(self, by_task: list[CostSum]) -> list[CostSum]:
        """Return the sums of tasks by their requirements; "" is what was spent for none."""
        builds = sorted({each.key.partition("/")[0] for each in by_task})
        required: dict[str, tuple[str, ...]] = {}
        for first in range(0, len(builds), _BUILDS_AT_ONCE):
            rows = await self._database.fetch(plans_query(builds[first : first + _BUILDS_AT_ONCE]))
            for build_id, seq, kind, data in map(tuple, rows):
                match event_of(build_id, seq, kind, data):
                    case (
                        PlanMade(graph=Graph(tasks=tasks))
                        | ContractsChanged(graph=Graph(tasks=tasks))
                        | PlanChanged(tasks=tasks)
                    ):
                        required |= {f"{build_id}/{task.id}": task.requirements for task in tasks}
        sums: dict[str, CostSum] = {}
        for each in by_task:
            for name in dict.fromkeys(required.get(each.key) or ("",)):
                named = each.model_copy(update={"key": name})
                sums[name] = sums[name].plus(named) if name in sums else named
        return [sums[name] for name in sorted(sums)]

    async def stats(
        self, by: StatsPeriod, start: datetime | None = None, end: datetime | None = None, user_id: str = ""
    ) -> Stats:
        """Return what builds came to, of the hours from that of `start` to that before `end`, of a user or of all ("")."""
        return await stats_rows.read(self._database, by, start, end, user_id)

    async def recount_stats(self) -> None:
        """Make the stats anew from the journals. What builds came to that were pruned stays."""
        await stats_rows.recount(self._database)

    async def execution_log(
        self, build_id: str, after: int = 0, limit: int = 1000, task: str = ""
    ) -> list[TaskLogEntry]:
        """Return the entries of a build's log of tasks with an id > `after`, of one task when given."""
        return [entry_of(row) for row in await self._database.fetch(log_query(build_id, after, limit, task))]

    async def unfinished(self, user_id: str, project_id: str = "") -> list[BuildRow]:
        """Return the builds of a user that have not ended: running, waiting or paused. Of a project of any user with ""."""
        if not user_id:
            query = _newest_first().where(build_runs.c.project_id == project_id, build_runs.c.completed_at.is_(None))
            return await self._fetch(query)
        found = await self._fetch(unfinished_query(user_id))
        return [row for row in found if not project_id or row.project_id == project_id]

    async def close(self) -> None:
        """Close the file or the connections."""
        await self._database.close()

    async def _fetch(self, query: Select[tuple[object, ...]]) -> list[BuildRow]:
        return [BuildRow(*tuple(row)) for row in await self._database.fetch(query)]


def _cost_sum(key: str, *figures: Any) -> CostSum:
    requests, tokens_in, tokens_out, cache_read, cache_write, usd, thrown_away, none = figures
    return CostSum(
        key=key,
        requests=requests,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cache_tokens=cache_read + cache_write,
        cache_read_tokens=cache_read,
        cost_usd=round(Decimal(str(usd)), 6),  # SQLite sums floating point numbers
        thrown_away_usd=round(Decimal(str(thrown_away)), 6),
        unpriced=none,
    )


def page_query(
    user_id: str,
    limit: int,
    before: tuple[datetime, str] | None,
    project_id: str = "",
    phase: str = "",
    prefix: str = "",
    shared: Collection[str] = (),
) -> Select[tuple[object, ...]]:
    """Return the query of `BuildQueries.page`: a walk along one index, from `before` on; two, with `shared`."""
    query = _newest_first()
    of_user = build_runs.c.user_id == user_id
    if user_id:
        query = query.where(of_user | build_runs.c.project_id.in_(shared) if shared else of_user)
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
    by: CostKey, start: datetime, end: datetime, user_id: str, build_id: str, *, postgres: bool
) -> Select[tuple[Any, ...]]:
    """Return the query of the columns of `CostSum`, of requests from `start` to before `end`; "" is any user or build."""
    # A NUL is what PostgreSQL cannot read as a text.
    data = func.replace(events.c.data, "\\u0000", "\\u2400")
    used = cast(data, JSON) if postgres else type_coerce(data, JSON)

    def total(name: str) -> ColumnElement[Any]:
        return func.coalesce(func.sum(cast(used[name].as_string(), BigInteger)), 0)

    usd = used["cost_usd"].as_numeric(20, 10)
    key = _key(by, used, postgres=postgres)
    of_attempt = (
        (metrics_attempts.c.build_id == events.c.build_id)
        & (metrics_attempts.c.task == used["task"].as_string())
        & (metrics_attempts.c.attempt == cast(used["attempt"].as_string(), BigInteger))
    )
    query = (
        select(
            key.label("key"),
            func.count().label("requests"),
            total("input_tokens"),
            total("output_tokens"),
            total("cache_read_tokens"),
            total("cache_write_tokens"),
            func.coalesce(func.sum(usd), 0),
            func.coalesce(func.sum(case((_RESULT.in_(USEFUL), None), else_=usd)), 0),
            func.count() - func.count(used["cost_usd"].as_string()),
        )
        .join(build_runs, build_runs.c.build_id == events.c.build_id)
        .outerjoin(metrics_attempts, of_attempt)
        .where(events.c.type == "tokens.used", events.c.at >= start, events.c.at < end)
        .group_by(key)
        .order_by(key)
    )
    query = query.where(events.c.build_id == build_id) if build_id else query
    return query.where(build_runs.c.user_id == user_id) if user_id else query


def apart_query(
    kept: Table, by: CostKey, start: datetime, end: datetime, user_id: str, *, postgres: bool
) -> Select[tuple[Any, ...]]:
    """Return the query of what interviews, or plans without a build, cost; by the same keys as `costs_query`."""
    each, key = kept.c, _key_apart(kept, by, postgres=postgres)
    names = ("requests", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost", "unpriced")
    figures = (cast(func.sum(each[name]), BigInteger) for name in names)
    query = select(key.label("key"), *figures).where(each.at >= start, each.at < end).group_by(key).order_by(key)
    return query.where(each.user_id == user_id) if user_id else query


def _key_apart(kept: Table, by: CostKey, *, postgres: bool) -> ColumnElement[Any]:
    each = kept.c
    match by:
        case "day" | "month":
            return _day(each.at, postgres=postgres, by=by)
        case "project":
            return each.project_id
        case "user":
            return each.user_id
        case "model":
            return each.model
        case "build" | "task" | "attempt":
            return each.plan_id if kept is plan_costs else literal("interview-") + each.project_id
        case "agent" | "result" | "requirement":
            return literal("")
        case _:
            assert_never(by)


def _day(at: ColumnElement[Any], *, postgres: bool, by: Literal["day", "month"]) -> ColumnElement[Any]:
    """Return the day or month of a time in UTC, such as `2026-03-01` or `2026-03`."""
    if postgres:
        return func.to_char(func.timezone("UTC", at), "YYYY-MM-DD" if by == "day" else "YYYY-MM")
    return func.strftime("%Y-%m-%d" if by == "day" else "%Y-%m", at)


_RESULT = case(
    (metrics_attempts.c.result.is_(None), ""),
    ((metrics_attempts.c.result == "open") & build_runs.c.completed_at.is_not(None), "stopped"),
    else_=metrics_attempts.c.result,
)
"""What became of the attempt that a request was made for; "" for a request of an advisor."""


def plans_query(build_ids: Sequence[str]) -> Select[tuple[Any, ...]]:
    """Return the query of the events that say what the tasks of some builds are, in order."""
    planning = events.c.type.in_(("plan.made", "plan.changed", "contracts.changed")) & events.c.build_id.in_(build_ids)
    query = select(events.c.build_id, events.c.seq, events.c.type, events.c.data).where(planning)
    return query.order_by(events.c.build_id, events.c.seq)


def _key(by: CostKey, used: Any, *, postgres: bool) -> ColumnElement[Any]:
    match by:
        case "day" | "month":
            return _day(events.c.at, postgres=postgres, by=by)
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
        case "task":
            return build_runs.c.build_id + func.coalesce("/" + used["task"].as_string(), "")
        case "attempt":
            attempt = func.coalesce("#" + used["attempt"].as_string(), "")
            return build_runs.c.build_id + func.coalesce("/" + used["task"].as_string() + attempt, "")
        case "result":
            return _RESULT
        case "requirement":  # a plan says it, so it is summed by task first
            raise ValueError(by)
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
