"""Hints when Redis is away: said at once, and not tried again for a while, since each try may cost seconds.

And messages of others in Redis: none is loaded that could be code.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from buildwright.errors import StoreFailed
from buildwright.jobs.celery import ADVANCE, CeleryConsumer, CeleryJobs


async def test_a_redis_that_is_away_is_not_asked_for_each_hint() -> None:
    jobs = CeleryJobs("redis://127.0.0.1:1/0", lambda key: False)
    with pytest.raises(StoreFailed, match="cannot be reached"):
        await jobs.advance("b")
    with pytest.raises(StoreFailed, match="a moment ago"):
        await jobs.perform("b", "k")
    await jobs.close()


class Heard:
    """A receiver that keeps what it is told."""

    slots = 1

    def __init__(self) -> None:
        self.builds: asyncio.Queue[str] = asyncio.Queue()

    async def advance(self, build_id: str) -> None:
        self.builds.put_nowait(build_id)

    async def perform(self, build_id: str, key: str) -> None:
        raise AssertionError((build_id, key))


class Evil:
    """Makes a folder where it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


async def test_a_message_that_could_be_code_is_never_loaded(redis_url: str, tmp_path: Path) -> None:
    from celery import Celery

    heard = Heard()
    consumer = CeleryConsumer(redis_url, heard, lambda key: False, "test")
    consumer.start()
    jobs = CeleryJobs(redis_url, lambda key: False)
    other = Celery("other", broker=redis_url, set_as_current=False)
    try:
        for form in ("pickle", "yaml"):
            folder = tmp_path / form
            what = Evil(folder) if form == "pickle" else "evil"
            await asyncio.to_thread(other.send_task, ADVANCE, (what,), queue=ADVANCE, serializer=form)
            await jobs.advance(f"after {form}")
            async with asyncio.timeout(60):
                assert await heard.builds.get() == f"after {form}"
            assert not folder.exists()
    finally:
        await consumer.stop()
        await jobs.close()
        other.close()
