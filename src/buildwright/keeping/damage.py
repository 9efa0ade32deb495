"""What a crash leaves behind, gathered from store, workspace and sandbox, and mended. Never touches what a live process uses.

Looking changes nothing. Mending looks once more at each thing right before, because somebody may have begun to use it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path

from buildwright.errors import BuildIsRunning, BuildwrightError, NotFound
from buildwright.ports import Found, Leftover
from buildwright.sandbox.orphans import end_orphans, orphans
from buildwright.settings import Settings
from buildwright.store import leftovers as store
from buildwright.store.holders import this_process
from buildwright.workspace import leftovers as workspace
from buildwright.workspace.lane import remove
from buildwright.workspace.retention import Attic

_HOLD_SECONDS = 600.0


def find(settings: Settings) -> list[Found]:
    """Everything that a crash has left. Blocks for a while with many builds. Raises StoreFailed."""
    home = settings.home
    if not home.is_dir():
        return []
    left_running = orphans()
    # They are ended first, so what only they still use is not in use.
    in_use = open_paths(frozenset(left_running))
    # Who runs a build of a cluster is known to its database, not to the file in this home.
    shared = bool(settings.environment.get("DATABASE_URL"))
    live = store.live_builds(settings.database) | ({"of the cluster"} if shared else set())
    found = [Found(left, _end_orphans) for left in left_running.values()]
    if settings.database.is_file():
        found += store.find(settings.database, settings.artifacts, in_use)
    found += workspace.find(home, Attic(home, settings.environment), in_use, live)
    # Without the list of builds nobody can tell whose lanes these are.
    for build_id, left, folder in (
        workspace.lanes(home, in_use, live) if settings.database.is_file() and not shared else ()
    ):
        found.append(Found(left, partial(_drop_lanes, settings, build_id, folder)))
    return found


async def mend(found: list[Found]) -> list[Leftover]:
    """Mend what can be mended, and say of each whether it was. What fails says why in its `fix`."""
    done = []
    for left, how in found:
        if how is None:
            done.append(left)
            continue
        try:
            done.append(left._replace(mended=await how()))
        except BuildwrightError as error:
            done.append(left._replace(fix=f"{error}: {error.fix or 'try again'}"))
    return done


def open_paths(but: Collection[int] = ()) -> Callable[[Path], bool]:
    """Whether a process that lives now, other than this one and those in `but`, has a path or one below it open."""
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


async def _end_orphans() -> bool:
    await asyncio.to_thread(end_orphans)
    return True


async def _drop_lanes(settings: Settings, build_id: str, folder: Path) -> bool:
    """Under the build's own lease, so that nobody begins to run it meanwhile."""
    from buildwright.store.journal_sqlite import SqliteBuilds

    builds = await SqliteBuilds.open(settings.database, settings.artifacts)
    try:
        lease = None
        try:
            lease = await builds.acquire(build_id, this_process(), _HOLD_SECONDS)
        except BuildIsRunning:
            return False
        except NotFound:
            pass
        try:
            await remove(folder)
        finally:
            if lease is not None:
                await builds.release(lease)
    finally:
        await builds.close()
    return True
