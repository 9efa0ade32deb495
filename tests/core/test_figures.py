"""Amounts of money and counts have one form."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal
from pathlib import Path

from buildwright.core.figures import count, money, money_range

ROOT = Path(__file__).parents[2]
PLAIN = r"\$\{[a-z_.]*(usd|total|spent|budget|low|high)[a-z_.]*(:\.[0-9]f)?\}"
BY_HAND = (
    r"'s' if [a-z_.()]+ (>|!=) 1|'' if [a-z_.()]+ == 1 else 's'|\"1 [a-z]+( is)?\" if "
    r"|'[a-z]+( is)?' if [a-z_]+ == 1 else '[a-z]+s( are)?'"
)


def test_an_amount_is_written_as_on_the_pages_whatever_holds_it() -> None:
    """Their own test reads the same table."""
    known = json.loads((ROOT / "web/src/ui/amounts.json").read_text("utf-8"))
    assert {each: money(Decimal(each)) for each in known} == known
    assert {each: money(float(each)) for each in known} == known
    assert (money_range(0.0042, 0.02), money_range(0.251, 0.249)) == ("$0.0042 to $0.02", "$0.25")


def test_one_thing_is_no_plural() -> None:
    assert [count(*each) for each in ((0, "task"), (1, "task"), (1200, "entry"), (2, "day"), (1, "day"))] == [
        "0 tasks",
        "1 task",
        "1,200 entries",
        "2 days",
        "1 day",
    ]


def test_amounts_are_written_in_no_other_place() -> None:
    """Prices of a million tokens, which a user writes, are shown with all their digits."""
    assert [line for line in _found(PLAIN) if "settings_words.py" not in line] == []


def test_nouns_are_counted_in_no_other_place() -> None:
    assert _found(BY_HAND) == []


def _found(pattern: str) -> list[str]:
    found = subprocess.run(
        ("git", "grep", "-nE", pattern, "--", "src/buildwright/*.py", ":!src/buildwright/core/figures.py"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.splitlines()
