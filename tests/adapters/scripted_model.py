"""A model that answers from a list: a real implementation of the port, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from buildwright.ports import ModelEndpoint, Spent, Stopped, Text, Turn

Ending = Literal["end", "length", "refused"] | Exception


class ScriptedModel:
    """Answers with the next entry of the script, or the last. An exception is raised, also after a text; None waits for ever."""

    def __init__(self, *script: str | tuple[str, Ending] | Exception | None, piece: int = 7) -> None:
        self.script = list(script)
        self.piece = piece
        self.asked: list[list[Turn]] = []
        self.open_streams = 0
        self.started = asyncio.Event()

    async def stream(
        self, door: ModelEndpoint, model: str, system: str, turns: Sequence[Turn], max_tokens: int = 32_000
    ) -> AsyncIterator[Text | Spent | Stopped]:
        self.asked.append(list(turns))
        entry = self.script[min(len(self.asked), len(self.script)) - 1]
        self.open_streams += 1
        self.started.set()
        try:
            if entry is None:
                yield Text("thinking\n")
                await asyncio.Event().wait()
            if isinstance(entry, Exception):
                raise entry
            text, ending = entry if isinstance(entry, tuple) else (entry or "", "end")
            for start in range(0, len(text), self.piece):
                yield Text(text[start : start + self.piece])
                await asyncio.sleep(0)
            if isinstance(ending, Exception):
                raise ending
            yield Spent(model or "m", 10, 5, 3, 2)
            yield Stopped(ending)
        finally:
            self.open_streams -= 1
