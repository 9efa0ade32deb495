"""Names of language models that Buildwright itself chooses. Data only: what a model costs or can do is known elsewhere."""

from __future__ import annotations

from typing import Final

DEFAULT_MODEL: Final = "claude-sonnet-5-5"
"""Used when neither a build nor a cassette names a model: the newest Claude Sonnet in the price data of genai-prices 0.2.3."""
