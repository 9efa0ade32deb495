"""Removes finished builds, old log lines and unnamed artifacts from PostgreSQL. Must never touch a live build.

Functions of a connection, in the order of `retention`: first the head row, under the lock on the build's row in
`leases` that a process takes before it works on the build; then the rows that only it made reachable, in pieces whose
locks block no process. PostgreSQL's autovacuum reuses the space.
"""

from __future__ import annotations

from buildwright.core.failpoint import failpoint
from buildwright.errors import BuildIsRunning, Conflict
from buildwright.ports import Loose, Weight
from buildwright.store import lesson_sums, money, stats
from buildwright.store.lease_holders import in_words, is_here, may_live
from buildwright.store.postgres_pool import Connection, literal, transaction
from buildwright.store.postgres_rows import find_version, not_found, text_of
from buildwright.store.retention import CUT, ENDED, HASH, IN_PIECES

_PIECE = 5_000
"""Rows that are deleted in one transaction."""
_SILENT_FOR_GOOD = "1 day"
"""A holder on another machine whose lease expired longer ago does not come back."""
_LOCK = "SELECT 1 FROM leases WHERE build_id = {} FOR UPDATE"
_HELD = f"""
SELECT holder, expires_at > clock_timestamp() - interval '{_SILENT_FOR_GOOD}' FROM leases
WHERE holder <> '' AND ($1 = '' OR build_id = $1)
UNION SELECT holder, expires_at > clock_timestamp() - interval '{_SILENT_FOR_GOOD}' FROM actions
WHERE holder <> '' AND ($1 = '' OR build_id = $1)
"""  # noqa: S608  constants
_WEIGH = """
SELECT (SELECT count(*) FROM events WHERE build_id = $1), (SELECT count(*) FROM logs WHERE build_id = $1),
    (SELECT coalesce(sum(pg_column_size(e.*)), 0) FROM events e WHERE build_id = $1)
    + (SELECT coalesce(sum(pg_column_size(s.*)), 0) FROM snapshots s WHERE build_id = $1)
    + (SELECT coalesce(sum(pg_column_size(l.*)), 0) FROM logs l WHERE build_id = $1)
    + (SELECT coalesce(sum(pg_column_size(a.*)), 0) FROM answers a WHERE build_id = $1)
"""
_DELETE_HEAD = """
WITH head AS (DELETE FROM build_runs WHERE build_id = $1),
board AS (DELETE FROM actions WHERE build_id = $1),
asked AS (DELETE FROM received_events WHERE build_id = $1),
hosted AS (DELETE FROM hosted_builds WHERE build_id = $1),
counted AS (DELETE FROM metrics_tasks WHERE build_id = $1),
attempts AS (DELETE FROM metrics_attempts WHERE build_id = $1),
positions AS (DELETE FROM metrics_positions WHERE build_id = $1)
DELETE FROM leases WHERE build_id = $1
"""
_DELETE_PIECE = """
DELETE FROM {0} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {0} WHERE build_id = $1 LIMIT $2))
AND build_id = $1 AND NOT EXISTS (SELECT 1 FROM build_runs WHERE build_id = $1)
"""
# In steps along the key, which costs as much as there are builds, not rows.
_ORPHANS = """
WITH RECURSIVE ids AS (
    (SELECT build_id FROM {0} ORDER BY build_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.build_id FROM {0} o WHERE o.build_id > ids.build_id ORDER BY o.build_id LIMIT 1)
    FROM ids WHERE ids.build_id IS NOT NULL
)
SELECT build_id FROM ids WHERE build_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM build_runs b WHERE b.build_id = ids.build_id)
"""
# A build's log may be a little ahead of its first event: that is no orphan yet.
_IS_SETTLED = """
 AND (SELECT at FROM logs l WHERE l.build_id = ids.build_id ORDER BY seq DESC LIMIT 1) < clock_timestamp() - interval '1 hour'
"""
_TO_CUT = """
SELECT count(*), coalesce(max(seq), 0) FROM logs WHERE build_id = $1
"""
_SAY_CUT = "UPDATE logs SET task = '', attempt = 0, kind = 'engine', text = $3 WHERE build_id = $1 AND seq = $2"
_CUT_PIECE = """
DELETE FROM logs WHERE build_id = $1 AND seq < $2 AND seq IN (SELECT seq FROM logs WHERE build_id = $1 ORDER BY seq LIMIT $3)
"""
_UNNAMED = """
WITH named AS MATERIALIZED (
    SELECT DISTINCT found[1] AS digest FROM events e,
        regexp_matches(e.data, '(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])', 'g') AS found
    WHERE length(e.data) >= 64
)
SELECT digest, size FROM artifacts WHERE digest = ANY($1::text[]) AND digest NOT IN (SELECT digest FROM named)
"""
_DELETE_ARTIFACTS = """
DELETE FROM artifacts a USING unnest($1::text[], $2::text[]) AS old (digest, version)
WHERE a.digest = old.digest AND a.xmin::text = old.version
"""


async def weigh(connection: Connection, build_id: str) -> Weight:
    """Return rows and bytes of a build. Raises NotFound."""
    await find_version(connection, build_id)
    events, lines, size = await connection.fetchrow(_WEIGH, build_id)
    return Weight(events, lines, int(size))


async def retire_head(connection: Connection, build_id: str) -> None:
    """Remove a build's head row, lease and board; the stats keep what it came to. Harmless when it is gone.

    Raises Conflict, BuildIsRunning, StoreFailed.
    """
    failpoint("prune.journal.before")
    async with transaction(connection, _LOCK.format(literal(build_id))):
        # Before the lock on the head row, in the order of those who count.
        await connection.execute(stats.LOCK)
        if await connection.fetchval("SELECT 1 FROM build_runs WHERE build_id = $1 FOR UPDATE", build_id):
            await _refuse_live(connection, build_id)
            await stats.run_on_postgres(connection, stats.keep_pruned(build_id))
            await stats.run_on_postgres(connection, money.forget_build(build_id))
            await stats.run_on_postgres(connection, lesson_sums.keep_sums(build_id))
            await connection.execute(_DELETE_HEAD, build_id)
    failpoint("prune.journal.after")


async def delete_piece(connection: Connection, build_id: str) -> bool:
    """Delete some rows of a build that has no head row; return False when none is left."""
    for table in IN_PIECES:
        if await connection.execute(_DELETE_PIECE.format(table), build_id, _PIECE) != "DELETE 0":
            failpoint("prune.rows.after")
            return True
    return False


async def orphans(connection: Connection) -> list[str]:
    """Return builds that have rows and no head row."""
    found: set[str] = set()
    for table in IN_PIECES:
        rows = await connection.fetch(_ORPHANS.format(table) + (_IS_SETTLED if table == "logs" else ""))
        found.update(build_id for (build_id,) in rows)
    return sorted(found)


async def begin_trim(connection: Connection, build_id: str, most: int) -> int:
    """Write into the log which lines go; return the number of that line, 0 when there are not too many.

    Written first: a process killed in the middle leaves too many lines, never an unexplained gap. Raises NotFound,
    Conflict, BuildIsRunning.
    """
    async with transaction(connection, _LOCK.format(literal(build_id))):
        await _refuse_live(connection, build_id)
        count, last = await connection.fetchrow(_TO_CUT, build_id)
        # Lines are numbered from 1 without a gap, so the number of the last one cut is how many are missing.
        cut: int = last - most
        if cut < 1 or count <= most + 1:
            return 0
        await connection.execute(_SAY_CUT, build_id, cut, CUT.format(cut))
    return cut


async def trim_piece(connection: Connection, build_id: str, before: int) -> int:
    """Delete some of the oldest lines before that one; return how many."""
    gone: str = await connection.execute(_CUT_PIECE, build_id, before, _PIECE)
    return int(gone.rpartition(" ")[2])


async def named_ids(connection: Connection, build_id: str) -> frozenset[str]:
    """Return every hash in a journal, found by its form."""
    rows = await connection.fetch("SELECT data FROM events WHERE build_id = $1 AND length(data) >= 40", build_id)
    return frozenset(found for (data,) in rows for found in HASH.findall(data))


async def bytes_of_journals(connection: Connection) -> int:
    """Return how many bytes `sweep` has to read."""
    size: int = await connection.fetchval("SELECT pg_total_relation_size(to_regclass('events'))")
    return size


async def sweep(connection: Connection, *, remove: bool) -> Loose:
    """Return the artifacts that no journal names, and delete them if `remove`.

    Without a lock, so in this order: list artifacts with their row versions; check that no process may be about to name
    one; find the named ones. An artifact that is put again meanwhile has another version, and stays.
    """
    noted = dict(await connection.fetch("SELECT digest, xmin::text FROM artifacts"))
    live = await _holders(connection)
    if not noted:
        return Loose(0, 0)
    found = dict(await connection.fetch(_UNNAMED, list(noted)))
    if live:
        return Loose(0, 0, len(found))
    if remove and found:
        failpoint("prune.artifacts.before")
        await connection.execute(_DELETE_ARTIFACTS, list(found), [noted[digest] for digest in found])
        failpoint("prune.artifacts.after")
    return Loose(len(found), sum(found.values()))


async def _refuse_live(connection: Connection, build_id: str) -> None:
    control = await connection.fetchval("SELECT control FROM build_runs WHERE build_id = $1", text_of(build_id))
    if control is None:
        raise not_found(build_id)
    if control not in ENDED:
        raise Conflict(f"build {build_id} has not ended", fix=f"stop it first with `buildwright stop {build_id}`")
    holders = await _holders(connection, build_id)
    if holders:
        raise BuildIsRunning(f"build {build_id} is still held by {in_words(holders[0])}")


async def _holders(connection: Connection, build_id: str = "") -> list[str]:
    """Return holders that may be at work, on one build or any. More careful than `take`: a holder counts with an
    expired lease too, here while it lives, because it can still renew it, elsewhere for a day."""
    rows = await connection.fetch(_HELD, build_id)
    return sorted(holder for holder, lately in rows if may_live(holder) and (lately or is_here(holder)))
