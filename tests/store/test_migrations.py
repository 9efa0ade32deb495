"""The schema: one description, one migration, one generated file, and they agree; up and down, old and new."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buildwright.core.event import BuildFinished
from buildwright.errors import Conflict, NotFound, StoreFailed
from buildwright.ports import LogEntry
from buildwright.store import alembic_runs, opening, retention, revisions
from buildwright.store.lease_holders import this_process
from buildwright.store.tables import metadata
from tests.store.process import AT, beat, created, open_in

DATABASE = "buildwright.db"


def tables(path: Path) -> set[str]:
    conn = sqlite3.connect(path)
    names = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    conn.close()
    return names


def test_schema_sql_is_what_the_migrations_make() -> None:
    stored = (Path(revisions.__file__).parent / "schema.sql").read_text(encoding="utf-8")
    assert stored == revisions.schema_sql(), "run: python -m buildwright.store.revisions"


def test_the_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    import sqlalchemy
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    opening.open_writer(tmp_path / DATABASE, 5).close()
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / DATABASE}")
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        for table in metadata.sorted_tables:
            made = connection.exec_driver_sql(f"SELECT sql FROM sqlite_schema WHERE name = '{table.name}'").scalar_one()
            assert made.split() == str(sqlalchemy.schema.CreateTable(table).compile(engine)).split()
    engine.dispose()


@pytest.mark.parametrize("down", [False, True])
def test_the_migrations_speak_postgresql(down: bool) -> None:
    from alembic import command

    config = alembic_runs.config_for("postgresql://")
    config.output_buffer = out = io.StringIO()
    if down:
        command.downgrade(config, "head:base", sql=True)
        assert out.getvalue().count("DROP TABLE") == len(metadata.tables)
        return
    command.upgrade(config, "head", sql=True)
    made = out.getvalue()
    assert "at TIMESTAMP WITH TIME ZONE NOT NULL" in made
    assert "content BYTEA" in made
    assert "CREATE INDEX ix_build_runs_project_phase ON build_runs (project_id, phase)" in made
    assert "SERIAL" not in made
    assert "ROWID" not in made


async def test_up_down_up(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / DATABASE
    with pytest.raises(NotFound):
        await revisions.version(path)
    assert await revisions.migrate(path) == revisions.head()
    assert await revisions.version(path) == revisions.head()
    before = tables(path)
    assert before == {*metadata.tables, "alembic_version"}
    for revision in reversed(opening.revisions()[:-1]):
        assert await revisions.rollback(path) == revision
    assert await revisions.rollback(path) == ""
    assert await revisions.version(path) is None
    assert tables(path) == {"alembic_version"}
    with pytest.raises(StoreFailed):
        await revisions.rollback(path)
    assert await revisions.migrate(path) == revisions.head()
    assert tables(path) == before


async def test_the_migration_itself_makes_the_schema_of_a_fresh_home(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    conn = opening.connect(path)
    alembic_runs.upgrade(conn, path)
    conn.close()
    store = await open_in(tmp_path)
    build_id = str(uuid.uuid4())
    await store.create(build_id, [created(build_id)], AT)
    assert (await store.load(build_id)).id == build_id
    await store.close()


async def test_a_database_of_the_first_revision_is_migrated_with_all_that_is_in_it(tmp_path: Path) -> None:
    store = await open_in(tmp_path)
    ids = [str(uuid.uuid4()) for _ in range(2)]
    for build_id in ids:
        await store.create(build_id, [created(build_id)], AT)
    await store.append(ids[1], 1, [BuildFinished(outcome="failed")], AT)
    await store.keep_snapshot(await store.load(ids[0]))
    lease = await store.acquire(ids[0], "elsewhere:1:1.0", 60)
    await store.write_log(ids[0], [LogEntry(AT, "", 0, "engine", "a line")])
    digest = await store.put_artifact(b"content")
    before = [(await store.read(build_id), await store.load(build_id)) for build_id in ids]
    await store.release(lease)
    await store.close()
    path = tmp_path / DATABASE
    assert await revisions.rollback(path, len(opening.revisions()) - 1) == "0001"
    store = await open_in(tmp_path)
    assert await revisions.version(path) == revisions.head()
    assert [(await store.read(build_id), await store.load(build_id)) for build_id in ids] == before
    assert [line.text for line in await store.read_log(ids[0])] == ["a line"]
    assert await store.get_artifact(digest) == b"content"
    assert (await store.acquire(ids[0], "elsewhere:1:1.0", 60)).token == lease.token + 1
    await store.append(ids[0], 1, [beat("x")], AT)
    await store.close()
    conn = sqlite3.connect(path)
    settled = conn.execute("SELECT build_id FROM build_runs WHERE settled").fetchall()
    conn.close()
    assert settled == [(ids[1],)]


async def test_a_rollback_never_destroys_a_journal_unasked(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    store = await open_in(tmp_path)
    build_id = str(uuid.uuid4())
    await store.create(build_id, [created(build_id)], AT)
    lease = await store.acquire(build_id, this_process(), 60)
    with pytest.raises(Conflict, match="is being run by") as in_use:
        await revisions.rollback(path, drop_data=True)
    assert "end that process" in (in_use.value.fix or "")
    assert "buildwright stop" not in (in_use.value.fix or ""), "that would end the build, which is to continue later"
    await store.release(lease)
    await store.close()
    every = len(opening.revisions())
    with pytest.raises(Conflict, match="build_runs, events, leases"):
        await revisions.rollback(path, every)
    with pytest.raises(Conflict, match=f"no {every + 1} revisions"):
        await revisions.rollback(path, every + 1, drop_data=True)
    with pytest.raises(Conflict, match="no 0 revisions"):
        await revisions.rollback(path, 0)
    store = await open_in(tmp_path)
    assert await store.version(build_id) == 1
    await store.close()
    assert await revisions.rollback(path, every, drop_data=True) == ""
    assert tables(path) == {"alembic_version"}


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    await (await open_in(tmp_path)).close()
    conn = sqlite3.connect(tmp_path / DATABASE)
    conn.execute("UPDATE alembic_version SET version_num = '9999'")
    conn.commit()
    conn.close()
    with pytest.raises(StoreFailed, match="revision 9999") as refused:
        await open_in(tmp_path)
    assert refused.value.fix
    assert "update Buildwright" in refused.value.fix
    with pytest.raises(StoreFailed, match="9999"):
        await revisions.rollback(tmp_path / DATABASE)
    assert await revisions.version(tmp_path / DATABASE) == "9999"


def test_opening_a_journal_loads_no_orm(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from tests.store.process import open_in;"
        f"s = asyncio.run(open_in(Path({str(tmp_path)!r})));"
        "print(sorted({'sqlalchemy', 'alembic', 'aiosqlite', 'psutil'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_time_goes_in_and_out_as_utc() -> None:
    from sqlalchemy.dialects import sqlite

    from buildwright.store.tables import UtcDateTime

    kind, dialect = UtcDateTime(), sqlite.dialect()
    assert kind.process_bind_param(None, dialect) is None
    assert kind.process_result_value(None, dialect) is None
    assert kind.process_result_value(datetime(2026, 1, 2), dialect) == datetime(2026, 1, 2, tzinfo=UTC)  # noqa: DTZ001


def test_every_table_with_rows_of_a_build_goes_with_it() -> None:
    held = {name for name, table in metadata.tables.items() if "build_id" in table.columns}
    assert held == {*retention.WITH_HEAD, *retention.IN_PIECES}
