"""Runs one command under its limits, for every sandbox alike. Must never return while one of its processes is left.

`NoSandbox` runs it as plain processes of this user: limits and a clean end, but no isolation.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from buildwright.errors import ToolMissing
from buildwright.ports import Command, Completed
from buildwright.process_table import new_mark
from buildwright.sandbox.disk_use import watch_disk
from buildwright.sandbox.processes import Family, adopt_orphans, limit_of_its_own, marked


class HeadAndTail:
    """The beginning and the end of a stream of at most `limit` bytes; the middle is dropped, and a line says so."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, piece: bytes) -> None:
        """Add the next piece of the stream."""
        room = self._half - len(self._head)
        if room > 0:
            self._head += piece[:room]
            piece = piece[room:]
        self._tail += piece
        if len(self._tail) > 2 * self._half:
            self._trim()

    @property
    def cut(self) -> bool:
        """Whether anything was dropped."""
        return self._dropped > 0 or len(self._tail) > self._half

    def content(self) -> bytes:
        """Return what is kept; a line in the middle says how many bytes were dropped."""
        self._trim()
        if not self._dropped:
            return bytes(self._head + self._tail)
        return bytes(self._head) + f"\n[... {self._dropped} bytes cut ...]\n".encode() + bytes(self._tail)

    def _trim(self) -> None:
        over = len(self._tail) - self._half
        if over > 0:
            del self._tail[:over]
            self._dropped += over


LARGEST_FILE = 2 * 1024**3
"""Bytes a command may write into one file (RLIMIT_FSIZE)."""
OPEN_FILES = 4096
"""Files one process may have open (RLIMIT_NOFILE)."""

_TIME = "time"
GRACE = 2.0
"""Seconds that a command has to end by itself when its time is over."""
_FIRST_LOOK = 0.01
_LOOK = 0.1
_PIECE = 65_536
DRAIN = 5.0
"""Seconds to wait for the last output of a command that is over."""
_ROUND = 0.005
_MOST_ROUNDS = 2_000
"""Checks after a kill, `_ROUND` seconds apart; a process in uninterruptible sleep (dead network disk) is left then."""


def find_program(command: Command) -> str:
    """Return the full path of the command's program, looked up on the command's own PATH. Raises ToolMissing."""
    program = command.argv[0]
    if "/" in program:
        path = command.cwd / program
        found = str(path) if os.access(path, os.X_OK) and path.is_file() else None
    else:
        found = shutil.which(program, path=command.env.get("PATH", os.defpath))
    if found is None:
        raise ToolMissing(f"{program} is not installed, or not on the PATH of the command", fix=f"install {program}")
    return found


def enclosed(command: Command) -> dict[str, str]:
    """Return the command's environment with the directories that git must not climb to (git(1), ceilings).

    A repository above the directories of the command, a home under git for one, is so never found.
    """
    above = dict.fromkeys(str(path.resolve().parent) for path in (command.cwd, *command.writable))
    return {**command.env, "GIT_CEILING_DIRECTORIES": os.pathsep.join(above)}


async def carry_out(
    command: Command,
    argv: Sequence[str],
    env: Mapping[str, str],
    on_output: Callable[[bytes], None] | None,
    *,
    home: str = "",
    guarded: bool = False,
    pass_fds: Sequence[int] = (),
    in_memory: Sequence[str] = (),
) -> Completed:
    """Run `argv` (the command, or a sandbox around it) and end everything it started.

    `home` is the tag by which `end_orphans` finds what is left when this process is killed. `guarded`: the first
    process belongs to the sandbox, and must not get the signal that asks the command to end. `in_memory` are folders of
    the command's own that are kept in memory, and count as such. File limits are set on the
    running process (prlimit(2)): `preexec_fn` is unsafe beside threads. For well under a millisecond an unguarded command
    could fork without them; guarded commands set them inside. The limit by which an unguarded command's hidden children
    are known must be there from the start, so prlimit(1) sets it. Raises ToolMissing when the working directory is missing.
    """
    if not command.cwd.is_dir():
        raise ToolMissing(f"the directory {command.cwd} to run {command.argv[0]} in is not there")
    adopt_orphans()
    marker = new_mark(home)
    environment = dict(env) if guarded else {**env, **marked(marker)}
    setter = None if guarded else shutil.which("prlimit")
    queues = limit_of_its_own() if setter else 0
    if setter and queues:
        argv = (setter, f"--msgqueue={queues}", "--", *argv)
    kept = HeadAndTail(command.output_bytes)
    started_at, began = datetime.now(UTC), time.monotonic()
    read_end, write_end = os.pipe()
    reading = asyncio.create_task(read_output(read_end, kept, on_output))
    try:
        cwd = Path("/") if guarded else command.cwd
        process = await _start(argv, command, write_end, environment, cwd, pass_fds)
    except BaseException:
        reading.cancel()
        raise
    finally:
        os.close(write_end)
    family = Family(process.pid, marker, queues)
    _limit_files(process.pid)
    ended = await _end(process, family, command, reading, in_memory, spare_root=guarded)
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    timed_out = ended == _TIME
    limit = "" if timed_out else ended
    if limit:
        kept.add(f"\n[ended by buildwright: {limit}]\n".encode())
    code = process.returncode or 0
    return Completed(
        exit_code=None if timed_out else code if code >= 0 else 128 - code,
        output=kept.content(),
        cut=kept.cut,
        seconds=time.monotonic() - began,
        started_at=started_at,
        limit=limit,
    )


async def _start(
    argv: Sequence[str], command: Command, output: int, env: Mapping[str, str], cwd: Path, pass_fds: Sequence[int]
) -> asyncio.subprocess.Process:
    """Start a process in a session of its own, with its input in a file and both outputs to the descriptor `output`.

    The command's own streams take the place of its input and its standard output.
    """
    with tempfile.TemporaryFile() as file:
        file.write(command.stdin)
        file.seek(0)
        source, target = command.streams or (file.fileno(), output)
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=source,
            stdout=target,
            stderr=output,
            env=env,
            cwd=cwd,
            start_new_session=True,
            pass_fds=pass_fds,
        )


async def _end(
    process: asyncio.subprocess.Process,
    family: Family,
    command: Command,
    reading: asyncio.Task[None],
    in_memory: Sequence[str],
    *,
    spare_root: bool,
) -> str:
    """Wait until the command is over, end all its processes and its output; return what `_until_over` says."""
    try:
        ended = await _until_over(process, family, command, in_memory)
        if ended == _TIME:
            family.ask_to_end(spare_root=spare_root)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), GRACE)
        return ended
    finally:
        family.kill()
        await asyncio.shield(_gone(process, family))
        await asyncio.wait({reading}, timeout=DRAIN)
        reading.cancel()


async def _until_over(
    process: asyncio.subprocess.Process, family: Family, command: Command, in_memory: Sequence[str]
) -> str:
    """Wait for the end; return "" if the command ended by itself, "time", or the limit it broke."""
    waiting = asyncio.create_task(process.wait())
    watches = [
        asyncio.create_task(watch(family, command, in_memory)),
        asyncio.create_task(watch_disk(command, family.look, in_memory)),
    ]
    try:
        await asyncio.wait({waiting, *watches}, timeout=command.seconds, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return ""
        return next((one.result() for one in watches if one.done()), _TIME)
    finally:
        for one in (waiting, *watches):
            one.cancel()


async def watch(family: Family, command: Command, in_memory: Sequence[str]) -> str:
    """Watch the processes; return the limit they break, number or memory. `in_memory` are as for `carry_out`.

    Address space is not limited by the kernel (RLIMIT_AS): V8 and the JVM reserve far more than they use.
    """
    pause = _FIRST_LOOK
    while True:
        await asyncio.sleep(pause)
        members = family.look()
        # A fork bomb doubles faster than a fixed interval could follow.
        pause = min(pause * 2, _LOOK) if len(members) < command.processes // 4 else _FIRST_LOOK
        if len(members) > command.processes:
            return f"more than {command.processes} processes"
        if family.memory(members, in_memory, command.memory_bytes) > command.memory_bytes:
            return f"more than {command.memory_bytes // 1024**2} MiB of memory"


async def _gone(process: asyncio.subprocess.Process, family: Family) -> None:
    """Wait until every killed process has left the process table."""
    await process.wait()
    for _ in range(_MOST_ROUNDS):
        if family.is_gone():
            return
        family.kill()
        await asyncio.sleep(_ROUND)


async def read_output(read_end: int, kept: HeadAndTail, on_output: Callable[[bytes], None] | None) -> None:
    """Keep all that comes out of a pipe, and tell it piece by piece, up to its end."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    try:
        while piece := await reader.read(_PIECE):
            kept.add(piece)
            if on_output is not None:
                on_output(piece)
    finally:
        transport.close()


def _limit_files(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        allowed = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (allowed, allowed))


class NoSandbox:
    """Foreign commands with the rights of this process: they can read and write what this user can.

    The mark by which detached processes are found and the ceilings of git are added to the given
    environment. `home` is the tag of the home whose later processes may end what a killed one left.
    """

    name = "none"
    limits = ""

    def __init__(self, home: str = "") -> None:
        self._home = home

    def named_for(self, project: str) -> NoSandbox:  # noqa: ARG002  it makes nothing that has a name
        """See `Sandbox.named_for`."""
        return self

    async def run(self, command: Command, on_output: Callable[[bytes], None] | None = None) -> Completed:
        """Run the command to its end. Raises ToolMissing when the program or the directory is missing."""
        return await carry_out(
            command, (find_program(command), *command.argv[1:]), enclosed(command), on_output, home=self._home
        )

    async def shares(self, folder: Path) -> bool:  # noqa: ARG002  without a mount of its own a command cannot
        """See `Sandbox.shares`."""
        return False
