"""The journal's statements: head rows, events, snapshots. Functions of an open connection; must never commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from buildwright.core.apply import apply
from buildwright.core.build import Build, Control
from buildwright.core.event import BuildCreated
from buildwright.core.record import Record
from buildwright.core.snapshot import parse
from buildwright.errors import IllegalMove, LostLease, NotFound, StaleVersion, StoreFailed
from buildwright.ports import Mark
from buildwright.store.faults import damaged
from buildwright.store.rows import EventRow, recorded_from, text_crc
from buildwright.views.runtime import HeadChange
from buildwright.views.statuses import BuildPhase

SnapshotRow: TypeAlias = tuple[int, str, int]
"""Seq, text, checksum."""
_SNAPSHOTS_KEPT = 2
_MARK = """
SELECT version, (SELECT coalesce(min(seq), 0) FROM logs WHERE logs.build_id = build_runs.build_id),
    (SELECT coalesce(max(seq), 0) FROM logs WHERE logs.build_id = build_runs.build_id)
FROM build_runs WHERE build_id = ?
"""
_INSERT_EVENT = "INSERT INTO events (build_id, seq, at, type, data, crc) VALUES (?, ?, ?, ?, ?, ?)"


class Append(NamedTuple):
    """One append, encoded. `rows` are event rows from seq `expected` + 1; `token` is None for a user's command."""

    build_id: str
    expected: int
    rows: list[tuple[Any, ...]]
    moment: str
    change: HeadChange
    token: int | None

    def write(self, conn: sqlite3.Connection) -> None:
        """Compare and set the head row, then insert. Raises StaleVersion, LostLease, NotFound before it writes."""
        build_id, expected, change = self.build_id, self.expected, self.change
        columns, values = ["version = ?", "updated_at = ?"], [expected + len(self.rows), self.moment]
        for column in ("control", "outcome", "current_task_id"):
            if column in change:
                columns.append(f"{column} = ?")
                values.append(change[column])
        if "completed" in change:
            columns.append("completed_at = ?")
            values.append(self.moment if change["completed"] else None)
        where, keys = "build_id = ? AND version = ?", [build_id, expected]
        if self.token is not None:
            where += " AND ? = (SELECT token FROM leases WHERE leases.build_id = build_runs.build_id)"
            keys.append(self.token)
        statement = f"UPDATE build_runs SET {', '.join(columns)} WHERE {where}"  # noqa: S608  names above
        if conn.execute(statement, values + keys).rowcount == 0:
            self._refuse(conn)
        conn.executemany(_INSERT_EVENT, self.rows)
        if "phase" in change:
            # Separately, and only if it differs: the phase is indexed, and most appends do not change it.
            phase = change["phase"]
            conn.execute("UPDATE build_runs SET phase = ? WHERE build_id = ? AND phase <> ?", (phase, build_id, phase))

    def _refuse(self, conn: sqlite3.Connection) -> None:
        found = find_version(conn, self.build_id)
        if self.token is not None:
            row = conn.execute("SELECT token FROM leases WHERE build_id = ?", (self.build_id,)).fetchone()
            if row is None or row[0] != self.token:
                raise LostLease(f"the lease on build {self.build_id} went to another holder")
        raise StaleVersion(f"build {self.build_id} is at event {found}, not {self.expected}")


def insert_head(conn: sqlite3.Connection, build_id: str, created: BuildCreated, moment: str) -> None:
    """Insert the head row of a new build, before its first event."""
    spec = created.spec
    conn.execute(
        "INSERT INTO build_runs (build_id, project_id, user_id, title, phase, control, outcome, version,"
        " current_task_id, created_at, updated_at, brief, build_plan, product_doc)"
        " VALUES (?, ?, ?, ?, ?, ?, '', 0, '', ?, ?, ?, ?, ?)",
        (
            build_id,
            created.project_id,
            created.user_id,
            spec.title,
            BuildPhase.PLANNING,
            Control.RUNNING,
            moment,
            moment,
            _json(spec.brief),
            _json(spec.build_plan),
            _json(spec.product_doc),
        ),
    )


def find_version(conn: sqlite3.Connection, build_id: str) -> int:
    """Return the seq of the last event. Raises NotFound."""
    row = conn.execute("SELECT version FROM build_runs WHERE build_id = ?", (build_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no build {build_id}", fix="see the list with `buildwright status`")
    version: int = row[0]
    return version


def select_marks(conn: sqlite3.Connection, build_ids: Sequence[str]) -> dict[str, Mark]:
    """Return the marks of some builds, without unknown ones. A few index lookups for each."""
    found: dict[str, Mark] = {}
    for build_id in build_ids:
        row = conn.execute(_MARK, (build_id,)).fetchone()
        if row is not None:
            found[build_id] = Mark._make(row)
    return found


def select_events(
    conn: sqlite3.Connection, path: Path, build_id: str, after: int, limit: int | None = None
) -> list[EventRow]:
    """Return the rows after `after`, checked against the head row's version. Raises NotFound, StoreFailed."""
    conn.execute("BEGIN")
    version = find_version(conn, build_id)
    rows = conn.execute(
        "SELECT seq, at, type, data, crc FROM events WHERE build_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        (build_id, after, -1 if limit is None else max(limit, 0)),
    ).fetchall()
    conn.execute("COMMIT")
    wanted = max(version - after, 0)
    if len(rows) != (wanted if limit is None else min(wanted, max(limit, 0))):
        raise damaged(path, f"build {build_id} should have {version} events, some are missing")
    return rows


def replay(path: Path | str, build_id: str, build: Build | None, rows: list[EventRow]) -> Build:
    """Return the build after the events that follow `build`. Raises StoreFailed."""
    for recorded in recorded_from(path, build_id, build.version if build else 0, rows):
        try:
            build = apply(build, recorded)
        except IllegalMove as error:
            raise StoreFailed(
                f"the journal of build {build_id} cannot be replayed at event {recorded.seq}: {error}",
                fix="use the version of Buildwright that wrote it, and report this",
            ) from error
    if build is None:
        raise damaged(path, f"build {build_id} has no events")
    return build


def select_snapshots(conn: sqlite3.Connection, build_id: str) -> list[SnapshotRow]:
    """Return snapshots, newest first. Raises NotFound."""
    version = find_version(conn, build_id)
    statement = "SELECT seq, data, crc FROM snapshots WHERE build_id = ? AND seq <= ? ORDER BY seq DESC"
    return conn.execute(statement, (build_id, version)).fetchall()


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


def store_snapshot(conn: sqlite3.Connection, build_id: str, seq: int, text: str) -> None:
    """Keep a snapshot and the one before it. Raises StaleVersion for a build that is ahead of its journal."""
    found = find_version(conn, build_id)
    if seq > found:
        raise StaleVersion(f"build {build_id} is at event {found}, the snapshot is of event {seq}")
    row = (build_id, seq, text, text_crc(build_id, seq, text))
    conn.execute("INSERT OR REPLACE INTO snapshots (build_id, seq, data, crc) VALUES (?, ?, ?, ?)", row)
    conn.execute(
        "DELETE FROM snapshots WHERE build_id = ? AND seq NOT IN"
        " (SELECT seq FROM snapshots WHERE build_id = ? ORDER BY seq DESC LIMIT ?)",
        (build_id, build_id, _SNAPSHOTS_KEPT),
    )


def _json(record: Record | None) -> str | None:
    return record.model_dump_json() if record is not None else None
