"""Two changes side by side: by file, hunk and line, from diffs as git writes them."""

from __future__ import annotations

import difflib

from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.views.attempts import AttemptChange, AttemptFile, AttemptsView, attempts_side_by_side
from buildwright.views.review import diff_files

BASE = [f"line {n}" for n in range(1, 31)]


def git_diff(path: str, old: list[str], new: list[str]) -> str:
    """As git writes it, for a file that stays, comes or goes."""
    body = [line.rstrip("\n") for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="", n=3)]
    return "\n".join([f"diff --git a/{path} b/{path}", *body, ""]) if body else ""


def changed(**lines: str) -> list[str]:
    """The base with other lines in place of some: `n5="x"`."""
    return [lines.get(f"n{n}", text) for n, text in enumerate(BASE, 1)]


def beside(left: dict[str, list[str]], right: dict[str, list[str]], base: list[str] | None = None) -> AttemptsView:
    sides = []
    for number, files in enumerate((left, right), 1):
        old = BASE if base is None or number == 1 else base
        text = "".join(git_diff(path, old, new) for path, new in files.items())
        sides.append(AttemptChange(number, "o", f"n{number}", diff_files(text)))
    return attempts_side_by_side("b", "t", *sides)


def told(file: AttemptFile) -> list[tuple[str | None, str | None]]:
    """What differs, left beside right."""
    return [
        (row.left.text if row.left else None, row.right.text if row.right else None)
        for hunk in file.hunks
        for run in hunk.runs
        if run.differs
        for row in run.lines
    ]


def test_the_same_change_is_the_same() -> None:
    same = changed(n5="other")
    view = beside({"a.py": same}, {"a.py": same})
    assert (view.words, [file.match for file in view.files]) == ("Both made the same change.", ["same"])
    assert (view.left.added, view.right.removed) == (1, 1)


def test_hunks_stand_beside_those_about_the_same_lines_and_what_differs_is_marked() -> None:
    left = {"a.py": changed(n5="five here", n20="twenty"), "b.py": changed(n1="b")}
    right = {"a.py": changed(n5="five there", n20="twenty"), "c.py": changed(n1="c")}
    view = beside(left, right)
    assert [(file.path, file.match) for file in view.files] == [
        ("a.py", "differs"),
        ("b.py", "only_left"),
        ("c.py", "only_right"),
    ]
    assert view.words == "They differ in 3 of 3 files."
    first, second = view.files[0].hunks
    assert (first.differs, second.differs) == (True, False)
    assert told(view.files[0]) == [("five here", "five there")]
    (row,) = next(run.lines for run in first.runs if run.differs)
    assert row.left is not None
    assert row.right is not None
    assert (row.left.pieces, row.right.pieces) == (("five ", "here"), ("five ", "there"))
    assert view.files[1].hunks[0].right_start == 0


def test_a_place_that_one_attempt_left_alone_has_nothing_beside_it() -> None:
    view = beside({"a.py": changed(n5="x")}, {"a.py": changed(n5="x", n25="y")})
    (file,) = view.files
    assert [(hunk.left_start > 0, hunk.right_start > 0, hunk.differs) for hunk in file.hunks] == [
        (True, True, False),
        (False, True, True),
    ]
    assert (None, "y") in told(file)


def test_attempts_on_other_bases_are_aligned_by_their_lines() -> None:
    shifted = ["new first", *BASE]
    view = beside({"a.py": changed(n5="x")}, {"a.py": ["new first", *changed(n5="x")]}, shifted)
    (file,) = view.files
    assert len(file.hunks) == 1, "line numbers of two bases are not held against each other"
    kinds = {
        row.left.kind for hunk in file.hunks for run in hunk.runs for row in run.lines if row.left and not run.differs
    }
    assert {"removed", "added"} <= kinds


def test_what_is_no_text_or_too_long_is_not_shown_in_lines() -> None:
    binary = "diff --git a/p.png b/p.png\nindex 1..2 100644\nBinary files a/p.png and b/p.png differ\n"
    long = git_diff("l.txt", [], [str(n) for n in range(3_100)])
    one = AttemptChange(1, "o", "n", diff_files(binary + long))
    view = attempts_side_by_side("b", "t", one, one._replace(attempt=2))
    assert [(file.path, file.match, bool(file.not_shown)) for file in view.files] == [
        ("l.txt", "differs", True),
        ("p.png", "differs", True),
    ]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_line_of_both_changes_is_there_once_and_in_order(data: st.DataObject) -> None:
    words = st.sampled_from([*BASE[:8], "x", "y", ""])
    left, right = (data.draw(st.lists(words, max_size=20)) for _ in range(2))
    base = BASE[:10]
    texts = [git_diff("a", base, new) for new in (left, right)]
    files = [diff_files(text) for text in texts]
    view = attempts_side_by_side("b", "t", AttemptChange(1, "o", "n", files[0]), AttemptChange(2, "o", "m", files[1]))
    rows = [row for file in view.files for hunk in file.hunks for run in hunk.runs for row in run.lines]
    for side, of in (("left", files[0]), ("right", files[1])):
        shown = [(line.kind, line.text) for row in rows if (line := getattr(row, side)) is not None]
        assert shown == [(line.kind, line.text) for file in of for hunk in file.hunks for line in hunk.lines]
    assert all(
        (row.left is not None and row.right is not None and row.left.text == row.right.text) or run.differs
        for file in view.files
        for hunk in file.hunks
        for run in hunk.runs
        for row in run.lines
    )
