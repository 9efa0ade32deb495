"""docs/guides/rollback.md, done: builds, a backup, one revision down, the schema of before, up again, the backup brought back."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy

from buildwright.core.build import Build
from buildwright.ports import AnswerKey
from buildwright.store import opening
from buildwright.store.alembic_runs import postgres_engine
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_rows import replay
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.postgres_pool import address_of
from buildwright.store.tables import UtcDateTime, metadata
from buildwright.store.values import to_text
from tests.cli.conftest import WRITES, Ended, Program, shell
from tests.deploy.composed import ROOT
from tests.git import git
from tests.servers import postgres_tool
from tests.services import fresh_database
from tests.store.process import AT

NEWEST, BEFORE = opening.revisions()[-1], opening.revisions()[-2]
ALEMBIC = (sys.executable, "-m", "alembic", "--config", str(ROOT / "alembic.ini"))
PATIENCE = 60.0
_EVENTS = "SELECT seq, at, type, data, crc FROM events WHERE build_id = {} ORDER BY seq"
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_COLUMNS = """
SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, coalesce(column_default, '')
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT tablename::text, indexname::text, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
"""


@dataclass
class Place:
    """A database with builds, and the program that works on it."""

    program: Program
    kind: str
    url: str = ""

    @property
    def file(self) -> Path:
        return self.program.home / "buildwright.db"

    async def open(self) -> SqliteBuilds | PostgresBuilds:
        if self.url:
            return await PostgresBuilds.open(self.url)
        return await SqliteBuilds.open(self.file, self.program.home / "artifacts")

    async def replayed(self, build_id: str) -> Build:
        """The build from its rows as they stand, by nothing but the journal: opening the store would migrate it."""
        if not self.url:
            with closing(sqlite3.connect(self.file)) as conn:
                return replay(self.file, build_id, None, conn.execute(_EVENTS.format("?"), (build_id,)).fetchall())
        connection = await asyncpg.connect(self.url)
        try:
            rows = await connection.fetch(_EVENTS.format("$1"), build_id)
        finally:
            await connection.close()
        return replay(self.url, build_id, None, [(row[0], stored(row[1]), *row[2:]) for row in rows])

    async def tables(self) -> set[str]:
        if self.url:
            return {row[0] for row in await self.schema() if len(row) == 5} & set(metadata.tables)
        with closing(sqlite3.connect(self.file)) as conn:
            return {name for (name,) in conn.execute(_TABLES)} & set(metadata.tables)

    async def schema(self) -> set[Any]:
        """Columns and indexes, in whatever order they were made."""
        if self.url:
            connection = await asyncpg.connect(self.url)
            try:
                return {tuple(row) for row in await connection.fetch(_COLUMNS)}
            finally:
                await connection.close()
        with closing(sqlite3.connect(self.file)) as conn:
            tables = [name for (name,) in conn.execute(_TABLES)]
            columns = {
                (name, *row[1:])
                for name in tables
                for row in conn.execute(f"SELECT * FROM pragma_table_info('{name}')")
            }
            return columns | set(conn.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index'"))


def stored(at: datetime) -> str:
    """A time of PostgreSQL as the rows of a journal have it."""
    return to_text(at.astimezone(UTC))


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


@contextmanager
def worker(program: Program) -> Iterator[None]:
    process = program.start("worker", BUILDWRIGHT_HOME=str(program.home / "worker"))
    try:
        until(lambda: program("health", "--worker").code == 0)
        yield
    finally:
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, f"{out}{err}"


@asynccontextmanager
async def place_of(kind: str, program: Program, tmp_path: Path, redis_url: str) -> AsyncIterator[Place]:
    if kind == "sqlite":
        yield Place(program, kind)
        return
    async with fresh_database() as url:
        program.environment |= {
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
            "BUILDWRIGHT_HUB": str(tmp_path / "hub.git"),
        }
        yield Place(program, kind, url)


def build_two(place: Place, gate: Path, three: Path, repository: Path) -> tuple[str, str]:
    """One build that has ended well, and one whose process or worker was ended while its first agent was at work."""
    program = place.program
    build: tuple[str | Path, ...] = ("build", three, "--repo", repository, "--check", "true", "--json")
    waits = f"while [ ! -e {gate} ]; do sleep 0.1; done; {WRITES}"
    if place.url:
        with worker(program):
            first = program(*build, *shell(WRITES))
            second = program(*build, *shell(waits), "--new", "--detach").object["build"]
            until(lambda: program("status", second, "--json").object["workers"])
    else:
        first = program(*build, *shell(WRITES))
        running = program.start(*build, *shell(waits), "--new")
        until(lambda: program("status", "--json").object.get("running"))
        second = program("status", "--json").object["id"]
        running.terminate()
        running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
    assert first.code == 0, first.err
    return first.lines[-1]["id"], second


async def backup(place: Place, to: Path) -> None:
    """As docs/guides/deploying.md has it."""
    if place.url:
        program = postgres_tool("pg_dump")
        subprocess.run([program, "--format=custom", f"--file={to}", place.url], check=True, capture_output=True)
        return
    with closing(sqlite3.connect(place.file)) as conn, closing(sqlite3.connect(to)) as copy:
        conn.backup(copy)


async def fill(place: Place, tables: set[str]) -> None:
    """A row in each of these tables, whatever they are: what only the newest version knows."""
    statements = [sqlalchemy.insert(metadata.tables[name]).values(row_of(metadata.tables[name])) for name in tables]
    if place.url:
        engine = postgres_engine(address_of(place.url))
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(statement)
        await engine.dispose()
        return
    lite = sqlalchemy.create_engine(f"sqlite:///{place.file}")
    with lite.begin() as direct:
        for statement in statements:
            direct.execute(statement)
    lite.dispose()


def row_of(table: sqlalchemy.Table) -> dict[str, Any]:
    kinds: dict[type, Any] = {int: 1, float: 1.0, bool: False, bytes: b"x", dict: {}}
    times = {column.name for column in table.columns if isinstance(column.type, UtcDateTime)}
    return {
        column.name: AT if column.name in times else kinds.get(column.type.python_type, "x") for column in table.columns
    }


async def rows_in(place: Place, tables: set[str]) -> int:
    """How many rows these tables have in all."""
    if place.url:
        connection = await asyncpg.connect(place.url)
        try:
            return sum([await connection.fetchval(f"SELECT count(*) FROM {name}") for name in tables])
        finally:
            await connection.close()
    with closing(sqlite3.connect(place.file)) as conn:
        return sum(conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables)


def rolled_back(program: Program, lost: set[str]) -> Ended:
    """As docs/guides/rollback.md has it: what would be lost is said first, and given up only then."""
    ended = program("db", "rollback", "--json")
    assert ended.code == (7 if lost else 0)
    if not lost:
        return ended
    assert ", ".join(sorted(lost)) in ended.object["error"]["message"]
    assert "--drop-data" in ended.object["error"]["fix"]
    assert program("db", "version", "--json").object["revision"] == NEWEST, "nothing has happened"
    return program("db", "rollback", "--drop-data", "--json")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_version_is_rolled_back_and_comes_again(
    kind: str, program: Program, tmp_path: Path, three: Path, repository: Path, redis_url: str
) -> None:
    async with place_of(kind, program, tmp_path, redis_url) as place:
        gate, dump = tmp_path / "open", tmp_path / "dump"
        builds = build_two(place, gate, three, repository)
        old_schema, old_tables = await schema_of_before(place, tmp_path)
        going = await place.tables() - old_tables
        lost = {name for name in going if metadata.tables[name].info.get("lost") != "1 = 0"}
        await fill(place, lost)
        rows = await rows_in(place, lost)
        journals = [program("events", build_id).out for build_id in builds]
        before = [await place.replayed(build_id) for build_id in builds]
        assert [build.outcome for build in before] == ["succeeded", None]

        await backup(place, dump)
        assert rolled_back(program, lost).object["revision"] == BEFORE

        # The schema is exactly the one that the version of before made, and its journal is whole.
        assert await place.schema() == old_schema
        assert [await place.replayed(build_id) for build_id in builds] == before

        # The newer version again: everything is there but what was given up, and the unfinished build goes on.
        assert program("db", "migrate", "--json").object["revision"] == NEWEST
        assert [program("events", build_id).out for build_id in builds] == journals
        assert await rows_in(place, lost) == 0
        gate.touch()
        await finish(place, builds[1])
        assert files_of(repository, builds[1]) == ["README.md", "a.txt", "b.txt", "c.txt"]

        # And the backup has all of it, as it was.
        async with restored(place, dump, tmp_path) as old:
            assert [await old.replayed(build_id) for build_id in builds] == before
            assert (await old.tables(), await rows_in(old, lost)) == (await place.tables(), rows)


async def schema_of_before(place: Place, folder: Path) -> tuple[set[Any], set[str]]:
    """Schema and tables of a fresh database that was only ever of the revision of before, made by the program `alembic`."""
    if place.url:
        async with fresh_database() as url:
            fresh = Place(place.program, place.kind, url)
            alembic(place.program, "upgrade", BEFORE, DATABASE_URL=url)
            return await fresh.schema(), await fresh.tables()
    program = Program(folder / "fresh", place.program.directory)
    alembic(place.program, "upgrade", BEFORE, BUILDWRIGHT_HOME=str(program.home))
    fresh = Place(program, place.kind)
    return await fresh.schema(), await fresh.tables()


async def finish(place: Place, build_id: str) -> None:
    if not place.url:
        ended = place.program("run", build_id)
        assert ended.code == 0, ended.err
        return
    with worker(place.program):
        ended = place.program("run", build_id)
        assert ended.code == 0, ended.err


def files_of(repository: Path, build_id: str) -> list[str]:
    return git(repository, "ls-tree", "--name-only", f"buildwright/{build_id[:8]}").split()


@asynccontextmanager
async def restored(place: Place, dump: Path, folder: Path) -> AsyncIterator[Place]:
    """As docs/guides/deploying.md has it, into a fresh place."""
    if place.url:
        async with fresh_database() as url:
            tool = postgres_tool("pg_restore")
            subprocess.run([tool, "--no-owner", f"--dbname={url}", dump], check=True, capture_output=True)
            yield Place(place.program, place.kind, url)
        return
    program = Program(folder / "restored", place.program.directory)
    program.home.mkdir()
    dump.rename(program.home / "buildwright.db")
    yield Place(program, place.kind)


def alembic(program: Program, *words: str, code: int = 0, **environment: str) -> str:
    done = subprocess.run(
        [*ALEMBIC, *words],
        cwd=program.directory,
        env=program.environment | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_the_program_alembic_goes_up_and_down(
    kind: str, program: Program, tmp_path: Path, redis_url: str
) -> None:
    async with place_of(kind, program, tmp_path, redis_url) as place:
        alembic(program, "upgrade", "head")
        assert NEWEST in alembic(program, "current")
        made = await place.schema()
        store = await place.open()
        assert await store.rows() == []
        key = AnswerKey("build", "a", 1, "d" * 64, 0)
        await store.keep_answer(key, b"answer")
        await store.close()
        refused = alembic(program, "downgrade", "base", code=255)
        assert "would destroy the rows of answers" in refused
        assert "hush" not in refused
        alembic(program, "-x", "drop-data", "downgrade", "base")
        assert program("db", "version", "--json").object["revision"] == ""
        alembic(program, "upgrade", "head")
        assert await place.schema() == made
        printed = alembic(program, "upgrade", "head", "--sql")
        assert ("TIMESTAMP WITH TIME ZONE" in printed) == (kind == "postgres")


async def test_alembic_leaves_a_database_of_somebody_else_alone(program: Program, tmp_path: Path) -> None:
    program.home.mkdir()
    with closing(sqlite3.connect(program.home / "buildwright.db")) as conn:
        conn.execute("CREATE TABLE of_somebody (id)")
        conn.commit()
    assert "is not a database of Buildwright" in alembic(program, "upgrade", "head", code=255)


def test_the_guide_says_what_each_step_down_costs() -> None:
    page = (ROOT / "docs" / "guides" / "rollback.md").read_text(encoding="utf-8")
    known = opening.revisions()
    assert {(high, low) for low, high in pairwise(known)} == set(
        re.findall(r"^\| `(\d+)` \| `(\d+)` \|", page, re.MULTILINE)
    )
