"""Projects: what a user wants built, and where. Must know no build; a build names its project."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, select, tuple_

from buildwright.errors import NotFound
from buildwright.store.database import Database
from buildwright.store.tables import projects


class ProjectRecord(NamedTuple):
    """A project. `spec` is JSON, or "" while there is none."""

    id: str
    user_id: str
    name: str
    description: str
    status: str
    target_type: str
    target_ref: str
    spec: str
    created_at: datetime
    updated_at: datetime


_COLUMNS = [projects.c[name] for name in ProjectRecord._fields]


class Projects:
    """The projects of all users. Callers must compare `user_id`: nothing here knows the caller's user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        user_id: str,
        name: str,
        description: str = "",
        target_type: str = "",
        target_ref: str = "",
        spec: str = "",
        *,
        at: datetime,
    ) -> ProjectRecord:
        """Create a project in the status `draft` and return it."""
        row = ProjectRecord(
            str(uuid.uuid4()), user_id, name, description, "draft", target_type, target_ref, spec, at, at
        )
        insert = self._database.insert(projects).values(row._asdict()).returning(*_COLUMNS)
        return ProjectRecord._make((await self._database.change(insert))[0])

    async def get(self, project_id: str) -> ProjectRecord:
        """Return a project. Raises NotFound."""
        found = await self._database.fetch(select(*_COLUMNS).where(projects.c.id == project_id))
        if not found:
            raise NotFound(f"there is no project {project_id}", fix="see GET /projects for yours")
        return ProjectRecord._make(found[0])

    async def page(
        self,
        user_id: str,
        limit: int,
        before: tuple[datetime, str] | None = None,
        shared: Collection[str] = (),
    ) -> list[ProjectRecord]:
        """Return at most `limit` projects of a user, newest first, with those of the ids in `shared`.

        `before` is the end of the previous page: `created_at` and `id` of its last project.
        """
        query = page_query(user_id, limit, before, shared)
        return [ProjectRecord._make(row) for row in await self._database.fetch(query)]


def page_query(
    user_id: str, limit: int, before: tuple[datetime, str] | None, shared: Collection[str] = ()
) -> Select[tuple[object, ...]]:
    """Return the query of `Projects.page`: a walk along one index, from `before` on; two, with `shared`."""
    of_user = projects.c.user_id == user_id
    query = select(*_COLUMNS).where(of_user | projects.c.id.in_(shared) if shared else of_user)
    if before is not None:
        query = query.where(tuple_(projects.c.created_at, projects.c.id) < before)
    return query.order_by(projects.c.created_at.desc(), projects.c.id.desc()).limit(limit)
