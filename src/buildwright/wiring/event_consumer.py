"""Starting what received events ask for, each once, and keeping their records. Must never hold state of its own.

An event waits in the inbox until a process has made its build. The build's id follows from the event's id, so starting
an event twice makes one build; the claim on it only keeps two processes from doing the same work. All state is in the
inbox and the journal.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from buildwright.core.build import Build
from buildwright.core.failpoint import failpoint
from buildwright.core.limits import Options
from buildwright.core.record import Record
from buildwright.core.spec import Spec
from buildwright.engine.build_cache import BuildCache
from buildwright.engine.commands import NewBuild
from buildwright.errors import BuildwrightError, CouldNot, Forbidden, NotFound, Refused, StaleVersion
from buildwright.store.lease_holders import is_here, may_live, this_process
from buildwright.views.automation import current_stage, stages_of, task_context

if TYPE_CHECKING:
    from buildwright.store.inbox import Inbox, Received
    from buildwright.wiring.app import App

INITIALIZE = "devteam.initialize"
NOTE = "project.note"

LOOK_SECONDS = 2.0
"""Seconds between searches for events that a process which ended has left behind."""
KEEP_SECONDS = 0.5
"""Seconds between looks at running builds. A record is at most this old, plus the time it takes to write it."""
CLAIM_SECONDS = 300.0
"""Seconds after which the claim of a process that cannot be seen from here no longer counts."""
AT_ONCE = 8
MOST_LOOKED_AT = 500
MOST_TRIES = 8
"""Tries to start an event while something outside fails; with growing pauses they take some four minutes."""
_LONGEST_PAUSE = 60.0
_CLOSING_SECONDS = 5.0
_NAMES = uuid.UUID("3c1f6a52-2c0b-5f3e-9a49-5f3c8f5d7f10")


class Order(Record):
    """The data of an event `devteam.initialize`, checked when it was received."""

    spec: Spec
    options: Options
    repository: str
    base: str = ""
    workflow: str


def build_id_of(event_id: str) -> str:
    """Return the id of the build that an event starts; it is known before the build exists."""
    return str(uuid.uuid5(_NAMES, event_id))


class EventConsumer:
    """The consumer of received events in one process. Several processes may each have one."""

    def __init__(
        self, app: App, inbox: Inbox, begin: Callable[[str], Awaitable[None]], log: Callable[..., None]
    ) -> None:
        self._app = app
        self._inbox = inbox
        self._begin = begin
        self._log = log
        self._known = BuildCache(app.builds)
        self._woken = asyncio.Event()
        self._doing: dict[str, asyncio.Task[None]] = {}
        self._tries: dict[str, tuple[int, float]] = {}
        """For each event that could not be started: the tries, and when (monotonic seconds) to try again."""
        self._told: dict[str, tuple[Any, ...]] = {}
        """For each running event: the signature of its build that its record holds already."""

    def wake(self) -> None:
        """Look at the inbox at once, because something was received."""
        self._woken.set()

    async def take(self) -> None:
        """Start waiting events, at once when woken. Runs until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self._look()
            except CouldNot as trouble:
                self._log("inbox-not-looked-at", level="error", why=str(trouble), fix=trouble.fix or "")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()

    async def keep(self) -> None:
        """Keep the records of running events current. Runs until cancelled."""
        while True:
            try:
                for row in await self._inbox.started(MOST_LOOKED_AT):
                    await self._keep_up(row)
            except CouldNot as trouble:
                self._log("records-not-kept", level="error", why=str(trouble), fix=trouble.fix or "")
            await asyncio.sleep(KEEP_SECONDS)

    async def close(self) -> None:
        """End the starts in progress; an event that was not started waits in the inbox, for any process."""
        tasks = list(self._doing.values())
        if tasks:
            _, slow = await asyncio.wait(tasks, timeout=_CLOSING_SECONDS)
            for task in slow:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- beginning --------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        for row in await self._inbox.waiting(MOST_LOOKED_AT):
            if len(self._doing) >= AT_ONCE:
                return
            if row.event_id not in self._doing and self._is_free(row):
                task = asyncio.create_task(self._take_up(row), name=f"event {row.event_id}")
                self._doing[row.event_id] = task
                task.add_done_callback(partial(self._over, row.event_id))

    def _over(self, event_id: str, _task: asyncio.Task[None]) -> None:
        self._doing.pop(event_id, None)
        if len(self._doing) == AT_ONCE - 1:
            self.wake()

    def _is_free(self, row: Received) -> bool:
        _, again = self._tries.get(row.event_id, (0, 0.0))
        if time.monotonic() < again:
            return False
        if not row.holder or row.holder == this_process() or not may_live(row.holder):
            return True
        silent = (self._app.clock.now() - row.updated_at).total_seconds()
        return not is_here(row.holder) and silent > CLAIM_SECONDS

    async def _take_up(self, seen: Received) -> None:
        failpoint("intake.claim.before")
        try:
            row = await self._inbox.claim(seen, this_process(), self._app.clock.now())
            if row is None:
                return
            failpoint("intake.claim.after")
            try:
                await self._carry_out(row)
            except (Refused, ValidationError) as refused:
                await self._fail(row, str(refused))
            except BuildwrightError as trouble:
                await self._try_again(row, trouble)
            except Exception as error:  # an effect becomes a state of the event, or it would be tried for ever
                self._say("event-broke", row, level="error", error=repr(error))
                await self._fail(row, "unexpected error; the server's log says more under the correlation id")
        except CouldNot as trouble:
            self._say("event-not-begun", seen, level="error", why=str(trouble), fix=trouble.fix or "")

    async def _carry_out(self, row: Received) -> None:
        if row.type != INITIALIZE:
            await self._inbox.set_status(row.event_id, "done", self._app.clock.now(), message="kept")
            self._say("event-done", row, queueSeconds=self._since(row.created_at))
            return
        if await self._inbox.owner(row.project_id) not in {"", row.user_id}:
            raise Forbidden("this project belongs to another user", fix="name a project of your own")
        order = await asyncio.to_thread(Order.model_validate, row.data)
        names = (row.project_id, row.user_id, build_id_of(row.event_id), row.correlation_id)
        build_id = await self._app.start(NewBuild(order.spec, order.options, order.repository, order.base, *names))
        failpoint("intake.start.after")
        await self._begin(build_id)
        failpoint("intake.begin.after")
        await self._inbox.set_status(row.event_id, "started", self._app.clock.now(), build_id=build_id)
        self._tries.pop(row.event_id, None)
        self._say("event-started", row, queueSeconds=self._since(row.created_at), workflow=order.workflow)

    async def _try_again(self, row: Received, trouble: BuildwrightError) -> None:
        tries = self._tries.get(row.event_id, (0, 0.0))[0] + 1
        if tries >= MOST_TRIES:
            await self._fail(row, f"{trouble} (tried {tries} times)")
            return
        self._tries[row.event_id] = (tries, time.monotonic() + min(2.0**tries, _LONGEST_PAUSE))
        self._say("event-not-begun", row, level="error", tries=tries, why=str(trouble), fix=trouble.fix or "")
        await self._inbox.claim(row, "", self._app.clock.now())

    async def _fail(self, row: Received, message: str) -> None:
        self._tries.pop(row.event_id, None)
        told = self._app.mask(message)[:2000]
        await self._inbox.set_status(row.event_id, "failed", self._app.clock.now(), message=told)
        self._say("event-failed", row, level="error", why=told)

    # --- the records ------------------------------------------------------------------------------------------------

    async def _keep_up(self, row: Received) -> None:
        try:
            build = await self._known.newest(row.build_id)
        except NotFound:
            self._told.pop(row.event_id, None)
            await self._inbox.set_status(row.event_id, "failed", self._app.clock.now(), message="the build was removed")
            return
        new = _signature(build)
        if self._told.get(row.event_id) != new:
            try:
                context = task_context(build, row.project_id)
                await self._inbox.set_context(row.event_id, row.context_version, context, self._app.clock.now())
            except StaleVersion:  # another process writes this record, too
                return
            self._told[row.event_id] = new
            stage = current_stage(build)
            self._say("execution", row, stage=stage, control=build.control.value, done=build.done, total=build.total)
        if build.is_terminal:
            await self._end(row, build)

    async def _end(self, row: Received, build: Build) -> None:
        try:
            await self._app.bring_home(build)
        except BuildwrightError as trouble:
            self._say("not-brought-home", row, level="error", why=str(trouble), fix=trouble.fix or "")
        succeeded = build.outcome == "succeeded"
        message = build.message or str(build.outcome)
        status: Any = "done" if succeeded else "failed"
        await self._inbox.set_status(
            row.event_id, status, self._app.clock.now(), message=self._app.mask(message)[:2000]
        )
        self._told.pop(row.event_id, None)
        self._say("execution-ended", row, outcome=build.outcome, seconds=self._since(row.created_at))

    def _since(self, moment: datetime) -> float:
        return round((self._app.clock.now() - moment).total_seconds(), 4)

    def _say(self, what: str, row: Received, **fields: object) -> None:
        """Log something about an event, with the ids that connect the request with the last line about its build."""
        ids = {"projectId": row.project_id, "correlationId": row.correlation_id}
        self._log(what, eventId=row.event_id, executionId=build_id_of(row.event_id), **ids, **fields)


def _signature(build: Build) -> tuple[Any, ...]:
    """Return what the record depends on: it is written again when this differs."""
    stages = tuple(state.status for state in stages_of(build))
    counts = (build.total, build.done, build.skipped, build.failed)
    return (current_stage(build), stages, *counts, build.control, build.outcome, build.delivered)


@asynccontextmanager
async def open_event_consumer(
    app: App, inbox: Inbox, begin: Callable[[str], Awaitable[None]], log: Callable[..., None]
) -> AsyncIterator[EventConsumer]:
    """Run the event consumer of one server until the end of the block. `begin` gets each build that it has made."""
    intake = EventConsumer(app, inbox, begin, log)

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log("intake-broke", level="error", error=repr(error))

    tasks = [asyncio.create_task(work, name="intake") for work in (intake.take(), intake.keep())]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield intake
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await intake.close()
