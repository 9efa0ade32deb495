"""Reads the workers that have signed on at a PostgreSQL database. Must never load what a build is made of.

A health check asks every few seconds, in a process of its own, also while what it asks for is still starting.
"""

from __future__ import annotations

from buildwright.errors import StoreFailed
from buildwright.ports import WorkerRow
from buildwright.store.opening import revisions
from buildwright.store.postgres_opening import stored_revision
from buildwright.store.postgres_pool import Connection, address_of, single


async def workers(connection: Connection) -> list[WorkerRow]:
    """Return all workers, in the order they started."""
    found = await connection.fetch(
        "SELECT holder, name, slots, busy, started_at, beat_at, heartbeat_seconds,"
        " extract(epoch FROM clock_timestamp() - beat_at)::float8, report FROM workers ORDER BY started_at, holder"
    )
    return [WorkerRow(*row) for row in found]


async def workers_of(url: str, seconds: float) -> list[WorkerRow]:
    """Return all workers that have signed on at a PostgreSQL database, waiting at most about `seconds` for it.

    Raises BadSettings, Unreachable, and StoreFailed when its revision is not the one this Buildwright works with.
    """

    async def look(connection: Connection, again: bool) -> list[WorkerRow]:  # noqa: ARG001  looking may be repeated
        shown = address_of(url).shown
        found, wanted = await stored_revision(connection, shown), revisions()[-1]
        if found != wanted:
            raise StoreFailed(
                f"{shown} is of schema revision {found or 'none'}, this Buildwright works with {wanted}",
                fix="run `buildwright db migrate`, or the Buildwright that fits the database",
            )
        return await workers(connection)

    async with single(url, seconds, seconds) as pool:
        return await pool.run(look)
