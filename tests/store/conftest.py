"""A store on a fresh PostgreSQL database, for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from buildwright.store.journal_postgres import PostgresBuilds


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[PostgresBuilds]:
    opened = await PostgresBuilds.open(postgres_url)
    yield opened
    await opened.close()
