"""Which builds a server drives, so that it goes on with them when it starts again. No lease: who may write, the journal says."""

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
        """A server (`holder`: `host:pid:start`) drives this build from now on, whoever did before."""
        insert = self._database.insert(hosted_builds).values(build_id=build_id, holder=holder, since=at)
        await self._database.change(
            insert.on_conflict_do_update(
                index_elements=[hosted_builds.c.build_id], set_={"holder": holder, "since": at}
            )
        )

    async def unhost(self, build_id: str) -> None:
        """Nobody needs to drive it any more. Harmless when nobody did."""
        await self._database.change(delete(hosted_builds).where(hosted_builds.c.build_id == build_id))

    async def hosted(self) -> list[str]:
        """All of them, the longest first."""
        query = select(hosted_builds.c.build_id).order_by(hosted_builds.c.since, hosted_builds.c.build_id)
        return [build_id for (build_id,) in await self._database.fetch(query)]
