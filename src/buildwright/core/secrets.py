"""Masks secrets in text, by value and by the shape of well-known keys. Pure; must never print what it masks."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from html import escape
from typing import Final
from urllib.parse import quote, quote_plus

MASK = "[secret]"

SHORTEST = 6
"""Values shorter than this are not masked by value: they would hit ordinary words, and no key is that short."""

_SHAPES = re.compile(
    r"""(?<![A-Za-z0-9])(?:
        sk-[A-Za-z0-9_-]{16,}                        # Anthropic (sk-ant-...), OpenAI (sk-..., sk-proj-...), OpenRouter
      | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,}
      | glpat-[A-Za-z0-9_-]{16,}
      | (?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])
      | AIza[A-Za-z0-9_-]{30,}
      | xox[abeprs]-[A-Za-z0-9-]{10,}
      | hf_[A-Za-z0-9]{20,} | npm_[A-Za-z0-9]{30,} | pypi-[A-Za-z0-9_-]{40,}
      | eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}   # signed tokens (JWT)
    )""",
    re.VERBOSE,
)
_PIECE: Final = 8
"""Pieces of a long secret are masked from this length on: with most of a key, the rest can be guessed."""
_LONG: Final = 16
"""Secrets this long are also masked in pieces; pieces that read like ordinary words only from this length on."""
_STEP: Final = 4
_GRAM: Final = _PIECE - _STEP + 1
"""Any 8 characters hold 5 that begin at a multiple of 4: only a quarter of all places has to be looked at."""
_FEWEST_LETTERS: Final = 4
"""Different characters in a piece: "========" in some encoding of a secret would mask every line that is drawn."""

Span = tuple[int, int]


class Masker:
    """Masks the same secrets in many texts; its cost grows with the text, hardly with the secrets. Call it with a text.

    Each secret is found as it is, reversed, URL-encoded, as in JSON and HTML, in hex, in base64 at any alignment; from
    16 characters on also any piece of 8 that does not read like a word. Keys that were not given are found by their
    shape (Anthropic, OpenAI, GitHub, GitLab, AWS, Google, Slack, Hugging Face, npm, PyPI, signed tokens).
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        forms = {form: secret for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        self._short = _either([form for form in forms if len(form) < _PIECE])
        long = [form for form in forms if len(form) >= _PIECE]
        self._whole = _either(long)
        self._grams = frozenset(tuple(gram) for form in long for gram in _grams(form, _GRAM))
        self._pieces = frozenset(
            gram
            for form in long
            if len(forms[form]) >= _LONG
            for gram in _grams(form, _PIECE)
            if len(set(gram)) >= _FEWEST_LETTERS
        )

    def __call__(self, text: str) -> str:
        if self._short is not None:
            text = self._short.sub(MASK, text)
        places = zip(*(text[n::_STEP] for n in range(_GRAM)), strict=False)
        suspect = self._whole is not None and not self._grams.isdisjoint(places)
        if suspect and self._whole is not None:
            text = self._whole.sub(MASK, text)
        if _may_have_a_key(text):
            text = _SHAPES.sub(MASK, text)
        # After the shapes: another key that begins like one of ours would not be known without its beginning.
        return self._without_pieces(text) if suspect else text

    def _without_pieces(self, text: str) -> str:
        kept, end = [], 0
        for start, stop in self._runs(text):
            if stop - start < _LONG and _reads_like_words(text[start:stop]):
                continue
            kept += [text[end:start], MASK]
            end = stop
        return "".join((*kept, text[end:])) if kept else text

    def _runs(self, text: str) -> Iterator[Span]:
        """Yield where pieces of secrets are in the text; pieces that touch are joined."""
        pieces = self._pieces
        begun: Span | None = None
        for start in [n for n in range(len(text) - _PIECE + 1) if text[n : n + _PIECE] in pieces]:
            if begun is not None and start > begun[1]:
                yield begun
                begun = None
            begun = (begun[0] if begun is not None else start, start + _PIECE)
        if begun is not None:
            yield begun


def mask(text: str, secrets: Collection[str] = ()) -> str:
    """Return `text` with every secret replaced by `MASK`, as a `Masker` of these secrets does it."""
    return masker(frozenset(secrets))(text)


@lru_cache(maxsize=64)
def masker(secrets: frozenset[str]) -> Masker:
    """Return the masker of these secrets, cached: making one takes longer than using it."""
    return Masker(secrets)


def _may_have_a_key(text: str) -> bool:
    """Return whether the text has the beginning of a key's shape. Much faster than looking for the shapes."""
    return (
        "sk-" in text
        or ("gh" in text and any(sign in text for sign in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")))
        or "glpat-" in text
        or "AKIA" in text
        or "ASIA" in text
        or "AIza" in text
        or "xox" in text
        or "hf_" in text
        or "npm_" in text
        or "pypi-" in text
        or "eyJ" in text
    )


def _either(forms: Collection[str]) -> re.Pattern[str] | None:
    # Longest first: a secret that contains another is masked whole, not around its middle.
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def _grams(text: str, length: int) -> Iterator[str]:
    return (text[start : start + length] for start in range(len(text) - length + 1))


def _reads_like_words(text: str) -> bool:
    """Return whether a piece reads like prose: a password may be made of words that logs are full of."""
    words = [word for word in re.split(r"[\W_]+", text) if word]
    # The first may be the end of a longer word, so `nSomething` too is written as words are.
    return all(word.isalpha() and (word.islower() or word.isupper() or word[1:].islower()) for word in words)


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "replace")
    urls = {quote(raw, safe=""), quote_plus(raw), quote(raw)}
    forms = {secret, secret[::-1], escape(secret), raw.hex(), raw.hex().upper(), *urls}
    forms |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), url) for url in urls}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    for lead in range(3):
        # Inside a longer text (`user:key`) base64 shifts by one of three alignments; only the groups that depend
        # on the secret alone can be looked for, so the ragged first and last characters are left out.
        encoded = base64.b64encode(b"\0" * lead + raw).decode().rstrip("=")
        start = 0 if lead == 0 else lead + 1
        whole = encoded[start : (lead + len(raw)) * 8 // 6]
        if len(whole) >= SHORTEST:
            forms |= {whole, whole.replace("+", "-").replace("/", "_")}
    return forms
