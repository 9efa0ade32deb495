"""Idempotency keys: a request that is sent twice is carried out once. Keeps hashes, never a key or a body."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Delete, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from buildwright.store.database import Database
from buildwright.store.tables import idempotency_keys

_COLUMNS = idempotency_keys.c
_KEY = (_COLUMNS.user_id, _COLUMNS.scope, _COLUMNS.key_hash)
_MOST_FORGOTTEN = 500
"""Expired keys that go with one new one."""


class Claim(NamedTuple):
    """What came of a claim."""

    first: bool
    """Carry the request out, then `finish` or `release`. For everybody else somebody has done it, or is at it."""
    same_body: bool
    done: bool
    location: str
    """"" until the first is done, like `answer`."""
    answer: str


class IdempotencyKeys:
    """The keys of all users; a key of one is nothing to another."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, user_id: str, scope: str, key: str, body: bytes, at: datetime, seconds: float = 6 * 3600
    ) -> Claim:
        """Take a key, for `seconds`. Of all who do so at the same time exactly one is `first`.

        `scope` is what is asked for, for example `POST /api/devteam/automation/initialize`.
        """
        await self._database.change(_forget_expired(at))
        body_hash = hashlib.sha256(body).hexdigest()
        values = {
            "user_id": user_id,
            "scope": scope,
            "key_hash": _hash(key),
            "body_hash": body_hash,
            "location": "",
            "answer": "",
            "state": "pending",
            "created_at": at,
            "expires_at": at + timedelta(seconds=seconds),
        }
        take = self._database.insert(idempotency_keys).values(values)
        take = take.on_conflict_do_update(index_elements=_KEY, set_=values, where=_COLUMNS.expires_at <= at)
        look = select(_COLUMNS.body_hash, _COLUMNS.state, _COLUMNS.location, _COLUMNS.answer)
        look = look.where(_is(user_id, scope, key))

        async def work(connection: AsyncConnection) -> Claim:
            # More than once only if the holder of the key lets it go between the two statements.
            while True:
                if (await connection.execute(take.returning(_COLUMNS.state))).all():
                    return Claim(first=True, same_body=True, done=False, location="", answer="")
                found = (await connection.execute(look)).first()
                if found is not None:
                    return Claim(
                        False, found.body_hash == body_hash, found.state == "done", found.location, found.answer
                    )

        return await self._database.write(work)

    async def finish(self, user_id: str, scope: str, key: str, location: str, answer: str) -> None:
        """The request was carried out: from now on its repeats get this answer."""
        change = update(idempotency_keys).where(_is(user_id, scope, key))
        await self._database.change(change.values(state="done", location=location, answer=answer))

    async def release(self, user_id: str, scope: str, key: str) -> None:
        """The request failed: its key can be used again. Harmless when it was finished, or is not there."""
        where = _is(user_id, scope, key) & (_COLUMNS.state == "pending")
        await self._database.change(delete(idempotency_keys).where(where))


def _is(user_id: str, scope: str, key: str) -> ColumnElement[bool]:
    return (_COLUMNS.user_id == user_id) & (_COLUMNS.scope == scope) & (_COLUMNS.key_hash == _hash(key))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _forget_expired(at: datetime) -> Delete:
    """In a transaction of its own, and past rows that others are deleting: so that no two claims wait for each other."""
    old = select(*_KEY).where(_COLUMNS.expires_at <= at).limit(_MOST_FORGOTTEN).with_for_update(skip_locked=True)
    return delete(idempotency_keys).where(tuple_(*_KEY).in_(old))
