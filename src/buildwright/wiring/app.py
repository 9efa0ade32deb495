"""Settings become an App: the only place that constructs adapters, each imported when it is first asked for.

Must never hold a rule of its own: what can be asked of a build is in `engine.commands`, how it runs in `engine.loop`.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

from buildwright.core.build import Build, Control
from buildwright.core.event import Recorded, StepMode
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.commands import Choice
from buildwright.engine.follow import stepped
from buildwright.errors import BadSettings, BuildIsRunning
from buildwright.ports import Answers, Board, Builds, Clock, Jobs, LogEntry
from buildwright.settings import Settings
from buildwright.store.clock import StoreClock
from buildwright.wiring import cluster
from buildwright.wiring.adapters import (
    NoHints,
    SystemClock,
    agent_for,
    masked,
    with_cassette,
)
from buildwright.wiring.awaited import Awaited, Brought
from buildwright.wiring.lookup import find
from buildwright.wiring.planning import plan
from buildwright.wiring.starting import create_once, exists
from buildwright.wiring.telemetry import Telemetry
from buildwright.wiring.worlds import PLAIN, Worlds, warm_up

if TYPE_CHECKING:
    from buildwright.engine.hand import Hand
    from buildwright.engine.world import World
    from buildwright.gateway import LocalGateway
    from buildwright.ports import Traces
    from buildwright.store.journal_postgres import PostgresBuilds
    from buildwright.store.journal_sqlite import SqliteBuilds
    from buildwright.store.runs import BuildRuns
    from buildwright.telemetry.meters import Meters
    from buildwright.wiring.changes import Change
    from buildwright.wiring.crew import Crew
    from buildwright.workspace import GitWorkspace


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """The application on these settings; everything it opened is closed at the end. Raises StoreFailed, DiskFull."""
    if "BUILDWRIGHT_FAILPOINT" in settings.environment:
        from buildwright.wiring.failpoints import arm_from

        arm_from(settings.environment)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    builds = await _open_store(settings)
    try:
        # Pauses are timed by the clock that all machines share: this one's may be wrong.
        clock = await StoreClock.open(cast("Board", builds)) if settings.database_url else SystemClock()
        app = App(settings, builds, clock, builds)
        try:
            yield app
        finally:
            await app.close()
    finally:
        await builds.close()


async def _open_store(settings: Settings) -> SqliteBuilds | PostgresBuilds:
    if settings.database_url:
        from buildwright.store.journal_postgres import PostgresBuilds

        return await PostgresBuilds.open(settings.database_url)
    from buildwright.store.journal_sqlite import SqliteBuilds

    return await SqliteBuilds.open(settings.database, settings.artifacts)


class App:
    """What the command line, the library and later the server use. Commands work while another process runs the build."""

    def __init__(self, settings: Settings, builds: Builds, clock: Clock, answers: Answers | None = None) -> None:
        self.settings = settings
        self.builds = builds
        self._answers = answers
        self.clock = clock
        self._workspace: GitWorkspace | None = None
        self._gateway: LocalGateway | None = None
        self._worlds = Worlds(settings, builds)
        self._awaited = Awaited(settings.home, settings.environment)
        self._hints: Jobs = NoHints()
        self._hand: Hand | None = None
        self.telemetry = Telemetry(settings.environment)

    @property
    def workspace(self) -> GitWorkspace:
        if self._workspace is None:
            from buildwright.workspace import GitWorkspace

            self._workspace = GitWorkspace(self.settings.home, self.settings.environment, hub=self.settings.hub)
        return self._workspace

    @property
    def gateway(self) -> LocalGateway:
        if self._gateway is None:
            from buildwright.gateway import LocalGateway

            record = self.settings.environment.get("BUILDWRIGHT_RECORD", "")
            self._gateway = LocalGateway(
                self.settings.environment,
                self.settings.home,
                Path(record) if record else None,
                self._answers,
                self.telemetry.on_call,
            )
        return self._gateway

    @property
    def meters(self) -> Meters:
        """What this process counts, once somebody has asked for it."""
        return self.telemetry.meters

    @property
    def traces(self) -> Traces:
        """Where spans go. Raises BadSettings."""
        return self.telemetry.traces

    @property
    def in_cluster(self) -> bool:
        """Whether workers carry out the builds, and not this process."""
        return bool(self.settings.redis_url)

    @property
    def elsewhere(self) -> bool:
        """Whether a server does what is asked here."""
        return False

    @property
    def board(self) -> Board:
        """What is wanted of the workers. Raises BadSettings when there are none."""
        if not self.in_cluster:
            raise BadSettings("there is no cluster here", fix="start one with `buildwright cluster up`")
        return cast("Board", self.builds)

    def mask(self, text: str) -> str:
        """The text without the secrets of this process."""
        return masked(self.settings, text)

    def send_hints(self) -> None:
        """From now on tell workers through Redis what waits for them: for a process that lives long.

        A command of a second needs none: a worker that has nothing to do looks every half second.
        """
        if self.in_cluster:
            from buildwright.engine.settling import is_long
            from buildwright.jobs.celery import CeleryJobs

            self._hints, self._hand = CeleryJobs(self.settings.redis_url, is_long), None

    def hurry(self) -> None:
        """Wait no more for a database that is away: this process is to end, and others go on."""
        cast("PostgresBuilds", self.builds).hurry()

    async def close(self) -> None:
        """Close what was opened, in reverse order."""
        await self._hints.close()
        if self._gateway is not None:
            await self._gateway.close()
        await self.telemetry.close()

    # --- asking -----------------------------------------------------------------------------------------------------

    async def start(
        self,
        spec: Spec,
        options: Options,
        repository: str = "",
        base: str = "",
        project_id: str = "",
        *,
        user_id: str = "",
        correlation_id: str = "",
        build_id: str = "",
    ) -> str:
        """Create a build; nothing runs yet. Returns its id. Without a user it is of the one who runs this process.

        With a `build_id` (a UUID of whoever asks) it is made once: when it is there already, nothing happens.

        What can be known beforehand is checked first, so that a build which cannot run is never made. Raises BadSettings
        (an agent, sandbox, key or cassette that cannot be had, options that contradict each other) and BadRepository.
        """
        if build_id and await exists(self.builds, build_id):
            return build_id
        options = await self.checked(options, repository, planning=spec.graph is None)
        new_id = build_id or str(uuid.uuid4())
        if self.in_cluster and options.lanes:
            # From here the repository can be reached, whatever it is; the workers find what they need of it in the hub.
            await self.workspace.create_hub()
            await self.workspace.prepare(new_id, repository, base)
            self._awaited.note(new_id, options, repository)
        user, correlation = user_id or self.settings.user, correlation_id or self.settings.correlation_id
        names = (project_id, user, new_id, correlation)
        return await create_once(self.builds, self.clock, spec, options, repository, base, *names)

    @asynccontextmanager
    async def runs(self) -> AsyncIterator[BuildRuns]:
        """Questions about many builds: by project, by time, the latest (Z4)."""
        from buildwright.store.runs import BuildRuns

        opened = BuildRuns.open(self.settings.database_url or self.settings.database)
        try:
            yield opened
        finally:
            await opened.close()

    async def read_spec(self, path: Path) -> Spec:
        """The spec in a file, whatever its form. Raises BadSpec naming file and line or key."""
        from buildwright.advisors.spec_file import read_spec

        return read_spec(path)

    async def pause(self, build_id: str, message: str = "") -> Build:
        return await commands.pause(self.builds, self.clock, build_id, message)

    async def resume(
        self, build_id: str, choice: Choice = "go", message: str = "", budget_usd: Decimal | None = None
    ) -> Build:
        return await commands.resume(self.builds, self.clock, build_id, choice, message, budget_usd)

    async def say(self, build_id: str, text: str, task: str = "") -> str:
        return await commands.say(self.builds, self.clock, build_id, text, task)

    async def step(self, build_id: str, mode: StepMode = "auto", message: str = "") -> str:
        """Ask a build by hand for one step, which `run` makes, or the workers; returns its id. Raises IllegalMove, NotFound."""
        step_id = await commands.step(self.builds, self.clock, build_id, mode, message)
        if self.in_cluster:
            await self.advance(build_id)
        return step_id

    async def stepped(
        self,
        build_id: str,
        step_id: str,
        seconds: float = math.inf,
        on_event: Callable[[Recorded, Build], None] | None = None,
        since: Build | None = None,
    ) -> Build:
        """The build once it has made the step, or rests; or as it is after so many seconds. See `engine.follow.stepped`."""
        return await stepped(self.builds, build_id, step_id, seconds, on_event, since)

    async def stop(self, build_id: str, message: str = "") -> Build:
        """Ask the build to end; when no process runs it, it ends here and now."""
        from buildwright.engine.loop import run
        from buildwright.engine.perform import forget_lanes

        build = await self.builds.load(build_id)
        if build.control is not Control.STOPPING:  # asked before, by a process that died before the build had ended
            build = await commands.stop(self.builds, self.clock, build_id, message)
        if self.in_cluster:
            # A build that nobody works on is over at once, also without any worker; else its workers let go first.
            return await self.advance(build_id) or await self.builds.load(build_id)
        if await self.builds.holder(build_id) is None:
            await self._worlds.end_orphans()
            with suppress(BuildIsRunning):  # somebody has begun to run it meanwhile, and sees the request too
                build = await run(self._worlds.bare(self.clock), build_id)
                if build.options.lanes:
                    await forget_lanes(self.workspace, build_id)
        return build

    async def crew(self, build_id: str) -> Crew:
        """Who works on the build now. Raises StoreFailed."""
        from buildwright.wiring.crew import crew_of

        return await crew_of(self.builds, self.board if self.in_cluster else None, build_id)

    async def change(self, build: Build, task: str = "") -> Change:
        """What the build, or one of its tasks, changed. Raises NotFound, GitFailed."""
        from buildwright.wiring.changes import change_of

        return await change_of(self.builds, self.workspace, build, task)

    async def find(self, build: str = "") -> str:
        """The full id of a build, from an id, a unique beginning of one, or "" for the newest. Raises NotFound."""
        return await find(self.builds, self.settings, build)

    # --- doing ------------------------------------------------------------------------------------------------------

    async def run(
        self,
        build_id: str,
        on_event: Callable[[Recorded, Build], None] | None = None,
        on_log: Callable[[LogEntry], None] | None = None,
        detach: asyncio.Event | None = None,
        *,
        stay: bool = False,
    ) -> Build:
        """Drive the build until it is finished, or paused with nothing left running, or detached.

        Raises BuildIsRunning, NotFound, LostLease, BadSettings (an agent or sandbox that cannot be had), StoreFailed.
        """
        from buildwright.engine.follow import Onlooker
        from buildwright.engine.loop import run
        from buildwright.engine.perform import forget_lanes

        build = await self.builds.load(build_id)
        if self.in_cluster:
            onlooker = Onlooker(on_event, on_log, detach or asyncio.Event(), stay)
            return await cluster.follow_workers(self.builds, self.board, build, onlooker)
        options = build.options
        if await self._worlds.sandbox(options) is not None:
            await self._worlds.end_orphans()
        world = await self.world(options, self.clock)
        on_event = self.telemetry.on_event(on_event)
        world = replace(world, on_event=on_event, on_log=on_log, detach=detach or asyncio.Event(), stay=stay)
        warming = asyncio.create_task(warm_up(options))
        try:
            build = await run(world, build_id)
        finally:
            await warming
        if build.is_terminal and options.lanes:
            await forget_lanes(self.workspace, build_id)
        return build

    async def bring_home(self, build: Build) -> Brought:
        """See that what workers have delivered is in the user's repository, if that is on this machine and this home's.

        Raises Conflict, BadRepository, GitFailed, DiskFull; the next call tries again.
        """
        return await self._awaited.bring(build, self.workspace) if self.in_cluster else Brought(build, False)

    def awaited(self) -> list[str]:
        """The builds of workers whose result belongs into a repository of this machine, and is not there yet."""
        return self._awaited.waiting() if self.in_cluster else []

    async def advance(self, build_id: str) -> Build | None:
        """Decide what there is to decide in a cluster's build and post what it wants; None when a process holds it whole."""
        if self._hand is None:
            self._hand = cluster.deciding_hand(self.builds, self.board, self.clock, self._hints)
        self._hand.listen(self.telemetry.on_event())
        return await self._hand.advance(build_id)

    async def world(self, options: Options, clock: Clock) -> World:
        """All that carrying out the actions of a build takes. Raises BadSettings (an agent or sandbox that cannot be had)."""
        workspace = self.workspace if options.lanes else None
        gateway = self.gateway if options.agent not in PLAIN else None
        return await self._worlds.whole(options, clock, workspace, gateway, self.telemetry.observe)

    async def clean_up(self) -> None:
        """Clear away what a process that was killed has left in this home. Only for who has the home alone."""
        await self._worlds.end_orphans()
        from buildwright.workspace.leftovers import sweep

        await sweep(self.settings.home, self.settings.environment)

    async def plan(self, spec: Spec, options: Options, repository: str = "", base: str = "") -> Graph:
        """The graph of a spec, without building it. Leaves nothing behind.

        Raises BadGraph, ModelFailed, BadSettings, BadRepository.
        """
        if spec.graph is not None:
            return spec.graph
        return await plan(spec, options, self.gateway, self.workspace if repository else None, repository, base)

    async def checked(self, options: Options, repository: str, *, planning: bool) -> Options:
        """The options as they are kept, once everything they ask for is known to be there.

        Raises BadSettings, BadRepository. `planning`: a model will be asked for the plan.
        """
        if options.lanes:
            if not repository:
                raise BadSettings("there is no repository to build on", fix="name one with --repo, or say --no-lanes")
            from buildwright.workspace.source import locate

            locate(repository, self.settings.environment)
        if options.agent == "shell" and not options.agent_command.strip():
            raise BadSettings("the shell agent has no command", fix="say which with --agent-command 'CMD'")
        options = with_cassette(options)
        agent = agent_for(options, self.settings, await self._worlds.sandbox(options))
        if not options.cassette and not self.in_cluster:  # there the keys are those of the workers
            if agent.uses_model == "always":
                self.gateway.check_keys("any", options)
            if planning:
                self.gateway.check_keys("", options)
        return options
