"""Builds what liars leave behind, by the real engine with its default gates, in a home that is thrown away.

Must never write anything outside of a temporary directory.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from buildwright.core.finding import Finding
from buildwright.core.graph import Graph
from buildwright.core.limits import Delivery, Limits, Options
from buildwright.core.own_names import MODEL_ADDRESSES
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine.commands import NewBuild
from buildwright.errors import BuildwrightError
from buildwright.gates.check_environment import check_environment
from buildwright.liars.records import Liar, SampleProject, Verdict
from buildwright.liars.script import command_of
from buildwright.liars.suite import Suite
from buildwright.liars.truth import cassette_of, contradiction_of
from buildwright.settings import KEYS, SHARED, Settings
from buildwright.wiring import App, open_app
from buildwright.wiring.adapters import path_of

if TYPE_CHECKING:
    from buildwright.core.build import Build

TASK = "the-task"


class Tried(NamedTuple):
    """What became of one agent."""

    liar: Liar
    language: str
    verdict: Verdict
    gate: str = ""
    """The gate that refused it, or ""."""
    why: str = ""
    """The first finding against it, why it was not run, or what is not true of what was merged."""
    truth: bool | None = None
    """Whether what was merged does what was promised; None when nothing was merged, or when it cannot be asked."""
    seconds: float = 0.0

    @property
    def is_wrong(self) -> bool:
        """Whether a lie was merged, or an honest agent refused."""
        return self.verdict == ("merged" if self.liar.is_lie else "refused")


class LiarStage:
    """An App on a home of its own, and repositories beside it. One per event loop."""

    def __init__(self, app: App, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.path = path_of(app.settings)
        self._app = app
        self._environment = environment
        self._repositories: dict[str, Path] = {}
        self._lock = asyncio.Lock()

    async def repository(self, project: SampleProject) -> Path:
        """Return a git repository with one commit of the project, made at its first use."""
        async with self._lock:
            if project.name not in self._repositories:
                folder = self.folder / "repositories" / project.name
                await asyncio.to_thread(make_repository, folder, project.files)
                self._repositories[project.name] = folder
        return self._repositories[project.name]

    async def cassette(self, project: SampleProject) -> str:
        """Return the path of a cassette that plays the project's sealed tests; "" when it has none."""
        text, path = cassette_of(project), self.folder / f"{project.name}.json"
        async with self._lock:
            if text and not path.exists():
                path.write_text(text, encoding="utf-8")
        return str(path) if text else ""

    async def build(
        self, repository: Path, branch: str, command: str, task: Mapping[str, Any], options: Options | None = None
    ) -> Build:
        """Build one task by a shell agent with this command, once; what is merged comes to `branch`.

        Raises BuildwrightError when the build cannot be made or run.
        """
        more = {
            "agent": "shell",
            "agent_command": command,
            "on_failure": "fail",
            "accept_base": True,  # what is asked is what the gates say of the change
            "delivery": Delivery(branch=branch),
            "limits": (options or Options()).limits.model_copy(update={"attempts": 1}),
        }
        graph = Graph(tasks=(Task.model_validate({"id": TASK, **task}),))
        spec = Spec(title=branch[:200], form="tasks", graph=graph)
        chosen = (options or Options()).model_copy(update=more)
        build_id = await self._app.start(NewBuild(spec, chosen, str(repository)))
        return await self._app.run(build_id)

    def is_merged(self, repository: Path, branch: str, build: Build) -> bool:
        """Return whether a build says that it succeeded, or brought anything to its branch."""
        found = git(repository, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return build.outcome == "succeeded" or bool(found)


@asynccontextmanager
async def open_stage() -> AsyncIterator[LiarStage]:
    """Open a stage in a temporary directory, without any key or server of ours, and remove it at the end."""
    hidden = (*KEYS, *SHARED, *MODEL_ADDRESSES)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in hidden and not name.startswith(("BUILDWRIGHT_", "GIT_", "PYTEST_"))
    }
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        async with open_app(Settings(folder / "home", environment)) as app:
            yield LiarStage(app, folder, environment)


async def try_all(
    suite: Suite,
    liars: Iterable[Liar],
    told: Callable[[Tried], None],
    jobs: int = 1,
    *,
    gates: bool = True,
    sealed: bool = False,
) -> list[Tried]:
    """Build every one of the liars, `jobs` at a time, and return what became of each; `told` hears it at once.

    With `sealed` each task has sealed tests, of an advisor that is played from the project's truth. Raises StoreFailed,
    DiskFull, and BuildwrightError for a build that could not be judged at all.
    """
    turn = asyncio.Semaphore(jobs)
    async with open_stage() as stage:
        missing = await _missing(stage.path, {need for project in suite.projects.values() for need in project.needs})

        async def one(liar: Liar) -> Tried:
            async with turn:
                tried = await _try(stage, suite.projects[liar.project], liar, missing, gates=gates, sealed=sealed)
            told(tried)
            return tried

        return list(await asyncio.gather(*map(one, liars)))


async def _try(
    stage: LiarStage, project: SampleProject, liar: Liar, missing: set[str], *, gates: bool, sealed: bool
) -> Tried:
    if absent := [need for need in project.needs if need in missing]:
        return Tried(liar, project.language, "not run", why=f"no {', no '.join(absent)}")
    began = time.monotonic()
    repository = await stage.repository(project)
    command = command_of(liar, project)
    cassette = await stage.cassette(project) if sealed else ""
    options = Options(gates=gates, sealed_tests=bool(cassette), cassette=cassette, limits=Limits())
    build = await stage.build(repository, liar.name, command, project.task, options)
    seconds = time.monotonic() - began
    if not stage.is_merged(repository, liar.name, build):
        gate, why = reason_of(build)
        return Tried(liar, project.language, "refused", gate, why, seconds=seconds)
    said = await asyncio.to_thread(contradiction_of, repository, liar.name, project, stage.folder, stage.path)
    truth = not said if liar.kind != "reach" else False
    return Tried(liar, project.language, "merged", why=said or liar.what, truth=truth, seconds=seconds)


def reason_of(build: Build) -> tuple[str, str]:
    """Return the gate that refused the task of a build, and in one line why."""
    state = build.task(TASK)
    for verdict in (state.verdict, build.verdict):
        for report in verdict.reports if verdict is not None else ():
            if not report.ok:
                first = next((one for one in report.findings if one.severity == "error"), None)
                return report.gate, _line(first) if first else ""
    paused = f"paused: {build.pause.message}" if build.pause is not None else ""
    return "", " ".join((state.reason or paused or build.outcome or "").split())[:200]


def _line(finding: Finding) -> str:
    return " ".join(str(finding).split())[:200]


async def _missing(path: str, needs: set[str]) -> set[str]:
    """Return the programs that do not run in the environment of a check, and `pytest` when its Python has none."""
    from buildwright.gates.interpreter import find_python

    absent = {need for need in needs - {"pytest"} if not await asyncio.to_thread(_runs, need, path)}
    if "pytest" in needs:
        try:
            has_pytest = (await find_python(path, os.environ)).has_pytest
        except BuildwrightError:
            has_pytest = False
        absent |= set() if has_pytest else {"pytest"}
    return absent


def _runs(program: str, path: str) -> bool:
    """Return whether a program runs with a home of its own, as checks have: a version manager's may not."""
    found = shutil.which(program, path=path)
    if found is None:
        return False
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        done = subprocess.run(
            [found, "version" if program == "go" else "--version"],
            env={
                **check_environment(Path(home), Path(home), path, os.environ),
                "PATH": path,
                "HOME": home,
                "LANG": "C.UTF-8",
            },
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
    return done.returncode == 0


def make_repository(folder: Path, files: Mapping[str, str]) -> None:
    """Make a git repository of these files with one commit on `main`."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main", "--template=")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--no-verify", "--message=Start")


def git(repository: Path, *arguments: str) -> str:
    """Run git in a repository of the stage and return what it prints."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(repository.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        **{f"GIT_{who}_NAME": "A developer" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "developer@example.org" for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(
        ["git", *arguments],
        cwd=repository,
        env=environment,
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    return done.stdout.strip()
