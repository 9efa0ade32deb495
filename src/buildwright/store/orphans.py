"""Finds what killed processes left in the SQLite store and its files. Finding changes nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from buildwright.ports import Leftover, RepairResult
from buildwright.store import repair
from buildwright.store.asking import run_on_sqlite
from buildwright.store.dialect import Steps
from buildwright.store.faults import fault
from buildwright.store.lease_holders import may_live
from buildwright.store.opening import connect, connect_to_look, revisions
from buildwright.store.sqlite_rows import SqliteDialect

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
            dialect, mend = SqliteDialect(), _mending(path)
            found += run_on_sqlite(conn, repair.dead_leases(dialect, mend))
            found += _files(conn, path, artifacts, in_use)
            found += run_on_sqlite(conn, repair.contradictions(dialect, path, mend))
            found += run_on_sqlite(conn, repair.orphaned_rows(dialect, mend))
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


def _mending(path: Path) -> repair.Mend:
    """Return what runs steps in their own transaction, and returns whether they changed something."""

    def mend(steps: Steps[bool]) -> Awaitable[bool]:
        return _write(path, lambda conn: run_on_sqlite(conn, steps()))

    return mend


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
