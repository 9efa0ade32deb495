"""Finds what killed processes left in the SQLite store, and rows that contradict the journal. Finding changes nothing.

The journal is the truth: everything else is mended from it or removed. A damaged journal is named and never touched.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from buildwright.core.apply import apply
from buildwright.core.build import Build, Control
from buildwright.core.snapshot import dump, parse
from buildwright.errors import IllegalMove, StoreFailed
from buildwright.ports import Leftover, RepairResult
from buildwright.store import retention
from buildwright.store.faults import fault
from buildwright.store.lease_holders import may_live
from buildwright.store.opening import connect, connect_to_look, revisions
from buildwright.store.rows import recorded_from, text_crc
from buildwright.store.values import to_text, to_time
from buildwright.views.runtime import head_change
from buildwright.views.statuses import BuildPhase

MOST_EVENTS = 200_000
"""Most events in all that are replayed to compare them with head rows and snapshots, the newest builds first."""
_HEAD = ("phase", "control", "outcome", "current_task_id", "version")
_RESTORE = "restore the file from a backup of the artifacts folder"

InUse = Callable[[Path], bool]
Mend = Callable[[sqlite3.Connection], int]


def find(path: Path, artifacts: Path, in_use: InUse) -> list[RepairResult]:
    """Return everything that is left or contradicts the journal. Raises StoreFailed when the database is unreadable."""
    found = [] if in_use(path) else list(_log_of_writes(path))
    try:
        with closing(connect_to_look(path)) as conn:
            conn.execute("BEGIN")
            if not _is_current(conn):
                return found
            found += _dead_leases(conn, path)
            found += _files(conn, path, artifacts, in_use)
            found += _journals(conn, path)
            found += _orphans(conn, path)
    except sqlite3.Error as error:
        raise fault(error, path) from error
    return found


def live_builds(path: Path) -> set[str]:
    """Return builds that a process which may live holds, in whole or by one action."""
    if not path.is_file():
        return set()
    try:
        with closing(connect_to_look(path)) as conn:
            tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            held = [
                row
                for table in sorted(tables & {"leases", "actions"})
                for row in conn.execute(f"SELECT build_id, holder FROM {table}")  # noqa: S608  named above
            ]
            return {build_id for build_id, holder in held if holder and may_live(holder)}
    except sqlite3.Error as error:
        raise fault(error, path) from error


def _is_current(conn: sqlite3.Connection) -> bool:
    tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "alembic_version" not in tables:
        return False
    found: tuple[str] | None = conn.execute("SELECT version_num FROM alembic_version").fetchone()
    return found == (revisions()[-1],)


def _log_of_writes(path: Path) -> Iterator[RepairResult]:
    wal = path.with_name(f"{path.name}-wal")
    if wal.is_file() and wal.stat().st_size:
        since = datetime.fromtimestamp(wal.stat().st_mtime, UTC)
        what = "writes that a killed process left in the log beside the database"
        checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"
        mend = partial(_write, path, lambda conn: conn.execute(checkpoint).fetchone()[0] == 0, alone=True)
        yield RepairResult(Leftover(what, str(wal), since, wal.stat().st_size), mend)


def _dead_leases(conn: sqlite3.Connection, path: Path) -> Iterator[RepairResult]:
    for table in ("leases", "actions"):
        key = "''" if table == "leases" else '"key"'
        rows = conn.execute(f"SELECT build_id, {key}, holder, token, expires_at FROM {table} WHERE holder <> ''")  # noqa: S608
        for build_id, action, holder, token, expires_at in rows.fetchall():
            if not may_live(holder):
                where = f"build {build_id}{f', {action}' if action else ''} (held by {holder})"
                what = "a lease of a process that is gone"
                mend = partial(_release, table, build_id, action, holder, token)
                since = to_time(expires_at) if expires_at else None
                yield RepairResult(Leftover(what, where, since, 0), partial(_write, path, mend))


def _release(table: str, build_id: str, action: str, holder: str, token: int, conn: sqlite3.Connection) -> int:
    which = ' AND "key" = ?5' if table == "actions" else ""
    statement = (
        f"UPDATE {table} SET holder = '', expires_at = ?4 WHERE build_id = ?1 AND holder = ?2 AND token = ?3{which}"  # noqa: S608
    )
    values = (build_id, holder, token, to_text(datetime.now(UTC)), action)
    return conn.execute(statement, values[: 5 if which else 4]).rowcount


def _files(conn: sqlite3.Connection, path: Path, folder: Path, in_use: InUse) -> Iterator[RepairResult]:
    for draft in _entries(folder / "incoming"):
        pid = draft.name.partition("-")[0]
        if not in_use(draft) and not (pid.isdecimal() and Path(f"/proc/{pid}").exists()):
            yield RepairResult(_file("a half-written artifact", draft), partial(_drop, draft))
    known = {digest for (digest,) in conn.execute("SELECT digest FROM artifacts WHERE content IS NULL")}
    there = {file.name for file in _entries(folder) if file.is_file()}
    # The file comes before its row: while another process has the database open, its row may be about to come.
    for name in sorted(there - known) if not in_use(path) else ():
        mend = partial(_drop_unknown, folder / name)
        yield RepairResult(_file("an artifact file that no row knows", folder / name), partial(_write, path, mend))
    for digest in sorted(known - there):
        yield RepairResult(Leftover("an artifact whose file is gone", str(folder / digest), None, 0, _RESTORE), None)


def _drop_unknown(file: Path, conn: sqlite3.Connection) -> int:
    if conn.execute("SELECT 1 FROM artifacts WHERE digest = ?", (file.name,)).fetchone():
        return 0
    file.unlink(missing_ok=True)
    return 1


async def _drop(file: Path) -> bool:
    there = file.exists()
    file.unlink(missing_ok=True)
    return there


def _journals(conn: sqlite3.Connection, path: Path) -> Iterator[RepairResult]:
    """Replay every journal once, and compare its head row and snapshots with the result."""
    left = MOST_EVENTS
    heads = conn.execute(
        f"SELECT build_id, completed_at, {', '.join(_HEAD)} FROM build_runs ORDER BY created_at DESC"  # noqa: S608  above
    ).fetchall()
    for build_id, completed_at, *head in heads:
        left -= head[-1]
        if left >= 0:
            yield from _journal(
                conn, path, build_id, dict(zip(_HEAD, head, strict=True)) | {"completed": bool(completed_at)}
            )


def _journal(conn: sqlite3.Connection, path: Path, build_id: str, head: dict[str, Any]) -> Iterator[RepairResult]:
    rows = conn.execute(
        "SELECT seq, at, type, data, crc FROM events WHERE build_id = ? ORDER BY seq", (build_id,)
    ).fetchall()
    snapshots = conn.execute("SELECT seq, data, crc FROM snapshots WHERE build_id = ?", (build_id,)).fetchall()
    where = f"build {build_id}"
    wanted = {seq: (text, crc) for seq, text, crc in snapshots}
    bad = dict.fromkeys(seq for seq in wanted if seq > len(rows))
    build: Build | None = None
    try:
        recorded = recorded_from(path, build_id, 0, rows)
        if not recorded:
            raise StoreFailed("it has no events")
        for fact in recorded:
            build = apply(build, fact)
            if fact.seq in wanted and not _agrees(build_id, build, *wanted[fact.seq]):
                bad[fact.seq] = None
    except (StoreFailed, IllegalMove) as error:
        what, fix = f"a journal that cannot be read: {error}", "restore the database from a backup"
        yield RepairResult(Leftover(what, where, None, 0, fix), None)
        return
    for seq in bad:
        text, crc = wanted[seq]
        what = "a snapshot that does not match the journal (one is made again when it is needed)"
        left = Leftover(what, f"{where}, event {seq}", recorded[min(seq, len(rows)) - 1].at, len(text))
        yield RepairResult(left, partial(_write, path, partial(_drop_snapshot, build_id, seq, crc)))
    start: dict[str, Any] = {"phase": BuildPhase.PLANNING, "control": Control.RUNNING}
    start |= {"outcome": "", "current_task_id": ""}
    right = (
        start | {"completed": False} | head_change((fact.event for fact in recorded), build) | {"version": len(rows)}
    )
    wrong = [name for name in (*_HEAD, "completed") if head[name] != right[name]]
    if wrong:
        ends = [to_text(fact.at) for fact in recorded if head_change([fact.event]).get("completed")]
        completed = ends[-1] if right["completed"] else None
        mend = partial(_set_head, build_id, head["version"], right, completed)
        what = f"a row in the list of builds that does not say what the journal says ({', '.join(wrong)})"
        yield RepairResult(Leftover(what, where, recorded[-1].at, 0), partial(_write, path, mend))


def _agrees(build_id: str, build: Build, text: str, crc: int) -> bool:
    if crc != text_crc(build_id, build.version, text):
        return False
    try:
        return dump(parse(text)) == dump(build)
    except (ValueError, KeyError):
        return False


def _drop_snapshot(build_id: str, seq: int, crc: int, conn: sqlite3.Connection) -> int:
    where = (build_id, seq, crc)
    return conn.execute("DELETE FROM snapshots WHERE build_id = ? AND seq = ? AND crc = ?", where).rowcount


def _set_head(build_id: str, found: int, right: dict[str, Any], completed: str | None, conn: sqlite3.Connection) -> int:
    """Write the head row, unless a process has appended since: then it has been written, or is found next time."""
    (last,) = conn.execute("SELECT max(seq) FROM events WHERE build_id = ?", (build_id,)).fetchone()
    if last != right["version"]:
        return 0
    values = [str(right[name]) if name != "version" else right[name] for name in _HEAD]
    statement = f"UPDATE build_runs SET {', '.join(f'{name} = ?' for name in _HEAD)}, completed_at = ? WHERE build_id = ? AND version = ?"  # noqa: S608, E501
    return conn.execute(statement, (*values, completed, build_id, found)).rowcount


def _orphans(conn: sqlite3.Connection, path: Path) -> Iterator[RepairResult]:
    for build_id in retention.orphans(conn, datetime.now(UTC)):
        left = Leftover("rows of a build that was being removed", f"build {build_id}", None, 0)
        yield RepairResult(left, partial(_write, path, partial(_delete_orphan, build_id)))


def _delete_orphan(build_id: str, conn: sqlite3.Connection) -> int:
    pieces = 0
    while retention.delete_piece(conn, build_id):
        pieces += 1
    return pieces


async def _write(path: Path, mend: Mend, *, alone: bool = False) -> bool:
    """Run `mend` in its own transaction (`alone`: outside of any) and return whether it changed something."""

    def work() -> bool:
        try:
            with closing(connect(path)) as conn:
                if alone:
                    return bool(mend(conn))
                conn.execute("BEGIN IMMEDIATE")
                changed = mend(conn)
                conn.execute("COMMIT")
                return changed > 0
        except sqlite3.Error as error:
            raise fault(error, path) from error

    return await asyncio.to_thread(work)


def _file(what: str, path: Path) -> Leftover:
    status = path.stat()
    return Leftover(what, str(path), datetime.fromtimestamp(status.st_mtime, UTC), status.st_size)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
