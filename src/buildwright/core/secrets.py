"""Masks secrets in text, by value and by the shape of well-known keys. Pure; must never keep or print what it masks."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection
from functools import lru_cache
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
    )""",
    re.VERBOSE,
)


def mask(text: str, secrets: Collection[str] = ()) -> str:
    """`text` with every secret replaced by `MASK`.

    Each of `secrets` is found as it is, reversed, URL-encoded, as in JSON and in base64 at any alignment; keys that
    nobody named are found by their shape (Anthropic, OpenAI, GitHub, GitLab, AWS, Google, Slack, Hugging Face, npm, PyPI).
    """
    if secrets and (pattern := _pattern(frozenset(secrets))) is not None:
        text = pattern.sub(MASK, text)
    return _SHAPES.sub(MASK, text)


@lru_cache(maxsize=64)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
    # Longest first: a secret that contains another is masked whole, not around its middle.
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def _forms(secret: str) -> set[str]:
    forms = {secret, secret[::-1], quote(secret, safe=""), quote_plus(secret), quote(secret)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    raw = secret.encode()
    for lead in range(3):
        # Inside a longer text (`user:key`) base64 shifts by one of three alignments; only the groups that depend
        # on the secret alone can be looked for, so the ragged first and last characters are left out.
        encoded = base64.b64encode(b"\0" * lead + raw).decode().rstrip("=")
        start = 0 if lead == 0 else lead + 1
        whole = encoded[start : (lead + len(raw)) * 8 // 6]
        if len(whole) >= SHORTEST:
            forms |= {whole, whole.replace("+", "-").replace("/", "_")}
    return forms
