"""`Builds`, `ActionQueue` and `Answers` in memory: the same answers and errors as the real ones. Must never touch a file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from buildwright.core.apply import fold
from buildwright.core.build import Build, Control
from buildwright.core.event import AnyEvent, BuildCreated, Recorded, encode
from buildwright.core.snapshot import dump, parse
from buildwright.errors import BuildIsRunning, Conflict, IllegalMove, LostLease, NotFound, StaleVersion
from buildwright.ports import (
    ActionLease,
    AnswerKey,
    BuildRow,
    Due,
    HeldAction,
    Late,
    Lease,
    LogEntry,
    LogLine,
    Loose,
    Mark,
    QueuedAction,
    QueueUpdate,
    Weight,
    WorkerRow,
)
from buildwright.store.lease_holders import in_words
from buildwright.views.runtime import head_change
from buildwright.views.statuses import BuildPhase
from tests.adapters.memory_board import ActionRows, quiet_since

_HASH = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Journal:
    head: BuildRow
    events: list[Recorded] = field(default_factory=list)
    snapshot: tuple[int, str] | None = None
    log: list[LogLine] = field(default_factory=list)
    holder: str = ""
    token: int = 0
    expires_at: datetime = _LONG_AGO
    board: ActionRows = field(default_factory=ActionRows)


class MemoryBuilds:
    """`Builds`, `ActionQueue` and `Answers` for one process. A holder lives until its lease runs out by `now`."""

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._journals: dict[str, _Journal] = {}
        self._artifacts: dict[str, bytes] = {}
        self._early_logs: dict[str, list[LogLine]] = {}
        self._answers: dict[AnswerKey, bytes] = {}
        self._workers: dict[str, WorkerRow] = {}

    async def create(self, build_id: str, events: Sequence[AnyEvent], at: datetime) -> list[Recorded]:
        first = events[0] if events else None
        if not isinstance(first, BuildCreated):
            raise IllegalMove("a journal starts with build.created")
        if first.build_id != build_id:
            raise IllegalMove(f"build.created names build {first.build_id}, the journal is of build {build_id}")
        if build_id in self._journals:
            raise Conflict(f"there is a build {build_id} already")
        journal = _Journal(
            BuildRow(
                build_id=build_id,
                project_id=first.project_id,
                user_id=first.user_id,
                title=first.spec.title,
                phase=BuildPhase.PLANNING,
                control=Control.RUNNING,
                outcome="",
                version=0,
                created_at=at,
                updated_at=at,
                completed_at=None,
                current_task_id="",
            ),
            log=self._early_logs.pop(build_id, []),
        )
        recorded = _extend(journal, events, at)
        self._journals[build_id] = journal
        return recorded

    async def append(
        self,
        build_id: str,
        expected: int,
        events: Sequence[AnyEvent],
        at: datetime,
        token: int | None = None,
        after: Build | None = None,
    ) -> list[Recorded]:
        journal = self._journal(build_id)
        if token is not None and token != journal.token:
            raise LostLease(f"the lease on build {build_id} went to another holder")
        if expected != journal.head.version:
            raise StaleVersion(f"build {build_id} is at event {journal.head.version}, not {expected}")
        journal.board.settled = False
        return _extend(journal, events, at, after)

    async def read(self, build_id: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        found = self._journal(build_id).events[max(after, 0) :]
        return found if limit is None else found[: max(limit, 0)]

    async def load(self, build_id: str) -> Build:
        journal = self._journal(build_id)
        if journal.snapshot is None:
            return fold(journal.events)
        seq, text = journal.snapshot
        return fold(journal.events[seq:], parse(text))

    async def keep_snapshot(self, build: Build) -> None:
        journal = self._journal(build.id)
        if build.version > journal.head.version:
            raise StaleVersion(
                f"build {build.id} is at event {journal.head.version}, the snapshot is of event {build.version}"
            )
        if journal.snapshot is None or journal.snapshot[0] < build.version:
            journal.snapshot = (build.version, dump(build))

    async def version(self, build_id: str) -> int:
        return self._journal(build_id).head.version

    async def marks(self, build_ids: Sequence[str]) -> dict[str, Mark]:
        known = {build_id: self._journals[build_id] for build_id in build_ids if build_id in self._journals}
        return {
            build_id: Mark(of.head.version, of.log[0].seq if of.log else 0, of.log[-1].seq if of.log else 0)
            for build_id, of in known.items()
        }

    async def rows(self, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
        heads = [journal.head for journal in self._journals.values() if journal.head.build_id.startswith(build_prefix)]
        return sorted(heads, key=lambda head: (head.created_at, head.build_id), reverse=True)[:limit]

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        journal = self._journal(build_id)
        at_work = (row.holder for row in journal.board.rows.values() if row.live(self._now()))
        running = await self.holder(build_id) or next(at_work, None)
        if running is not None:
            raise BuildIsRunning(f"build {build_id} is being run by {in_words(running)}")
        journal.board = ActionRows()
        journal.token += 1
        journal.holder, journal.expires_at = holder, self._now() + timedelta(seconds=seconds)
        return Lease(build_id, holder, journal.token)

    async def renew(self, lease: Lease, seconds: float) -> None:
        journal = self._journals.get(lease.build_id)
        if journal is None or (journal.holder, journal.token) != (lease.holder, lease.token):
            raise LostLease(f"the lease on build {lease.build_id} went to another holder, or was given up")
        journal.expires_at = self._now() + timedelta(seconds=seconds)

    async def release(self, lease: Lease) -> None:
        journal = self._journals.get(lease.build_id)
        if journal is not None and (journal.holder, journal.token) == (lease.holder, lease.token):
            journal.holder = ""

    async def holder(self, build_id: str) -> str | None:
        journal = self._journals.get(build_id)
        return journal.holder if journal and journal.holder and journal.expires_at > self._now() else None

    async def time(self) -> datetime:
        return self._now()

    async def settle(
        self,
        build_id: str,
        expected: int,
        events: Sequence[AnyEvent],
        at: datetime,
        settlement: QueueUpdate,
        after: Build | None = None,
        late: Late | None = None,
    ) -> tuple[list[Recorded], list[str]]:
        journal = self._journal(build_id)
        recorded = [Recorded(seq, at, event) for seq, event in enumerate(events, expected + 1)]
        if events and journal.events[expected : expected + len(events)] == recorded:
            rows = journal.board.rows
            live = {key for key, row in rows.items() if row.live(self._now())}
            return recorded, [key for key in settlement.wanted if key not in live] if settlement.start else []
        for lease in settlement.leases:
            if journal.board.holds(lease):
                continue
            raise LostLease(f"the lease on {lease.key} of build {build_id} went to another holder, or is over")
        running = await self.holder(build_id)
        if running is not None:
            raise BuildIsRunning(f"build {build_id} is being run by {in_words(running)}")
        if expected != journal.head.version:
            if late is None:
                raise StaleVersion(f"build {build_id} is at event {journal.head.version}, not {expected}")
            live = {key for key, row in journal.board.rows.items() if row.live(self._now())}
            return await self.settle(build_id, *late(journal.events[expected:], live))
        if events:
            _extend(journal, events, at, after)
        return recorded, journal.board.settle(settlement, self._now())

    async def take(self, build_id: str, key: str, holder: str, seconds: float) -> ActionLease | None:
        journal = self._journals.get(build_id)
        if journal is None or await self.holder(build_id):
            return None
        lease = ActionLease(build_id, key, holder, journal.token + 1, 0.0)
        taken = journal.board.take(lease, seconds, self._now())
        if taken is not None:
            journal.token, journal.holder = taken.token, ""
        return taken

    async def keep(self, leases: Sequence[ActionLease], seconds: float) -> None:
        for lease in leases:
            board = self._board(lease.build_id)
            if board.holds(lease):
                row = board.rows[lease.key]
                row.beat_at, row.expires_at = self._now(), self._now() + timedelta(seconds=seconds)

    async def drop(self, lease: ActionLease) -> None:
        board = self._board(lease.build_id)
        if board.holds(lease):
            board.rows[lease.key].free(self._now())
            board.sweep(self._now())

    async def holdings(self, holder: str) -> list[HeldAction]:
        return [
            HeldAction(build_id, key, row.token, row.wanted, journal.head.version)
            for build_id, journal in sorted(self._journals.items())
            for key, row in sorted(journal.board.rows.items())
            if holder and row.holder == holder
        ]

    async def board(self, build_id: str = "") -> list[QueuedAction]:
        found = [
            posted
            for of, journal in self._journals.items()
            if build_id in {"", of}
            for posted in journal.board.posted(of, self._now())
        ]
        return sorted(found, key=lambda posted: (posted.wanted_at, posted.build_id, posted.key))

    async def waiting(self, limit: int = 100) -> list[tuple[str, str]]:
        now = self._now()
        running = [of for of, journal in self._journals.items() if journal.head.control == Control.RUNNING]
        found = [(at, of, key) for of in running for at, key in self._journals[of].board.waiting(timedelta(0), now)]
        return [(build_id, key) for _, build_id, key in sorted(found)[:limit]]

    async def due(self, quiet_seconds: float, limit: int = 200) -> Due:
        now, quiet = self._now(), timedelta(seconds=quiet_seconds)
        builds, waiting = [], []
        for build_id, journal in self._journals.items():
            board, control = journal.board, journal.head.control
            woken = board.wake_at is not None and board.wake_at <= now
            is_due = not board.settled or woken or control == Control.STOPPING
            if is_due and quiet_since(board.offered_at, quiet, now) and await self.holder(build_id) is None:
                builds.append(build_id)
            if control == Control.RUNNING:
                waiting += [(at, build_id, key) for at, key in board.waiting(quiet, now)]
        actions = [(build_id, key) for _, build_id, key in sorted(waiting)[:limit]]
        for build_id in builds[:limit]:
            self._journals[build_id].board.offered_at = now
        for build_id, key in actions:
            self._journals[build_id].board.rows[key].offered_at = now
        return Due(tuple(builds[:limit]), tuple(actions))

    async def beat(self, worker: WorkerRow) -> None:
        known = self._workers.get(worker.holder)
        started_at = known.started_at if known else self._now()
        self._workers[worker.holder] = worker._replace(started_at=started_at, beat_at=self._now())

    async def workers(self) -> list[WorkerRow]:
        now = self._now()
        rows = [row._replace(silent_seconds=(now - row.beat_at).total_seconds()) for row in self._workers.values()]
        return sorted(rows, key=lambda row: (row.started_at, row.holder))

    async def sign_off(self, holder: str) -> None:
        self._workers.pop(holder, None)

    async def find_answer(self, key: AnswerKey) -> bytes | None:
        return self._answers.get(key)

    async def keep_answer(self, key: AnswerKey, answer: bytes) -> None:
        self._answers.setdefault(key, bytes(answer))

    async def write_log(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        journal = self._journals.get(build_id)
        log = journal.log if journal else self._early_logs.setdefault(build_id, [])
        log.extend(LogLine(seq, *entry) for seq, entry in enumerate(entries, (log[-1].seq if log else 0) + 1))

    async def read_log(
        self, build_id: str, after: int = 0, task: str = "", limit: int = 1000, tail: bool = False
    ) -> list[LogLine]:
        journal = self._journals.get(build_id)
        log = journal.log if journal else self._early_logs.get(build_id, [])
        found = [line for line in log if line.seq > after and task in {"", line.task}]
        return found[max(len(found) - limit, 0) :] if tail else found[:limit]

    async def put_artifact(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self._artifacts[digest] = bytes(content)
        return digest

    async def get_artifact(self, digest: str) -> bytes:
        if digest not in self._artifacts:
            raise NotFound(f"there is no artifact {digest}")
        return self._artifacts[digest]

    async def weigh(self, build_id: str) -> Weight:
        journal = self._journal(build_id)
        size = sum(len(encode(recorded.event)) for recorded in journal.events)
        return Weight(len(journal.events), len(journal.log), size + sum(len(line.text) for line in journal.log))

    async def retire(self, build_id: str) -> None:
        if build_id in self._journals:
            await self._refuse_live(build_id)
            del self._journals[build_id]
            self._answers = {key: kept for key, kept in self._answers.items() if key.build_id != build_id}

    async def finish_retiring(self) -> int:
        """Nothing is ever left half done."""
        return 0

    async def trim_log(self, build_id: str, most: int) -> int:
        await self._refuse_live(build_id)
        log = self._journals[build_id].log
        last = log[-1].seq if log else 0
        cut = last - most
        if cut < 1 or len(log) <= most + 1:
            return 0
        kept = [line for line in log if line.seq > cut]
        at = next(line.at for line in log if line.seq == cut)
        text = f"{cut} log lines before this one were cut by `buildwright prune`"
        self._journals[build_id].log = [LogLine(cut, at, "", 0, "engine", text), *kept]
        return len(log) - len(kept) - 1

    async def loose_artifacts(self) -> Loose:
        named = {found for build_id in self._journals for found in await self.named_ids(build_id)}
        loose = [len(content) for digest, content in self._artifacts.items() if digest not in named]
        at_work = (row for journal in self._journals.values() for row in journal.board.rows.values())
        held = [build_id for build_id in self._journals if await self.holder(build_id)]
        if held or any(row.live(self._now()) for row in at_work):
            return Loose(0, 0, len(loose))
        return Loose(len(loose), sum(loose))

    async def sweep_artifacts(self) -> Loose:
        found = await self.loose_artifacts()
        if found.number:
            named = {digest for build_id in self._journals for digest in await self.named_ids(build_id)}
            self._artifacts = {digest: kept for digest, kept in self._artifacts.items() if digest in named}
        return found

    async def named_ids(self, build_id: str) -> frozenset[str]:
        texts = (encode(recorded.event) for recorded in self._journal(build_id).events)
        return frozenset(found for text in texts for found in _HASH.findall(text))

    async def compact(self) -> int | None:
        """Memory is given back by itself."""
        return 0

    async def _refuse_live(self, build_id: str) -> None:
        if self._journal(build_id).head.control not in {Control.FINISHED, Control.STOPPED}:
            raise Conflict(f"build {build_id} has not ended", fix=f"stop it first with `buildwright stop {build_id}`")
        at_work = (row.holder for row in self._journal(build_id).board.rows.values() if row.live(self._now()))
        holder = await self.holder(build_id) or next(at_work, None)
        if holder is not None:
            raise BuildIsRunning(f"build {build_id} is still held by {holder}")

    async def close(self) -> None:
        """Nothing to let go of: what was kept can still be read."""

    def _board(self, build_id: str) -> ActionRows:
        journal = self._journals.get(build_id)
        return journal.board if journal else ActionRows()

    def _journal(self, build_id: str) -> _Journal:
        journal = self._journals.get(build_id)
        if journal is None:
            raise NotFound(f"there is no build {build_id}", fix="see the list with `buildwright status`")
        return journal


def _extend(journal: _Journal, events: Sequence[AnyEvent], at: datetime, after: Build | None = None) -> list[Recorded]:
    change = head_change(events, after)
    recorded = [Recorded(seq, at, event) for seq, event in enumerate(events, journal.head.version + 1)]
    journal.events.extend(recorded)
    head = journal.head
    journal.head = replace(
        head,
        version=head.version + len(events),
        updated_at=at,
        phase=change.get("phase", head.phase),
        control=change.get("control", head.control),
        outcome=change.get("outcome", head.outcome),
        current_task_id=change.get("current_task_id", head.current_task_id),
        completed_at=(at if change["completed"] else None) if "completed" in change else head.completed_at,
    )
    return recorded
