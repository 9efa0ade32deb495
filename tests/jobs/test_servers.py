from __future__ import annotations

import asyncpg
import pytest

from tests.services import redis_command


async def test_a_database_of_the_tests_own(postgres_url: str, redis_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("CREATE TABLE only_here (a int)")
        assert await connection.fetchval("SELECT current_setting('server_version_num')::int") >= 150000
    finally:
        await connection.close()
    assert await redis_command(redis_url, "SET a 1", "GET a", "DBSIZE") == ["+OK", "$1", "1"]


@pytest.mark.parametrize("round_", [1, 2])
async def test_each_test_finds_an_empty_one(postgres_url: str, redis_url: str, round_: int) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("CREATE TABLE t (a int)")
    finally:
        await connection.close()
    assert await redis_command(redis_url, "DBSIZE", "SET left behind") == [":0", "+OK"]
