"""PostgreSQL and Redis as processes of one machine: started below a folder, found again, stopped. Never open to the network.

Both listen on 127.0.0.1 alone and ask for a password that stands only in `server.json` (mode 0600). Neither gets our
environment, in which keys may stand. The binaries come from Python wheels, else from the machine.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from buildwright.errors import CouldNot
from buildwright.jobs.processes import Known, begin, directory_of, end, fresh_log, rights, seen, start_of
from buildwright.jobs.programs import ENVIRONMENT, Program, find_postgres, find_redis
from buildwright.jobs.state import load, locked, save

NAME = "buildwright"
"""The database and the role that owns it."""

_HOST = "127.0.0.1"
_ANSWER_SECONDS = 60.0
"""PostgreSQL may have to recover first."""
_TRIES = 75
_PAUSE_SECONDS = 0.2
_PASSING = ("shared memory block", "lock file")
"""What PostgreSQL complains of while the children of one that was killed still run. They notice, and go."""
_LOOK_SECONDS = 0.05
_HERE = "/proc/self/cwd"
"""The server's own folder, also where its account may not walk the folders above it: a home of mode 0700, owned by root."""


class _Record(NamedTuple):
    """What `server.json` keeps of a server."""

    port: int
    password: str
    process: Known


class _Kind(Protocol):
    """What is particular to one kind of server."""

    @property
    def title(self) -> str: ...

    @property
    def folder(self) -> Path: ...

    async def begin(self, record: _Record) -> Known: ...

    async def find(self, record: _Record) -> int | None:
        """The process id of one that was begun and not recorded: we died in between."""

    async def answers(self, record: _Record) -> bool:
        """Whether it takes commands, and our password."""


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
        return _postgres_url(await _bring_up(self))

    async def stop(self, *, at_once: bool = False) -> None:
        """End it: open transactions are rolled back. `at_once` leaves the tidying to the next start; nothing is lost."""
        steps = () if at_once else ((signal.SIGINT, 30.0),)
        await _stop(self.folder, *steps, (signal.SIGQUIT, 5.0))

    def process(self) -> Known | None:
        """The process of the server, alive or not; None before the first start."""
        record = _read(self.folder)
        return None if record is None else record.process

    def alive(self) -> bool:
        process = self.process()
        return process is not None and process.alive

    def url(self) -> str:
        """Where it answers, or did. Raises CouldNot before the first start."""
        return _postgres_url(_known(self))

    async def begin(self, record: _Record) -> Known:
        program = await find_postgres(self.folder / "data")
        await _make_data(self.folder, program, record.password)
        data = self.folder / "data"
        (data / "postgresql.conf").write_text(self._configuration(record, program), encoding="utf-8")
        (data / "pg_hba.conf").write_text(f"host all all {_HOST}/32 scram-sha-256\n", encoding="utf-8")
        _disown_dead(data)
        here = _HERE if program.account else str(data)
        return begin(
            [program.path, "-D", here],
            cwd=data,
            environment=ENVIRONMENT,
            log=fresh_log(self.folder / "server.log"),
            account=program.account,
        )

    async def find(self, record: _Record) -> int | None:
        del record
        data = self.folder / "data"
        pid = _postmaster(data)
        return pid if pid is not None and directory_of(pid) == str(data.resolve()) else None

    async def answers(self, record: _Record) -> bool:
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

    def _configuration(self, record: _Record, program: Program) -> str:
        settings = {
            "listen_addresses": f"'{_HOST}'",
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
        return _redis_url(await _bring_up(self))

    async def stop(self, *, at_once: bool = False) -> None:
        """End it; what it held is gone. `at_once` makes no difference worth waiting for."""
        await _stop(self.folder, (signal.SIGTERM, 1.0 if at_once else 10.0))

    def process(self) -> Known | None:
        """The process of the server, alive or not; None before the first start."""
        record = _read(self.folder)
        return None if record is None else record.process

    def alive(self) -> bool:
        process = self.process()
        return process is not None and process.alive

    def url(self) -> str:
        """Where it answers, or did. Raises CouldNot before the first start."""
        return _redis_url(_known(self))

    async def begin(self, record: _Record) -> Known:
        program = await find_redis()
        data = self.folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        settings = {
            "bind": _HOST,
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
        return begin(
            [program.path, "-"],
            said=text,
            cwd=data,
            environment=ENVIRONMENT,
            log=fresh_log(self.folder / "server.log"),
            account=program.account,
        )

    async def find(self, record: _Record) -> int | None:
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(_HOST, record.port)
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

    async def answers(self, record: _Record) -> bool:
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


async def _bring_up(server: _Kind) -> _Record:
    """The live server below the folder: the one that was recorded, one that was begun and not yet recorded, or a new one."""
    server.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with locked(server.folder / "lock"):
        record = _read(server.folder) or _Record(_free_port(), secrets.token_hex(16), Known(0, ""))
        for _ in range(_TRIES):
            adopted = record.process.alive
            if not adopted:
                record = await _begin(server, record)
            with suppress(_Ended):
                return await _until_it_answers(server, record)
            passing = not _is_free(record.port) or any(word in _last_line(server.folder) for word in _PASSING)
            if not adopted and not passing:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        why = _last_line(server.folder)
        raise CouldNot(f"{server.title} did not start: {why}", fix=f"see {server.folder / 'server.log'}")


async def _begin(server: _Kind, record: _Record) -> _Record:
    pid = await server.find(record)
    if pid is not None:
        return _write(server.folder, record._replace(process=seen(pid)))
    if not _is_free(record.port):
        record = record._replace(port=_free_port())
    _write(server.folder, record)  # the password must outlive whatever happens from here on
    return _write(server.folder, record._replace(process=await server.begin(record)))


class _Ended(Exception):
    """The server has ended before it answered."""


async def _until_it_answers(server: _Kind, record: _Record) -> _Record:
    deadline = asyncio.get_running_loop().time() + _ANSWER_SECONDS
    while not await server.answers(record):
        if not record.process.alive:
            raise _Ended
        if asyncio.get_running_loop().time() >= deadline:
            raise CouldNot(
                f"{server.title} runs as process {record.process.pid} and does not answer on port {record.port}",
                fix=f"see {server.folder / 'server.log'}",
            )
        await asyncio.sleep(_LOOK_SECONDS)
    return record


async def _stop(folder: Path, *steps: tuple[signal.Signals, float]) -> None:
    if not folder.exists():
        return
    async with locked(folder / "lock"):
        record = _read(folder)
        if record is not None:
            await end(record.process, *steps)


def _read(folder: Path) -> _Record | None:
    fields = load(folder / "server.json")
    if fields is None:
        return None
    try:
        process = Known(int(fields["pid"]), str(fields["start"]))
        return _Record(int(fields["port"]), str(fields["password"]), process)
    except (KeyError, ValueError, TypeError) as error:
        raise CouldNot(f"{folder / 'server.json'} is damaged", fix="mend the file, or take it away") from error


def _write(folder: Path, record: _Record) -> _Record:
    pid, start = record.process
    save(folder / "server.json", {"port": record.port, "password": record.password, "pid": pid, "start": start})
    return record


def _known(server: _Kind) -> _Record:
    record = _read(server.folder)
    if record is None:
        raise CouldNot(f"{server.title} was never started in {server.folder}", fix="buildwright cluster up")
    return record


def _postgres_url(record: _Record, database: str = NAME) -> str:
    return f"postgresql://{NAME}:{record.password}@{_HOST}:{record.port}/{database}"


def _redis_url(record: _Record) -> str:
    return f"redis://:{record.password}@{_HOST}:{record.port}/0"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: what is left of closed connections does not keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
        return True


def _postmaster(data: Path) -> int | None:
    """The process that `postmaster.pid` names, if one of this number runs."""
    with suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text("utf-8").splitlines()[0])
        return pid if start_of(pid) else None
    return None


def _disown_dead(data: Path) -> None:
    """Make a dead server's `postmaster.pid` no obstacle when its number belongs to somebody else by now.

    It is not deleted: its other lines keep a new server from starting while children of the dead one still write. But
    PostgreSQL takes the number of its own parent for left over (CreateLockFile in its miscinit.c), and that is ours.
    """
    pid = _postmaster(data)
    if pid is None or directory_of(pid) in {None, str(data.resolve())}:
        return
    file = data / "postmaster.pid"
    _, newline, rest = file.read_text("utf-8").partition("\n")
    file.write_text(f"{os.getpid()}{newline}{rest}", encoding="utf-8")


def _last_line(folder: Path) -> str:
    """What the server complained of last, for an error."""
    with suppress(OSError):
        lines = (folder / "server.log").read_text("utf-8", "replace").splitlines()
        telling = [line for line in lines if "FATAL" in line or "ERROR" in line or "Fatal" in line] or lines
        return telling[-1].strip()[:300] if telling else "it said nothing"
    return "it said nothing"
