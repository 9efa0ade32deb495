"""Folders that many checkouts share: each sees the same files below changes of its own, and none can change them.

A sandbox mounts them so for one command (overlayfs); here is kept, beside a checkout, what it is to mount where. Must
never let a folder be taken away that a checkout still shows.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

USERS = ".used-by"
"""Directory in a kept folder: links to what lies beside each checkout that shows it."""


class SharedFolder(NamedTuple):
    """A directory of a checkout that shows another one, `lower`, below `upper`, which holds this checkout's changes."""

    files: Path
    """The checkout."""
    place: str
    """The directory's path in it."""
    folder: Path
    """Where `lower` (a link), `upper` and `work` are; the last is for the kernel."""

    @property
    def lower(self) -> Path:
        """The folder that is shared."""
        return Path(os.path.realpath(self.folder / "lower"))

    @property
    def upper(self) -> Path:
        """The folder of this checkout's own changes."""
        return self.folder / "upper"

    def ready(self) -> Path | None:
        """Return the real path to mount it at; None when the code in the checkout has put something else there."""
        top = Path(os.path.realpath(self.files))
        place = top / self.place
        if os.path.realpath(place.parent) != str(place.parent) or place.is_symlink():
            return None
        with contextlib.suppress(FileExistsError, FileNotFoundError, NotADirectoryError):
            place.mkdir()
        return place if place.is_dir() and self.lower.is_dir() else None


def beside(files: Path) -> Path:
    """Return the directory beside a checkout that holds what belongs to its shared folders; it goes with the checkout."""
    return files.with_name(f"{files.name}-shared")


def shared_in(files: Path) -> tuple[SharedFolder, ...]:
    """Return the shared folders of a checkout."""
    try:
        folders = sorted(beside(files).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    found = (SharedFolder(files, unquote(folder.name), folder) for folder in folders)
    return tuple(one for one in found if (one.folder / "lower").is_symlink())


def make_shared(files: Path, place: str, lower: Path) -> SharedFolder:
    """Note that a checkout shows `lower` at `place`. Raises OSError when there is something at that place."""
    one = SharedFolder(files, place, beside(files) / quote(place, safe=""))
    for folder in (one.folder, one.upper, one.folder / "work"):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    (files / place).mkdir(parents=True)
    (one.folder / "lower").symlink_to(lower)
    return one


@contextmanager
def held(kept: Path, files: Path) -> Iterator[bool]:
    """Yield whether the folder is there, and keep it from being taken away; from then on as long as the checkout lives."""
    try:
        descriptor = os.open(kept, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if not _is_at(descriptor, kept):
            yield False
            return
        os.utime(kept)
        (kept / USERS).mkdir(exist_ok=True, mode=0o700)
        (kept / USERS / secrets.token_hex(8)).symlink_to(beside(files).absolute())
        yield True
    finally:
        os.close(descriptor)


def take_away(kept: Path, aside: Path) -> bool:
    """Rename a kept folder, to be removed then, unless a checkout shows it. Blocks for a moment."""
    try:
        descriptor = os.open(kept, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(descriptor, kept) or _is_used(kept):
            return False
        kept.rename(aside)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _is_used(kept: Path) -> bool:
    try:
        users = list((kept / USERS).iterdir())
    except FileNotFoundError:
        return False
    for user in users:
        if not user.exists():
            user.unlink(missing_ok=True)
    return any(user.exists() for user in users)
