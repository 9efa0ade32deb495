"""What is done to a stand while it builds. Each fault breaks something, and leaves everything running again when it returns."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from buildwright.engine.commands import PauseBuild
from buildwright.ports import QueuedAction
from buildwright.supervisor.processes import ProcessId, ended, send
from tests.chaos.stand import GRACE_SECONDS, Stand, Worker
from tests.servers import PostgresServer, RedisServer
from tests.services import redis_command

DAY = 86_400
PAUSE_LIMIT = 5.0


class Fault(NamedTuple):
    """Done again and again while builds run: `pause` seconds (least, most) before each, at least `times` times."""

    name: str
    inject: Callable[[Stand, random.Random], Awaitable[None]]
    pause: tuple[float, float]
    times: int = 1


async def restart_postgres(stand: Stand, luck: random.Random) -> None:
    """kill -9, or told to end at once, or told to end; away for up to 5 s."""
    async with stand.servers:
        await _take_down(stand.postgres, luck)
        await asyncio.sleep(luck.uniform(0, 5))
        await stand.bring_back(stand.postgres)


async def kill_worker(stand: Stand, luck: random.Random) -> None:
    """kill -9 of a worker, one time in three with all that it has started; it starts again after up to 3 s."""
    async with (worker := luck.choice(stand.workers)).lock:
        await worker.kill(whole=luck.random() < 1 / 3)
        await asyncio.sleep(luck.uniform(0, 3))
        worker.start()


async def end_worker(stand: Stand, luck: random.Random) -> None:
    """A worker is told to end, whatever else is down, and must do so soon."""
    async with (worker := luck.choice(stand.workers)).lock:
        seconds = await worker.end()
        if seconds >= GRACE_SECONDS:
            stand.trouble[f"worker did not end within {GRACE_SECONDS:g} s of being told to"] += 1
        worker.start()


async def end_worker_without_servers(stand: Stand, luck: random.Random) -> None:
    """The same, with PostgreSQL or Redis away."""
    server: PostgresServer | RedisServer = luck.choice((stand.postgres, stand.redis))
    async with stand.servers:
        await _take_down(server, luck)
        await end_worker(stand, luck)
        await stand.bring_back(server)


async def flush_redis(stand: Stand, _luck: random.Random) -> None:
    """FLUSHALL: all hints are gone."""
    async with stand.servers:
        await redis_command(stand.redis.url(), "FLUSHALL")


async def restart_redis(stand: Stand, luck: random.Random) -> None:
    """kill -9, away for up to 5 s, and empty when it comes back."""
    await _redis_away(stand, luck.uniform(0, 5))


async def redis_away(stand: Stand, _luck: random.Random) -> None:
    """No Redis for 30 s."""
    await _redis_away(stand, 30)


async def redis_hangs(stand: Stand, luck: random.Random) -> None:
    """SIGSTOP of Redis: it takes connections and answers nothing, for up to 10 s."""
    async with stand.servers:
        process = stand.redis.process()
        send(process, signal.SIGSTOP)
        await asyncio.sleep(luck.uniform(2, 10))
        send(process, signal.SIGCONT)


async def stop_worker(stand: Stand, luck: random.Random) -> None:
    """SIGSTOP of a worker that has work until all of it has gone to others; then SIGCONT."""
    worker, held = await _busy(stand, luck)
    async with worker.lock:
        send(worker.process, signal.SIGSTOP)
        try:
            await _see_it_taken_over(stand, worker, {(row.build_id, row.key) for row in held})
        finally:
            send(worker.process, signal.SIGCONT)


async def set_clock(stand: Stand, luck: random.Random) -> None:
    """The faked clocks jump."""
    stand.set_clocks(luck.choice((-DAY, -3600, -30, 0, 30, 3600, DAY)))


async def pause_too_long(stand: Stand, _luck: random.Random) -> None:
    """A paused build ends by the pause limit, by the clock of the database, while the clocks of workers jump."""
    build_id = await stand.build(pause_seconds=PAUSE_LIMIT, apart=True)
    await stand.app.ask(build_id, PauseBuild())
    begun = await stand.app.board.time()
    outcome = ""
    for _ in range(600):
        rows = await stand.app.builds.rows(build_prefix=build_id)
        outcome = rows[0].outcome
        if outcome:
            break
        await asyncio.sleep(0.1)
    lasted = (await stand.app.board.time() - begun).total_seconds()
    if outcome != "aborted" or not PAUSE_LIMIT - 1 <= lasted <= PAUSE_LIMIT + 15:
        stand.trouble[f"a pause with a limit of {PAUSE_LIMIT:g} s ended {outcome or 'not'} after {lasted:.1f} s"] += 1


async def cut_line(stand: Stand, _luck: random.Random) -> None:
    """One worker hears nothing of PostgreSQL for longer than its leases last; what was on its way arrives later."""
    assert stand.line is not None
    stand.line.cut()
    await asyncio.sleep(3 * stand.heartbeat + 3)
    stand.line.mend()


async def slow_line(stand: Stand, luck: random.Random) -> None:
    """Every packet between one worker and PostgreSQL takes up to 0.2 s longer, for 5 s."""
    assert stand.line is not None
    stand.line.delay = luck.uniform(0.02, 0.2)
    await asyncio.sleep(5)
    stand.line.delay = 0.0


async def kill_everything(stand: Stand, luck: random.Random) -> None:
    """kill -9 of all servers and all workers with what they have started, as when the power of a machine fails."""
    async with stand.servers:
        for worker in stand.workers:
            await worker.lock.acquire()
        try:
            dead: list[ProcessId] = [stand.postgres.process(), stand.redis.process()]
            for process in dead:
                send(process, signal.SIGKILL)
            await asyncio.gather(*(worker.kill(whole=True) for worker in stand.workers))
            await asyncio.sleep(luck.uniform(0, 2))
            for worker in stand.workers:  # before the servers are back: that must not matter
                worker.start()
            await stand.bring_back(stand.redis)
            await stand.bring_back(stand.postgres)
        finally:
            for worker in stand.workers:
                worker.lock.release()


async def _take_down(server: PostgresServer | RedisServer, luck: random.Random) -> None:
    way = luck.choice(("kill", "at once", "end"))
    if way == "kill":
        process = server.process()
        send(process, signal.SIGKILL)
        await ended(process, 10)
    else:
        await server.stop(at_once=way == "at once")


async def _redis_away(stand: Stand, seconds: float) -> None:
    async with stand.servers:
        process = stand.redis.process()
        send(process, signal.SIGKILL)
        await ended(process, 10)
        await asyncio.sleep(seconds)
        await stand.bring_back(stand.redis)


async def _busy(stand: Stand, luck: random.Random) -> tuple[Worker, list[QueuedAction]]:
    """A worker that has work now, and what it has; any worker when there is no work for a while."""
    for _ in range(100):
        rows = [row for row in await stand.app.board.board() if row.live]
        workers = [worker for worker in stand.workers if not worker.lock.locked()]
        luck.shuffle(workers)
        for worker in workers:
            if held := [row for row in rows if f":{worker.process.pid}:" in row.holder]:
                return worker, held
        await asyncio.sleep(0.05)
    return luck.choice(stand.workers), []


async def _see_it_taken_over(stand: Stand, worker: Worker, names: set[tuple[str, str]]) -> None:
    """Look on while the leases of a stopped worker run out; none may go to another too early, or too late."""
    first = {
        (row.build_id, row.key): row
        for row in await stand.app.board.board()
        if f":{worker.process.pid}:" in row.holder and (row.build_id, row.key) in names
    }
    waiting = dict(first)
    patience = asyncio.get_running_loop().time() + 3 * stand.heartbeat + 30
    while waiting and asyncio.get_running_loop().time() < patience:
        await asyncio.sleep(0.1)
        now = {(row.build_id, row.key): row for row in await stand.app.board.board()}
        at = await stand.app.board.time()
        for name, row in list(waiting.items()):
            later = now.get(name)
            if later is not None and later.token == row.token:
                continue
            del waiting[name]
            if later is not None and row.expires_at is not None and at < row.expires_at:
                stand.trouble["a lease that had not run out went to another worker"] += 1
    for _, key in waiting:
        stand.trouble[f"what a stopped worker had was not taken over: {key.partition('/')[0]}"] += 1
    # Longer than the lease in any case, so that whatever it still holds in memory is stale.
    with suppress(asyncio.TimeoutError):
        await asyncio.sleep(0 if first else 3 * stand.heartbeat + 0.5)
