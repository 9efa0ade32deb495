"""The key that signs tokens: from the environment, or made once in the home. Must never show it or make another."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from buildwright.confined_fs import sync_folder
from buildwright.errors import BadSettings, BuildwrightError, CouldNot, DiskFull

SECRET = "BUILDWRIGHT_SECRET"  # noqa: S105  its name
"""The environment variable. Servers that share a database need the same key; a single server needs none."""
SHORTEST_KEY = 32
"""In bytes: the length of a signature."""
_FILE = "secret.key"
_ONLY_OURS = 0o700


def secret_key(home: Path, environment: Mapping[str, str]) -> bytes:
    """Return the key in `BUILDWRIGHT_SECRET`, else that of the file `secret.key` in the home, created if missing.

    Processes that create it at the same time get the same key. Raises BadSettings when it is too short or others can
    read the file, CouldNot, DiskFull.
    """
    if given := given_key(environment):
        return given
    path = home / _FILE
    try:
        return _read(path) or _made(path)
    except OSError as error:
        raise _fault(path, error) from error


def given_key(environment: Mapping[str, str]) -> bytes:
    """Return the key in `BUILDWRIGHT_SECRET`, empty when there is none. Raises BadSettings when it is too short."""
    given = environment.get(SECRET, "").strip().encode("utf-8", "surrogateescape")
    if given and len(given) < SHORTEST_KEY:
        raise BadSettings(
            f"{SECRET} is too short: it has {len(given)} bytes, and {SHORTEST_KEY} are needed",
            fix=f"set {SECRET} to what `openssl rand -hex 32` prints, or unset it",
        )
    return given


def _read(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise BadSettings(
                f"{path} can be read by others",
                fix=f"chmod 600 {path}, or remove it: then everyone has to sign in again",
            )
        content = file.read(1024).strip()
    if len(content) < SHORTEST_KEY:
        raise BadSettings(
            f"{path} is damaged: it has no key in it",
            fix="remove it: a new one is made, and everyone has to sign in again",
        )
    return content


def _made(path: Path) -> bytes:
    """Create a key, or return the one that another process created first."""
    path.parent.mkdir(mode=_ONLY_OURS, parents=True, exist_ok=True)
    temporary = path.with_name(f".{_FILE}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(SHORTEST_KEY).encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
        # A link, not a rename: it never replaces an existing file, and the new one is complete or not there at all.
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    found = _read(path)
    if found is None:
        raise CouldNot(f"{path} was removed as soon as it was made", fix="try again")
    return found


def _fault(path: Path, error: OSError) -> BuildwrightError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"no space is left to write {path}", fix="free some space, then try again")
    return CouldNot(f"{path}: {error.strerror}", fix=f"correct the permissions of the folder, or set {SECRET}")
