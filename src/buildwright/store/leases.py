"""Leases: the right to run a build, with a token that only grows. In the caller's transaction: must never commit."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from buildwright.errors import BuildIsRunning, LostLease, NotFound
from buildwright.ports import Lease
from buildwright.store.lease_holders import in_words, may_live, surely_lives
from buildwright.store.values import to_text


def acquire(conn: sqlite3.Connection, build_id: str, holder: str, now: datetime, seconds: float) -> Lease:
    """Take the lease with the next token. Raises NotFound; BuildIsRunning while its holder may live."""
    if conn.execute("SELECT 1 FROM build_runs WHERE build_id = ?", (build_id,)).fetchone() is None:
        raise NotFound(f"there is no build {build_id}")
    running = live_holder(conn, build_id, now)
    if running is not None:
        raise BuildIsRunning(
            f"build {build_id} is being run by {in_words(running)}",
            fix="watch it from here with `buildwright status`, or stop it with `buildwright stop` first",
        )
    (token,) = conn.execute(
        "INSERT INTO leases (build_id, holder, token, expires_at) VALUES (?, ?, 1, ?) ON CONFLICT (build_id)"
        " DO UPDATE SET holder = excluded.holder, token = token + 1, expires_at = excluded.expires_at RETURNING token",
        (build_id, holder, _until(now, seconds)),
    ).fetchone()
    return Lease(build_id, holder, token)


def renew(conn: sqlite3.Connection, lease: Lease, now: datetime, seconds: float) -> None:
    """Renew a lease that no other holder has taken, even if it has expired. Raises LostLease."""
    changed = conn.execute(
        "UPDATE leases SET expires_at = ? WHERE build_id = ? AND holder = ? AND token = ?",
        (_until(now, seconds), lease.build_id, lease.holder, lease.token),
    )
    if changed.rowcount == 0:
        raise LostLease(f"the lease on build {lease.build_id} went to another holder, or was given up")


def release(conn: sqlite3.Connection, lease: Lease, now: datetime) -> None:
    """Release a lease, if it is still this one. The row stays, so that its token goes on growing."""
    conn.execute(
        "UPDATE leases SET holder = '', expires_at = ? WHERE build_id = ? AND holder = ? AND token = ?",
        (to_text(now), lease.build_id, lease.holder, lease.token),
    )


def live_holder(conn: sqlite3.Connection, build_id: str, now: datetime) -> str | None:
    """Return the build's holder, None when its process is gone, or the lease has expired and it may be gone.

    A lease expires by the time of day, which can jump, or stop while the machine sleeps. That takes nothing from a
    process that can be seen to live.
    """
    row = conn.execute("SELECT holder, expires_at FROM leases WHERE build_id = ?", (build_id,)).fetchone()
    if row is None or not row[0]:
        return None
    holder, expires_at = row
    held = may_live(holder) if expires_at > to_text(now) else surely_lives(holder)
    return holder if held else None


def _until(now: datetime, seconds: float) -> str:
    return to_text(now + timedelta(seconds=seconds))
