"""The work a worker does unasked: renew its leases, follow its builds, and find what was forgotten.

Must never take more than this process has room for: other workers may be free.
"""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from buildwright.engine.running_action import ClaimedAction, is_long
from buildwright.engine.worker import Worker
from buildwright.errors import BuildwrightError, CouldNot
from buildwright.ports import Hints

Doing: TypeAlias = dict[tuple[str, str], asyncio.Task[None]]
"""Tasks that a poll has begun itself, by build and key ("" for an advance)."""

TEND_SECONDS = 0.2
"""Between looks at the own leases: a user's message, and a stop, reaches an agent within this time."""
PATROL_SECONDS = 0.5
"""Between looks for due work: how long a command waits when its hint is lost."""
QUIET_SECONDS = 2.0
"""An offered action is not offered again for this long."""


async def renew_leases(worker: Worker) -> None:
    """Renew the leases of actions carried out here; end lost and unwanted ones. Runs until cancelled."""
    while True:
        await worker.clock.sleep(TEND_SECONDS)
        claimed_actions = list(worker.claimed_actions.values())
        if claimed_actions:
            try:
                await _renew(worker, claimed_actions)
            except CouldNot as trouble:
                worker.log("leases-not-kept", why=str(trouble))
            for claimed in claimed_actions:
                if claimed.kept.gone:
                    claimed.end(lost=True)  # by now another worker may have taken it


async def _renew(worker: Worker, claimed_actions: list[ClaimedAction]) -> None:
    asked_at = asyncio.get_running_loop().time()
    overdue = [claimed for claimed in claimed_actions if claimed.kept.overdue]
    for seconds in {claimed.kept.seconds for claimed in overdue}:
        group = [claimed for claimed in overdue if claimed.kept.seconds == seconds]
        await worker.board.keep([claimed.lease for claimed in group], seconds)
    held = {(row.build_id, row.key): row for row in await worker.board.holdings(worker.holder)}
    for claimed in claimed_actions:
        row = held.get(claimed.name)
        if row is None or row.token != claimed.lease.token:
            claimed.end(lost=True)
            continue
        if not row.wanted:
            claimed.end()
        elif row.version > claimed.build.version:
            claimed.catch_up(await worker.known.at_least(row.build_id, row.version))
        if claimed in overdue:
            claimed.kept.renewed(asked_at)
            worker.report_alive(claimed)


async def poll(worker: Worker, jobs: Hints) -> None:
    """Look for actions that no worker has begun, and do them as far as there is room here. Runs until cancelled.

    An action is not hinted at again: while all workers are busy its hint still waits in its queue, and every further
    one would wait there too, until workers do nothing but read old hints.
    """
    doing: Doing = {}
    try:
        while True:
            await _look(worker, jobs, doing)
            await worker.clock.sleep(PATROL_SECONDS)
    finally:
        tasks = list(doing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _look(worker: Worker, jobs: Hints, doing: Doing) -> None:
    try:
        due = await worker.board.due(QUIET_SECONDS, 4 * worker.slots)
        for build_id in due.builds:
            await _offer(worker, jobs, doing, build_id)
        for build_id, key in due.actions:
            if sum(is_long(other) == is_long(key) for _, other in doing if other) < 2 * worker.slots:
                _begin(worker, doing, build_id, key)
    except CouldNot as trouble:
        worker.log("not-patrolled", why=str(trouble))


async def _offer(worker: Worker, jobs: Hints, doing: Doing, build_id: str) -> None:
    try:
        await jobs.advance(build_id)
    except CouldNot as trouble:
        worker.say("hint-lost", build_id, why=str(trouble))
        _begin(worker, doing, build_id, "")


def _begin(worker: Worker, doing: Doing, build_id: str, key: str) -> None:
    """Begin an action or an advance beside the poll. Up to half of them wait for a slot, so that no slot idles."""
    if (build_id, key) not in doing:
        task = asyncio.create_task(_do(worker, build_id, key))
        doing[build_id, key] = task
        task.add_done_callback(lambda _: doing.pop((build_id, key), None))


async def _do(worker: Worker, build_id: str, key: str) -> None:
    try:
        await (worker.perform(build_id, key) if key else worker.advance(build_id))
    except BuildwrightError as trouble:
        worker.say("not-done", build_id, action=key, why=str(trouble))
