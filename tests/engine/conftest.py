"""Every way to build, for every test of the engine: one process over two journals, and workers over PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buildwright.ports import Builds
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from tests import services
from tests.adapters.memory_store import MemoryBuilds


@pytest.fixture(params=["memory", "sqlite", "cluster"])
async def builds(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Builds]:
    match request.param:
        case "memory":
            yield MemoryBuilds()
        case "sqlite":
            journal = await SqliteBuilds.open(tmp_path / "state.db", tmp_path / "artifacts")
            try:
                yield journal
            finally:
                await journal.close()
        case _:
            async with services.fresh_database(has_tables=True) as url:
                shared = await PostgresBuilds.open(url)
                try:
                    yield shared
                finally:
                    await shared.close()
