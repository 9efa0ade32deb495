"""The App, made from settings: all commands and questions about builds. Must never hold a rule of its own.

The commands of a build are in `engine.commands`, the way it runs is in `engine.driver`. Adapters are imported at their
first use. Large because it is a list: each question of a `Client` once, with the adapters that answer it.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from buildwright.core.build import Build, Control
from buildwright.core.event import Recorded
from buildwright.core.lessons import GivenLesson, LessonEntry
from buildwright.core.limits import Options
from buildwright.core.options_change import OptionsChange
from buildwright.core.sanitize import sanitize
from buildwright.engine import commands
from buildwright.engine.build_command import BuildCommand
from buildwright.engine.commands import CommandResult, NewBuild, StopBuild
from buildwright.engine.contracts_command import TakeContracts
from buildwright.engine.deliver_command import DeliverBuild
from buildwright.engine.feedback_command import TakeFeedback, tasks_of
from buildwright.engine.first_commit import first_commit
from buildwright.engine.follow import News, follow, stepped
from buildwright.engine.fork_command import ForkBuild
from buildwright.engine.resume_command import ResumeBuild, ResumeOnBase
from buildwright.engine.task_commands import ChangeSpec, ChangeTasks, RedoTask
from buildwright.errors import BadSettings, BuildIsRunning, IllegalMove, NotFound, Refused
from buildwright.ports import (
    ActionQueue,
    Answers,
    Builds,
    Clock,
    CostKey,
    KeptWork,
    LessonBook,
    LogEntry,
    MoneyLedger,
    Spend,
)
from buildwright.settings import Settings
from buildwright.store.clock import StoreClock
from buildwright.store.kept_views import views_kept
from buildwright.wiring import cluster, preflight
from buildwright.wiring.adapters import (
    PLAIN,
    AdapterFactory,
    SystemClock,
    agent_for,
    masked,
    masker_of,
    warm_up,
)
from buildwright.wiring.auditing import LazyPhaseAuditor
from buildwright.wiring.cluster import Fetched, PendingDeliveries
from buildwright.wiring.telemetry import Telemetry

if TYPE_CHECKING:
    from buildwright.code_map.view import CodeMapView
    from buildwright.core.contract_types import ContractType
    from buildwright.core.passage import RewriteWish
    from buildwright.engine.adapters import Adapters
    from buildwright.gateway import LocalGateway
    from buildwright.store.build_queries import BuildQueries
    from buildwright.store.journal_postgres import PostgresBuilds
    from buildwright.store.journal_sqlite import SqliteBuilds
    from buildwright.store.records import Records
    from buildwright.telemetry.meters import Meters
    from buildwright.views.attempts import AttemptsView
    from buildwright.views.contracts import RewrittenContract
    from buildwright.views.costs import CostSum, KeptAnswers
    from buildwright.views.execution_log import TaskLogEntry
    from buildwright.views.lessons import LessonsImported, LessonsView
    from buildwright.views.overview import PlanView
    from buildwright.views.precheck import PrecheckView
    from buildwright.views.review import ReviewView
    from buildwright.views.stats import Stats, StatsPeriod
    from buildwright.views.stuck import StuckView
    from buildwright.views.verdicts import GatesView
    from buildwright.wiring.changes import Change
    from buildwright.wiring.contracts import OwnContracts
    from buildwright.wiring.interviewing import Interviewing, OwnInterviews
    from buildwright.wiring.prompt import PromptView
    from buildwright.wiring.repositories import OwnRepositories
    from buildwright.wiring.rewriting import Rewriting
    from buildwright.wiring.runners import Runners
    from buildwright.wiring.team import OwnTeam
    from buildwright.workspace import GitWorkspace


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """Open the application on these settings, and close all that it opened at the end. Raises StoreFailed, DiskFull."""
    if "BUILDWRIGHT_FAILPOINT" in settings.environment:
        from buildwright.wiring.failpoints import arm_from

        arm_from(settings.environment)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    builds = await _open_store(settings)
    try:
        # Pauses are timed by the clock that all machines share: the clock of this machine may be wrong.
        clock = await StoreClock.open(cast("ActionQueue", builds)) if settings.database_url else SystemClock()
        app = App(settings, builds, clock, builds, builds.ledger)
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
    """The application behind the command line, the library and the server.

    Commands work while another process runs the build.

    Large because it makes each adapter on first use, and is a `Client` beside that: both are lists, not logic.
    """

    def __init__(
        self,
        settings: Settings,
        builds: Builds,
        clock: Clock,
        answers: Answers | None = None,
        ledger: MoneyLedger | None = None,
    ) -> None:
        self.settings = settings
        self.builds = builds
        self._answers = answers
        self._ledger = ledger
        self.clock = clock
        self._workspace: GitWorkspace | None = None
        self._gateway: LocalGateway | None = None
        self._records: Records | None = None
        self._interviewing: Interviewing | None = None
        self._worlds = AdapterFactory(settings, builds)
        self._awaited = PendingDeliveries(settings.home, settings.environment)
        self.telemetry = Telemetry(settings.environment)
        self._advancer = cluster.Advancer(builds, clock, self.telemetry)

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
                self._ledger,
            )
        return self._gateway

    async def lesson_book(self) -> LessonBook:
        """Return the lessons of this home, or of the cluster, on connections of their own."""
        return (await self._own_records()).lessons

    async def _own_records(self) -> Records:
        # In a thread: the library takes a while to import, and agents may be at work.
        module = await asyncio.to_thread(import_module, "buildwright.store.records")
        if self._records is None:
            self._records = module.Records.open(self.settings.database_url or self.settings.database)
            assert self._records is not None
        return self._records

    @property
    def interviewing(self) -> Interviewing:
        """The interviews of all users of this store."""
        if self._interviewing is None:
            from buildwright.store.records import Records
            from buildwright.wiring.interviewing import Interviewing

            records = Records.open(self.settings.database_url or self.settings.database)
            self._interviewing = Interviewing(
                self.settings, self.clock, records, lambda: self.gateway, masker_of(self.settings)
            )
        return self._interviewing

    @property
    def interviews(self) -> OwnInterviews:
        """The interviews of the user of this process."""
        from buildwright.wiring.interviewing import OwnInterviews

        return OwnInterviews(self.interviewing, self.settings.user)

    @property
    def meters(self) -> Meters:
        """The meters of this process. Counting begins with the first use of this property."""
        return self.telemetry.meters

    @property
    def in_cluster(self) -> bool:
        """Whether workers carry out the builds, rather than this process."""
        return bool(self.settings.redis_url)

    @property
    def elsewhere(self) -> bool:
        """Whether a server carries out what is asked of this object. An App does it itself."""
        return False

    @property
    def contracts(self) -> OwnContracts:
        """The contracts of this user's projects in the store."""
        from buildwright.wiring.contracts import OwnContracts

        return OwnContracts(self.settings, self.builds, self.clock, self.ask, self._rewrite)

    @property
    def rewriting(self) -> Rewriting:
        """What rewrites contracts of all users of this store."""
        from buildwright.wiring.contracts import Contracting
        from buildwright.wiring.project_models import ProjectModels
        from buildwright.wiring.rewriting import Rewriting

        records = self.interviewing.records
        models = ProjectModels(self.settings, self.clock, records, lambda: self.gateway)
        return Rewriting(models, Contracting(records, self.builds, self.clock), masker_of(self.settings))

    async def _rewrite(
        self, user_id: str, project_id: str, contract_type: ContractType, wish: RewriteWish
    ) -> RewrittenContract:
        return await self.rewriting.rewrite(user_id, project_id, contract_type, wish)

    @property
    def team(self) -> OwnTeam:
        """Users, tokens and members of projects in the store."""
        from buildwright.wiring.team import OwnTeam

        return OwnTeam(self.settings, self.clock)

    @property
    def repositories(self) -> OwnRepositories:
        """The repositories that the user of this process has connected."""
        from buildwright.auth import secret_key
        from buildwright.store.records import Records
        from buildwright.wiring.repositories import OwnRepositories, connecting_for

        if self._records is None:
            self._records = Records.open(self.settings.database_url or self.settings.database)
        key = secret_key(self.settings.home, self.settings.environment)
        return OwnRepositories(connecting_for(self.settings, self._records, key, self.clock), self.settings.user)

    @property
    def board(self) -> ActionQueue:
        """The queue of actions for workers. Raises BadSettings when there is no cluster."""
        if not self.in_cluster:
            raise BadSettings("there is no cluster here", fix="start one with `buildwright cluster up`")
        return cast("ActionQueue", self.builds)

    def mask(self, text: str) -> str:
        """Return the text without the secrets of this process."""
        return masked(self.settings, text)

    def send_hints(self) -> None:
        """Tell workers through Redis, from now on, which work waits for them. For a process that lives long.

        A command that takes a second needs no hints: an idle worker looks every half second.
        """
        if self.in_cluster:
            self._advancer.send_hints(self.settings.redis_url)

    async def close(self) -> None:
        """Close all that was opened, in reverse order."""
        await self._advancer.close()
        if self._gateway is not None:
            await self._gateway.close()
        if self._records is not None:
            await self._records.close()
        if self._interviewing is not None:
            await self._interviewing.records.close()
        await self.telemetry.close()

    async def start(self, new: NewBuild) -> str:
        """Create a build and return its id; nothing runs yet. Does nothing when there is a build with this `build_id`.

        All that can be known beforehand is checked first, so that a build which cannot run is never made. Raises
        BadSettings (no such agent, sandbox, key or cassette, or options that contradict each other), BadRepository,
        Conflict (the branch of the result cannot be written) and ToolMissing (git).
        """
        if new.build_id:
            with suppress(NotFound):
                if await self.builds.version(new.build_id):
                    return new.build_id
        new = replace(
            await self.checked(new),
            build_id=new.build_id or str(uuid.uuid4()),
            user_id=new.user_id or self.settings.user,
            correlation_id=new.correlation_id or self.settings.correlation_id,
        )
        if new.options.lanes:
            await self.workspace.foresee(new.build_id, new.repository, new.base, new.options.delivery)
            await self._check_forge(new.repository, new.options)
        if self.in_cluster and new.options.lanes:
            # This machine can read the repository, wherever it is; workers find what they need of it in the hub.
            await self.workspace.create_hub()
            await self._prepare(new)
            self._awaited.note(new.build_id, new.options, new.repository)
        return await commands.create(self.builds, self.clock, new)

    async def fork(self, build_id: str, wanted: ForkBuild, user_id: str = "") -> str:
        """Create a build that goes on from a point of another one, and return its id; nothing runs yet.

        Raises Refused, BadGraph, NotFound (the other build's commits are gone), and what `start` does.
        """
        wanted = replace(wanted, prompt_note=self.mask(wanted.prompt_note))
        history = await self.builds.read(build_id, limit=wanted.at or None)
        past = wanted.past(history)
        correlation = self.settings.correlation_id
        new = wanted.new_build(past, str(uuid.uuid4()), user_id or self.settings.user, correlation)
        new = await self.checked(new)
        told = wanted.event(history, past, new.options)
        if new.options.lanes:
            await self.workspace.foresee(new.build_id, new.repository, "", new.options.delivery)
            await self._check_forge(new.repository, new.options)
            if self.in_cluster:
                await self.workspace.create_hub()
                self._awaited.note(new.build_id, new.options, new.repository)
            place, delivery = (new.build_id, new.repository), new.options.delivery
            if told.base:  # kept from here on, whatever becomes of the other build
                await self.workspace.branch_off(*place, past.id, told.base, told.head, delivery)
            elif self.in_cluster:
                await self._prepare(new)
        return await commands.create(self.builds, self.clock, new, told)

    async def _check_forge(self, repository: str, options: Options) -> None:
        """Check that a pull request could be opened, if the options ask for one.

        Raises BadRepository (no such remote), BadSettings, NotFound, ForgeFailed.
        """
        if options.delivery.kind == "pr":
            from buildwright.wiring.forges import check_forge

            await check_forge(await self.workspace.address_of(repository, options.delivery.remote), self.settings)

    async def _foresee_delivery(self, build: Build, command: DeliverBuild) -> None:
        """Raise what bars the delivery of a build that has ended, where that can be known before; see `_check_forge`."""
        command.facts(build, "")  # why it cannot be delivered at all comes first
        delivery = command.delivery_of(build)
        await self.workspace.foresee(build.id, build.repository, "", delivery)
        await self._check_forge(build.repository, build.options.model_copy(update={"delivery": delivery}))

    async def _prepare(self, new: NewBuild) -> None:
        first = first_commit(new.build_id, new.spec, new.options)
        place, delivery = (new.build_id, new.repository, new.base), new.options.delivery
        await self.workspace.prepare(*place, delivery, lfs=new.options.lfs, first=first)

    async def checked(self, new: NewBuild) -> NewBuild:
        """Return the build with its options as the journal keeps them.

        Raises BadSettings, BadRepository; see `preflight.check`.
        """
        sandbox = await self._worlds.sandbox(new.options)
        new = preflight.check(new, self.settings, sandbox, None if self.in_cluster else lambda: self.gateway)
        if not self.in_cluster:  # the keys are those of workers there
            tasks = new.spec.graph.tasks if new.spec.graph is not None else None
            names = new.options.agents_for(tasks)
            await preflight.check_models(new.options, names, self.settings, sandbox, plans=tasks is None)
        return new

    async def plan(self, new: NewBuild, on_begin: Callable[[], None] | None = None) -> PlanView:
        """Return the plan for a spec without building it. Leaves only its cost behind. `on_begin`: see `Client`.

        Raises BadGraph, ModelFailed, BadSettings, BadRepository, Refused (the base does not pass its own checks).
        """
        from buildwright.views.overview import plan_view
        from buildwright.wiring.estimate import estimate_for

        check_base = partial(self._check_base, new, on_begin)
        new = preflight.resolved(new, self.settings)
        if new.spec.graph is None and not self.in_cluster:
            await preflight.check_models(new.options, (), self.settings, None, plans=True)
        owner = new.user_id or self.settings.user

        async def count(plan_id: str, spends: Sequence[Spend]) -> None:
            costs = (await self._own_records()).plan_costs
            await costs.count(plan_id, owner, new.project, spends, self.clock.now())

        graph = new.spec.graph or await preflight.plan(new, owner, self.gateway, self.workspace, check_base, count)
        found = await preflight.toolchain(new, self.workspace)
        view = await asyncio.to_thread(plan_view, graph, new.spec.title, new.spec.features)
        return view.model_copy(
            update={
                "checks": tuple(check.command for check in found.checks),
                "warnings": tuple(str(one) for one in found.findings if one.severity == "warning"),
                "spec_notes": new.spec.notes,
                "estimate": await estimate_for(self.builds, graph, new.options, owner),
            }
        )

    async def code_map(
        self, repository: str, base: str, about: str, tokens: int, on_read: Callable[[int, int], None]
    ) -> CodeMapView:
        """Return the map of a repository's code as the planner is shown it; see `wiring.code_map`."""
        from buildwright.wiring.code_map import map_of_repository

        return await map_of_repository(self.workspace, repository, base, about, tokens, on_read)

    async def _check_base(self, new: NewBuild, on_begin: Callable[[], None] | None) -> None:
        """Judge what a plan is for, or take the kept verdict, as a build does before it pays. Raises Refused.

        Not in a cluster: there only workers run what projects bring, and the build of the plan has them judge.
        """
        if on_begin is not None:
            on_begin()
        accepts_all = new.options.accept_base or not (new.options.gates and new.options.lanes)
        if accepts_all or self.in_cluster or not new.repository:
            return
        options = new.options.model_copy(update={"agent": "shell", "agent_command": "true"})
        view = await self.precheck(replace(new, options=options), lambda _: None)
        if view.refused_by:
            reason = "\n".join(view.reasons[0])
            accepted = " ".join(f"--accept-base {name}" for name in view.refused_by)
            fix = f"fix it, name other checks with --check, or plan anyway with {accepted}"
            raise Refused(f"the project does not pass its own checks, so no plan is paid for: {reason}", fix=fix)

    async def precheck(
        self,
        new: NewBuild,
        on_found: Callable[[PrecheckView], None],
        on_log: Callable[[LogEntry], None] | None = None,
        *,
        run: bool = True,
    ) -> PrecheckView:
        """Return what would judge a repository, and what it says of its base; see `wiring.precheck`."""
        from buildwright.wiring.precheck import precheck

        new = preflight.resolved(new, self.settings)
        if await self._worlds.sandbox(new.options) is not None:
            await self._worlds.end_orphans()
        world = await self._worlds.whole(new.options, self.clock, self.workspace, None, self.telemetry.observe)
        return await precheck(new, world, self.workspace, on_found, on_log, run=run)

    async def ask(self, build_id: str, command: BuildCommand, asked_by: str = "") -> CommandResult:
        """Send a command to a build, whichever process runs it. Raises IllegalMove, NotFound, StoreFailed.

        `asked_by` is the user whose command it is; this process's by default.
        A build that is asked to stop and is run by no process ends before this returns.
        """
        if isinstance(command, StopBuild):
            return CommandResult(await self._stop(build_id, command, asked_by or self.settings.user), "")
        if isinstance(command, ChangeSpec):
            command = replace(command, text=self.mask(command.text))
        if isinstance(command, TakeFeedback):
            command = await self._with_comments(await self.builds.load(build_id))
        if isinstance(command, TakeContracts):
            command = await self._with_first(await self.builds.load(build_id), command)
        if isinstance(command, ResumeBuild | RedoTask):
            command = await self._looked_up(await self.builds.load(build_id), command)
        if isinstance(command, ResumeBuild) and command.options is not None and command.options.model:
            await self._check_model(await self.builds.load(build_id), command.options)
        if isinstance(command, ResumeBuild) and command.options is not None:
            await self._check_delivery(await self.builds.load(build_id), command.options)
        if isinstance(command, DeliverBuild):
            await self._foresee_delivery(await self.builds.load(build_id), command)
        if names := dict.fromkeys(task.agent for task in command.asks_of_machine()[1] if task.agent):
            await self._check_agents(await self.builds.load(build_id), names)
        result = await commands.ask(self.builds, self.clock, build_id, command, asked_by or self.settings.user)
        if self.in_cluster and command.reopens and result.build.options.lanes:
            self._awaited.note_again(result.build)
        if self.in_cluster and command.wakes:
            await self.advance(build_id)
        return result

    async def _check_delivery(self, build: Build, change: OptionsChange) -> None:
        """Check that the result can go where a change of the options says, as before a build. Raises what `start` does."""
        options = change.of(build.options)
        if change.deliver:
            await self._check_forge(build.repository, options)
        if options.delivery != build.options.delivery and options.lanes:
            if build.base:
                await self.workspace.prepare(build.id, build.repository, build.base_ref, options.delivery)
            else:
                await self.workspace.foresee(build.id, build.repository, "", options.delivery)

    @asynccontextmanager
    async def runs(self) -> AsyncIterator[BuildQueries]:
        """Open the queries about many builds: by project, by time, the newest."""
        from buildwright.store.build_queries import BuildQueries

        opened = BuildQueries.open(self.settings.database_url or self.settings.database)
        try:
            yield opened
        finally:
            await opened.close()

    def news(self, build: Build, seconds: float) -> AsyncGenerator[News, None]:
        """Yield the news of a build after this state, for at most `seconds`; see `engine.follow.follow`."""
        return follow(self.builds, build, seconds=seconds)

    async def stepped(
        self,
        build_id: str,
        step_id: str,
        seconds: float = math.inf,
        on_event: Callable[[Recorded, Build], None] | None = None,
        since: Build | None = None,
    ) -> Build:
        """Wait until the build has made the step or rests, at most `seconds`; return it.

        See `engine.follow.stepped`.
        """
        return await stepped(self.builds, build_id, step_id, seconds, on_event, since)

    async def _stop(self, build_id: str, command: StopBuild, asked_by: str) -> Build:
        from buildwright.engine.held_build import run

        build = await self.builds.load(build_id)
        if build.control is not Control.STOPPING:  # it is when a process asked, and died before the end
            build, _ = await commands.ask(self.builds, self.clock, build_id, command, asked_by)
        if self.in_cluster:
            # A build without a worker at this moment ends at once, even if no worker is alive; else its workers let go
            # first.
            return await self.advance(build_id) or await self.builds.load(build_id)
        if await self.builds.holder(build_id) is None:
            await self._worlds.end_orphans()
            with suppress(BuildIsRunning):  # another process runs it meanwhile, and sees the request too
                workspace = self.workspace if build.options.lanes else None
                build = await run(replace(self._worlds.bare(self.clock), workspace=workspace), build_id)
        return build

    async def crew(self, build_id: str) -> Runners:
        """Return the processes or workers that work on the build now. Raises StoreFailed."""
        from buildwright.wiring.runners import runners_of

        return await runners_of(self.builds, self.board if self.in_cluster else None, build_id)

    async def change(self, build: Build, task: str = "", attempt: int = 0, *, binary: bool = False) -> Change:
        """Return the change made by the build, or by one of its tasks or attempts. Raises NotFound, GitFailed."""
        from buildwright.wiring.changes import ChangeWanted, change_of

        if build.rebases:
            await self.workspace.stand_on(build.id, build.base)
        return await change_of(self.builds, self.workspace, build, ChangeWanted(task, attempt, binary))

    async def review(self, build: Build, task: str = "", *, ignore_space: bool = False) -> ReviewView:
        """Return the change of the build, or of a task, with the purpose of each hunk. Raises NotFound, GitFailed."""
        from buildwright.wiring.changes import review

        if build.rebases:
            await self.workspace.stand_on(build.id, build.base)
        return await review(self.builds, self.workspace, build, task, ignore_space=ignore_space)

    async def attempts(self, build: Build, task: str, left: int, right: int) -> AttemptsView:
        """Return what two attempts at a task changed, side by side. Raises NotFound, Refused, GitFailed."""
        from buildwright.wiring.changes import attempts

        if build.rebases:
            await self.workspace.stand_on(build.id, build.base)
        return await attempts(self.builds, self.workspace, build, task, left, right)

    async def prompt(self, build: Build, task: str, attempt: int = 0) -> PromptView:
        """Return what an attempt at the task is told. Raises NotFound, GitFailed."""
        from buildwright.wiring.prompt import prompt_of

        if build.rebases:
            await self.workspace.stand_on(build.id, build.base)
        sandbox = await self._worlds.sandbox(build.options)

        def resumes(agent: str) -> bool:
            try:
                return agent_for(build.options, self.settings, sandbox, agent).resumes
            except BadSettings:  # it is not installed here
                return False

        async def lessons(of: Build, name: str) -> tuple[GivenLesson, ...]:
            from buildwright.engine.lessons import chosen_for

            return (await chosen_for(await self.lesson_book(), of, name, self.mask)).given

        return await prompt_of(self.builds, self.workspace, build, task, attempt, resumes, lessons)

    async def _looked_up(self, build: Build, command: ResumeBuild | RedoTask) -> BuildCommand:
        """Return the command once what it names is known to be there: an attempt that left a change, a fetched base.

        Raises NotFound, IllegalMove, BadRepository, Conflict, GitFailed.
        """
        from buildwright.wiring.changes import check_attempt

        tasks = (command.task,) if isinstance(command, RedoTask) else build.failed[:1]
        for task in tasks if command.from_attempt else ():
            await check_attempt(self.builds, self.workspace, build, task, command.from_attempt)
        if not isinstance(command, ResumeBuild) or not command.moves_base:
            return command
        command.check_pause(build)
        if not build.base:
            raise IllegalMove("the build stands on no commit yet", fix="start a new build with `--base`")
        base = command.base or build.base_ref
        options = build.options if command.options is None else command.options.of(build.options)
        target = await self.workspace.rebase_target(
            build.id, build.repository, base, options.delivery, first_commit(build.id, build.spec, options)
        )
        return ResumeOnBase(command, base, target)

    async def _with_comments(self, build: Build) -> ChangeTasks:
        """Return the command that adds a task for each new comment on the build's pull request.

        Raises IllegalMove (it has none), Refused (no new comment), NotFound, BadSettings, ForgeFailed.
        """
        from buildwright.wiring.forges import comments_on

        if not build.pull_request:
            raise IllegalMove("the build has opened no pull request", fix="deliver it so: --deliver pr")
        ref = build.pull_request_ref or build.delivered.rpartition(" ")[2]
        branch = ref.removeprefix("refs/heads/")
        address = await self.workspace.address_of(build.repository, build.options.delivery.remote)
        tasks = tasks_of(build, await comments_on(address, branch, self.settings))
        if not tasks:
            raise Refused(f"no comment on {build.pull_request} is new", fix="ask again when there is one")
        return ChangeTasks(tuple(sanitize(task, self.mask) for task in tasks))

    async def _with_first(self, build: Build, command: TakeContracts) -> TakeContracts:
        """Return the command once the commit with its contracts is written. Raises BadRepository, GitFailed, NotFound."""
        first = first_commit(build.id, command.spec, build.options)
        if first is None or not build.base or build.spec.contracts is None:
            return command
        target = await self.workspace.renew_first(build.id, build.base, first)
        return replace(command, target=target, base=build.base)

    async def _check_model(self, build: Build, change: OptionsChange) -> None:
        """Check that a provider has the model that the build is to go on with. Raises BadSettings."""
        options = change.of(build.options)
        if not self.in_cluster:
            sandbox = await self._worlds.sandbox(options)
            await preflight.check_models(options, (options.agent,), self.settings, sandbox)

    async def _check_agents(self, build: Build, names: Iterable[str]) -> None:
        """Check that the agents which changed tasks name could work. Raises BadSettings."""
        options, gateway = build.options, None if self.in_cluster else lambda: self.gateway
        preflight.check_agents(options, names, self.settings, await self._worlds.sandbox(options), gateway)

    async def kept(self, build: Build) -> tuple[KeptWork, ...]:
        """Return what is kept of the build's attempts that did not land. Raises GitFailed."""
        from buildwright.wiring.changes import kept_work

        return await kept_work(self.workspace, build)

    async def gates(self, build: Build, task: str = "") -> GatesView:
        """Return what the gates said in the build, or of one of its tasks. Raises NotFound."""
        from buildwright.views.verdicts import gates_view

        return gates_view(build, await self.builds.read(build.id), task)

    async def project_names(self, ids: Collection[str]) -> Mapping[str, str]:
        """Return the names of those of these projects that were given one."""
        async with self.runs() as runs:
            return await runs.project_names(ids)

    async def costs(
        self, by: CostKey, start: datetime | None = None, end: datetime | None = None, build: str = ""
    ) -> Sequence[CostSum]:
        """Return what requests to models cost from `start` to before `end`, over all builds of the home, or of one."""
        async with self.runs() as runs:
            return await runs.costs(by, start, end, build_id=build)

    async def kept_answers(
        self, start: datetime | None = None, end: datetime | None = None, build: str = ""
    ) -> KeptAnswers:
        """Return the answers that were played again instead of bought twice, over all builds of the home, or of one."""
        async with self.runs() as runs:
            return await runs.kept_answers(start, end, build_id=build)

    async def stats(self, by: StatsPeriod, start: datetime | None = None, end: datetime | None = None) -> Stats:
        """Return what builds came to, of the hours from that of `start` to that before `end`, over all of the home."""
        async with self.runs() as runs:
            return await runs.stats(by, start, end)

    async def lessons(self) -> LessonsView:
        """Return the lessons of this user's builds, and whether they help."""
        from buildwright.wiring.lessons import lessons_for

        return await lessons_for(await self.lesson_book(), self.builds, self.settings.user, self.clock.now())

    async def forget_lesson(self, lesson_id: str) -> None:
        """Remove a lesson. Raises NotFound."""
        await (await self.lesson_book()).forget(self.settings.user, lesson_id)

    async def import_lessons(self, entries: Sequence[LessonEntry]) -> LessonsImported:
        """Keep the lessons of a file that this user does not have yet."""
        from buildwright.wiring.lessons import import_for

        book = await self.lesson_book()
        return await import_for(book, self.settings.user, entries, self.clock.now(), self.mask)

    async def execution_log(
        self, build_id: str, after: int = 0, limit: int = 1000, task: str = ""
    ) -> Sequence[TaskLogEntry]:
        """Return the entries of a build's log of tasks with an id > `after`, of one task when given."""
        async with self.runs() as runs:
            return await runs.execution_log(build_id, after, limit, task)

    async def stuck(self, build_id: str, number: int = 0) -> StuckView:
        """Return one time that the build was stuck (0: the newest), with its context. Raises NotFound."""
        from buildwright.engine.diagnosis import stuck_of

        return await stuck_of(self.builds, build_id, number)

    async def find(self, build: str = "") -> str:
        """Return the full id of a build, from an id, a unique beginning of one, or "" for the newest.

        Raises NotFound.
        """
        return await commands.find(self.builds, build, _elsewhere(self.settings))

    async def run(
        self,
        build_id: str,
        on_event: Callable[[Recorded, Build], None] | None = None,
        on_log: Callable[[LogEntry], None] | None = None,
        detach: asyncio.Event | None = None,
        *,
        stay: bool = False,
        since: Build | None = None,
    ) -> Build:
        """Drive the build until it is finished, or paused with nothing left running, or detached; return it.

        In a cluster the workers drive it, and this only follows. `detach`, once set, ends the run. With `stay` a pause
        does not end it. `on_event` gets every event after `since`, an older state; without it those after the state
        found first. Raises BuildIsRunning, NotFound, LostLease, BadSettings (no such agent or sandbox), StoreFailed.
        """
        from buildwright.engine.follow import Onlooker
        from buildwright.engine.held_build import run

        build = since or await self.builds.load(build_id)
        if self.in_cluster:
            onlooker = Onlooker(on_event, on_log, detach or asyncio.Event(), stay)
            return await cluster.follow_workers(self.builds, self.board, build, onlooker)
        options = build.options
        if await self._worlds.sandbox(options) is not None:
            await self._worlds.end_orphans()
        world = await self.world(options, self.clock)
        tell = self.telemetry.on_event(on_event)
        async with views_kept(self.settings.home, build, self.clock) as keep:

            def told(recorded: Recorded, newer: Build) -> None:
                keep(newer)
                if tell is not None:
                    tell(recorded, newer)

            world = replace(world, on_event=told, on_log=on_log, detach=detach or asyncio.Event(), stay=stay)
            warming = asyncio.create_task(warm_up(options))
            try:
                build = await run(world, build_id, since)
            finally:
                await warming
        if build.is_terminal and not self.settings.database_url:
            # For users who read the tables of stats by SQL; each question of ours counts by itself.
            from buildwright.store.stats import count_in_file

            await asyncio.to_thread(count_in_file, self.settings.database)
        return build

    async def bring_home(self, build: Build) -> Fetched:
        """Bring the branch that workers delivered into the user's repository, if this home waits for it.

        Raises Conflict, BadRepository, GitFailed, DiskFull; the next call tries again.
        """
        return await self._awaited.bring(build, self.workspace) if self.in_cluster else Fetched(build, False)

    def awaited(self) -> list[str]:
        """Return the ids of builds whose result workers make and a repository of this machine still waits for."""
        return self._awaited.waiting() if self.in_cluster else []

    async def advance(self, build_id: str) -> Build | None:
        """Decide what is due in a cluster's build and post its actions; None when a process holds the whole build."""
        return await self._advancer.advance(build_id)

    async def world(self, options: Options, clock: Clock) -> Adapters:
        """Return the adapters to carry out the actions of a build. Raises BadSettings (no such agent or sandbox)."""
        workspace = self.workspace if options.lanes else None
        plain = PLAIN.issuperset(options.as_of(name).agent for name in options.agents_for(None))
        gateway = self.gateway if not plain else None
        adapters = await self._worlds.whole(options, clock, workspace, gateway, self.telemetry.observe)
        audited = LazyPhaseAuditor(self.settings, workspace) if workspace is not None else None
        book = self.lesson_book if options.lessons and not plain else None
        return replace(adapters, auditor=audited, lessons=book)

    async def clean_up(self) -> None:
        """Remove what a killed process left in this home. Only for a process that has the home to itself."""
        await self._worlds.end_orphans()
        from buildwright.workspace.orphans import sweep

        await sweep(self.settings.home, self.settings.environment)


def _elsewhere(settings: Settings) -> str:
    """Return where builds may be that this process cannot see: in the cluster, or outside it; "" for nowhere."""
    if not settings.redis_url and (settings.cluster / "postgres").exists():
        return "those of this home's cluster, which is down, are there again after `buildwright cluster up`"
    if settings.redis_url and settings.database.exists():
        return "those made without the cluster are there when it does not run: `buildwright cluster down`"
    return ""
