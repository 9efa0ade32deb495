"""The builds that a server drives in its own process, also after a restart. Must never hold what the journal does not.

A row each says which builds the server drives; everything else is in the build's journal. In a cluster the workers
drive them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.errors import BuildIsRunning, BuildwrightError, NotFound, StoreFailed
from buildwright.ports import LogEntry
from buildwright.store.lease_holders import this_process
from buildwright.wiring.notify import Notifier, listeners_of

if TYPE_CHECKING:
    from datetime import datetime

    from buildwright.wiring.app import App

Heard = Callable[[str], None]
"""A listener that gets the id of a build with something new."""
AGAIN_SECONDS = 5.0
HOME_SECONDS = 2.0


class Hosted(Protocol):
    """The record of which builds a server drives."""

    async def host(self, build_id: str, holder: str, at: datetime) -> None: ...
    async def unhost(self, build_id: str) -> None: ...
    async def hosted(self) -> list[str]: ...


class LocalRunner:
    """The runner of one server's builds."""

    def __init__(self, app: App, hosted: Hosted, log: Callable[..., None]) -> None:
        self._app = app
        self._hosted = hosted
        self._log = log
        self._running: dict[str, asyncio.Task[None]] = {}
        self._detach = asyncio.Event()
        self._ears: list[Heard] = []
        self._bringing: asyncio.Task[None] | None = None
        self._notifier: Notifier | None = None

    @property
    def running(self) -> int:
        """Builds that this process drives now."""
        return len(self._running)

    def on_news(self, ear: Heard) -> None:
        """Call `ear` with a build's id whenever a build that is driven here has something new. It must not block."""
        self._ears.append(ear)

    async def begin(self, build_id: str) -> None:
        """Make sure that the build is driven, here or by workers; harmless when it already is. Returns at once."""
        if self._app.in_cluster:
            await self._app.advance(build_id)
            return
        task = self._running.get(build_id)
        if self._detach.is_set() or (task is not None and not task.done()):
            return
        await self._hosted.host(build_id, this_process(), self._app.clock.now())
        if build_id not in self._running:
            self._drive(build_id)

    async def go_on(self) -> None:
        """Drive again the builds of the last server; in a cluster, wait again for results due in this home."""
        if self._app.in_cluster:
            self._bringing = asyncio.create_task(self._bring_home(), name="bring home")
            return
        if listeners := listeners_of(self._app.settings.user_file):
            self._notifier = Notifier(listeners, lambda why: self._log("not-told", level="warning", why=why))
        for build_id in await self._hosted.hosted():
            if build_id not in self._running:
                self._drive(build_id)

    async def close(self) -> None:
        """Let go of all builds: what is recorded is safe, and the next server continues."""
        self._detach.set()
        ending = [*self._running.values(), *([self._bringing] if self._bringing is not None else [])]
        await asyncio.gather(*ending, return_exceptions=True)
        if self._notifier is not None:
            await self._notifier.close()

    def _drive(self, build_id: str) -> None:
        task = asyncio.create_task(self._driven(build_id), name=f"build {build_id}")
        self._running[build_id] = task
        task.add_done_callback(lambda _: self._running.pop(build_id, None))

    async def _driven(self, build_id: str) -> None:
        def on_event(recorded: Recorded, build: Build) -> None:
            self._tell(build_id)
            if self._notifier is not None:
                self._notifier.see(recorded, build)

        def on_log(_entry: LogEntry) -> None:
            self._tell(build_id)

        while not self._detach.is_set():
            try:
                build = await self._app.run(build_id, on_event, on_log, self._detach, stay=True)
            except NotFound:
                await self._hosted.unhost(build_id)
                return
            except BuildIsRunning:  # another process drives it; once that process lets go, it is ours again
                await self._wait()
            except BuildwrightError as error:
                self._log("build-not-driven", level="error", executionId=build_id, why=str(error), fix=error.fix or "")
                await self._wait()
            else:
                if build.is_terminal:
                    await self._hosted.unhost(build_id)
                    return

    async def _bring_home(self) -> None:
        """Bring results of workers into repositories of this machine, as `App.run` does, until the server ends."""
        told: set[str] = set()
        while not self._detach.is_set():
            for build_id in self._app.awaited():
                if build_id in told:
                    continue
                try:
                    row = next(iter(await self._app.builds.rows(1, build_id)), None)
                    if row is None:  # removed meanwhile
                        told.add(build_id)
                    elif row.outcome:
                        await self._app.bring_home(await self._app.builds.load(build_id))
                except StoreFailed:
                    break
                except BuildwrightError as error:  # the next server, or `run`, tries again
                    told.add(build_id)
                    self._log("not-brought-home", level="error", executionId=build_id, why=str(error))
            await self._wait(HOME_SECONDS)

    async def _wait(self, seconds: float = AGAIN_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._detach.wait()
        except TimeoutError:
            return

    def _tell(self, build_id: str) -> None:
        for ear in self._ears:
            ear(build_id)


@asynccontextmanager
async def open_local_runner(app: App, hosted: Hosted, log: Callable[..., None]) -> AsyncIterator[LocalRunner]:
    """Run the local runner of one server until the end of the block; then it lets go of its builds."""
    hosting = LocalRunner(app, hosted, log)
    await hosting.go_on()
    try:
        yield hosting
    finally:
        await hosting.close()
