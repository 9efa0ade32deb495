"""The gateway's side of a door: its attempt, its limits and its meter. Must never log its token."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from buildwright.gateway import prices
from buildwright.gateway.answers import Tokens
from buildwright.gateway.kept import KeptAnswers
from buildwright.gateway.reading import AnswerReader
from buildwright.gateway.replay import Player
from buildwright.gateway.wire import Asked
from buildwright.ports import Door, Spend


@dataclass(slots=True)
class Opened:
    """One open door. `kept` is None if its answers are not kept, `player` if they come from a provider."""

    id: str
    token: str
    build_id: str
    task: str
    attempt: int
    lane: Path | None
    model: str
    budget: Decimal | None
    player: Player | None
    kept: KeptAnswers | None
    open: bool = True
    spends: list[Spend] = field(default_factory=list)
    under_way: set[asyncio.Task[Any]] = field(default_factory=set)

    def spend(self, asked: Asked, reader: AnswerReader, request: str = "") -> Spend:
        """Return the cost of an answer, as far as it has come. `request` is the name it is kept under."""
        tokens, model = reader.tokens or Tokens(), reader.model or asked.model
        price = prices.cost(asked.protocol, model, tokens) if reader.tokens is not None else None
        return Spend(
            self.build_id,
            self.task,
            self.attempt,
            model,
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.cache_write,
            f"{price:f}" if price is not None else None,
            request,
        )


def door_id(door: Door) -> str:
    """Return the id of a door, the last part of its address."""
    return door.url.rpartition("/")[2]


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the requests under way through a door, and wait for them."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
