"""Small JSON files with secrets in them: mode 0600, on the disk whole or not at all. Never shows what is in them."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from buildwright.errors import CouldNot, DiskFull

_LOOK_SECONDS = 0.1


def save(path: Path, fields: Mapping[str, Any]) -> None:
    """Write the file, and be sure that it is on the disk. Raises DiskFull, CouldNot."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(fields, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(f"No space is left to write {path}.", fix="free some space, then try again") from error
        raise CouldNot(f"{path} cannot be written: {error.strerror}", fix="mend the rights of the folder") from error


def load(path: Path) -> dict[str, Any] | None:
    """What the file holds; None when there is none. Raises CouldNot when it is damaged or may not be read."""
    try:
        fields = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise CouldNot(f"{path} cannot be read: {what}", fix="mend the file, or take it away") from error
    if not isinstance(fields, dict):
        raise CouldNot(f"{path} cannot be read: it is damaged", fix="mend the file, or take it away")
    return fields


def try_lock(path: Path) -> int | None:
    """An open file that locks `path` until it is closed or its process ends; None when another has it."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Hold the lock of `path`, after whoever has it now."""
    import asyncio

    descriptor = try_lock(path)
    while descriptor is None:
        await asyncio.sleep(_LOOK_SECONDS)
        descriptor = try_lock(path)
    try:
        yield
    finally:
        os.close(descriptor)
