"""Tries a list of attacks on a sandbox of this machine, each for real, and says what got through.

Must never put anything of the user's at stake: what is attacked is made for it and removed at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from buildwright.core.addresses import Destination
from buildwright.errors import ToolMissing
from buildwright.ports import Command, Completed, Reach, Sandbox
from buildwright.sandbox.system_calls import FORBIDDEN

_SECONDS = 30.0
_MEMORY = 100_000_000
_DISK = 100 * 1024**2


class Attack(NamedTuple):
    """One attack: its name is that of a function of `attack_program`, `aims` what it would do if it got through."""

    name: str
    aims: str
    command: Mapping[str, Any] = MappingProxyType({})
    """What its command has beside the usual."""


ATTACKS = (
    Attack("read_outside", "read a file outside, by path, by a link, by the roots of other processes"),
    Attack("write_outside", "change files outside, by path and by a link to a folder"),
    Attack("read_home", "see the files of a home"),
    Attack("environments", "read the environment of another process"),
    Attack("processes", "see another process"),
    Attack("kill_outside", "end a process of the same user outside"),
    Attack("loopback", "send bytes to a server on this machine's loopback"),
    Attack("around_the_proxy", "reach through the proxy a host that the list does not name"),
    Attack("network", "have a network, reach the metadata address of a cloud"),
    Attack("names", "look up a name, which carries data out"),
    Attack("sockets", "talk to a socket of this machine, by path and by name"),
    Attack("kernel_settings", "write the kernel's settings"),
    Attack("system_files", "change files of the system, and of this Python"),
    Attack("devices", "open a disk, the memory, the virtual machines"),
    Attack("powers", "have or gain rights: capabilities, setuid, root"),
    Attack("namespaces", "make a user namespace of its own"),
    Attack("calls", "make calls of the kernel that no build needs: keys, mounts, io_uring, modules, and more"),
    Attack("trace", "trace a process, which reads and changes its memory"),
    Attack("families", "open a socket that no network namespace holds, to the host of a virtual machine for one"),
    Attack("other_machine", "make calls as a program of 32 bits, where a filter may not know them"),
    Attack("terminal", "type into the terminal of the user"),
    Attack("outlive", "leave a child that lives on"),
    Attack("forks", "make processes without end", {"processes": 40}),
    Attack("memory", "use memory without end, also by files", {"memory_bytes": _MEMORY}),
    Attack("large_file", "make a file without end"),
    Attack("many_files", "fill the disk with many files, also with files without a name", {"disk_bytes": _DISK}),
)


class Attacked(NamedTuple):
    """How an attack went: what got through, nothing if the sandbox held; `failed` if it could not be tried."""

    attack: Attack
    through: tuple[str, ...]
    failed: str = ""


async def attack_all(sandbox: Sandbox, tell: Callable[[Attacked], None]) -> list[Attacked]:
    """Try every attack on the sandbox, one after the other."""
    done = []
    for one in ATTACKS:
        async with _stage() as stage:
            done.append(await stage.try_on(sandbox, one))
        tell(done[-1])
    return done


class _Stage:
    """What lies outside of the sandbox during one attack."""

    def __init__(self, folder: Path, outside: dict[str, Any], heard: bytearray, sleeper: asyncio.subprocess.Process):
        self._folder = folder
        self._outside = outside
        self._heard = heard
        self._sleeper = sleeper
        self._before = _contents(folder / "outside")

    async def try_on(self, sandbox: Sandbox, one: Attack) -> Attacked:
        """Try an attack; say what it says itself, and what is seen from here."""
        lane = self._folder / "lane"
        shutil.copyfile(Path(__file__).with_name("attack_program.py"), lane / "attack.py")
        (lane / "outside.json").write_text(json.dumps(self._outside), encoding="utf-8")
        command = Command(
            argv=(sys.executable, "-I", "-S", "attack.py", one.name, "outside.json"),
            cwd=lane,
            env={"PATH": os.defpath},
            seconds=_SECONDS,
            reach=Reach((Destination("example.org", (443,)),)) if one.name == "around_the_proxy" else None,
            **one.command,
        )
        try:
            completed = await sandbox.run(command)
        except ToolMissing as error:
            return Attacked(one, (), str(error))
        said = completed.output.decode("utf-8", "replace").splitlines()
        if failed := _not_tried(completed, said):
            return Attacked(one, (), failed)
        return Attacked(one, (*(line for line in said if line and not line.startswith(("[", "\n"))), *self._seen()))

    def _seen(self) -> Iterator[str]:
        if self._heard:
            yield f"{len(self._heard)} bytes arrived outside"
        if _contents(self._folder / "outside") != self._before:
            yield "files outside are changed"
        if self._sleeper.returncode is not None:
            yield "a process outside was ended"
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if f"sleep\0{self._outside['outlives']}\0".encode() in path.read_bytes():
                    yield f"process {path.parent.name} lives on"


def _not_tried(completed: Completed, said: list[str]) -> str:
    """Return why the program did not get as far as the attack, "" when it did."""
    if any(line.startswith("Traceback") for line in said):
        return said[-1]
    return "" if completed.output or completed.exit_code in {0, None} else f"exit code {completed.exit_code}"


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _calls() -> dict[str, int]:
    """Return the numbers of the calls that are forbidden whatever their arguments are."""
    numbers = {name: call.on(os.uname().machine) for name, call in FORBIDDEN.items() if call.when == "always"}
    return {name: number for name, number in numbers.items() if number is not None}


@asynccontextmanager
async def _stage() -> AsyncIterator[_Stage]:
    """Make what an attack may find: a file, a process with a key, servers that listen to everything."""
    heard = bytearray()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1000):
            heard.extend(piece)
        writer.close()

    # In /tmp, where every user may walk; else the mode of a folder would hold what the sandbox has to.
    with tempfile.TemporaryDirectory(prefix="buildwright-attack-", dir="/tmp", ignore_cleanup_errors=True) as made:
        folder, canary, number = Path(made), f"canary-{secrets.token_hex(8)}", 10**8 + secrets.randbelow(10**8)
        folder.chmod(0o755)
        for name in ("outside", "lane"):
            (folder / name).mkdir()
            (folder / name).chmod(0o777)
        victim = folder / "outside" / "victim.txt"
        victim.write_text(canary)
        victim.chmod(0o666)
        abstract = f"buildwright-{secrets.token_hex(8)}"
        servers = [await asyncio.start_server(hear, "127.0.0.1", 0)]
        for place in (f"{folder}/s", f"\0{abstract}"):
            server = socket.socket(socket.AF_UNIX)
            server.bind(place)
            servers.append(await asyncio.start_unix_server(hear, sock=server))
        (folder / "s").chmod(0o666)
        sleeper = await asyncio.create_subprocess_exec("sleep", str(number), env={"PATH": os.defpath, "KEY": canary})
        outside = {
            "victim": str(victim),
            "canary": canary,
            "home": str(Path.home()),
            "port": servers[0].sockets[0].getsockname()[1],
            "socket": f"{folder}/s",
            "abstract": abstract,
            "process": sleeper.pid,
            "sleeps": number,
            "outlives": number + 1,
            "memory": _MEMORY,
            "disk": _DISK,
            "calls": _calls(),
        }
        try:
            yield _Stage(folder, outside, heard, sleeper)
        finally:
            for server_of in servers:
                server_of.close()
            if sleeper.returncode is None:
                sleeper.kill()
            await sleeper.wait()
