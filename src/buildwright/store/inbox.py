"""The inbox: events of other systems from receipt to end, each with a versioned context. Must start nothing."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, Row, exists, literal, select, update

from buildwright.errors import NotFound, StaleVersion
from buildwright.store.database import Database
from buildwright.store.tables import projects, received_events
from buildwright.views.statuses import ReceivedStatus

_MOST_VERSIONS = 2**63 - 1


class Received(NamedTuple):
    """A received event. `build_id` and `message` are "" until there is one."""

    event_id: str
    task_id: str
    user_id: str
    project_id: str
    type: str
    data: dict[str, Any]
    correlation_id: str
    created_at: datetime
    updated_at: datetime
    status: str = "received"
    """A `ReceivedStatus`."""
    task_context: dict[str, Any] = {}  # noqa: RUF012  replaced, never changed
    context_version: int = 0
    """From 0, one more with each `set_context`."""
    build_id: str = ""
    message: str = ""
    holder: str = ""
    """The process that starts it (`host:pid:start`), while it is `received`; "" when there is none."""


def asked(
    user_id: str,
    project_id: str,
    type: str,  # noqa: A002  the column's name
    data: dict[str, Any],
    correlation_id: str,
    at: datetime,
) -> Received:
    """Return a received event under new ids. Not stored yet."""
    return Received(str(uuid.uuid4()), str(uuid.uuid4()), user_id, project_id, type, data, correlation_id, at, at)


_COLUMNS = [received_events.c[name] for name in Received._fields]
_HEAVY = ("data", "task_context")
_LIGHT = [literal("{}").label(name) if name in _HEAVY else received_events.c[name] for name in Received._fields]


class Inbox:
    """The received events of all users. Callers must compare `user_id`: nothing here knows the caller's user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, row: Received) -> Received:
        """Store an event that `asked` made, in the status `received`. Durable when this returns."""
        return _received(await self._database.change(await asyncio.to_thread(self.keeping, row)))[0]

    def keeping(self, row: Received) -> Executable:
        """Return the statement that stores a row, for `IdempotencyKeys.use`."""
        values = row._asdict() | {"data": json.dumps(row.data), "task_context": json.dumps(row.task_context)}
        return self._database.insert(received_events).values(values).returning(*_COLUMNS)

    async def get(self, event_id: str) -> Received:
        """Return an event by its id. Raises NotFound."""
        return await self._one(received_events.c.event_id == event_id, f"there is no event {event_id}")

    async def by_task(self, task_id: str) -> Received:
        """Return an event by the id of its task. Raises NotFound."""
        return await self._one(received_events.c.task_id == task_id, f"there is no task {task_id}")

    async def latest(self, project_id: str, type: str = "", user_id: str = "") -> Received | None:  # noqa: A002
        """Return a project's newest event, of a type or user if given; None when there is none."""
        query = select(*_COLUMNS).where(received_events.c.project_id == project_id)
        if type:
            query = query.where(received_events.c.type == type)
        if user_id:
            query = query.where(received_events.c.user_id == user_id)
        query = query.order_by(received_events.c.created_at.desc(), received_events.c.event_id.desc()).limit(1)
        found = _received(await self._database.fetch(query))
        return found[0] if found else None

    async def owner(self, project_id: str) -> str:
        """Return the user of the first event of a project that is only a name; "" for none, and for one that is kept here."""
        kept = exists().where(projects.c.id == received_events.c.project_id)
        query = select(received_events.c.user_id).where(received_events.c.project_id == project_id, ~kept)
        query = query.order_by(received_events.c.created_at, received_events.c.event_id).limit(1)
        found = await self._database.fetch(query)
        return str(found[0][0]) if found else ""

    async def waiting(self, limit: int) -> list[Received]:
        """Return events not started yet, oldest first, also those being started (`holder`). Without `data`."""
        return await self._in_status("received", limit)

    async def started(self, limit: int) -> list[Received]:
        """Return events that were started and have not ended, oldest first. Without `data` and `task_context`."""
        return await self._in_status("started", limit)

    async def claim(self, row: Received, holder: str, at: datetime) -> Received | None:
        """Take a waiting event to start it; None if it has changed since `row`. A `holder` of "" releases it."""
        seen = (
            (received_events.c.event_id == row.event_id)
            & (received_events.c.status == "received")
            & (received_events.c.holder == row.holder)
            & (received_events.c.updated_at == row.updated_at)
        )
        change = update(received_events).where(seen).values(holder=holder, updated_at=at)
        taken = _received(await self._database.change(change.returning(*_COLUMNS)))
        return taken[0] if taken else None

    async def set_status(
        self, event_id: str, status: ReceivedStatus, at: datetime, build_id: str = "", message: str = ""
    ) -> None:
        """Set the status of an event. A `build_id` or `message` of "" keeps the stored one. Raises NotFound."""
        given = {name: text for name, text in (("build_id", build_id), ("message", message)) if text}
        change = update(received_events).where(received_events.c.event_id == event_id)
        change = change.values(status=status, updated_at=at, holder="", **given)
        if not await self._database.change(change.returning(received_events.c.event_id)):
            raise NotFound(f"there is no event {event_id}")

    async def set_context(self, event_id: str, expected_version: int, context: dict[str, Any], at: datetime) -> int:
        """Replace the context if it still has the expected version; return the new version.

        Raises StaleVersion when another caller was first, NotFound.
        """
        column = received_events.c.context_version
        if 0 <= expected_version < _MOST_VERSIONS:
            change = update(received_events).where(received_events.c.event_id == event_id, column == expected_version)
            change = change.values(task_context=json.dumps(context), context_version=column + 1, updated_at=at)
            changed = await self._database.change(change.returning(column))
            if changed:
                return int(changed[0][0])
        found = await self.get(event_id)
        raise StaleVersion(
            f"the context of event {event_id} is of version {found.context_version}, not {expected_version}",
            fix="read it again, and change what is there now",
        )

    async def _in_status(self, status: ReceivedStatus, limit: int) -> list[Received]:
        query = select(*_LIGHT).where(received_events.c.status == status)
        return _received(await self._database.fetch(query.order_by(received_events.c.created_at).limit(limit)))

    async def _one(self, where: ColumnElement[bool], missing: str) -> Received:
        found = _received(await self._database.fetch(select(*_COLUMNS).where(where)))
        if not found:
            raise NotFound(missing)
        return found[0]


def _received(rows: Sequence[Row[Any]]) -> list[Received]:
    return [
        row._replace(data=json.loads(str(row.data)), task_context=json.loads(str(row.task_context)))
        for row in map(Received._make, rows)
    ]
