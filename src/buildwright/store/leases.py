"""Leases: the right to run a build, with a token that only grows. Steps in the caller's transaction: must never commit."""

from __future__ import annotations

from buildwright.errors import BuildIsRunning, LostLease
from buildwright.ports import Lease
from buildwright.store.asking import Asking, Query
from buildwright.store.dialect import Dialect
from buildwright.store.lease_holders import in_words, may_live, surely_lives

_MINE = "build_id = $1 AND holder = $2 AND token = $3"


def acquire(dialect: Dialect, build_id: str, holder: str, seconds: float) -> Asking[Lease]:
    """Take the lease with the next token, on a build that is there. Raises BuildIsRunning while its holder may live."""
    running = yield from live_holder(dialect, build_id)
    if running is not None:
        raise BuildIsRunning(
            f"build {build_id} is being run by {in_words(running)}",
            fix="watch it from here with `buildwright status`, or stop it with `buildwright stop` first",
        )
    ((token,),) = yield Query(
        f"INSERT INTO leases (build_id, holder, token, expires_at) VALUES ($1, $2, 1, {dialect.moment(seconds)})"  # noqa: S608
        " ON CONFLICT (build_id) DO UPDATE SET holder = excluded.holder, token = leases.token + 1,"
        " expires_at = excluded.expires_at RETURNING token",
        (build_id, holder),
    )
    return Lease(build_id, holder, token)


def renew(dialect: Dialect, lease: Lease, seconds: float) -> Asking[None]:
    """Renew a lease that no other holder has taken, even if it has expired. Raises LostLease."""
    statement = f"UPDATE leases SET expires_at = {dialect.moment(seconds)} WHERE {_MINE} RETURNING 1"  # noqa: S608  ours
    if not (yield Query(statement, (lease.build_id, lease.holder, lease.token))):
        raise LostLease(f"the lease on build {lease.build_id} went to another holder, or was given up")


def release(dialect: Dialect, lease: Lease) -> Asking[None]:
    """Release a lease, if it is still this one. The row stays, so that its token goes on growing."""
    statement = f"UPDATE leases SET holder = '', expires_at = {dialect.moment()} WHERE {_MINE}"  # noqa: S608  ours
    yield Query(statement, (lease.build_id, lease.holder, lease.token))


def live_holder(dialect: Dialect, build_id: str) -> Asking[str | None]:
    """Return the build's holder, None when its process is gone, or the lease has expired and it may be gone.

    A lease expires by the time of day, which can jump, or stop while the machine sleeps. That takes nothing from a
    process that can be seen to live.
    """
    statement = f"SELECT holder, expires_at > {dialect.moment()} FROM leases WHERE build_id = $1 AND holder <> ''"  # noqa: S608
    rows = yield Query(statement, (dialect.clean(build_id),))
    for holder, in_time in rows:
        if may_live(holder) if in_time else surely_lives(holder):
            return str(holder)
    return None
