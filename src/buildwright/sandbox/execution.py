"""Runs one command under its limits, for every sandbox alike. Must never return while one of its processes is left."""

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

from buildwright.errors import ToolMissing
from buildwright.ports import Command, Completed
from buildwright.sandbox.orphans import new_mark
from buildwright.sandbox.output import HeadAndTail
from buildwright.sandbox.processes import MARKER, Family, adopt_orphans

LARGEST_FILE = 2 * 1024**3
"""Bytes a command may write into one file (RLIMIT_FSIZE)."""
OPEN_FILES = 4096
"""Files one process may have open (RLIMIT_NOFILE)."""

_TIME = "time"
_GRACE = 2.0
_FIRST_LOOK = 0.01
_LOOK = 0.1
_PIECE = 65_536
_DRAIN = 5.0
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


async def carry_out(
    command: Command,
    argv: Sequence[str],
    env: Mapping[str, str],
    on_output: Callable[[bytes], None] | None,
    *,
    home: str = "",
    guarded: bool = False,
    pass_fds: Sequence[int] = (),
) -> Completed:
    """Run `argv` (the command, or a sandbox around it) and end everything it started.

    `home` is the tag by which `end_orphans` finds what is left when this process is killed. `guarded`: the first
    process belongs to the sandbox, and must not get the signal that asks the command to end. File limits are set on the
    running process (prlimit(2)): `preexec_fn` is unsafe beside threads, and a launcher costs more than most commands.
    For well under a millisecond an unguarded command could fork without them; guarded commands set them inside. Raises
    ToolMissing when the working directory is missing.
    """
    if not command.cwd.is_dir():
        raise ToolMissing(f"the directory {command.cwd} to run {command.argv[0]} in is not there")
    adopt_orphans()
    marker = new_mark(home)
    environment = dict(env) if guarded else {**env, MARKER: marker}
    kept = HeadAndTail(command.output_bytes)
    started_at, began = datetime.now(UTC), time.monotonic()
    read_end, write_end = os.pipe()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, write_end)
        reading = asyncio.create_task(_read(read_end, kept, on_output))
        stack.callback(reading.cancel)
        stdin = stack.enter_context(tempfile.TemporaryFile())
        stdin.write(command.stdin)
        stdin.seek(0)
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=stdin,
            stdout=write_end,
            stderr=write_end,
            env=environment,
            cwd="/" if guarded else command.cwd,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        family = Family(process.pid, marker)
        _limit_files(process.pid)
        stack.pop_all()
        os.close(write_end)
        stdin.close()
    try:
        ended = await _until_over(process, family, command)
        if ended == _TIME:
            family.ask_to_end(spare_root=guarded)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE)
    finally:
        family.kill()
        await asyncio.shield(_gone(process, family))
        await asyncio.wait({reading}, timeout=_DRAIN)
        reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    timed_out = ended == _TIME
    if ended and not timed_out:
        kept.add(f"\n[ended by buildwright: {ended}]\n".encode())
    code = process.returncode or 0
    return Completed(
        exit_code=None if timed_out else code if code >= 0 else 128 - code,
        output=kept.content(),
        cut=kept.cut,
        seconds=time.monotonic() - began,
        started_at=started_at,
    )


async def _until_over(process: asyncio.subprocess.Process, family: Family, command: Command) -> str:
    """Wait for the end; return "" if the command ended by itself, "time", or the limit it broke."""
    waiting = asyncio.create_task(process.wait())
    watching = asyncio.create_task(_watch(family, command))
    try:
        await asyncio.wait({waiting, watching}, timeout=command.seconds, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return ""
        return watching.result() if watching.done() else _TIME
    finally:
        waiting.cancel()
        watching.cancel()


async def _watch(family: Family, command: Command) -> str:
    """Watch the processes; return the limit they break, number or memory.

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
        if family.memory(members) > command.memory_bytes:
            return f"more than {command.memory_bytes // 1024**2} MiB of memory"


async def _gone(process: asyncio.subprocess.Process, family: Family) -> None:
    """Wait until every killed process has left the process table."""
    await process.wait()
    for _ in range(_MOST_ROUNDS):
        if family.is_gone():
            return
        family.kill()
        await asyncio.sleep(_ROUND)


async def _read(read_end: int, kept: HeadAndTail, on_output: Callable[[bytes], None] | None) -> None:
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
