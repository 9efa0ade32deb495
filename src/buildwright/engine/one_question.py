"""A question that many callers ask at once goes to the store once. Must never give an answer from before it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OneQuestion(Generic[T]):
    """Asks for all callers together: those that come while an answer is awaited share the next question."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._asked: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def answer(self) -> T:
        """Return an answer to a question sent after this call. Raises what the question raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._asked), name="question")
        return await asyncio.shield(self._next)

    async def _after(self, earlier: asyncio.Task[T] | None) -> T:
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])
        self._asked, self._next = self._next, None
        return await self._ask()
