"""Lock files that a killed git left, and the lock on the mirrors. Must never remove a lock of a living git.

Processes that prepare mirrors share the lock on them; one that prunes holds it alone.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_LOCKED = re.compile(rb"Unable to create '([^'\n]+\.lock)': File exists")
_FOREIGN_SECONDS = 30.0
"""Git holds the lock of a ref for milliseconds."""


def named_in(complaint: str, git_dir: Path, index: Path | None, peer: Path | None) -> Path | None:
    """Return the lock git complains of if it lies in our own directories: a remote could name any file of ours."""
    found = _LOCKED.search(complaint.encode(errors="surrogateescape"))
    if found is None:
        return None
    # A receiving git runs in its own repository and names paths relative to it.
    lock = Path(os.path.normpath((peer or git_dir) / os.fsdecode(found.group(1))))
    mine = [folder for folder in (git_dir, index.parent if index else None, peer) if folder is not None]
    return lock if any(lock.is_relative_to(folder) for folder in mine) else None


def free(lock: Path, git_dir: Path, peer: Path | None) -> bool:
    """Remove the lock if the process that made it is gone; return False when it must be waited for."""
    # Other machines may write to a peer too, and their processes are not visible here: only the lock's age tells.
    foreign = peer is not None and lock.is_relative_to(peer)
    gone = _age(lock) > _FOREIGN_SECONDS if foreign else not is_used(git_dir, lock)
    if gone:
        lock.unlink(missing_ok=True)
    return gone


def is_used(git_dir: Path, lock: Path) -> bool:
    """Return whether a living git works on this directory: its command line names it; a lock names no owner."""
    import psutil

    wanted = {f"--git-dir={git_dir}", str(lock.parent)}
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and wanted.intersection(process.cmdline()):
                return True
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return False


def _age(lock: Path) -> float:
    """Return the seconds since the lock was made; 0 when it is gone."""
    try:
        return time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return 0.0


_GUARD_SECONDS = 0.05


@asynccontextmanager
async def guarded(folder: Path, *, alone: bool = False) -> AsyncIterator[bool]:
    """Hold the lock shared while a mirror is prepared, or `alone` while mirrors are removed and compacted.

    `alone` does not wait: it yields False while another process holds the lock. Ends with the process, even if killed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder.with_name(f"{folder.name}.guard"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if alone:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        else:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    await asyncio.sleep(_GUARD_SECONDS)
                else:
                    break
        yield True
    finally:
        os.close(descriptor)
