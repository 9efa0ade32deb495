"""One question for many callers, each of whom gets an answer that is not older than the call."""

from __future__ import annotations

import asyncio

import pytest

from buildwright.engine.one_question import OneQuestion
from buildwright.errors import StoreFailed


async def test_callers_share_the_next_question_and_never_one_that_is_under_way() -> None:
    asked: list[asyncio.Future[int]] = []

    async def ask() -> int:
        asked.append(asyncio.get_running_loop().create_future())
        return await asked[-1]

    async def until(count: int) -> None:
        while len(asked) < count:
            await asyncio.sleep(0)

    question = OneQuestion(ask)
    first = asyncio.create_task(question.answer())
    await until(1)
    others = [asyncio.create_task(question.answer()) for _ in range(5)]
    await asyncio.sleep(0)
    others[0].cancel()
    asked[0].set_result(1)
    assert await first == 1
    await until(2)
    late = asyncio.create_task(question.answer())
    asked[1].set_result(2)
    assert await asyncio.gather(*others[1:]) == [2] * 4
    assert others[0].cancelled()
    await until(3)
    asked[2].set_exception(StoreFailed("away"))
    with pytest.raises(StoreFailed):
        await late
    assert len(asked) == 3
