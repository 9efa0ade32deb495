"""A build in a test: a real repository, the real workspace and engine, a scripted agent, gates given as functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import pytest

from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.core.finding import Finding, Report
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine import commands
from buildwright.engine.adapters import Adapters
from buildwright.engine.held_build import run
from buildwright.ports import Briefing, BriefingRequest, Builds, Clock, Gate, Judged, Judgement, Workspace
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.wiring import SystemClock
from buildwright.workspace import GitWorkspace
from tests import services
from tests.adapters.scripted_agent import ScriptedAgent, Step
from tests.engine.workers import make_hub, run_by_workers
from tests.git import git

ONE_PROCESS = pytest.mark.parametrize("builds", ["memory", "sqlite"], indirect=True)
"""For what only a process that drives a build alone does."""

Script: TypeAlias = Mapping[tuple[str, int], Sequence[Step]]


def make_repository(path: Path, files: Mapping[str, str] | None = None) -> Path:
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    for name, content in (files or {"README.md": "hello\n"}).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "start")
    return path


class FunctionGate:
    """A gate whose verdict is a function of the files: a list of messages, empty when it passes."""

    name = "function"
    needs_files = True

    def __init__(self, judge: Callable[[Path, Judged], Sequence[str]], code: str = "test") -> None:
        self._code = code
        self._judge = judge
        self.trees: list[str] = []

    async def judge(self, judged: Judged) -> list[Judgement]:
        assert judged.files is not None
        self.trees.append(judged.tree)
        findings = tuple(Finding(code=self._code, message=text) for text in self._judge(judged.files, judged))
        return [Judgement(Report(gate=self.name, kind="test", ok=not findings, findings=findings), b"said so\n")]


def tasks(*lines: str, files: Mapping[str, tuple[str, ...]] | None = None, critical: Sequence[str] = ()) -> Graph:
    """`tasks("a", "b: a", "c: a b")`: c depends on a and b."""
    made = []
    for line in lines:
        name, _, needs = line.partition(":")
        made.append(
            Task(
                id=name.strip(),
                title=f"do {name.strip()}",
                depends_on=tuple(needs.split()),
                files_expected=(files or {}).get(name.strip(), ()),
                critical=name.strip() in critical,
            )
        )
    return Graph(tasks=tuple(made))


@dataclass
class Site:
    """Where a test builds. `journal` collects what the engine showed."""

    builds: Builds
    workspace: Workspace
    repository: Path
    home: Path
    agent: ScriptedAgent
    gates: Sequence[Gate] = ()
    clock: Clock = field(default_factory=SystemClock)
    journal: list[Recorded] = field(default_factory=list)
    build_id: str = ""
    detach: asyncio.Event = field(default_factory=asyncio.Event)
    stay: bool = False

    async def start(self, graph: Graph, **options: object) -> str:
        limits = options.pop("limits", Limits())
        chosen = Options(agent="scripted", sandbox="none", limits=limits, **options)
        self.build_id = await commands.create(
            self.builds,
            self.clock,
            commands.NewBuild(Spec(title="test", graph=graph), chosen, str(self.repository), "", "p", "u"),
        )
        return self.build_id

    def world(self) -> Adapters:
        async def brief(request: BriefingRequest) -> Briefing:
            feedback = (
                f"{request.state.reason}: {[f.message for f in request.state.findings]} {list(request.state.guidance)}"
            )
            return Briefing(f"do {request.task.id}", feedback if request.state.rejection else "")

        def seen(recorded: Recorded, _build: Build) -> None:
            self.journal.append(recorded)

        return Adapters(
            builds=self.builds,
            clock=self.clock,
            agent=self.agent,
            holder="test:1:1",
            scratch=self.home / "scratch",
            brief=brief,
            workspace=self.workspace,
            gates=self.gates,
            on_event=seen,
            detach=self.detach,
            stay=self.stay,
            poll_seconds=0.02,
        )

    async def run(self, **changes: object) -> Build:
        world = replace(self.world(), **changes)  # type: ignore[arg-type]
        if isinstance(self.builds, PostgresBuilds):
            return await run_by_workers(world, self.build_id, services.redis_of_this_worker(), self.home)
        return await run(world, self.build_id)

    async def build(self, graph: Graph, **options: object) -> Build:
        await self.start(graph, **options)
        return await self.run()

    def kinds(self) -> list[str]:
        return [recorded.event.type for recorded in self.journal]

    def delivered(self) -> str:
        return f"buildwright/{self.build_id[:8]}"

    def files(self) -> dict[str, str]:
        """The files of the delivered branch."""
        names = git(self.repository, "ls-tree", "-r", "--name-only", self.delivered()).splitlines()
        return {name: git(self.repository, "show", f"{self.delivered()}:{name}") for name in names}

    def subjects(self) -> list[str]:
        """Subjects of the commits the build added, oldest first."""
        return git(self.repository, "log", "--reverse", "--format=%s", f"main..{self.delivered()}").splitlines()


def make_site(
    tmp_path: Path,
    builds: Builds,
    script: Script | None = None,
    gates: Sequence[Gate] = (),
    files: Mapping[str, str] | None = None,
) -> Site:
    repository = make_repository(tmp_path / "repository", files)
    home = tmp_path / "home"
    home.mkdir()
    hub = str(make_hub(home)) if isinstance(builds, PostgresBuilds) else ""
    return Site(builds, GitWorkspace(home, {}, hub=hub), repository, home, ScriptedAgent(script), gates)
