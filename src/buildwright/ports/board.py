"""What the engine asks of the world when many processes share the builds: a board of wanted actions, and hints. No logic.

The board is a cache of `decide`: each action that should be in flight is a row, and who carries it out holds the row by a
lease. It is changed in the transaction of the append that it follows from, so it can never say what the journal does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from buildwright.core.event import AnyEvent, Recorded


class ActionLease(NamedTuple):
    """The right to carry out one action of one build. `token` is never given twice in a build and only grows."""

    build_id: str
    key: str
    holder: str
    token: int
    waited: float
    """Seconds by the store's clock between the action being wanted (or free again) and this lease: the queue latency (D16)."""


class Posted(NamedTuple):
    """A row of the board: an action that is wanted, or one that is not any more and whose holder has not let go yet."""

    build_id: str
    key: str
    wanted: bool
    wanted_at: datetime
    holder: str
    """"" when nobody has it."""
    token: int
    beat_at: datetime | None
    """When its holder last kept the lease."""
    expires_at: datetime | None
    live: bool
    """Somebody has it and the lease has not run out, by the store's clock."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How the board is to look after an append."""

    wanted: tuple[str, ...]
    """Keys of all actions that `decide` wants now."""
    start: bool = True
    """False (a paused build): nothing is posted anew, and what nobody has is taken down."""
    lease: ActionLease | None = None
    """By whose right the events are appended; None for the machine's own facts."""
    ended: bool = False
    """The leased action is over: its row goes, and comes back as a new one if it is still wanted."""
    wake_at: datetime | None = None
    """When time itself will be a fact for this build (the pause limit); None for never."""


class Due(NamedTuple):
    """What waits for somebody: builds to advance, actions to perform (build id and key)."""

    builds: tuple[str, ...]
    actions: tuple[tuple[str, str], ...]


class Holding(NamedTuple):
    """What a holder has, as the store sees it: its lease, whether it should go on, and how far the build is."""

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
    """JSON object: what it measured of itself (latencies in seconds, counts)."""

    @property
    def alive(self) -> bool:
        """It has not been silent for three heartbeats."""
        return self.silent_seconds < 3 * self.heartbeat_seconds


class Board(Protocol):
    """The board. Times are the store's own: no clock of a worker decides about a lease. Raises StoreFailed, DiskFull."""

    async def time(self) -> datetime:
        """The store's clock."""

    async def settle(
        self, build_id: str, expected: int, events: Sequence[AnyEvent], at: datetime, settlement: Settlement
    ) -> tuple[list[Recorded], list[str]]:
        """Append (events may be empty) and make the board what the settlement says, all or nothing.

        A row that is no longer wanted goes at once when nobody has it, else when its holder lets go or its lease runs
        out. Returns the events and the keys that wait for somebody since now: those newly posted, and the ended one if it is
        wanted again. Sending the same again (events, times and `expected`) appends nothing twice, and names
        no fewer keys. A lease that has run out counts until somebody
        else takes the action. Raises StaleVersion; LostLease
        when the settlement's lease is not the newest on its row, or its row is gone; BuildIsRunning while a live process
        holds the whole build (`Builds.acquire`); NotFound.
        """

    async def take(self, build_id: str, key: str, holder: str, seconds: float) -> ActionLease | None:
        """Take a wanted action that nobody (alive) has.

        None when it is not wanted, somebody has it, or a live process holds the whole build.
        """

    async def keep(self, leases: Sequence[ActionLease], seconds: float) -> None:
        """Keep leases for `seconds` from now. Those that are lost stay lost: `holdings` tells."""

    async def drop(self, lease: ActionLease) -> None:
        """Let go: the action waits for somebody else, or its row goes if it is not wanted. Harmless when it is lost."""

    async def holdings(self, holder: str) -> list[Holding]:
        """All that a holder has; also what ran out, as long as nobody else took it: it can be kept still."""

    async def board(self, build_id: str = "") -> list[Posted]:
        """The rows of one build, or all, oldest first (a row that is let go counts as wanted from then on)."""

    async def waiting(self, limit: int = 100) -> list[tuple[str, str]]:
        """Wanted actions (build id and key) of running builds that nobody alive has, the one that waits longest first.

        Only a look, for who has room now; it counts as no offer.
        """

    async def due(self, quiet_seconds: float, limit: int = 200) -> Due:
        """What is due and has not been offered for `quiet_seconds`; counts as offered from now on.

        Builds: those whose journal has moved on since the board was settled, whose wake-up time has come, or that are
        being stopped. Actions: wanted ones of running builds that nobody alive has (a holder of this host whose process
        is gone is not alive). Never a build that a live process holds as a whole. What `settle` has just posted, and what
        has just been let go, has not been offered yet. Two who ask at once are not offered the same.
        """

    async def beat(self, worker: WorkerRow) -> None:
        """A worker is alive: its row is written with the store's time (`started_at` of the first, `beat_at` now)."""

    async def workers(self) -> list[WorkerRow]:
        """All workers that have not signed off, in the order they started."""

    async def sign_off(self, holder: str) -> None:
        """A worker has ended; its row goes, and so do those of holders that are known to be dead or silent for a day."""


class Jobs(Protocol):
    """Hints to whoever can work that something is due. May be lost, doubled, late or out of order without harm."""

    async def advance(self, build_id: str) -> None:
        """A build may have something to decide. Raises CouldNot when the hint cannot be sent."""

    async def perform(self, build_id: str, key: str) -> None:
        """An action waits for somebody. Raises CouldNot when the hint cannot be sent."""

    async def close(self) -> None: ...
