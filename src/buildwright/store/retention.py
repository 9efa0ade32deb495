"""Removes finished builds, old log lines and unnamed artifacts, for both databases. Must never touch a live build.

The head row goes first, in a transaction that holds the build; then the rows that only it made reachable, in pieces, so
that no process waits long for a lock. A process killed in between leaves rows without a head row, which `orphans` finds.
Steps (`asking`) of one transaction each.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from buildwright.core.build import Control
from buildwright.core.failpoint import failpoint
from buildwright.errors import BuildIsRunning, Conflict
from buildwright.ports import Loose, Weight
from buildwright.store.asking import Asking, Query
from buildwright.store.dialect import Dialect
from buildwright.store.journal_rows import find_version, not_found
from buildwright.store.lease_holders import in_words, is_here, may_live
from buildwright.store.lesson_sums import keep_sums
from buildwright.store.money import forget_build
from buildwright.store.stats import keep_pruned

_ENDED = (Control.FINISHED, Control.STOPPED)
_PIECE = 5_000
"""Rows deleted in one transaction: some ten milliseconds."""
_HASH = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")
IN_PIECES: Final = ("events", "snapshots", "logs", "answers")
"""Tables in which a build may have very many rows, or very large ones."""
WITH_HEAD: Final = (
    *("build_runs", "actions", "received_events", "hosted_builds", "metrics_tasks", "metrics_attempts"),
    *("metrics_positions", "lesson_trials", "replayed_answers", "leases"),
)
"""The other tables with rows of a build."""
_WORTH_IT = 10
"""The database is rewritten when more than one in ten of its bytes is free."""
_SETTLED_SECONDS = 86_400.0
"""Age in seconds after which an artifact file has been named by its journal, or never will be, and after which a holder
on another machine whose lease has expired does not come back."""
_LOG_SETTLED_SECONDS = 3_600.0
"""A build's log may be a little ahead of its first event: that is no orphan yet."""
_DELETE_PIECE = """
DELETE FROM {0} WHERE build_id = $1 AND {1} IN (SELECT {1} FROM {0} WHERE build_id = $1 ORDER BY {1} DESC LIMIT $2)
AND NOT EXISTS (SELECT 1 FROM build_runs WHERE build_id = $1) RETURNING 1
"""
# In steps along the key, which costs as much as there are builds, not rows.
_ORPHANS = """
WITH RECURSIVE ids (build_id) AS (
    SELECT min(build_id) FROM {0}
    UNION ALL
    SELECT (SELECT min(o.build_id) FROM {0} o WHERE o.build_id > ids.build_id) FROM ids WHERE ids.build_id IS NOT NULL
)
SELECT build_id FROM ids WHERE build_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM build_runs b WHERE b.build_id = ids.build_id)
"""
_NEWEST_LINE = "(SELECT at FROM logs l WHERE l.build_id = ids.build_id ORDER BY seq DESC LIMIT 1)"
_HELD = "SELECT holder, expires_at > {1} FROM {0} WHERE holder <> '' AND ($1 = '' OR build_id = $1)"
_SAY_CUT = "UPDATE logs SET task = '', attempt = 0, kind = 'engine', text = $3 WHERE build_id = $1 AND seq = $2"
_CUT_PIECE = """
DELETE FROM logs WHERE build_id = $1 AND seq < $2
AND seq IN (SELECT seq FROM logs WHERE build_id = $1 ORDER BY seq LIMIT $3) RETURNING 1
"""


def weigh(dialect: Dialect, build_id: str) -> Asking[Weight]:
    """Return rows and bytes of a build. Raises NotFound."""
    yield from find_version(dialect, build_id)
    rows, size = {}, 0
    for table, text in (("events", "data"), ("snapshots", "data"), ("logs", "text"), ("answers", "answer")):
        of_row = dialect.row_bytes.format(table, text)
        statement = f"SELECT count(*), coalesce(sum({of_row}), 0) FROM {table} WHERE build_id = $1"  # noqa: S608  above
        ((rows[table], held),) = yield Query(statement, (build_id,))
        size += int(held)
    return Weight(rows["events"], rows["logs"], size)


def retire_head(dialect: Dialect, build_id: str) -> Asking[None]:
    """Remove a build's head row, lease and other rows but those of `IN_PIECES`; the stats keep what it came to.

    In a transaction that holds the build. Harmless when it is gone. Raises Conflict, BuildIsRunning, StoreFailed.
    """
    if dialect.turn:
        # Before the lock on the head row, in the order of those who count.
        yield Query(dialect.turn)
    if not (yield Query("SELECT 1 FROM build_runs WHERE build_id = $1 FOR UPDATE", (build_id,))):
        return
    yield from _refuse_live(dialect, build_id)
    yield from keep_pruned(build_id)
    yield from forget_build(build_id)
    yield from keep_sums(build_id)
    for table in WITH_HEAD:
        yield Query(f"DELETE FROM {table} WHERE build_id = $1", (build_id,))  # noqa: S608  above


def delete_piece(build_id: str) -> Asking[bool]:
    """Delete some rows of a build that has no head row; return False when none is left."""
    for table in IN_PIECES:
        statement = _DELETE_PIECE.format(table, "digest" if table == "answers" else "seq")
        if (yield Query(statement, (build_id, _PIECE))):
            return True
    return False


def orphans(dialect: Dialect) -> Asking[list[str]]:
    """Return builds that have rows and no head row."""
    found: set[str] = set()
    for table in IN_PIECES:
        settled = f" AND {_NEWEST_LINE} < {dialect.moment(-_LOG_SETTLED_SECONDS)}" if table == "logs" else ""
        found.update(build_id for (build_id,) in (yield Query(_ORPHANS.format(table) + settled)))
    return sorted(found)


def begin_trim(dialect: Dialect, build_id: str, most: int) -> Asking[int]:
    """Write into the log which lines go; return the number of that line, 0 when there are not too many.

    Written first: a process killed in the middle leaves too many lines, never an unexplained gap. In a transaction that
    holds the build. Raises NotFound, Conflict, BuildIsRunning.
    """
    yield from _refuse_live(dialect, build_id)
    counting = "SELECT count(*), coalesce(max(seq), 0) FROM logs WHERE build_id = $1"
    ((count, last),) = yield Query(counting, (build_id,))
    # Lines are numbered from 1 without a gap, so the number of the last one cut is how many are missing.
    cut: int = last - most
    if cut < 1 or count <= most + 1:
        return 0
    yield Query(_SAY_CUT, (build_id, cut, f"{cut} log lines before this one were cut by `buildwright prune`"))
    return cut


def trim_piece(build_id: str, before: int) -> Asking[int]:
    """Delete some of the oldest lines before that one; return how many."""
    return len((yield Query(_CUT_PIECE, (build_id, before, _PIECE))))


def named_ids(build_id: str) -> Asking[frozenset[str]]:
    """Return every hash in a journal, found by form, not field, so that a later version's events keep theirs too."""
    rows = yield Query("SELECT data FROM events WHERE build_id = $1 AND length(data) >= 40", (build_id,))
    return frozenset(found for (data,) in rows for found in _HASH.findall(data))


def bytes_to_sweep(dialect: Dialect) -> Asking[int]:
    """Return how many bytes the server has to read for `sweep`."""
    ((size,),) = yield Query(dialect.journal_bytes)
    return int(size)


def sweep(dialect: Dialect, folder: Path | None, *, remove: bool) -> Asking[Loose]:
    """Return the artifacts that no journal names, and remove them if `remove`: rows, and files without a row.

    In this order, where there is no lock: list artifacts with their row versions; find whether a process may be about
    to name one; find the named ones. One that is put again meanwhile has another version, and stays. A file goes one
    sweep after its row's deletion is committed: a crash leaves a file too many, never one too few.
    """
    noted = yield Query(f"SELECT digest, size, {dialect.row_version}, content IS NULL FROM artifacts")  # noqa: S608
    live = bool((yield from holders(dialect)))
    unnamed = yield from dialect.unnamed([row[0] for row in noted])
    rows, sizes, waiting = [], [], 0
    for digest, size, version, in_file in noted:
        if digest not in unnamed:
            continue
        if live and not (in_file and folder and _is_settled(folder / digest)):
            waiting += 1
        else:
            rows.append((digest, version))
            sizes.append(size)
    known = {row[0] for row in noted}
    files = [file for file in _files(folder) if file.name not in known and (not live or _is_settled(file))]
    sizes += [file.stat().st_size for file in files]
    if remove:
        unchanged = f"digest = $1 AND {dialect.row_version} = $2"
        yield Query(f"DELETE FROM artifacts WHERE {unchanged}", many=rows)  # noqa: S608  ours
        for file in files:
            file.unlink(missing_ok=True)
    return Loose(len(sizes), sum(sizes), waiting)


def holders(dialect: Dialect, build_id: str = "") -> Asking[list[str]]:
    """Return holders that may be at work, on one build or any. More careful than who takes a lease: a holder counts
    with an expired lease too, here while it lives, because it can still renew it, elsewhere for a day."""
    found = []
    for table in ("leases", "actions"):
        rows = yield Query(_HELD.format(table, dialect.moment(-_SETTLED_SECONDS)), (build_id,))
        found += [holder for holder, lately in rows if may_live(holder) and (lately or is_here(holder))]
    return sorted(set(found))


def vacuum(conn: sqlite3.Connection, path: Path) -> int:
    """Rewrite a SQLite database without its free pages; return the bytes freed. `conn` must be in no transaction.

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


def _refuse_live(dialect: Dialect, build_id: str) -> Asking[None]:
    """Raise NotFound, Conflict when the build has not ended, BuildIsRunning while a process may hold it."""
    rows = yield Query("SELECT control FROM build_runs WHERE build_id = $1", (dialect.clean(build_id),))
    if not rows:
        raise not_found(build_id)
    if rows[0][0] not in _ENDED:
        raise Conflict(f"build {build_id} has not ended", fix=f"stop it first with `buildwright stop {build_id}`")
    held = yield from holders(dialect, build_id)
    if held:
        raise BuildIsRunning(f"build {build_id} is still held by {in_words(held[0])}")


def _is_settled(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _SETTLED_SECONDS
    except FileNotFoundError:
        return True


def _files(folder: Path | None) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_file()) if folder and folder.is_dir() else iter(())


def _free_bytes(conn: sqlite3.Connection) -> int:
    """Return the bytes that VACUUM would free."""
    (pages,) = conn.execute("PRAGMA freelist_count").fetchone()
    (size,) = conn.execute("PRAGMA page_size").fetchone()
    return int(pages * size)
