"""Finds and ends the processes of one command through /proc. Must never touch one it cannot tie to that command."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import secrets
import signal
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from stat import S_ISREG
from string import ascii_uppercase
from typing import NamedTuple

from buildwright.process_table import stat_of

_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST_ROUNDS = 200
_MOST_IN_QUEUES = 819_200
"""Linux's own limit, taken where there is none."""
_DIFFERENT = 100_000
_numbers = count(1)
_KCMP, _KCMP_VM = {"x86_64": 312, "aarch64": 272}, 1
_DELETED = " (deleted)"
"""What the kernel writes behind the path of a file that has no name any more (proc(5))."""
_NO_FILES = ("/memfd:", "/SYSV", "/dev/zero")
_LOOKS_AT_FILES = 5
"""Every fifth look at the memory looks at all open files, too."""


def marked(marker: str) -> dict[str, str]:
    """Return the variable that ties a process to its command, even a detached one.

    Its name is another one for each command: no code can look for it. It is found again by its value.
    """
    return {f"{''.join(secrets.choice(ascii_uppercase) for _ in range(6))}_ID": marker}


@cache
def adopt_orphans() -> None:
    """Become the parent of every orphan below this process (Linux PR_SET_CHILD_SUBREAPER) instead of init."""
    _kernel().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of(pid: int) -> list[int]:
    """Return direct children, read for each thread: a child belongs to the thread that started it."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found.extend(int(child) for child in (thread / "children").read_text().split())
    return found


def _resident(pid: int) -> tuple[int, int]:
    """Return the bytes of memory that a process has alone, and those of mapped files and shared memory (statm)."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0, 0
    return (int(resident) - int(shared)) * _PAGE, int(shared) * _PAGE


class _Mapped(NamedTuple):
    """A process's part of the memory that it has mapped, in bytes: what two have mapped counts half for each."""

    own: int = 0
    """Its own memory; a process that was forked has that of its parent, until one of them changes it."""
    shared: int = 0


def _mapped(pid: int) -> _Mapped:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return _Mapped()
    told = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
    return _Mapped(told.get("Pss_Anon", 0), told.get("Pss_Shmem", 0))


def _mapped_by(members: Sequence[int]) -> _Mapped:
    """Return what processes have mapped together. One that has not started its program yet may be in its parent's memory."""
    parents = {member: told.parent for member in members if (told := stat_of(member)) is not None}
    each = [
        _mapped(member) for member, parent in parents.items() if not (parent in parents and _are_one(member, parent))
    ]
    return _Mapped(sum(one.own for one in each), sum(one.shared for one in each))


def _are_one(pid: int, parent: int) -> bool:
    """Return whether two processes have one memory (vfork(2)); False where the kernel does not say (kcmp(2))."""
    number = _KCMP.get(os.uname().machine)
    return number is not None and _kernel().syscall(number, pid, parent, _KCMP_VM, 0, 0) == 0


@cache
def _kernel() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _open_files(members: Sequence[int]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path of each file that processes have open, as the kernel writes it, and its entry."""
    for member in members:
        # It may have ended, or have closed the file.
        with contextlib.suppress(OSError), os.scandir(f"/proc/{member}/fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield str(Path(entry.path).readlink()), entry.stat()


def _open_in_memory(members: Sequence[int]) -> int:
    """Return the bytes of the files without a folder (memfd_create(2)) that processes have open."""
    found = {about.st_ino: about.st_blocks * 512 for path, about in _open_files(members) if path.startswith("/memfd:")}
    return sum(found.values())


def _is_deleted(path: str) -> bool:
    return path.endswith(_DELETED) and not path.startswith(_NO_FILES)


def deleted_files(members: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield device, number and bytes of each file without a name that processes have open, or have mapped.

    Of a file that is only mapped it is the bytes up to the end of the mapping.
    """
    for path, about in _open_files(members):
        if _is_deleted(path) and S_ISREG(about.st_mode):
            yield about.st_dev, about.st_ino, about.st_blocks * 512
    found: dict[tuple[int, int], int] = {}
    for member in members:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/maps").read_text("utf-8", "replace").splitlines():
                fields = line.split(None, 5)
                if len(fields) == 6 and _is_deleted(fields[5]):
                    major, minor = (int(part, 16) for part in fields[3].split(":"))
                    start, end = (int(part, 16) for part in fields[0].split("-"))
                    file = (os.makedev(major, minor), int(fields[4]))
                    found[file] = max(found.get(file, 0), int(fields[2], 16) + end - start)
    for (device, number), size in found.items():
        yield device, number, size


def devices_of(folders: Sequence[str], members: Sequence[int]) -> set[int]:
    """Return the devices that folders are on, each as these processes see it."""
    found = set()
    for member in members:
        for folder in folders:
            with contextlib.suppress(OSError):
                found.add(Path(f"/proc/{member}/root{folder}").stat().st_dev)
    return found


def _kept_in(folder: str, members: Sequence[int], most: int) -> int:
    """Return the bytes in a folder of a sandbox that is kept in memory; the first process has another folder there.

    It is no larger than `most`: what is larger is a disk, which a process sees before all is in its place.
    """
    for member in members:
        # It may have ended.
        with contextlib.suppress(OSError):
            there, here = (Path(f"{root}{folder}").stat().st_dev for root in (f"/proc/{member}/root", ""))
            told = os.statvfs(f"/proc/{member}/root{folder}")
            if there != here and told.f_blocks * told.f_frsize <= most + _PAGE:
                return (told.f_blocks - told.f_bfree) * told.f_frsize
    return 0


class Family:
    """The processes a command has started: its descendants, its session, and all that carry its marker.

    One that wipes its environment, leaves the session and loses its parent between two looks is known by a limit that
    it has inherited: an unusual hard one, of bytes in message queues (mq_overview(7)), which only root could raise again.
    """

    def __init__(self, root: int, marker: str, queues: int = 0) -> None:
        """`queues` is the limit that the first process was started with, 0 for none of its own."""
        self._root = root
        self._marker = f"={marker}".encode()
        first = stat_of(root)
        self._seen: dict[int, str] = {} if first is None else {root: first.start}
        self._queues = queues
        self._looks, self._open_in_memory = 0, 0

    def look(self, *, stop: bool = False) -> list[int]:
        """Return every living process of the command. Reaps dead orphans that no other code waits for.

        `stop`: each is stopped before its children are listed, so that none can start another one unseen.
        """
        start = self._still_there() | set(self._orphans())
        members: list[int] = []
        waiting, known = list(start), set(start)
        while waiting:
            pid = waiting.pop()
            stat = stat_of(pid)
            if stat is None:
                continue
            self._seen[pid] = stat.start
            if stat.state not in "ZX":
                members.append(pid)
                if stop:
                    send(pid, signal.SIGSTOP)
            elif pid != self._root and stat.parent == os.getpid():
                _wait_for(pid)
            for child in children_of(pid):
                if child not in known:
                    known.add(child)
                    waiting.append(child)
        return members

    def is_gone(self) -> bool:
        """Return whether none is left, even dead: an orphan becomes our child a moment after its parent dies."""
        return not self.look() and not self._still_there() - {self._root}

    def memory(self, members: Sequence[int], folders: Sequence[str], most: int) -> int:
        """Return the bytes of memory of these processes together, exactly only where that is more than `most`.

        `folders` of theirs are kept in memory. What is in files there or without a folder may be mapped, too: it counts
        once. The files without a folder are looked at now and then, because that takes long.
        """
        each = [_resident(pid) for pid in members]
        private, shared = sum(alone for alone, _ in each), sum(others for _, others in each)
        kept = sum(_kept_in(folder, members, most) for folder in folders)
        self._looks += 1
        if self._looks % _LOOKS_AT_FILES == 0:
            self._open_in_memory = _open_in_memory(members)
        kept += self._open_in_memory
        if private + max(kept, shared) <= most:
            return private + kept
        mapped = _mapped_by(members)
        if mapped.own + max(kept, mapped.shared) > most:
            # These looks are not at the same moment: what others map between two of them counts too much in the first.
            mapped = _Mapped(*map(min, mapped, _mapped_by(members)))
        return mapped.own + max(kept, mapped.shared)

    def ask_to_end(self, spare_root: bool) -> None:
        """Send SIGTERM to every process; with `spare_root` not to the first, which only guards the others."""
        for pid in self.look():
            if not (spare_root and pid == self._root):
                send(pid, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to every process. All are stopped first, so that a fork bomb cannot outrun the killing."""
        stopped: set[int] = set()
        for _ in range(_MOST_ROUNDS):
            # A second walk finds those whose parent died during the first: they became our children.
            fresh = set(self.look(stop=True)) - stopped
            if not fresh:
                break
            stopped |= fresh
        for pid in stopped:
            send(pid, signal.SIGKILL)

    def _still_there(self) -> set[int]:
        """Return processes seen before that still run; a number with another start time is another process."""
        there: set[int] = set()
        for pid, start in list(self._seen.items()):
            stat = stat_of(pid)
            if stat is not None and stat.start == start:
                there.add(pid)
            else:
                del self._seen[pid]
        return there

    def _orphans(self) -> list[int]:
        """Return processes that lost their parent and became our children."""
        found = []
        for pid in children_of(os.getpid()):
            stat = stat_of(pid)
            if pid == self._root or stat is None:
                continue
            if (
                stat.session == self._root
                or any(entry.endswith(self._marker) for entry in environment_of(pid))
                or (self._queues and _queue_limit(pid) == self._queues)
            ):
                found.append(pid)
            elif stat.state == "Z" and stat.session not in (pid, os.getsid(0)):
                # A child we started leads a session or is in ours; this is some command's orphan, without environment.
                _wait_for(pid)
        return found


def limit_of_its_own() -> int:
    """Return a limit of bytes in message queues that no other command of this process has; 0 where there is none."""
    most = _queue_limit(os.getpid())
    return max((_MOST_IN_QUEUES if most < 0 else most) - next(_numbers) % _DIFFERENT, 0)


def _queue_limit(pid: int) -> int:
    """Return the hard limit of a process, -1 for none; 0 when it may not be read."""
    try:
        return resource.prlimit(pid, resource.RLIMIT_MSGQUEUE)[1]
    except OSError:
        return 0


def environment_of(pid: int) -> list[bytes]:
    """Return the environment a process was started with, as `NAME=value`; empty when it may not be read."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended, or whose number another user's process may have by now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _wait_for(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
