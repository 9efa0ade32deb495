"""The port for money and for limits of providers that all processes on one store share. Must never hold logic.

A purse is an amount of US dollars that a build, one of its tasks, a user's day or a project may spend. A window is a
limit of a provider: the time until which it answers no request with that key for that model.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol

HOLD_SECONDS = 30.0
"""How long a hold lasts that is not renewed: a process that was killed locks a purse no longer."""
PurseKind = Literal["build", "task", "day", "project", "month"]


class PurseName(NamedTuple):
    """Which purse. `owner` is a build's id, or a user's; `part` the task, the project, or the day or month in UTC."""

    kind: PurseKind
    owner: str
    part: str = ""


class Purse(NamedTuple):
    """A purse of a build. `most_usd` None: it has no limit, and is counted for those who set one later."""

    name: PurseName
    most_usd: Decimal | None = None
    spent_usd: Decimal = Decimal(0)
    """What the build's journal knows of it; the ledger may know more."""


class Reservation(NamedTuple):
    """The answer to a reservation: what each purse has spent, in the order asked, and whether the money is held.

    Not held while all purses have something left: wait, for what others hold may use it up.
    """

    held: bool
    spent_usd: tuple[Decimal, ...]


class QuotaWindow(NamedTuple):
    """Until `until` (Unix seconds) a provider answers no request with this key (`key` is its digest) for this model."""

    provider: str
    key: str
    model: str
    until: float
    kind: Literal["rate_limit", "overloaded"] = "rate_limit"


class MarkReached(NamedTuple):
    """A purse has reached one of the marks of its budget, in percent."""

    purse: PurseName
    percent: int
    spent_usd: Decimal
    most_usd: Decimal


Notice = MarkReached | QuotaWindow
"""What a door tells its build, each once."""


class MoneyLedger(Protocol):
    """One ledger for all processes on a store. Methods raise StoreFailed, Unreachable, DiskFull."""

    shares_builds: bool
    """Whether several processes may carry out one build at once, so that its own purses are to be shared as well."""

    async def reserve(self, hold: str, purses: Sequence[Purse], usd: Decimal) -> Reservation:
        """Hold money back in all of these purses, or in none. Where no other request holds any, it may be more than is left.

        A hold that is not renewed for `HOLD_SECONDS` is gone: its process has died.
        """

    async def renew(self, holds: Sequence[str]) -> None:
        """Keep holds for another `HOLD_SECONDS`."""

    async def settle(self, hold: str, purses: Sequence[Purse], usd: Decimal) -> tuple[Decimal, ...]:
        """Let a hold go and add what was spent to the purses; return what each has spent now."""

    async def month_limit(self, user_id: str) -> Decimal | None:
        """Return what a user may spend in a month by what an owner of the server has set; None for any sum."""

    async def count_replay(self, build_id: str, usd: Decimal) -> None:
        """Count an answer that was kept and played again, and what it would have cost."""

    async def windows(self) -> list[QuotaWindow]:
        """Return the windows that are not over."""

    async def close_window(self, window: QuotaWindow) -> None:
        """Tell all processes of a window. The later one of two stays."""
