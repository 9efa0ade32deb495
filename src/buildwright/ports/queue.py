"""Ports for processes that share builds: a board of wanted actions, and hints. Must never hold logic.

The board is a cache of `decide`: each action that should be in flight is a row, and the process that carries it out
holds the row by a lease. It changes in the transaction of the append it follows from, so it cannot contradict it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from buildwright.core.build import Build
    from buildwright.core.event import AnyEvent, Recorded


ActionName: TypeAlias = tuple[str, str]
"""Build id and key of an action."""


class WantedClaim(NamedTuple):
    """Which actions a process has room for."""

    limit: int = 1
    """The most actions, up to `MOST_CLAIMED`."""
    kinds: Collection[str] = ()
    """First parts of their keys; none for all kinds."""
    first: Collection[ActionName] = ()
    """Those that go before what has waited longer."""
    here: Collection[ActionName] = ()
    """Those that the process carries out now, or leaves alone. What else it holds was claimed by an answer that was
    lost."""
    left: Collection[str] = ()
    """Builds that are left to other processes."""


MOST_CLAIMED = 1000


class ActionLease(NamedTuple):
    """The right to carry out one action of one build. A `token` is never used twice in a build and only grows."""

    build_id: str
    key: str
    holder: str
    token: int
    waited: float
    """Seconds by the store's clock from the action being wanted (or free again) to this lease: the queue latency."""
    version: int = 0
    """The build's version when the action was claimed."""

    @property
    def name(self) -> ActionName:
        return self.build_id, self.key


class QueuedAction(NamedTuple):
    """A row of the board: an action that is wanted, or one that no longer is but is still held."""

    build_id: str
    key: str
    wanted: bool
    wanted_at: datetime
    holder: str
    """"" when no process holds it."""
    token: int
    beat_at: datetime | None
    """When its holder last renewed the lease."""
    expires_at: datetime | None
    live: bool
    """Whether it is held and the lease has not expired, by the store's clock."""


@dataclass(frozen=True, slots=True)
class QueueUpdate:
    """The board's content after an append."""

    wanted: tuple[str, ...]
    """Keys of all actions that `decide` wants now."""
    start: bool = True
    """False (a paused build): no row is added, and rows that no process holds are removed."""
    leases: tuple[ActionLease, ...] = ()
    """Leases of this build under which the events are appended; none for what the state machine itself decides."""
    ended: tuple[str, ...] = ()
    """Keys of leased actions that are over: their rows are removed, and new ones added for those still wanted."""
    wake_at: datetime | None = None
    """When the passing of time alone changes this build (the pause limit); None for never."""


class Settlement(NamedTuple):
    """An append and the update of the board with it, as `ActionQueue.settle` takes them."""

    expected: int
    events: Sequence[AnyEvent]
    at: datetime
    settlement: QueueUpdate
    after: Build | None = None


Late = Callable[[Sequence["Recorded"], Collection[str]], Settlement]
"""Makes a settlement anew, at once: from the events that it came too late for, and the keys of the live actions."""


class Due(NamedTuple):
    """Work that waits for a process: builds to advance, actions to perform (build id and key)."""

    builds: tuple[str, ...]
    actions: tuple[ActionName, ...]


class HeldAction(NamedTuple):
    """An action that a holder has, as the store sees it: lease token, whether it is wanted, version of the build."""

    build_id: str
    key: str
    token: int
    wanted: bool
    version: int


class WorkerRow(NamedTuple):
    """A worker as `cluster status` shows it."""

    holder: str
    name: str
    slots: int
    busy: int
    started_at: datetime
    beat_at: datetime
    heartbeat_seconds: float
    silent_seconds: float
    """Since `beat_at`, by the store's clock."""
    report: str
    """JSON object of the worker's own measurements (latencies in seconds, counts)."""

    @property
    def alive(self) -> bool:
        """Whether its last heartbeat is less than three intervals old."""
        return self.silent_seconds < 3 * self.heartbeat_seconds


class ActionQueue(Protocol):
    """The board. Times are the store's own: no worker's clock decides about a lease. Raises StoreFailed, DiskFull."""

    async def time(self) -> datetime:
        """Return the time by the store's clock."""

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
        """Append (events may be empty; `after` as in `Builds.append`) and update the board to the settlement, all or
        nothing.

        A row that is no longer wanted is removed at once if no process holds it, else when its holder drops it or its
        lease expires. Returns the events, and the keys that now wait for a process: new rows, and ended ones that are
        wanted again. The same call again (same events, times and `expected`) appends nothing twice and returns no
        fewer keys. An expired lease stays valid until another process takes the action.

        With `late`, a settlement that comes too late is made anew by it while no other process can settle the build,
        once in each try; of several calls the events are those of the last.

        Raises StaleVersion when the build has moved on, with `late` when it has once more; LostLease when one of the
        leases is not the newest on its row, or its row is gone;
        BuildIsRunning while a live process holds the whole build (`Builds.acquire`); NotFound.
        """

    async def claim(self, holder: str, seconds: float, claim: WantedClaim) -> list[ActionLease]:
        """Take wanted actions of running builds for `seconds`, as many as there are up to the limit: those that have
        waited longest, of all builds.

        Not those that another live process holds, nor of a build that a live process holds as a whole. Waits for no
        other process: an action that one changes at this moment is left out, and so is a build whose lease has run out
        and that one is taking.
        """

    async def keep(self, leases: Sequence[ActionLease], seconds: float) -> None:
        """Renew leases for `seconds` from now. Lost ones stay lost and raise nothing: see `holdings`."""

    async def drop(self, lease: ActionLease) -> None:
        """Release the action: it waits for another process, or its row goes if it is not wanted. Harmless when lost."""

    async def holdings(self, holder: str) -> list[HeldAction]:
        """Return all that a holder has, with expired leases that no other process took: they can still be renewed."""

    async def board(self, build_id: str = "") -> list[QueuedAction]:
        """Return the rows of one build, or of all, oldest first (a released row counts as wanted from then on)."""

    async def due(self, quiet_seconds: float, limit: int = 200) -> Due:
        """Return what is due and was not offered for `quiet_seconds`, and mark it as offered now.

        Builds: those whose journal has moved since the board was settled, whose wake-up time has come, or that are
        being stopped. Actions: wanted ones of running builds that no live process holds (a holder on this host whose
        process is gone is not alive). Never a build that a live process holds as a whole. What `settle` just added and
        what was just released counts as not offered. Two concurrent callers never get the same.
        """

    async def beat(self, worker: WorkerRow) -> None:
        """Write a worker's row with the store's time: `started_at` at the first call, `beat_at` at every call."""

    async def workers(self) -> list[WorkerRow]:
        """Return all workers that have not signed off, in the order they started."""

    async def sign_off(self, holder: str) -> None:
        """Remove the row of a worker that has ended, and rows of holders known to be dead or silent for a day."""


class Hints(Protocol):
    """Hints to workers that something is due. May be lost, doubled, late or out of order without harm."""

    async def advance(self, build_id: str) -> None:
        """Hint that a build may have something to decide. Raises CouldNot when the hint cannot be sent."""

    async def perform(self, build_id: str, key: str) -> None:
        """Hint that an action waits for a worker. Raises CouldNot when the hint cannot be sent."""

    async def close(self) -> None: ...
