"""Paths that tasks name: one spelling, and what overlaps. Two running tasks never hold what the other could touch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.core.paths import HeldPaths, normal_path, overlap, overlapping
from buildwright.core.task import Task

PATHS = st.lists(st.sampled_from(["src", "a.py", "b.py", ".", "*.py", "lib"]), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("path", "spelling"),
    [
        ("./src/x.py", "src/x.py"),
        ("src//x.py", "src/x.py"),
        ("src/./x.py", "src/x.py"),
        ("././src/", "src/"),
        (".env", ".env"),
        ("/etc/passwd", "/etc/passwd"),
        ("../x", "../x"),
        ("", ""),
    ],
)
def test_a_path_has_one_spelling(path: str, spelling: str) -> None:
    assert normal_path(path) == spelling


def test_a_task_names_each_file_once() -> None:
    assert Task(id="a", title="A", files_expected=("./x.py", "x.py", "src/")).files_expected == ("x.py", "src/")


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("src/x.py", "src/x.py", True),
        ("src/", "src/x.py", True),
        ("src", "src/deep/x.py", True),
        ("src/x.py", "src/x.pyi", False),
        ("src/", "srcs/x.py", False),
        ("src/*.py", "src/x.py", True),
        ("src/*.py", "lib/x.py", False),
        ("**/x.py", "lib/x.py", True),
        ("app/[id]/page.tsx", "app/list/page.tsx", False),
        (".", "lib/x.py", True),
    ],
)
def test_what_overlaps(one: str, other: str, shared: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is shared


def test_a_task_does_not_wait_for_itself() -> None:
    assert overlapping(["src/x.py"], {"src/": "a"}, "a") is None
    assert overlapping(["src/x.py"], {"src/": "a"}, "b") == ("src/", "a")


@given(st.lists(PATHS, max_size=6), PATHS)
def test_many_questions_have_the_same_answers(held: list[str], path: str) -> None:
    kept = HeldPaths()
    for number, one in enumerate(held, 1):
        kept.hold([one], number)
    assert kept.until(path) == max((number for number, one in enumerate(held, 1) if overlap(path, one)), default=0)
