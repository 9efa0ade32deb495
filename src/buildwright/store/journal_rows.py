"""The journal's steps, for both databases: head rows, events, snapshots. Says why an append is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, BuildCreated, Recorded
from buildwright.core.snapshot import parse
from buildwright.errors import Conflict, IllegalMove, LostLease, NotFound, StaleVersion, StoreFailed
from buildwright.ports import Mark
from buildwright.store.asking import Asking, Query
from buildwright.store.dialect import Dialect
from buildwright.store.entry import JournalEntry
from buildwright.store.faults import damaged
from buildwright.store.rows import EventRow, recorded_from, text_crc

SnapshotRow: TypeAlias = tuple[int, str, int]
"""Seq, text, checksum."""
_ALL = 1 << 62
_SNAPSHOTS_KEPT = 2
_MARKS = """
SELECT build_id, version, (SELECT coalesce(min(seq), 0) FROM logs WHERE logs.build_id = h.build_id),
    (SELECT coalesce(max(seq), 0) FROM logs WHERE logs.build_id = h.build_id)
FROM build_runs h WHERE build_id {}
"""
_READ = """
SELECT h.version, e.seq, e.at, e.type, e.data, e.crc FROM build_runs h
LEFT JOIN events e ON e.build_id = h.build_id AND e.seq > $2 WHERE h.build_id = $1 ORDER BY e.seq LIMIT $3
"""
_THERE = "SELECT seq, at, type, data, crc FROM events WHERE build_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
_SNAPSHOTS = "SELECT seq, data, crc FROM snapshots WHERE build_id = $1 AND seq <= $2 ORDER BY seq DESC"
_KEEP_SNAPSHOT = (
    "INSERT INTO snapshots (build_id, seq, data, crc) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (build_id, seq) DO UPDATE SET data = excluded.data, crc = excluded.crc"
)
_DROP_SNAPSHOTS = (
    "DELETE FROM snapshots WHERE build_id = $1 AND seq NOT IN"
    " (SELECT seq FROM snapshots WHERE build_id = $1 ORDER BY seq DESC LIMIT $2)"
)


def first_of(build_id: str, events: Sequence[AnyEvent]) -> BuildCreated:
    """Return the event that starts a journal. Raises IllegalMove when these events do not start this one."""
    first = events[0] if events else None
    if not isinstance(first, BuildCreated):
        raise IllegalMove("a journal starts with build.created")
    if first.build_id != build_id:
        raise IllegalMove(f"build.created names build {first.build_id}, the journal is of build {build_id}")
    return first


def recorded(events: Sequence[AnyEvent], after: int, at: datetime) -> list[Recorded]:
    """Return events as the journal has them from `after` + 1."""
    return [Recorded(seq, at, event) for seq, event in enumerate(events, after + 1)]


def create(dialect: Dialect, entry: JournalEntry, created: BuildCreated, *, again: bool = False) -> Asking[None]:
    """Insert a journal and its head row. `again`: an earlier try may have succeeded. Raises Conflict."""
    spec = created.spec
    names = [dialect.clean(name) for name in (created.project_id, created.user_id, spec.title)]
    papers = [paper.model_dump_json() if paper else None for paper in (spec.brief, spec.build_plan, spec.product_doc)]
    made = yield from dialect.create(entry, [*names, *papers])
    if not made and not (again and (yield from is_there(dialect, entry))):
        raise Conflict(f"there is a build {entry.build_id} already")


def append(dialect: Dialect, entry: JournalEntry, token: int | None, *, again: bool = False) -> Asking[None]:
    """Compare and set the head row, and insert. `again`: an earlier try may have succeeded.

    Raises StaleVersion, LostLease, NotFound, and has written nothing then.
    """
    if (yield from dialect.append(entry, token)) or (again and (yield from is_there(dialect, entry))):
        return
    version = yield from find_version(dialect, entry.build_id)
    if token is not None:
        rows = yield Query("SELECT token FROM leases WHERE build_id = $1", (entry.build_id,))
        if not rows or rows[0][0] != token:
            raise LostLease(f"the lease on build {entry.build_id} went to another holder")
    raise stale(entry, version)


def is_there(dialect: Dialect, entry: JournalEntry) -> Asking[bool]:
    """Return whether exactly these events are in the journal: then an append with a lost answer had succeeded."""
    found = yield Query(_THERE, (entry.build_id, entry.expected, len(entry.rows)))
    stored = [(seq, dialect.text(at), *event) for seq, at, *event in found]
    return bool(entry.rows) and stored == recorded_rows(entry)


def recorded_rows(entry: JournalEntry) -> list[EventRow]:
    """Return the entry's events as they are read from the journal."""
    return [(seq, at, kind, data, crc) for _, seq, at, kind, data, crc in entry.rows]


def stale(entry: JournalEntry, version: int) -> StaleVersion:
    """Return the error for an entry that comes too late."""
    return StaleVersion(f"build {entry.build_id} is at event {version}, not {entry.expected}")


def not_found(build_id: str) -> NotFound:
    """Return the error for an unknown build."""
    return NotFound(f"there is no build {build_id}", fix="see the list with `buildwright status`")


def find_version(dialect: Dialect, build_id: str) -> Asking[int]:
    """Return the seq of the last event. Raises NotFound."""
    rows = yield Query("SELECT version FROM build_runs WHERE build_id = $1", (dialect.clean(build_id),))
    if not rows:
        raise not_found(build_id)
    version: int = rows[0][0]
    return version


def select_marks(dialect: Dialect, build_ids: Sequence[str]) -> Asking[dict[str, Mark]]:
    """Return the marks of some builds, without unknown ones. A few index lookups for each."""
    found = yield Query(_MARKS.format(dialect.ids), (dialect.many([dialect.clean(one) for one in build_ids]),))
    return {row[0]: Mark(*row[1:]) for row in found}


def select_events(
    dialect: Dialect, where: Path | str, build_id: str, after: int, limit: int | None = None
) -> Asking[list[EventRow]]:
    """Return the rows after `after`, checked against the head row's version. Raises NotFound, StoreFailed.

    One statement, so that the version is of the same moment.
    """
    most = _ALL if limit is None else max(limit, 0)
    found = yield Query(_READ, (dialect.clean(build_id), after, max(most, 1)))
    if not found:
        raise not_found(build_id)
    version, text = found[0][0], dialect.text
    rows = [(seq, text(at), kind, data, crc) for _, seq, at, kind, data, crc in found if seq is not None][:most]
    if len(rows) != min(max(version - after, 0), most):
        raise damaged(where, f"build {build_id} should have {version} events, some are missing")
    return rows


def replay(where: Path | str, build_id: str, build: Build | None, rows: list[EventRow]) -> Build:
    """Return the build after the events that follow `build`. Raises StoreFailed."""
    for fact in recorded_from(where, build_id, build.version if build else 0, rows):
        try:
            build = apply(build, fact)
        except IllegalMove as error:
            raise StoreFailed(
                f"the journal of build {build_id} cannot be replayed at event {fact.seq}: {error}",
                fix="use the version of Buildwright that wrote it, and report this",
            ) from error
    if build is None:
        raise damaged(where, f"build {build_id} has no events")
    return build


def select_snapshots(dialect: Dialect, build_id: str) -> Asking[list[SnapshotRow]]:
    """Return snapshots, newest first. Raises NotFound."""
    version = yield from find_version(dialect, build_id)
    rows = yield Query(_SNAPSHOTS, (build_id, version))
    return [tuple(row) for row in rows]


def newest_of(build_id: str, snapshots: list[SnapshotRow]) -> Build | None:
    """Return the newest readable snapshot; one that is damaged or of another version only makes loading slower."""
    for seq, text, crc in snapshots:
        if crc != text_crc(build_id, seq, text):
            continue
        try:
            build = parse(text)
        except (ValueError, KeyError):
            continue
        if (build.id, build.version) == (build_id, seq):
            return build
    return None


def keep_snapshot(dialect: Dialect, build_id: str, seq: int, text: str) -> Asking[None]:
    """Keep a snapshot and the one before it. Raises StaleVersion for a build that is ahead of its journal."""
    version = yield from find_version(dialect, build_id)
    if version < seq:
        raise StaleVersion(f"build {build_id} is at event {version}, the snapshot is of event {seq}")
    yield Query(_KEEP_SNAPSHOT, (build_id, seq, text, text_crc(build_id, seq, text)))
    yield Query(_DROP_SNAPSHOTS, (build_id, _SNAPSHOTS_KEPT))
