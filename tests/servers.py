"""Servers that a test may kill, freeze and start again: those of `cluster up`, with the address and process at hand."""

from __future__ import annotations

import signal
from pathlib import Path

import asyncpg

from buildwright.supervisor.processes import ProcessId, ended, send
from buildwright.supervisor.servers import POSTGRES, REDIS, LocalServer, ServerKind, ServerProgram, ServerRecord


class OwnServer:
    """A server below a folder of the test."""

    kind: ServerKind

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = LocalServer(folder, self.kind)
        self.title = self.kind.title

    async def start(self) -> str:
        return await self.server.start()

    async def stop(self, *, at_once: bool = False) -> None:
        await self.server.stop(at_once=at_once)

    async def kill(self) -> None:
        process = self.process()
        send(process, signal.SIGKILL)
        assert await ended(process, 10)

    @property
    def record(self) -> ServerRecord:
        record = self.server.record
        assert record is not None, "it was never started"
        return record

    @property
    def program(self) -> ServerProgram:
        return self.server.program()

    def process(self) -> ProcessId:
        return self.server.process

    def alive(self) -> bool:
        return self.server.process.alive

    def url(self) -> str:
        """Where it answers, or did."""
        return self.kind.url.format(password=self.record.password, port=self.record.port)


class PostgresServer(OwnServer):
    """Durable, as `cluster up` has it."""

    kind = POSTGRES


class RedisServer(OwnServer):
    """It keeps nothing on the disk."""

    kind = REDIS


async def make_careless(url: str) -> None:
    """Let a PostgreSQL forget the last seconds in a crash: only the data of tests can bear that."""
    connection = await asyncpg.connect(url)
    try:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            await connection.execute(f"ALTER SYSTEM SET {name} = off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


def postgres_tool(name: str) -> Path:
    """A program that comes with PostgreSQL, such as `pg_dump`."""
    return LocalServer(Path("nowhere"), POSTGRES).program().path.with_name(name)
