"""Prices requests by the list that ships with genai-prices. Must never fetch a newer list.

A price is taken per request, never for a sum: some models cost more above a length of context.
"""

from __future__ import annotations

from decimal import Decimal

from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.gateway.answers import Tokens
from buildwright.gateway.wire import Protocol


def load() -> None:
    """Load the price list, which takes about half a second the first time."""
    cost("anthropic", DEFAULT_MODEL, Tokens())


def cost(protocol: Protocol, model: str, tokens: Tokens) -> Decimal | None:
    """Return the US dollars for one request, None when the price list does not know the model."""
    from genai_prices import Usage, calc_price

    usage = Usage(
        # The list counts cached tokens as part of the input; ours are separate.
        input_tokens=tokens.input + tokens.cache_read + tokens.cache_write,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        **({"cache_write_1h_tokens": tokens.cache_write_1h} if tokens.cache_write_1h else {}),
    )
    for provider in (protocol, None):
        # The protocol's own maker first; an unknown name may be another maker's model behind a compatible server.
        try:
            return calc_price(usage, model, provider_id=provider).total_price
        except LookupError:
            continue
    return None
