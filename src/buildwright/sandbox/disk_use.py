"""Watches what one command writes on disk, all its files together. Must never follow a link that the command has laid.

The kernel limits single files alone. So the free space of the file systems that the command may write is asked at each
look, which costs next to nothing. Only when that fell by more than a command may write, by any program, are the
command's own files counted: those that have changed since it began, each with its blocks and once.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from buildwright.ports import Command
from buildwright.sandbox.processes import deleted_files, devices_of

_LOOK = 0.1
_REST, _LONGEST_REST = 3.0, 5.0
"""The time between two counts, as a multiple of what the last one took, and its longest in seconds."""
_MEBIBYTE = 1024**2
_BLOCK = 512
"""Bytes of one of st_blocks (stat(2))."""
_TIMES_WHAT_IS_LEFT = 4
_WITHOUT_LIMIT = 2**62
"""What is free where a file system does not say it."""


class _Amount(NamedTuple):
    """Room on a file system, taken or free."""

    bytes: int = 0
    files: int = 0


_ALWAYS = _Amount(1024**3, 100_000)
"""What a command may have however little is left: on a small disk, the disk is its limit."""


def _free(folder: Path) -> _Amount | None:
    """Return what users may still write on the file system of a folder; None when the folder is gone."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return None
    return _Amount(
        told.f_bavail * told.f_frsize if told.f_blocks else _WITHOUT_LIMIT,
        told.f_favail if told.f_files else _WITHOUT_LIMIT,
    )


class _FileSystem:
    """A file system that the command may write, and the most that the command can have taken of it."""

    def __init__(self, folder: Path) -> None:
        self.folders = [folder]
        self.free = _free(folder) or _Amount()
        self.taken = _Amount()

    def look(self) -> None:
        """Add what has gone since the last look; what others give back takes nothing off."""
        before, self.free = self.free, _free(self.folders[0]) or self.free
        self.taken = _Amount(
            self.taken.bytes + max(before.bytes - self.free.bytes, 0),
            self.taken.files + max(before.files - self.free.files, 0),
        )

    def leaves_too_little(self) -> str:
        """Return the limit that is broken when the command has taken nearly all that there was, "" when it has not."""
        taken, free = self.taken, self.free
        if taken.bytes > max(_TIMES_WHAT_IS_LEFT * free.bytes, _ALWAYS.bytes):
            return f"{taken.bytes // _MEBIBYTE} MiB on disk, where no more than {free.bytes // _MEBIBYTE} MiB are left"
        if taken.files > max(_TIMES_WHAT_IS_LEFT * free.files, _ALWAYS.files):
            return f"{taken.files} files, where there is room for no more than {free.files} others"
        return ""


class DiskUse:
    """What a command writes from now on into its folders, on all file systems."""

    def __init__(self, folders: Iterable[Path], most_bytes: int, in_memory: Sequence[str] = ()) -> None:
        """`in_memory` are folders of the command's own that are kept in memory: they are no disk."""
        self._most = most_bytes
        self._in_memory = (*in_memory, "/dev/shm")  # noqa: S108
        self._began = time.time_ns()
        self._systems: dict[int, _FileSystem] = {}
        for folder in folders:
            device = folder.stat().st_dev
            if device in self._systems:
                self._systems[device].folders.append(folder)
            else:
                self._systems[device] = _FileSystem(folder)

    def look(self) -> str:
        """Return the limit that may be broken by the free space alone, "" when none can be."""
        for one in self._systems.values():
            one.look()
        return self._broken()

    def count(self, members: Sequence[int]) -> str:
        """Count the command's own files, also those without a name that its processes hold; return the limit it breaks.

        What cannot be read, because it is closed or too deep, counts as all that is gone from the file system.
        """
        seen: set[tuple[int, int]] = set()
        no_disk = devices_of(self._in_memory, members) - self._systems.keys()
        hidden = [file for file in deleted_files(members) if file[0] not in no_disk]
        for device, system in self._systems.items():
            found = _Counted(self._began, seen)
            for folder in system.folders:
                found.add_folder(folder)
            for other, number, size in hidden:
                # What lies on a file system with numbers of its own (overlayfs) belongs to the first.
                if device == (other if other in self._systems else next(iter(self._systems))):
                    found.add((other, number), size)
            if found.is_whole:
                taken = system.taken
                system.taken = _Amount(min(found.bytes, taken.bytes), min(found.files, taken.files))
        return self._broken()

    def _broken(self) -> str:
        if sum(one.taken.bytes for one in self._systems.values()) > self._most:
            return f"more than {self._most // _MEBIBYTE} MiB on disk"
        return next((limit for one in self._systems.values() if (limit := one.leaves_too_little())), "")


class _Counted:
    """The files below folders that have changed since a moment. Links are not followed, other names count no more."""

    def __init__(self, since: int, seen: set[tuple[int, int]]) -> None:
        self._since = since
        self._seen = seen
        self.bytes = self.files = 0
        self.is_whole = True

    def add(self, file: tuple[int, int], size: int) -> None:
        """Add a file, by the numbers of its device and of itself, unless it was seen before."""
        if file not in self._seen:
            self._seen.add(file)
            self.bytes += size
            self.files += 1

    def add_folder(self, folder: Path) -> None:
        """Add all that is below a folder."""
        try:
            for _, folders, files, descriptor in os.fwalk(folder, onerror=self._unread, follow_symlinks=False):
                for name in (*folders, *files):
                    try:
                        about = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    except OSError:
                        continue  # it has gone meanwhile
                    if about.st_ctime_ns >= self._since:
                        self.add((about.st_dev, about.st_ino), about.st_blocks * _BLOCK)
        except (OSError, RecursionError):
            self.is_whole = False

    def _unread(self, error: OSError) -> None:
        self.is_whole = self.is_whole and isinstance(error, FileNotFoundError)


async def watch_disk(command: Command, members: Callable[[], Sequence[int]], in_memory: Sequence[str]) -> str:
    """Watch a command that has begun; return the limit on disk that it breaks. `in_memory` are as for `carry_out`."""
    wanted = (command.cwd, *command.writable, *(one.upper for one in command.shared))
    folders = [folder for folder in dict.fromkeys(path.resolve() for path in wanted) if folder.is_dir()]
    use = DiskUse(folders, command.disk_bytes, in_memory)
    counted_until, rest = 0.0, 0.0
    while True:
        await asyncio.sleep(_LOOK)
        if use.look() and time.monotonic() >= counted_until + rest:
            began = time.monotonic()
            if limit := await asyncio.to_thread(use.count, members()):
                return limit
            counted_until = time.monotonic()
            rest = min(_REST * (counted_until - began), _LONGEST_REST)
