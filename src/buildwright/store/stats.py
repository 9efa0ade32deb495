"""Counts the events of the journals into the tables of stats. Must never count an event twice, nor leave one out.

Each build's position says which of its events are counted. It moves in the transaction that changes the sums, so a
process that is killed in between has counted nothing of that transaction. The steps are generators of statements, so
that they run on any of our connections: of SQLAlchemy, of `sqlite3` and of asyncpg. Nothing here costs an append more
than the look at a trigger's condition.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import TypeAdapter

from buildwright.core import event as e
from buildwright.core.event import AnyEvent, Event
from buildwright.core.repetition import rejection_of
from buildwright.core.work_clock import WorkClock
from buildwright.errors import StoreFailed
from buildwright.store.asking import Asking, Query, run_on_sqlite
from buildwright.store.rows import event_of
from buildwright.store.values import to_time
from buildwright.views.stats import bucket_of

_CLOCK: Final = TypeAdapter(WorkClock)
_MOST = 1000
"""Events that are counted in one transaction: some ten milliseconds."""
COST_UNITS: Final = 10**10
"""Parts of a US dollar that costs are summed in, as whole numbers, so that their order does not matter."""
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = 3_600_000
_SUMS = (
    *("succeeded", "failed", "skipped", "first_pass", "attempts", "requests", "input_tokens", "output_tokens"),
    *("cache_read_tokens", "cache_write_tokens", "cost", "unpriced", "timed", "duration"),
)
_COUNTED = frozenset(
    (
        *("task.started", "tokens.used", "agent.finished", "agent.broke", "patch.judged", "loop.detected"),
        *("merge.conflicted", "merge.judged", "change.landed", "change.undone"),
        *("task.retried", "task.failed", "task.skipped"),
    )
)
_MOVING = frozenset(name for name, kind in e.EVENT_TYPES.items() if WorkClock.is_moved_by(kind))
"""Those that may change how the working time of a build stands."""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('buildwright stats', 0))"
"""Held on PostgreSQL to the end of every transaction that counts. SQLite has one writer anyway."""
_VERSION = "SELECT version FROM build_runs WHERE build_id = $1 FOR UPDATE"
BEHIND = """
SELECT p.build_id, p.seq, p.lanes, p.clock, r.user_id, r.version, r.completed_at IS NOT NULL FROM metrics_positions p
JOIN build_runs r ON r.build_id = p.build_id WHERE (r.version > p.seq OR r.completed_at IS NOT NULL)
"""
"""The builds of which something is left to count."""
_EVENTS = (
    "SELECT seq, at, type, data FROM events WHERE build_id = $1 AND seq > $2 AND seq <= $3"  # noqa: S608  a constant
    f" AND type IN {(*sorted(_COUNTED | _MOVING),)} ORDER BY seq LIMIT $4"
)
_MOVES = (
    "SELECT at, type FROM events WHERE build_id = $1 AND seq <= $2"  # noqa: S608  a constant
    f" AND type IN {(*sorted(_MOVING),)} ORDER BY seq"
)
_ADD = (
    f"INSERT INTO metrics_sums (hour, user_id, pruned, {', '.join(_SUMS)})"  # noqa: S608  names of ours
    f" VALUES ({', '.join(f'${number}' for number in range(1, len(_SUMS) + 4))}) ON CONFLICT (hour, user_id, pruned)"
    f" DO UPDATE SET {', '.join(f'{name} = metrics_sums.{name} + excluded.{name}' for name in _SUMS)}"
)
_CLEAR = (
    "DELETE FROM metrics_sums WHERE hour = $1 AND user_id = $2 AND pruned = $3"  # noqa: S608  names of ours
    f" AND {' AND '.join(f'{name} = 0' for name in _SUMS)}"
)
_DURATIONS = "hours = $1 AND hour = $2 AND user_id = $3 AND pruned = $4"
_KEEP_DURATIONS = (
    "INSERT INTO metrics_durations (hours, hour, user_id, pruned, buckets) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (hours, hour, user_id, pruned) DO UPDATE SET buckets = excluded.buckets"
)
_KEEP_TASKS = (
    "INSERT INTO metrics_tasks (build_id, task, started, ended, result, attempt, took)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
    " ON CONFLICT (build_id, task) DO UPDATE SET started = excluded.started, ended = excluded.ended,"
    " result = excluded.result, attempt = excluded.attempt, took = excluded.took"
)
_KEEP_ATTEMPTS = (
    "INSERT INTO metrics_attempts (build_id, task, attempt, result) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (build_id, task, attempt) DO UPDATE SET result = excluded.result"
)


SPANS = (1, 24)
"""Hours of the spans of which durations are kept: weeks are made of days."""


class _Position(NamedTuple):
    """A row of `BEHIND`."""

    build_id: str
    seq: int
    lanes: int | None
    clock: str | None
    user_id: str
    version: int
    ended: bool


@dataclass(slots=True)
class _Task:
    """How a task is counted, as a row of `metrics_tasks` has it; `result` "" is not at all."""

    started: int | None = None
    ended: int = 0
    result: Literal["", "succeeded", "failed", "skipped"] = ""
    attempt: int = 0
    took: int | None = None


class _Counting:
    """What some events of one build change. A task that is opened again is taken out of the hour it was counted in."""

    def __init__(self, lanes: bool, tasks: dict[str, _Task], clock: WorkClock) -> None:
        self.lanes = lanes
        self.clock = clock
        self.worked = 0
        self.tasks = tasks
        self.changed: set[str] = set()
        self.attempts: dict[tuple[str, int], str] = {}
        self.sums: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.durations: Counter[tuple[int, int]] = Counter()

    def move(self, at: datetime, kind: type[Event]) -> None:
        """Have the clock of the build stand as of one more event."""
        self.clock = self.clock.after(kind, at)
        self.worked = _milliseconds(at - self.clock.rested_at(at))

    def add(self, at: int, event: AnyEvent) -> None:
        """Count one more event, of a time in milliseconds, for which the clock was moved."""
        match event:
            case e.TokensUsed():
                self._spend(self.sums[at // _HOUR], event)
            case e.TaskStarted():
                self.sums[at // _HOUR]["attempts"] += 1
                self.attempts[event.task, event.attempt] = "open"
                task = self._reopened(event.task)
                task.started = self.worked if task.started is None else task.started
            case e.ChangeLanded():
                self._landed(event, at)
            case e.AgentFinished() if not self.lanes:
                self._landed(event, at)
            case e.AgentFinished() if event.patch is None:
                self.attempts[event.task, event.attempt] = "empty"
            case e.TaskFailed():
                self._end(event.task, "failed", at)
            case e.TaskSkipped():
                self._end(event.task, "skipped", at)
            case e.TaskRetried():
                self._reopened(event.task)
            case e.ChangeUndone():
                self.attempts[event.task, event.attempt] = "undone"
                self._reopened(event.task).started = None
            case _:
                self._rejected(event)

    def _spend(self, sums: Counter[str], used: e.TokensUsed) -> None:
        sums["requests"] += 1
        for kind in ("input", "output", "cache_read", "cache_write"):
            sums[f"{kind}_tokens"] += getattr(used, f"{kind}_tokens")
        if used.cost_usd is None:
            sums["unpriced"] += 1
        else:
            sums["cost"] += round(used.cost_usd * COST_UNITS)

    def _rejected(self, event: AnyEvent) -> None:
        """Note why an attempt was rejected. What has landed stays so: a conflict is then one of taking it back."""
        rejection = rejection_of(event)
        task: str = getattr(event, "task", "")
        if rejection and not (task in self.tasks and self.tasks[task].result == "succeeded"):
            self.attempts[task, event.attempt] = rejection  # type: ignore[union-attr]

    def _landed(self, event: e.ChangeLanded | e.AgentFinished, at: int) -> None:
        self.attempts[event.task, event.attempt] = "landed"
        self._end(event.task, "succeeded", at, event.attempt)

    def _end(self, name: str, result: Literal["succeeded", "failed", "skipped"], at: int, attempt: int = 0) -> None:
        """Count a task as ended, unless it is counted so already: a change that is put on another base lands again."""
        if name in self.tasks and self.tasks[name].result == result:
            return
        task = self._reopened(name)
        task.ended, task.result, task.attempt = at, result, attempt
        task.took = max(self.worked - task.started, 0) if task.started is not None else None
        self._count(task, 1)

    def _reopened(self, name: str) -> _Task:
        """Return a task that is not counted, or not any more."""
        task = self.tasks.setdefault(name, _Task())
        self.changed.add(name)
        if task.result:
            self._count(task, -1)
            if task.took is not None:  # the time that it was over is not its own
                task.started = self.worked - task.took
            task.result, task.attempt, task.took = "", 0, None
        return task

    def _count(self, task: _Task, sign: int) -> None:
        hour = task.ended // _HOUR
        sums = self.sums[hour]
        sums[task.result] += sign
        if task.result == "succeeded" and task.attempt == 1:
            sums["first_pass"] += sign
        if task.result != "skipped" and task.took is not None:
            sums["timed"] += sign
            sums["duration"] += sign * task.took
            self.durations[hour, bucket_of(task.took)] += sign


def count_some(*, postgres: bool) -> Asking[bool]:
    """Count events that are not counted yet; return whether more may be left. One call is one transaction."""
    if postgres:
        yield Query(LOCK)
    behind = yield Query(f"{BEHIND} LIMIT 100")
    left = _MOST
    for row in behind:
        left -= yield from _count_build(_Position(*row), left)
        if left <= 0:
            return True
    return len(behind) == 100


def count_in_file(path: Path) -> None:
    """Count all that is new in a SQLite file, unless it cannot be: the next question counts it then."""
    with suppress(sqlite3.Error, StoreFailed), closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as file:
        more = True
        while more:
            file.execute("BEGIN IMMEDIATE")
            more = run_on_sqlite(file, count_some(postgres=False))
            file.execute("COMMIT")


def forget(*, postgres: bool) -> Asking[None]:
    """Forget what is counted, except of builds that were pruned: all journals are to be counted anew."""
    if postgres:
        yield Query(LOCK)
    for table in ("metrics_sums", "metrics_durations"):
        yield Query(f"DELETE FROM {table} WHERE pruned = 0")  # noqa: S608  a constant
    for table in ("metrics_tasks", "metrics_attempts", "metrics_positions"):
        yield Query(f"DELETE FROM {table}")  # noqa: S608  a constant
    yield Query(
        "INSERT INTO metrics_positions (build_id, seq) SELECT build_id, 0 FROM build_runs WHERE 1 = 1"
        " ON CONFLICT (build_id) DO NOTHING"
    )


def keep_pruned(build_id: str) -> Asking[None]:
    """Count all of a build that is about to be removed, and keep its figures apart: no journal has them any more.

    In the transaction that removes its head row.
    """
    while behind := (yield Query(f"{BEHIND} AND p.build_id = $1", (build_id,))):
        yield from _count_build(_Position(*behind[0]), _MOST)
    found = yield Query("SELECT user_id, version FROM build_runs WHERE build_id = $1", (build_id,))
    for user_id, version in found:
        counting = yield from _begun(build_id, {})
        seq = 0
        while seq < version:
            seq, _ = yield from _read(counting, build_id, seq, version, _MOST)
        yield from _add(counting, user_id, pruned=0, sign=-1)
        yield from _add(counting, user_id, pruned=1, sign=1)


def _count_build(position: _Position, most: int) -> Asking[int]:
    """Count at most `most` events of a build; return how many."""
    build_id, seq, lanes, clock, user_id, version, ended = position
    rows = yield Query(
        "SELECT task, started, ended, result, attempt, took FROM metrics_tasks WHERE build_id = $1", (build_id,)
    )
    tasks = {name: _Task(*fields) for name, *fields in rows}
    if lanes is None or clock is None:
        counting = yield from _begun(build_id, tasks, seq)
    else:
        counting = _Counting(bool(lanes), tasks, _CLOCK.validate_json(clock))
    seq, number = yield from _read(counting, build_id, seq, version, most)
    yield from _add(counting, user_id, pruned=0, sign=1)
    changed = [(name, counting.tasks[name]) for name in sorted(counting.changed)]
    kept = [(build_id, name, one.started, one.ended, one.result, one.attempt, one.took) for name, one in changed]
    yield Query(_KEEP_TASKS, many=kept)
    yield Query(_KEEP_ATTEMPTS, many=[(build_id, *attempt, result) for attempt, result in counting.attempts.items()])
    if seq == version and ended:
        newest = yield Query(_VERSION, (build_id,))
        if [tuple(row) for row in newest] == [(seq,)]:
            # From now on only the trigger that sees it go on makes a position for it.
            yield Query("DELETE FROM metrics_positions WHERE build_id = $1", (build_id,))
            return number
    stands = _CLOCK.dump_json(counting.clock).decode()
    yield Query(
        "UPDATE metrics_positions SET seq = $2, lanes = $3, clock = $4 WHERE build_id = $1",
        (build_id, seq, int(counting.lanes), stands),
    )
    return number


def _read(counting: _Counting, build_id: str, after: int, upto: int, most: int) -> Asking[tuple[int, int]]:
    """Count at most `most` events after one; return up to which all are counted, and how many they were."""
    rows = yield Query(_EVENTS, (build_id, after, upto, most))
    for seq, at, kind, data in rows:
        moment = _moment(at)
        counting.move(moment, e.EVENT_TYPES[kind])
        if kind in _COUNTED:
            with suppress(StoreFailed):  # `doctor` names what cannot be read; the others are counted nevertheless
                counting.add(_milliseconds(moment), event_of(build_id, seq, kind, data))
    return (rows[-1][0] if len(rows) == most else upto), len(rows)


def _add(counting: _Counting, user_id: str, *, pruned: int, sign: int) -> Asking[None]:
    sums: list[tuple[Any, ...]] = [
        (hour, user_id, pruned, *(sign * counts[name] for name in _SUMS))
        for hour, counts in sorted(counting.sums.items())
        if any(counts.values())
    ]
    yield Query(_ADD, many=sums)
    yield Query(_CLEAR, many=[row[:3] for row in sums if min(row[3:]) < 0])
    more: defaultdict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for (hour, bucket), tasks in counting.durations.items():
        for hours in SPANS:
            more[hours, hour // hours * hours][bucket] += sign * tasks
    for span, changes in sorted(more.items()):
        yield from _add_durations((*span, user_id, pruned), changes)


def _add_durations(key: tuple[Any, ...], changes: Counter[int]) -> Asking[None]:
    """Change the durations of an hour or a day. In one row, so that asking takes the same over few tasks and over many."""
    found = yield Query(f"SELECT buckets FROM metrics_durations WHERE {_DURATIONS}", key)  # noqa: S608  a constant
    counts = _buckets_in(found[0][0]) if found else Counter()
    counts.update(changes)
    if any(counts.values()):
        flat = [number for bucket in sorted(counts) if counts[bucket] for number in (bucket, counts[bucket])]
        yield Query(_KEEP_DURATIONS, (*key, json.dumps(flat, separators=(",", ":"))))
    else:
        yield Query(f"DELETE FROM metrics_durations WHERE {_DURATIONS}", key)  # noqa: S608  a constant


def _buckets_in(text: str) -> Counter[int]:
    """Return how many tasks are in each bucket, of a row of `metrics_durations`."""
    flat = json.loads(text)
    return Counter(dict(zip(flat[::2], flat[1::2], strict=True)))


def _begun(build_id: str, tasks: dict[str, _Task], upto: int = 0) -> Asking[_Counting]:
    """Return the counting of a build after its first events, of which `tasks` are counted.

    Without lanes a task is done when its agent has finished.
    """
    lanes, clock = True, WorkClock()
    first = yield Query("SELECT seq, at, type, data FROM events WHERE build_id = $1 AND seq = 1", (build_id,))
    for seq, at, kind, data in first:
        with suppress(StoreFailed):
            created = event_of(build_id, seq, kind, data)
            if isinstance(created, e.BuildCreated):
                lanes, clock = created.options.lanes, WorkClock.of(_moment(at), by_hand=created.options.by_hand)
    counting = _Counting(lanes, tasks, clock)
    for at, kind in (yield Query(_MOVES, (build_id, upto))) if upto else ():
        counting.move(_moment(at), e.EVENT_TYPES[kind])
    return counting


def _moment(at: str | datetime) -> datetime:
    """Return a time of a row, which SQLite keeps as text."""
    return to_time(at) if isinstance(at, str) else at


def _milliseconds(moment: datetime) -> int:
    """Return a time in milliseconds since 1970."""
    return (moment - _FIRST) // timedelta(milliseconds=1)
