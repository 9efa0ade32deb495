"""What a worker does without being told: keeps its leases, follows its builds, and finds what was forgotten.

Must never do an action itself, unless no hint can be sent: then there is nobody else.
"""

from __future__ import annotations

import asyncio

from buildwright.core.action import RunAgent
from buildwright.core.event import AgentHeartbeat
from buildwright.engine.errand import Errand
from buildwright.engine.hand import Hand
from buildwright.errors import CouldNot
from buildwright.ports import Jobs

TEND_SECONDS = 0.2
"""Between looks at the own leases: what users say, and a stop, reaches an agent within this time."""
PATROL_SECONDS = 0.5
"""Between looks for what is due: how long a command waits when its hint is lost."""
QUIET_SECONDS = 2.0
"""What was offered is not offered again for this long."""


async def tend(hand: Hand) -> None:
    """Keep the leases of what is carried out here; end what is lost or no longer wanted. Runs until cancelled."""
    while True:
        await hand.clock.sleep(TEND_SECONDS)
        errands = list(hand.errands.values())
        if errands:
            try:
                await _tend(hand, errands)
            except CouldNot as trouble:
                hand.log("leases-not-kept", why=str(trouble))
            for errand in errands:
                if errand.silent_seconds >= errand.seconds:
                    errand.end(lost=True)  # by now another worker may have taken it


async def _tend(hand: Hand, errands: list[Errand]) -> None:
    asked_at = asyncio.get_running_loop().time()
    overdue = [errand for errand in errands if errand.overdue]
    for seconds in {errand.seconds for errand in overdue}:
        group = [errand for errand in overdue if errand.seconds == seconds]
        await hand.board.keep([errand.lease for errand in group], seconds)
    held = {(row.build_id, row.key): row for row in await hand.board.holdings(hand.holder)}
    for errand in errands:
        row = held.get(errand.name)
        if row is None or row.token != errand.lease.token:
            errand.end(lost=True)
            continue
        if not row.wanted:
            errand.end()
        elif row.version > errand.build.version:
            errand.catch_up(await hand.known.newest(errand.lease.build_id))
        if errand in overdue:
            errand.kept(asked_at)
            _beat(errand)


def _beat(errand: Errand) -> None:
    """Say in the journal that the agent is alive, as far as this process can tell (P2)."""
    if isinstance(errand.action, RunAgent) and errand.action.task in errand.conversations.tasks:
        build = errand.build
        percent = 100 * (build.done + build.skipped) // max(build.total, 1)
        beat = AgentHeartbeat(task=errand.action.task, attempt=errand.action.attempt, status="running", percent=percent)
        errand.tell(beat)


async def patrol(hand: Hand, jobs: Jobs) -> None:
    """Look for what is due and say so again, or do it if it cannot be said. Runs until cancelled."""
    doing: dict[asyncio.Task[None], None] = {}
    try:
        while True:
            await _look(hand, jobs, doing)
            await hand.clock.sleep(PATROL_SECONDS)
    finally:
        for task in doing:
            task.cancel()
        await asyncio.gather(*doing, return_exceptions=True)


async def _look(hand: Hand, jobs: Jobs, doing: dict[asyncio.Task[None], None]) -> None:
    try:
        due = await hand.board.due(QUIET_SECONDS)
        for build_id in due.builds:
            await _send(hand, jobs, doing, build_id, "")
        for build_id, key in due.actions:
            await _send(hand, jobs, doing, build_id, key)
    except CouldNot as trouble:
        hand.log("not-patrolled", why=str(trouble))


async def _send(hand: Hand, jobs: Jobs, doing: dict[asyncio.Task[None], None], build_id: str, key: str) -> None:
    try:
        await (jobs.perform(build_id, key) if key else jobs.advance(build_id))
    except CouldNot as trouble:
        hand.say("hint-lost", build_id, action=key, why=str(trouble))
        task = asyncio.create_task(_do(hand, build_id, key))
        doing[task] = None
        task.add_done_callback(lambda done: doing.pop(done, None))


async def _do(hand: Hand, build_id: str, key: str) -> None:
    try:
        await (hand.perform(build_id, key) if key else hand.advance(build_id))
    except CouldNot as trouble:
        hand.say("not-done", build_id, action=key, why=str(trouble))
