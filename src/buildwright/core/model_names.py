"""Names of language models: the default, and how one is shown. Pure; must never know a model's price or abilities."""

from __future__ import annotations

import re
from typing import Final, Literal

DEFAULT_MODEL: Final = "claude-sonnet-5-5"
"""Used when neither a build nor a cassette names a model: the newest Claude Sonnet in genai-prices 0.2.3."""

_FAMILIES = re.compile(
    r"(?:claude|gpt|chatgpt|codex|gemini|gemma|deepseek|qwen|llama|mistral|mixtral|codestral|devstral|grok|glm|kimi|command)"
    r"[a-z0-9.-]{0,40}|o[1-9](?:-[a-z]{1,12}){0,2}"
)
_OPENAI = re.compile(r"(?:openai/|gpt-|chatgpt-|codex-|o\d)")
_GOOGLE = re.compile(r"(?:google/|gemini-)")
_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest)$")


def family(name: str) -> str:
    """Return the model without provider, date and letter case, if it is of a known kind; "" for any other name.

    For labels: a label must never be made for any text that a user calls a model.
    """
    short = _DATE.sub("", name.rpartition("/")[2].lower())
    return short if _FAMILIES.fullmatch(short) else ""


def maker_of(model: str) -> Literal["anthropic", "openai", "google"]:
    """Return whose model this is, by its name; Anthropic's when no other maker claims it.

    OpenAI's are `gpt-*`, `chatgpt-*`, `codex-*`, `o<digit>*` and `openai/*`, Google's `gemini-*` and `google/*`.
    """
    if _GOOGLE.match(model):
        return "google"
    return "openai" if _OPENAI.match(model) else "anthropic"
