"""Amounts of money and counts in words for people, one form in every place. Pure; must never round what is kept."""

from __future__ import annotations

from decimal import Decimal

_CENT = Decimal("0.01")
_LEAST = Decimal("0.0001")


def money(amount: Decimal | float) -> str:
    """Format US dollars with two decimals, or with four below one cent; an amount below those is `less than` them.

    A float counts as it is written. What lies in the middle goes to the even digit, as on the pages.
    """
    usd = Decimal(str(amount))
    size, sign = abs(usd), "-" if usd < 0 else ""
    if 0 < size < _LEAST:
        return f"less than ${_LEAST}"
    return f"{sign}${size:.4f}" if 0 < size < _CENT else f"{sign}${size:.2f}"


def money_range(low: float, high: float) -> str:
    """Format a range of US dollars, `$0.0042 to $0.02`; one amount where both ends look alike."""
    ends = (money(low), money(high))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def count(number: int, noun: str) -> str:
    """Format a number with its noun: `1 task`, `2 tasks`, `1,200 tasks`, `2 entries`, `2 days`."""
    if number == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in set("aeiou") else f"{noun}s"
    return f"{number:,} {many}"
