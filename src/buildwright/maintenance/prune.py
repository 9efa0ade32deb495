"""`prune`: which data is old enough to remove, and its removal. Must never touch a live build or what one needs.

A live build is one that has not ended, or that a process holds. The order of removal makes a kill harmless: a note of
the build, its journal, what the journal pointed at (lanes, refs, pin), the note. The next run continues with every note
it finds. Artifacts, mirrors and objects are not deleted with a build but found to be unused afterwards.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildwright.confined_fs import sync_folder
from buildwright.core.build import Control
from buildwright.core.failpoint import failpoint
from buildwright.errors import Conflict, NotFound
from buildwright.maintenance.files import OldFile, old_files, remove_old, tidy
from buildwright.maintenance.retention_rules import RetentionRules
from buildwright.ports import BuildRow, Builds, Loose, Retention, Weight
from buildwright.store.kept_views import FOLDER
from buildwright.supervisor.supervisor import worker_homes
from buildwright.workspace.retention import MirrorPruner
from buildwright.workspace.sizes import size_of

if TYPE_CHECKING:
    from buildwright.settings import Settings
    from buildwright.wiring import App

Tell = Callable[[str], None]
_EVERY = 10**9
_COMPACT = "compact"
"""A note beside those of builds: data was removed, and mirrors and database have not been compacted since."""
_ROOM = 1.2
_MIRRORS_WAIT = "mirrors wait: a repository is being made ready"


class PrunedBuild(NamedTuple):
    """A build to be removed as a whole."""

    row: BuildRow
    weight: Weight
    lane_bytes: int


class PrunedLog(NamedTuple):
    """A log to be shortened to its newest `keep` lines; the build stays."""

    row: BuildRow
    keep: int
    lines: int


class PrunedMirror(NamedTuple):
    """A mirror that no build uses any more."""

    path: Path
    bytes: int


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What a prune would remove."""

    builds: list[PrunedBuild]
    logs: list[PrunedLog]
    mirrors: list[PrunedMirror]
    files: list[OldFile]
    artifacts: Loose
    live: int
    """Builds that have not ended, or are held: they stay, with what they need."""
    unfinished: bool
    """An earlier prune was killed, or had to put off compacting to a quieter time."""

    @property
    def is_nothing(self) -> bool:
        return not (self.builds or self.logs or self.mirrors or self.files or self.artifacts.number or self.unfinished)


@dataclass(slots=True)
class PruneResult:
    """What a prune removed."""

    builds: int = 0
    log_lines: int = 0
    artifacts: int = 0
    files: int = 0
    freed_bytes: int = 0
    """Bytes by which the home has shrunk."""
    notes: list[str] = field(default_factory=list)
    """What had to wait, and why."""


class Pruner:
    """The pruner of an application's home and store."""

    def __init__(self, app: App) -> None:
        """Raise Conflict when the store of `app` cannot be pruned."""
        self._settings = app.settings
        self._home = app.settings.home
        self._builds = app.builds
        self._retention = _as_retention(app.builds)
        self._attic = MirrorPruner(self._home, app.settings.environment)
        self._workspace = app.workspace
        # Each database has notes of its own: a build noted for one is unknown to another.
        self._notes = self._home / f"retiring{_suffix(app.settings)}"
        self._to_compact = self._notes / _COMPACT

    async def look(self, rules: RetentionRules, now: datetime) -> PrunePlan:
        """Return what these rules would remove at `now`; change nothing. Raises StoreFailed."""
        rows = await self._builds.rows(limit=_EVERY)
        ended = [row for row in rows if await self._has_ended(row)]
        ended.sort(key=_end, reverse=True)
        old = [row for row in ended[rules.keep :] if now - _end(row) > rules.older_than]
        old = [] if rules.only_logs else old
        going = {row.build_id for row in old}
        logs = await self._long_logs([row for row in ended if row.build_id not in going], rules, now)
        live = len(rows) - len(ended)
        builds = [
            PrunedBuild(row, await self._retention.weigh(row.build_id), self._attic.weigh(row.build_id)) for row in old
        ]
        if rules.only_logs:
            return PrunePlan(builds, logs, [], [], Loose(0, 0), live, unfinished=False)
        known = self._known(row.build_id for row in rows) - going
        return PrunePlan(
            builds=builds,
            logs=logs,
            mirrors=[PrunedMirror(path, size_of(path)) for path in self._attic.unused(going | self._noted())],
            files=old_files(self._home, rules.older_than, known),
            artifacts=await self._retention.loose_artifacts(),
            live=live,
            unfinished=bool(self._noted()) or self._to_compact.exists(),
        )

    async def carry_out(self, rules: RetentionRules, now: datetime, tell: Tell) -> PruneResult:
        """Remove everything that `look` finds now; `tell` gets a line about each step.

        Raises StoreFailed, DiskFull, GitFailed; the next call continues.
        """
        before = self._size()
        gone = PruneResult()
        if not rules.only_logs:
            await self._finish(tell)
        going = await self.look(rules, now)
        if going.builds or going.logs or going.artifacts.number:
            self._note(_COMPACT)
        for number, build in enumerate(going.builds, 1):
            tell(f"build {number} of {len(going.builds)}: {build.row.build_id[:8]} {build.row.title}")
            gone.builds += await self._retire(build.row.build_id, gone)
        for log in going.logs:
            tell(f"log of {log.row.build_id[:8]}")
            with suppress(Conflict, NotFound):  # the build was resumed meanwhile, or another prune was faster
                gone.log_lines += await self._retention.trim_log(log.row.build_id, log.keep)
        if not rules.only_logs:
            await self._sweep(rules, gone, tell)
        if self._to_compact.exists() and await self._compact(gone, tell):
            self._to_compact.unlink(missing_ok=True)
        gone.freed_bytes = max(before - self._size(), 0)
        return gone

    def _note(self, name: str) -> Path:
        note = self._notes / name
        self._notes.mkdir(exist_ok=True, mode=0o700)
        note.touch()
        sync_folder(self._notes)
        failpoint("prune.note.after")
        return note

    async def _retire(self, build_id: str, gone: PruneResult) -> int:
        note = self._note(build_id)
        try:
            await self._retention.retire(build_id)
        except Conflict as live:
            note.unlink()
            gone.notes.append(f"{build_id[:8]} stays: {live}")
            return 0
        await self._forget(build_id)
        return 1

    async def _forget(self, build_id: str) -> None:
        """Remove everything outside the store that belongs to this build alone; the note last."""
        await self._attic.retire(build_id, self._workspace)
        (self._home / "detached" / f"{build_id}.log").unlink(missing_ok=True)
        (self._home / "awaited" / build_id).unlink(missing_ok=True)
        (self._home / FOLDER / f"{build_id}.json").unlink(missing_ok=True)
        failpoint("prune.note.before")
        (self._notes / build_id).unlink(missing_ok=True)

    async def _finish(self, tell: Tell) -> None:
        """Continue the work of an earlier prune that was killed."""
        number = await self._retention.finish_retiring()
        if number:
            tell(f"finished what an earlier prune began: {number} builds")
        for build_id in sorted(self._noted()):
            try:
                await self._builds.version(build_id)
            except NotFound:
                await self._retention.retire(build_id)
                await self._forget(build_id)
            else:
                # The note is there and the journal is whole: nothing was removed yet, and the rules decide anew.
                (self._notes / build_id).unlink(missing_ok=True)

    async def _sweep(self, rules: RetentionRules, gone: PruneResult, tell: Tell) -> None:
        tell("artifacts that no journal names")
        loose = await self._retention.sweep_artifacts()
        gone.artifacts = loose.number
        if loose.waiting:
            gone.notes.append(f"{loose.waiting} artifacts wait until no build runs")
        tell("mirrors that no build uses")
        if not await self._attic.drop_unused():
            gone.notes.append(_MIRRORS_WAIT)
        rows = await self._builds.rows(limit=_EVERY)
        gone.files = remove_old(self._home, rules.older_than, self._known(row.build_id for row in rows))
        for home in worker_homes(self._settings.cluster) if self._settings.database_url else ():
            tell(f"home of worker {home.name}")
            now = datetime.now(UTC)
            await tidy(home, self._settings.environment, self._builds, now, rules.older_than)

    async def _compact(self, gone: PruneResult, tell: Tell) -> bool:
        """Give free space back to the disk; return False when part of it must wait."""
        rows = await self._builds.rows(limit=_EVERY)
        ended = [row.build_id for row in rows if await self._has_ended(row)]
        waiting = await self._attic.compact(ended, self._retention.named_ids, tell)
        if waiting is None:
            gone.notes.append(_MIRRORS_WAIT)
        if self._settings.database_url:
            tell("compacting the hub")
            await self._workspace.compact_hub()
        database = self._settings.database
        if (
            not self._settings.database_url
            and database.exists()
            and shutil.disk_usage(self._home).free < database.stat().st_size * _ROOM
        ):
            gone.notes.append("the database keeps its size: there is no room to write it again")
            return False
        if not self._settings.database_url:
            tell("compacting the database")
        given = await self._retention.compact()
        if given is None:
            gone.notes.append("the database keeps its size while builds run; new builds use what is free in it")
        return waiting == 0 and given is not None

    async def _long_logs(self, rows: list[BuildRow], rules: RetentionRules, now: datetime) -> list[PrunedLog]:
        found = []
        for row in rows:
            old = rules.logs_older_than is not None and now - _end(row) > rules.logs_older_than
            keep = 0 if old else rules.log_lines
            lines = (await self._retention.weigh(row.build_id)).log_lines
            if lines > keep + 1:
                found.append(PrunedLog(row, keep, lines - keep))
        return found

    async def _has_ended(self, row: BuildRow) -> bool:
        ended = row.control in {Control.FINISHED, Control.STOPPED}
        return ended and await self._builds.holder(row.build_id) is None

    def _size(self) -> int:
        """Return the bytes of the home.

        The files of PostgreSQL do not count: it reuses free space and seldom returns it.
        """
        return size_of(self._home) - size_of(self._settings.cluster / "postgres")

    def _known(self, build_ids: Iterable[str]) -> set[str]:
        """Return these ids and, in a cluster, those with a log of a detached run.

        A detached run uses the database in the home, so the cluster's database does not know its build.
        """
        files = (self._home / "detached").glob("*.log") if self._settings.database_url else ()
        return {*build_ids, *(file.stem for file in files)}

    def _noted(self) -> set[str]:
        return {file.name for file in self._notes.iterdir()} - {_COMPACT} if self._notes.is_dir() else set()


def _suffix(settings: Settings) -> str:
    if not settings.database_url:
        return ""
    from buildwright.store.postgres_pool import address_of

    return f"-{hashlib.sha256(address_of(settings.database_url).shown.encode()).hexdigest()[:8]}"


def _as_retention(builds: Builds) -> Retention:
    from buildwright.store.journal_postgres import PostgresBuilds
    from buildwright.store.journal_sqlite import SqliteBuilds

    if isinstance(builds, SqliteBuilds | PostgresBuilds):
        return builds
    raise Conflict("this store cannot be pruned", fix="prune where the database is")


def _end(row: BuildRow) -> datetime:
    return row.completed_at or row.updated_at
