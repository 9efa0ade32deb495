"""PostgreSQL and Redis as processes of one machine: started below a folder, found again, stopped. Never open to the network.

Both listen on 127.0.0.1 alone and ask for a password that stands only in `server.json` (mode 0600). Neither gets our
environment, in which keys may stand. The binaries come from Python wheels, else from the machine.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from buildwright.errors import CouldNot
from buildwright.jobs.processes import Known, begin, directory_of, fresh_log, rights, start_of
from buildwright.jobs.programs import ENVIRONMENT, Program, find_postgres, find_redis
from buildwright.jobs.server_life import HOST, Facts, Record, bring_up, facts, known, read_record, stop

NAME = "buildwright"
"""The database and the role that owns it."""

_HERE = "/proc/self/cwd"
"""The server's own folder, also where its account may not walk the folders above it: a home of mode 0700, owned by root."""


@dataclass(frozen=True)
class PostgresServer:
    """PostgreSQL with its data below `folder`. Durable unless told otherwise (tests)."""

    folder: Path
    durable: bool = True
    title: str = "PostgreSQL"

    async def start(self) -> str:
        """The URL of the live server; it is started, or recovered after a crash, when it does not run.

        Raises ToolMissing, BadSettings (nobody it may run as), CouldNot.
        """
        if (self.folder / "data").exists() and read_record(self.folder) is None:
            raise CouldNot(
                f"the password of the PostgreSQL in {self.folder} is lost: server.json is gone",
                fix="bring the file back from a copy, or move the folder away to begin with an empty database",
            )
        return _postgres_url(await bring_up(self))

    async def stop(self, *, at_once: bool = False) -> None:
        """End it: open transactions are rolled back. `at_once` leaves the tidying to the next start; nothing is lost."""
        steps = () if at_once else ((signal.SIGINT, 30.0),)
        await stop(self, *steps, (signal.SIGQUIT, 5.0))

    def process(self) -> Known:
        """The process of the server, alive or not. Raises CouldNot before the first start."""
        return known(self).process

    def facts(self) -> Facts | None:
        """What may be told of it; None before the first start."""
        return facts(self)

    def alive(self) -> bool:
        record = read_record(self.folder)
        return record is not None and record.process.alive

    def url(self) -> str:
        """Where it answers, or did. Raises CouldNot before the first start."""
        return _postgres_url(known(self))

    async def begin(self, record: Record) -> Record:
        program = await find_postgres(self.folder / "data")
        await _make_data(self.folder, program, record.password)
        data = self.folder / "data"
        (data / "postgresql.conf").write_text(self._configuration(record, program), encoding="utf-8")
        (data / "pg_hba.conf").write_text(f"host all all {HOST}/32 scram-sha-256\n", encoding="utf-8")
        _disown_dead(data)
        here = _HERE if program.account else str(data)
        process = begin(
            [program.path, "-D", here],
            cwd=data,
            environment=ENVIRONMENT,
            log=fresh_log(self.folder / "server.log"),
            account=program.account,
        )
        return record._replace(process=process, version=program.version)

    async def find(self, record: Record) -> int | None:
        del record
        data = self.folder / "data"
        pid = _postmaster(data)
        return pid if pid is not None and directory_of(pid) == str(data.resolve()) else None

    async def answers(self, record: Record) -> bool:
        import asyncpg

        try:
            connection = await asyncpg.connect(_postgres_url(record, "postgres"), timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        try:
            if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", NAME):
                await connection.execute(f"CREATE DATABASE {NAME}")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        finally:
            connection.terminate()
        return True

    def _configuration(self, record: Record, program: Program) -> str:
        settings = {
            "listen_addresses": f"'{HOST}'",
            "port": record.port,
            "unix_socket_directories": "''",
            "password_encryption": "'scram-sha-256'",
            "max_connections": 200,
            "shared_buffers": "'64MB'",
            "max_wal_size": "'256MB'",
            "max_parallel_workers_per_gather": 0,
            "dynamic_shared_memory_type": "'mmap'",  # a container's /dev/shm is small
            "jit": "off",
            "fsync": "on" if self.durable else "off",
            "synchronous_commit": "on" if self.durable else "off",
            "timezone": "'UTC'",
            "log_timezone": "'UTC'",
            "log_checkpoints": "off",
            "log_min_error_statement": "'panic'",  # what statements carry belongs into no log
        }
        if int(program.version.split(".")[0]) >= 18:
            settings["io_method"] = "'sync'"
        return "".join(f"{name} = {value}\n" for name, value in settings.items())


@dataclass(frozen=True)
class RedisServer:
    """Redis with its state below `folder`. It keeps nothing on the disk: what it holds are hints."""

    folder: Path
    title: str = "Redis"

    async def start(self) -> str:
        """The URL of the live server; it is started when it does not run. Raises ToolMissing, BadSettings, CouldNot."""
        return _redis_url(await bring_up(self))

    async def stop(self, *, at_once: bool = False) -> None:
        """End it; what it held is gone. `at_once` makes no difference worth waiting for."""
        await stop(self, (signal.SIGTERM, 1.0 if at_once else 10.0))

    def process(self) -> Known:
        """The process of the server, alive or not. Raises CouldNot before the first start."""
        return known(self).process

    def facts(self) -> Facts | None:
        """What may be told of it; None before the first start."""
        return facts(self)

    def alive(self) -> bool:
        record = read_record(self.folder)
        return record is not None and record.process.alive

    def url(self) -> str:
        """Where it answers, or did. Raises CouldNot before the first start."""
        return _redis_url(known(self))

    async def begin(self, record: Record) -> Record:
        program = await find_redis()
        data = self.folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        settings = {
            "bind": HOST,
            "protected-mode": "yes",
            "port": record.port,
            "requirepass": record.password,
            "save": '""',
            "appendonly": "no",
            "databases": 64,
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        text = "".join(f"{name} {value}\n" for name, value in settings.items())
        if program.account:
            program.account.give(data)
        process = begin(
            [program.path, "-"],
            said=text,
            cwd=data,
            environment=ENVIRONMENT,
            log=fresh_log(self.folder / "server.log"),
            account=program.account,
        )
        return record._replace(process=process, version=program.version)

    async def find(self, record: Record) -> int | None:
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(HOST, record.port)
                try:
                    writer.write(f"AUTH {record.password}\r\nINFO server\r\n".encode("ascii"))
                    if await reader.readline() != b"+OK\r\n":
                        return None
                    while line := await reader.readline():
                        if line.startswith(b"process_id:"):
                            return int(line.partition(b":")[2])
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            return None
        return None

    async def answers(self, record: Record) -> bool:
        return await self.find(record) is not None


async def _make_data(folder: Path, program: Program, password: str) -> None:
    """Make the data folder, whole or not at all. Raises CouldNot."""
    data, new = folder / "data", folder / "data.new"
    if data.exists():
        return
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    with tempfile.TemporaryFile("w+", dir=folder) as file:
        file.write(password)
        file.flush()
        file.seek(0)
        if program.account:
            program.account.give(new, file.fileno())
        process = await asyncio.create_subprocess_exec(
            program.path.with_name("initdb"),
            *("-D", _HERE if program.account else str(new), "-U", NAME, "--pwfile=/dev/stdin"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"),
            cwd=new,
            env=ENVIRONMENT,
            stdin=file,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            **rights(program.account),
        )
        said = (await process.communicate())[0].decode("utf-8", "replace").strip()
    if process.returncode != 0:
        last = said.splitlines()[-1] if said else "it said nothing"
        raise CouldNot(f"PostgreSQL could not make its data folder {data}: {last}", fix="see if the disk is full")
    new.rename(data)


def _postgres_url(record: Record, database: str = NAME) -> str:
    return f"postgresql://{NAME}:{record.password}@{HOST}:{record.port}/{database}"


def _redis_url(record: Record) -> str:
    return f"redis://:{record.password}@{HOST}:{record.port}/0"


def _postmaster(data: Path) -> int | None:
    """The process that `postmaster.pid` names, if one of this number runs."""
    pid = _named(data)
    return pid if pid is not None and start_of(pid) else None


def _named(data: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int((data / "postmaster.pid").read_text("utf-8").splitlines()[0])
    return None


def _disown_dead(data: Path) -> None:
    """Make a dead server's `postmaster.pid` no obstacle when its number still stands for a process.

    That is one of somebody else by now, or the dead server itself, which nobody has reaped: in a container the first process
    often does not. The file is not deleted: its other lines keep a new server from starting while children of the dead one still
    write. But PostgreSQL takes the number of its own parent for left over (CreateLockFile in its miscinit.c), and that is ours.
    """
    pid = _named(data)
    if pid is None or not Path(f"/proc/{pid}").exists():
        return
    if start_of(pid) and directory_of(pid) in {None, str(data.resolve())}:
        return
    file = data / "postmaster.pid"
    _, newline, rest = file.read_text("utf-8").partition("\n")
    file.write_text(f"{os.getpid()}{newline}{rest}", encoding="utf-8")
