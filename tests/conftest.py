"""Servers for every test that asks for them: see `tests/services.py`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import services
from tests.podman import Podman
from tests.servers import PostgresServer, RedisServer
from tests.starter import Starter, plain_environment

# How long an example takes says how busy the machine is, and nothing of the program.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    # Every test has a home of its own; compiling the rules for each would take longer than the tests.
    os.environ.setdefault("KF_RULE_CACHE_DIR", str(config.rootpath / ".pytest_cache" / "secret-rules"))
    if not hasattr(config, "workerinput"):
        os.environ["PATH"] = os.pathsep.join((services.JUDGED, os.environ["PATH"]))
        services.put_scratch_in_memory()
        services.announce()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests with a longer limit than the usual one begin first, so that no worker is alone with one at the end.

    They stay together: a worker of `--dist worksteal` has them in turn, while the others have small ones.
    """
    usual = float(config.getini("timeout"))

    def is_short(item: pytest.Item) -> bool:
        mark = item.get_closest_marker("timeout")
        return mark is None or mark.args[0] <= usual

    items.sort(key=is_short)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        services.dismiss()


@pytest.fixture
async def postgres_url() -> AsyncIterator[str]:
    """A fresh, empty database of its own; dropped afterwards, whoever is still connected."""
    async with services.fresh_database() as url:
        yield url


@pytest.fixture
async def tables_url() -> AsyncIterator[str]:
    """A fresh database of its own that has our tables already; dropped afterwards, whoever is still connected."""
    async with services.fresh_database(has_tables=True) as url:
        yield url


@pytest.fixture
async def redis_url() -> AsyncIterator[str]:
    """A database of Redis that no other worker of this run uses; empty, before and after."""
    url = services.redis_of_this_worker()
    assert await services.redis_command(url, "FLUSHDB") == ["+OK"]
    yield url
    await services.redis_command(url, "FLUSHDB")


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    """A PostgreSQL of one test, running and durable: it may be killed, stopped and started."""
    server = PostgresServer(tmp_path / "postgres")
    try:
        await server.start()
        yield server
    finally:
        await server.stop(at_once=True)


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of one test, running: it may be killed, stopped and started."""
    server = RedisServer(tmp_path / "redis")
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """A container engine of this run's own."""
    engine = Podman()
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def starter() -> Iterator[Starter]:
    """What starts the program without importing it each time."""
    started = Starter(plain_environment())
    yield started
    started.close()
