"""Reads the changed files of a patch from a private checkout, and replaces some. Must never follow a link out of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from buildwright.core.patch import FileChange
from buildwright.errors import GateBroken
from buildwright.ports import Judged

_UNSEEN_FOLDERS = frozenset((".git", "node_modules", ".venv", "__pycache__"))

LARGEST_READ = 5_000_000
"""In bytes; a larger file is not read."""


def checkout(judged: Judged) -> Path:
    """Return the checkout of what is judged. Raises GateBroken when there is none."""
    if judged.files is None:
        raise GateBroken("this gate needs a checkout of the files and got none")
    return judged.files


def changed_texts(judged: Judged) -> Iterator[tuple[FileChange, str]]:
    """Yield every added or modified regular file that is text and not too large, with its text."""
    root = checkout(judged)
    for change in judged.patch.changes if judged.patch else ():
        if change.kind == "deleted" or not change.mode.startswith("100"):
            continue
        content = read_bytes(root, change.path)
        if content is None:
            continue
        content = as_stored(content)
        if b"\0" in content[:8000]:
            continue
        try:
            yield change, content.decode("utf-8")
        except UnicodeDecodeError:
            continue


def as_stored(content: bytes) -> bytes:
    """Return the content of a checkout's file as git stores it where `working-tree-encoding` is UTF-16: in UTF-8.

    Any other content stays as it is.
    """
    if not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content
    try:
        return content.decode("utf-16").encode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        return content


def read_bytes(root: Path, path: str, limit: int = LARGEST_READ) -> bytes | None:
    """Return a regular file's bytes, None when there is none inside `root` or it is larger than `limit`."""
    full = root / path
    try:
        if not full.parent.resolve().is_relative_to(root.resolve()):
            return None
        descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit)


def replace_bytes(root: Path, path: str, content: bytes, mode: int = 0o644) -> bool:
    """Put a new file in the place of one inside `root`; return False where that would leave it, or is not possible."""
    full = root / path
    try:
        if not full.parent.resolve().is_relative_to(root.resolve()):
            return False
        full.unlink(missing_ok=True)
        with os.fdopen(os.open(full, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb") as file:
            file.write(content)
    except (OSError, ValueError):
        return False
    return True


def listing(root: Path) -> Iterator[str]:
    """Yield the paths of a checkout's files, without what set-ups and runs make."""
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in _UNSEEN_FOLDERS]
        place = Path(folder).relative_to(root).as_posix()
        yield from names if place == "." else (f"{place}/{name}" for name in names)
