"""The shared store as one simulated process reaches it: `Builds` over a connection that is slow, breaks, and loses answers.

Truth is one `MemoryBuilds` on the store's own clock. Must never answer for the store: it only delays, loses and reports.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar

from buildwright.core.build import Build
from buildwright.core.event import AgentHeartbeat, AnyEvent, MessageDelivered, MessageSent, Recorded, encode
from buildwright.errors import StoreFailed
from buildwright.ports import (
    ActionLease,
    ActionQueue,
    BuildRow,
    Due,
    HeldAction,
    Late,
    Lease,
    LogEntry,
    LogLine,
    Mark,
    QueuedAction,
    QueueUpdate,
    WantedClaim,
    WorkerRow,
)
from tests.adapters.memory_store import MemoryBuilds
from tests.simulation.process import Process, at_once

T = TypeVar("T")
BEAT_OF_NOBODY = "heartbeat of an agent that the process has not started"


class SimulatedBuilds:
    """`Builds` for one process."""

    def __init__(self, process: Process, store: MemoryBuilds) -> None:
        self._process = process
        self._store = store

    async def create(self, build_id: str, events: Sequence[AnyEvent], at: datetime) -> list[Recorded]:
        return await self._ask("create", lambda: self._store.create(build_id, events, at))

    async def append(
        self,
        build_id: str,
        expected: int,
        events: Sequence[AnyEvent],
        at: datetime,
        token: int | None = None,
        after: Build | None = None,
    ) -> list[Recorded]:
        def effect() -> list[Recorded]:
            recorded = at_once(self._store.append(build_id, expected, events, at, token, after))
            note_events(self._process, recorded)
            return recorded

        return await self._send("append", effect)

    async def read(self, build_id: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        return await self._ask("read", lambda: self._store.read(build_id, after, limit))

    async def load(self, build_id: str) -> Build:
        return await self._ask("load", lambda: self._store.load(build_id))

    async def keep_snapshot(self, build: Build) -> None:
        await self._ask("keep_snapshot", lambda: self._store.keep_snapshot(build))

    async def version(self, build_id: str) -> int:
        return await self._ask("version", lambda: self._store.version(build_id))

    async def marks(self, build_ids: Sequence[str]) -> dict[str, Mark]:
        return await self._ask("marks", lambda: self._store.marks(build_ids))

    async def rows(self, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
        return await self._ask("rows", lambda: self._store.rows(limit, build_prefix))

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        def effect() -> Lease:
            lease = at_once(self._store.acquire(build_id, holder, seconds))
            self._process.trace.note(self._process.name, f"lease {lease.token} taken")
            return lease

        return await self._send("acquire", effect)

    async def renew(self, lease: Lease, seconds: float) -> None:
        await self._ask("renew", lambda: self._store.renew(lease, seconds))

    async def release(self, lease: Lease) -> None:
        await self._ask("release", lambda: self._store.release(lease))

    async def holder(self, build_id: str) -> str | None:
        return await self._ask("holder", lambda: self._store.holder(build_id))

    async def write_log(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        await self._ask("write_log", lambda: self._store.write_log(build_id, entries))

    async def read_log(
        self, build_id: str, after: int = 0, task: str = "", limit: int = 1000, tail: bool = False
    ) -> list[LogLine]:
        return await self._ask("read_log", lambda: self._store.read_log(build_id, after, task, limit, tail))

    async def put_artifact(self, content: bytes) -> str:
        return await self._ask("put_artifact", lambda: self._store.put_artifact(content))

    async def get_artifact(self, digest: str) -> bytes:
        return await self._ask("get_artifact", lambda: self._store.get_artifact(digest))

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _ask(self, name: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await self._send(name, lambda: at_once(call()))

    async def _send(self, name: str, effect: Callable[[], T]) -> T:
        return await self._process.request(f"store.{name}", effect, StoreFailed)


def note_events(process: Process, recorded: Sequence[Recorded]) -> None:
    """Put appended events into the trace. Ids of messages are drawn anew in each run and are left out."""
    for seq, _, event in recorded:
        told = "" if isinstance(event, MessageSent | MessageDelivered) else encode(event)
        process.luck.seen[event.type] += 1
        if (
            isinstance(event, AgentHeartbeat)
            and event.status == "running"
            and (event.task, event.attempt) not in process.agents
        ):
            process.luck.seen[BEAT_OF_NOBODY] += 1
        process.trace.newest[event.type] = process.time()
        process.trace.note(process.name, f"#{seq} {event.type} {told}")


class SimulatedBoard:
    """`ActionQueue` for one process. Token 0 of a settlement is the machine's own."""

    def __init__(self, process: Process, board: ActionQueue) -> None:
        self._process = process
        self._board = board

    async def time(self) -> datetime:
        return await self._ask("time", self._board.time)

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
        def effect() -> tuple[list[Recorded], list[str]]:
            recorded, free = at_once(self._board.settle(build_id, expected, events, at, settlement, after, late))
            note_events(self._process, recorded)
            return recorded, free

        return await self._send("settle", effect)

    async def claim(self, holder: str, seconds: float, claim: WantedClaim) -> list[ActionLease]:
        def effect() -> list[ActionLease]:
            leases = at_once(self._board.claim(holder, seconds, claim))
            for lease in leases:
                self._process.trace.note(self._process.name, f"claims {lease.key} by token {lease.token}")
            return leases

        return await self._send("claim", effect)

    async def keep(self, leases: Sequence[ActionLease], seconds: float) -> None:
        await self._ask("keep", lambda: self._board.keep(leases, seconds))

    async def drop(self, lease: ActionLease) -> None:
        await self._ask("drop", lambda: self._board.drop(lease))

    async def holdings(self, holder: str) -> list[HeldAction]:
        return await self._ask("holdings", lambda: self._board.holdings(holder))

    async def board(self, build_id: str = "") -> list[QueuedAction]:
        return await self._ask("board", lambda: self._board.board(build_id))

    async def due(self, quiet_seconds: float, limit: int = 200) -> Due:
        return await self._ask("due", lambda: self._board.due(quiet_seconds, limit))

    async def beat(self, worker: WorkerRow) -> None:
        await self._ask("beat", lambda: self._board.beat(worker))

    async def workers(self) -> list[WorkerRow]:
        return await self._ask("workers", self._board.workers)

    async def sign_off(self, holder: str) -> None:
        await self._ask("sign_off", lambda: self._board.sign_off(holder))

    async def _ask(self, name: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await self._send(name, lambda: at_once(call()))

    async def _send(self, name: str, effect: Callable[[], T]) -> T:
        return await self._process.request(f"store.{name}", effect, StoreFailed)
