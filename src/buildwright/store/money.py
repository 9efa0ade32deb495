"""The ledger of purses, holds and windows of providers, on both databases. Must never keep a key, only its digest.

As generators of statements, as those of `stats`. A reservation takes the rows of its purses, in one order for all, so that
what others hold cannot change before it is written. Money is in whole parts of a dollar (`COST_UNITS`); only the
database's clock says when a hold or a window is over.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

from buildwright.ports import HOLD_SECONDS, Purse, QuotaWindow, Reservation
from buildwright.store.asking import Asking, Query
from buildwright.store.stats import COST_UNITS

_CLOCKS = {
    True: "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    False: "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}
"""Milliseconds since 1970, on PostgreSQL and on SQLite."""
_HOLD_MS = round(HOLD_SECONDS * 1000)
_OPEN = (
    "INSERT INTO purses (kind, owner, part, spent) VALUES ($1, $2, $3, $4) ON CONFLICT (kind, owner, part)"
    " DO UPDATE SET spent = CASE WHEN purses.spent < excluded.spent THEN excluded.spent ELSE purses.spent END"
    " RETURNING spent"
)
_HELD = "SELECT coalesce(sum(held), 0), count(*) FROM purse_holds WHERE kind = $1 AND owner = $2 AND part = $3"
_HOLD = "INSERT INTO purse_holds (id, kind, owner, part, held, expires_at) VALUES ($1, $2, $3, $4, $5, {now} + $6)"
_ADD = (
    "INSERT INTO purses (kind, owner, part, spent) VALUES ($1, $2, $3, $4) ON CONFLICT (kind, owner, part)"
    " DO UPDATE SET spent = purses.spent + excluded.spent RETURNING spent"
)
_WINDOW = (
    "INSERT INTO quota_windows (provider, key_digest, model, until, kind) VALUES ($1, $2, $3, {now} + $4, $5)"
    " ON CONFLICT (provider, key_digest, model) DO UPDATE SET until = excluded.until, kind = excluded.kind"
    " WHERE quota_windows.until < excluded.until"
)
_REPLAY = (
    "INSERT INTO replayed_answers (build_id, day, answers, saved) VALUES ($1, $2, 1, $3) ON CONFLICT (build_id, day)"
    " DO UPDATE SET answers = replayed_answers.answers + 1, saved = replayed_answers.saved + excluded.saved"
)
_MOST_SECONDS = 7 * 86_400.0
"""Longest window that is kept: some limits are of a week."""


class Asked(Protocol):
    """Runs statements on a store in one transaction; with `reads`, they only read."""

    def __call__(self, asking: Callable[[], Asking[Any]], *, reads: bool = False) -> Awaitable[Any]: ...


class StoreLedger:
    """The port `MoneyLedger` in a store."""

    def __init__(self, ask: Asked, *, postgres: bool) -> None:
        self.shares_builds = postgres
        self._ask = ask
        self._postgres = postgres

    async def reserve(self, hold: str, purses: Sequence[Purse], usd: Decimal) -> Reservation:
        work = partial(_reserve, hold, purses, _units(usd), postgres=self._postgres)
        held, spent = await self._ask(work)
        return Reservation(held, tuple(map(_usd, spent)))

    async def renew(self, holds: Sequence[str]) -> None:
        await self._ask(partial(_renew, holds, postgres=self._postgres))

    async def settle(self, hold: str, purses: Sequence[Purse], usd: Decimal) -> tuple[Decimal, ...]:
        # On PostgreSQL a connection that breaks in the COMMIT may count an answer twice: rather that than never.
        return tuple(map(_usd, await self._ask(partial(_settle, hold, purses, _units(usd)))))

    async def month_limit(self, user_id: str) -> Decimal | None:
        query = Query("SELECT most_usd_a_month FROM users WHERE user_id = $1", (user_id,))
        rows = await self._ask(lambda: _one(query), reads=True)
        return _usd(int(rows[0][0])) if rows and rows[0][0] is not None else None

    async def count_replay(self, build_id: str, usd: Decimal) -> None:
        day = time.strftime("%Y-%m-%d", time.gmtime())
        await self._ask(lambda: _one(Query(_REPLAY, (build_id, day, _units(usd)))))

    async def windows(self) -> list[QuotaWindow]:
        now = _CLOCKS[self._postgres]
        query = Query(
            f"SELECT provider, key_digest, model, until - {now}, kind FROM quota_windows WHERE until > {now}"  # noqa: S608
        )
        rows = await self._ask(lambda: _one(query), reads=True)
        began = time.time()
        return [
            QuotaWindow(provider, key, model, began + left / 1000, kind) for provider, key, model, left, kind in rows
        ]

    async def close_window(self, window: QuotaWindow) -> None:
        now = _CLOCKS[self._postgres]
        left = round(min(window.until - time.time(), _MOST_SECONDS) * 1000)
        values = (window.provider, window.key, window.model, left, window.kind)

        def work() -> Asking[None]:
            yield Query(f"DELETE FROM quota_windows WHERE until < {now} - 86400000")  # noqa: S608  a constant
            yield Query(_WINDOW.format(now=now), values)

        await self._ask(work)


def forget_build(build_id: str) -> Asking[None]:
    """Remove the purses of a build that is removed. What it cost stays in those of its day and project."""
    yield Query("DELETE FROM purses WHERE kind IN ('build', 'task') AND owner = $1", (build_id,))
    yield Query("DELETE FROM replayed_answers WHERE build_id = $1", (build_id,))


def _reserve(hold: str, purses: Sequence[Purse], units: int, *, postgres: bool) -> Asking[tuple[bool, list[int]]]:
    now = _CLOCKS[postgres]
    yield Query(f"DELETE FROM purse_holds WHERE expires_at <= {now}")  # noqa: S608  a constant
    spent: dict[Purse, int] = {}
    fits = True
    for purse in sorted(purses, key=lambda one: one.name):
        rows = yield Query(_OPEN, (*purse.name, _units(purse.spent_usd)))
        spent[purse] = int(rows[0][0])
        if purse.most_usd is None:
            continue
        ((held, number),) = yield Query(_HELD, purse.name)
        most = _units(purse.most_usd)
        fits = fits and spent[purse] < most and (not number or spent[purse] + int(held) + units <= most)
    if fits:
        yield Query(_HOLD.format(now=now), many=[(hold, *purse.name, units, _HOLD_MS) for purse in purses])
    return fits, [spent[purse] for purse in purses]


def _renew(holds: Sequence[str], *, postgres: bool) -> Asking[None]:
    until = f"{_CLOCKS[postgres]} + {_HOLD_MS}"
    yield Query(
        f"UPDATE purse_holds SET expires_at = {until} WHERE id = $1",  # noqa: S608  a constant
        many=[(hold,) for hold in holds],
    )


def _settle(hold: str, purses: Sequence[Purse], units: int) -> Asking[list[int]]:
    yield Query("DELETE FROM purse_holds WHERE id = $1", (hold,))
    spent: dict[Purse, int] = {}
    for purse in sorted(purses, key=lambda one: one.name):
        rows = yield Query(_ADD, (*purse.name, units))
        spent[purse] = int(rows[0][0])
    return [spent[purse] for purse in purses]


def _one(query: Query) -> Asking[Sequence[Sequence[Any]]]:
    rows: Sequence[Sequence[Any]] = yield query
    return rows


def _units(usd: Decimal) -> int:
    return round(usd * COST_UNITS)


def _usd(units: int) -> Decimal:
    return Decimal(units) / COST_UNITS
