"""The builds that servers drive, to go on with them after a restart. Must never serve as a lease to write."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from buildwright.store.database import Database
from buildwright.store.tables import hosted_builds


class Hosting:
    """The builds that are driven by servers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def host(self, build_id: str, holder: str, at: datetime) -> None:
        """Record that a server (`holder`: `host:pid:start`) drives this build from now on, instead of any other."""
        insert = self._database.insert(hosted_builds).values(build_id=build_id, holder=holder, since=at)
        await self._database.change(
            insert.on_conflict_do_update(
                index_elements=[hosted_builds.c.build_id], set_={"holder": holder, "since": at}
            )
        )

    async def unhost(self, build_id: str) -> None:
        """Record that no server drives the build any more. Harmless when none did."""
        await self._database.change(delete(hosted_builds).where(hosted_builds.c.build_id == build_id))

    async def hosted(self) -> list[str]:
        """Return all such builds, the oldest first."""
        query = select(hosted_builds.c.build_id).order_by(hosted_builds.c.since, hosted_builds.c.build_id)
        return [build_id for (build_id,) in await self._database.fetch(query)]
