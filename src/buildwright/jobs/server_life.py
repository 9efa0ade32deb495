"""How a server below a folder is begun, found again, recorded and ended, whatever server it is. Knows no server.

`server.json` in the folder (mode 0600) holds its port, password and process.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from buildwright.errors import CouldNot
from buildwright.jobs.processes import Known, end, seen
from buildwright.jobs.state import load, locked, save

HOST = "127.0.0.1"
_ANSWER_SECONDS = 60.0
"""PostgreSQL may have to recover first."""
_TRIES = 75
_PAUSE_SECONDS = 0.2
_PASSING = ("shared memory block", "lock file")
"""What PostgreSQL complains of while the children of one that was killed still run. They notice, and go."""
_LOOK_SECONDS = 0.05


class Record(NamedTuple):
    """What `server.json` keeps of a server."""

    port: int
    password: str
    process: Known
    version: str = ""


class Facts(NamedTuple):
    """What may be told of a server."""

    title: str
    pid: int
    alive: bool
    port: int
    version: str
    """"" when it is not known."""


class Server(Protocol):
    """What is particular to one kind of server."""

    @property
    def title(self) -> str: ...

    @property
    def folder(self) -> Path: ...

    async def begin(self, record: Record) -> Record:
        """The record with the process that was begun."""

    async def find(self, record: Record) -> int | None:
        """The process id of one that was begun and not recorded: we died in between."""

    async def answers(self, record: Record) -> bool:
        """Whether it takes commands, and our password."""


async def bring_up(server: Server) -> Record:
    """The live server below the folder: the one that was recorded, one that was begun and not yet recorded, or a new one."""
    server.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with locked(server.folder / "lock"):
        record = read_record(server.folder) or Record(_free_port(), secrets.token_hex(16), Known(0, ""))
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


async def _begin(server: Server, record: Record) -> Record:
    pid = await server.find(record)
    if pid is not None:
        return _write(server.folder, record._replace(process=seen(pid)))
    if not _is_free(record.port):
        record = record._replace(port=_free_port())
    _write(server.folder, record)  # the password must outlive whatever happens from here on
    return _write(server.folder, await server.begin(record))


class _Ended(Exception):
    """The server has ended before it answered."""


async def _until_it_answers(server: Server, record: Record) -> Record:
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


async def stop(server: Server, *steps: tuple[signal.Signals, float]) -> None:
    """End the server with these signals, each given so many seconds; harmless when it does not run."""
    if not server.folder.exists():
        return
    async with locked(server.folder / "lock"):
        record = read_record(server.folder)
        if record is None:
            return
        pid = None if record.process.alive else await server.find(record)
        await end(record.process if pid is None else seen(pid), *steps)


def read_record(folder: Path) -> Record | None:
    """What was recorded; None before the first start. Raises CouldNot when it is damaged."""
    fields = load(folder / "server.json")
    if fields is None:
        return None
    try:
        process = Known(int(fields["pid"]), str(fields["start"]))
        return Record(int(fields["port"]), str(fields["password"]), process, str(fields.get("version", "")))
    except (KeyError, ValueError, TypeError) as error:
        raise CouldNot(f"{folder / 'server.json'} is damaged", fix="mend the file, or take it away") from error


def _write(folder: Path, record: Record) -> Record:
    port, password, process, version = record
    fields = {"port": port, "password": password, "pid": process.pid, "start": process.start, "version": version}
    save(folder / "server.json", fields)
    return record


def known(server: Server) -> Record:
    """What was recorded. Raises CouldNot before the first start."""
    record = read_record(server.folder)
    if record is None:
        raise CouldNot(f"{server.title} was never started in {server.folder}", fix="buildwright cluster up")
    return record


def facts(server: Server) -> Facts | None:
    """What may be told of a server; None before the first start."""
    record = read_record(server.folder)
    if record is None:
        return None
    return Facts(server.title, record.process.pid, record.process.alive, record.port, record.version)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: what is left of closed connections does not keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _last_line(folder: Path) -> str:
    """What the server complained of last, for an error."""
    with suppress(OSError):
        lines = (folder / "server.log").read_text("utf-8", "replace").splitlines()
        telling = [line for line in lines if "FATAL" in line or "ERROR" in line or "Fatal" in line] or lines
        return telling[-1].strip()[:300] if telling else "it said nothing"
    return "it said nothing"
