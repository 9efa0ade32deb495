"""Hints as Celery tasks over Redis: `advance(build)` and `perform(build, key)`, ids only. Must never be the truth.

A message may be lost, doubled, late or out of order, and all of Redis may be wiped: the board in the database has what
is due, and each worker looks there. So this module never waits long for Redis, and never retries for ever.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from buildwright.errors import BuildwrightError, StoreFailed

if TYPE_CHECKING:
    from celery import Celery

ADVANCE, PERFORM = "buildwright.advance", "buildwright.perform"
LONG = "buildwright.perform.long"
"""A separate queue for actions that wait for a model: they must not hold up checks and merges."""
_SPARE_THREADS = 3
"""For `advance`, and for a hint of each other queue that comes in while the last slot is taken."""
_CONNECT_SECONDS, _ANSWER_SECONDS = 2.0, 5.0
_LISTEN_SECONDS = 0.1
"""How long one look at the queues lasts. A queue that is added meanwhile waits for the next look."""
_AWAY_SECONDS = 3.0
"""After a hint could not be sent, no hint is tried for this long: each might wait for an answer."""
_VISIBLE_SECONDS = 6 * 3600
"""When Redis redelivers an unacknowledged message to another worker. Late on purpose: the board does that sooner."""


class HintReceiver(Protocol):
    """The receiver of the messages: `engine.worker.Worker`."""

    slots: int

    async def advance(self, build_id: str) -> Any: ...
    async def perform(self, build_id: str, key: str) -> None: ...


class CeleryJobs:
    """Sends hints. Each send is one command to Redis, in a thread of its own."""

    def __init__(self, redis_url: str, is_long: Callable[[str], bool]) -> None:
        self._url = redis_url
        self._is_long = is_long
        self._app: Celery | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hints")
        self._away_until = 0.0

    async def advance(self, build_id: str) -> None:
        """Hint that a build is to be advanced; see `Hints.advance`."""
        await self._send(ADVANCE, ADVANCE, build_id)

    async def perform(self, build_id: str, key: str) -> None:
        """Hint that an action waits for a worker; see `Hints.perform`."""
        await self._send(PERFORM, LONG if self._is_long(key) else PERFORM, build_id, key)

    async def close(self) -> None:
        """Send the waiting hints and close the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    async def _send(self, task: str, queue: str, *ids: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._publish, task, queue, ids)

    def _publish(self, task: str, queue: str, ids: tuple[str, ...]) -> None:
        from kombu.exceptions import KombuError

        if time.monotonic() < self._away_until:
            raise StoreFailed("Redis could not be reached a moment ago", fix="start it, or correct REDIS_URL")
        if self._app is None:
            self._app = _app("buildwright", self._url, patient=False)
        try:
            # Past any exchange: what Redis keeps of exchanges is gone when it is wiped.
            self._app.send_task(task, ids, queue=queue, retry=False, ignore_result=True)
        except (KombuError, OSError) as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            raise StoreFailed(f"Redis cannot be reached: {error}", fix="start it, or correct REDIS_URL") from error

    def _disconnect(self) -> None:
        if self._app is not None:
            self._app.close()


class CeleryConsumer:
    """Takes hints in and gives them to the worker on its event loop. Each message in work holds a thread.

    A queue is listened to only while there is room for its actions, so that a hint goes to a worker that is free.
    """

    def __init__(self, redis_url: str, receiver: HintReceiver, is_long: Callable[[str], bool], name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._receiver = receiver
        self._is_long = is_long
        self._busy = Counter[str]()
        self._lock = threading.Lock()
        app = _app(f"buildwright@{name}", redis_url, patient=True)
        app.task(name=ADVANCE, shared=False, lazy=False)(self._advance)
        app.task(name=PERFORM, shared=False, lazy=False)(self._perform)
        self._worker = app.WorkController(
            pool=_threads_of_an_app(),
            concurrency=2 * receiver.slots + _SPARE_THREADS,
            hostname=f"buildwright@{name}",
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._thread = threading.Thread(target=self._worker.start, name="hints", daemon=True)

    def start(self) -> None:
        """Begin to take hints in. Waits for a Redis that is away."""
        for library in ("celery", "kombu"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        self._thread.start()

    @property
    def listens(self) -> bool:
        """Whether Redis has been reached, and is not known to be away."""
        consumer = self._worker.consumer
        return consumer is not None and consumer.task_consumer is not None

    def listen_again(self) -> None:
        """Listen again to every queue that there is room for: a broken connection may have lost that order."""
        consumer = self._worker.consumer
        with self._lock:
            for queue in (PERFORM, LONG):
                if (
                    self._busy[queue] < self._receiver.slots
                    and consumer is not None
                    and consumer.task_consumer is not None
                ):
                    consumer.call_soon(consumer.add_task_queue, queue)

    async def stop(self) -> None:
        """Take no more hints in; return when those taken in are done. The worker must have been closed before."""
        if self._worker.consumer is not None:
            # In its own thread: from another one it would close the connection while it is being read.
            self._worker.consumer.call_soon(_shut_down)
            await asyncio.to_thread(self._thread.join, _ANSWER_SECONDS)
        if self._thread.is_alive():  # it waits for a Redis that is away
            await asyncio.to_thread(self._worker.terminate)

    def _advance(self, build_id: str) -> None:
        self._wait_for(self._receiver.advance(build_id))

    def _perform(self, build_id: str, key: str) -> None:
        queue = LONG if self._is_long(key) else PERFORM
        self._take_in(queue, 1)
        try:
            self._wait_for(self._receiver.perform(build_id, key))
        finally:
            self._take_in(queue, -1)

    def _take_in(self, queue: str, more: int) -> None:
        with self._lock:
            before = self._busy[queue] >= self._receiver.slots
            self._busy[queue] += more
            full = self._busy[queue] >= self._receiver.slots
        consumer = self._worker.consumer
        if full and not before:
            consumer.call_soon(consumer.cancel_task_queue, queue)
        if before and not full:
            consumer.call_soon(consumer.add_task_queue, queue)

    def _wait_for(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run on the loop, and hold the message until it is done: it is acknowledged late."""
        try:
            asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except (CancelledError, BuildwrightError) as trouble:
            # Nothing is lost: the board has what is due.
            logging.getLogger(__name__).warning("a hint came to nothing: %s", trouble)


def _shut_down() -> None:
    from celery.exceptions import WorkerShutdown

    raise WorkerShutdown(0)


def _threads_of_an_app() -> Any:
    """Return Celery's thread pool class, with tasks looked up in its own application, not the current one."""
    from celery.concurrency.thread import TaskPool

    class Threads(TaskPool):  # type: ignore[misc]  # celery has no types
        def on_apply(self, target: Callable[..., Any], *args: Any, **options: Any) -> Any:
            return super().on_apply(partial(target, app=self.app), *args, **options)

    return Threads


def _queue(name: str) -> Any:
    from kombu import Exchange, Queue

    return Queue(name, Exchange(""), routing_key=name)


def _app(name: str, url: str, *, patient: bool) -> Celery:
    """Return a Celery application that carries only JSON. It waits for Redis for ever if `patient`, else never."""
    from celery import Celery

    app = Celery(name, broker=url, set_as_current=False)
    transport: dict[str, Any] = {
        "visibility_timeout": _VISIBLE_SECONDS,
        "polling_interval": _LISTEN_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_keepalive": True,
    }
    if not patient:
        transport |= {"socket_timeout": _ANSWER_SECONDS, "max_retries": 0}
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_create_missing_queues=True,
        task_create_missing_queue_exchange_type="direct",
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        broker_connection_retry=patient,
        broker_connection_retry_on_startup=patient,
        broker_connection_max_retries=None if patient else 0,
        broker_transport_options=transport,
        task_queues=[_queue(queue) for queue in (ADVANCE, PERFORM, LONG)],
        task_default_queue=ADVANCE,
    )
    return app
