"""Two changes side by side: by file, hunk and line, from diffs as git writes them."""

from __future__ import annotations

import difflib
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.views.attempts import AttemptChange, AttemptFile, AttemptsView, attempts_side_by_side
from buildwright.views.review import diff_files

BASE = [f"line {n}" for n in range(1, 31)]


def git_diff(path: str, old: list[str], new: list[str]) -> str:
    """As git writes it, for a file that stays, comes or goes."""
    body = [line.rstrip("\n") for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="", n=3)]
    head = [f"diff --git a/{path} b/{path}", f"index {blob(old)}..{blob(new)} 100644"]
    return "\n".join([*head, *body, ""]) if body else ""


def blob(lines: list[str]) -> str:
    return hashlib.sha1("\n".join(lines).encode()).hexdigest()[:7]


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


def test_the_same_change_on_a_base_that_has_moved_is_the_same() -> None:
    shifted = [*(f"new {n}" for n in range(100)), *BASE]
    view = beside({"a.py": changed(n15="x")}, {"a.py": [*shifted[:100], *changed(n15="x")]}, shifted)
    (file,) = view.files
    assert (file.match, len(file.hunks), file.hunks[0].left_start, file.hunks[0].right_start) == ("same", 1, 12, 112)


def test_the_same_line_at_another_place_differs() -> None:
    base = ["a"] * 30
    sides = []
    for number, place in ((1, 10), (2, 12)):
        text = git_diff("a", base, ["b" if at == place else "a" for at in range(30)])
        sides.append(AttemptChange(number, "o", f"n{number}", diff_files(text)))
    (file,) = attempts_side_by_side("b", "t", *sides).files
    assert file.match == "differs"
    assert any(hunk.differs for hunk in file.hunks)


def of_diffs(left: str, right: str) -> AttemptsView:
    sides = (AttemptChange(number, "o", f"n{number}", diff_files(text)) for number, text in enumerate((left, right), 1))
    return attempts_side_by_side("b", "t", *sides)


def test_what_is_no_text_or_too_long_is_not_shown_in_lines_and_is_the_same_or_not() -> None:
    binary = "diff --git a/p.png b/p.png\nindex 1..{} 100644\nBinary files a/p.png and b/p.png differ\n"
    long = git_diff("l.txt", [], [str(n) for n in range(3_100)])
    other = git_diff("l.txt", [], [str(n) for n in range(1, 3_101)])
    for left, right, match in (
        (long + binary.format(2), long + binary.format(2), "same"),
        (long + binary.format(2), other + binary.format(3), "differs"),
    ):
        files = of_diffs(left, right).files
        assert [(file.path, file.match, bool(file.not_shown)) for file in files] == [
            ("l.txt", match, True),
            ("p.png", match, True),
        ]


def test_a_name_before_a_mode_and_an_end_without_a_newline_are_part_of_a_change() -> None:
    renamed = "diff --git a/{0} b/c\nsimilarity index 100%\nrename from {0}\nrename to c\n"
    assert of_diffs(renamed.format("a"), renamed.format("a")).words == "Both made the same change."
    (file,) = of_diffs(renamed.format("a"), renamed.format("b")).files
    assert (file.match, file.words) == ("differs", "differs")
    assert file.besides == "On the left renamed from a; on the right renamed from b."
    executable = "diff --git a/s b/s\nold mode 100644\nnew mode 100755\n"
    edited = git_diff("s", BASE, changed(n5="x"))
    (file,) = of_diffs(edited, executable + edited.partition("\n")[2]).files
    assert (file.match, file.besides) == ("differs", "On the left changed; on the right changed, mode 100755.")
    (file,) = of_diffs(edited, edited.rstrip("\n") + "\n\\ No newline at end of file\n").files
    assert (file.match, file.besides) == ("differs", "")
    assert [row.right.unended for row in file.hunks[0].runs[-1].lines if row.right] == [True]


@pytest.mark.timeout(20)
def test_lines_that_are_there_many_times_over_take_no_longer() -> None:
    sides = []
    for name in ("x", "y"):
        lines = [line for n in range(690) for line in (f"{name}{n}", "")]
        sides.append("".join(git_diff(f"{at}.txt", [], lines) for at in range(12)))
    files = of_diffs(*sides).files
    shown = [sum(len(run.lines) for hunk in file.hunks for run in hunk.runs) > 0 for file in files]
    assert shown == [not file.not_shown for file in files]
    assert {file.match for file in files} == {"differs"}
    assert sum(shown) == 3, "others have no room in one answer"


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
