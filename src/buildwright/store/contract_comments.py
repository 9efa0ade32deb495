"""Comments on paragraphs of contracts. Must never change the words of one that is there.

The owner of the project stands in every query: of another user's project nothing is found.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, select, update

from buildwright.core.contract_types import ContractType
from buildwright.store.database import Database
from buildwright.store.tables import contract_comments as table


class CommentRecord(NamedTuple):
    """A comment as it is kept: on lines `first_line` to `last_line` of a version, which were `passage`."""

    id: str
    contract_type: ContractType
    version: int
    first_line: int
    last_line: int
    passage: str
    text: str
    author: str
    created_at: datetime
    resolved_by: str = ""
    resolved_at: datetime | None = None


_COLUMNS = [table.c[name] for name in CommentRecord._fields]


class ContractComments:
    """The comments on the contracts of all users' projects. Their methods raise what those of `Database` do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: str, project_id: str) -> list[CommentRecord]:
        """Return the comments on a user's project, oldest first."""
        query = select(*_COLUMNS).where(table.c.project_id == project_id, table.c.user_id == user_id)
        return [_record(row) for row in await self._database.fetch(query.order_by(table.c.created_at, table.c.id))]

    async def add(self, user_id: str, project_id: str, comment: CommentRecord) -> CommentRecord:
        """Keep a new comment."""
        row = {**comment._asdict(), "user_id": user_id, "project_id": project_id}
        (added,) = await self._database.change(self._database.insert(table).values(row).returning(*_COLUMNS))
        return _record(added)

    async def resolve(
        self, user_id: str, project_id: str, comment_id: str, by: str, at: datetime | None
    ) -> CommentRecord | None:
        """Mark a comment as resolved or, with `at` None, as open again; return None when there is no such comment.

        One that is so already stays as it is, with who resolved it and when.
        """
        mine = (table.c.id == comment_id, table.c.project_id == project_id, table.c.user_id == user_id)
        other = table.c.resolved_at.is_(None) if at is not None else table.c.resolved_at.is_not(None)
        values = {"resolved_by": by if at is not None else "", "resolved_at": at}
        changed = await self._database.change(update(table).where(*mine, other).values(values).returning(*_COLUMNS))
        found = changed or await self._database.fetch(select(*_COLUMNS).where(*mine))
        return _record(found[0]) if found else None


def _record(row: Row[Any]) -> CommentRecord:
    return CommentRecord._make(row)
