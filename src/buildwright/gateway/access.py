"""The gateway's side of a door: its attempt, limits, prices and record of each request. Must never log its token.

A price is taken per request, never for a sum: some models cost more above a length of context. Prices are those of the
list that ships with genai-prices; a newer one must never be fetched.
"""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from buildwright.core.figures import count
from buildwright.core.limits import Options
from buildwright.core.model_names import DEFAULT_MODEL, maker_of
from buildwright.core.models import NamedModel
from buildwright.gateway.exchange import (
    CHARS_PER_TOKEN,
    AnswerReader,
    BrokenOff,
    DeclinedByProvider,
    ModelRequest,
    Protocol,
    ProviderError,
    Tokens,
)
from buildwright.gateway.failures import REQUEST_LIMIT, failure_kind, stopped_by, within
from buildwright.gateway.protocols import PROTOCOLS
from buildwright.gateway.replay import Player
from buildwright.gateway.response_cache import ResponseCache
from buildwright.ports import ModelAccess, ModelCall, ModelEndpoint, ModelTrouble, Purse, Spend

LONGEST_NAME = 100
"""Characters kept of a model's name or kind of error: an agent or a provider may send any text."""

MOST_DENIED = 50
"""Requests that are remembered as not served, for one door."""

OnCall = Callable[[ModelCall], None]

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Hold:
    """The money that one request holds back, of these purses, and what its answer came to."""

    id: str
    build_id: str
    purses: tuple[Purse, ...]
    held: Decimal
    cost: Decimal = Decimal(0)
    answered: bool = False


class WindowKey(NamedTuple):
    """Whose limit it is: `key` is the digest of the provider's address and key."""

    provider: str
    key: str
    model: str


@dataclass(slots=True)
class Opened:
    """One open door. `kept` is None if its answers are not kept, `player` if they come from a provider."""

    id: str
    token: str
    access: ModelAccess
    player: Player | None
    kept: ResponseCache | None
    open: bool = True
    spends: list[Spend] = field(default_factory=list)
    under_way: set[asyncio.Task[Any]] = field(default_factory=set)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a body is read: each may be large, so they are read one after the other."""
    held: dict[asyncio.Task[Any], int] = field(default_factory=dict)
    """Bytes of the bodies of the requests under way."""
    trouble: ModelTrouble | None = None
    """How the last request failed, None if it did not."""
    limits: set[WindowKey] = field(default_factory=set)
    """Limits of providers that its requests have met."""
    denied: dict[str, None] = field(default_factory=dict)
    """Requests that the gateway does not serve, in their order."""
    _count: int = 0

    def deny(self, what: str) -> None:
        """Remember a request that is not served."""
        if len(self.denied) < MOST_DENIED:
            self.denied[f"the gateway: {what[:LONGEST_NAME]}"] = None

    def count(self) -> None:
        """Count one request. Raises DeclinedByProvider when the attempt has sent all that it may.

        Kept answers count too: an attempt that goes on after a crash asks for them again.
        """
        most = self.access.options.limits.requests
        if self._count >= most:
            message = f"This attempt has sent {count(most, 'request')}, and may send no more (--requests)."
            raise DeclinedByProvider(400, message, kind=REQUEST_LIMIT)
        self._count += 1

    def spend(self, asked: ModelRequest, reader: AnswerReader, request: str = "") -> Spend:
        """Return the cost of an answer, as far as it has come. `request` is the name it is kept under."""
        tokens, model = _tokens(asked, reader), reader.model or asked.model
        own = own_price(self.access.options, model) or own_price(self.access.options, asked.model)
        price = cost_of(asked.protocol, model, tokens, own) if tokens is not None else None
        tokens = tokens or Tokens()
        return Spend(
            *self.access[:3],
            model,
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.cache_write,
            f"{price:f}" if price is not None else None,
            request,
        )


def _tokens(asked: ModelRequest, reader: AnswerReader) -> Tokens | None:
    """Return the tokens that were reported; where an answer broke off before that, those that went through, counted."""
    if (reader.done and reader.tokens is not None) or not reader.chars:
        return reader.tokens
    told = reader.tokens or Tokens(asked.size // CHARS_PER_TOKEN)
    return told._replace(output=max(told.output, reader.chars // CHARS_PER_TOKEN))


def door_id(door: ModelEndpoint) -> str:
    """Return the id of a door, the last part of its address."""
    return door.url.rpartition("/")[2]


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the requests under way through a door, and wait for them."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


@dataclass(slots=True)
class CallRecord:
    """A request of `model` being answered: its reader, whether the answer is replayed, and its error ("" for none)."""

    opened: Opened
    model: str
    reader: AnswerReader | None = None
    replayed: bool = False
    error: str = ""
    trouble: ModelTrouble | None = None
    hold: Hold | None = None
    """The money that is held back for it."""
    over: bool = False

    def refused(self, status: int, error: ProviderError | None = None) -> None:
        """Record the status that the provider, the cassette in its place, or the gateway answered with."""
        if status >= 400:
            self.error = str(status)
            told = error or ProviderError("", "")
            self.trouble = ModelTrouble(failure_kind(status, told), told.message or f"status {status}")

    def ended(self) -> None:
        """Tell the door how the request ended, once. One that was cancelled says nothing about the model."""
        if self.over:
            return
        self.over = True
        self._read_trouble()
        if self.error != "cancelled":
            self.opened.trouble = self.trouble and self.trouble._replace(model=self.model)

    def _read_trouble(self) -> None:
        if self.reader is None or self.trouble is not None:
            return
        if self.reader.error is not None:
            self.trouble = ModelTrouble(within(self.reader.error), self.reader.error.message)
        elif kind := stopped_by(self.reader):
            self.trouble = ModelTrouble(kind, f"the model's answer ended with {self.reader.stop!r}")
        elif self.reader.chars and not (self.reader.done or self.reader.stop):
            self.trouble = ModelTrouble("unavailable", "the model's answer ended before it was whole")


@contextmanager
def telling(on_call: OnCall | None, opened: Opened, asked: ModelRequest) -> Iterator[CallRecord]:
    """Report the request to `on_call` when it is over, however it ends."""
    call, began_at = CallRecord(opened, asked.model), time.time()
    try:
        yield call
    except DeclinedByProvider as no:
        call.refused(no.status, ProviderError(no.kind, no.message))
        raise
    except (BrokenOff, ConnectionError):
        call.error = "broken_off"
        call.trouble = ModelTrouble("unavailable", "the model's answer broke off")
        raise
    except CancelledError:
        if not call.over:
            call.error = "cancelled"
        raise
    finally:
        call.ended()
        if on_call is not None:
            reader = call.reader
            tokens = (reader.tokens if reader is not None else None) or Tokens()
            if reader is not None and reader.error is not None:
                call.error = call.error or reader.error.type[:LONGEST_NAME] or "unknown"
            on_call(
                ModelCall(
                    *opened.access[:3],
                    asked.protocol,
                    asked.model[:LONGEST_NAME],
                    reader.model[:LONGEST_NAME] if reader is not None else "",
                    began_at,
                    time.time(),
                    tokens.input,
                    tokens.output,
                    tokens.cache_read,
                    tokens.cache_write,
                    call.replayed,
                    call.error,
                )
            )


def load_price_list() -> None:
    """Load the price list, which takes about half a second the first time."""
    cost_of("anthropic", DEFAULT_MODEL, Tokens())


def own_price(options: Options, model: str) -> NamedModel | None:
    """Return the model of the user's that has a price of its own; None where the price list has to know it."""
    return next((one for one in options.models if model in {one.id, one.model} and one.cost(0, 0) is not None), None)


def price_of(model: str, tokens_in: int, tokens_out: int, own: NamedModel | None = None) -> Decimal | None:
    """Return the US dollars for these tokens of a model, None when the price list does not know it."""
    protocols: dict[str, Protocol] = {"anthropic": "anthropic", "openai": "openai", "google": "gemini"}
    return cost_of(protocols[maker_of(model)], model, Tokens(tokens_in, tokens_out), own)


def context_window_of(model: str, maker: str = "") -> int:
    """Return the tokens that a model's context holds, 0 when the price list does not know it.

    `maker` is `anthropic`, `openai` or `google`; without it the one that the name says.
    """
    from genai_prices.data_snapshot import get_snapshot

    for one in (maker or maker_of(model), None):
        try:
            _, found = get_snapshot().find_provider_model(model, None, one, None)
        except LookupError:
            continue
        return found.context_window or 0
    return 0


def cost_of(protocol: Protocol, model: str, tokens: Tokens, own: NamedModel | None = None) -> Decimal | None:
    """Return the US dollars for one request, by `own` if it is given; None when the price list does not know the model."""
    if own is not None:
        return own.cost(tokens.input + tokens.cache_read + tokens.cache_write, tokens.output)
    from genai_prices import Usage, calc_price

    usage = Usage(
        # The list counts cached tokens as part of the input; ours are separate.
        input_tokens=tokens.input + tokens.cache_read + tokens.cache_write,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        **({"cache_write_1h_tokens": tokens.cache_write_1h} if tokens.cache_write_1h else {}),
    )
    for provider in (PROTOCOLS[protocol].PROVIDER, None):
        # The protocol's own maker first; an unknown name may be another maker's model behind a compatible server.
        try:
            return calc_price(usage, model, provider_id=provider).total_price
        except LookupError:
            continue
    return None
