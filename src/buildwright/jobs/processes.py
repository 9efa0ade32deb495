"""Processes that outlive whoever started them: begun, looked at and ended by pid and start time.

Never believes a bare pid: numbers are used again, after a restart of the machine above all.
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

_LOOK_SECONDS = 0.05
_LARGEST_LOG = 1_000_000

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those begun by this process, so that they are waited for and leave no dead entry in the process table."""

_codes: dict[int, int] = {}


class Known(NamedTuple):
    """A process that was begun or seen. `start` is what the kernel says of its beginning; it survives a changed clock."""

    pid: int
    start: str

    @property
    def alive(self) -> bool:
        return self.start != "" and start_of(self.pid) == self.start


class Account(NamedTuple):
    """Whose rights a process gets."""

    name: str
    uid: int
    gid: int

    def give(self, *targets: Path | int) -> None:
        """Make files, or open ones, belong to the account."""
        for target in targets:
            os.chown(target, self.uid, self.gid)


class Rights(TypedDict, total=False):
    """The options of `subprocess` that change whose rights a process has."""

    user: int
    group: int
    extra_groups: list[int]


def start_of(pid: int) -> str:
    """Boot of the machine and start in ticks since then (proc(5)); "" when no such process runs, or it is dead already."""
    try:
        # The program's name stands in parentheses and may itself hold spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    if fields[0] not in "ZX":
        return f"{_boot()}:{fields[19]}"
    child = _children.pop(pid, None)
    if child is not None:
        _codes[pid] = child.wait()
    return ""


def how_it_ended(process: Known) -> str:
    """In words, for a process that was begun by this one; "" when that is not known. Tells it once."""
    code = None if process.alive else _codes.pop(process.pid, None)
    if code is None:
        return ""
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def seen(pid: int) -> Known:
    """The process that has this number now."""
    return Known(pid, start_of(pid))


def directory_of(pid: int) -> str | None:
    """The working directory of a process; None when we may not know."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return None


def carrying(mark: str) -> list[Known]:
    """Processes that lead a session and were started with `mark` (`NAME=value`) in their environment, the eldest first."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        pid = int(folder.name)
        with suppress(OSError):
            if os.getsid(pid) == pid and mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(seen(pid))
    return sorted((one for one in found if one.alive), key=lambda one: int(one.start.rpartition(":")[2]))


def begin(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: Path,
    account: Account | None = None,
    said: str = "",
) -> Known:
    """Start a process in a session of its own; what it says is appended to `log`. It survives this process.

    `said` is what it reads on stdin: for secrets, which on a command line everybody could see.
    Raises OSError when the program cannot be started.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        with tempfile.TemporaryFile() as stdin:
            stdin.write(said.encode())
            stdin.seek(0)
            child = subprocess.Popen(
                [os.fspath(part) for part in command],
                cwd=cwd,
                env=dict(environment),
                stdin=stdin,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
                **rights(account),
            )
    finally:
        os.close(descriptor)
    _children[child.pid] = child
    return seen(child.pid)


def rights(account: Account | None) -> Rights:
    """What gives a process the rights of an account, and no more; ours when it is None."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def send(process: Known, number: signal.Signals) -> None:
    """Send a signal to a process, if it is still the one that is meant."""
    if process.alive:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


async def ended(process: Known, seconds: float) -> bool:
    """Wait until a process has ended, at most so long; whether it has."""
    deadline = asyncio.get_running_loop().time() + seconds
    while process.alive:
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True


async def end(process: Known, *steps: tuple[signal.Signals, float]) -> None:
    """Signals with the seconds each may take, one after the other until the process has ended; SIGKILL in the end."""
    for number, seconds in steps:
        send(process, number)
        if await ended(process, seconds):
            return
    send(process, signal.SIGKILL)
    await ended(process, 10)


def fresh_log(path: Path) -> Path:
    """The path of a log, which begins anew when it has become large; the old one is kept once, as `NAME.old`."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > _LARGEST_LOG:
            path.replace(path.with_name(f"{path.name}.old"))
    return path


@cache
def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""
