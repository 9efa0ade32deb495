"""Masking of secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.core.secrets import MASK, SHORTEST, mask

KEY = "pa$$ w/ö+rd=&1234567890"


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        KEY[::-1],
        quote(KEY),
        quote(KEY, safe=""),
        quote(KEY).replace("%20", "+").replace("/", "%2F"),
        json.dumps(KEY)[1:-1],
    ],
)
def test_a_named_secret_is_masked_in_each_form(form: str) -> None:
    assert mask(f"before {form} after", [KEY]) == f"before {MASK} after"


@pytest.mark.parametrize("lead", ["", "u", "us", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_named_secret_is_masked_in_base64_at_any_place(lead: str, encode: type[bytes]) -> None:
    encoded = base64.b64encode(f"{lead}{KEY}!".encode()).decode()
    url_safe = encoded.replace("+", "-").replace("/", "_")
    for text in (encoded, url_safe):
        masked = mask(f"Basic {text}", [KEY])
        assert MASK in masked
        left = masked.removeprefix("Basic ").split(MASK)
        assert sum(map(len, left)) <= 4 * (len(lead) // 3 + 1) + 8


@pytest.mark.parametrize(
    "key",
    [
        "sk-ant-api03-AbCd_efGh-1234567890",
        "sk-proj-abcdefghijklmnop1234",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
        "glpat-abcdefghij1234567890",
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "xoxb-1234567890-abcdefghij",
    ],
)
def test_a_key_that_nobody_named_is_known_by_its_shape(key: str) -> None:
    assert mask(f'{{"key":"{key}"}}') == f'{{"key":"{MASK}"}}'
    assert mask(f"KEY={key}\n") == f"KEY={MASK}\n"


@pytest.mark.parametrize(
    "text",
    ["task-management-and-more-words", "disk-usage-of-the-whole-machine", "risk-sk-short", "AKIA", "sk-learn", ""],
)
def test_ordinary_words_stay(text: str) -> None:
    assert mask(text, ["", "a", "short"]) == text


def test_a_secret_within_a_secret_is_masked_whole() -> None:
    assert mask("x abcdefgh-12345 y abcdefgh z", ["abcdefgh", "abcdefgh-12345"]) == f"x {MASK} y {MASK} z"


@given(st.text(min_size=SHORTEST), st.text(), st.text())
def test_no_named_secret_is_left(secret: str, before: str, after: str) -> None:
    masked = mask(before + secret + after, [secret])
    assert MASK in masked


def test_a_large_text_is_masked_in_one_pass() -> None:
    text = ("sk-" * 1000 + "x" * 1000 + " ") * 500
    assert MASK in mask(text, [KEY])


def test_a_key_that_begins_like_a_named_one_is_masked_whole() -> None:
    named = "sk-ant-api03-1234567890abcdef"
    assert mask(f"x sk-ant-api03-{'z' * 40} y", [named]) == f"x {MASK} y"
    assert mask("keys begin with sk-ant", [named]) == "keys begin with sk-ant"


def test_a_piece_of_a_short_secret_is_no_secret() -> None:
    assert mask("hunter2-and", ["hunter2-and-3"]) == "hunter2-and"
    assert mask("hunter2-and-3", ["hunter2-and-3"]) == MASK
