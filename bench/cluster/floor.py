"""The floor of a cluster: the least that one durable task takes on PostgreSQL, two commits on bare asyncpg. No feature.

python -m bench.cluster.floor URL CONNECTIONS       takes jobs of the table `jobs` until it is ended
"""

from __future__ import annotations

import asyncio
import sys

import asyncpg

_TABLE = (
    "CREATE TABLE jobs (id integer PRIMARY KEY, holder text NOT NULL DEFAULT '', done boolean NOT NULL DEFAULT false)"
)
_TAKE = """
UPDATE jobs SET holder = $1 WHERE id = (
    SELECT id FROM jobs WHERE NOT done AND holder = '' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""
_END = "UPDATE jobs SET done = true, holder = '' WHERE id = $1 AND holder = $2"


async def prepare(url: str) -> None:
    """Make the table of jobs, empty."""
    connection = await asyncpg.connect(url)
    await connection.execute(_TABLE)
    await connection.close()


async def post(url: str, first: int, count: int) -> None:
    """Jobs for any worker that takes them."""
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO jobs SELECT generate_series($1::int, $2::int)", first, first + count - 1)
    await connection.close()


async def left(connection: asyncpg.Connection) -> int:
    """Jobs that are not done."""
    return int(await connection.fetchval("SELECT count(*) FROM jobs WHERE NOT done"))


async def _work(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    while True:
        taken = await connection.fetchval(_TAKE, name)
        if taken is not None:
            await connection.execute(_END, taken, name)
        else:
            await asyncio.sleep(0.002)


async def main() -> None:
    url, connections = sys.argv[1], int(sys.argv[2])
    await asyncio.gather(*(_work(url, f"{id(url)}-{number}") for number in range(connections)))


if __name__ == "__main__":
    asyncio.run(main())
