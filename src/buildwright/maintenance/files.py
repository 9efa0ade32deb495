"""Files beside journal and mirrors that grow old, and the homes of workers. Must never touch a hub or a journal.

These are set-up caches, crash reports, logs of detached runs, and what a worker can have again from the hub; a worker may be
at work in its home meanwhile.
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
from buildwright.workspace import GitWorkspace
from buildwright.workspace.retention import MirrorPruner
from buildwright.workspace.sizes import size_of

_DRAFT = "draft-"
"""What the set-up caches call something that is not (or no longer) whole."""


class OldFile(NamedTuple):
    """A file or folder that may go."""

    kind: str
    path: Path
    bytes: int


def old_files(home: Path, age: timedelta, known: Collection[str]) -> list[OldFile]:
    """What has not been used for `age`; the log of a detached run only when its build is not among those `known`."""
    before = time.time() - age.total_seconds()
    places = [("set-up cache", path) for path in _entries(home / "setups")]
    places += [("crash report", path) for path in _entries(home / "crash")]
    places += [("detached log", path) for path in _entries(home / "detached") if path.stem not in known]
    places += [("note of a result", path) for path in _entries(home / "awaited") if path.stem not in known]
    places += [("warnings", home / "warnings.old.log")]
    return [OldFile(kind, path, size_of(path)) for kind, path in places if _is_older(path, before)]


def remove_old(home: Path, age: timedelta, known: Collection[str]) -> int:
    """Remove what `old_files` finds; return how many."""
    removed = old_files(home, age, known)
    for old in removed:
        failpoint("prune.file.before")
        going = old.path
        if old.kind == "set-up cache" and not old.path.name.startswith(_DRAFT):
            # Under another name first: who copies from it sees that it is gone, not a part of it.
            going = old.path.with_name(f"{_DRAFT}{uuid4().hex}")
            old.path.rename(going)
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
"""A build that ended less long ago may still be let go of by who worked on it last."""
_EVERY = 10**9


async def tidy(home: Path, environment: Mapping[str, str], builds: Builds, now: datetime, age: timedelta) -> int:
    """Remove what no unfinished build needs from a worker's home, and caches unused for `age`; return the bytes freed.

    Raises StoreFailed, GitFailed, DiskFull; the next call continues.
    """
    before = size_of(home)
    attic, workspace = MirrorPruner(home, environment), GitWorkspace(home, environment)
    # Pins first: a build that comes meanwhile is then among the rows, or not among the pins.
    pins = attic.pins()
    rows = {row.build_id: row for row in await builds.rows(limit=_EVERY)}
    for build_id in pins:
        row = rows.get(build_id)
        if row is None or (row.control in {Control.FINISHED, Control.STOPPED} and now - row.updated_at > _REST):
            await attic.retire(build_id, workspace)
    await attic.drop_unused()
    remove_old(home, age, rows)
    return max(before - size_of(home), 0)
