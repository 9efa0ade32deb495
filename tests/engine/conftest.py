"""Both journals, for every test of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buildwright.ports import Builds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.testing.memory_store import MemoryBuilds


@pytest.fixture(params=["memory", "sqlite"])
async def builds(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Builds]:
    if request.param == "memory":
        yield MemoryBuilds()
        return
    opened = await SqliteBuilds.open(tmp_path / "state.db", tmp_path / "artifacts")
    try:
        yield opened
    finally:
        await opened.close()
