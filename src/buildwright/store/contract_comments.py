"""Comments on paragraphs of contracts. Must never change the words of one that is there.

The owner of the project stands in every query: of another user's project nothing is found.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, func, select, update

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

    async def of(
        self,
        user_id: str,
        project_id: str,
        contract_type: ContractType | None = None,
        *,
        only_open: bool = False,
        most: int | None = None,
    ) -> list[CommentRecord]:
        """Return the newest comments on a user's project or on one of its contracts, `most` or all, oldest first."""
        query = select(*_COLUMNS).where(table.c.project_id == project_id, table.c.user_id == user_id)
        if contract_type is not None:
            query = query.where(table.c.contract_type == contract_type)
        if only_open:
            query = query.where(table.c.resolved_at.is_(None))
        newest = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(most)
        return [_record(row) for row in reversed(await self._database.fetch(newest))]

    async def find(self, user_id: str, project_id: str, comment_id: str) -> CommentRecord | None:
        """Return a comment on a user's project; None when there is no such comment."""
        found = await self._database.fetch(select(*_COLUMNS).where(*_one(user_id, project_id, comment_id)))
        return _record(found[0]) if found else None

    async def count_open(self, user_id: str, project_id: str) -> int:
        """Return how many comments on a user's project are not resolved."""
        mine = (table.c.project_id == project_id, table.c.user_id == user_id, table.c.resolved_at.is_(None))
        ((number,),) = await self._database.fetch(select(func.count()).select_from(table).where(*mine))
        return int(number)

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
        mine = _one(user_id, project_id, comment_id)
        other = table.c.resolved_at.is_(None) if at is not None else table.c.resolved_at.is_not(None)
        values = {"resolved_by": by if at is not None else "", "resolved_at": at}
        changed = await self._database.change(update(table).where(*mine, other).values(values).returning(*_COLUMNS))
        return _record(changed[0]) if changed else await self.find(user_id, project_id, comment_id)


def _one(user_id: str, project_id: str, comment_id: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.id == comment_id, table.c.project_id == project_id, table.c.user_id == user_id


def _record(row: Row[Any]) -> CommentRecord:
    return CommentRecord._make(row)
