"""Idempotency keys: a request that is sent twice runs once. Must keep hashes, never a key or a body."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Delete, Executable, Row, Select, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from buildwright.store.database import Database
from buildwright.store.tables import idempotency_keys

_COLUMNS = idempotency_keys.c
_KEY = (_COLUMNS.user_id, _COLUMNS.scope, _COLUMNS.key_hash)
CLAIM_SECONDS = 120.0
"""Seconds; a request takes less, or counts as given up."""
_MOST_FORGOTTEN = 500
"""Expired keys that are removed with one new key."""


class Claim(NamedTuple):
    """The result of a claim."""

    first: bool
    """Whether to run the request, then `finish` or `release`; otherwise it is done or under way elsewhere."""
    same_body: bool
    done: bool
    location: str
    """"" until the first request is done, like `answer`."""
    answer: str


class _Key(NamedTuple):
    """A key that a request asks for."""

    user_id: str
    scope: str
    key: str
    body: bytes
    at: datetime
    seconds: float
    location: str = ""
    answer: str = ""

    def values(self, *, done: bool) -> dict[str, object]:
        return {
            "user_id": self.user_id,
            "scope": self.scope,
            "key_hash": _hash(self.key),
            "body_hash": self._body_hash,
            "location": self.location,
            "answer": self.answer,
            "state": "done" if done else "pending",
            "created_at": self.at,
            "expires_at": self.at + timedelta(seconds=self.seconds),
        }

    def look(self) -> Select[Any]:
        query = select(_COLUMNS.body_hash, _COLUMNS.state, _COLUMNS.location, _COLUMNS.answer)
        return query.where(_is(self.user_id, self.scope, self.key))

    def found(self, row: Row[Any]) -> Claim:
        return Claim(False, row.body_hash == self._body_hash, row.state == "done", row.location, row.answer)

    @property
    def _body_hash(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


class IdempotencyKeys:
    """The keys of all users; each user has keys of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, user_id: str, scope: str, key: str, body: bytes, at: datetime, seconds: float = CLAIM_SECONDS
    ) -> Claim:
        """Take a key, for `seconds`. Of concurrent callers exactly one is `first`.

        A key that is neither finished nor released by then is free again: its process was killed. `scope` names the
        request, for example `POST /api/devteam/automation/initialize`.
        """
        return await self._take(_Key(user_id, scope, key, body, at, seconds))

    async def use(
        self,
        user_id: str,
        scope: str,
        key: str,
        body: bytes,
        at: datetime,
        location: str,
        answer: str,
        statement: Executable,
        seconds: float = 6 * 3600,
    ) -> Claim:
        """Take a key and run `statement`, all or nothing: later callers find the key `done`.

        The claim that is `first` has run the statement for good; for every other claim it did not run.
        """
        return await self._take(_Key(user_id, scope, key, body, at, seconds, location, answer), statement)

    async def look(self, user_id: str, scope: str, key: str, body: bytes, at: datetime) -> Claim | None:
        """Return what a claim would find, without taking the key; None when the key is free."""
        wanted = _Key(user_id, scope, key, body, at, 0.0)
        found = await self._database.fetch(wanted.look().where(_COLUMNS.expires_at > at))
        return wanted.found(found[0]) if found else None

    async def _take(self, wanted: _Key, statement: Executable | None = None) -> Claim:
        await self._database.change(_forget_expired(wanted.at))
        values = wanted.values(done=statement is not None)
        take = self._database.insert(idempotency_keys).values(values)
        take = take.on_conflict_do_update(index_elements=_KEY, set_=values, where=_COLUMNS.expires_at <= wanted.at)

        async def work(connection: AsyncConnection) -> Claim:
            # Repeats only if the key's holder releases it between the two statements.
            while True:
                if (await connection.execute(take.returning(_COLUMNS.state))).all():
                    if statement is not None:
                        await connection.execute(statement)
                    return Claim(True, True, statement is not None, wanted.location, wanted.answer)
                found = (await connection.execute(wanted.look())).first()
                if found is not None:
                    return wanted.found(found)

        return await self._database.write(work)

    async def finish(self, user_id: str, scope: str, key: str, location: str, answer: str, until: datetime) -> None:
        """Record that the request was carried out: its repeats get this answer, and the key is forgotten at `until`."""
        change = update(idempotency_keys).where(_is(user_id, scope, key))
        change = change.values(state="done", location=location, answer=answer, expires_at=until)
        await self._database.change(change)

    async def release(self, user_id: str, scope: str, key: str) -> None:
        """Free the key of a failed request for another try. Harmless when it is finished or unknown."""
        where = _is(user_id, scope, key) & (_COLUMNS.state == "pending")
        await self._database.change(delete(idempotency_keys).where(where))


def _is(user_id: str, scope: str, key: str) -> ColumnElement[bool]:
    return (_COLUMNS.user_id == user_id) & (_COLUMNS.scope == scope) & (_COLUMNS.key_hash == _hash(key))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _forget_expired(at: datetime) -> Delete:
    """Return a statement for its own transaction. It skips rows being deleted, so no claims wait for each other."""
    old = select(*_KEY).where(_COLUMNS.expires_at <= at).limit(_MOST_FORGOTTEN).with_for_update(skip_locked=True)
    return delete(idempotency_keys).where(tuple_(*_KEY).in_(old))
