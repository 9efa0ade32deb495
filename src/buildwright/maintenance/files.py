"""Old files beside journal and mirrors, and the homes of workers. Must never touch a hub or a journal.

The files are set-up caches, crash reports, logs of detached runs, and copies that a worker can fetch again from the
hub. A worker may be at work in its home meanwhile.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from buildwright.core.build import Control
from buildwright.core.failpoint import failpoint
from buildwright.ports import Builds
from buildwright.shared_folders import take_away
from buildwright.store.kept_views import FOLDER
from buildwright.workspace import GitWorkspace
from buildwright.workspace.retention import MirrorPruner
from buildwright.workspace.sizes import size_of

_DRAFT = "draft-"
"""Prefix of the name of a set-up cache that is not whole yet, or no longer."""


class OldFile(NamedTuple):
    """A file or folder that may be removed."""

    kind: str
    path: Path
    bytes: int


def old_files(home: Path, age: timedelta, known: Collection[str]) -> list[OldFile]:
    """Return the files below `home` that were not used for `age`.

    The log, result note or view of a build counts only when the build's id is not in `known`.
    """
    before = time.time() - age.total_seconds()
    places = [("set-up cache", path) for path in _entries(home / "setups")]
    places += [("crash report", path) for path in _entries(home / "crash")]
    places += [("detached log", path) for path in _entries(home / "detached") if path.stem not in known]
    places += [("note of a result", path) for path in _entries(home / "awaited") if path.stem not in known]
    places += [("view of a build", path) for path in _entries(home / FOLDER) if path.stem not in known]
    places += [("warnings", home / "warnings.old.log")]
    return [OldFile(kind, path, size_of(path)) for kind, path in places if _is_older(path, before)]


def remove_old(home: Path, age: timedelta, known: Collection[str]) -> int:
    """Remove what `old_files` finds; return how many files and folders that were."""
    removed = old_files(home, age, known)
    for old in removed:
        failpoint("prune.file.before")
        going = old.path
        if old.kind == "set-up cache" and not old.path.name.startswith(_DRAFT):
            # Renamed first: a process that copies from the cache finds it missing, never half there.
            going = old.path.with_name(f"{_DRAFT}{uuid4().hex}")
            if not take_away(old.path, going):
                continue
        if going.is_dir() and not going.is_symlink():
            shutil.rmtree(going, ignore_errors=True)
        else:
            going.unlink(missing_ok=True)
        failpoint("prune.file.after")
    return len(removed)


def _is_older(path: Path, before: float) -> bool:
    try:
        return path.lstat().st_mtime < before
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in os.scandir(folder)] if folder.is_dir() else []


_REST = timedelta(hours=1)
"""After a build ended, the process that worked on it last may take this long to let go of it."""
_EVERY = 10**9


async def tidy(home: Path, environment: Mapping[str, str], builds: Builds, now: datetime, age: timedelta) -> int:
    """Remove what no unfinished build needs from a worker's home, and caches unused for `age`; return the bytes freed.

    Raises StoreFailed, GitFailed, DiskFull; the next call continues.
    """
    before = size_of(home)
    attic, workspace = MirrorPruner(home, environment), GitWorkspace(home, environment)
    # Pins are read first: a build that appears meanwhile is then among the rows, or not among the pins.
    pins = attic.pins()
    rows = {row.build_id: row for row in await builds.rows(limit=_EVERY)}
    for build_id in pins:
        row = rows.get(build_id)
        if row is None or (row.control in {Control.FINISHED, Control.STOPPED} and now - row.updated_at > _REST):
            await attic.retire(build_id, workspace)
    await attic.drop_unused()
    remove_old(home, age, rows)
    return max(before - size_of(home), 0)
