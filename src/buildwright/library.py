"""Buildwright as a library: `Buildwright` and `Orchestrator`. Like the command line, without words for people.

Must never print, read the command line, or install signal handlers: the program that uses it does that. Large because
both classes share how a build is told of, found and shown; each method is a call of the client.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, get_args

from buildwright.client import Client, open_client, spec_of_project
from buildwright.core.apply import fold
from buildwright.core.build import Build
from buildwright.core.event import Recorded, StepMode
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.limits import Options
from buildwright.core.options_change import OptionsChange
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine.build_command import BuildCommand
from buildwright.engine.commands import CommandResult, NewBuild, PauseBuild, SendMessage, StopBuild, TakeStep
from buildwright.engine.follow import follow as lookout
from buildwright.engine.fork_command import ForkBuild
from buildwright.engine.resume_command import Choice, ResumeBuild
from buildwright.engine.task_commands import ChangeTasks, RedoTask, UndoTask
from buildwright.errors import BadSpec, BuildIsRunning, BuildwrightError, Refused
from buildwright.ports import BuildRow
from buildwright.settings import Settings
from buildwright.views.stuck import StuckView
from buildwright.views.summary import BatchResult, BuildResult, Summary, result_of
from buildwright.wiring import App, open_app

if TYPE_CHECKING:
    from buildwright.client import ContractClient, InterviewClient, TeamClient
    from buildwright.core.lessons import LessonEntry
    from buildwright.core.options_change import OptionsChange
    from buildwright.ports import CostKey, LogLine
    from buildwright.views.compare import CompareView
    from buildwright.views.costs import CostSum
    from buildwright.views.explain import KeptWorkView, WhyView
    from buildwright.views.lessons import LessonsImported, LessonsView
    from buildwright.views.overview import PlanView
    from buildwright.views.stats import Stats, StatsPeriod
    from buildwright.views.verdicts import GatesView
    from buildwright.wiring.changes import Change

_PAGE = 1000
_LOOK_SECONDS = 0.25
_FIRST_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_TIME = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ListedBuild(BuildRow):
    """A build in a list, and who carries it out now."""

    runner: str = ""
    """The process that carries it out, `workers` where live ones do; "" when no process does, whatever `control` says."""


class _Listener:
    """Tells a program every event of its builds once and in order, also those that other processes have appended."""

    def __init__(self, on_event: Callable[[Recorded, Build], None] | None) -> None:
        self._on_event = on_event
        self._newest: dict[str, Build] = {}
        """The state of each build after the last event that was told."""

    @property
    def tell(self) -> Callable[[Recorded, Build], None] | None:
        """The callback for the runner of a build; None when the program gave none."""
        return self._tell if self._on_event is not None else None

    def since(self, build_id: str) -> Build | None:
        """Return the state after which the next events are to be told; None for the newest."""
        return self._newest.get(build_id)

    async def begin(self, client: Client, build_id: str, *, first: bool = False) -> None:
        """Tell a build's events from now on, or from the first on, unless they are told already."""
        if self._on_event is None or build_id in self._newest:
            return
        if not first:
            self._newest[build_id] = await client.builds.load(build_id)
            return
        (created,) = await client.builds.read(build_id, limit=1)
        self._tell(created, fold([created]))

    def _tell(self, recorded: Recorded, build: Build) -> None:
        self._newest[build.id] = build  # first: what a listener has failed at is not told again
        if self._on_event is not None:
            self._on_event(recorded, build)


class Buildwright:
    """Starts builds and steers them, from a program of your own. An async context manager; one per event loop.

    It works on the store of `home` (by default the command line's), or on the server at `url` with `token`. Builds that
    are started or resumed here run in tasks of this process, in a cluster on its workers, through a server on that
    server. Leaving the block stops them safely: recorded events are safe, and `build` continues one later. A spec is
    built on `repository` with `options`; a `NewBuild` has its own. `on_event` is called with every event of builds that
    are carried out or waited for here (of one that is started here from `build.created` on, else from the first command
    or wait on), and the build after each: it must not block.
    """

    def __init__(
        self,
        repository: str | Path = "",
        *,
        options: Options | None = None,
        home: str | Path | None = None,
        url: str = "",
        token: str = "",
        on_event: Callable[[Recorded, Build], None] | None = None,
    ) -> None:
        self._repository = str(repository)
        self._options = options or Options()
        self._where = (home, url, token)
        self._listener = _Listener(on_event)
        self._stack = AsyncExitStack()
        self._client: Client | None = None
        self._driving: dict[str, asyncio.Task[Build]] = {}
        self._woken: dict[str, int] = {}
        """The version that each build had after the last command that gave it something to do."""
        self._detach = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._detach, self._driving, self._woken = asyncio.Event(), {}, {}
        self._client = await self._stack.enter_async_context(open_client(_settings(*self._where)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._detach.set()
        await asyncio.gather(*self._driving.values(), return_exceptions=True)
        self._client = None
        await self._stack.aclose()

    async def start(self, build: NewBuild | Spec | str | Path) -> BuildHandle:
        """Start a build and return at once: of a spec, of the file of a spec or task list, or of a `NewBuild`.

        Raises BadSpec, BadSettings, BadRepository, StoreFailed, and for a server Unreachable, Unauthorized, Forbidden,
        TooMany.
        """
        build_id = await self.client.start(self._new(build))
        await self._listener.begin(self.client, build_id, first=True)
        if not self._by_others:
            self._drive(build_id)
        return BuildHandle(self, build_id)

    async def plan(self, build: NewBuild | Spec | str | Path) -> PlanView:
        """Return the plan that `start` would build, leaving nothing behind; a model makes it unless the spec has one.

        Raises BadGraph, BadSpec, ModelFailed, BadSettings, BadRepository.
        """
        return await self.client.plan(self._new(build))

    def _new(self, build: NewBuild | Spec | str | Path) -> NewBuild:
        if not isinstance(build, NewBuild):
            build = NewBuild(_spec(build), self._options, self._repository)
        return replace(build, repository=_absolute(build.repository))

    async def build(self, build_id: str = "") -> BuildHandle:
        """Return the build of an id or a unique beginning of one, else the newest; does not run it. Raises NotFound."""
        return BuildHandle(self, await self.client.find(build_id))

    async def builds(self, limit: int = 50) -> list[ListedBuild]:
        """Return the newest builds, newest first."""
        return await _listed(self.client, await self.client.builds.rows(limit))

    async def costs(
        self, by: CostKey, start: datetime | None = None, end: datetime | None = None, build: str = ""
    ) -> Sequence[CostSum]:
        """Return what requests to models cost from `start` to before `end`: of all builds here, or the token's user's.

        `build`: of the build with this id alone.
        """
        return await self.client.costs(by, start, end, build)

    async def stats(self, by: StatsPeriod, start: datetime | None = None, end: datetime | None = None) -> Stats:
        """Return what builds came to, of the hours from that of `start` to that before `end`: of all here, or the token's
        user's."""
        return await self.client.stats(by, start, end)

    async def lessons(self) -> LessonsView:
        """Return the lessons of this user's builds, or the token's user's, and whether they help."""
        return await self.client.lessons()

    async def forget_lesson(self, lesson_id: str) -> None:
        """Remove a lesson. Raises NotFound."""
        await self.client.forget_lesson(lesson_id)

    async def import_lessons(self, entries: Sequence[LessonEntry]) -> LessonsImported:
        """Keep those of some lessons that the user does not have yet."""
        return await self.client.import_lessons(entries)

    @property
    def interviews(self) -> InterviewClient:
        """The interviews of this user, or the token's: begin one, tell it something, see how far it is."""
        return self.client.interviews

    @property
    def team(self) -> TeamClient:
        """Users, tokens and members of projects, here or on the server."""
        return self.client.team

    @property
    def contracts(self) -> ContractClient:
        """The contracts of this user's projects, or the token's: made, read, changed, and taken into builds."""
        return self.client.contracts

    async def of_contracts(self, project: str, folder: str = "") -> NewBuild:
        """Return the build from a project's contracts, for `start` and `plan`; its phases are marked if they are audited.

        `project` is a name, an id or the beginning of one, `folder` that of the repository for the contracts. Raises
        NotFound, BadSpec, BadSettings.
        """
        from buildwright.core.contracts import bound_by

        options = self._options
        project_id, spec = await spec_of_project(self.contracts, project, folder or options.contracts_folder)
        if options.is_audited:
            options = options.model_copy(update={"commits": options.commits.model_copy(update={"mark_phases": True})})
        return NewBuild(spec, bound_by(options, spec.contracts), self._repository, project_id=project_id)

    async def fork(self, build_id: str, wanted: ForkBuild) -> BuildHandle:
        """Start a build that goes on from a point of another one, and return at once; see `BuildHandle.fork`."""
        fork_id = await self.client.fork(build_id, wanted)
        await self._listener.begin(self.client, fork_id, first=True)
        if not self._by_others:
            self._drive(fork_id)
        return BuildHandle(self, fork_id)

    @property
    def client(self) -> Client:
        """The store or the server. Raises BuildwrightError outside the block."""
        if self._client is None:
            raise BuildwrightError(
                "it is not open", fix="use it in a block: async with Buildwright(...) as buildwright"
            )
        return self._client

    async def ask(self, build_id: str, command: BuildCommand) -> CommandResult:
        """Give a command to a build, and carry it out if it then has something to do. Raises IllegalMove, NotFound."""
        await self._listener.begin(self.client, build_id)
        result = await self.client.ask(build_id, command)
        if command.wakes and not self._by_others:
            self._woken[build_id] = result.build.version
            self._drive(build_id)
        return result

    async def rest(self, build_id: str) -> Build:
        """Carry the build out, or watch its workers, until it has ended or waits for its user with nothing running."""
        client = self.client
        if self._by_others:
            build = await self._run(build_id)
        else:
            self.check(build_id)
            build = await asyncio.shield(self._drive(build_id))
        return (await client.bring_home(build)).build

    def check(self, build_id: str) -> None:
        """Raise the error that ended the build's run in this process, if any; the next `rest` tries again."""
        task = self._driving.get(build_id)
        if task is not None and task.done():
            del self._driving[build_id]
            task.result()

    @property
    def _by_others(self) -> bool:
        return self.client.elsewhere or self.client.in_cluster

    def _drive(self, build_id: str) -> asyncio.Task[Build]:
        """Return this process's task that runs the build: a new one if there is none, or the last is at rest."""
        task = self._driving.get(build_id)
        if task is None or task.done():
            task = self._driving[build_id] = asyncio.create_task(self._carry_out(build_id), name=f"build {build_id}")
        return task

    async def _run(self, build_id: str) -> Build:
        tell, since = self._listener.tell, self._listener.since(build_id)
        return await self.client.run(build_id, tell, detach=self._detach, since=since)

    async def _carry_out(self, build_id: str) -> Build:
        client = self.client
        while True:
            with suppress(BuildIsRunning):  # by another process, until that lets go
                await self._run(build_id)
            build = await client.builds.load(build_id)
            rests = build.is_terminal or build.waits_for_user
            if self._detach.is_set() or (rests and build.version >= self._woken.get(build_id, 0)):
                return build  # a build read before the last command does not rest
            await client.clock.sleep(_LOOK_SECONDS)


class BuildHandle:
    """One build, usable while its `Buildwright` is open. All calls work whichever process runs the build."""

    def __init__(self, buildwright: Buildwright, build_id: str) -> None:
        self.id = build_id
        self._buildwright = buildwright

    async def events(self, after: int = 0) -> AsyncIterator[Recorded]:
        """Yield every event with a number above `after`, as it comes, until the build has ended; waits in pauses.

        Raises the error that ended the build's run in this process, StoreFailed, Unreachable.
        """
        journal = self._buildwright.client.builds
        build = await journal.load(self.id)
        while after < build.version:
            for recorded in await journal.read(self.id, after=after, limit=min(_PAGE, build.version - after)):
                yield recorded
                after = recorded.seq
        async for news in lookout(journal, build):
            for step in news.steps:
                if step.recorded.seq > after:
                    yield step.recorded
            if news.build.is_terminal:
                return
            self._buildwright.check(self.id)

    async def state(self) -> Build:
        """Return the whole build as of its newest event."""
        return await self._buildwright.client.builds.load(self.id)

    async def status(self) -> BuildResult:
        """Return how far the build is, and what it needs."""
        return await _result(self._buildwright.client, await self.state())

    async def fork(
        self, at: int = 0, *, model: str = "", plan: Graph | None = None, prompt_note: str = ""
    ) -> BuildHandle:
        """Start a new build from a point of this one, which stays as it is: after event `at`, or now (0).

        What had landed is not done again. `model` writes from there on, `plan` takes the place of the plan, and every
        attempt is told `prompt_note`. Raises Refused, BadGraph, NotFound (its commits are gone), and what `start` does.
        """
        return await self._buildwright.fork(self.id, ForkBuild(at, model, plan, prompt_note))

    async def compare(self, other: BuildHandle | str) -> CompareView:
        """Return this build and another one, or that of an id, side by side. Raises NotFound."""
        from buildwright.views.compare import compare

        client = self._buildwright.client
        there = other.id if isinstance(other, BuildHandle) else await client.find(other)
        first, second = await self.state(), await client.builds.load(there)
        histories = [await client.builds.read(one.id) for one in (first, second)]
        return compare(first, histories[0], second, histories[1], client.clock.now())

    async def why(self, task: str) -> WhyView:
        """Return why a task waits, runs, failed or was skipped, with its attempts and verdicts. Raises NotFound."""
        from buildwright.views.explain import why

        client = self._buildwright.client
        return why(await self.state(), task, await client.builds.read(self.id), client.clock.now())

    async def diff(self, task: str = "", attempt: int = 0) -> Change:
        """Return what the build, or one of its tasks or their attempts, changed, as a unified diff.

        Raises NotFound, GitFailed.
        """
        return await self._buildwright.client.change(await self.state(), task, attempt)

    async def kept(self) -> tuple[KeptWorkView, ...]:
        """Return what is kept of attempts whose change did not land. Raises GitFailed."""
        from buildwright.views.explain import KeptWorkView

        return tuple(map(KeptWorkView.of, await self._buildwright.client.kept(await self.state())))

    async def gates(self, task: str = "") -> GatesView:
        """Return which gates judged which tree of the build, or of one task, and what they found. Raises NotFound."""
        return await self._buildwright.client.gates(await self.state(), task)

    async def logs(self, task: str = "", *, after: int = 0, follow: bool = False) -> AsyncIterator[LogLine]:
        """Yield what agents, gates and git said, of all tasks or one, with a number above `after`.

        Ends at the newest line; with `follow` when the build has ended. Raises StoreFailed, Unreachable.
        """
        journal = self._buildwright.client.builds
        while lines := await journal.read_log(self.id, after=after, task=task, limit=_PAGE):
            for line in lines:
                yield line
            after = lines[-1].seq
        if not follow:
            return
        async for news in lookout(journal, await self.state(), log_after=after, task=task):
            for line in news.lines:
                yield line
            if news.build.is_terminal and not news.more:
                return
            self._buildwright.check(self.id)

    async def wait(self) -> BuildResult:
        """Wait until it has ended, or is paused or waits for a step with nothing running; carry it out if necessary.

        A pause is a result, whose `paused` says why: answer it with `resume`, and wait again. Cancelling ends only the
        waiting. Raises LostLease, BadSettings, StoreFailed; Unreachable when no worker or server is there.
        """
        return await _result(self._buildwright.client, await self._buildwright.rest(self.id))

    async def ask(self, command: BuildCommand) -> CommandResult:
        """Give any command of `engine.commands` to the build. Raises IllegalMove when its state forbids it."""
        return await self._buildwright.ask(self.id, command)

    async def say(self, text: str, task: str = "") -> str:
        """Send a message to all agents or one task's; return the id that `message.delivered` names. Raises NotFound."""
        return (await self.ask(SendMessage(text, task))).id

    async def pause(self, message: str = "") -> None:
        """Let nothing new start; what runs may finish."""
        await self.ask(PauseBuild(message))

    async def resume(
        self,
        choice: Choice = "go",
        message: str = "",
        budget_usd: Decimal | None = None,
        options: OptionsChange | None = None,
        from_attempt: int = 0,
        *,
        base: str = "",
        rebase: bool = False,
        accept_plan: bool = False,
    ) -> None:
        """Answer a pause: `go` on, `retry` the failed tasks (`message` is for their agents), `skip` them or `abort`.

        `budget_usd` is what the build may cost from now on, in all; `options` are new values of options. A retry goes
        on from what `from_attempt` made. `base` names another commit to stand on, `rebase` the newest of its base;
        `accept_plan` takes the plan that the diagnosis proposes. The build goes on at once, also one that has ended with
        something left. Raises IllegalMove, NotFound, BadRepository, Refused.
        """
        if choice not in get_args(Choice):
            raise Refused(f"there is no choice {choice!r}", fix=f"choose {', '.join(get_args(Choice))}")
        await self.ask(ResumeBuild(choice, message, budget_usd, options, from_attempt, base, rebase, accept_plan))

    async def change(self, tasks: Sequence[Task] = (), drop: Sequence[str] = ()) -> None:
        """Add and edit tasks, and drop others, also of a build that has ended. Raises IllegalMove, BadGraph."""
        await self.ask(ChangeTasks(tuple(tasks), tuple(drop)))

    async def redo(self, task: str, message: str = "", *, from_attempt: int = 0, with_dependents: bool = False) -> None:
        """Have a task attempted anew; what it has landed is taken back first. Raises IllegalMove, NotFound."""
        await self.ask(RedoTask(task, message, from_attempt, with_dependents))

    async def undo(self, task: str, *, with_dependents: bool = False) -> None:
        """Take back what a task has landed, and skip it. Raises IllegalMove, NotFound."""
        await self.ask(UndoTask(task, with_dependents))

    async def step(self, mode: StepMode = "auto", message: str = "") -> None:
        """Let a build with `Options(by_hand=True)` do one thing; `wait` returns when it is done. Raises IllegalMove."""
        await self.ask(TakeStep(mode, message))

    async def stuck(self, number: int = 0) -> StuckView:
        """Return one time that the build was stuck (0: the newest): failures, diagnosis, context. Raises NotFound."""
        return await self._buildwright.client.stuck(self.id, number)

    async def stop(self, message: str = "") -> None:
        """End the build for good: its agents are ended, and landed changes stay."""
        await self.ask(StopBuild(message))


class Orchestrator:
    """Builds specs and task lists from a program of your own. An async context manager; one per event loop.

    `repository` is the path or URL of a git repository, needed unless `options.lanes` is False. `home` is where state is
    kept; the default is that of the command line, so that `buildwright status` shows these builds too. `agent` and
    `agent_command` are short for the fields of `options` with that name. `on_event` is called with every recorded event
    (of a build that is started here from `build.created` on, else from the call on) and the state of the build after
    it, in the event loop: it must not block.
    """

    def __init__(
        self,
        repository: str | Path = "",
        *,
        agent: str | None = None,
        agent_command: str | None = None,
        home: str | Path | None = None,
        options: Options | None = None,
        on_event: Callable[[Recorded, Build], None] | None = None,
    ) -> None:
        self._repository = _absolute(repository)
        chosen = {"agent": agent, "agent_command": agent_command}
        self._options = (options or Options()).model_copy(
            update={name: value for name, value in chosen.items() if value is not None}
        )
        self._home = home
        self._listener = _Listener(on_event)
        self._stack = AsyncExitStack()
        self._app: App | None = None

    async def __aenter__(self) -> Self:
        self._app = await self._stack.enter_async_context(open_app(_settings(self._home)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._app = None
        await self._stack.aclose()

    async def run(self, spec: str | Path | Spec) -> BuildResult:
        """Build a spec: a `Spec`, or the path of a Markdown spec or task list. Returns when it is finished or paused.

        Cancelling leaves a build that `resume` (here) or `buildwright run` goes on with. Raises BadSpec, BadSettings,
        BadRepository, ModelFailed, StoreFailed; a build that fails is a summary, not an error.
        """
        read = _spec(spec)
        build_id = await self._opened.start(NewBuild(read, self._options, self._repository))
        await self._listener.begin(self._opened, build_id, first=True)
        return await self.resume(build_id)

    async def resume(self, build_id: str) -> BuildResult:
        """Carry on a build of this home by its id, or a unique beginning of it. Raises NotFound, BuildIsRunning."""
        app = self._opened
        build, _ = await app.bring_home(await self._run(await app.find(build_id)))
        return await _result(app, build)

    async def _run(self, build_id: str) -> Build:
        listener = self._listener
        await listener.begin(self._opened, build_id)
        return await self._opened.run(build_id, listener.tell, since=listener.since(build_id))

    async def step(self, build_id: str, mode: StepMode = "auto", message: str = "") -> BuildResult:
        """Let a build with `Options(by_hand=True)` do one thing; return when it is done. The next agent gets `message`.

        Raises NotFound; IllegalMove when the build has ended, is paused, goes on by itself, or has no such step.
        """
        app = self._opened
        found = await app.find(build_id)
        await self._listener.begin(app, found)
        _, step_id = await app.ask(found, TakeStep(mode, message))
        made: Build | None = None
        while made is None or (made.step is not None and made.step.id == step_id):
            try:
                made = await self._run(found)
            except BuildIsRunning:  # then the process that runs it makes the step, unless it was about to end
                made = await app.stepped(found, step_id, 1.0)
        build, _ = await app.bring_home(made)
        return await _result(app, build)

    async def execute_batch(self, tasks: Sequence[Task | Mapping[str, object]], *, title: str = "Batch") -> BatchResult:
        """Run a list of tasks as one build. Dependencies between them are kept; the others run side by side.

        Raises BadGraph (BadSpec) naming the task when the list is not a graph that can be built.
        """
        graph = Graph(tasks=tuple(_task(number, task) for number, task in enumerate(tasks, start=1)))
        compile_plan(graph)
        summary = await self.run(Spec(title=title, form="tasks", graph=graph))
        by_id = {result.id: result for result in summary.tasks}
        return BatchResult(build=summary, results=tuple(by_id[task.id] for task in graph.tasks))

    async def get_summary(
        self, build_id: str | None = None, start: datetime | None = None, end: datetime | None = None
    ) -> Summary:
        """Return figures of one build, or of all builds of this home created in [`start`, `end`), times with a zone.

        Raises NotFound for an unknown build, Refused for a time without a zone.
        """
        app = self._opened
        for moment in (start, end):
            if moment is not None and moment.tzinfo is None:
                raise Refused(f"{moment} has no time zone", fix="give a time with a zone, such as datetime.now(UTC)")
        if build_id is not None:
            ids = [await app.find(build_id)]
        else:
            async with app.runs() as runs:
                ids = [row.build_id for row in await runs.list_between(start or _FIRST_TIME, end or _LAST_TIME)]
        total, now = Summary(), app.clock.now()
        for found in ids:
            total = total.plus(await app.builds.load(found), now)
        return total

    async def list_builds(self, project_id: str) -> list[ListedBuild]:
        """Return a project's builds, newest first. A project has the repository's name, unless it was given another."""
        async with self._opened.runs() as runs:
            rows = await runs.list_by_project(project_id)
        return await _listed(self._opened, rows)

    async def latest_build(self, project_id: str) -> ListedBuild | None:
        """Return the newest build of a project, None when it has none."""
        async with self._opened.runs() as runs:
            row = await runs.latest_by_project(project_id)
        return (await _listed(self._opened, [row]))[0] if row is not None else None

    @property
    def _opened(self) -> App:
        if self._app is None:
            raise BuildwrightError(
                "the orchestrator is not open", fix="use it in a block: async with Orchestrator(...) as orchestrator"
            )
        return self._app


async def _result(client: Client, build: Build) -> BuildResult:
    runner = "" if build.is_terminal else await _runner(client, build.id)
    return result_of(build, client.clock.now(), runner)


async def _listed(client: Client, rows: Sequence[BuildRow]) -> list[ListedBuild]:
    """Return the rows with who carries each of them out: one question for each build that has not ended."""
    return [
        ListedBuild(**asdict(row), runner="" if row.outcome else await _runner(client, row.build_id)) for row in rows
    ]


async def _runner(client: Client, build_id: str) -> str:
    crew = await client.crew(build_id)
    return crew.runner or ("workers" if crew.is_there else "")


def _task(number: int, task: Task | Mapping[str, object]) -> Task:
    """Return a task from a record or a mapping. Raises BadSpec naming the place in the list and the key."""
    if isinstance(task, Task):
        return task
    from pydantic import ValidationError

    try:
        return Task.model_validate_json(json.dumps(dict(task)))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadSpec(
            f"task {number} of the batch: {first['msg'].lower()}", key=key, fix=f"fix {key or 'the task'}"
        ) from error
    except TypeError as error:
        raise BadSpec(f"task {number} of the batch: {error}", fix="use strings, numbers and lists only") from error


def _settings(home: str | Path | None, url: str = "", token: str = "") -> Settings:
    """Return this process's settings, with a home or server in place of the environment's. Raises BadSettings."""
    named = {} if home is None else {"BUILDWRIGHT_HOME": str(Path(home).expanduser().absolute()), "BUILDWRIGHT_URL": ""}
    if url:
        named |= {"BUILDWRIGHT_URL": url, "BUILDWRIGHT_TOKEN": token}
    return Settings.load({**os.environ, **named})


def _spec(spec: str | Path | Spec) -> Spec:
    """Return a spec, or the one in a file. Raises BadSpec."""
    from buildwright.advisors.spec_file import read_spec

    return spec if isinstance(spec, Spec) else read_spec(Path(spec))


def _absolute(repository: str | Path) -> str:
    text = str(repository)
    if not text or "://" in text or ("@" in text and ":" in text):
        return text
    return str(Path(text).expanduser().absolute())
