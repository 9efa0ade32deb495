"""The work a worker does unasked: renew its leases, follow its builds, and find what was forgotten.

Must never take more than this process has room for: other workers may be free.
"""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from buildwright.core.action import JudgeMerge, JudgePatch, RunAgent
from buildwright.engine.claimed_action import ClaimedAction
from buildwright.engine.queue_update import is_long
from buildwright.engine.worker import Worker
from buildwright.errors import BuildwrightError, CouldNot
from buildwright.ports import Hints

Doing: TypeAlias = dict[tuple[str, str], asyncio.Task[None]]
"""Tasks that a patrol has begun itself, by build and key ("" for an advance)."""

TEND_SECONDS = 0.2
"""Between looks at the own leases: a user's message, and a stop, reaches an agent within this time."""
PATROL_SECONDS = 0.5
"""Between looks for due work: how long a command waits when its hint is lost."""
QUIET_SECONDS = 2.0
"""An offered action is not offered again for this long."""


async def renew_leases(hand: Worker) -> None:
    """Renew the leases of actions carried out here; end lost and unwanted ones. Runs until cancelled."""
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


async def _tend(hand: Worker, errands: list[ClaimedAction]) -> None:
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


def _beat(errand: ClaimedAction) -> None:
    """Record that the attempt of the action is alive, as far as this process can tell."""
    match errand.action:
        case RunAgent(task, attempt) | JudgePatch(task, attempt) | JudgeMerge(task, attempt):
            for beat in errand.conversations.beats(errand.build, [task]):
                if beat.attempt == attempt:
                    errand.tell(beat)


async def poll(hand: Worker, jobs: Hints) -> None:
    """Look for actions that no worker has begun, and do them as far as there is room here. Runs until cancelled.

    An action is not hinted at again: while all workers are busy its hint still waits in its queue, and every further
    one would wait there too, until workers do nothing but read old hints.
    """
    doing: Doing = {}
    try:
        while True:
            await _look(hand, jobs, doing)
            await hand.clock.sleep(PATROL_SECONDS)
    finally:
        tasks = list(doing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _look(hand: Worker, jobs: Hints, doing: Doing) -> None:
    try:
        due = await hand.board.due(QUIET_SECONDS, 4 * hand.slots)
        for build_id in due.builds:
            await _offer(hand, jobs, doing, build_id)
        for build_id, key in due.actions:
            if sum(is_long(other) == is_long(key) for _, other in doing if other) < 2 * hand.slots:
                _begin(hand, doing, build_id, key)
    except CouldNot as trouble:
        hand.log("not-patrolled", why=str(trouble))


async def _offer(hand: Worker, jobs: Hints, doing: Doing, build_id: str) -> None:
    try:
        await jobs.advance(build_id)
    except CouldNot as trouble:
        hand.say("hint-lost", build_id, why=str(trouble))
        _begin(hand, doing, build_id, "")


def _begin(hand: Worker, doing: Doing, build_id: str, key: str) -> None:
    """Begin an action or an advance beside the patrol. Up to half of them wait for a slot, so that no slot idles."""
    if (build_id, key) not in doing:
        task = asyncio.create_task(_do(hand, build_id, key))
        doing[build_id, key] = task
        task.add_done_callback(lambda _: doing.pop((build_id, key), None))


async def _do(hand: Worker, build_id: str, key: str) -> None:
    try:
        await (hand.perform(build_id, key) if key else hand.advance(build_id))
    except BuildwrightError as trouble:
        hand.say("not-done", build_id, action=key, why=str(trouble))
