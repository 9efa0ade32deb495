"""The board and the leases on PostgreSQL. Functions of a connection; must never decide by a clock but the server's.

`settle` and `acquire` first lock the build's row in `leases`, so that one process at a time decides about a build, and
read what is new in later statements. Of the rows in `actions` a settlement then locks, by key, those that its own
holder has, and those that are no longer wanted: never what waits for a process. `claim` waits for no row: an action
that another has locked is left out, and all of a build whose lease has run out where another has locked that.
A process that waits for locks of several rows asks for them by build and key. Tokens are made of the numbers of transactions,
which only grow; where the server is a new one, whose numbers are smaller, a token is one more than the row had.

A row that is not wanted and not held counts as gone: no answer shows it, and the next settlement or `due` removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from buildwright.errors import BuildIsRunning, LostLease
from buildwright.ports import (
    MOST_CLAIMED,
    ActionLease,
    Due,
    HeldAction,
    Lease,
    QueuedAction,
    QueueUpdate,
    WantedClaim,
    WorkerRow,
)
from buildwright.store.entry import JournalEntry
from buildwright.store.journal_rows import not_found, recorded_rows, stale
from buildwright.store.lease_holders import in_words, may_live, this_host
from buildwright.store.postgres_pool import Connection, literal, transaction
from buildwright.store.postgres_rows import CHANGED_HEAD, DIALECT, PUT_EVENTS, parameters, text_of
from buildwright.store.rows import EventRow

_NOW = "now AS MATERIALIZED (SELECT clock_timestamp() AS at)"
_LIVE = "({0}.holder <> '' AND {0}.expires_at > now.at)"
_LIVE_ACTION, _LIVE_LEASE = _LIVE.format("a"), _LIVE.format("l")
_UNTIL = "clock_timestamp() + make_interval(secs => {})"
_SILENT_FOR_GOOD = "1 day"
_SETTLE = f"""
WITH {_NOW},
allowed AS (
    SELECT 1 FROM leases l, now WHERE l.build_id = $1 AND NOT {_LIVE_LEASE}
    AND NOT EXISTS (
        SELECT 1 FROM unnest($14::text[], $15::bigint[]) AS mine (key, token)
        WHERE NOT EXISTS (
            SELECT 1 FROM actions a WHERE a.build_id = $1 AND a.key = mine.key AND a.token = mine.token AND a.holder <> ''
        )
    )
),
head AS (
    UPDATE build_runs SET {CHANGED_HEAD}, settled = true,
        updated_at = CASE WHEN cardinality($8::text[]) > 0 THEN $3::timestamptz ELSE updated_at END,
        wake_at = $13, offered_at = NULL
    WHERE build_id = $1 AND version = $2 AND EXISTS (SELECT 1 FROM allowed) RETURNING 1
),
put AS ({PUT_EVENTS}),
locked AS MATERIALIZED (
    SELECT a.key, a.wanted, a.token, a.key = ANY($16::text[]) AS ended, a.key = ANY($11::text[]) AS asked,
        {_LIVE_ACTION} AS live
    FROM actions a, now, head WHERE a.build_id = $1 AND (a.key = ANY($16::text[]) OR NOT a.key = ANY($11::text[])
        OR NOT a.wanted OR NOT $12)
    ORDER BY a.key FOR UPDATE OF a
),
rows AS MATERIALIZED (
    SELECT * FROM locked
    UNION ALL SELECT a.key, true, a.token, false, true, {_LIVE_ACTION} FROM actions a, now, head
    WHERE a.build_id = $1 AND a.wanted AND a.key NOT IN (SELECT key FROM locked)
),
ended AS (
    UPDATE actions a SET wanted = rows.asked AND $12, wanted_at = now.at, holder = '', beat_at = NULL, expires_at = NULL,
        offered_at = NULL
    FROM rows, now, unnest($14::text[], $15::bigint[]) AS mine (key, token)
    WHERE a.build_id = $1 AND a.key = rows.key AND rows.ended AND a.key = mine.key AND a.token = mine.token
),
changed AS (
    UPDATE actions a SET wanted = rows.asked AND ($12 OR {_LIVE_ACTION}),
        wanted_at = CASE WHEN rows.asked AND NOT a.wanted THEN now.at ELSE a.wanted_at END
    FROM rows, now WHERE a.build_id = $1 AND a.key = rows.key AND NOT rows.ended
    AND (rows.wanted <> rows.asked OR NOT $12)
),
posted AS (
    INSERT INTO actions (build_id, key, wanted, wanted_at, holder, token)
    SELECT $1, key, true, now.at, '', 0 FROM head, now, unnest($11::text[]) AS key
    WHERE $12 AND key NOT IN (SELECT key FROM rows) ON CONFLICT DO NOTHING
)
SELECT EXISTS (SELECT 1 FROM head), ARRAY(SELECT key FROM rows WHERE (live OR wanted) AND NOT ended)
"""  # noqa: S608  constants
_WHY_NOT = f"""
WITH {_NOW}
SELECT (SELECT version FROM build_runs WHERE build_id = $1),
    (SELECT key FROM unnest($2::text[], $3::bigint[]) AS mine (key, token) WHERE NOT EXISTS (
        SELECT 1 FROM actions a WHERE a.build_id = $1 AND a.key = mine.key AND a.token = mine.token AND a.holder <> ''
    ) LIMIT 1),
    (SELECT holder FROM leases l, now WHERE build_id = $1 AND {_LIVE_LEASE})
"""  # noqa: S608  constants
_NEWS = f"""
WITH {_NOW}
SELECT (SELECT version FROM build_runs WHERE build_id = $1),
    ARRAY(SELECT a.key FROM actions a, now WHERE a.build_id = $1 AND {_LIVE_ACTION}),
    ARRAY(SELECT (seq, at, type, data, crc) FROM events WHERE build_id = $1 AND seq > $2 ORDER BY seq)
"""  # noqa: S608  constants
_SWEEP = "DELETE FROM actions WHERE NOT wanted AND (holder = '' OR expires_at <= clock_timestamp())"
_LOCK = "SELECT 1 FROM leases WHERE build_id = {0} FOR UPDATE"
_LOCK_ACTIONS = "; SELECT 1 FROM actions WHERE build_id = {0} {1} ORDER BY key FOR UPDATE"
_NEXT = f"greatest({{0}}.token + 1, txid_current() * {MOST_CLAIMED} + {{1}})"
"""A token; the second number tells apart those of one transaction, from 0."""
_CLAIM = f"""
WITH {_NOW},
near AS MATERIALIZED (
    SELECT a.build_id, a.key, l.holder <> '' AS whole
    FROM now, actions a JOIN build_runs b USING (build_id) JOIN leases l USING (build_id)
    WHERE a.wanted AND b.control = 'running' AND (a.holder = $1 OR NOT {_LIVE_ACTION})
    AND (cardinality($4::text[]) = 0 OR split_part(a.key, '/', 1) = ANY($4)) AND a.build_id <> ALL($5::text[])
    AND (a.build_id, a.key) NOT IN (SELECT * FROM unnest($6::text[], $7::text[]))
    AND NOT {_LIVE_LEASE}
),
lapsed AS MATERIALIZED (
    SELECT l.build_id FROM leases l, now
    WHERE l.build_id = ANY(ARRAY(SELECT build_id FROM near WHERE whole)) AND l.holder <> '' AND NOT {_LIVE_LEASE}
    ORDER BY l.build_id FOR UPDATE OF l SKIP LOCKED
),
ended AS (
    UPDATE leases l SET token = {_NEXT.format("l", 0)}, holder = '' FROM lapsed WHERE l.build_id = lapsed.build_id
),
found AS MATERIALIZED (
    SELECT a.build_id, a.key, greatest(a.wanted_at, CASE WHEN a.expires_at <= now.at THEN a.expires_at END) AS free_since
    FROM now, near JOIN actions a USING (build_id, key)
    WHERE a.wanted AND (a.holder = $1 OR NOT {_LIVE_ACTION})
    AND (NOT whole OR build_id = ANY(ARRAY(SELECT build_id FROM lapsed)))
    ORDER BY (build_id, key) IN (SELECT * FROM unnest($8::text[], $9::text[])) DESC, a.wanted_at, build_id, key
    LIMIT $3 FOR UPDATE OF a SKIP LOCKED
),
numbered AS (SELECT *, row_number() OVER () - 1 AS n FROM found)
UPDATE actions a SET holder = $1, token = {_NEXT.format("a", "n.n")}, beat_at = now.at, offered_at = NULL,
    expires_at = now.at + make_interval(secs => $2)
FROM now, numbered n JOIN build_runs b USING (build_id) WHERE a.build_id = n.build_id AND a.key = n.key
RETURNING a.build_id, a.key, a.token, greatest(extract(epoch FROM now.at - n.free_since)::float8, 0), b.version
"""  # noqa: S608  constants
_KEEP = f"""
UPDATE actions a SET beat_at = clock_timestamp(), expires_at = {_UNTIL.format("$4")}
FROM (
    SELECT k.build_id, k.key FROM actions k
    JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS mine (build_id, key, token) USING (build_id, key, token)
    WHERE k.holder <> '' ORDER BY 1, 2 FOR UPDATE OF k
) AS kept WHERE a.build_id = kept.build_id AND a.key = kept.key
"""  # noqa: S608  constants
_FREED = "holder = '', beat_at = NULL, expires_at = NULL, offered_at = NULL, wanted_at = clock_timestamp()"
_BURY = f"""
UPDATE actions a SET {_FREED}
FROM (
    SELECT build_id, key FROM actions WHERE holder <> '' AND holder = ANY($1::text[]) ORDER BY 1, 2 FOR UPDATE
) AS dead WHERE a.build_id = dead.build_id AND a.key = dead.key
"""  # noqa: S608  constants
_BOARD = f"""
WITH {_NOW}
SELECT build_id, key, wanted, wanted_at, holder, token, beat_at, expires_at, {_LIVE_ACTION} AS live FROM actions a, now
WHERE ($1 = '' OR build_id = $1) AND (wanted OR {_LIVE_ACTION}) ORDER BY wanted_at, build_id, key
"""  # noqa: S608  constants
_HOLDERS_HERE = """
SELECT holder FROM actions WHERE holder <> '' AND starts_with(holder, $1)
UNION SELECT holder FROM leases WHERE holder <> '' AND starts_with(holder, $1)
"""
_OFFER = f"""
    (b.offered_at IS NULL OR b.offered_at <= (SELECT at FROM now) - make_interval(secs => $1))
    AND (SELECT {_LIVE_LEASE} FROM leases l, now WHERE l.build_id = b.build_id) IS NOT TRUE
"""  # noqa: S608  constants
_DUE = f"""
WITH {_NOW},
gone AS (
    DELETE FROM actions a USING (
        SELECT a.build_id, a.key FROM actions a, now WHERE NOT a.wanted AND NOT {_LIVE_ACTION} FOR UPDATE OF a SKIP LOCKED
    ) AS old WHERE a.build_id = old.build_id AND a.key = old.key
),
waiting AS MATERIALIZED (
    SELECT a.build_id, a.key, a.wanted_at FROM now, actions a JOIN build_runs b USING (build_id)
    WHERE a.wanted AND NOT {_LIVE_ACTION} AND b.control = 'running'
    AND (a.offered_at IS NULL OR a.offered_at <= now.at - make_interval(secs => $1))
    ORDER BY a.wanted_at, a.build_id, a.key LIMIT $2 FOR UPDATE OF a SKIP LOCKED
),
offered AS (
    UPDATE actions a SET offered_at = now.at FROM waiting w, now WHERE a.build_id = w.build_id AND a.key = w.key
),
unsettled AS (
    SELECT build_id FROM build_runs b WHERE (NOT settled OR control = 'stopping') AND {_OFFER}
    ORDER BY updated_at LIMIT $2 FOR UPDATE SKIP LOCKED
),
woken AS (
    SELECT build_id FROM build_runs b WHERE wake_at <= (SELECT at FROM now) AND {_OFFER}
    ORDER BY wake_at LIMIT $2 FOR UPDATE SKIP LOCKED
),
builds AS (
    UPDATE build_runs SET offered_at = (SELECT at FROM now)
    WHERE build_id = ANY(ARRAY(SELECT build_id FROM unsettled UNION SELECT build_id FROM woken LIMIT $2)) RETURNING build_id
)
SELECT ARRAY(SELECT build_id FROM builds), ARRAY(SELECT (build_id, key) FROM waiting ORDER BY wanted_at, build_id, key)
"""  # noqa: S608  constants
_BEAT = """
INSERT INTO workers (holder, name, slots, busy, started_at, beat_at, heartbeat_seconds, report)
VALUES ($1, $2, $3, $4, clock_timestamp(), clock_timestamp(), $5, $6)
ON CONFLICT (holder) DO UPDATE SET name = excluded.name, slots = excluded.slots, busy = excluded.busy,
    beat_at = excluded.beat_at, heartbeat_seconds = excluded.heartbeat_seconds, report = excluded.report
"""


# --- The whole build -----------------------------------------------------------------------------------------------


async def acquire(connection: Connection, build_id: str, holder: str, seconds: float, again: bool) -> Lease:
    """Take the lease on a build and clear its board. Raises NotFound; BuildIsRunning while it is held.

    `again`: an earlier try may have succeeded, so the holder itself does not count.
    """
    await bury_the_dead(connection, await holders_of(connection, build_id))
    lock = (_LOCK + _LOCK_ACTIONS).format(literal(build_id), "")
    async with transaction(connection, lock):
        found = await connection.fetch(
            f"WITH {_NOW} SELECT holder FROM leases l, now WHERE build_id = $1 AND {_LIVE_LEASE}"  # noqa: S608
            f" UNION ALL SELECT holder FROM actions a, now WHERE build_id = $1 AND {_LIVE_ACTION}",
            build_id,
        )
        others = [other for (other,) in found if not (again and other == holder)]
        if others:
            raise _is_running(build_id, others[0])
        token = await connection.fetchval(
            "WITH board AS (DELETE FROM actions WHERE build_id = $1),"  # noqa: S608  a constant
            " head AS (UPDATE build_runs SET settled = false WHERE build_id = $1)"
            f" UPDATE leases SET holder = $2, token = {_NEXT.format('leases', 0)}, expires_at = {_UNTIL.format('$3')}"
            " WHERE build_id = $1 RETURNING token",
            build_id,
            holder,
            seconds,
        )
        if token is None:
            raise not_found(build_id)
    return Lease(build_id, holder, token)


async def live_holder(connection: Connection, build_id: str) -> str | None:
    """Return the holder of the whole build, None when the lease has expired or its process is gone."""
    holder: str | None = await connection.fetchval(
        f"WITH {_NOW} SELECT holder FROM leases l, now WHERE build_id = $1 AND {_LIVE_LEASE}",  # noqa: S608
        text_of(build_id),
    )
    return holder if holder and may_live(holder) else None


# --- Its actions ---------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """Events to be appended, encoded, and the update of the board with them."""

    event: JournalEntry
    update: QueueUpdate


class Appended(NamedTuple):
    """What has happened to a build since the version that an entry was made for."""

    live: Sequence[str]
    """Keys of the actions that are held."""
    rows: Sequence[EventRow]
    """Its events after that version."""


Anew = Callable[[Appended], Entry]
"""Makes an entry anew that came too late."""


class SettledEntry(NamedTuple):
    """What has become of an entry."""

    free: list[str]
    """The keys that now wait for a process."""
    late: bool
    """Whether another process had appended since the version that it was made for."""


async def settle(
    connection: Connection, entry: Entry, again: bool, anew: Anew | None = None, *, look: bool = False
) -> SettledEntry:
    """Append and update the board, in three round trips; with `look`, see first whether the entry comes too late.

    One that does is made anew, under the lock; if it has leases only then, another locks their rows. Raises
    StaleVersion (without `anew`), LostLease, BuildIsRunning, NotFound, and has written nothing then.
    """
    build_id, leases = entry.event.build_id, entry.update.leases
    async with transaction(connection, _LOCK.format(literal(build_id)) + _lock_of(leases)):
        news = await _news(connection, entry) if look else None
        late = news is not None and bool(news.rows)
        known = None if late else await _apply(connection, entry)
        if known is None:
            news = news or await _news(connection, entry)
            late = bool(news.rows)
            if _was_done(entry, news, again):
                known = news.live
            elif late and anew is not None:
                entry = anew(news)
                if not leases and (taken_along := _lock_of(entry.update.leases)):
                    await connection.execute(taken_along)
                known = await _apply(connection, entry)
        if known is None:
            raise await _refusal(connection, entry)
        await connection.execute(f"{_SWEEP} AND build_id = {literal(build_id)}; COMMIT")
    update, taken = entry.update, set(known)
    return SettledEntry([key for key in update.wanted if key not in taken] if update.start else [], late)


def _lock_of(leases: Sequence[ActionLease]) -> str:
    """Return what locks all rows of the leases' holder; "" without a lease."""
    if not leases:
        return ""
    return _LOCK_ACTIONS.format(literal(leases[0].build_id), f"AND holder = {literal(leases[0].holder)}")


async def _news(connection: Connection, entry: Entry) -> Appended:
    build_id = entry.event.build_id
    version, live, rows = await connection.fetchrow(_NEWS, build_id, entry.event.expected)
    if version is None:
        raise not_found(build_id)
    return Appended(live, [(seq, DIALECT.text(at), kind, data, crc) for seq, at, kind, data, crc in rows])


async def _apply(connection: Connection, entry: Entry) -> Sequence[str] | None:
    """Return the keys of the board that are wanted or held then; None, and change nothing, when that is not possible."""
    update = entry.update
    done, known = await connection.fetchrow(
        _SETTLE,
        *parameters(entry.event),
        list(update.wanted),
        update.start,
        update.wake_at,
        *_columns(update.leases),
        list(update.ended),
    )
    return known if done else None


def _was_done(entry: Entry, news: Appended, again: bool) -> bool:
    """Return whether an earlier try of this entry had succeeded."""
    if entry.event.rows:
        return recorded_rows(entry.event) == list(news.rows[: len(entry.event.rows)])
    # It appended nothing. After a lost answer, an action that is no longer ours is over, as intended.
    return again and bool(entry.update.ended) and not news.rows


async def _refusal(connection: Connection, entry: Entry) -> Exception:
    build_id = entry.event.build_id
    version, lost, holder = await connection.fetchrow(_WHY_NOT, build_id, *_columns(entry.update.leases))
    if version is None:
        return not_found(build_id)
    if lost is not None:
        return LostLease(f"the lease on {lost} of build {build_id} went to another holder, or is over")
    return _is_running(build_id, holder) if holder else stale(entry.event, version)


def _columns(leases: Sequence[ActionLease]) -> tuple[list[str], list[int]]:
    return [lease.key for lease in leases], [lease.token for lease in leases]


async def claim(connection: Connection, holder: str, seconds: float, claim: WantedClaim) -> list[ActionLease]:
    """Take actions that are wanted and not held, in one round trip."""
    here, first = ([[name[place] for name in names] for place in (0, 1)] for names in (claim.here, claim.first))
    limit = min(claim.limit, MOST_CLAIMED)
    found = await connection.fetch(_CLAIM, holder, seconds, limit, list(claim.kinds), list(claim.left), *here, *first)
    return [
        ActionLease(build_id, key, holder, token, waited, version) for build_id, key, token, waited, version in found
    ]


async def keep(connection: Connection, leases: Sequence[ActionLease], seconds: float) -> None:
    """Renew leases, always in the same order, so that two callers never wait for each other."""
    columns = [[lease[place] for lease in leases] for place in (0, 1, 3)]
    await connection.execute(_KEEP, *columns, seconds)


async def drop(connection: Connection, lease: ActionLease) -> None:
    """Release an action; its row goes if it is not wanted."""
    wanted = await connection.fetchval(
        f"UPDATE actions SET {_FREED} WHERE build_id = $1 AND key = $2 AND token = $3 AND holder <> '' RETURNING wanted",  # noqa: S608
        *(lease.build_id, lease.key, lease.token),
    )
    if wanted is False:
        await connection.execute(f"{_SWEEP} AND build_id = $1 AND key = $2", lease.build_id, lease.key)


async def holdings(connection: Connection, holder: str) -> list[HeldAction]:
    """Return all that a holder has."""
    found = await connection.fetch(
        "SELECT a.build_id, a.key, a.token, a.wanted, b.version FROM actions a JOIN build_runs b USING (build_id)"
        " WHERE a.holder = $1 AND a.holder <> '' ORDER BY a.build_id, a.key",
        holder,
    )
    return [HeldAction(*row) for row in found]


async def board(connection: Connection, build_id: str) -> list[QueuedAction]:
    """Return the rows of one build, or of all ("")."""
    return [QueuedAction(*row) for row in await connection.fetch(_BOARD, text_of(build_id))]


async def due(connection: Connection, quiet_seconds: float, limit: int) -> Due:
    """Return builds and actions that wait for a process, and mark them as offered."""
    here = await connection.fetch(_HOLDERS_HERE, f"{this_host()}:")
    await bury_the_dead(connection, [holder for (holder,) in here])
    builds, actions = await connection.fetchrow(_DUE, quiet_seconds, limit)
    return Due(tuple(builds), tuple((build_id, key) for build_id, key in actions))


# --- Which processes live ------------------------------------------------------------------------------------------


async def holders_of(connection: Connection, build_id: str, key: str = "") -> list[str]:
    """Return the holders of a build or its actions (one action when given), with expired leases."""
    found = await connection.fetch(
        "SELECT holder FROM leases WHERE build_id = $1 AND holder <> ''"
        " UNION SELECT holder FROM actions WHERE build_id = $1 AND holder <> '' AND ($2 = '' OR key = $2)",
        build_id,
        key,
    )
    return [holder for (holder,) in found]


async def bury_the_dead(connection: Connection, holders: Sequence[str]) -> bool:
    """Release all that dead processes of this host hold; return whether there was one. They never come back."""
    dead = [holder for holder in holders if not may_live(holder)]
    if dead:
        await connection.execute(_BURY, dead)
        await connection.execute("UPDATE leases SET holder = '' WHERE holder <> '' AND holder = ANY($1::text[])", dead)
    return bool(dead)


async def beat(connection: Connection, worker: WorkerRow) -> None:
    """Write a worker's row."""
    row: tuple[Any, ...] = (worker.holder, text_of(worker.name), worker.slots, worker.busy, worker.heartbeat_seconds)
    await connection.execute(_BEAT, *row, text_of(worker.report))


async def sign_off(connection: Connection, holder: str) -> None:
    """Remove a worker, those known to be dead, and those silent for a day."""
    known = await connection.fetch("SELECT holder FROM workers")
    gone = [holder, *(other for (other,) in known if not may_live(other))]
    await connection.execute(
        "DELETE FROM workers WHERE holder = ANY($1::text[]) OR beat_at < clock_timestamp() - $2::text::interval",
        gone,
        _SILENT_FOR_GOOD,
    )


def _is_running(build_id: str, holder: str) -> BuildIsRunning:
    return BuildIsRunning(
        f"build {build_id} is being run by {in_words(holder)}",
        fix="watch it from here with `buildwright status`, or stop it with `buildwright stop` first",
    )
