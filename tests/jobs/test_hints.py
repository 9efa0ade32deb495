"""Hints when Redis is away: said at once, and not tried again for a while, since each try may cost seconds."""

from __future__ import annotations

import pytest

from buildwright.errors import StoreFailed
from buildwright.jobs.celery import CeleryJobs


async def test_a_redis_that_is_away_is_not_asked_for_each_hint() -> None:
    jobs = CeleryJobs("redis://127.0.0.1:1/0", lambda key: False)
    with pytest.raises(StoreFailed, match="cannot be reached"):
        await jobs.advance("b")
    with pytest.raises(StoreFailed, match="a moment ago"):
        await jobs.perform("b", "k")
    await jobs.close()
