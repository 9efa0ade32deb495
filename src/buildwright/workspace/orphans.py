"""Finds and removes what killed processes left in mirrors, lanes and a hub. Must never remove what is in use."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from buildwright.ports import Leftover, RepairResult
from buildwright.workspace.git import ASIDE
from buildwright.workspace.git_workspace import GitWorkspace
from buildwright.workspace.lane import LaneOwner, abandoned, remove, remove_lane
from buildwright.workspace.locks import guarded, is_used
from buildwright.workspace.retention import MirrorPruner
from buildwright.workspace.sizes import entries, size_of

PLAN = "plan-"
"""Prefix of the build ids under which a plan that is only shown is prepared."""
_TEMPORARY = re.compile(r"^(tmp_(pack|idx|rev|obj|bitmap)_|tmp_objdir-|incoming-|\.tmp-)")
_PIN_DRAFT = re.compile(r"\.[0-9a-f]{8}$")
_CONFIGURATION = re.compile(r"^gitconfig\.(\d+)$")
_LANES = {"lanes": "a lane of a process that is gone", "checkouts": "a checkout of a process that is gone"}
_OLD_SECONDS = 3600.0
"""Longer than any plan takes, than any build is prepared before it is created, and than any push to a hub lasts."""

InUse = Callable[[Path], bool]
"""Says whether a living process has the path, or one below it, open or as its working directory."""


def find(
    home: Path, attic: MirrorPruner, workspace: GitWorkspace, in_use: InUse, live: Collection[str]
) -> list[RepairResult]:
    """Return everything below `home`, except lanes, that no process uses and no later run needs.

    `live` are the builds that a process holds, in any home.
    """
    found = [
        _removable("a mirror that was never finished or was being removed", path, partial(_drop_half, home, path))
        for path in attic.halves()
        if not in_use(path)
    ]
    for mirror in attic.mirrors():
        found += _in_repository(mirror, in_use, lambda path: not live or _is_old(path))
    for file in entries(home / "mirrors" / "builds"):
        if _PIN_DRAFT.search(file.name) and (not live or _is_old(file)) and not in_use(file):
            found.append(_removable("a half-written pin of a build", file, partial(_drop, file, in_use)))
        elif file.name.startswith(PLAN) and _is_old(file):
            found.append(_removable("what a killed plan has left", file, partial(_release, workspace, file)))
    for file in entries(home):
        match = _CONFIGURATION.match(file.name)
        if match and not Path(f"/proc/{match.group(1)}").exists():
            found.append(_removable("a half-written git configuration", file, partial(_drop, file, in_use)))
        pid = file.name.removeprefix(ASIDE).partition(".")[0] if file.name.startswith(ASIDE) else ""
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            found.append(
                _removable("a directory that a killed process used for git", file, partial(_drop, file, in_use))
            )
    return found


def lanes(home: Path) -> list[tuple[str, Leftover, Path]]:
    """Return lanes and checkouts whose process is gone, by build. A run makes new lanes, so none is needed again."""
    return [
        (folder.parent.name, _leftover(_LANES[folder.parent.parent.name], folder), folder) for folder in abandoned(home)
    ]


def scratch(home: Path, in_use: InUse, live: Collection[str]) -> list[tuple[str, Leftover, Path]]:
    """Return scratch folders of builds that no process runs, by build."""
    return [
        (folder.name, _leftover("scratch folders of a build that no process runs", folder), folder)
        for folder in entries(home / "scratch")
        if folder.name not in live and entries(folder) and not in_use(folder)
    ]


def unknown_pins(home: Path, attic: MirrorPruner, known: Collection[str]) -> list[RepairResult]:
    """Return pins of builds not in `known`. They are never removed: another database may know these builds."""
    fix = "set DATABASE_URL as it was when the build was made; or remove the file, and `buildwright prune` the rest"
    return [
        RepairResult(_leftover("a pin of a build that no database here knows", file)._replace(fix=fix), None)
        for build_id in sorted(attic.pins())
        if build_id not in known and not build_id.startswith(PLAN)
        for file in [home / "mirrors" / "builds" / build_id]
        if _is_old(file)
    ]


def in_hub(hub: Path, builds: Collection[str], known: Collection[str], in_use: InUse) -> list[RepairResult]:
    """Return what killed pushes left in a hub on this machine, and those of `builds` in it that are not in `known`.

    Other machines may write to it too: only what is older than any push can be removed, and refs are only named.
    """
    found = _in_repository(hub, in_use, _is_old, all_old=True)
    fix = "leave them if another database uses this hub; else delete them with `git --git-dir=HUB update-ref -d REF`"
    for build_id in sorted(set(builds) - set(known)):
        refs = hub / "refs" / "buildwright" / build_id
        # Loose refs of the last hour may belong to a build in the making.
        if not refs.exists() or _is_old(refs):
            left = _leftover("refs in the hub of a build that the database does not know", refs)
            found.append(RepairResult(left._replace(fix=fix), None))
    return found


async def drop_lane(folder: Path) -> None:
    """Remove a lane, checkout or scratch folder, and the folder of its build if that is then empty."""
    await remove_lane(folder)
    with suppress(OSError):
        folder.parent.rmdir()


async def sweep(home: Path, environment: Mapping[str, str]) -> None:
    """Remove all leftovers below a home. Must only be called by a process that has the home alone."""
    in_use = open_paths()
    attic, workspace = MirrorPruner(home, environment), GitWorkspace(home, environment)
    for _, mend in find(home, attic, workspace, in_use, ()):
        if mend is not None:
            await mend()
    for _, _, folder in lanes(home):
        await drop_lane(folder)
    LaneOwner(home / "owners").tidy()


def open_paths(but: Collection[int] = ()) -> InUse:
    """Return a function: whether a living process, except this and those in `but`, has a path or one below it open."""
    used: set[str] = set()
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) in {os.getpid(), *but}:
            continue
        with suppress(OSError):
            used.add(str((process / "cwd").readlink()))
        with suppress(OSError):
            for entry in (process / "fd").iterdir():
                with suppress(OSError):
                    used.add(str(entry.readlink()))

    def in_use(path: Path) -> bool:
        name = str(path.resolve())
        return any(other == name or other.startswith(f"{name}/") for other in used)

    return in_use


def _in_repository(
    repository: Path, in_use: InUse, is_ours: Callable[[Path], bool], *, all_old: bool = False
) -> list[RepairResult]:
    """Return unused locks and half-written objects: git's when no git works there, our own writer's if `is_ours`.

    `all_old`: return only old ones.
    """
    found = []
    for folder, folders, files in os.walk(repository):
        for name in [*files, *folders]:
            path = Path(folder) / name
            lock = name.endswith(".lock") or name == "gc.pid"
            if not lock and not (_TEMPORARY.match(name) and is_ours(path)):
                continue
            if in_use(path) or is_used(repository, path) or (all_old and not _is_old(path)):
                continue
            what = "a lock of a git that is gone" if lock else "a half-written git object or pack"
            found.append(_removable(what, path, partial(_drop_in, repository, path, in_use)))
    return found


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > _OLD_SECONDS
    except OSError:
        return False


def _removable(what: str, path: Path, mend: Callable[[], Awaitable[bool]]) -> RepairResult:
    return RepairResult(_leftover(what, path), mend)


def _leftover(what: str, path: Path) -> Leftover:
    try:
        since = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    except OSError:
        since = None
    return Leftover(what, str(path), since, size_of(path.resolve()))


async def _release(workspace: GitWorkspace, pin: Path) -> bool:
    if not _is_old(pin):
        return False
    await workspace.release(pin.name)
    return True


async def _drop(path: Path, in_use: InUse) -> bool:
    if in_use(path) or not os.path.lexists(path):
        return False
    await remove(path)
    return True


async def _drop_in(repository: Path, path: Path, in_use: InUse) -> bool:
    return False if is_used(repository, path) else await _drop(path, in_use)


async def _drop_half(home: Path, path: Path) -> bool:
    async with guarded(home / "mirrors", alone=True) as alone:
        if not alone or not path.exists():
            return False
        await remove(path)
        return True
