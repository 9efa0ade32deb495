"""The schema on PostgreSQL: made by whoever comes first, migrated, rolled back; and what can be wrong with an address."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from buildwright.core import event as e
from buildwright.errors import BadSettings, Conflict, StoreFailed
from buildwright.ports import QueueUpdate
from buildwright.store import alembic_runs, opening, revisions
from buildwright.store.build_queries import BuildQueries
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.postgres_pool import address_of
from buildwright.store.tables import metadata
from tests.store.process import AT, start, take

ELSEWHERE = "elsewhere:1:1.0"
LONG = 600.0


async def test_workers_that_open_a_new_database_at_once_do_not_clash(postgres_url: str) -> None:
    stores = await asyncio.gather(*(PostgresBuilds.open(postgres_url, connections=1) for _ in range(5)))
    build_id = await start(stores[0])
    assert [await store.version(build_id) for store in stores] == [1] * 5
    for store in stores:
        await store.close()
        await store.close()


async def test_each_thing_that_is_wrong_with_an_address_is_said_without_the_password(postgres_url: str) -> None:
    password = postgres_url.split(":")[2].partition("@")[0]
    assert len(password) > 8
    wrong: list[tuple[str, type[Exception], str]] = [
        (postgres_url.replace(password, f"{password}x"), BadSettings, "password"),
        (postgres_url.rpartition("/")[0] + "/nowhere", BadSettings, "nowhere"),
        (postgres_url.replace("postgresql://", "mysql://"), BadSettings, "not the address"),
        (f"postgresql://u:{password}@127.0.0.1:port/x", BadSettings, "not well formed"),
        (f"postgresql://u:{password}@127.0.0.1:1/x", StoreFailed, "127.0.0.1:1/x"),
        (f"postgresql://u:{password}@no.such.host.invalid/x", StoreFailed, "no.such.host.invalid"),
        ("", BadSettings, "not the address"),
    ]
    for url, kind, text in wrong:
        with pytest.raises(kind, match=text) as refused:
            await PostgresBuilds.open(url, patience=0.2)
        assert password not in str(refused.value)
        assert getattr(refused.value, "fix", None)


async def test_a_database_that_is_newer_or_not_ours_is_left_alone(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE events (id int)")
    with pytest.raises(StoreFailed, match="not Buildwright's: events"):
        await PostgresBuilds.open(postgres_url)
    await connection.execute("DROP TABLE events; CREATE TABLE of_somebody (id int)")
    await (await PostgresBuilds.open(postgres_url)).close()
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreFailed, match="9999"):
        await PostgresBuilds.open(postgres_url)
    with pytest.raises(StoreFailed, match="9999"):
        await revisions.rollback(postgres_url)
    assert await revisions.version(postgres_url) == "9999"
    await connection.close()


def test_opening_loads_no_orm(postgres_url: str) -> None:
    program = (
        "import asyncio, sys; from buildwright.store.journal_postgres import PostgresBuilds;"
        f"asyncio.run(PostgresBuilds.open({postgres_url!r}));"
        "print(sorted({'sqlalchemy', 'alembic'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_schema_file_is_what_the_migrations_make() -> None:
    stored = (Path(revisions.__file__).parent / "schema_postgres.sql").read_text(encoding="utf-8")
    assert stored == revisions.schema_sql_of_postgres(), "run: python -m buildwright.store.revisions"


async def test_the_tables_are_what_the_metadata_says(store: PostgresBuilds, postgres_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import Connection

    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    engine = alembic_runs.postgres_engine(address_of(postgres_url))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_up_and_down_with_data(postgres_url: str) -> None:
    assert await revisions.version(postgres_url) is None
    assert await revisions.migrate(postgres_url) == revisions.head()
    store = await PostgresBuilds.open(postgres_url)
    build_id, ended = await start(store), await start(store)
    await store.append(ended, 1, [e.BuildFinished(outcome="failed")], AT)
    await store.settle(build_id, 1, [], AT, QueueUpdate(("a",)))
    lease = await take(store, build_id, "a", ELSEWHERE, LONG)
    assert lease is not None
    with pytest.raises(Conflict, match="in use"):
        await revisions.rollback(postgres_url)
    await store.drop(lease)
    with pytest.raises(Conflict, match="actions"):
        await revisions.rollback(postgres_url, len(opening.revisions()) - 1)
    assert await revisions.rollback(postgres_url, len(opening.revisions()) - 1, drop_data=True) == "0001"
    await store.close()
    store = await PostgresBuilds.open(postgres_url)
    assert await revisions.version(postgres_url) == revisions.head()
    assert await store.due(0) == ((build_id,), ())
    assert (await store.load(build_id)).id == build_id
    await store.close()
    with pytest.raises(Conflict, match="build_runs, events"):
        await revisions.rollback(postgres_url, len(opening.revisions()))
    assert await revisions.rollback(postgres_url, len(opening.revisions()), drop_data=True) == ""
    assert await revisions.version(postgres_url) is None
    store = await PostgresBuilds.open(postgres_url)
    assert await store.rows() == []
    await store.close()


async def test_builds_are_found_by_project(store: PostgresBuilds, postgres_url: str) -> None:
    build_id = await start(store)
    runs = BuildQueries.open(postgres_url)
    assert await runs.list_by_project("p") == await store.rows()
    assert (await runs.get(build_id)).created_at == AT
    assert await runs.list_between(AT, AT + timedelta(seconds=1)) == await store.rows()
    await runs.close()
    nowhere = BuildQueries.open("postgresql://u:secret@127.0.0.1:1/x")
    with pytest.raises(StoreFailed, match=r"127\.0\.0\.1:1") as failed:
        await nowhere.list_by_project("p")
    assert "secret" not in str(failed.value)
    await nowhere.close()
