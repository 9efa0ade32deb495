"""What may go from a store and what a crash has left there, as those who tidy up ask for it. Holds no logic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, Protocol


class Weight(NamedTuple):
    """What a build takes up in the store."""

    events: int
    log_lines: int
    bytes: int
    """Of journal, snapshots, log and kept answers together, without indexes and pages half full."""


class Loose(NamedTuple):
    """Artifacts that no journal names."""

    number: int
    bytes: int
    waiting: int = 0
    """Of others it cannot be told yet: a build that runs may be about to name them."""


class Leftover(NamedTuple):
    """Something that a crash has left behind, or that does not agree with the journal."""

    what: str
    """What it is, in words for the user."""
    where: str
    """A path, or the build and row."""
    since: datetime | None
    bytes: int
    fix: str = ""
    """What the user can do, where nothing here can mend it; "" when it can be mended."""
    mended: bool = False


class Found(NamedTuple):
    """A leftover and how to mend it. `mend` looks again first, and says whether it did anything; None: only a person can."""

    leftover: Leftover
    mend: Callable[[], Awaitable[bool]] | None


class Retention(Protocol):
    """Taking things out of a store for good. A build is live, and is never touched, unless it is finished or stopped
    and no process that may live holds it. Each step may be the last one before a crash; the same call again finishes it.

    Raises StoreFailed, DiskFull.
    """

    async def weigh(self, build_id: str) -> Weight:
        """What a build takes up. Raises NotFound."""

    async def retire(self, build_id: str) -> None:
        """Remove the journal, snapshots, log, kept answers, lease and board of a build. Harmless when it is gone.

        Raises Conflict for a build that is not finished, BuildIsRunning while a process holds it.
        """

    async def finish_retiring(self) -> int:
        """Remove what a `retire` that was killed has left, and say of how many builds."""

    async def trim_log(self, build_id: str, most: int) -> int:
        """Cut the oldest lines of a finished build's log so that `most` are left (0: all), and say how many went now.

        One line in their place says how many are missing; it comes on top of `most`. Raises as `retire`.
        """

    async def loose_artifacts(self) -> Loose:
        """What `sweep_artifacts` would remove now."""

    async def sweep_artifacts(self) -> Loose:
        """Remove artifacts that no journal names, but none that a running build may be about to name."""

    async def named_ids(self, build_id: str) -> frozenset[str]:
        """Every hash (40 or 64 hexadecimal digits) that stands in the build's journal: trees, commits, artifacts."""

    async def compact(self) -> int | None:
        """Give free space back to the disk and say how many bytes; None when somebody else is at work and it must wait."""
