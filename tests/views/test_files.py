from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.views.files import LARGEST, coloured, tree_view
from tests.views.test_overview import build_of, finished, journal, landed, started


def test_python_is_coloured_as_data_line_by_line() -> None:
    lines, note = coloured("src/a.py", b'def f():\n    return "<b>"\n')
    assert (lines, note) == (
        (
            (("k", "def"), ("w", " "), ("nf", "f"), ("p", "():")),
            (("", "    "), ("k", "return"), ("", " "), ("s2", '"<b>"')),
        ),
        "",
    )


@pytest.mark.parametrize("name", ["a.py", "a.js", "Makefile", "a.html", "a.unknown", "a.md", "a.json"])
@given(text=st.text(alphabet="ab {}()<>\"'#\\/*-=:;\n\t\u00e4", max_size=60))
def test_the_tokens_of_all_lines_are_the_text(name: str, text: str) -> None:
    lines, _ = coloured(name, text.encode())
    assert lines is not None
    assert "\n".join("".join(part for _, part in line) for line in lines) == text.removesuffix("\n")


def test_what_is_not_shown_says_why() -> None:
    assert coloured("a.bin", b"\0\1") == (None, "It is a binary file, which is not shown.")
    assert coloured("a.txt", b"\xff") == (None, "It is a binary file, which is not shown.")
    lines, note = coloured("a.txt", b"x" * (LARGEST + 1))
    assert (lines, note) == (None, "It has 1,000,001 bytes; files of more than 1,000,000 bytes are not shown.")
    lines, note = coloured("a.py", b"x = 1\n" * 50_000)
    assert lines is not None
    assert (len(lines), lines[0], note) == (50_000, (("", "x = 1"),), "It is long, so it has no colours.")


def test_the_tree_marks_what_is_new_changed_and_gone() -> None:
    build = build_of(journal(started("money"), finished("money"), *landed("money")))
    base = {"README.md": "1", "money.py": "2", "old.py": "3"}
    view = tree_view(build, 9, base, {"README.md": "1", "money.py": "4", "new.py": "5"}, {"money.py": 12})
    assert [(one.path, one.mark, one.task, one.size_bytes) for one in view.files] == [
        ("README.md", "", "", 0),
        ("money.py", "changed", "money", 12),
        ("new.py", "new", "", 0),
    ]
    assert (view.deleted, view.at, view.omitted) == (("old.py",), 9, 0)
