"""Small JSON files that may hold passwords: mode 0600, written whole or not at all. Must never show their content."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from buildwright.confined_fs import sync_folder
from buildwright.errors import Conflict, CouldNot, DiskFull


def save(path: Path, fields: Mapping[str, Any]) -> None:
    """Write the file and flush it, and its name in the folder, to the disk. Raises DiskFull, CouldNot."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(fields, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(f"No space is left to write {path}.", fix="free some space, then try again") from error
        raise CouldNot(
            f"{path} cannot be written: {error.strerror}", fix="correct the permissions of the folder"
        ) from error


def load(path: Path) -> dict[str, Any] | None:
    """Return the fields of the file; None when there is no file. Raises CouldNot when it is damaged or unreadable."""
    try:
        fields = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise CouldNot(f"{path} cannot be read: {what}", fix="fix the file, or remove it") from error
    if not isinstance(fields, dict):
        raise CouldNot(f"{path} cannot be read: it is damaged", fix="fix the file, or remove it")
    return fields


@contextmanager
def locked(path: Path, taken: Conflict) -> Iterator[None]:
    """Hold the lock on `path`, whose folder is made if need be. Raises `taken` when another process has it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = try_lock(path)
    if lock is None:
        raise taken
    try:
        yield
    finally:
        os.close(lock)


def try_lock(path: Path) -> int | None:
    """Return a descriptor that locks `path` until closed or this process ends; None when another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
