"""What a killed process leaves in mirrors and lanes: named here, and removed when asked. Never what a live process uses."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from buildwright.ports import Found, Leftover
from buildwright.workspace.guard import guarded
from buildwright.workspace.lane import remove
from buildwright.workspace.locks import is_used
from buildwright.workspace.retention import Attic, size_of

_TEMPORARY = re.compile(r"^(tmp_(pack|idx|rev|obj|bitmap)_|tmp_objdir-|incoming-|\.tmp-)")
_PIN_DRAFT = re.compile(r"\.[0-9a-f]{8}$")
_CONFIGURATION = re.compile(r"^gitconfig\.(\d+)$")
_LANES = {"lanes": "lanes of a build that nobody runs", "checkouts": "checkouts of a build that nobody runs",
          "scratch": "scratch folders of a build that nobody runs"}  # fmt: skip

InUse = Callable[[Path], bool]
"""Whether a living process has the path, or something below it, open or as its working directory."""


def find(home: Path, attic: Attic, in_use: InUse, live: Collection[str]) -> list[Found]:
    """Everything below `home` that no process uses and no later run needs. `live` are the builds that a process holds."""
    found = [
        _removable("a mirror that was never finished or was being removed", path, partial(_drop_half, home, path))
        for path in attic.halves()
        if not in_use(path)
    ]
    for mirror in attic.mirrors():
        found += _in_mirror(mirror, in_use, quiet=not live)
    for file in _entries(home / "mirrors" / "builds"):
        if _PIN_DRAFT.search(file.name) and not live and not in_use(file):
            found.append(_removable("a half-written pin of a build", file, partial(_drop, file, in_use)))
    for file in _entries(home):
        match = _CONFIGURATION.match(file.name)
        if match and not Path(f"/proc/{match.group(1)}").exists():
            found.append(_removable("a half-written git configuration", file, partial(_drop, file, in_use)))
    return found


def lanes(home: Path, in_use: InUse, live: Collection[str]) -> list[tuple[str, Leftover, Path]]:
    """Folders of builds that nobody runs, by build. A run makes its lanes afresh, so none is needed again."""
    return [
        (folder.name, _leftover(what, folder), folder)
        for name, what in _LANES.items()
        for folder in _entries(home / name)
        if folder.name not in live and _entries(folder) and not in_use(folder)
    ]


def _in_mirror(mirror: Path, in_use: InUse, *, quiet: bool) -> list[Found]:
    """Locks and half-written objects. Those of git are free when no git works there; our own writer is only known to be
    gone when no build runs at all (`quiet`)."""
    found = []
    for folder, folders, files in os.walk(mirror):
        for name in [*files, *folders]:
            path = Path(folder) / name
            lock = name.endswith(".lock") or name == "gc.pid"
            if not lock and not (quiet and _TEMPORARY.match(name)):
                continue
            if in_use(path) or is_used(mirror, path):
                continue
            what = "a lock of a git that is gone" if lock else "a half-written git object or pack"
            found.append(_removable(what, path, partial(_drop_in, mirror, path, in_use)))
    return found


def _removable(what: str, path: Path, mend: Callable[[], Awaitable[bool]]) -> Found:
    return Found(_leftover(what, path), mend)


def _leftover(what: str, path: Path) -> Leftover:
    try:
        since = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    except OSError:
        since = None
    return Leftover(what, str(path), since, size_of(path))


async def _drop(path: Path, in_use: InUse) -> bool:
    if in_use(path) or not os.path.lexists(path):
        return False
    await remove(path)
    return True


async def _drop_in(mirror: Path, path: Path, in_use: InUse) -> bool:
    return False if is_used(mirror, path) else await _drop(path, in_use)


async def _drop_half(home: Path, path: Path) -> bool:
    async with guarded(home / "mirrors", alone=True) as alone:
        if not alone or not path.exists():
            return False
        await remove(path)
        return True


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
