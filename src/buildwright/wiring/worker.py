"""This process as one of many workers: a shared board, hints, its own gateway and home. Must never hold shared state.

What a worker does is on the board and what it knows is in the journal, so that another worker can go on from there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from buildwright.core.limits import Options
from buildwright.engine.poll import poll, renew_leases
from buildwright.engine.running_action import is_long
from buildwright.engine.worker import Worker
from buildwright.errors import BuildwrightError, Conflict, CouldNot, StoreFailed
from buildwright.jobs.celery import CeleryConsumer, CeleryJobs
from buildwright.ports import WorkerRow
from buildwright.store.clock import StoreClock
from buildwright.store.lease_holders import this_process
from buildwright.wiring.app import open_app

if TYPE_CHECKING:
    from buildwright.engine.adapters import Adapters
    from buildwright.settings import Settings
    from buildwright.store.journal_postgres import PostgresBuilds
    from buildwright.wiring.app import App

T = TypeVar("T")

RETRY_SECONDS = 1.0
"""Seconds between tries to reach a database that was down when the worker started."""
HEARTBEAT_SECONDS = 5.0
"""Seconds between signs of life of a worker. How long its leases last is set by each build."""

TIDY_SECONDS = 4 * 3600.0
"""Seconds between two times that a worker tidies its home, when it has nothing to do."""
IDLE_LOOK_SECONDS = 60.0

Log = Callable[..., None]
Tidy = Callable[[], Awaitable[int]]
"""A function that removes from the home what no build needs any more, and returns the bytes freed."""


async def work(app: App, name: str, slots: int, ending: asyncio.Event, log: Log, tidy: Tidy) -> None:
    """Be a worker until `ending` is set, then let go of everything so that other workers take it up at once.

    `slots` is the number of actions at once. Raises Conflict when another worker uses this home; BadSettings,
    BadRepository and GitFailed when the hub is no hub or does not answer; StoreFailed when the database went down
    meanwhile.
    """
    async with WorkerProcess.at_work(app, name, slots, log, tidy) as worker:
        await worker.watch(ending)
        cast("PostgresBuilds", app.builds).hurry()  # wait no longer for a database that is down


@asynccontextmanager
async def app_when_there(settings: Settings, ending: asyncio.Event, log: Log) -> AsyncIterator[App | None]:
    """Wait until the database answers, and open the application; yield None once `ending` is set.

    Raises BadSettings (the database refuses the connection), DiskFull.
    """
    async with AsyncExitStack() as stack:
        app: App | None = None
        while app is None and not ending.is_set():
            try:
                app = await _unless(ending, stack.enter_async_context(open_app(settings)))
            except StoreFailed as trouble:
                log("waits", why=str(trouble), fix=trouble.fix, level="warning")
                await _unless(ending, asyncio.sleep(RETRY_SECONDS))
        yield app


async def _unless(ending: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what the work returns; once `ending` is set, cancel the work and return None.

    Raises the errors of the work.
    """
    doing, waiting = asyncio.create_task(work), asyncio.create_task(ending.wait())
    try:
        await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        for task in (doing, waiting):
            task.cancel()
        await asyncio.gather(doing, waiting, return_exceptions=True)


class WorkerProcess:
    """A worker that has started."""

    def __init__(
        self, worker: Worker, consumer: CeleryConsumer, name: str, tasks: Sequence[asyncio.Task[None]]
    ) -> None:
        self._worker = worker
        self._log = worker.log
        self._listens = True
        self._consumer = consumer
        self._name = name
        self._tasks = tasks

    @classmethod
    @asynccontextmanager
    async def at_work(cls, app: App, name: str, slots: int, log: Log, tidy: Tidy) -> AsyncIterator[WorkerProcess]:
        """Start to work, and let go of everything at the end of the block."""
        settings, board = app.settings, app.board
        with _alone_in(settings.home):
            await app.clean_up()
            await app.workspace.create_hub()
            await app.workspace.check_hub()
            clock = app.clock
            assert isinstance(clock, StoreClock)
            jobs = CeleryJobs(settings.redis_url, is_long)

            async def world_of(options: Options) -> Adapters:
                return await app.world(options, clock)

            worker = Worker(app.builds, board, jobs, clock, this_process(), world_of, slots, log)
            worker.listen(app.telemetry.on_event())
            consumer = CeleryConsumer(settings.redis_url, worker, is_long, name)
            works = (renew_leases(worker), poll(worker, jobs), clock.stay_set(board), stay_tidy(worker, tidy))
            process = cls(worker, consumer, name, [asyncio.create_task(work) for work in works])
            log("begins", slots=slots, home=str(settings.home))
            try:
                consumer.start()
                yield process
            finally:
                log("ends", busy=len(worker.claimed_actions))
                await worker.close()
                await consumer.stop()
                for task in process._tasks:
                    task.cancel()
                await asyncio.gather(*process._tasks, return_exceptions=True)
                await jobs.close()
                try:
                    await board.sign_off(worker.holder)
                except CouldNot as trouble:  # its row shows how long it has been silent
                    log("not-signed-off", why=str(trouble), level="warning")
                log("ended")

    async def watch(self, ending: asyncio.Event) -> None:
        """Give signs of life until `ending` is set. Raises the error that breaks the worker."""
        while not ending.is_set():
            for task in self._tasks:
                if task.done():
                    task.result()
            await _unless(ending, self.beat())
            await _unless(ending, asyncio.sleep(HEARTBEAT_SECONDS))
            self._tell_of_redis()
            self._consumer.listen_again()

    def _tell_of_redis(self) -> None:
        """Log once that Redis is down, and once that it is back: without it all work is done, only later."""
        if self._consumer.listens != self._listens:
            self._listens = not self._listens
            why = "what is due is found in the database; start Redis, or correct REDIS_URL"
            self._log("redis-is-back") if self._listens else self._log("redis-is-away", why=why, level="warning")

    async def beat(self) -> None:
        """Tell the board that this worker lives, and what it has measured.

        When the store is down, the next beat tries again.
        """
        worker = self._worker
        now = worker.clock.now()
        row = WorkerRow(
            holder=worker.holder,
            name=self._name,
            slots=worker.slots,
            busy=len(worker.claimed_actions),
            started_at=now,
            beat_at=now,
            heartbeat_seconds=HEARTBEAT_SECONDS,
            silent_seconds=0.0,
            report=json.dumps(measured(worker)),
        )
        try:
            await worker.board.beat(row)
        except CouldNot as trouble:
            worker.log("no-sign-of-life", why=str(trouble), level="warning")


async def stay_tidy(worker: Worker, tidy: Tidy) -> None:
    """Tidy up every few hours, when no action is carried out here. Runs until cancelled."""
    while True:
        await worker.clock.sleep(TIDY_SECONDS)
        while worker.claimed_actions:
            await worker.clock.sleep(IDLE_LOOK_SECONDS)
        try:
            worker.log("tidied-up", bytes=await tidy())
        except BuildwrightError as trouble:
            worker.log("not-tidied-up", why=str(trouble), level="warning")


def measured(worker: Worker) -> dict[str, float | int]:
    """Return what a worker measures of itself: actions done, and quantiles of the seconds that the newest waited."""
    waited = sorted(worker.waited)
    report: dict[str, float | int] = {"performed": worker.performed}
    for name, part in (("queue_p50", 0.5), ("queue_p95", 0.95)):
        if waited:
            report[name] = round(waited[min(int(len(waited) * part), len(waited) - 1)], 4)
    return report


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """Hold a home for one worker: two in one home would remove each other's lanes. Raises Conflict."""
    import fcntl

    with (home / "worker.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as taken:
            raise Conflict(f"another worker uses {home}", fix="give each worker its own BUILDWRIGHT_HOME") from taken
        yield
