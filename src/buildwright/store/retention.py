"""Removes finished builds, old log lines and unnamed artifacts from SQLite. Must never touch a live build.

The head row goes first, then the rows that only it made reachable, in pieces, so that no process waits long for the
lock. A process killed in between leaves rows without a head row, which `orphans` finds.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from buildwright.core.build import Control
from buildwright.core.failpoint import failpoint
from buildwright.errors import BuildIsRunning, Conflict, NotFound
from buildwright.ports import Loose, Weight
from buildwright.store.lease_holders import in_words, is_here, may_live
from buildwright.store.lesson_sums import keep_sums
from buildwright.store.money import forget_build
from buildwright.store.stats import keep_pruned, run_on_sqlite
from buildwright.store.values import to_text

ENDED = (Control.FINISHED, Control.STOPPED)
_PIECE = 5_000
"""Rows deleted in one transaction: some ten milliseconds."""
HASH = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")
IN_PIECES = ("events", "snapshots", "logs", "answers")
"""Tables in which a build may have very many rows, or very large ones."""
CUT = "{} log lines before this one were cut by `buildwright prune`"
_WORTH_IT = 10
"""The database is rewritten when more than one in ten of its bytes is free."""
_SETTLED_SECONDS = 86_400.0
"""Age in seconds after which an artifact file has been named by its journal, or never will be."""


class Candidates(NamedTuple):
    """Artifacts that no journal names."""

    rows: dict[str, int]
    """Sizes by digest of rows that can go; some have a file."""
    files: dict[str, int]
    """Sizes of files without a row."""
    waiting: int


def weigh(conn: sqlite3.Connection, build_id: str) -> Weight:
    """Return rows and bytes of a build. Raises NotFound."""
    if conn.execute("SELECT 1 FROM build_runs WHERE build_id = ?", (build_id,)).fetchone() is None:
        raise NotFound(f"there is no build {build_id}")
    events, lines, size = 0, 0, 0
    for table, text in (("events", "data"), ("snapshots", "data"), ("logs", "text"), ("answers", "answer")):
        statement = f"SELECT count(*), coalesce(sum(length({text})), 0) FROM {table} WHERE build_id = ?"  # noqa: S608  above
        count, held = conn.execute(statement, (build_id,)).fetchone()
        events += count if table == "events" else 0
        lines += count if table == "logs" else 0
        size += held + 60 * count
    return Weight(events, lines, size)


def retire_head(conn: sqlite3.Connection, build_id: str, now: datetime) -> None:
    """Remove a build's head row, lease and other rows but those of `IN_PIECES`; the stats keep what it came to.

    Raises Conflict, BuildIsRunning, StoreFailed.
    """
    if conn.execute("SELECT 1 FROM build_runs WHERE build_id = ?", (build_id,)).fetchone() is None:
        return
    refuse_live(conn, build_id, now)
    run_on_sqlite(conn, keep_pruned(build_id))
    run_on_sqlite(conn, forget_build(build_id))
    run_on_sqlite(conn, keep_sums(build_id))
    conn.execute("DELETE FROM build_runs WHERE build_id = ?", (build_id,))
    conn.execute("DELETE FROM leases WHERE build_id = ?", (build_id,))
    for table in sorted(_tables_by_build(conn) - {"build_runs", "leases", *IN_PIECES}):
        conn.execute(f"DELETE FROM {table} WHERE build_id = ?", (build_id,))  # noqa: S608  a table of our schema


def delete_piece(conn: sqlite3.Connection, build_id: str) -> bool:
    """Delete some rows of a build that has no head row; return False when none is left."""
    for table in IN_PIECES:
        key = "digest" if table == "answers" else "seq"
        statement = (
            f"DELETE FROM {table} WHERE build_id = ?1 AND {key} IN"  # noqa: S608  a constant
            f" (SELECT {key} FROM {table} WHERE build_id = ?1 ORDER BY {key} DESC LIMIT ?2)"
            " AND NOT EXISTS (SELECT 1 FROM build_runs WHERE build_id = ?1)"
        )
        if conn.execute(statement, (build_id, _PIECE)).rowcount:
            return True
    return False


def orphans(conn: sqlite3.Connection, now: datetime) -> list[str]:
    """Return builds that have rows and no head row; a new log may be a little ahead of its build's first event."""
    found = {
        build_id
        for table in ("events", "snapshots", "answers")
        for build_id in _build_ids(conn, table)
        if not conn.execute("SELECT 1 FROM build_runs WHERE build_id = ?", (build_id,)).fetchone()
    }
    settled = to_text(now - timedelta(hours=1))
    for build_id in _build_ids(conn, "logs"):
        newest = "SELECT at FROM logs WHERE build_id = ? ORDER BY seq DESC LIMIT 1"
        if (
            not conn.execute("SELECT 1 FROM build_runs WHERE build_id = ?", (build_id,)).fetchone()
            and conn.execute(newest, (build_id,)).fetchone()[0] < settled
        ):
            found.add(build_id)
    return sorted(found)


def trim_log(conn: sqlite3.Connection, build_id: str, most: int, now: datetime) -> int:
    """Remove the oldest lines but `most`, and leave one line that says so. Raises Conflict, BuildIsRunning."""
    refuse_live(conn, build_id, now)
    count, last = conn.execute(
        "SELECT count(*), coalesce(max(seq), 0) FROM logs WHERE build_id = ?", (build_id,)
    ).fetchone()
    cut = last - most
    # Lines are numbered from 1 without a gap, so the number of the last one cut is how many are missing.
    if cut < 1 or count <= most + 1:
        return 0
    (at,) = conn.execute("SELECT at FROM logs WHERE build_id = ? AND seq = ?", (build_id, cut)).fetchone()
    gone = conn.execute("DELETE FROM logs WHERE build_id = ? AND seq <= ?", (build_id, cut)).rowcount
    text = CUT.format(cut)
    conn.execute(
        "INSERT INTO logs (build_id, seq, at, task, attempt, kind, text) VALUES (?, ?, ?, '', 0, 'engine', ?)",
        (build_id, cut, at, text),
    )
    return int(gone - 1)


def refuse_live(conn: sqlite3.Connection, build_id: str, now: datetime) -> None:
    """Raise NotFound, Conflict when the build has not ended, BuildIsRunning while a process may hold it."""
    row = conn.execute("SELECT control FROM build_runs WHERE build_id = ?", (build_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no build {build_id}")
    if row[0] not in ENDED:
        raise Conflict(f"build {build_id} has not ended", fix=f"stop it first with `buildwright stop {build_id}`")
    holder = _holder(conn, build_id, now) or next(iter(_action_leases(conn, build_id)), "")
    if holder:
        raise BuildIsRunning(f"build {build_id} is still held by {in_words(holder)}")


def any_live(conn: sqlite3.Connection, now: datetime) -> bool:
    """Return whether a process may be about to name an artifact that it has put."""
    held = conn.execute("SELECT build_id FROM leases WHERE holder <> ''").fetchall()
    return any(_holder(conn, build_id, now) for (build_id,) in held) or bool(_action_leases(conn))


def named_ids(conn: sqlite3.Connection, build_id: str) -> frozenset[str]:
    """Return every hash in a journal, found by form, not field, so that a later version's events keep theirs too."""
    rows = conn.execute("SELECT data FROM events WHERE build_id = ?", (build_id,))
    return frozenset(found for (data,) in rows for found in HASH.findall(data))


def candidates(conn: sqlite3.Connection, folder: Path, now: datetime) -> Candidates:
    """Return the artifacts that can go. Reliable only in a transaction that holds the write lock."""
    found = conn.execute("SELECT data FROM events WHERE length(data) >= 64")
    named = {digest for (data,) in found for digest in HASH.findall(data)}
    sizes = {
        digest: (size, in_file)
        for digest, size, in_file in conn.execute("SELECT digest, size, content IS NULL FROM artifacts")
    }
    live = any_live(conn, now)
    rows, waiting = {}, 0
    for digest, (size, in_file) in sizes.items():
        if digest in named:
            continue
        if live and not (in_file and _is_settled(folder / digest)):
            waiting += 1
        else:
            rows[digest] = size
    files = {
        path.name: path.stat().st_size
        for path in _files(folder)
        if path.name not in sizes and (not live or _is_settled(path))
    }
    return Candidates(rows, files, waiting)


def loose(found: Candidates) -> Loose:
    """Return the candidates in numbers."""
    return Loose(len(found.rows) + len(found.files), sum((*found.rows.values(), *found.files.values())), found.waiting)


def sweep(conn: sqlite3.Connection, folder: Path, now: datetime) -> Loose:
    """Remove rows, and files whose row is already gone. Must run in a transaction that holds the write lock.

    A file goes one sweep after its row's deletion is committed: a crash leaves a file too many, never one too few.
    """
    found = candidates(conn, folder, now)
    conn.executemany("DELETE FROM artifacts WHERE digest = ?", [(digest,) for digest in found.rows])
    for digest in found.files:
        (folder / digest).unlink(missing_ok=True)
    return loose(found)


def vacuum(conn: sqlite3.Connection, path: Path) -> int:
    """Rewrite the database without its free pages; return the bytes freed. `conn` must not be in a transaction.

    A full VACUUM: the incremental kind must be chosen when a database is created, moves pages on every commit that
    frees some, and leaves the tables scattered. A crash in VACUUM leaves the database as it was.
    """
    before = path.stat().st_size
    failpoint("prune.vacuum.before")
    if _free_bytes(conn) * _WORTH_IT > before:
        conn.execute("VACUUM")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    failpoint("prune.vacuum.after")
    return max(before - path.stat().st_size, 0)


def _holder(conn: sqlite3.Connection, build_id: str, now: datetime) -> str:
    """Return the holder a build may have, or "". More careful than `leases.acquire`: a holder counts with an expired
    lease too, here while it lives, because it can still renew it, elsewhere for a day."""
    row = conn.execute("SELECT holder, expires_at FROM leases WHERE build_id = ?", (build_id,)).fetchone()
    if row is None or not row[0] or not may_live(row[0]):
        return ""
    expired = row[1] <= to_text(now - timedelta(seconds=_SETTLED_SECONDS))
    return "" if expired and not is_here(row[0]) else row[0]


def _action_leases(conn: sqlite3.Connection, build_id: str = "") -> list[str]:
    """Return holders that may be carrying out an action, of one build or any."""
    held = conn.execute("SELECT holder FROM actions WHERE holder <> '' AND (?1 = '' OR build_id = ?1)", (build_id,))
    return [holder for (holder,) in held if may_live(holder)]


def _tables_by_build(conn: sqlite3.Connection) -> set[str]:
    return {
        name
        for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        if any(column[1] == "build_id" for column in conn.execute(f"PRAGMA table_info({name})"))
    }


def _build_ids(conn: sqlite3.Connection, table: str) -> Iterator[str]:
    """Yield the builds in a table, in steps along its key instead of over all its rows."""
    row = conn.execute(f"SELECT min(build_id) FROM {table}").fetchone()  # noqa: S608  a constant
    while row[0] is not None:
        yield row[0]
        row = conn.execute(f"SELECT min(build_id) FROM {table} WHERE build_id > ?", row).fetchone()  # noqa: S608


def _is_settled(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _SETTLED_SECONDS
    except FileNotFoundError:
        return True


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _free_bytes(conn: sqlite3.Connection) -> int:
    """Return the bytes that VACUUM would free."""
    (pages,) = conn.execute("PRAGMA freelist_count").fetchone()
    (size,) = conn.execute("PRAGMA page_size").fetchone()
    return int(pages * size)
