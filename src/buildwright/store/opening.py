"""How a database is opened: pragmas, a fresh schema, an older or newer revision. Never changes a database it does not know.

A fresh home is made from `schema.sql`, without SQLAlchemy or Alembic; those are loaded only when an older one is migrated.
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
"""Mode of a folder that is made: prompts, code and logs are nobody else's business."""
_WAL_BYTES_KEPT = 64 * 1024 * 1024


def revisions() -> list[str]:
    """Every revision this version knows, oldest first; the last is the one it works with."""
    return sorted(file.name[:4] for file in (_HERE / "migrations" / "versions").glob("[0-9]*.py"))


def open_writer(path: Path, patience: float) -> sqlite3.Connection:
    """A connection to write with, on a database of the newest revision: made, or migrated, if need be. `patience` in seconds.

    Raises StoreFailed (damaged, of a newer version, not ours, locked, not writable) and DiskFull.
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
    """A connection that waits for locks, commits by hand, and syncs every commit to the disk. May be used in any one thread."""
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
    """A connection that changes nothing, not even the write-ahead log when it is closed."""
    conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
    conn.execute("PRAGMA query_only=ON")
    return conn


def open_both(path: Path, patience: float) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """A connection to write with (see `open_writer`) and one that can only read."""
    writer = open_writer(path, patience)
    try:
        reader = connect(path, patience)
        reader.execute("PRAGMA query_only=ON")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        writer.close()
        raise fault(error, path) from error
    return writer, reader


def stored_revision(conn: sqlite3.Connection, path: Path) -> str | None:
    """The revision a database says it is of, None for an empty one. Raises StoreFailed when it is somebody else's."""
    tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "alembic_version" in tables:
        row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
        return row[0] if row else None
    if tables:
        raise StoreFailed(f"{path} is not a database of Buildwright", fix="choose another BUILDWRIGHT_HOME")
    return None


def create_schema(conn: sqlite3.Connection) -> None:
    """Make the tables of the newest revision; the caller commits."""
    for statement in (_HERE / "schema.sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            conn.execute(statement)


def _use_wal(conn: sqlite3.Connection, patience: float) -> None:
    """Two processes that open a new database at once: SQLite refuses one of them at once, without waiting."""
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
    """Whether the database is of the newest revision, after a new one has been given its tables."""
    known = revisions()
    found = stored_revision(conn, path)
    if found is None:
        conn.execute("BEGIN IMMEDIATE")
        try:
            found = stored_revision(conn, path)
            if found is None:
                # A rollback of the first revision leaves an empty table of versions behind.
                conn.execute("DROP TABLE IF EXISTS alembic_version")
                create_schema(conn)
                found = known[-1]
            conn.execute("COMMIT")
        finally:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
    if found not in known:
        raise StoreFailed(
            f"{path} is of schema revision {found}, this version of Buildwright knows {known[0]} to {known[-1]}",
            fix="update Buildwright, or set BUILDWRIGHT_HOME to another folder",
        )
    return found == known[-1]
