"""Buildwright on the workloads, through its public way in, with its plain agents.

In w3-lanes every task changes a file of its own in a small repository, goes through a gate that always says yes, and is
merged; w3-lanes-memory is the same with all state in memory (`/dev/shm`), which leaves the disk's own speed out.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from bench.meter import Meter, Trace, arguments
from bench.workload import CRASH_CHAIN, SLOTS, WARM_UP, Graph, chain, graph_of
from buildwright.core.build import Build
from buildwright.core.event import AgentFinished, Recorded, TaskStarted
from buildwright.core.graph import Graph as TaskGraph
from buildwright.core.limits import Check, Delivery, Limits, Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine.commands import NewBuild
from buildwright.errors import NotFound
from buildwright.settings import Settings
from buildwright.wiring import App, open_app

LEAST_MINUTES = 1e-6
"""A task's expected effort must be larger than nothing; it only orders the tasks."""


def spec_of(graph: Graph, files: bool = False) -> Spec:
    """The graph as a complete task list; with `files` each task names a file of its own to change."""
    tasks = tuple(
        Task(
            id=f"t{i}",
            title=f"Task {i}",
            goal=f"sleep {job.seconds}",
            depends_on=tuple(f"t{needed}" for needed in job.needs),
            files_expected=(f"tasks/t{i}.txt",) if files else (),
            minutes=max(job.seconds / 60, LEAST_MINUTES),
        )
        for i, job in enumerate(graph)
    )
    return Spec(title="Measured", form="tasks", graph=TaskGraph(tasks=tasks))


def options_of(workload: str, tasks: int) -> Options:
    agent = {"w3": "sleep", "w4": "sleep", "w3-lanes": "touch", "w3-lanes-memory": "touch"}.get(workload, "noop")
    slots = SLOTS if workload in {"w3", "w3-lanes", "w3-lanes-memory", "size"} else min(tasks, 1024)
    if workload.startswith("w3-lanes"):
        return Options(
            agent=agent,
            checks=(Check(name="noop", command="true", kind="other"),),
            sandbox="none",  # a no-op gate: the sandbox's own start is measured elsewhere
            delivery=Delivery(kind="none"),
            limits=Limits(concurrency=slots),
        )
    return Options(
        agent=agent, lanes=False, gates=False, delivery=Delivery(kind="none"), limits=Limits(concurrency=slots)
    )


def small_repository(folder: Path) -> Path:
    """A repository of twenty files and one commit."""
    folder.mkdir(parents=True)
    for i in range(20):
        (folder / f"file{i}.txt").write_text(f"line of file {i}\n" * 20)
    author = {
        "GIT_AUTHOR_NAME": "b",
        "GIT_AUTHOR_EMAIL": "b@localhost",
        "GIT_COMMITTER_NAME": "b",
        "GIT_COMMITTER_EMAIL": "b@localhost",
    }
    for argv in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "Start")):
        subprocess.run(["git", "-C", str(folder), *argv], env={**os.environ, **author}, check=True)
    return folder


async def build(app: App, spec: Spec, options: Options, meter: Meter, repository: str = "") -> Build:
    def seen(recorded: Recorded, _: Build) -> None:
        if isinstance(recorded.event, TaskStarted):
            meter.began()

    build_id = await app.start(NewBuild(spec, options, repository=repository))
    finished = await app.run(build_id, on_event=seen)
    if finished.done != finished.total:
        raise SystemExit(
            f"the build did not finish: {finished.control}, {finished.done} of {finished.total}: {finished.message}"
        )
    return finished


async def recover(app: App, spec: Spec, options: Options, trace: Trace) -> int:
    """Go on with the newest build, or start one. The end of a task is traced when its event is in the journal."""
    born = time.time()

    def seen(recorded: Recorded, _: Build) -> None:
        if recorded.at.timestamp() < born:
            return
        match recorded.event:
            case TaskStarted(task=task):
                trace.started(int(task[1:]))
            case AgentFinished(task=task):
                trace.ended(int(task[1:]))
            case _:
                pass

    try:
        build_id = await app.find("")
    except NotFound:
        build_id = await app.start(NewBuild(spec, options))
    finished = await app.run(build_id, on_event=seen)
    return finished.done


async def main() -> None:
    given = arguments()
    graph = graph_of(given.workload, given.n)
    lanes = given.workload.startswith("w3-lanes")
    place = given.state
    if given.workload == "w3-lanes-memory":
        place = Path(tempfile.mkdtemp(prefix="buildwright-bench-", dir="/dev/shm"))
    spec, options = spec_of(graph, files=lanes), options_of(given.workload, len(graph))
    meter = Meter("buildwright", version("buildwright"), given.workload, given.n or len(graph))
    settings = Settings.load(
        environment={"BUILDWRIGHT_HOME": str(place.resolve() / "home"), "PATH": os.environ["PATH"]},
        directory=given.state,
    )
    async with open_app(settings) as app:
        if given.workload == "w4":
            done = await recover(app, spec, options, Trace(given.state / "trace"))
            if done != CRASH_CHAIN:
                raise SystemExit(f"{done} of {CRASH_CHAIN} tasks are done")
        else:
            repository = str(small_repository(place.resolve() / "repository")) if lanes else ""
            warm_up = chain(WARM_UP)
            await build(app, spec_of(warm_up, files=lanes), options, meter, repository)
            meter.start()
            await build(app, spec, options, meter, repository)
            meter.stop()
        meter.report(len(graph))
    if place != given.state:
        shutil.rmtree(place)


if __name__ == "__main__":
    asyncio.run(main())
