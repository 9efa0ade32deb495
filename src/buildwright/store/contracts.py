"""The contracts of projects, every version of each. Must never change a version that is there.

The owner stands in every query: of another user's project nothing is found.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, and_, func, select

from buildwright.core.contract_types import FILES, ContractType
from buildwright.core.contracts import Contract
from buildwright.errors import Conflict
from buildwright.store.database import Database
from buildwright.store.tables import project_contracts as table


class ContractRecord(NamedTuple):
    """A version of a contract as it is kept. `created_at` is that of the first version, `updated_at` its own."""

    contract: Contract
    created_at: datetime
    updated_at: datetime


_SHOWN = ("contract_type", "version", "content", "sources", "template", "created_at", "updated_at")
_COLUMNS = [table.c[name] for name in _SHOWN]


class Contracts:
    """The contracts of all users' projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, user_id: str, project_id: str) -> list[ContractRecord]:
        """Return the newest version of each contract, in the order of the types."""
        newest = (
            select(table.c.contract_type, func.max(table.c.version).label("version"))
            .where(table.c.project_id == project_id, table.c.user_id == user_id)
            .group_by(table.c.contract_type)
            .subquery()
        )
        same = and_(table.c.contract_type == newest.c.contract_type, table.c.version == newest.c.version)
        found = [_record(row) for row in await self._database.fetch(_of(user_id, project_id).join(newest, same))]
        order = list(FILES)
        return sorted(found, key=lambda record: order.index(record.contract.contract_type))

    async def versions(self, user_id: str, project_id: str, contract_type: ContractType) -> list[ContractRecord]:
        """Return all versions of one contract, the newest first; none when there is no such contract."""
        query = _of(user_id, project_id).where(table.c.contract_type == contract_type)
        return [_record(row) for row in await self._database.fetch(query.order_by(table.c.version.desc()))]

    async def texts(
        self, user_id: str, project_id: str, contract_type: ContractType, after: int, most: int
    ) -> list[tuple[int, str]]:
        """Return the numbers and texts of the first `most` versions of a contract after one, the oldest first."""
        query = _texts(user_id, project_id, contract_type).where(table.c.version > after)
        found = await self._database.fetch(query.order_by(table.c.version).limit(most))
        return [(row.version, row.content) for row in found]

    async def text(
        self, user_id: str, project_id: str, contract_type: ContractType, version: int = 0
    ) -> tuple[int, str] | None:
        """Return the number and the text of a version of a contract, 0 for the newest; None when there is none."""
        query = _texts(user_id, project_id, contract_type)
        if version:
            query = query.where(table.c.version == version)
        found = await self._database.fetch(query.order_by(table.c.version.desc()).limit(1))
        return (found[0].version, found[0].content) if found else None

    async def add(
        self, user_id: str, project_id: str, contracts: Sequence[Contract], at: datetime
    ) -> list[ContractRecord]:
        """Keep new versions, all of them or none. Raises Conflict when another one has a number of them by now."""
        since = {one.contract.contract_type: one.created_at for one in await self.newest(user_id, project_id)}
        rows = [
            {
                "id": str(uuid.uuid4()),
                "project_id": project_id,
                "user_id": user_id,
                "contract_type": one.contract_type,
                "version": one.version,
                "content": one.content,
                "sources": json.dumps(one.sources),
                "template": one.template,
                "created_at": since.get(one.contract_type, at),
                "updated_at": at,
            }
            for one in contracts
        ]

        async def work(connection: Any) -> None:
            insert = self._database.insert(table).values(rows).on_conflict_do_nothing()
            added = (await connection.execute(insert.returning(table.c.version))).all()
            if len(added) != len(rows):
                raise Conflict("the contract has a newer version by now", fix="read it again, and change that one")

        if rows:
            await self._database.write(work)
        return [ContractRecord(one, since.get(one.contract_type, at), at) for one in contracts]


def _of(user_id: str, project_id: str) -> Select[Any]:
    return select(*_COLUMNS).where(table.c.project_id == project_id, table.c.user_id == user_id)


def _texts(user_id: str, project_id: str, contract_type: ContractType) -> Select[Any]:
    mine = (table.c.project_id == project_id, table.c.user_id == user_id, table.c.contract_type == contract_type)
    return select(table.c.version, table.c.content).where(*mine)


def _record(row: Row[Any]) -> ContractRecord:
    told = dict(zip(_SHOWN, row, strict=True))
    sources = tuple(tuple(one) for one in json.loads(told["sources"]))
    contract = Contract(
        contract_type=told["contract_type"],
        version=told["version"],
        content=told["content"],
        sources=sources,
        template=told["template"],
    )
    return ContractRecord(contract, told["created_at"], told["updated_at"])
