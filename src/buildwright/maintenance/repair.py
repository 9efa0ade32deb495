"""What a crash leaves behind, gathered from store, workspace and sandbox, and mended. Never touches what a live process uses.

Looking changes nothing. Mending looks once more at each thing right before, because somebody may have begun to use it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
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
from buildwright.workspace import GitWorkspace
from buildwright.workspace import orphans as workspace
from buildwright.workspace.orphans import open_paths
from buildwright.workspace.retention import MirrorPruner

WORKER_LOCK = "worker.lock"
"""In the home of a worker, which holds it as long as it lives."""
_HOLD_SECONDS = 600.0


def find(settings: Settings) -> list[RepairResult]:
    """Everything that a crash has left on this machine. Blocks for a while with many builds. Raises StoreFailed."""
    if not settings.home.is_dir():
        return []
    homes = [settings.home, *worker_homes(settings.cluster)]
    left_running = orphans([tag_of(home) for home in homes])
    # They are ended first, so what only they still use is not in use.
    in_use = open_paths(frozenset(left_running))
    found = [RepairResult(left, partial(_end_orphans, homes)) for left in left_running.values()]
    if settings.database.is_file():
        found += store.find(settings.database, settings.artifacts, in_use)
    for home in homes:
        found += _in_home(settings, home, in_use)
    return found


async def mend(found: list[RepairResult]) -> list[Leftover]:
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


def builds_of_home(settings: Settings) -> set[str] | None:
    """The builds that the database in the home knows; None when it cannot be told."""
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
        # Who runs these is known to the database of the cluster.
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
    # Without a list of builds, and where no worker ever was, nobody can tell whose scratch folders these are.
    ours = database.is_file() or (home / WORKER_LOCK).exists()
    for build_id, left, folder in (
        *workspace.lanes(home),
        *(workspace.scratch(home, in_use, live) if ours else ()),
    ):
        yield RepairResult(left, partial(_drop_folder, home, settings, build_id, folder))


def _has_worker(home: Path) -> bool:
    """Whether a worker lives in a home."""
    if not (home / WORKER_LOCK).exists():
        return False
    lock = try_lock(home / WORKER_LOCK)
    if lock is not None:
        os.close(lock)
    return lock is None


async def _end_orphans(homes: list[Path]) -> bool:
    for home in homes:
        await asyncio.to_thread(end_orphans, tag_of(home))
    return True


async def _drop_folder(home: Path, settings: Settings, build_id: str, folder: Path) -> bool:
    """While nobody can begin to run the build here: no worker, and nobody who takes the lease of the whole build."""
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
    """The lease of a build of this home, if its database knows it; False when somebody has it."""
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
