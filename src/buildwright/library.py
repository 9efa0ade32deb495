"""Buildwright as a library: `Orchestrator`. The same application as the command line, without words for people.

Must never print, read the command line, or install signal handlers: the program that uses it does that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from buildwright.core.build import Build
from buildwright.core.event import Recorded, StepMode
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadSpec, BuildIsRunning, BuildwrightError, Refused
from buildwright.ports import BuildRow
from buildwright.settings import Settings
from buildwright.views.summary import BatchResult, BuildResult, Summary, result_of
from buildwright.wiring import App, open_app

_FIRST_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_TIME = datetime(9999, 1, 1, tzinfo=UTC)


class Orchestrator:
    """Builds specs and task lists from a program of your own. An async context manager; one per event loop.

    `repository` is the path or URL of a git repository, needed unless `options.lanes` is False. `home` is where state is
    kept; the default is that of the command line, so that `buildwright status` shows these builds too. `agent` and
    `agent_command` are short for the fields of `options` with that name. `on_event` is called with every recorded event
    and the state of the build after it, in the event loop: it must not block.
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
        self._home = Path(home).expanduser().absolute() if home is not None else None
        self._on_event = on_event
        self._stack = AsyncExitStack()
        self._app: App | None = None

    async def __aenter__(self) -> Orchestrator:
        named = {"BUILDWRIGHT_HOME": str(self._home)} if self._home is not None else {}
        settings = Settings.load({**os.environ, **named})
        self._app = await self._stack.enter_async_context(open_app(settings))
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
        from buildwright.advisors.spec_file import read_spec

        read = spec if isinstance(spec, Spec) else read_spec(Path(spec))
        build_id = await self._opened.start(read, self._options, repository=self._repository)
        return await self.resume(build_id)

    async def resume(self, build_id: str) -> BuildResult:
        """Go on with a build of this home by its id, or a unique beginning of it. Raises NotFound, BuildIsRunning."""
        app = self._opened
        build = await app.run(await app.find(build_id), on_event=self._on_event)
        build, _ = await app.bring_home(build)
        return result_of(build, app.clock.now())

    async def step(self, build_id: str, mode: StepMode = "auto", message: str = "") -> BuildResult:
        """Let a build with `Options(by_hand=True)` do one thing, and return when it is done. `message` reaches the next agent.

        Raises NotFound, and IllegalMove when the build has ended, is paused, goes on by itself, or can do nothing of this mode.
        """
        app = self._opened
        found = await app.find(build_id)
        step_id = await app.step(found, mode, message)
        made: Build | None = None
        while made is None or (made.step is not None and made.step.id == step_id):
            try:
                made = await app.run(found, on_event=self._on_event)
            except BuildIsRunning:  # then whoever runs it makes the step, unless it was about to end
                made = await app.stepped(found, step_id, 1.0)
        build, _ = await app.bring_home(made)
        return result_of(build, app.clock.now())

    async def execute_batch(self, tasks: Sequence[Task | Mapping[str, object]], *, title: str = "Batch") -> BatchResult:
        """Run a list of tasks as one build. Dependencies between them are kept; the rest runs side by side.

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
        """Figures of one build, or of all builds of this home created from `start` on and before `end` (with zone).

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

    async def list_builds(self, project_id: str) -> list[BuildRow]:
        """The builds of a project, newest first. A project is the repository's name, unless it was given another."""
        async with self._opened.runs() as runs:
            return await runs.list_by_project(project_id)

    async def latest_build(self, project_id: str) -> BuildRow | None:
        """The newest build of a project, None when it has none."""
        async with self._opened.runs() as runs:
            return await runs.latest_by_project(project_id)

    @property
    def _opened(self) -> App:
        if self._app is None:
            raise BuildwrightError(
                "the orchestrator is not open", fix="use it in a block: async with Orchestrator(...) as orchestrator"
            )
        return self._app


def _task(number: int, task: Task | Mapping[str, object]) -> Task:
    """A task from a record or a mapping. Raises BadSpec naming the place in the list and the key."""
    if isinstance(task, Task):
        return task
    from pydantic import ValidationError

    try:
        return Task.model_validate_json(json.dumps(dict(task)))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadSpec(
            f"task {number} of the batch: {first['msg'].lower()}", key=key, fix=f"mend {key or 'the task'}"
        ) from error
    except TypeError as error:
        raise BadSpec(f"task {number} of the batch: {error}", fix="use strings, numbers and lists only") from error


def _absolute(repository: str | Path) -> str:
    text = str(repository)
    if not text or "://" in text or ("@" in text and ":" in text):
        return text
    return str(Path(text).expanduser().absolute())
