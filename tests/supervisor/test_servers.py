from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import asyncpg
import psutil
import pytest

from buildwright.errors import CouldNot, ToolMissing
from buildwright.supervisor.processes import identify
from buildwright.supervisor.servers import copy_for_all
from buildwright.supervisor.state import load, save
from tests.servers import PostgresServer, RedisServer
from tests.services import redis_command


async def ask(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.fixture
def far_away(tmp_path: Path) -> Path:
    """A folder whose path has blanks and is longer than a socket's may be, below one that only we may enter."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    return closed / ("a home with blanks, 'quotes' and $signs " * 5) / "cluster"


async def test_a_database_of_the_tests_own(postgres_url: str, redis_url: str) -> None:
    await ask(postgres_url, "CREATE TABLE only_here (a int)")
    assert await redis_command(redis_url, "SET a 1", "DBSIZE") == ["+OK", ":1"]


@pytest.mark.parametrize("round_", [1, 2])
async def test_each_test_finds_an_empty_one(postgres_url: str, redis_url: str, round_: int) -> None:
    assert await ask(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert await redis_command(redis_url, "DBSIZE", "SET left behind") == [":0", "+OK"]
    await ask(postgres_url, "CREATE TABLE t (a int)")


async def test_postgres_is_adopted_recovered_and_moved(far_away: Path) -> None:
    server = PostgresServer(far_away / "postgres")
    try:
        url, first = await server.start(), server.process()
        assert await server.start() == url
        assert server.process() == first
        assert await ask(url, "SELECT current_setting('fsync') || current_setting('synchronous_commit')") == "onon"
        await ask(url, "CREATE TABLE kept AS SELECT 7 AS a")

        # Begun, and not yet recorded when its starter died: it is found, not started twice.
        recorded = load(far_away / "postgres" / "server.json") or {}
        save(far_away / "postgres" / "server.json", recorded | {"pid": 0, "start": ""})
        assert await server.start() == url
        assert server.process() == first

        await server.kill()
        assert not server.alive()
        assert await server.start() == url
        assert server.process() != first
        assert await ask(url, "SELECT a FROM kept") == 7

        # It died, its number is somebody else's by now, and so is its port.
        await server.kill()
        file = far_away / "postgres" / "data" / "postmaster.pid"
        file.write_text(file.read_text().replace(file.read_text().split()[0], str(os.getppid()), 1))
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind(("127.0.0.1", int(url.rpartition(":")[2].partition("/")[0])))
            stranger.listen()
            moved = await server.start()
        assert moved != url
        assert await ask(moved, "SELECT a FROM kept") == 7

        # It died, and nobody has reaped what has its number.
        await server.kill()
        unreaped = subprocess.Popen(["true"])
        while identify(unreaped.pid).alive:
            await asyncio.sleep(0.01)
        file.write_text(file.read_text().replace(file.read_text().split()[0], str(unreaped.pid), 1))
        assert await server.start() == moved
        assert await ask(moved, "SELECT a FROM kept") == 7
        unreaped.wait()
    finally:
        await server.stop()
    assert not server.alive()
    assert psutil.pid_exists(os.getppid())


async def test_redis_is_adopted_and_started_again(own_redis: RedisServer) -> None:
    url, first = own_redis.url(), own_redis.process()
    assert await own_redis.start() == url
    assert own_redis.process() == first
    recorded = load(own_redis.folder / "server.json") or {}
    save(own_redis.folder / "server.json", recorded | {"pid": 0, "start": ""})
    assert await own_redis.start() == url
    assert own_redis.process() == first
    assert await redis_command(url, "SET a 1") == ["+OK"]
    await own_redis.kill()
    assert await own_redis.start() == url
    assert await redis_command(url, "DBSIZE") == [":0"]


async def test_servers_are_closed_to_the_network_and_to_strangers(
    own_postgres: PostgresServer, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat 53: bound to loopback, a password asked for, the password nowhere to be seen."""
    for server in (own_postgres, own_redis):
        process = psutil.Process(server.process().pid)
        listening = [found.laddr.ip for found in process.net_connections() if found.status == psutil.CONN_LISTEN]
        assert listening == ["127.0.0.1"]
        assert process.uids().effective != 0
        assert set(process.environ()) <= {"PATH", "LC_ALL", "TZ", "PGDATA"}
        assert {path.stat().st_mode & 0o077 for path in server.folder.rglob("*") if path.parent == server.folder} == {0}
        secret = server.record.password
        assert len(secret) == 32
        assert secret in server.url()
        assert not any(secret in " ".join(each.cmdline()) for each in [process, *process.children(recursive=True)])
        assert secret not in (server.folder / "server.log").read_text()

    url = own_postgres.url()
    wrong = url.replace(url.split(":")[2].split("@")[0], "guess")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)
    port = own_redis.record.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"AUTH guess\r\nKEYS *\r\n")
    assert (await reader.readline()).startswith(b"-WRONGPASS")
    assert (await reader.readline()).startswith(b"-NOAUTH")
    writer.close()
    await writer.wait_closed()


async def test_a_lost_password_is_said_and_nothing_is_overwritten(own_postgres: PostgresServer) -> None:
    await own_postgres.stop()
    (own_postgres.folder / "server.json").rename(own_postgres.folder / "away")
    with pytest.raises(CouldNot, match="password of the PostgreSQL") as lost:
        await own_postgres.start()
    assert "bring the file back" in (lost.value.fix or "")
    (own_postgres.folder / "away").rename(own_postgres.folder / "server.json")
    await own_postgres.start()


async def test_data_of_another_version_is_not_touched(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ToolMissing, match="PostgreSQL 9, which made") as missing:
        _ = PostgresServer(tmp_path).program
    assert missing.value.fix == "pip install 'buildwright[cluster]'"


async def test_a_damaged_record_is_said(own_redis: RedisServer) -> None:
    record = (own_redis.folder / "server.json").read_bytes()
    for damaged in (b"{", b"[]", b'{"port": 1}'):
        (own_redis.folder / "server.json").write_bytes(damaged)
        with pytest.raises(CouldNot, match=r"server\.json .*is damaged"):
            await own_redis.start()
    (own_redis.folder / "server.json").write_bytes(record)
    assert own_redis.alive()


async def test_a_program_in_a_closed_folder_is_copied_to_where_its_account_may_run_it(
    tmp_path: Path, own_postgres: PostgresServer, own_redis: RedisServer
) -> None:
    """Only root needs that: all others run the servers with their own rights."""
    place = Path(tempfile.mkdtemp(prefix="buildwright-programs-"))
    place.chmod(0o755)
    try:
        for server in (own_postgres, own_redis):
            found = server.program
            package = next(folder for folder in found.path.parents if folder.name == server.kind.wheel)
            closed = tmp_path / "closed" / package.name
            shutil.copytree(package, closed, symlinks=True)
            (tmp_path / "closed").chmod(0o700)
            program = closed / found.path.relative_to(package)
            program.chmod(0o700)
            copies = await asyncio.gather(*(asyncio.to_thread(copy_for_all, program, closed, place) for _ in range(2)))
            assert copies[0] == copies[1]
            assert copies[0].relative_to(place).parts[1:] == program.relative_to(closed.parent).parts
            done = subprocess.run([copies[0], "--version"], check=True, capture_output=True, text=True, **found.rights)
            assert found.version in done.stdout
        assert len(list(place.iterdir())) == 2
    finally:
        shutil.rmtree(place)
