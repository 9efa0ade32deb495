"""Processes that outlive the process that started them: started, found and ended by pid and start time.

Must never trust a bare pid: the kernel uses a number again, above all after a restart of the machine.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypedDict

from buildwright.process_table import stat_of

_LOOK_SECONDS = 0.05
_LARGEST_LOG = 1_000_000

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Children of this process, reaped when they are found dead."""
_exit_codes: dict[int, int] = {}


class ProcessId(NamedTuple):
    """One process, never a later one of the same number. `start` is "" if it did not run when it was named."""

    pid: int
    start: str

    @property
    def alive(self) -> bool:
        return self.start != "" and start_of(self.pid) == self.start


class Rights(TypedDict, total=False):
    """The options of `subprocess` that run a program as another account; empty for our own."""

    user: int
    group: int
    extra_groups: list[int]


def start_of(pid: int) -> str:
    """Return the boot of the machine and the start of the process in ticks since then (proc(5)); "" when it is dead.

    No change of the clock moves it.
    """
    if (stat := stat_of(pid)) is None:
        return ""
    if not stat.has_ended:
        return f"{_boot()}:{stat.start}"
    if (child := _children.pop(pid, None)) is not None:
        _exit_codes[pid] = child.wait()
    return ""


def identify(pid: int) -> ProcessId:
    """Return the process that has this number now."""
    return ProcessId(pid, start_of(pid))


def exit_reason(process: ProcessId) -> str:
    """Return how a child of this process ended, once; "" when that is not known."""
    code = None if process.alive else _exit_codes.pop(process.pid, None)
    if code is None:
        return ""
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def find_marked(mark: str) -> list[ProcessId]:
    """Return the live session leaders started with `mark` (`NAME=value`) in their environment, oldest first."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with suppress(OSError):
            if os.getsid(pid) == pid and mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(identify(pid))
    return sorted((one for one in found if one.alive), key=lambda one: int(one.start.rpartition(":")[2]))


def launch(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: Path,
    rights: Rights | None = None,
    stdin: str = "",
) -> ProcessId:
    """Start a process in a session of its own, so that it survives this one; its output is appended to `log`.

    `stdin` is for secrets, which every account can read on a command line. A log of more than 1 MB is begun anew, and
    the old one is kept as `NAME.old`. Raises OSError when the program cannot be started.
    """
    with suppress(FileNotFoundError):
        if log.stat().st_size > _LARGEST_LOG:
            log.replace(log.with_name(f"{log.name}.old"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        with tempfile.TemporaryFile() as file:
            file.write(stdin.encode())
            file.seek(0)
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(environment),
                stdin=file,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
                **(rights or {}),
            )
    finally:
        os.close(descriptor)
    _children[child.pid] = child
    return identify(child.pid)


def send(process: ProcessId, number: signal.Signals) -> None:
    """Send a signal; harmless when the process is dead."""
    if process.alive:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


async def ended(process: ProcessId, seconds: float) -> bool:
    """Wait at most `seconds` for the process to end; return whether it has."""
    deadline = asyncio.get_running_loop().time() + seconds
    while process.alive:
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True


async def end(process: ProcessId, *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal, and wait its seconds, until the process has ended; then send SIGKILL."""
    for number, seconds in (*steps, (signal.SIGKILL, 10.0)):
        send(process, number)
        if await ended(process, seconds):
            return


@cache
def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""
