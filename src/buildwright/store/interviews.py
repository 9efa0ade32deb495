"""Interviews, one for each project that has one. Must never show one user another's: each query names the owner."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Executable, select, update

from buildwright.core.interview import Interview
from buildwright.errors import Conflict
from buildwright.ports import Spend
from buildwright.store.database import Database
from buildwright.store.spends import add_spends
from buildwright.store.tables import interview_costs, interviews, projects
from buildwright.views.interview import InterviewEntry, interview_entry


class KeptInterview(NamedTuple):
    """An interview as it was kept. `version` counts its changes; 0 while there is none."""

    interview: Interview
    version: int = 0


class Interviews:
    """The interviews of all users. Their methods raise what those of `Database` do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, project_id: str, user_id: str) -> KeptInterview:
        """Return a user's interview on a project; an empty one when there is none yet."""
        columns = interviews.c
        query = select(columns.data, columns.version).where(
            columns.project_id == project_id, columns.user_id == user_id
        )
        found = await self._database.fetch(query)
        for row in found:
            return KeptInterview(Interview.model_validate_json(row.data), row.version)
        return KeptInterview(Interview())

    async def put(self, project_id: str, user_id: str, interview: Interview, version: int, at: datetime) -> None:
        """Keep an interview that was made from this version. Raises Conflict when it has been changed since."""
        values = {"version": version + 1, "data": interview.model_dump_json(), "updated_at": at}
        columns = interviews.c
        if version:
            same = (columns.project_id == project_id, columns.user_id == user_id, columns.version == version)
            change: Executable = update(interviews).where(*same).values(values).returning(columns.version)
        else:
            row = {"project_id": project_id, "user_id": user_id, "created_at": at, **values}
            insert = self._database.insert(interviews).values(row).on_conflict_do_nothing()
            change = insert.returning(columns.version)
        if not await self._database.change(change):
            raise Conflict("the interview has been changed meanwhile", fix="look at it as it is now, and say it again")

    async def count(self, project_id: str, user_id: str, turn: int, spends: Sequence[Spend], at: datetime) -> None:
        """Add what requests of one turn cost. They count whatever becomes of the turn."""
        name = {"project_id": project_id, "turn": turn}
        await add_spends(self._database, interview_costs, name, {"user_id": user_id, "at": at}, spends)

    async def page(self, user_id: str, limit: int = 50) -> list[InterviewEntry]:
        """Return at most `limit` interviews of a user, the newest change first."""
        of = projects.c
        columns = (of.id, of.name, of.target_type, of.target_ref, interviews.c.data, interviews.c.updated_at)
        query = (
            select(*columns)
            .join(interviews, (interviews.c.project_id == projects.c.id) & (interviews.c.user_id == projects.c.user_id))
            .where(interviews.c.user_id == user_id)
            .order_by(interviews.c.updated_at.desc(), interviews.c.project_id.desc())
            .limit(limit)
        )
        return [
            interview_entry(
                row.id,
                row.name,
                row.target_ref if row.target_type == "local_path" else "",
                Interview.model_validate_json(row.data),
                row.updated_at,
            )
            for row in await self._database.fetch(query)
        ]
