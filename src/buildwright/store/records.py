"""A server's records beside the journal, on one set of connections: hosted builds, used tokens and those of other modules.

Must never keep a token, only its id until it has expired.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import delete, select

from buildwright.store.admission import Admission
from buildwright.store.build_queries import BuildQueries
from buildwright.store.contract_comments import ContractComments
from buildwright.store.contracts import Contracts
from buildwright.store.database import Database
from buildwright.store.idempotency import IdempotencyKeys
from buildwright.store.inbox import Inbox
from buildwright.store.interviews import Interviews
from buildwright.store.lessons import LessonStore
from buildwright.store.plan_costs import PlanCosts
from buildwright.store.projects import Projects
from buildwright.store.repositories import Repositories
from buildwright.store.tables import hosted_builds, used_tokens
from buildwright.store.users import IssuedTokens, ProjectMembers, Users

_MOST_FORGOTTEN = 500
"""Expired ids that are removed with one new id."""


class SpentTokens:
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

    async def used(self, jtis: Collection[str]) -> set[str]:
        """Return those of the ids that have been used and are not forgotten yet. Raises StoreFailed."""
        rows = await self._database.fetch(select(used_tokens.c.jti).where(used_tokens.c.jti.in_(jtis)))
        return {row.jti for row in rows}


class HostedBuilds:
    """The builds that servers drive, to continue them after a restart. Must never serve as a lease to write."""

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


class Records:
    """The records of a database, which must be of the newest revision (see `revisions.migrate`).

    Their methods raise StoreFailed, Unreachable or DiskFull when the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.projects = Projects(database)
        self.interviews = Interviews(database)
        self.contracts = Contracts(database)
        self.contract_comments = ContractComments(database)
        self.plan_costs = PlanCosts(database)
        self.inbox = Inbox(database)
        self.lessons = LessonStore(database)
        self.keys = IdempotencyKeys(database)
        self.tokens = SpentTokens(database)
        self.hosting = HostedBuilds(database)
        self.runs = BuildQueries(database)
        self.repositories = Repositories(database)
        self.users = Users(database)
        self.issued = IssuedTokens(database)
        self.members = ProjectMembers(database)
        self.admission = Admission(database)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Return the records at `path`, a SQLite file or a PostgreSQL URL, not yet connected. Raises BadSettings."""
        return cls(Database.open(path))

    async def close(self) -> None:
        """Close the file or the connections."""
        await self._database.close()
