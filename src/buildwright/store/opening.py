"""Opens a SQLite database: pragmas, a fresh schema, older and newer revisions. Must never change an unknown one.

A fresh home is made from `schema.sql`, without SQLAlchemy or Alembic; those are loaded only for a migration.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from buildwright.errors import StoreFailed
from buildwright.store.faults import fault, is_busy

_HERE = Path(__file__).parent
_BUSY_MILLISECONDS = 5000
_ONLY_OURS = 0o700
"""Mode of a new folder: prompts, code and logs must be readable by their owner only."""
_WAL_BYTES_KEPT = 64 * 1024 * 1024


def revisions() -> list[str]:
    """Return every revision this version knows, oldest first; the last is the one it works with."""
    return sorted(file.name[:4] for file in (_HERE / "migrations" / "versions").glob("[0-9]*.py"))


def is_newest(found: str, shown: str, fix: str) -> bool:
    """Return whether a database of revision `found` needs no migration.

    Raises StoreFailed with `fix` for a revision that this version does not know.
    """
    known = revisions()
    if found not in known:
        raise StoreFailed(
            f"{shown} is of schema revision {found}, this version of Buildwright knows {known[0]} to {known[-1]}",
            fix=fix,
        )
    return found == known[-1]


def open_writer(path: Path, patience: float) -> sqlite3.Connection:
    """Return a connection for writing, on the newest revision: created or migrated if needed. `patience` in seconds.

    Raises StoreFailed (damaged, newer version, not ours, locked, not writable) and DiskFull.
    """
    try:
        path.parent.mkdir(mode=_ONLY_OURS, parents=True, exist_ok=True)
        conn = connect(path, patience)
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise fault(error, path) from error
    try:
        if not _is_current(conn, path):
            # Loaded here because Alembic takes longer to import than most commands take to run.
            from buildwright.store.alembic_runs import upgrade

            upgrade(conn, path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        conn.close()
        raise fault(error, path) from error
    except StoreFailed:
        conn.close()
        raise
    return conn


def connect(path: Path, patience: float = 5.0) -> sqlite3.Connection:
    """Return a connection that waits for locks and syncs every commit. The caller commits. For one thread, any one."""
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        conn.execute(f"PRAGMA busy_timeout={min(_BUSY_MILLISECONDS, int(patience * 1000))}")
        _use_wal(conn, patience)
        conn.execute("PRAGMA synchronous=FULL")
        conn.execute(f"PRAGMA journal_size_limit={_WAL_BYTES_KEPT}")
    except (sqlite3.Error, UnicodeDecodeError):
        conn.close()
        raise
    return conn


def connect_to_look(path: Path) -> sqlite3.Connection:
    """Return a connection that changes nothing, not even the write-ahead log when it is closed."""
    conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
    conn.execute("PRAGMA query_only=ON")
    return conn


def open_both(path: Path, patience: float) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Return a connection for writing (see `open_writer`) and one that can only read."""
    writer = open_writer(path, patience)
    try:
        reader = connect(path, patience)
        reader.execute("PRAGMA query_only=ON")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        writer.close()
        raise fault(error, path) from error
    return writer, reader


def stored_revision(conn: sqlite3.Connection, path: Path) -> str | None:
    """Return the revision in the database, None if it is empty. Raises StoreFailed if it belongs to another program."""
    tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "alembic_version" in tables:
        row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
        return row[0] if row else None
    if tables:
        raise StoreFailed(f"{path} is not a database of Buildwright", fix="choose another BUILDWRIGHT_HOME")
    return None


def create_schema(conn: sqlite3.Connection) -> None:
    """Create the tables of the newest revision; the caller commits."""
    for statement in (_HERE / "schema.sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            conn.execute(statement)


def _use_wal(conn: sqlite3.Connection, patience: float) -> None:
    """Turn on WAL, with retries: of two processes that open a new database, SQLite refuses one without waiting."""
    deadline = time.monotonic() + patience
    while True:
        try:
            conn.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _is_current(conn: sqlite3.Connection, path: Path) -> bool:
    """Create the tables of an empty database; return whether the database is of the newest revision."""
    found = stored_revision(conn, path)
    if found is None:
        conn.execute("BEGIN IMMEDIATE")
        try:
            found = stored_revision(conn, path)
            if found is None:
                # A rollback of the first revision leaves an empty table of versions.
                conn.execute("DROP TABLE IF EXISTS alembic_version")
                create_schema(conn)
                found = revisions()[-1]
            conn.execute("COMMIT")
        finally:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
    return is_newest(found, str(path), "update Buildwright, or set BUILDWRIGHT_HOME to another folder")
