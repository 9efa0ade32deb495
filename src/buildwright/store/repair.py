"""Finds rows that killed processes left, and rows that contradict the journal, on both databases. Changes nothing.

The journal is the truth: everything else is mended from it or removed. A damaged journal is named and never touched.
Steps (`asking`) of one moment; each way to mend is steps too, of one transaction or several, which check again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from buildwright.core.apply import apply
from buildwright.core.build import Build, Control
from buildwright.core.event import Recorded
from buildwright.core.snapshot import dump, parse
from buildwright.errors import IllegalMove, StoreFailed
from buildwright.ports import Leftover, RepairResult
from buildwright.store import retention
from buildwright.store.asking import Asking, Query
from buildwright.store.dialect import Dialect, Steps
from buildwright.store.lease_holders import may_live
from buildwright.store.rows import recorded_from, text_crc
from buildwright.views.runtime import head_change
from buildwright.views.statuses import BuildPhase

Mend: TypeAlias = Callable[[Steps[bool]], Awaitable[bool]]
"""Runs steps in a transaction of their own, and returns whether they changed something."""
MOST_EVENTS = 200_000
"""Most events in all that are replayed to compare them with head rows and snapshots, the newest builds first."""
_HEAD = ("phase", "control", "outcome", "current_task_id", "version")
_EVENTS = "SELECT seq, at, type, data, crc FROM events WHERE build_id = $1 ORDER BY seq"
_FREED = "holder = '', beat_at = NULL, expires_at = NULL, offered_at = NULL, wanted_at = {0}"
_SET_HEAD = """
UPDATE build_runs SET phase = $3, control = $4, outcome = $5, current_task_id = $6, version = $7, completed_at = $8
WHERE build_id = $1 AND version = $2 AND $7 = (SELECT max(seq) FROM events WHERE build_id = $1)
AND (phase <> $3 OR control <> $4 OR outcome <> $5 OR current_task_id <> $6 OR version <> $7
    OR (completed_at IS NOT NULL) <> $9)
RETURNING 1
"""
"""Unless a process has appended since: then it has been written, or is found next time."""


def dead_leases(dialect: Dialect, mend: Mend) -> Asking[list[RepairResult]]:
    """Return the leases on builds and actions of processes that are gone for certain."""
    found = []
    for table, key, since in (("leases", "''", "expires_at"), ("actions", '"key"', "beat_at")):
        statement = f"SELECT build_id, {key}, holder, token, {since} FROM {table} WHERE holder <> '' ORDER BY 1, 2"  # noqa: S608
        for build_id, action, holder, token, at in (yield Query(statement)):
            if not may_live(holder):
                where = f"build {build_id}{f', {action}' if action else ''} (held by {holder})"
                left = Leftover("a lease of a process that is gone", where, dialect.time(at) if at else None, 0)
                free = partial(_release, dialect, build_id, action, holder, token)
                found.append(RepairResult(left, partial(mend, free)))
    return found


def _release(dialect: Dialect, build_id: str, action: str, holder: str, token: int) -> Asking[bool]:
    now, mine = dialect.moment(), "build_id = $1 AND holder = $2 AND token = $3"
    if action:
        statement = f'UPDATE actions SET {_FREED.format(now)} WHERE {mine} AND "key" = $4 RETURNING 1'  # noqa: S608  ours
        return bool((yield Query(statement, (build_id, holder, token, action))))
    statement = f"UPDATE leases SET holder = '', expires_at = {now} WHERE {mine} RETURNING 1"  # noqa: S608  ours
    return bool((yield Query(statement, (build_id, holder, token))))


def orphaned_rows(dialect: Dialect, mend: Mend) -> Asking[list[RepairResult]]:
    """Return the builds that were being removed."""
    found = []
    for build_id in (yield from retention.orphans(dialect)):
        left = Leftover("rows of a build that was being removed", f"build {build_id}", None, 0)
        found.append(RepairResult(left, partial(_delete_orphan, mend, build_id)))
    return found


async def _delete_orphan(mend: Mend, build_id: str) -> bool:
    """Delete rows in pieces, so that no process waits long for a lock."""
    pieces = 0
    while await mend(partial(retention.delete_piece, build_id)):
        pieces += 1
    return pieces > 0


def contradictions(dialect: Dialect, shown: Path | str, mend: Mend) -> Asking[list[RepairResult]]:
    """Replay every journal once, and return where its head row and snapshots differ from the result."""
    left, found = MOST_EVENTS, []
    statement = f"SELECT build_id, completed_at, {', '.join(_HEAD)} FROM build_runs ORDER BY created_at DESC"  # noqa: S608
    for build_id, completed_at, *head in (yield Query(statement)):
        left -= head[-1]
        if left >= 0:
            columns = dict(zip(_HEAD, head, strict=True)) | {"completed": bool(completed_at)}
            found += yield from _journal(dialect, shown, mend, build_id, columns)
    return found


def _journal(
    dialect: Dialect, shown: Path | str, mend: Mend, build_id: str, head: dict[str, Any]
) -> Asking[list[RepairResult]]:
    rows = yield Query(_EVENTS, (build_id,))
    snapshots = yield Query("SELECT seq, data, crc FROM snapshots WHERE build_id = $1", (build_id,))
    where, found = f"build {build_id}", []
    kept = {seq: (text, crc) for seq, text, crc in snapshots}
    bad = dict.fromkeys(seq for seq in kept if seq > len(rows))
    build: Build | None = None
    try:
        facts = recorded_from(shown, build_id, 0, [(seq, dialect.text(at), *rest) for seq, at, *rest in rows])
        if not facts:
            raise StoreFailed("it has no events")
        for fact in facts:
            build = apply(build, fact)
            if fact.seq in kept and not _agrees(build_id, build, *kept[fact.seq]):
                bad[fact.seq] = None
    except (StoreFailed, IllegalMove) as error:
        what, fix = f"a journal that cannot be read: {error}", "restore the database from a backup"
        return [RepairResult(Leftover(what, where, None, 0, fix), None)]
    for seq in bad:
        text, crc = kept[seq]
        what = "a snapshot that does not match the journal (one is made again when it is needed)"
        left = Leftover(what, f"{where}, event {seq}", facts[min(seq, len(rows)) - 1].at, len(text))
        found.append(RepairResult(left, partial(mend, partial(_drop_snapshot, build_id, seq, crc))))
    right = _head_of(facts, build)
    if wrong := [name for name in (*_HEAD, "completed") if head[name] != right[name]]:
        what = f"a row in the list of builds that does not say what the journal says ({', '.join(wrong)})"
        write = partial(_set_head, dialect, build_id, head["version"], right, _completed(facts, right))
        found.append(RepairResult(Leftover(what, where, facts[-1].at, 0), partial(mend, write)))
    return found


def _head_of(facts: list[Recorded], build: Build | None) -> dict[str, Any]:
    """Return what the head row should say."""
    start: dict[str, Any] = {"phase": BuildPhase.PLANNING, "control": Control.RUNNING}
    start |= {"outcome": "", "current_task_id": "", "completed": False}
    return start | head_change((fact.event for fact in facts), build) | {"version": len(facts)}


def _completed(facts: list[Recorded], right: dict[str, Any]) -> datetime | None:
    ends = [fact.at for fact in facts if head_change([fact.event]).get("completed")]
    return ends[-1] if right["completed"] else None


def _agrees(build_id: str, build: Build, text: str, crc: int) -> bool:
    if crc != text_crc(build_id, build.version, text):
        return False
    try:
        return dump(parse(text)) == dump(build)
    except (ValueError, KeyError):
        return False


def _drop_snapshot(build_id: str, seq: int, crc: int) -> Asking[bool]:
    statement = "DELETE FROM snapshots WHERE build_id = $1 AND seq = $2 AND crc = $3 RETURNING 1"
    return bool((yield Query(statement, (build_id, seq, crc))))


def _set_head(
    dialect: Dialect, build_id: str, found: int, right: dict[str, Any], completed: datetime | None
) -> Asking[bool]:
    values = (str(right[name]) if name != "version" else right[name] for name in _HEAD)
    at = dialect.stored(completed) if completed else None
    return bool((yield Query(_SET_HEAD, (build_id, found, *values, at, bool(completed)))))
