"""Cursors: what goes in comes out, and nothing else is one."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.api.cursor import Cursor, Newest, Place, decode

COUNTS = st.integers(0, 2**62)
PLACES = st.builds(Place, COUNTS, COUNTS, COUNTS, st.integers(0, 9))
CURSORS = st.builds(
    Cursor,
    st.sampled_from(["de", "bej", ""]),
    st.dictionaries(st.uuids().map(str), PLACES, max_size=5),
    st.none() | st.builds(Newest, COUNTS, st.uuids().map(str)),
)


@given(CURSORS)
def test_a_cursor_comes_back_as_it_was(cursor: Cursor) -> None:
    text = cursor.encoded()
    assert decode(text) == cursor
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()


def _made(value: object) -> str:
    return "1" + base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "2abc", "1abc", "1====", "é", "1é", "1" + "A" * 20_000, _made([]), _made(7), _made(["de", [["b"]]]),
        _made(["de", [["b", -1]], None]), _made(["de", [["b", 1.5]], None]), _made(["de", [["b", True]], None]),
        _made(["de", [[7, 1]], None]), _made([1, [], None]), _made(["de", [["b", 1, 2, 3, 4, 5]], None]),
        _made(["de", [], [1]]), _made(["de", [], ["x", "b"]]), _made(["de", [["b", 2**64]], None]),
        _made(["de", [["b" * 300, 1]], None]),
    ],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    assert decode(text) is None


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: "1" + base64.urlsafe_b64encode(data).decode()))
def test_no_text_breaks_it(text: str) -> None:
    decode(text)
