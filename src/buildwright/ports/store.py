"""Ports for the journal, with leases, logs and artifacts, and for time. Must never hold logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from buildwright.core.build import Build
    from buildwright.core.event import AnyEvent, Recorded


class Clock(Protocol):
    """Time. `now` is UTC with zone; `sleep` takes seconds."""

    def now(self) -> datetime: ...
    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a build. `token` only grows; every append of a runner carries it."""

    build_id: str
    holder: str
    token: int


CostKey = Literal[
    "day", "month", "project", "user", "model", "agent", "build", "task", "attempt", "requirement", "result"
]
"""What costs are summed by. A day is of UTC; a result is what became of the attempt that a request was made for."""


@dataclass(frozen=True, slots=True)
class BuildRow:
    """A build as a list shows it, without reading its journal: of the store, the API, `--json` and the library alike."""

    build_id: str
    project_id: str
    user_id: str
    title: str
    phase: str
    """A `BuildPhase` value."""
    control: str
    """A `Control` value."""
    outcome: str
    version: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    current_task_id: str

    @property
    def runs_on(self) -> bool:
        """Whether the build has neither ended nor is paused, so that a process or worker may be at work on it."""
        return not self.outcome and self.control != "paused"


class LogLine(NamedTuple):
    """One line of a build's log. `seq` counts per build from 1; `kind` is an activity type, or command, gate, engine, git."""

    seq: int
    at: datetime
    task: str
    attempt: int
    kind: str
    text: str


class Mark(NamedTuple):
    """Progress of a build without reading it: seq of its last event, and of its first and last log line (0: none)."""

    version: int
    first_line: int
    last_line: int


class LogEntry(NamedTuple):
    """A log line before it is stored."""

    at: datetime
    task: str
    attempt: int
    kind: str
    text: str


class BuildReader(Protocol):
    """What can be read of builds, here or through a server. Raises StoreFailed, Unreachable when it cannot be."""

    async def rows(self, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
        """Return rows, newest first; `build_prefix` selects ids that start with it."""

    async def load(self, build_id: str) -> Build:
        """Return the build as of its last event, from the newest snapshot and the events after it."""

    async def read(self, build_id: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Return events with seq > `after`, in order. Raises NotFound for an unknown build."""

    async def holder(self, build_id: str) -> str | None:
        """Return the holder that runs the build now, None unless it is a live process."""

    async def read_log(
        self, build_id: str, after: int = 0, task: str = "", limit: int = 1000, tail: bool = False
    ) -> list[LogLine]:
        """Return lines with seq > `after` (the last `limit` of them when `tail`), of one task when given."""


class Builds(BuildReader, Protocol):
    """The journal: append-only, one gapless sequence per build, compare-and-set; with leases, logs and artifacts.

    Writes are durable when the call returns. Raises StoreFailed or DiskFull when they cannot be.
    """

    async def create(self, build_id: str, events: Sequence[AnyEvent], at: datetime) -> list[Recorded]:
        """Start a journal; the first event is `build.created`. Raises Conflict if the id exists."""

    async def append(
        self,
        build_id: str,
        expected: int,
        events: Sequence[AnyEvent],
        at: datetime,
        token: int | None = None,
        after: Build | None = None,
    ) -> list[Recorded]:
        """Append after `expected` (the seq of the last event the caller knows), all or nothing.

        `after` is the build after the events: the row of the list takes its phase. `token` is the lease token of a
        runner; None is for commands of a user. Raises StaleVersion when the journal has moved on, LostLease when
        `token` is no longer the newest, NotFound for an unknown build.
        """

    async def keep_snapshot(self, build: Build) -> None:
        """Store a snapshot so that the next `load` need not start at the beginning. Losing it loses nothing."""

    async def version(self, build_id: str) -> int:
        """Return the seq of the last event: a cheap test whether another process appended."""

    async def marks(self, build_ids: Sequence[str]) -> dict[str, Mark]:
        """Return the marks of many builds, cheaply; without unknown builds and log lines that are not written yet."""

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        """Take the lease with a new, larger token, for `seconds`.

        A holder string is `host:pid:start`. A dead process on the same host holds nothing; another one that can be seen
        to live keeps what it holds, whatever the clock says. Where there is a board, the build's rows are removed:
        processes that worked on them lose their leases. Raises BuildIsRunning while a live holder has the build or an
        action of it.
        """

    async def renew(self, lease: Lease, seconds: float) -> None:
        """Renew the lease for `seconds`. Raises LostLease."""

    async def release(self, lease: Lease) -> None:
        """Release the lease; harmless when it is already lost."""

    async def write_log(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        """Append log lines. They are not part of the truth: they may be lost with the process."""

    async def put_artifact(self, content: bytes) -> str:
        """Keep bytes under their SHA-256 (hex); equal content is one artifact. Durable when this returns."""

    async def get_artifact(self, digest: str) -> bytes:
        """Return an artifact's bytes. Raises NotFound."""

    async def close(self) -> None: ...
