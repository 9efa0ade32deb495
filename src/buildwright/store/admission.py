"""One question for every request: is this token taken back, and what is its user. Must never change anything."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, select, union

from buildwright.store.database import Database
from buildwright.store.tables import project_members, projects, used_tokens, users
from buildwright.store.users import ServerRole


class UserStanding(NamedTuple):
    """What a request needs to know of its user."""

    role: ServerRole
    may_run_commands: bool
    disabled_at: datetime | None
    tokens_since: datetime | None


class Admission:
    """Reads of users, tokens and members in as few questions as there can be."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self, user_id: str, ids: Collection[str]) -> tuple[UserStanding | None, bool]:
        """Return a user, None when there is none yet; and whether one of the ids of tokens was taken back."""
        columns = [users.c[name] for name in UserStanding._fields]
        spent = exists().where(used_tokens.c.jti.in_(ids))
        found = await self._database.fetch(select(*columns, spent.label("spent")).where(users.c.user_id == user_id))
        if found:
            return UserStanding._make(tuple(found[0])[:-1]), bool(found[0].spent)
        return None, bool(await self._database.fetch(select(used_tokens.c.jti).where(used_tokens.c.jti.in_(ids))))

    async def shared(self, user_id: str) -> list[str]:
        """Return the ids of the projects that a user shares with others: as a member, or as their owner."""
        member = select(project_members.c.project_id).where(project_members.c.user_id == user_id)
        owned = select(project_members.c.project_id).join(projects, projects.c.id == project_members.c.project_id)
        both = union(member, owned.where(projects.c.user_id == user_id)).order_by("project_id")
        return [row.project_id for row in await self._database.fetch(both)]

    async def sees(self, user_id: str, project_id: str) -> bool:
        """Return whether a user sees all builds of a project: as a member, its owner, or an owner of the server."""
        member = select(project_members.c.user_id).where(
            project_members.c.project_id == project_id, project_members.c.user_id == user_id
        )
        owned = select(projects.c.user_id).where(projects.c.id == project_id, projects.c.user_id == user_id)
        server = select(users.c.user_id).where(users.c.user_id == user_id, users.c.role == "owner")
        return bool(await self._database.fetch(union(member, owned, server)))
