"""Work on a database as a generator of statements, so that it runs on each of our connections. Must know no table.

On `sqlite3`, on asyncpg, and on SQLAlchemy (`database.Database.ask`). Statements are written as PostgreSQL has them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

T = TypeVar("T")


class Query(NamedTuple):
    """A statement with `$1` and so on, for a row of values; with `many` for each of many rows, and without an answer."""

    sql: str
    values: Sequence[Any] = ()
    many: Sequence[tuple[Any, ...]] | None = None


Asking: TypeAlias = Generator[Query, Any, T]
"""Statements, the answers to them (rows), and what they come to."""


def run_on_sqlite(connection: sqlite3.Connection, asking: Asking[T]) -> T:
    """Run statements on a connection, in its transaction if it is in one."""
    answer: Sequence[Sequence[Any]] | None = None
    while True:
        try:
            sql, values, many = asking.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        if many is None:
            found = connection.execute(for_sqlite(sql), values)
            # A row without columns for each that it changed: RETURNING makes a change cost twice as much.
            answer = found.fetchall() if found.description else [()] * max(found.rowcount, 0)
        else:
            connection.executemany(for_sqlite(sql), many)
            answer = ()


async def run_on_postgres(connection: Any, asking: Asking[T]) -> T:
    """Run statements on a connection of asyncpg, in its transaction if it is in one."""
    answer: Sequence[Sequence[Any]] | None = None
    while True:
        try:
            sql, values, many = asking.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        if many is None:
            answer = await connection.fetch(sql, *values)
        else:
            await connection.executemany(sql, many)
            answer = ()


@lru_cache(maxsize=256)
def for_sqlite(sql: str) -> str:
    """Return a statement as SQLite writes it."""
    return sql.removesuffix(" FOR UPDATE").replace("$", "?")
