"""One short campaign with a fault of each kind, but for clocks (they need a library of the system): `make chaos` does it all."""

from __future__ import annotations

import pytest

from tests.chaos import faults as f
from tests.chaos.campaigns import Campaign, hold
from tests.chaos.faults import Fault

ONCE = (2.0, 6.0)
SHORT = Campaign(
    "short",
    (
        Fault("PostgreSQL restarted", f.restart_postgres, ONCE, 1),
        Fault("worker killed", f.kill_worker, ONCE, 1),
        Fault("Redis flushed", f.flush_redis, ONCE, 1),
        Fault("Redis killed", f.restart_redis, ONCE, 1),
        Fault("worker stopped past its lease", f.stop_worker, ONCE, 1),
        Fault("line to PostgreSQL cut", f.cut_line, ONCE, 1),
        Fault("everything killed", f.kill_everything, ONCE, 1),
    ),
    builds=3,
    heartbeat=1.0,
    lined=True,
    at_once=3,
    most=1,
)


@pytest.mark.timeout(280)
async def test_builds_survive_everything_at_once() -> None:
    result = await hold(SHORT, seed=1, minutes=3, say=print, workers=2, work=0.02)
    assert result.found
    assert {promise: broken for promise, broken in result.found.items() if broken} == {}
    assert result.builds >= SHORT.builds
    assert all(result.times[fault.name] for fault in SHORT.faults)
