"""Repositories that users have connected, what their webhooks brought, and the audits of pushes. Must start nothing.

A delivery and the audit that it asks for are stored in one transaction: a delivery that was answered is never lost, and
one that comes again is not done again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, cast

from sqlalchemy import ColumnElement, Row, case, delete, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from buildwright.core.push import Push
from buildwright.errors import Conflict, NotFound, TooMany
from buildwright.store.database import Database
from buildwright.store.tables import connected_repositories, push_audit_checks, push_audits, webhook_deliveries

PushStatus = Literal["queued", "running", "passed", "failed", "broke"]
Outcome = Literal["queued", "known", "nothing to do", "ignored", "again"]
"""What a delivery came to: an audit waits; the commit was audited before; there is nothing to audit; an event of a type
that is not known; the same delivery as before."""

MOST_WAITING = 50
"""Audits of one repository that may wait."""
MOST_WAITING_IN_ALL = 1_000
_KEPT = timedelta(days=30)
"""Time for which the id of a delivery is known: forges offer to send one again for less."""
_MOST_FORGOTTEN = 500
_MOST_CONNECTED = 1_000
_LIST = "see `buildwright repo list`"


class ConnectedRepository(NamedTuple):
    """A repository that a user has connected."""

    id: str
    user_id: str
    site: str
    """The address of the forge's API."""
    name: str
    """`owner/name`."""
    webhook: str
    """The forge's id of the webhook; "" while it is being made, and where an App's webhook serves."""
    secret: bytes
    """Of the webhook, sealed."""
    created_at: datetime
    last_delivery_at: datetime | None = None
    last_event: str = ""
    ignored: int = 0
    """Deliveries of types that are not known."""


class PushAudit(NamedTuple):
    """The audit of one commit that was pushed."""

    id: str
    repository_id: str
    user_id: str
    repository: str
    branch: str
    commit_sha: str
    base_sha: str
    push: Push
    status: str
    """A `PushStatus`."""
    message: str
    """Why it broke, or what it says in a line."""
    told: str
    """What the forge was told of it."""
    ledger_entry: int | None
    queued_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    holder: str
    tries: int


class PushCheck(NamedTuple):
    """What one check said in an audit."""

    code: str
    name: str
    result: str
    detail: str
    """The first finding, "" for none."""


class PushResult(NamedTuple):
    """What an audit came to."""

    status: PushStatus
    message: str
    base_sha: str = ""
    told: str = ""
    report: str = ""
    """JSON of the `AuditReport`, "" when it broke."""
    ledger_entry: int | None = None
    checks: tuple[PushCheck, ...] = ()


_REPOSITORY = [connected_repositories.c[name] for name in ConnectedRepository._fields]
_AUDIT = [push_audits.c[name] for name in PushAudit._fields]
_CHECK = [push_audit_checks.c[name] for name in PushCheck._fields]
_WAITING = push_audits.c.status.in_(("queued", "running"))


class Repositories:
    """The connected repositories of all users, and the audits of their pushes. Queries for a user name the user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- connected repositories -------------------------------------------------------------------------------------

    async def connect(self, user_id: str, site: str, name: str, secret: bytes, at: datetime) -> ConnectedRepository:
        """Keep a repository, without its webhook yet. Raises Conflict when the user has connected it already."""
        row = ConnectedRepository(str(uuid.uuid4()), user_id, site, name, "", secret, at)
        insert = self._database.insert(connected_repositories).values(row._asdict()).on_conflict_do_nothing()
        if not await self._database.change(insert.returning(connected_repositories.c.id)):
            raise Conflict(f"{name} is connected already", fix=_LIST)
        return row

    async def set_webhook(self, repository_id: str, webhook: str) -> None:
        """Keep the forge's id of a webhook that was made."""
        change = update(connected_repositories).where(connected_repositories.c.id == repository_id)
        await self._database.change(change.values(webhook=webhook))

    async def get(self, user_id: str, repository_id: str) -> ConnectedRepository:
        """Return a user's connected repository. Raises NotFound, also when it is another user's."""
        found = await self._connected(
            (connected_repositories.c.id == repository_id) & (connected_repositories.c.user_id == user_id)
        )
        if not found:
            raise NotFound(f"you have connected no repository {repository_id}", fix=_LIST)
        return found[0]

    async def all(self, user_id: str) -> list[ConnectedRepository]:
        """Return a user's connected repositories by name, at most 1,000."""
        return await self._connected(connected_repositories.c.user_id == user_id)

    async def for_delivery(self, repository_id: str) -> ConnectedRepository | None:
        """Return a repository of any user, None when there is none: its webhook's signature is to prove more."""
        found = await self._connected(connected_repositories.c.id == repository_id)
        return found[0] if found else None

    async def named(self, site: str, name: str) -> list[ConnectedRepository]:
        """Return the repositories of that name at a forge, of all users."""
        columns = connected_repositories.c
        return await self._connected((columns.site == site) & (func.lower(columns.name) == name.lower()))

    async def disconnect(self, user_id: str, repository_id: str) -> None:
        """Remove a user's connected repository, with its deliveries and audits. Raises NotFound."""
        await self.get(user_id, repository_id)

        async def work(connection: AsyncConnection) -> None:
            mine = select(push_audits.c.id).where(push_audits.c.repository_id == repository_id)
            await connection.execute(delete(push_audit_checks).where(push_audit_checks.c.audit_id.in_(mine)))
            for table in (push_audits, webhook_deliveries):
                await connection.execute(delete(table).where(table.c.repository_id == repository_id))
            await connection.execute(delete(connected_repositories).where(connected_repositories.c.id == repository_id))

        await self._database.write(work)

    async def _connected(self, where: ColumnElement[bool]) -> list[ConnectedRepository]:
        query = select(*_REPOSITORY).where(where).order_by(connected_repositories.c.name).limit(_MOST_CONNECTED)
        return [ConnectedRepository._make(row) for row in await self._database.fetch(query)]

    # --- deliveries -------------------------------------------------------------------------------------------------

    async def receive(
        self, here: ConnectedRepository, delivery_id: str, event: str, push: Push | None, at: datetime, *, known: bool
    ) -> tuple[Outcome, PushAudit | None]:
        """Keep a delivery and, for a push of a commit that was not audited yet, the audit to do.

        `known` says whether the type of event is. Durable when this returns. Raises TooMany when too many audits wait:
        nothing is kept then, so that the forge can send the delivery again.
        """
        row = _queued(here, push, at) if push is not None else None

        async def work(connection: AsyncConnection) -> tuple[Outcome, PushAudit | None]:
            columns = webhook_deliveries.c
            old = select(columns.delivery_id).where(columns.received_at < at - _KEPT).limit(_MOST_FORGOTTEN)
            await connection.execute(delete(webhook_deliveries).where(columns.delivery_id.in_(old)))
            values = {"repository_id": here.id, "delivery_id": delivery_id, "event": event, "received_at": at}
            insert = self._database.insert(webhook_deliveries).values(values).on_conflict_do_nothing()
            if not (await connection.execute(insert.returning(columns.delivery_id))).all():
                return "again", None
            change = update(connected_repositories).where(connected_repositories.c.id == here.id)
            counted = {} if known else {"ignored": connected_repositories.c.ignored + 1}
            await connection.execute(change.values(last_delivery_at=at, last_event=event, **counted))
            if row is None:
                return ("nothing to do" if known else "ignored"), None
            return await self._queue(connection, row)

        return await self._database.write(work)

    async def _queue(self, connection: AsyncConnection, row: PushAudit) -> tuple[Outcome, PushAudit | None]:
        waiting = select(
            func.count(), func.coalesce(func.sum(_one_if(push_audits.c.repository_id == row.repository_id)), 0)
        )
        in_all, here = (await connection.execute(waiting.where(_WAITING))).one()
        if here >= MOST_WAITING or in_all >= MOST_WAITING_IN_ALL:
            raise TooMany(f"{max(here, 1)} audits of {row.repository} wait already", retry_after=60.0)
        values = row._asdict() | {"push": row.push.model_dump_json(), "report": ""}
        insert = self._database.insert(push_audits).values(values).on_conflict_do_nothing()
        made = (await connection.execute(insert.returning(push_audits.c.id))).all()
        return ("queued", row) if made else ("known", None)

    # --- audits -----------------------------------------------------------------------------------------------------

    async def page(
        self,
        user_id: str,
        repository_id: str,
        limit: int,
        before: tuple[datetime, str] | None = None,
        branch: str = "",
    ) -> list[PushAudit]:
        """Return at most `limit` audits of a user's repository, newest first, of one branch when given.

        `before` is the end of the previous page: `queued_at` and `id` of its last audit.
        """
        columns = push_audits.c
        query = select(*_AUDIT).where(columns.user_id == user_id, columns.repository_id == repository_id)
        if branch:
            query = query.where(columns.branch == branch)
        if before is not None:
            query = query.where(tuple_(columns.queued_at, columns.id) < before)
        query = query.order_by(columns.queued_at.desc(), columns.id.desc()).limit(limit)
        return _audits(await self._database.fetch(query))

    async def audit(self, user_id: str, repository_id: str, audit_id: str) -> tuple[PushAudit, str]:
        """Return an audit of a user's repository, and the JSON of its report ("" while there is none). Raises NotFound."""
        columns = push_audits.c
        query = select(*_AUDIT, columns.report).where(
            columns.id == audit_id, columns.repository_id == repository_id, columns.user_id == user_id
        )
        found = await self._database.fetch(query)
        if not found:
            raise NotFound(f"there is no audit {audit_id} of this repository", fix=_LIST)
        return _audits(found)[0], str(found[0].report)

    async def checks(self, audit_ids: Sequence[str]) -> dict[str, list[PushCheck]]:
        """Return what each check said in these audits, in order."""
        query = select(push_audit_checks.c.audit_id, *_CHECK).where(push_audit_checks.c.audit_id.in_(audit_ids))
        found: dict[str, list[PushCheck]] = {name: [] for name in audit_ids}
        for row in await self._database.fetch(query.order_by(push_audit_checks.c.place)):
            found[row.audit_id].append(PushCheck._make(row[1:]))
        return found

    async def waiting(self, limit: int) -> list[PushAudit]:
        """Return audits that have not ended, oldest first, also those that a process does now (`holder`)."""
        query = select(*_AUDIT).where(_WAITING).order_by(push_audits.c.queued_at, push_audits.c.id).limit(limit)
        return _audits(await self._database.fetch(query))

    async def claim(self, row: PushAudit, holder: str, at: datetime) -> PushAudit | None:
        """Take an audit to do it; None if another process was first. A `holder` of "" puts it back into the queue."""
        columns = push_audits.c
        seen = (columns.id == row.id) & (columns.holder == row.holder) & (columns.tries == row.tries) & _WAITING
        values = (
            {"status": "running", "holder": holder, "started_at": at, "tries": row.tries + 1}
            if holder
            else {"status": "queued", "holder": ""}
        )
        taken = await self._database.change(update(push_audits).where(seen).values(**values).returning(*_AUDIT))
        return _audits(taken)[0] if taken else None

    async def finish(self, row: PushAudit, result: PushResult, at: datetime) -> PushAudit | None:
        """Keep what an audit came to; None when the repository was disconnected meanwhile."""
        columns = push_audits.c
        given = {name: value for name, value in result._asdict().items() if name != "checks"}
        change = update(push_audits).where(columns.id == row.id).values(**given, completed_at=at, holder="")

        async def work(connection: AsyncConnection) -> PushAudit | None:
            changed = (await connection.execute(change.returning(*_AUDIT))).all()
            if not changed:
                return None
            await connection.execute(delete(push_audit_checks).where(push_audit_checks.c.audit_id == row.id))
            if result.checks:
                values = [
                    {"audit_id": row.id, "place": place, **check._asdict()} for place, check in enumerate(result.checks)
                ]
                await connection.execute(self._database.insert(push_audit_checks), values)
            return _audits(changed)[0]

        return await self._database.write(work)

    async def set_told(self, audit_id: str, told: str) -> None:
        """Keep what the forge was told of an audit."""
        await self._database.change(update(push_audits).where(push_audits.c.id == audit_id).values(told=told))


def _one_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, literal(1)), else_=literal(0))


def _queued(here: ConnectedRepository, push: Push, at: datetime) -> PushAudit:
    return PushAudit(
        id=str(uuid.uuid4()),
        repository_id=here.id,
        user_id=here.user_id,
        repository=here.name,
        branch=push.branch,
        commit_sha=push.commit,
        base_sha=push.before,
        push=push,
        status="queued",
        message="",
        told="",
        ledger_entry=None,
        queued_at=at,
        started_at=None,
        completed_at=None,
        holder="",
        tries=0,
    )


def _audits(rows: Sequence[Row[Any]]) -> list[PushAudit]:
    found = [PushAudit._make(row[: len(PushAudit._fields)]) for row in rows]
    return [one._replace(push=Push.model_validate(json.loads(cast("str", one.push)))) for one in found]
