"""Files beside journal and mirrors that grow old: set-up caches, crash reports, logs of detached runs. Knows no build's state."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from buildwright.core.failpoint import failpoint
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


def remove_old(home: Path, age: timedelta, known: Collection[str]) -> tuple[int, int]:
    """Remove them; how many, and how many bytes."""
    number = freed = 0
    for old in old_files(home, age, known):
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
        number, freed = number + 1, freed + old.bytes
    return number, freed


def _is_older(path: Path, before: float) -> bool:
    try:
        return path.lstat().st_mtime < before
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in os.scandir(folder)] if folder.is_dir() else []
