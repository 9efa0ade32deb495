"""PostgreSQL and Redis for the tests: started once per run, by the first test that needs them, and shared by all its workers.

They belong to a process of their own, the guard (`python -m tests.services`), which stops them when the run has ended, in
whatever way it ended. Nothing is skipped: a server that does not start fails the tests that need it.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from buildwright.supervisor.processes import ProcessId, end, identify, launch
from buildwright.supervisor.state import load, save
from tests.servers import PostgresServer, RedisServer, make_careless

ROOT = Path(__file__).parents[1]
JUDGED = str(Path(sys.prefix) / "judged" / "bin")
"""The folder with the Python of projects that tests judge: it has pytest, and few plugins."""
FOLDER = "BUILDWRIGHT_TEST_SERVICES"
"""The environment variable by which the workers of a run know its folder and its process: `pid:start:folder`."""

_START_SECONDS = 60.0
_ROOM_IN_MEMORY = 6 * 1024**3
_LOOK_SECONDS = 0.1
_TABLES = "with_our_tables"
"""The database whose copies have our tables."""


def put_scratch_in_memory() -> None:
    """Let temporary files lie in memory where there is room and TMPDIR says nothing else: disks make the run far longer."""
    place = Path("/dev/shm")
    if "TMPDIR" in os.environ or not place.is_dir() or shutil.disk_usage(place).free < _ROOM_IN_MEMORY:
        return
    # Judged code must not see our name in a path, and other accounts are given ways to files of theirs in it.
    folder = place / f"scratch-of-{os.getuid()}"
    folder.mkdir(mode=0o711, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None


def announce() -> None:
    """Called by the process that a run belongs to, before it starts workers."""
    own = identify(os.getpid())
    folder = Path(tempfile.gettempdir()) / f"buildwright-tests-{own.pid}-{secrets.token_hex(4)}"
    os.environ[FOLDER] = json.dumps([own.pid, own.start, str(folder)])


def dismiss() -> None:
    """Called by the process that a run belongs to, at its end: returns when the servers are gone."""
    _, folder = _run()
    guard = load(folder / "guard.json") if folder.exists() else None
    if guard is not None:
        asyncio.run(end(ProcessId(guard["pid"], guard["start"]), (signal.SIGTERM, 30.0)))
    shutil.rmtree(folder, ignore_errors=True)


def shared() -> dict[str, Any]:
    """The URLs of the shared servers, `postgres` and `redis`, which run from now on."""
    run, folder = _run()
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        urls = load(folder / "urls.json")
        if urls is None:
            command = [sys.executable, "-m", "tests.services", str(folder), str(run.pid), run.start]
            environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
            guard = launch(command, cwd=ROOT, environment=environment, log=folder / "guard.log")
            save(folder / "guard.json", guard._asdict())
            urls = _wait_for(folder, guard)
    return urls


@asynccontextmanager
async def fresh_database(*, has_tables: bool = False) -> AsyncIterator[str]:
    """The URL of an empty database; dropped at the end, whoever is still connected.

    With `has_tables` it has our tables, without a row: for tests of what is in them, because to make them takes nine
    times as long as to copy them.
    """
    import asyncpg

    url = shared()["postgres"]
    name = f"test_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(url)
    try:
        if has_tables:
            await _make_tables_once(connection, url)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TABLES if has_tables else 'template1'}")
        try:
            yield f"{url.rpartition('/')[0]}/{name}"
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


async def _make_tables_once(connection: Any, url: str) -> None:
    """Make the database from which others are copied, if no worker of this run has."""
    from buildwright.store.journal_postgres import PostgresBuilds

    _, folder = _run()
    with (folder / "tables.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", _TABLES):
            return
        # It has its name when it is whole, and is copied only by who finds it by that name: nobody is connected to it then.
        await connection.execute("CREATE DATABASE half_made")
        await (await PostgresBuilds.open(f"{url.rpartition('/')[0]}/half_made")).close()
        await connection.execute(f"ALTER DATABASE half_made RENAME TO {_TABLES}")


def redis_of_this_worker() -> str:
    """The URL of a database of Redis that no other worker of this run uses."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw-1").removeprefix("gw")
    return f"{shared()['redis'].rpartition('/')[0]}/{int(worker) + 1}"


def _wait_for(folder: Path, guard: ProcessId) -> dict[str, Any]:
    deadline = time.monotonic() + _START_SECONDS
    while guard.alive and time.monotonic() < deadline:
        urls = load(folder / "urls.json")
        if urls is not None:
            return urls
        time.sleep(_LOOK_SECONDS)
    said = (folder / "guard.log").read_text("utf-8", "replace")
    raise RuntimeError(f"the servers for the tests did not start:\n{said}")


def _run() -> tuple[ProcessId, Path]:
    pid, start, folder = json.loads(os.environ[FOLDER])
    return ProcessId(pid, start), Path(folder)


async def _guard(folder: Path, run: ProcessId) -> None:
    """Keep the servers until the run is over."""
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    postgres, redis = PostgresServer(folder / "postgres"), RedisServer(folder / "redis")
    try:
        urls = {"postgres": await postgres.start(), "redis": await redis.start()}
        await make_careless(urls["postgres"])
        save(folder / "urls.json", urls)
        while run.alive and not over.is_set():
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        (folder / "urls.json").unlink(missing_ok=True)
        await redis.stop()
        await postgres.stop(at_once=True)
    if not run.alive:
        shutil.rmtree(folder, ignore_errors=True)


async def redis_command(url: str, *lines: str) -> list[str]:
    """Send commands to a Redis, one line each, and return the first line of each answer."""
    password, _, address = url.removeprefix("redis://:").partition("@")
    port, _, database = address.partition(":")[2].partition("/")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    answers = []
    try:
        for line in (f"AUTH {password}", f"SELECT {database}", *lines):
            writer.write(f"{line}\r\n".encode())
            answers.append((await reader.readline()).decode().strip())
    finally:
        writer.close()
        await writer.wait_closed()
    return answers[2:]


if __name__ == "__main__":
    asyncio.run(_guard(Path(sys.argv[1]), ProcessId(int(sys.argv[2]), sys.argv[3])))
