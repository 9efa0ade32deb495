"""Lock files that a killed git left: which one is meant, and whether it may go. Never removes a living one's."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

_LOCKED = re.compile(rb"Unable to create '([^'\n]+\.lock)': File exists")
_FOREIGN_SECONDS = 30.0
"""Git holds the lock of a ref for milliseconds."""


def named_in(complaint: str, git_dir: Path, index: Path | None, peer: Path | None) -> Path | None:
    """The lock that git complains of, if it lies where we may remove one: a remote could name any file of ours."""
    found = _LOCKED.search(complaint.encode(errors="surrogateescape"))
    if found is None:
        return None
    # A receiving git stands in its repository and names what lies there.
    lock = Path(os.path.normpath((peer or git_dir) / os.fsdecode(found.group(1))))
    mine = [folder for folder in (git_dir, index.parent if index else None, peer) if folder is not None]
    return lock if any(lock.is_relative_to(folder) for folder in mine) else None


def free(lock: Path, git_dir: Path, peer: Path | None) -> bool:
    """Remove the lock if whoever made it is gone; False when it must be waited for."""
    # Other machines may write to a peer too, whose processes nobody here sees: only its age tells.
    foreign = peer is not None and lock.is_relative_to(peer)
    gone = _age(lock) > _FOREIGN_SECONDS if foreign else not is_used(git_dir, lock)
    if gone:
        lock.unlink(missing_ok=True)
    return gone


def is_used(git_dir: Path, lock: Path) -> bool:
    """Whether a living git process works on this git directory (its locks carry no owner, its command line does)."""
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
    """Seconds since the lock was made; 0 when it is gone."""
    try:
        return time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return 0.0
