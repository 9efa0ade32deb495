"""Where a commented paragraph is now, or since when it is another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.views.contract_comments import CommentedPlace, VersionText, followed

PASSAGE = "two\nthree"
FIRST = VersionText(1, "one\n\ntwo\nthree\n\nfour\n")
MOVED = VersionText(2, "zero\none\n\ntwo\nthree\n")
CHANGED = VersionText(3, "one\n\ntwo\nand three\n")
BACK = VersionText(4, FIRST.content)
TWICE = VersionText(2, "two\nthree\n\nx\n\ntwo\nthree\n")


@pytest.mark.parametrize(
    ("versions", "line", "changed_in"),
    [
        ((FIRST,), 3, 0),
        ((MOVED, FIRST), 4, 0),
        ((FIRST, MOVED, CHANGED), 0, 3),
        ((FIRST, CHANGED, VersionText(4, "")), 0, 3),
        ((FIRST, CHANGED, BACK), 3, 0),
        ((FIRST, TWICE), 1, 0),
        ((FIRST, VersionText(2, "two\n")), 0, 2),
        ((FIRST, VersionText(2, "two\nthree more\n")), 0, 2),
    ],
)
def test_a_paragraph_is_found_again_or_has_changed(
    versions: tuple[VersionText, ...], line: int, changed_in: int
) -> None:
    (place,) = followed([CommentedPlace(PASSAGE, 3, 1, 3)], versions)
    assert (0 if place.changed_in else place.line, place.changed_in) == (line, changed_in)
    if changed_in:
        assert place.words == f"The paragraph has changed in version {changed_in}, since this was written."
    else:
        assert place.words == "On line 3 of version 1" + ("." if line == 3 else f", now at line {line}.")


def test_what_was_changed_before_the_commented_version_counts_for_nothing() -> None:
    (place,) = followed([CommentedPlace(PASSAGE, 3, 4, 3)], (FIRST, CHANGED, BACK))
    assert place.changed_in == 0


def test_versions_may_come_in_parts() -> None:
    places = [CommentedPlace(PASSAGE, 3, 1, 3), CommentedPlace("four", 6, 1, 6)]
    for version in (FIRST, MOVED, CHANGED):
        places = followed(places, [version])
    assert [(place.line, place.changed_in) for place in places] == [(4, 3), (6, 2)]
    assert followed(places, [BACK])[0].changed_in == 0


@given(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=12),
    st.lists(st.sampled_from("ab"), min_size=1, max_size=3),
    st.integers(1, 12),
)
def test_of_many_places_the_nearest_is_taken(lines: list[str], passage: list[str], near: int) -> None:
    places = [at + 1 for at in range(len(lines)) if lines[at : at + len(passage)] == passage]
    (place,) = followed([CommentedPlace("\n".join(passage), near, 1, near)], [VersionText(2, "\n".join(lines))])
    if places:
        assert (place.line, place.changed_in) == (min(places, key=lambda at: abs(at - near)), 0)
    else:
        assert (place.line, place.changed_in) == (near, 2)


@pytest.mark.timeout(20)
def test_the_same_line_many_times_over_takes_no_longer() -> None:
    long = VersionText(2, "a\n" * 100_000)
    ends_otherwise = CommentedPlace("a\n" * 9_999 + "b", 90_000, 1, 90_000)
    many = [CommentedPlace("a\n" * 9_999 + "a", 50_000 + at, 1, 50_000 + at) for at in range(50)]
    places = followed([ends_otherwise, *many], [long])
    assert (places[0].changed_in, [place.line for place in places[1:]]) == (2, [50_000 + at for at in range(50)])
