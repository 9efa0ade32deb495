"""Finding what a crash left in board, hub and files of a cluster. Must never repair what is not certain.

A server that cannot be reached is no damage: `doctor` reports it among its checks, and nothing behind it is examined.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from buildwright.core.build import Build, Control
from buildwright.core.decide import decide
from buildwright.errors import BuildwrightError, StoreFailed
from buildwright.maintenance.repair import builds_of_home
from buildwright.ports import Leftover, QueuedAction, RepairResult
from buildwright.settings import Settings
from buildwright.store.postgres_inspection import find as find_in_database
from buildwright.store.postgres_inspection import is_current
from buildwright.supervisor.processes import ProcessId
from buildwright.supervisor.state import load, try_lock
from buildwright.supervisor.supervisor import LOCK, STATE, supervisor_of
from buildwright.workspace import GitWorkspace
from buildwright.workspace import orphans as workspace
from buildwright.workspace.lane import remove
from buildwright.workspace.retention import MirrorPruner
from buildwright.workspace.sizes import size_of

_EVERY = 10**9
_PATIENCE = 5.0
_BEHIND_SECONDS = 30.0
"""A board that differs from its journal for longer than this was forgotten: workers look twice a second."""
_MOST_BUILDS = 1_000
"""Unfinished builds that are compared with the board, the newest first."""


async def find(settings: Settings) -> list[RepairResult]:
    """Return everything that a crash left in the cluster of these settings, if there is one. Raises StoreFailed."""
    found = _files(settings.cluster)
    known = await asyncio.to_thread(builds_of_home, settings)
    shared: set[str] | None = None if settings.database_url else set()
    if settings.database_url:
        with suppress(BuildwrightError):  # not reachable, or not ours: reported among the checks
            if await is_current(settings.database_url):
                found += await find_in_database(settings.database_url)
                shared = await _boards(settings, found)
    if settings.hub and shared is not None:
        found += await _hub(settings, shared)
    # The home may have another cluster than the one that was read. Its pins are here too, and it cannot be asked.
    kept = (settings.cluster / "postgres").exists()
    elsewhere = kept and (not settings.database_url or settings.names_cluster)
    if known is not None and shared is not None and not elsewhere:
        attic = MirrorPruner(settings.home, settings.environment)
        found += workspace.unknown_pins(settings.home, attic, known | shared)
    return found


async def _boards(settings: Settings, found: list[RepairResult]) -> set[str]:
    """Compare the board with the journals, add each difference to `found`, and return all builds of the database."""
    from buildwright.store.journal_postgres import PostgresBuilds

    builds = await PostgresBuilds.open(settings.database_url, connections=1, patience=_PATIENCE)
    try:
        rows = await builds.rows(limit=_EVERY)
        open_rows = [row for row in rows if row.control not in {Control.FINISHED, Control.STOPPED}]
        now = await builds.time()
        for row in open_rows[:_MOST_BUILDS]:
            if (now - row.updated_at).total_seconds() < _BEHIND_SECONDS or await builds.holder(row.build_id):
                continue
            try:
                build = await builds.load(row.build_id)
                posted = await builds.board(row.build_id)
                if build.version != await builds.version(row.build_id):
                    continue
            except StoreFailed:
                continue  # found in the database already
            if wrong := _disagreement(build, posted):
                where = f"build {row.build_id} ({row.title})"
                left = Leftover(f"a queue that does not match its journal: {wrong}", where, row.updated_at, 0)
                found.append(RepairResult(left, partial(_advance, settings, row.build_id)))
        return {row.build_id for row in rows}
    finally:
        await builds.close()


def _disagreement(build: Build, posted: list[QueuedAction]) -> str:
    decision = decide(build)
    wanted = {action.key for action in decision.actions}
    there = {row.key for row in posted if row.wanted}
    idle = {row.key for row in posted if row.wanted and not row.live}
    if decision.facts:
        return "something is to be decided"
    if decision.start and wanted - there:
        return f"{', '.join(sorted(wanted - there)[:3])} missing"
    too_many = idle - wanted if decision.start else idle
    return f"{', '.join(sorted(too_many)[:3])} too many" if too_many else ""


async def _advance(settings: Settings, build_id: str) -> bool:
    from buildwright.wiring import open_app

    async with open_app(settings) as app:
        return await app.advance(build_id) is not None


async def _hub(settings: Settings, known: set[str]) -> list[RepairResult]:
    hub = Path(settings.hub)
    shares = GitWorkspace(settings.home, settings.environment, settings.hub)
    if "://" in settings.hub or not (hub / "objects").is_dir():
        return []
    try:
        builds = await shares.builds_in_hub()
    except BuildwrightError as error:
        return [
            RepairResult(Leftover(f"a hub that git cannot read: {error}", str(hub), None, 0, error.fix or ""), None)
        ]
    in_use = await asyncio.to_thread(workspace.open_paths)
    return await asyncio.to_thread(workspace.in_hub, hub, builds, known, in_use)


def _files(folder: Path) -> list[RepairResult]:
    """Return half-written files of the cluster in this home, and the cluster itself when its supervisor has died."""
    if not folder.is_dir() or supervisor_of(folder) is not None:
        return []
    found = []
    for pattern in (".*.json-*", "*/.*.json-*", ".hub.git.*", "hub.new", "postgres/data.new"):
        for draft in folder.glob(pattern):
            since = datetime.fromtimestamp(draft.lstat().st_mtime, UTC)
            left = Leftover("something half made of the cluster in this home", str(draft), since, size_of(draft))
            found.append(RepairResult(left, partial(_drop_draft, folder, draft)))
    state = load(folder / STATE)
    if state is not None:
        running = [name for name, worker in state["workers"].items() if ProcessId(worker["pid"], worker["start"]).alive]
        what = "a cluster without its supervisor" + (f" (still running: {', '.join(running)})" if running else "")
        fix = "`buildwright cluster up` starts it again, `buildwright cluster down` ends it"
        found.append(RepairResult(Leftover(what, str(folder / STATE), None, 0, fix), None))
    return found


async def _drop_draft(folder: Path, draft: Path) -> bool:
    lock = try_lock(folder / LOCK)
    if lock is None:
        return False
    try:
        there = draft.exists()
        await remove(draft)
        return there
    finally:
        os.close(lock)
