"""Turns errors of SQLite and the disk into errors of ours. Must hold no state and never hide an error."""

from __future__ import annotations

import errno
import resource
import shutil
import sqlite3
from pathlib import Path

from buildwright.errors import CouldNot, DiskFull, StoreFailed

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LITTLE_SPACE = 1_000_000
_FREE_SPACE = "free some space there; nothing that was acknowledged is lost, and the same command continues"


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether another process holds a lock that this one needs."""
    return _primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def fault(error: sqlite3.Error | OSError | UnicodeDecodeError, path: Path) -> CouldNot:
    """Return the error to raise for one of the database or a file at `path`."""
    if isinstance(error, UnicodeDecodeError):
        # SQLite quotes a damaged schema in its message, which Python then cannot decode.
        return damaged(path, "its schema is not what was written")
    if isinstance(error, OSError):
        if error.errno in _NO_SPACE:
            return DiskFull(f"{path}: {error.strerror}", fix=_FREE_SPACE)
        return StoreFailed(f"{path}: {error.strerror or error}", fix="check the folder, its owner and its permissions")
    code = _primary_code(error)
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _no_room(path)):
        return DiskFull(f"{path}: no space is left to write ({error})", fix=_FREE_SPACE)
    if code in _DAMAGED or code == sqlite3.SQLITE_CONSTRAINT:
        # No statement of ours can break a constraint while head rows and journals agree.
        return damaged(path, str(error))
    if is_busy(error):
        return StoreFailed(
            f"{path}: another process has kept the database locked for too long",
            fix="end the process that holds it (for example a backup or an open sqlite3 shell), then try again",
        )
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return StoreFailed(f"{path}: {error}", fix="make the file and its folder writable for this user")
    return StoreFailed(f"{path}: {error}", fix="look at the disk and the file; the journal is as it was before")


def damaged(path: Path | str, what: str) -> StoreFailed:
    """Return the error for a database (a path, or a server's name as str) or row that is not what was written."""
    if isinstance(path, str):
        return StoreFailed(f"{path} is damaged: {what}", fix="restore a backup of the database")
    return StoreFailed(
        f"{path} is damaged: {what}",
        fix=f"restore a backup, or move the file away and save what can be read with: sqlite3 {path.name} .recover",
    )


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _no_room(path: Path) -> bool:
    """Return whether an I/O error means no space: SQLite reports a write beyond a quota or file size limit as one."""
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        return True
    return shutil.disk_usage(path.parent).free < _LITTLE_SPACE
