"""What plans without a build cost, among the costs of both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from buildwright.errors import BuildwrightError
from buildwright.ports import CostKey, Spend
from buildwright.store import revisions
from buildwright.store.database import Database
from buildwright.store.records import Records
from tests.store.process import AT, steps_above

DEAR = Spend("plan-1", "", 1, "claude-x", 10, 20, 30, 40, "0.25")


@pytest.fixture
async def records(database: Path | str) -> AsyncIterator[Records]:
    await revisions.migrate(database)
    opened = Records.open(database)
    yield opened
    await opened.close()


async def test_what_plans_cost_stands_among_the_costs(records: Records) -> None:
    await records.plan_costs.count("plan-1", "ann", "shop", [DEAR, DEAR._replace(cost_usd=None)], AT)
    await records.plan_costs.count("plan-1", "ann", "shop", [DEAR], AT)
    later = [DEAR._replace(model="claude-y")]
    await records.plan_costs.count("plan-2", "ann", "shop", later, AT + timedelta(days=1))
    await records.interviews.count("shop", "ann", 1, [DEAR], AT)
    both = [("interview-shop", 1, Decimal("0.25")), ("plan-1", 3, Decimal("0.5")), ("plan-2", 1, Decimal("0.25"))]
    whole = (5, Decimal("1"))
    expected: dict[CostKey, list[tuple[str, int, Decimal]]] = {
        "day": [("2026-01-02", 4, Decimal("0.75")), ("2026-01-03", 1, Decimal("0.25"))],
        "model": [("claude-x", 4, Decimal("0.75")), ("claude-y", 1, Decimal("0.25"))],
        "project": [("shop", *whole)],
        "user": [("ann", *whole)],
        "build": both,
        "task": both,
        "attempt": both,
        "agent": [("", *whole)],
        "result": [("", *whole)],
        "requirement": [("", *whole)],
    }
    for by, rows in expected.items():
        sums = await records.runs.costs(by, user_id="ann")
        assert [(one.key, one.requests, one.cost_usd) for one in sums] == rows, by
    assert await records.runs.costs("day", user_id="bob") == []
    assert [one.key for one in await records.runs.costs("build", AT + timedelta(hours=12))] == ["plan-2"]


async def test_plans_are_among_the_entries_of_costs_and_a_rollback_asks(database: Path | str, records: Records) -> None:
    await records.plan_costs.count("plan-1", "ann", "shop", [DEAR], AT)
    opened = Database.open(database)
    entries = await opened.fetch(text("SELECT session_id, model_name, input_tokens, cost_usd FROM cost_entries"))
    await opened.close()
    assert [tuple(row) for row in entries] == [("plan-1", "claude-x", 10, Decimal("0.25"))]
    with pytest.raises(BuildwrightError, match="plan_costs"):
        await revisions.rollback(database, steps_above("0012"))
    assert await revisions.rollback(database, steps_above("0012"), drop_data=True) == "0012"
    assert await revisions.migrate(database) == revisions.head()
