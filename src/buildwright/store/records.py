"""A server's records beside the journal, on one set of connections. Only opens and closes them; must never query."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from buildwright.store.database import Database
from buildwright.store.hosting import Hosting
from buildwright.store.idempotency import IdempotencyKeys
from buildwright.store.inbox import Inbox
from buildwright.store.projects import Projects
from buildwright.store.runs import BuildRuns
from buildwright.store.used_tokens import UsedTokens


class Records:
    """The records of a database, which must be of the newest revision (see `revisions.migrate`).

    Their methods raise StoreFailed, Unreachable or DiskFull when the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.projects = Projects(database)
        self.inbox = Inbox(database)
        self.keys = IdempotencyKeys(database)
        self.tokens = UsedTokens(database)
        self.hosting = Hosting(database)
        self.runs = BuildRuns(database)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Return the records at `path`, a SQLite file or a PostgreSQL URL, not yet connected. Raises BadSettings."""
        return cls(Database.open(path))

    async def close(self) -> None:
        """Close the file or the connections."""
        await self._database.close()
