"""Names of environment variables that are Buildwright's own affair. Pure data."""

from __future__ import annotations

MODEL_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY")
"""The keys of models, which only the gateway sees."""
