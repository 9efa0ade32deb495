"""A store on a fresh PostgreSQL database, and a database of either kind, for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buildwright.store.journal_postgres import PostgresBuilds
from tests import services


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[PostgresBuilds]:
    opened = await PostgresBuilds.open(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path | str]:
    """The path or URL of a database that is not there yet, or is empty."""
    if request.param == "sqlite":
        yield tmp_path / "buildwright.db"
    else:
        async with services.fresh_database() as url:
            yield url
