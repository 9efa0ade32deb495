"""The block scanner: what it finds, what it refuses, and that its work grows linearly."""

from __future__ import annotations

import sys
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.agents.blocks import (
    Block,
    BlockScanner,
    DeleteBlock,
    DoneBlock,
    EditBlock,
    FileBlock,
    Malformed,
    PlanBlock,
    PlanItem,
    Prose,
    Replacement,
)


def scan(text: str, size: int = 0) -> list[Block]:
    scanner = BlockScanner()
    chunks = [text[i : i + size] for i in range(0, len(text), size)] if size else [text]
    out = [block for chunk in chunks for block in scanner.feed(chunk)]
    return out + scanner.finish()


def without_prose(blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if not isinstance(block, Prose)]


ANSWER = """I will write two files.
=== BUILD PLAN ===
- [ ] write a
- [x] read b
not an item
=== END BUILD PLAN ===
=== FILE: src/a.py ===
```python
print("a")
```
=== END FILE ===
between
=== EDIT: b.txt ===
<<<<<<< SEARCH
old
=======
new
>>>>>>> REPLACE

<<<<<<< SEARCH
gone
=======
>>>>>>> REPLACE
=== END EDIT ===
=== DELETE: c d.txt ===
=== TASK DONE: 1 ===
bye"""

FOUND: list[Block] = [
    PlanBlock((PlanItem("write a", done=False), PlanItem("read b", done=True))),
    FileBlock("src/a.py", 'print("a")\n'),
    EditBlock("b.txt", (Replacement("old\n", "new\n"), Replacement("gone\n", ""))),
    DeleteBlock("c d.txt"),
    DoneBlock("1"),
]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 64])
def test_finds_every_kind_of_block_however_the_answer_is_cut(size: int) -> None:
    blocks = scan(ANSWER, size)
    assert without_prose(blocks) == FOUND
    prose = "".join(block.text for block in blocks if isinstance(block, Prose))
    assert prose == "I will write two files.\nbetween\nbye"


def test_a_block_comes_out_as_soon_as_its_end_line_is_complete() -> None:
    scanner = BlockScanner()
    assert scanner.feed("=== FILE: a ===\nx\n=== END FILE ===") == []
    assert scanner.feed("\n") == [FileBlock("a", "x\n")]


@pytest.mark.parametrize(
    ("inner", "content"),
    [
        ("", ""),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("no fence\n```\n", "no fence\n```\n"),
        ("```\nopen only\n", "```\nopen only\n"),
        ("````md\n```\ncode\n```\n````\n", "```\ncode\n```\n"),
        ("  === END FILE ===\n", "  === END FILE ===\n"),
        ("=== TASK DONE: 1 ===\n=== BUILD PLAN ===\n", "=== TASK DONE: 1 ===\n=== BUILD PLAN ===\n"),
        ("tab\there \n\n\n", "tab\there \n\n\n"),
        ("\ufeffbom\u2028line\x0cfeed\n", "\ufeffbom\u2028line\x0cfeed\n"),
    ],
)
def test_content_is_kept_byte_for_byte(inner: str, content: str) -> None:
    assert scan(f"=== FILE: f ===\n{inner}=== END FILE ===\n") == [FileBlock("f", content)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("=== FILE: a ===\nhalf of it", "was not finished"),
        ("=== EDIT: a ===\n<<<<<<< SEARCH\nx\n=== END EDIT ===\n", "without ======="),
        ("=== EDIT: a ===\n<<<<<<< SEARCH\nx\n=======\ny\n=== END EDIT ===\n", "without >>>>>>> REPLACE"),
        ("=== EDIT: a ===\n=== END EDIT ===\n", "no SEARCH part"),
        ("=== EDIT: a ===\n+ a diff\n", "text outside"),
        ("=== END FILE ===\n", "never begun"),
        ("=== FILE: ===\nx\n=== END FILE ===\n", "names no path"),
    ],
)
def test_a_malformed_block_is_a_warning_and_nothing_else(text: str, problem: str) -> None:
    blocks = [block for block in scan(text) if not isinstance(block, Prose)]
    assert [type(block) for block in blocks] in ([Malformed], [Malformed, Malformed])
    assert isinstance(blocks[0], Malformed)
    assert problem in blocks[0].problem


def test_a_forgotten_end_does_not_swallow_the_next_file() -> None:
    blocks = scan("=== FILE: a ===\none\n=== FILE: b ===\ntwo\n=== END FILE ===\n")
    assert isinstance(blocks[0], Malformed)
    assert blocks[1:] == [FileBlock("b", "two\n")]


def test_a_marker_in_the_middle_of_a_long_line_is_not_a_marker() -> None:
    scanner = BlockScanner()
    out = scanner.feed("x" * 500) + scanner.feed("=== DELETE: a ===\n") + scanner.finish()
    assert all(isinstance(block, Prose) for block in out)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*ANSWER.splitlines(keepends=True), "\r\n", "text", "=== ", "é\n"]), max_size=40))
def test_never_raises_and_does_not_depend_on_the_chunks(parts: list[str]) -> None:
    text = "".join(parts)
    assert without_prose(scan(text)) == without_prose(scan(text, 3))


def work(text: str, size: int) -> int:
    """Python and C calls made while scanning: a measure of work that no clock disturbs."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        scan(text, size)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "line", ["=== FILE: a ===\n", "=== EDIT: a ===\n<<<<<<< SEARCH\n", "=== FILE: a", "=" * 40, "```\n"]
)
def test_work_is_linear_in_the_answer(line: str) -> None:
    small, large = (work(line * (count // len(line)), 1000) for count in (100_000, 200_000))
    assert large / small < 2.2


def test_one_endless_line_is_passed_on_in_pieces() -> None:
    scanner = BlockScanner()
    held = 0
    for _ in range(10_000):
        scanner.feed("=== FILE: a")
        held = max(held, sum(map(len, scanner._partial)))
    assert held <= 5_011


def test_a_megabyte_of_openers_is_read() -> None:
    text = "=== FILE: a ===\n" * 65_536
    assert len(scan(text)) == 65_536


def test_more_signs_hold_a_file_that_has_markers_itself() -> None:
    inner = "=== FILE: x ===\ntext\n=== END FILE ===\n=== EDIT: y ===\n"
    text = f"==== FILE: notes.md ====\n{inner}==== END FILE ====\n"
    for size in (1, 7, len(text)):
        scanner = BlockScanner()
        blocks = [block for start in range(0, len(text), size) for block in scanner.feed(text[start : start + size])]
        assert [*blocks, *scanner.finish()] == [FileBlock("notes.md", inner)]


def test_more_signs_work_for_edits_and_still_notice_a_missing_end() -> None:
    edit = "===== EDIT: a =====\n<<<<<<< SEARCH\n=== FILE: x ===\n=======\nnew\n>>>>>>> REPLACE\n===== END EDIT =====\n"
    scanner = BlockScanner()
    assert scanner.feed(edit) == [EditBlock("a", (Replacement("=== FILE: x ===\n", "new\n"),))]
    blocks = scanner.feed("==== FILE: a ====\none\n==== FILE: b ====\ntwo\n==== END FILE ====\n")
    assert [type(block) for block in blocks] == [Malformed, FileBlock]
    assert blocks[1] == FileBlock("b", "two\n")


CONFLICT = "<<<<<<< 1a2b3c\nx = 1\n=======\nx = 2\n>>>>>>> 4d5e6f\n"
HEADING = "Foo bar\n=======\nwords\n"


def edit(search: str, replace: str, width: int = 7) -> str:
    return f"=== EDIT: a.txt ===\n{'<' * width} SEARCH\n{search}{'=' * width}\n{replace}{'>' * width} REPLACE\n=== END EDIT ===\n"


@pytest.mark.parametrize(
    ("search", "replace", "width"),
    [(CONFLICT, "x = 3\n", 7), ("x = 3\n", CONFLICT, 7), (HEADING, HEADING.upper(), 8), (CONFLICT, HEADING, 9)],
)
def test_an_edit_may_quote_a_conflict_and_with_more_signs_any_line(search: str, replace: str, width: int) -> None:
    assert scan(edit(search, replace, width)) == [EditBlock("a.txt", (Replacement(search, replace),))]


@pytest.mark.parametrize(
    ("search", "replace"),
    [(HEADING, "x\n"), ("x\n", HEADING), ("<<<<<<< 1a2b3c\n", "x\n"), ("x\n", "<<<<<<< SEARCH\n")],
)
def test_an_edit_whose_parts_are_not_certain_is_refused(search: str, replace: str) -> None:
    refused, *rest = [block for block in scan(edit(search, replace)) if not isinstance(block, Prose)]
    assert isinstance(refused, Malformed)
    assert "nothing of it was applied" in refused.problem
    assert not [block for block in rest if not isinstance(block, Malformed)]
