"""Where a commented paragraph is now, or since when it is another one."""

from __future__ import annotations

import pytest

from buildwright.views.contract_comments import VersionText, placed

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
    place = placed(PASSAGE, 3, 1, versions)
    assert (place.line, place.changed_in) == (line, changed_in)
    if changed_in:
        assert place.words == f"The paragraph has changed in version {changed_in}, since this was written."
    else:
        assert place.words == "On line 3 of version 1" + ("." if line == 3 else f", now at line {line}.")


def test_what_was_changed_before_the_commented_version_counts_for_nothing() -> None:
    assert placed(PASSAGE, 3, 4, (FIRST, CHANGED, BACK)).changed_in == 0
