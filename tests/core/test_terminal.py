"""Foreign text made fit for people."""

from __future__ import annotations

import base64
import html
import itertools
import json
import math
import random
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.core.secrets import MASK, Masker
from buildwright.core.terminal import LONGEST_LINE, Cleaner, clean, strip_controls

FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

CANARY = 'k3y-Zq9/w+7"&<Tb2!xV5%mR8 é=Lp0'
ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "reversed": lambda text: text[::-1],
    "url": quote,
    "url, all of it": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "json": lambda text: json.dumps(text)[1:-1],
    "json with letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "html": html.escape,
    "hex": lambda text: text.encode().hex(),
    "hex, capitals": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for urls": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 behind a user": lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0;2;0;0;0\x1b\\after", "after"),
        ("\x9d0;title\x9cafter", "after"),
        ("\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\x", "x"),
        ("\x1b(Bplain\x1b=\x1b7", "plain"),
        ("\x1b]0;never ended\nnext", "\nnext"),
        ("\x1b[12\nnext", "\nnext"),
        ("a\tb\x00\x08\x7f\x85c", "a\tbc"),
        ("if access \u202e\u2066// admin\u2069 \u2066begin", "if access // admin begin"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("10%\r50%\r100%\r\ndone\r\n", "100%\ndone\n"),
        ("10%\r\x1b[K", "10%"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("ümlaut 漢字 🙂", "ümlaut 漢字 🙂"),
        ("", ""),
        ("\n\n", "\n\n"),
    ],
)
def test_what_a_terminal_would_obey_goes(text: str, shown: str) -> None:
    assert strip_controls(text) == shown
    assert by_chunks(list(text), str) == shown


def by_chunks(chunks: list[str], mask: Callable[[str], str]) -> str:
    cleaner = Cleaner(mask)
    return "".join(map(cleaner.feed, chunks)) + cleaner.end()


def test_a_control_before_a_sequence_does_not_break_it() -> None:
    for begin in ("\x1b\\", "\x1b[31m", "\x9b31m", "\x9dtitle\x9c"):
        assert strip_controls(f"a\x07{begin}b") == by_chunks(["a\x07", f"{begin}b"], str) == "ab"


def test_a_long_line_says_how_many_characters_are_not_shown() -> None:
    line = "x" * (LONGEST_LINE + 1)
    shown = strip_controls(f"{line}\nshort\n")
    first, second, _ = shown.split("\n")
    kept = first.index(" [")
    assert first == f"{'x' * kept} [{len(line) - kept} more characters]"
    assert len(first) <= LONGEST_LINE
    assert second == "short"
    assert strip_controls("x" * LONGEST_LINE) == "x" * LONGEST_LINE
    endless = by_chunks(["x" * 10_000] * 1_000, str)
    assert endless == f"{'x' * kept} [{10_000_000 - kept} more characters]"


def test_a_secret_that_goes_beyond_the_cut_is_masked_whole() -> None:
    mask = Masker([CANARY])
    for start in range(LONGEST_LINE - 100, LONGEST_LINE + 10):
        shown = clean(f"{'x' * start}{CANARY}{'y' * 100}", mask)
        assert longest_piece(shown, CANARY) < 8


def test_a_sequence_within_a_secret_does_not_hide_it() -> None:
    for cut in range(1, len(CANARY)):
        assert clean(f"{CANARY[:cut]}\x1b[0m\u202e{CANARY[cut:]}", Masker([CANARY])) == MASK


def longest_piece(text: str, secret: str) -> int:
    """How much of a secret stands in a text in one piece."""
    longest = 0
    for start in range(len(secret)):
        while secret[start : start + longest + 1] in text and start + longest < len(secret):
            longest += 1
    return longest


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_no_way_to_cut_a_text_lets_a_secret_through(encode: Callable[[str], str]) -> None:
    mask = Masker(["other-secret-0123", CANARY])
    told = encode(CANARY)
    text = f"before {told} after"
    whole = clean(text, mask)
    assert MASK in whole
    assert longest_piece(whole, told) < 8
    for cut in range(len(text) + 1):
        assert by_chunks([text[:cut], text[cut:]], mask) == whole
    assert by_chunks(list(text), mask) == whole


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_a_trimmed_secret_is_masked(encode: Callable[[str], str]) -> None:
    told = encode(CANARY)
    eight = math.ceil(8 * len(told) / len(CANARY))
    """Characters that tell 8 of the secret."""
    for cut in range(len(told) - 8):
        assert longest_piece(clean(f"cut: {told[cut:]}", Masker([CANARY])), told) < eight
        assert longest_piece(clean(f"cut: {told[: cut + 8]}", Masker([CANARY])), told) < eight


PARTS = st.sampled_from(
    [
        *"\x1b\x9b\x9d\x90\x07\x9c\r\n\t\\[]P;0mK /",
        "\x1b[",
        "\x1b]",
        "\x1b\\",
        "ab",
        CANARY,
        CANARY[:9],
        "\u202e",
        "\ud83d",
    ]
)


@given(st.lists(PARTS, max_size=40), st.lists(st.integers(0, 200), max_size=5))
def test_what_comes_out_does_not_depend_on_the_chunks(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    mask = Masker([CANARY])
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    chunks = [text[start:stop] for start, stop in itertools.pairwise(places)]
    whole = clean(text, mask)
    assert by_chunks(chunks, mask) == whole
    assert not FORBIDDEN.search(whole)
    assert strip_controls(whole) == whole


def test_a_hundred_thousand_random_texts_come_out_without_controls() -> None:
    chance = random.Random(4)
    alphabet = [
        chr(code) for code in (*range(0xA1), 0x61C, *range(0x200B, 0x2030), *range(0x2060, 0x2070), 0xD800, 0xDFFF)
    ]
    alphabet += ["\x1b[", "\x1b]", "\x1b]8;;", "\x1bP", "\x1b_", "\x1b\\", "\x9b", "\x9d", "\r\n", "漢", "🙂"] * 4
    for _ in range(100_000):
        text = "".join(chance.choices(alphabet, k=chance.randrange(24)))
        assert not FORBIDDEN.search(strip_controls(text)), ascii(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    ["\x1b", "\x1b[", "\x1b[1", "\x1b]", "\x1b]0;x", "\x1b(", "\x9d", "\r", "x\r", "\x1b]\x1b", "\u202e", "sk-a"],
)
def test_the_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    """What needed the square of it would not end before the tests are cut off."""
    text = piece * 300_000
    whole = clean(text, Masker([CANARY]))
    assert by_chunks([text[start : start + 1000] for start in range(0, len(text), 1000)], Masker([CANARY])) == whole


def test_words_of_a_password_stay_where_they_are_words() -> None:
    mask = Masker(["postgresql-Development/2026!x"])
    assert mask("postgresql runs, see development notes") == "postgresql runs, see development notes"
    assert mask("a line ---------------- of ======== signs") == "a line ---------------- of ======== signs"
    assert mask("postgresql-Development/2026") == MASK
    assert mask("it ends with /2026!x, they say") == "it ends with /2026!x, they say"
    assert mask("it ends with ent/2026!x") == f"it ends with {MASK}"
