"""Tokens for one use. Keeps their ids until they have expired; must never keep a token."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from buildwright.store.database import Database
from buildwright.store.tables import used_tokens

_MOST_FORGOTTEN = 500
"""Expired ids that are removed with one new id."""


class UsedTokens:
    """The ids of the tokens that have been used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use(self, jti: str, expires_at: datetime, at: datetime) -> bool:
        """Record a token's use; return whether it is the first and not expired. Of concurrent callers one gets True."""
        if expires_at <= at:
            return False
        old = select(used_tokens.c.jti).where(used_tokens.c.expires_at <= at).limit(_MOST_FORGOTTEN)
        await self._database.change(
            delete(used_tokens).where(used_tokens.c.jti.in_(old.with_for_update(skip_locked=True)))
        )
        insert = self._database.insert(used_tokens).values(jti=jti, expires_at=expires_at).on_conflict_do_nothing()
        return bool(await self._database.change(insert.returning(used_tokens.c.jti)))
