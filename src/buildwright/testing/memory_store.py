"""`Builds` in memory, for tests and trials: the same answers and errors as the real one, and nothing left when it is gone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from buildwright.core.apply import fold
from buildwright.core.build import Build, Control
from buildwright.core.event import AnyEvent, BuildCreated, Recorded, encode
from buildwright.core.projection import head_change
from buildwright.core.snapshot import dump, parse
from buildwright.core.wire import BuildPhase
from buildwright.errors import BuildIsRunning, Conflict, IllegalMove, LostLease, NotFound, StaleVersion
from buildwright.ports import BuildRow, Lease, LogEntry, LogLine, Loose, Weight

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


class MemoryBuilds:
    """`Builds` for one process. A holder lives until its lease runs out by `now`."""

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._journals: dict[str, _Journal] = {}
        self._artifacts: dict[str, bytes] = {}
        self._early_logs: dict[str, list[LogLine]] = {}

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
        self, build_id: str, expected: int, events: Sequence[AnyEvent], at: datetime, token: int | None = None
    ) -> list[Recorded]:
        journal = self._journal(build_id)
        if token is not None and token != journal.token:
            raise LostLease(f"the lease on build {build_id} went to another holder")
        if expected != journal.head.version:
            raise StaleVersion(f"build {build_id} is at event {journal.head.version}, not {expected}")
        return _extend(journal, events, at)

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

    async def rows(self, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
        heads = [journal.head for journal in self._journals.values() if journal.head.build_id.startswith(build_prefix)]
        return sorted(heads, key=lambda head: (head.created_at, head.build_id), reverse=True)[:limit]

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        journal = self._journal(build_id)
        running = await self.holder(build_id)
        if running is not None:
            raise BuildIsRunning(f"build {build_id} is being run by {running}")
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
        if [build_id for build_id in self._journals if await self.holder(build_id)]:
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
        holder = await self.holder(build_id)
        if holder is not None:
            raise BuildIsRunning(f"build {build_id} is still held by {holder}")

    async def close(self) -> None:
        """Nothing to let go of: what was kept can still be read."""

    def _journal(self, build_id: str) -> _Journal:
        journal = self._journals.get(build_id)
        if journal is None:
            raise NotFound(f"there is no build {build_id}", fix="see the list with `buildwright status`")
        return journal


def _extend(journal: _Journal, events: Sequence[AnyEvent], at: datetime) -> list[Recorded]:
    change = head_change(events)
    recorded = [Recorded(seq, at, event) for seq, event in enumerate(events, journal.head.version + 1)]
    journal.events.extend(recorded)
    head = journal.head
    journal.head = head._replace(
        version=head.version + len(events),
        updated_at=at,
        phase=change.get("phase", head.phase),
        control=change.get("control", head.control),
        outcome=change.get("outcome", head.outcome),
        current_task_id=change.get("current_task_id", head.current_task_id),
        completed_at=at if change.get("completed") else head.completed_at,
    )
    return recorded
