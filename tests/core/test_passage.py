"""Passages of a text: a paragraph is found by one of its lines, and lines are replaced by others."""

from __future__ import annotations

import pytest

from buildwright.core.passage import LONGEST_PASSAGE, Passage, passage_in
from buildwright.errors import Refused

TEXT = "# UI\n\nOne page.\nIt lists books.\n\n\n- Last.\n"


@pytest.mark.parametrize(
    ("first", "last", "passage", "lines"),
    [
        (1, 0, (1, 1), "# UI"),
        (3, 0, (3, 4), "One page.\nIt lists books."),
        (4, 0, (3, 4), "One page.\nIt lists books."),
        (7, 0, (7, 7), "- Last."),
        (4, 6, (4, 6), "It lists books.\n\n"),
        (2, 2, (2, 2), ""),
    ],
)
def test_a_paragraph_ends_at_empty_lines(first: int, last: int, passage: tuple[int, int], lines: str) -> None:
    found = passage_in(TEXT, first, last)
    assert found == passage
    assert found.of(TEXT) == lines
    assert found.replaced(TEXT, found.of(TEXT)).replace("\n", "") == TEXT.replace("\n", "")


@pytest.mark.parametrize(("first", "last"), [(0, 0), (8, 0), (2, 0), (3, 9), (4, 3)])
def test_lines_that_are_no_passage_are_refused(first: int, last: int) -> None:
    with pytest.raises(Refused):
        passage_in(TEXT, first, last)


def test_a_passage_is_no_longer_than_a_model_is_asked_for() -> None:
    with pytest.raises(Refused, match="20,000 characters"):
        passage_in("x" * (LONGEST_PASSAGE + 1), 1)


def test_other_lines_stay_as_they_are() -> None:
    assert Passage(3, 4).replaced(TEXT, "\nTwo pages.\n") == "# UI\n\nTwo pages.\n\n\n- Last.\n"
    assert Passage(7, 7).replaced(TEXT, "- A.\n- B.") == "# UI\n\nOne page.\nIt lists books.\n\n\n- A.\n- B.\n"
