"""Questions about many builds (Z4), on SQLAlchemy: by project, latest, one. Reads the head rows; never writes a journal."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import Select, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from buildwright.errors import NotFound, StoreFailed
from buildwright.ports import BuildRow
from buildwright.store.alembic_runs import driver_fault, postgres_engine
from buildwright.store.postgres_pool import Address, address_of, fault
from buildwright.store.tables import build_runs

_COLUMNS = [build_runs.c[name] for name in BuildRow._fields]


class BuildRuns:
    """The builds of a database, newest first. The database must be of the newest revision (see `revisions.migrate`)."""

    def __init__(self, engine: AsyncEngine, address: Address | None = None) -> None:
        self._engine = engine
        self._address = address

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """On the SQLite database at `path`, or on a PostgreSQL URL; opens no connection yet. Raises BadSettings."""
        if isinstance(path, str):
            address = address_of(path)
            return cls(postgres_engine(address), address)
        from sqlalchemy import URL

        return cls(create_async_engine(URL.create("sqlite+aiosqlite", database=str(path))))

    async def get(self, build_id: str) -> BuildRow:
        """Raises NotFound."""
        found = await self._fetch(select(*_COLUMNS).where(build_runs.c.build_id == build_id))
        if not found:
            raise NotFound(f"there is no build {build_id}", fix="see the list with `buildwright status`")
        return found[0]

    async def list_by_project(self, project_id: str, limit: int = 1000) -> list[BuildRow]:
        """The builds of a project."""
        return await self._fetch(_newest_first().where(build_runs.c.project_id == project_id).limit(limit))

    async def latest_by_project(self, project_id: str) -> BuildRow | None:
        """The newest build of a project, None when it has none."""
        found = await self.list_by_project(project_id, 1)
        return found[0] if found else None

    async def list_between(self, start: datetime, end: datetime) -> list[BuildRow]:
        """The builds created at `start` or later and before `end`."""
        created = build_runs.c.created_at
        return await self._fetch(_newest_first().where(created >= start, created < end))

    async def close(self) -> None:
        """Let go of the file, or of the connections."""
        await self._engine.dispose()

    async def _fetch(self, query: Select[tuple[object, ...]]) -> list[BuildRow]:
        try:
            async with self._engine.connect() as connection:
                return [BuildRow._make(row) for row in await connection.execute(query)]
        except OSError as error:
            raise fault(error, self._address.shown if self._address else "the database") from error
        except DBAPIError as error:
            if self._address is not None:
                raise driver_fault(error, self._address) from error
            raise StoreFailed(
                f"the builds cannot be listed: {error.orig}", fix="run `buildwright db migrate`"
            ) from error


def _newest_first() -> Select[tuple[object, ...]]:
    return select(*_COLUMNS).order_by(build_runs.c.created_at.desc(), build_runs.c.build_id.desc())
