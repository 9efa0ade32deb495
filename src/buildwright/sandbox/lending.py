"""The folders that a command may write, lent to the user that runs it. Must never follow a link out of them."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from buildwright.errors import ToolMissing
from buildwright.ports import Command

NOBODY = 65_534
"""User and group of commands when Buildwright itself runs as root."""


def folders_to_write(command: Command) -> list[Path]:
    """Return the real paths of the folders that a command may write. Raises ToolMissing when one is not there."""
    folders = list(dict.fromkeys(path.resolve() for path in (command.cwd, *command.writable)))
    for path in folders:
        if not path.is_dir():
            raise ToolMissing(f"the directory {path} that {command.argv[0]} is to write is not there")
    return folders


class Loans:
    """As root: gives directories to an unprivileged user while commands write in them. Otherwise does nothing."""

    def __init__(self) -> None:
        self._borrowers: dict[Path, int] = {}
        self._owners: dict[Path, tuple[int, int]] = {}

    @contextmanager
    def lent(self, folders: Sequence[Path]) -> Iterator[None]:
        """Lend the folders; each is given back when the last command that borrowed it has ended."""
        if os.geteuid() != 0:
            yield
            return
        borrowed: list[Path] = []
        try:
            for folder in folders:
                borrowed.append(folder)
                self._borrowers[folder] = self._borrowers.get(folder, 0) + 1
                if self._borrowers[folder] == 1:
                    self._owners[folder] = _owner(folder)
                give(folder, NOBODY, NOBODY)
            yield
        finally:
            for folder in borrowed:
                self._borrowers[folder] -= 1
                if self._borrowers[folder] == 0:
                    del self._borrowers[folder]
                    give(folder, *self._owners.pop(folder))


def _owner(folder: Path) -> tuple[int, int]:
    """Return a directory's user and group. The unprivileged user has it only if a lending process died: it is ours."""
    found = folder.stat()
    return (os.geteuid(), os.getegid()) if found.st_uid == NOBODY else (found.st_uid, found.st_gid)


def give(folder: Path, user: int, group: int) -> None:
    """Change the owner of all that is in a folder, and at last of itself."""
    troubles: list[OSError] = []
    try:
        for _, folders, files, descriptor in os.fwalk(
            folder, topdown=False, onerror=troubles.append, follow_symlinks=False
        ):
            os.fchown(descriptor, user, group)
            for name in (*folders, *files):
                with contextlib.suppress(FileNotFoundError):
                    os.chown(name, user, group, dir_fd=descriptor, follow_symlinks=False)
    except RecursionError as error:
        troubles.append(OSError(errno.EMFILE, str(error)))
    if any(one.errno == errno.EMFILE for one in troubles):
        # Nested deeper than Python can recurse, or has descriptors for.
        owner = f"{user}:{group}"
        subprocess.run(("chown", "--recursive", "--no-dereference", "-P", owner, "--", str(folder)), check=False)
