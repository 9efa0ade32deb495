"""Fixtures: a running fake provider, a gateway that reaches it, and a client session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from buildwright.gateway import LocalGateway
from tests.gateway.provider import Provider, running_provider


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as running:
        yield running


@pytest.fixture
async def live(provider: Provider, tmp_path: Path) -> AsyncIterator[LocalGateway]:
    gateway = LocalGateway(provider.environment(), tmp_path)
    yield gateway
    await gateway.close()


@pytest.fixture
async def replaying(tmp_path: Path) -> AsyncIterator[LocalGateway]:
    gateway = LocalGateway({}, tmp_path)
    yield gateway
    await gateway.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
