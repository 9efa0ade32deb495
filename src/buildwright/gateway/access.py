"""The gateway's side of a door: its attempt, limits, meter and record of each request. Must never log its token.

A price is taken per request, never for a sum: some models cost more above a length of context. Prices are those of the
list that ships with genai-prices; a newer one must never be fetched.
"""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio import CancelledError
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.gateway import protocols
from buildwright.gateway.answers import Tokens
from buildwright.gateway.parse import AnswerReader
from buildwright.gateway.protocols import ModelRequest, Protocol
from buildwright.gateway.replay import Player
from buildwright.gateway.response_cache import ResponseCache
from buildwright.ports import ModelAccess, ModelCall, ModelEndpoint, Spend

LONGEST_NAME = 100
"""Characters kept of a model's name or kind of error: an agent or a provider may send any text."""

OnCall = Callable[[ModelCall], None]

_log = logging.getLogger(__name__)


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

    def spend(self, asked: ModelRequest, reader: AnswerReader, request: str = "") -> Spend:
        """Return the cost of an answer, as far as it has come. `request` is the name it is kept under."""
        tokens, model = reader.tokens or Tokens(), reader.model or asked.model
        price = _cost(asked.protocol, model, tokens) if reader.tokens is not None else None
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


class Meter:
    """What each build has spent at this process's gateway, by the price list. Must never count a replayed answer."""

    def __init__(self) -> None:
        self._spent: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._unpriced: set[str] = set()
        self._pricing: asyncio.Task[None] | None = None

    def load_prices(self) -> None:
        """Begin to read the price list, once."""
        if self._pricing is None:
            self._pricing = asyncio.create_task(asyncio.to_thread(_load_price_list))

    async def priced(self) -> None:
        """Wait for the price list: reading it takes long enough to block every other door."""
        if self._pricing is not None:
            await asyncio.shield(self._pricing)

    def begin(self, access: ModelAccess) -> None:
        """Take over what earlier processes spent: the journal knows it, but not yet what this process has metered."""
        self._spent[access.build_id] = max(self._spent[access.build_id], access.budget.spent_usd)

    def check(self, access: ModelAccess) -> None:
        """Raise Declined(402) when the build's budget is spent."""
        most, spent = access.budget.most_usd, self._spent[access.build_id]
        if most is not None and spent >= most:
            raise protocols.DeclinedByProvider(402, f"The build's budget of ${most} is spent (${spent:f}).")

    def charge(self, opened: Opened, asked: ModelRequest, reader: AnswerReader, request: str) -> None:
        """Add the cost of an answer to its door and build. `request` is the name it is kept under."""
        if reader.tokens is None and not reader.done:
            return
        spend = opened.spend(asked, reader, request)
        if spend.cost_usd is not None:
            self._spent[spend.build_id] += Decimal(spend.cost_usd)
        elif spend.model not in self._unpriced:
            self._unpriced.add(spend.model)
            _log.warning("No price is known for %s: its requests count as nothing against a budget.", spend.model)
        opened.spends.append(spend)


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
    """A request being answered: its reader, whether the answer is replayed, and its error ("" for none)."""

    reader: AnswerReader | None = None
    replayed: bool = False
    error: str = ""

    def refused(self, status: int) -> None:
        """Record the status that the provider, or the cassette in its place, answered with."""
        self.error = str(status) if status >= 400 else self.error


@contextmanager
def telling(on_call: OnCall | None, opened: Opened, asked: protocols.ModelRequest) -> Iterator[CallRecord]:
    """Report the request to `on_call` when it is over, however it ends."""
    call, began_at = CallRecord(), time.time()
    try:
        yield call
    except protocols.DeclinedByProvider as no:
        call.refused(no.status)
        raise
    except (protocols.BrokenOff, ConnectionError):
        call.error = "broken_off"
        raise
    except CancelledError:
        call.error = "cancelled"
        raise
    finally:
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


def _load_price_list() -> None:
    """Load the price list, which takes about half a second the first time."""
    _cost("anthropic", DEFAULT_MODEL, Tokens())


def _cost(protocol: Protocol, model: str, tokens: Tokens) -> Decimal | None:
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
