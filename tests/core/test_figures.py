"""Amounts of money and counts have one form."""

from __future__ import annotations

import subprocess
from decimal import Decimal
from pathlib import Path

from buildwright.core.figures import count, money, money_range

ROOT = Path(__file__).parents[2]
PLAIN = r"\$\{[a-z_.]*(usd|total|spent|budget|low|high)[a-z_.]*(:\.[0-9]f)?\}"


def test_an_amount_below_a_cent_keeps_four_decimals() -> None:
    amounts = ("0", "0.00004", "0.0042", "0.01", "0.5", "1.2", "1200")
    assert [money(Decimal(each)) for each in amounts] == [
        *("$0.00", "$0.0000", "$0.0042", "$0.01", "$0.50", "$1.20", "$1200.00")
    ]
    assert money(0.0042) == "$0.0042"
    assert (money_range(0.0042, 0.02), money_range(0.251, 0.249)) == ("$0.0042 to $0.02", "$0.25")


def test_one_thing_is_no_plural() -> None:
    assert [count(*each) for each in ((0, "task"), (1, "task"), (1200, "entry"))] == [
        "0 tasks",
        "1 task",
        "1,200 entries",
    ]


def test_amounts_are_written_in_no_other_place() -> None:
    """Prices of a million tokens, which a user writes, are shown with all their digits."""
    found = subprocess.run(
        ("git", "grep", "-nE", PLAIN, "--", "src/buildwright/*.py", ":!src/buildwright/core/figures.py"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in found.stdout.splitlines() if "settings_words.py" not in line] == []
