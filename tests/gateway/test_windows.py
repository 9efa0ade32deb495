"""How much a model's context holds, by the price list that ships with us."""

from __future__ import annotations

import pytest

from buildwright.gateway.access import context_window_of


@pytest.mark.parametrize(
    ("model", "tokens"),
    [("claude-sonnet-5-5", 1_000_000), ("gpt-5.2", 400_000), ("our-own-model-of-the-house", 0), ("", 0)],
)
def test_the_window_of_a_model(model: str, tokens: int) -> None:
    assert context_window_of(model) == tokens
