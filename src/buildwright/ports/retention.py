"""Port for pruning a store, and for finding what a crash left in it. Must never hold logic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, Protocol


class Weight(NamedTuple):
    """The size of a build in the store."""

    events: int
    log_lines: int
    bytes: int
    """Of journal, snapshots, log and kept answers together, without indexes and half-full pages."""


class Loose(NamedTuple):
    """Artifacts that no journal names."""

    number: int
    bytes: int
    waiting: int = 0
    """How many others cannot be judged yet: a running build may be about to name them."""


class Leftover(NamedTuple):
    """Something that a crash left behind, or that contradicts the journal."""

    what: str
    """Description for the user."""
    where: str
    """A path, or the build and row."""
    since: datetime | None
    bytes: int
    fix: str = ""
    """What the user can do if Buildwright cannot mend it; "" when it can."""
    mended: bool = False


class RepairResult(NamedTuple):
    """A leftover; `mend` checks again, mends it and returns whether it did anything. None: only a person can."""

    leftover: Leftover
    mend: Callable[[], Awaitable[bool]] | None


class Retention(Protocol):
    """Removes things from a store for good. Must never touch a live build.

    A build is live unless it is finished or stopped and no process that may be alive holds it. Each step may be the
    last before a crash; the same call again completes it. Raises StoreFailed, DiskFull.
    """

    async def weigh(self, build_id: str) -> Weight:
        """Return the size of a build. Raises NotFound."""

    async def retire(self, build_id: str) -> None:
        """Remove the journal, snapshots, log, kept answers, lease and board of a build. Harmless when it is gone.

        Raises Conflict for a build that is not finished, BuildIsRunning while a process holds it.
        """

    async def finish_retiring(self) -> int:
        """Complete each `retire` that was killed; return the number of builds."""

    async def trim_log(self, build_id: str, most: int) -> int:
        """Remove the oldest log lines of a finished build but the last `most` (0: all); return how many went now.

        One line in their place says how many are missing; it is not counted in `most`. Raises as `retire`.
        """

    async def loose_artifacts(self) -> Loose:
        """Return what `sweep_artifacts` would remove now."""

    async def sweep_artifacts(self) -> Loose:
        """Remove artifacts that no journal names, except those a running build may be about to name."""

    async def named_ids(self, build_id: str) -> frozenset[str]:
        """Return every hash (40 or 64 hexadecimal digits) in the build's journal: trees, commits, artifacts."""

    async def compact(self) -> int | None:
        """Return free space to the disk; return the bytes, None when it must wait for another process."""
