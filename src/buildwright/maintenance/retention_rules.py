"""How long data is kept, and durations as a user writes them. Must never remove anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from buildwright.errors import BadSettings, Refused

KEEP_DAYS = "BUILDWRIGHT_KEEP_DAYS"
_UNITS = {"m": 1, "h": 60, "d": 1440, "w": 10080}
_MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """What `prune` keeps."""

    older_than: timedelta = timedelta(days=30)
    """Builds that ended longer ago are removed with journal, log and artifacts.

    So are set-up caches unused for as long.
    """
    keep: int = 0
    """The number of newest ended builds that stay, however old they are."""
    log_lines: int = 100_000
    """Lines of its log that an ended build keeps."""
    logs_older_than: timedelta | None = None
    """Builds that ended longer ago lose their whole log, though they stay."""
    only_logs: bool = False
    """Remove nothing but logs."""


def duration(text: str) -> timedelta:
    """Return the duration that a user wrote: a number and a unit (m, h, d or w). Raises Refused with an example."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*([mhdw])\s*", text, re.ASCII)
    if found is None:
        raise Refused(f"{text!r} is not a duration", fix="give a number and m, h, d or w, such as 12h, 30d or 2w")
    minutes = int(found.group(1)) * _UNITS[found.group(2)]
    if minutes > _MOST_DAYS * 1440:
        raise Refused(f"{text!r} is longer than a hundred years", fix="give a shorter one, such as 52w")
    return timedelta(minutes=minutes)


def default_age(environment: Mapping[str, str]) -> timedelta:
    """Return how long an ended build is kept: BUILDWRIGHT_KEEP_DAYS, else 30 days. Raises BadSettings."""
    named = environment.get(KEEP_DAYS, "").strip()
    if not named:
        return RetentionRules().older_than
    if not named.isascii() or not named.isdecimal() or len(named) > 5 or int(named) > _MOST_DAYS:
        raise BadSettings(
            f"{KEEP_DAYS} is {named!r}, which is not a number of days", fix=f"set it to a number: {KEEP_DAYS}=30"
        )
    return timedelta(days=int(named))


def words(age: timedelta) -> str:
    """Return the duration as a user writes it."""
    minutes = int(age.total_seconds() // 60)
    for unit in "dhm":
        if minutes % _UNITS[unit] == 0:
            return f"{minutes // _UNITS[unit]}{unit}"
    return f"{minutes}m"
