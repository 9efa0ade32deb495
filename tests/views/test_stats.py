"""Percentiles of the buckets of durations, against the durations themselves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.views.stats import bucket_of, percentile, seconds_of_bucket

DURATIONS = st.lists(st.lists(st.integers(0, 10**7), min_size=1, max_size=40), min_size=1, max_size=5)


def part(durations: list[int]) -> list[int]:
    return [number for pair in sorted(Counter(map(bucket_of, durations)).items()) for number in pair]


@given(DURATIONS, st.integers(1, 100))
def test_a_percentile_of_parts_is_that_of_all_their_durations(parts: list[list[int]], percent: int) -> None:
    every = sorted(duration for durations in parts for duration in durations)
    shortest = every[-(-percent * len(every) // 100) - 1]
    assert percentile([part(durations) for durations in parts], percent) == round(
        seconds_of_bucket(bucket_of(shortest)), 3
    )


@pytest.mark.parametrize("parts", [[], [[]], [[], []]])
def test_no_tasks_have_no_percentile(parts: list[list[int]]) -> None:
    assert percentile(parts, 95) is None
