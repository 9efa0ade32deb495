from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from buildwright.views.line_words import Comparing, pieces_of

KINDS = st.sampled_from(["same", "added", "removed"])
WORDS = st.text(alphabet="ab .\U0001f600", max_size=12)


def test_a_line_that_became_another_is_in_pieces_by_turns_unchanged_and_changed() -> None:
    found = pieces_of(["same", "removed", "added"], ["x", "total = price * 2", "total = cost * 2"], Comparing())
    assert found == {1: ("total = ", "price", " * 2"), 2: ("total = ", "cost", " * 2")}
    assert pieces_of(["removed", "added"], ["if ready:", "unless ready:"], Comparing())[0] == ("", "if", " ready:")


def test_lines_that_have_little_in_common_are_whole() -> None:
    assert pieces_of(["removed", "added"], ["import os", "print(total / 3)"], Comparing()) == {}
    assert pieces_of(["added", "removed"], ["a b c", "a b d"], Comparing()) == {}, (
        "only an added run behind a removed one"
    )
    assert pieces_of(["removed", "added"], ["a " * 600, "a " * 601], Comparing()) == {}, "too long"


def test_each_line_is_held_against_the_one_at_its_place() -> None:
    found = pieces_of(["removed", "removed", "added"], ["one = 1", "two = 2", "one = 3"], Comparing())
    assert found == {0: ("one = ", "1"), 2: ("one = ", "3")}


def test_of_many_pairs_the_first_are_compared_until_it_took_enough() -> None:
    comparing, lines = Comparing(60), ["one = 1", "one = 3"]
    assert pieces_of(["removed", "added"], lines, comparing)
    assert pieces_of(["removed", "added"], lines, comparing)
    assert pieces_of(["removed", "added"], lines, comparing) == {}


@given(st.lists(st.tuples(KINDS, WORDS), max_size=10))
def test_pieces_joined_are_the_line(lines: list[tuple[str, str]]) -> None:
    texts = [text for _, text in lines]
    for place, pieces in pieces_of([kind for kind, _ in lines], texts, Comparing()).items():
        assert "".join(pieces) == texts[place]
