"""Artifacts as files named by their SHA-256, and models' answers. A file must never be there half written."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from uuid import uuid4
from zlib import crc32

from buildwright.confined_fs import sync_folder
from buildwright.core.failpoint import failpoint
from buildwright.errors import NotFound, StoreFailed
from buildwright.ports import AnswerKey
from buildwright.store.asking import Asking, Query
from buildwright.store.dialect import Dialect
from buildwright.store.faults import fault

_ABANDONED_SECONDS = 3600.0
_ONLY_OURS = 0o700
_INSERT = "INSERT INTO artifacts (digest, size, content) VALUES ($1, $2, $3) ON CONFLICT (digest) DO "
_FIND_ANSWER = (
    "SELECT answer, crc FROM answers WHERE build_id = $1 AND task = $2 AND attempt = $3 AND digest = $4 AND nth = $5"
)
_KEEP_ANSWER = """
INSERT INTO answers (build_id, task, attempt, digest, nth, answer, crc) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (build_id, task, attempt, digest, nth) DO UPDATE SET answer = excluded.answer, crc = excluded.crc WHERE $8
"""


def digest_of(content: bytes) -> str:
    """Return the name of an artifact, its SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def write_file(folder: Path, digest: str, content: bytes) -> None:
    """Keep bytes as a file. Returns when file and name are synced to disk. Raises DiskFull, StoreFailed."""
    target = folder / digest
    incoming = folder / "incoming"
    try:
        if _is_kept(target, len(content)):
            # Another process may have renamed it a moment ago, and not yet have synced the folder.
            sync_folder(folder)
            return
        folder.mkdir(mode=_ONLY_OURS, parents=True, exist_ok=True)
        incoming.mkdir(exist_ok=True)
        _sweep(incoming)
        draft = incoming / f"{os.getpid()}-{uuid4().hex}"
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            failpoint("store.artifact.before")
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(folder)
        failpoint("store.artifact.after")
    except OSError as error:
        raise fault(error, target) from error


def _is_kept(target: Path, size: int) -> bool:
    """Return whether a file is there, and note that it is wanted: its age tells a sweep (`retention.sweep`)."""
    try:
        if not target.is_file() or target.stat().st_size != size:
            return False
        os.utime(target)
    except FileNotFoundError:  # a sweep has just removed it
        return False
    return True


def read_file(folder: Path, digest: str) -> bytes:
    """Return the bytes of a file. Raises StoreFailed when it is gone or not what was written."""
    target = folder / digest
    try:
        content = target.read_bytes()
    except FileNotFoundError as error:
        message = f"the artifact {digest} is recorded, but its file {target} is gone"
        raise StoreFailed(message, fix="restore the artifacts folder from a backup") from error
    except OSError as error:
        raise fault(error, target) from error
    check(digest, content, str(target))
    return content


def insert(dialect: Dialect, digest: str, size: int, content: bytes | None) -> Asking[None]:
    """Keep an artifact's row, without its bytes when they are in a file. A row that is there gets a new version.

    SQLite would write its bytes again, and needs no version: a sweep has the database to itself.
    """
    yield Query(
        _INSERT + ("UPDATE SET size = excluded.size" if dialect.is_postgres else "NOTHING"), (digest, size, content)
    )


def select(dialect: Dialect, digest: str) -> Asking[bytes | None]:
    """Return the bytes of an artifact in the table, None when they are in a file. Raises NotFound."""
    rows = yield Query("SELECT content FROM artifacts WHERE digest = $1", (dialect.clean(digest),))
    if not rows:
        raise NotFound(f"there is no artifact {digest}")
    content: bytes | None = rows[0][0]
    return content


def select_answer(key: AnswerKey) -> Asking[bytes | None]:
    """Return a model's kept answer, None when there is none or it is damaged: then it is bought again."""
    rows = yield Query(_FIND_ANSWER, key)
    return rows[0][0] if rows and crc32(rows[0][0]) == rows[0][1] else None


def insert_answer(key: AnswerKey, answer: bytes) -> Asking[None]:
    """Keep an answer, unless there is a readable one."""
    rows = yield Query(_FIND_ANSWER, key)
    damaged = bool(rows) and crc32(rows[0][0]) != rows[0][1]
    yield Query(_KEEP_ANSWER, (*key, answer, crc32(answer), damaged))


def check(digest: str, content: bytes, where: str) -> None:
    """Raise StoreFailed unless the bytes are those that were kept under this name."""
    if digest_of(content) != digest:
        raise StoreFailed(f"{where}: the artifact {digest} is damaged", fix="restore it from a backup")


def _sweep(incoming: Path) -> None:
    """Remove files that a killed process left half written."""
    for file in incoming.iterdir():
        try:
            abandoned = time.time() - file.stat().st_mtime > _ABANDONED_SECONDS
        except FileNotFoundError:
            continue
        if abandoned:
            file.unlink(missing_ok=True)
