"""Which faults are done together, how often and to how many builds; and how a campaign goes."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.chaos import faults as f
from tests.chaos.checks import examine, tokens_watched
from tests.chaos.faults import Fault
from tests.chaos.stand import Stand

PATIENCE_SECONDS = 240.0
"""After the last fault: how long a build may take to end."""


class Campaign(NamedTuple):
    """Some faults together. `builds` of them at least; more are made while faults are still to come."""

    name: str
    faults: tuple[Fault, ...]
    builds: int
    heartbeat: float = 2.0
    lined: bool = False
    faked: bool = False
    at_once: int = 8
    """Builds under way at once."""
    most: int = 0
    """Each fault so often at most; 0: as long as builds run."""


class Result(NamedTuple):
    """What came of a campaign."""

    campaign: Campaign
    times: Counter[str]
    builds: int
    seconds: float
    found: dict[str, list[str]]

    @property
    def failures(self) -> int:
        return sum(map(len, self.found.values()))


CAMPAIGNS = (
    Campaign(
        "storm",
        (
            Fault("PostgreSQL restarted, down 0-5 s", f.restart_postgres, (5, 20), 5),
            Fault("worker killed", f.kill_worker, (4, 12), 5),
        ),
        200,
    ),
    Campaign(
        "redis",
        (
            Fault("Redis flushed", f.flush_redis, (0.5, 3), 20),
            Fault("Redis killed, away 0-5 s", f.restart_redis, (4, 10), 5),
            Fault("Redis away for 30 s", f.redis_away, (8, 12), 1),
            Fault("Redis hangs 2-10 s", f.redis_hangs, (5, 12), 3),
        ),
        12,
    ),
    Campaign("stopped", (Fault("worker stopped past its lease", f.stop_worker, (0, 0.3), 50),), 12, heartbeat=0.5),
    Campaign(
        "clock",
        (
            Fault("clock of a worker set by up to a day", f.set_clock, (1, 3), 15),
            Fault("pause limit", f.pause_too_long, (1, 3), 3),
        ),
        10,
        faked=True,
    ),
    Campaign(
        "network",
        (
            Fault("line to PostgreSQL cut past the lease", f.cut_line, (1, 4), 6),
            Fault("line to PostgreSQL slow", f.slow_line, (2, 6), 4),
        ),
        10,
        heartbeat=1.0,
        lined=True,
    ),
    Campaign(
        "power",
        (
            Fault("everything killed at once", f.kill_everything, (5, 12), 6),
            Fault("worker told to end", f.end_worker, (6, 15), 3),
            Fault("worker told to end without a server", f.end_worker_without_servers, (6, 15), 3),
        ),
        10,
    ),
)


async def hold(
    campaign: Campaign, seed: int, minutes: float, say: Callable[[str], None], *, workers: int = 4, work: float = 0.1
) -> Result:
    """One campaign from the first server to the last check."""
    begun = time.monotonic()
    times: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="buildwright-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the account of the database must reach its part
        standing = Stand.standing(
            folder, workers=workers, heartbeat=campaign.heartbeat, work=work, lined=campaign.lined, faked=campaign.faked
        )
        async with standing as stand, tokens_watched(stand):
            over = asyncio.Event()
            doing = [
                asyncio.create_task(
                    _repeat(stand, fault, random.Random(f"{seed} {fault.name}"), campaign.most, times, over)
                )
                for fault in campaign.faults
            ]
            try:
                await _feed(stand, campaign, times, begun + 60 * minutes, say)
            finally:
                over.set()
                await asyncio.gather(*doing)
            await _settle(stand, say)
            found = await examine(stand)
            if any(found.values()):
                keep_evidence(folder, campaign.name, say)
    return Result(campaign, times, len(stand.builds), time.monotonic() - begun, found)


async def _repeat(
    stand: Stand, fault: Fault, luck: random.Random, most: int, times: Counter[str], over: asyncio.Event
) -> None:
    while not most or times[fault.name] < most:
        try:
            await asyncio.wait_for(over.wait(), luck.uniform(*fault.pause))
        except TimeoutError:
            await fault.inject(stand, luck)
            times[fault.name] += 1
        else:
            return


async def _feed(
    stand: Stand, campaign: Campaign, times: Counter[str], deadline: float, say: Callable[[str], None]
) -> None:
    """Make builds until there were enough of them and every fault was done often enough."""
    told = 0.0
    while time.monotonic() < deadline:
        unfinished = await stand.unfinished()
        lacking = [fault for fault in campaign.faults if times[fault.name] < fault.times]
        enough = len(stand.builds) >= campaign.builds and not lacking
        if enough and not unfinished:
            return
        # A paused build waits for its user; it is a failure, and no reason to wait for it.
        if enough and set(unfinished.values()) == {"paused"}:
            return
        if not enough and len(unfinished) < campaign.at_once:
            await stand.build()
        else:
            await asyncio.sleep(0.25)
        if time.monotonic() - told > 15:
            told = time.monotonic()
            over = len(stand.builds) - len(unfinished)
            faults = ", ".join(f"{name}: {count}" for name, count in times.items())
            say(f"  {over} of {len(stand.builds)} builds over; {faults}; {dict(stand.trouble) or ''}")


async def _settle(stand: Stand, say: Callable[[str], None]) -> None:
    """Wait for what is under way when the faults are over."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := await stand.unfinished()) and time.monotonic() < deadline:
        if set(left.values()) == {"paused"}:
            break
        await asyncio.sleep(0.5)
    if left:
        say(f"  not over: {left}")


def keep_evidence(folder: Path, name: str, say: Callable[[str], None]) -> None:
    """Keep the logs of a campaign that has failed, for whoever looks for the cause."""
    kept = Path(tempfile.mkdtemp(prefix=f"chaos-{name}-"))
    for log in [*folder.glob("*.log"), *folder.glob("*/server.log")]:
        (kept / "-".join(log.relative_to(folder).parts)).write_bytes(log.read_bytes())
    say(f"  the logs are kept in {kept}")
