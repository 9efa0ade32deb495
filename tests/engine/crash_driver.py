"""Runs one small build again and again, killing itself at every failpoint in turn. Prints one JSON line per point.

Every life of a build is a forked child: the parent has imported everything and never runs an event loop itself, so a life
costs no start-up. `python -m tests.engine.crash_driver SCENE FOLDER FIRST STEP` takes points FIRST, FIRST+STEP, ... of a scene.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from buildwright.core.activity import Activity
from buildwright.core.build import Build
from buildwright.core.graph import Graph
from buildwright.core.limits import Delivery, Limits, Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.loop import run
from buildwright.engine.world import World
from buildwright.ports import Assignment, Briefing, BriefingRequest, Judged, Message
from buildwright.store.holders import this_process
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.testing.crash import arm_from
from buildwright.testing.scripted_agent import ScriptedAgent, Sleep, Step, Write
from buildwright.wiring import SystemClock
from buildwright.workspace import GitWorkspace
from tests.engine.harness import FunctionGate, make_repository, tasks
from tests.git import git


class Scene(NamedTuple):
    """A build to be killed: its tasks, what the agent does, and how it runs."""

    graph: Graph
    script: dict[tuple[str, int], list[Step]]
    limits: Limits
    pushed: bool = False


SCENES = {
    "plain": Scene(
        tasks("a", "b", "c: a b"),
        {
            ("a", 1): [Write("a.txt", "a\n")],
            ("b", 1): [Write("b.txt", "wrong\n")],
            ("b", 2): [Write("b.txt", "right\n")],
            ("c", 1): [Sleep(0.05), Write("c.txt", "c\n")],
        },
        Limits(concurrency=1),
    ),
    # Two changes that do not fit together, then a task that pauses the build until the user says retry, then a push.
    "rough": Scene(
        tasks("x", "y", "b: x y"),
        {
            ("x", 1): [Write("README.md", "x\n")],
            ("y", 1): [Sleep(0.3), Write("README.md", "y\n")],
            ("x", 2): [Write("README.md", "both\n")],
            ("y", 2): [Write("README.md", "both\n")],
            ("b", 1): [Write("b.txt", "wrong\n")],
            ("b", 2): [Write("b.txt", "wrong\n")],
            ("b", 3): [Write("b.txt", "right\n")],
        },
        Limits(concurrency=2, attempts=2, stuck_after=2),
        pushed=True,
    ),
}


class CountingAgent(ScriptedAgent):
    """Notes every start of an attempt in a file that outlives the process."""

    def __init__(self, ledger: Path, scene: Scene) -> None:
        super().__init__(scene.script)
        self._ledger = ledger

    def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        with self._ledger.open("a") as out:
            out.write(f"{assignment.task.id}/{assignment.attempt}\n")
        return super().run(assignment, inbox)


def judge(files: Path, _judged: Judged) -> list[str]:
    return ["b is wrong"] if (files / "b.txt").exists() and (files / "b.txt").read_text() != "right\n" else []


async def brief(request: BriefingRequest) -> Briefing:
    return Briefing(f"do {request.task.id}", request.state.reason)


async def live(folder: Path, scene: Scene) -> None:
    """One life: go on with the build there is, or make it."""
    builds = await SqliteBuilds.open(folder / "state.db", folder / "artifacts")
    clock = SystemClock()
    rows = await builds.rows()
    if rows:
        build_id = rows[0].build_id
    else:
        spec = Spec(title="crash", graph=scene.graph)
        delivery = Delivery(kind="push", remote=str(folder / "remote")) if scene.pushed else Delivery()
        options = Options(agent="scripted", sandbox="none", limits=scene.limits, delivery=delivery)
        build_id = await commands.create(builds, clock, spec, options, str(folder / "repository"), "", "p", "u")
    world = World(
        builds=builds,
        clock=clock,
        agent=CountingAgent(folder / "ledger", scene),
        holder=this_process(),
        scratch=folder / "scratch",
        brief=brief,
        workspace=GitWorkspace(folder / "home", {}),
        gates=[FunctionGate(judge)],
    )
    while not (build := await run(world, build_id)).is_terminal:
        await commands.resume(builds, clock, build_id, "retry", "the right one")
    assert world.workspace is not None
    await world.workspace.forget(build_id)
    await builds.close()
    (folder / "result").write_text(f"{build.outcome} {build.id}")


def life(folder: Path, scene: Scene, failpoint: str = "") -> int:
    """Fork, live, and give the wait status back."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
            if failpoint:
                arm_from({"BUILDWRIGHT_FAILPOINT": failpoint})
            asyncio.run(live(folder, scene))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return status


def look(folder: Path, scene: Scene) -> dict[str, object]:
    """Everything that must be the same however often the build died on the way."""
    outcome, build_id = (folder / "result").read_text().split() if (folder / "result").exists() else ("none", "")
    branch = f"buildwright/{build_id[:8]}"
    repository = folder / "repository"
    result = folder / "remote" if scene.pushed else repository
    seen = asyncio.run(_journal(folder, build_id)) if build_id else {}
    lanes = folder / "home" / "lanes"
    ledger = Counter((folder / "ledger").read_text().split()) if (folder / "ledger").exists() else Counter()
    return {
        "outcome": outcome,
        "tree": git(result, "rev-parse", f"{branch}^{{tree}}") if build_id else "",
        "subjects": git(result, "log", "--format=%s", f"main..{branch}").splitlines() if build_id else [],
        "checkout": git(repository, "status", "--porcelain"),
        "left": sorted(str(p.relative_to(lanes)) for p in lanes.rglob("files")) if lanes.exists() else [],
        "attempts": dict(ledger),
        **seen,
    }


async def _journal(folder: Path, build_id: str) -> dict[str, object]:
    builds = await SqliteBuilds.open(folder / "state.db", folder / "artifacts")
    try:
        journal = await builds.read(build_id)
        loaded: Build = await builds.load(build_id)
    finally:
        await builds.close()
    kinds = Counter(recorded.event.type for recorded in journal)
    return {
        "gapless": [recorded.seq for recorded in journal] == list(range(1, len(journal) + 1)),
        "kinds": dict(sorted(kinds.items())),
        "version": loaded.version == len(journal),
    }


def main(scene: Scene, folder: Path, first: int, step: int) -> None:
    """Kill at each point in turn; a point that is never reached ends the enumeration."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    point = first
    while True:
        place = folder / f"point-{point}"
        make_repository(place / "repository")
        git(place, "clone", "-q", "--bare", "repository", "remote")
        (place / "home").mkdir()
        status = life(place, scene, f":{point}" if point else f"count:{place / 'points'}")
        killed = os.WIFSIGNALED(status)
        if point and not killed:
            return
        if killed:
            life(place, scene)
        sys.stdout.write(json.dumps({"point": point, "killed": killed, **look(place, scene)}) + "\n")
        sys.stdout.flush()
        if point == 0:
            sys.stdout.write(json.dumps({"points": (place / "points").read_text().split()}) + "\n")
            return
        point += step


if __name__ == "__main__":
    main(SCENES[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
