"""What builds came to per hour, day or week. Pure data, and the buckets that durations are counted in.

A duration is kept as the number of its bucket, so that the percentiles of any time are made from those of its hours. Up
to 63 ms each millisecond has a bucket of its own; above that a bucket is at most 1/32 as wide as its least duration, and
stands for its middle: what is told of a percentile is off by less than 1.6 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from buildwright.core.record import Record

StatsPeriod = Literal["hour", "day", "week"]
"""Periods begin in UTC; weeks on Monday."""
_STEPS = 32
"""Buckets for each doubling of the duration."""


class StatsRow(Record):
    """The figures of one period, or of all. A task counts in the hour in which it ended, a request in that of its answer."""

    start: datetime | None
    """When the period begins; None for the sum of all."""
    tasks: int = 0
    """Tasks that ended: `succeeded`, `failed` and `skipped` together."""
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    first_pass: int = 0
    """Tasks that succeeded with their first attempt."""
    first_pass_rate: float | None = None
    """The share of those in the tasks that succeeded or failed; None without any."""
    attempts: int = 0
    """Attempts that began."""
    requests: int = 0
    input_tokens: int = 0
    """Without those from the provider's cache."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    tokens: int = 0
    """All four together."""
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    """Requests whose price is not known; `cost_usd` leaves them out."""
    mean_seconds: float | None = None
    """From the start of a task's first attempt to its end, of tasks that succeeded or failed; None without any."""
    p95_seconds: float | None = None
    """At most this long in 95 of 100 such tasks; off by less than 1.6 %."""


class Stats(Record):
    """The periods in which anything happened, oldest first, and the sum of them."""

    by: StatsPeriod
    rows: tuple[StatsRow, ...] = ()
    total: StatsRow


def bucket_of(milliseconds: int) -> int:
    """Return the bucket of a duration; longer ones have larger numbers. A negative one counts as 0."""
    least = max(milliseconds, 0)
    doublings = max(least.bit_length() - _STEPS.bit_length(), 0)
    return doublings * _STEPS + (least >> doublings)


def seconds_of_bucket(bucket: int) -> float:
    """Return the duration that a bucket stands for: its middle, in seconds."""
    doublings = max(bucket // _STEPS - 1, 0)
    least = (bucket - doublings * _STEPS) << doublings
    return (least + ((1 << doublings) - 1) / 2) / 1000


def percentile(parts: Sequence[Sequence[int]], percent: int) -> float | None:
    """Return the shortest duration, in seconds, that `percent` of the tasks do not exceed; None for no tasks.

    Each part is a bucket, how many tasks are in it, the next larger bucket, and so on.
    """
    filled = [part for part in parts if part]
    if not filled:
        return None
    # That of all parts is none below the least of theirs: what a part has below is not read.
    least = min(_reached(_from_longest(part), sum(part[1::2]), percent) for part in filled)
    if len(filled) == 1:
        return round(seconds_of_bucket(least), 3)
    every: dict[int, int] = {}
    for part in filled:
        for bucket, tasks in _from_longest(part):
            if bucket < least:
                break
            every[bucket] = every.get(bucket, 0) + tasks
    reached = _reached(sorted(every.items(), reverse=True), sum(sum(part[1::2]) for part in filled), percent)
    return round(seconds_of_bucket(reached), 3)


def _from_longest(part: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Return the buckets of a part, the largest first, each with its tasks."""
    return zip(part[-2::-2], part[::-2], strict=True)


def _reached(buckets: Iterable[tuple[int, int]], tasks: int, percent: int) -> int:
    """Return the bucket of the task that `percent` of the tasks do not exceed; the largest buckets come first."""
    beyond = tasks * (100 - percent) // 100
    for bucket, inside in buckets:
        beyond -= inside
        if beyond < 0:
            return bucket
    return 0
