"""What was measured of budgets and limits, as tables. Measures nothing."""

from __future__ import annotations

from typing import Any

from bench.cluster.tables import Table

MOST_FURTHER = 2


def tables(rounds: list[dict[str, Any]]) -> list[Table]:
    """The worst of all rounds; none when nothing was measured."""
    if not rounds:
        return []
    limits = [
        (words, *(f"{choose(found[part][name] for found in rounds)}" for name, choose in columns))
        for words, part in (("through the gateway", "limit"), ("each client by itself", "without"))
        for columns in [(("attempts", max), ("further", max), ("answered", min))]
    ]
    budgets = []
    for place, processes in enumerate(row["processes"] for row in rounds[0]["budget"]):
        rows = [found["budget"][place] for found in rounds]
        worst = max(rows, key=lambda row: row["over_usd"] / row["dearest_usd"])
        budgets.append(
            (
                f"{processes}",
                f"{max(row['at_once'] for row in rows)}",
                f"{worst['over_usd']:.4f}",
                f"{worst['dearest_usd']:.4f}",
                f"{worst['over_usd'] / worst['dearest_usd']:.2f}",
            )
        )
    limit_note = (
        f"Further calls that reach the provider before its reset, which it tells in a header alone; goal: at most {MOST_FURTHER}."
        " By itself each client tries four times and gives up."
    )
    budget_note = "16 attempts ask at once until they are refused; goal: over by at most the dearest answer (1.00)."
    return [
        Table("A limit that many attempts meet", ("", "attempts", "further calls", "answered"), limits, (limit_note,)),
        Table(
            "A budget that many attempts spend",
            ("processes", "answers at once", "over, USD", "dearest answer, USD", "over / dearest"),
            budgets,
            (budget_note,),
        ),
    ]
