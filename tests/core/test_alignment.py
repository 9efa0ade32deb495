"""Which lines of two texts stand for each other."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.core.alignment import Block, equal_blocks

LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=15)


@given(LINES, LINES)
def test_blocks_are_equal_in_order_and_have_the_common_ends(before: list[str], after: list[str]) -> None:
    check(before, after)
    if before == after:
        assert equal_blocks(before, after) == ([Block(0, 0, len(before))] if before else [])


@pytest.mark.parametrize("seed", range(20))
def test_so_are_those_of_long_texts(seed: int) -> None:
    chosen = random.Random(seed)
    before = chosen.choices(range(900), k=600)
    after = chosen.choices(range(900), k=100) + before[50:300] + chosen.choices(range(900), k=300) + before[320:]
    check(before, after)
    assert sum(block.size for block in equal_blocks(before, after)) > 400


def check(before: Sequence[object], after: Sequence[object]) -> None:
    upto, until = 0, 0
    for place, other, size in equal_blocks(before, after):
        assert size > 0
        assert place >= upto
        assert other >= until
        upto, until = place + size, other + size
        assert before[place:upto] == after[other:until]
    assert upto <= len(before)
    assert until <= len(after)


def test_a_long_text_of_which_parts_have_changed_and_moved() -> None:
    before = [f"line {n}" if n % 3 else "" for n in range(2_000)]
    after = ["new", *before[:500], "other", *before[501:1_500], "", *before[1_500:], "end"]
    kept = sum(block.size for block in equal_blocks(before, after))
    assert kept == 1_999


def test_what_is_new_lies_between_equal_beginnings_and_ends() -> None:
    assert equal_blocks(["a", "b", "d"], ["a", "c", "d"]) == [Block(0, 0, 1), Block(2, 2, 1)]
    assert equal_blocks(["a", "a"], ["a", "a", "a"]) == [Block(0, 0, 2)]


@pytest.mark.timeout(20)
def test_one_line_many_times_over_takes_no_longer() -> None:
    before, after = ([line for n in range(6_000) for line in (f"{name}{n % 99}", "", f"{n % 99}")] for name in "xy")
    check(before, after)
