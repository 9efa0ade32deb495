"""The ledger of purses and windows: what many processes hold and spend at once, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from buildwright.core import event as e
from buildwright.ports import HOLD_SECONDS, Purse, PurseName, QuotaWindow
from buildwright.store import revisions
from buildwright.store.database import Database
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from tests.store.process import AT, created, open_in

Store = SqliteBuilds | PostgresBuilds
DAY = PurseName("day", "u", "2026-11-30")
PROJECT = PurseName("project", "u", "shop")


async def opened(database: Path | str) -> Store:
    return await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))


@pytest.fixture
async def journals(database: Path | str) -> AsyncIterator[Store]:
    store = await opened(database)
    yield store
    await store.close()


async def test_money_is_held_until_it_is_settled(journals: Store) -> None:
    ledger = journals.ledger
    purse = Purse(DAY, Decimal(10))
    assert await ledger.reserve("a", [purse], Decimal(6)) == (True, (Decimal(0),))
    # 6 are held and 6 more do not fit, but nothing is spent yet: wait.
    assert await ledger.reserve("b", [purse], Decimal(6)) == (False, (Decimal(0),))
    assert await ledger.reserve("c", [purse], Decimal(4)) == (True, (Decimal(0),))
    assert await ledger.settle("a", [purse], Decimal("1.5")) == (Decimal("1.5"),)
    assert await ledger.reserve("b", [purse], Decimal("4.5")) == (True, (Decimal("1.5"),))
    await ledger.settle("b", [purse], Decimal(0))
    await ledger.settle("c", [purse], Decimal(9))
    # 10.5 are spent: nobody gets more, however little it is.
    assert await ledger.reserve("d", [purse], Decimal(0)) == (False, (Decimal("10.5"),))


async def test_whoever_is_alone_may_spend_more_than_is_left(journals: Store) -> None:
    purse = Purse(DAY, Decimal(1))
    assert (await journals.ledger.reserve("a", [purse], Decimal(50))).held
    assert not (await journals.ledger.reserve("b", [purse], Decimal(50))).held


async def test_all_purses_are_held_or_none(journals: Store) -> None:
    ledger = journals.ledger
    day, project = Purse(DAY, Decimal(10)), Purse(PROJECT, Decimal(1))
    await ledger.settle("x", [project], Decimal(1))
    assert await ledger.reserve("a", [day, project], Decimal(10)) == (False, (Decimal(0), Decimal(1)))
    assert (await ledger.reserve("b", [day], Decimal(10))).held
    await ledger.settle("b", [day, project], Decimal(2))
    raised = Purse(PROJECT, Decimal(20))
    assert await ledger.reserve("c", [raised, day], Decimal(1)) == (True, (Decimal(3), Decimal(2)))


async def test_what_a_journal_knows_counts_at_least(journals: Store) -> None:
    ledger, name = journals.ledger, PurseName("build", "b1")
    assert await ledger.reserve("a", [Purse(name, Decimal(5), Decimal(4))], Decimal(1)) == (True, (Decimal(4),))
    await ledger.settle("a", [Purse(name)], Decimal("0.5"))
    # A journal that lags behind lowers nothing.
    assert await ledger.reserve("b", [Purse(name, Decimal(5), Decimal(1))], Decimal(1)) == (True, (Decimal("4.5"),))


async def test_no_cent_is_lost_when_many_settle_at_once(database: Path | str, journals: Store) -> None:
    other = await opened(database)
    purses = [Purse(DAY), Purse(PROJECT)]
    await asyncio.gather(
        *(
            store.ledger.settle(f"h{number}", purses if number % 2 else purses[::-1], Decimal("0.01"))
            for number in range(60)
            for store in (journals, other)
        )
    )
    await other.close()
    assert await journals.ledger.settle("end", purses, Decimal(0)) == (Decimal("1.2"), Decimal("1.2"))


HOLDER = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from buildwright.ports import Purse, PurseName
from tests.store.test_money import DAY, opened

async def main(where):
    store = await opened(where if "://" in where else Path(where))
    print((await store.ledger.reserve("killed", [Purse(DAY, Decimal(1))], Decimal(1))).held, flush=True)
    await asyncio.sleep(600)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.timeout(120)
async def test_a_killed_process_locks_no_purse_for_ever(database: Path | str, journals: Store) -> None:
    argv = [sys.executable, "-c", HOLDER, str(database)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "True\n"
        began = time.monotonic()
        process.kill()
    purse = Purse(DAY, Decimal(1))
    assert not (await journals.ledger.reserve("b", [purse], Decimal(1))).held
    while not (await journals.ledger.reserve("b", [purse], Decimal(1))).held:
        assert time.monotonic() - began < HOLD_SECONDS + 15
        await asyncio.sleep(1)
    assert time.monotonic() - began > HOLD_SECONDS - 5


async def test_a_hold_that_is_renewed_stays(database: Path | str, journals: Store) -> None:
    ledger, purse = journals.ledger, Purse(DAY, Decimal(1))
    assert (await ledger.reserve("a", [purse], Decimal(1))).held
    records = Database.open(database)
    await records.change(text("UPDATE purse_holds SET expires_at = expires_at - 29000"))
    await ledger.renew(["a"])
    await records.change(text("UPDATE purse_holds SET expires_at = expires_at - 29000"))
    assert not (await ledger.reserve("b", [purse], Decimal(1))).held
    await records.change(text("UPDATE purse_holds SET expires_at = expires_at - 1001"))
    assert (await ledger.reserve("b", [purse], Decimal(1))).held
    await records.close()


async def test_a_window_is_seen_by_all_and_only_grows(database: Path | str, journals: Store) -> None:
    other = await opened(database)
    now = time.time()
    await journals.ledger.close_window(QuotaWindow("anthropic", "k1", "m", now + 60))
    await journals.ledger.close_window(QuotaWindow("anthropic", "k1", "m", now + 30, "overloaded"))
    await journals.ledger.close_window(QuotaWindow("anthropic", "k2", "m", now - 1))
    (window,) = await other.ledger.windows()
    assert window[:3] == ("anthropic", "k1", "m")
    assert abs(window.until - now - 60) < 1
    assert window.kind == "rate_limit"
    await other.close()


async def test_old_journals_fill_the_purses_when_the_ledger_comes(database: Path | str, journals: Store) -> None:
    for build in ("b1", "b2"):
        await journals.create(build, [created(build)], AT)
        used = [e.TokensUsed(model="m\0", cost_usd=Decimal(cost)) for cost in ("0.25", "0.0000000001")]
        await journals.append(build, 1, [*used, e.TokensUsed(model="m")], AT)
    await journals.close()
    while (await revisions.version(database) or "") >= "0009":
        await revisions.rollback(database)
    await revisions.migrate(database)
    again = await opened(database)
    purses = [Purse(PurseName("day", "u", "2026-01-02")), Purse(PurseName("project", "u", "p"))]
    assert await again.ledger.settle("x", purses, Decimal(0)) == (Decimal("0.5000000002"),) * 2
    await again.close()


async def test_a_build_that_is_removed_takes_its_own_purses_along(database: Path | str, journals: Store) -> None:
    await journals.create("b1", [created("b1")], AT)
    await journals.append("b1", 1, [e.StopRequested(), e.BuildFinished(outcome="stopped")], AT)
    purses = [Purse(PurseName("build", "b1")), Purse(PurseName("task", "b1", "T1")), Purse(DAY)]
    await journals.ledger.settle("x", purses, Decimal(1))
    await journals.ledger.count_replay("b1", Decimal("0.3"))
    await journals.retire("b1")
    records = Database.open(database)
    assert [tuple(row) for row in await records.fetch(text("SELECT kind FROM purses"))] == [("day",)]
    assert await records.fetch(text("SELECT 1 FROM replayed_answers")) == []
    await records.close()
