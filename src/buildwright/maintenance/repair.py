"""Finding and repairing what a crash left in store, workspace and sandbox. Must never touch what a live process uses.

`find` changes nothing. `mend` checks each thing again right before, because a process may have begun to use it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from buildwright.errors import BuildIsRunning, BuildwrightError, NotFound
from buildwright.ports import Leftover, RepairResult
from buildwright.sandbox.orphans import end_orphans, orphans
from buildwright.settings import Settings, tag_of
from buildwright.store import orphans as store
from buildwright.store.lease_holders import this_process
from buildwright.store.opening import connect_to_look
from buildwright.supervisor.state import try_lock
from buildwright.supervisor.supervisor import worker_homes
from buildwright.temporary_folders import abandoned_folders, remove_abandoned_folders
from buildwright.workspace import GitWorkspace
from buildwright.workspace import orphans as workspace
from buildwright.workspace.orphans import open_paths
from buildwright.workspace.retention import MirrorPruner
from buildwright.workspace.sizes import size_of

WORKER_LOCK = "worker.lock"
"""File in the home of a worker, which holds a lock on it as long as it lives."""
_HOLD_SECONDS = 600.0


def find(settings: Settings) -> list[RepairResult]:
    """Return everything that a crash has left on this machine. Slow with many builds. Raises StoreFailed."""
    if not settings.home.is_dir():
        return []
    homes = [settings.home, *worker_homes(settings.cluster)]
    left_running = orphans([tag_of(home) for home in homes])
    # Orphans are ended first, so a file that only they still use does not count as used.
    in_use = open_paths(frozenset(left_running))
    found = [RepairResult(left, partial(_end_orphans, homes)) for left in left_running.values()]
    found += [RepairResult(_left_at(folder), _remove_folders) for folder in abandoned_folders().values()]
    if settings.database.is_file():
        found += store.find(settings.database, settings.artifacts, in_use)
    for home in homes:
        found += _in_home(settings, home, in_use)
    return found


async def mend(found: list[RepairResult]) -> list[Leftover]:
    """Repair each thing that can be repaired, and return all with the result. What fails says why in its `fix`."""
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


def builds_of_home(settings: Settings) -> set[str] | None:
    """Return the ids of the builds in the home's database; None when it cannot be read."""
    if not settings.database.is_file():
        return set()
    try:
        with closing(connect_to_look(settings.database)) as conn:
            return {build_id for (build_id,) in conn.execute("SELECT build_id FROM build_runs")}
    except (sqlite3.Error, BuildwrightError):
        return None


def _in_home(settings: Settings, home: Path, in_use: Callable[[Path], bool]) -> Iterator[RepairResult]:
    database = home / settings.database.name
    live = store.live_builds(database)
    if _has_worker(home) or (home == settings.home and settings.database_url):
        # The processes that run these builds are known to the cluster's database, not to this one.
        live = live | {"builds of the cluster"}
    yield from workspace.find(
        home,
        MirrorPruner(home, settings.environment),
        GitWorkspace(home, settings.environment, settings.hub),
        in_use,
        live,
    )
    if _has_worker(home):
        return
    # Without a list of builds, in a home that never had a worker, the owner of a scratch folder cannot be told.
    ours = database.is_file() or (home / WORKER_LOCK).exists()
    for build_id, left, folder in (
        *workspace.lanes(home),
        *(workspace.scratch(home, in_use, live) if ours else ()),
    ):
        yield RepairResult(left, partial(_drop_folder, home, settings, build_id, folder))


def _has_worker(home: Path) -> bool:
    """Return whether a live worker uses this home."""
    if not (home / WORKER_LOCK).exists():
        return False
    lock = try_lock(home / WORKER_LOCK)
    if lock is not None:
        os.close(lock)
    return lock is None


def _left_at(folder: Path) -> Leftover:
    since = datetime.fromtimestamp(folder.stat().st_mtime, UTC) if folder.is_dir() else None
    return Leftover("a temporary folder that a killed run has left", str(folder), since, size_of(folder))


async def _remove_folders() -> bool:
    await asyncio.to_thread(remove_abandoned_folders)
    return True


async def _end_orphans(homes: list[Path]) -> bool:
    for home in homes:
        await asyncio.to_thread(end_orphans, tag_of(home))
    return True


async def _drop_folder(home: Path, settings: Settings, build_id: str, folder: Path) -> bool:
    """Remove a folder of a build while none can begin to run the build here; return whether it was removed.

    The lock keeps workers out, the lease of the whole build keeps other processes out.
    """
    lock = try_lock(home / WORKER_LOCK) if (home / WORKER_LOCK).exists() else -1
    if lock is None:
        return False
    try:
        async with _held(home, settings, build_id) as held:
            if held:
                await workspace.drop_lane(folder)
            return held
    finally:
        if lock >= 0:
            os.close(lock)


@asynccontextmanager
async def _held(home: Path, settings: Settings, build_id: str) -> AsyncIterator[bool]:
    """Hold the lease of a build of this home, if its database knows the build; yield False when another has it."""
    if not (home / settings.database.name).is_file():
        yield True
        return
    from buildwright.store.journal_sqlite import SqliteBuilds

    builds = await SqliteBuilds.open(home / settings.database.name, home / settings.artifacts.name)
    try:
        lease = None
        try:
            lease = await builds.acquire(build_id, this_process(), _HOLD_SECONDS)
        except BuildIsRunning:
            yield False
            return
        except NotFound:
            pass
        try:
            yield True
        finally:
            if lease is not None:
                await builds.release(lease)
    finally:
        await builds.close()
