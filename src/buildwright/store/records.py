"""Everything a server keeps beside the journal, on one set of connections. Opens and closes; asks and writes nothing itself."""

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

    Every call of theirs raises StoreFailed, Unreachable or DiskFull when the database fails.
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
        """On the SQLite database at `path`, or on a PostgreSQL URL; opens no connection yet. Raises BadSettings."""
        return cls(Database.open(path))

    async def close(self) -> None:
        """Let go of the file, or of the connections."""
        await self._database.close()
