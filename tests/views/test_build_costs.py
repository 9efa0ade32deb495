from __future__ import annotations

from decimal import Decimal

from buildwright.core import event as e
from buildwright.core.event import AnyEvent
from buildwright.views.build_costs import ADVISORS, NO_REQUIREMENT, build_costs
from buildwright.wiring.csv_text import csv_text
from tests.views.test_project import PLANNED, build_of, journal, landed, refused, used


def test_the_sums_of_a_build_add_up_by_every_key() -> None:
    events: tuple[AnyEvent, ...] = (
        PLANNED[0],
        used("", "large", "0.5"),
        *PLANNED[1:],
        e.TaskStarted(task="b", attempt=1, base="c0"),
        used("b", "small", "0.1"),
        used("b", "strange", None),
        *landed("b")[1:],
        e.TaskStarted(task="a", attempt=1, base="c0"),
        used("a", "small", "0.2"),
        *refused("a")[1:],
    )
    costs = build_costs(build_of(*events), journal(*events))
    tables = {table.by: {row.key: row.cost_usd for row in table.rows} for table in costs.tables}
    assert costs.total.cost_usd == Decimal("0.8")
    assert (costs.total.requests, costs.total.unpriced, costs.total.thrown_away_usd) == (4, 1, Decimal("0.2"))
    assert tables["task"] == {ADVISORS: Decimal("0.5"), "a": Decimal("0.2"), "b": Decimal("0.1")}
    assert list(tables["task"]) == [ADVISORS, "a", "b"], "the dearest first"
    assert tables["model"] == {"large": Decimal("0.5"), "small": Decimal("0.3"), "strange": Decimal(0)}
    assert tables["phase"]["Planning"] == Decimal("0.5")
    assert tables["requirement"] == {NO_REQUIREMENT: Decimal("0.8")}
    assert tables["result"] == {
        "interviews, planning, diagnosis and review": Decimal("0.5"),
        "refused by the checks": Decimal("0.2"),
        "landed": Decimal("0.1"),
    }
    for table in costs.tables:
        assert sum(row.cost_usd for row in table.rows) == costs.total.cost_usd, table.by


def test_a_build_that_asked_no_model_cost_nothing() -> None:
    costs = build_costs(build_of(*PLANNED), journal(*PLANNED))
    assert (costs.total.cost_usd, costs.cached) == (Decimal(0), 0.0)
    assert all(table.rows == () for table in costs.tables)


def test_no_cell_of_a_table_is_a_formula_of_a_spreadsheet() -> None:
    text = csv_text(
        ["key", "cost_usd"], [{"key": '=HYPERLINK("x","y")', "cost_usd": "1"}, {"key": "a,b", "cost_usd": 2}]
    )
    assert text.splitlines() == ["key,cost_usd", '"\'=HYPERLINK(""x"",""y"")",1', '"a,b",2']
