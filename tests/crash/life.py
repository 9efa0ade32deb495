"""One life of a build in a forked child, and what it notes of its outside effects. The parent never runs an event loop.

Every note is one line appended to the file `ledger`, which outlives the process that wrote it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.core.activity import Activity
from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.event import ChangeLanded
from buildwright.core.failpoint import arm, failpoint
from buildwright.core.limits import Delivery, Options
from buildwright.core.secrets import mask
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.adapters import Adapters
from buildwright.engine.contracts_command import TakeContracts
from buildwright.engine.first_commit import first_commit
from buildwright.engine.fork_command import ForkBuild
from buildwright.engine.held_build import run
from buildwright.engine.poll import poll, renew_leases
from buildwright.engine.resume_command import ResumeBuild, ResumeOnBase
from buildwright.engine.task_commands import RedoTask, UndoTask
from buildwright.engine.worker import Worker
from buildwright.errors import IllegalMove
from buildwright.ports import (
    ActionLease,
    Assignment,
    Briefing,
    BriefingRequest,
    Builds,
    Judged,
    Lease,
    Message,
    WantedClaim,
)
from buildwright.store.clock import StoreClock
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import this_process
from buildwright.wiring import SystemClock
from buildwright.workspace import GitWorkspace
from tests.adapters.scripted_agent import ScriptedAgent
from tests.crash.scenes import CANARY, SCENES, Act, Scene
from tests.crash.till import NotedPlanner, Till
from tests.engine.harness import FunctionGate

POLL_SECONDS = 0.02
USER_HOME = "worker-user"
LONGEST_STILL_SECONDS = 60.0
"""Seconds in which a life passes no point, and hangs; not of its whole length, which is the machine's load."""


class Place(NamedTuple):
    """Where one build lives, with all that it may touch. `database` is the address of a server, "" for SQLite."""

    folder: Path
    scene: str
    database: str = ""
    shared: bool = False
    """Built by a worker over the board, in a home of its own for each life; git objects go through a hub."""

    @property
    def hub(self) -> Path:
        return self.folder / "home" / "hub.git"

    def homes(self) -> list[Path]:
        """The homes that the lives so far had, oldest first; that of the user, who is no worker, before all others."""
        home = self.folder / "home"
        workers = sorted(home.glob("worker-*"), key=lambda path: (path.name != USER_HOME, path.name))
        return workers if self.shared else [home]

    @property
    def build_id_file(self) -> Path:
        return self.folder / "build"

    def note(self, *words: object) -> None:
        """Add a line to the ledger; whole or not at all, also when several processes do."""
        line = f"{' '.join(map(str, words))}\n".encode()
        ledger = os.open(self.folder / "ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(ledger, line)
        os.close(ledger)

    def begun(self) -> list[str]:
        """The tasks whose agents have begun in this life."""
        lines = self.ledger()
        lives = [number for number, line in enumerate(lines) if line[0] == "life"]
        return [line[1] for line in lines[lives[-1] :] if line[0] == "start"]

    def ledger(self, first: str = "") -> list[list[str]]:
        """The lines (that begin with a word), split."""
        path = self.folder / "ledger"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if not first or line[0] == first]


async def open_builds(place: Place) -> Builds:
    """The store of a place."""
    if place.database:
        return await PostgresBuilds.open(place.database)
    return await SqliteBuilds.open(place.folder / "home" / "state.db", place.folder / "home" / "artifacts")


class NotedAgent(ScriptedAgent):
    """Notes every start of an attempt, and asks the model first when it is given a door."""

    def __init__(self, place: Place, scene: Scene, builds: Builds, till: Till) -> None:
        super().__init__(scene.script)
        self._scene = scene
        self._builds = builds
        self._place = place
        self._till = till
        if scene.paid:
            self.uses_model = "always"

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        self._place.note("start", assignment.task.id, assignment.attempt)
        if assignment.door is not None:
            self._till.ask(assignment.door)
        while self._waits(assignment, await self._builds.load(assignment.build_id)):
            await asyncio.sleep(POLL_SECONDS)
        async for activity in super().run(assignment, inbox):
            yield activity
        for message in self.heard:
            self._place.note("heard", message.id, assignment.task.id, assignment.attempt)
        self.heard.clear()

    def _waits(self, assignment: Assignment, build: Build) -> bool:
        """Whether what the scene has an attempt wait for has not happened."""
        first = self._scene.after.get((assignment.task.id, assignment.attempt))
        held = assignment.task.id in self._scene.until_taken and build.spec == self._scene.contracts[0]
        return held or (first is not None and build.task(first).phase is not TaskPhase.DONE)


WRITES = frozenset({"append", "create", "renew", "release", "keep_snapshot", "put_artifact", "settle"})


class NotedBuilds:
    """The store, noting the token of every lease that it gives. Each write to a server is between two points: what is
    inside of it is the server's, which takes the whole statement or nothing."""

    def __init__(self, builds: Builds, place: Place) -> None:
        self._builds = builds
        self._place = place

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._builds, name)
        if name not in WRITES or not self._place.database:
            return method

        async def between_points(*arguments: Any, **more: Any) -> Any:
            failpoint(f"store.{name}.before")
            answer = await method(*arguments, **more)
            failpoint(f"store.{name}.after")
            return answer

        return between_points

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        failpoint("store.acquire.before")
        lease = await self._builds.acquire(build_id, holder, seconds)
        self._place.note("token", lease.token)
        failpoint("store.acquire.noted")
        return lease

    async def claim(self, holder: str, seconds: float, claim: WantedClaim) -> list[ActionLease]:
        leases: list[ActionLease] = await self._builds.claim(holder, seconds, claim)  # type: ignore[attr-defined]
        for lease in leases:
            self._place.note("taken", lease.token)
            failpoint("store.claim.noted")
        return leases


def judge(files: Path, _judged: Judged) -> list[str]:
    return ["b is wrong"] if (files / "b.txt").exists() and (files / "b.txt").read_text() != "right\n" else []


async def brief(request: BriefingRequest) -> Briefing:
    return Briefing(f"do {request.task.id}", request.state.reason)


def make_world(place: Place, scene: Scene, builds: Builds) -> Adapters:
    """Everything a life of this build is given."""
    till = Till(place)
    return Adapters(
        builds=builds,
        clock=SystemClock(),
        agent=NotedAgent(place, scene, builds, till),
        holder=this_process(),
        scratch=place.folder / "home" / "scratch",
        brief=brief,
        workspace=GitWorkspace(place.folder / "home", os.environ),
        gates=[FunctionGate(judge)],
        gateway=till,
        planner=NotedPlanner(scene, till),
        mask=partial(mask, secrets=[CANARY]),
        poll_seconds=POLL_SECONDS,
    )


async def begin(place: Place, scene: Scene, world: Adapters) -> str:
    """The build of this place, made if it is not there. Its name is the folder's, as the project's id."""
    if known := await _known(world.builds, place.folder.name):
        return known
    if scene.forked_after:
        return await _fork(place, scene, world)
    return await commands.create(world.builds, SystemClock(), _new_build(place, scene, place.folder.name))


async def _known(builds: Builds, project: str) -> str:
    return next((row.build_id for row in await builds.rows() if row.project_id == project), "")


def _new_build(place: Place, scene: Scene, project: str) -> commands.NewBuild:
    spec = Spec(title="crash", text="Make it.") if scene.planned else Spec(title="crash", graph=scene.graph)
    spec = scene.contracts[0] if scene.contracts else spec
    delivery = Delivery(kind="push", remote=str(place.folder / "remote")) if scene.pushed else Delivery()
    options = Options(agent="scripted", sandbox="none", limits=scene.limits, delivery=delivery)
    return commands.NewBuild(spec, options, str(place.folder / "repository"), "", project, "u")


async def _fork(place: Place, scene: Scene, world: Adapters) -> str:
    """Make the other build to its end, in this life or a later one, then one that goes on from it, as an App does."""
    builds, project = await open_builds(place), f"{place.folder.name}-other"
    other = await _known(builds, project) or await commands.create(
        builds, SystemClock(), _new_build(place, scene, project)
    )
    # Its attempts and leases are no part of what is looked at.
    unnoted = replace(world, builds=builds, agent=ScriptedAgent(scene.script))
    await (work(place, unnoted, other) if place.shared else drive(unnoted, other))
    journal = await builds.read(other)
    await builds.close()
    at = next(r.seq for r in journal if isinstance(r.event, ChangeLanded) and r.event.task == scene.forked_after)
    wanted, history = ForkBuild(at), journal[:at]
    past = wanted.past(history)
    new = replace(wanted.new_build(past, str(uuid.uuid4()), "u"), project_id=place.folder.name)
    told = wanted.event(history, past, new.options)
    await _of_user(place).branch_off(new.build_id, new.repository, other, told.base, told.head)
    return await commands.create(world.builds, SystemClock(), new, told)


def _of_user(place: Place) -> GitWorkspace:
    """The workspace of the user, who is on a machine without a worker where there are several."""
    home = place.folder / "home" / USER_HOME if place.shared else place.folder / "home"
    home.mkdir(exist_ok=True)
    return GitWorkspace(home, os.environ, hub=str(place.hub) if place.shared else "")


async def act(place: Place, builds: Builds, build_id: str, what: Act) -> None:
    """Do what the user does and note what was acknowledged. A move that is not legal any more is none."""
    clock = SystemClock()
    with suppress(IllegalMove):
        match what:
            case "pause":
                await commands.ask(builds, clock, build_id, commands.PauseBuild())
            case "stop":
                await commands.ask(builds, clock, build_id, commands.StopBuild())
            case "redo":
                await commands.ask(builds, clock, build_id, RedoTask("a"))
            case "undo":
                await commands.ask(builds, clock, build_id, UndoTask("b"))
            case "rebase":
                await commands.ask(builds, clock, build_id, await _on_new_base(place, builds, build_id))
            case "take":
                newer = await _newer_contracts(place, builds, build_id)
                await commands.ask(builds, clock, build_id, newer)
            case "say":
                word = (await commands.ask(builds, clock, build_id, commands.SendMessage("mind the gap", "a"))).id
                place.note("ack", "say", word)
                return
            case choice:
                await commands.ask(builds, clock, build_id, ResumeBuild(choice))
        place.note("ack", what)


async def _on_new_base(place: Place, builds: Builds, build_id: str) -> ResumeOnBase:
    """Fetch the other branch of the repository, as an App does, and return the command."""
    build = await builds.load(build_id)
    target = await _of_user(place).rebase_target(build_id, build.repository, "newer")
    return ResumeOnBase(ResumeBuild(base="newer"), "newer", target)


async def _newer_contracts(place: Place, builds: Builds, build_id: str) -> TakeContracts:
    """Write the commit with the newer contracts, as an App does, and return the command."""
    build, spec = await builds.load(build_id), SCENES[place.scene].contracts[1]
    first = first_commit(build_id, spec, build.options)
    assert first is not None
    target = await _of_user(place).renew_first(build_id, build.base, first)
    return TakeContracts(spec, target, build.base)


async def use(place: Place, scene: Scene, builds: Builds, build_id: str) -> None:
    """The user, who looks often and is never tired."""
    while True:
        build = await builds.load(build_id)
        if build.is_terminal:
            return
        what = scene.user(build, await builds.read(build_id), place.begun())
        if what is not None:
            await act(place, builds, build_id, what)
        await asyncio.sleep(POLL_SECONDS)


async def live(place: Place) -> None:
    """One life: go on with the build there is, or make it, to its end."""
    scene = SCENES[place.scene]
    place.note("life")
    noted: Any = NotedBuilds(await open_builds(place), place)
    builds: Builds = noted
    world = make_world(place, scene, builds)
    build_id = await begin(place, scene, world)
    user = asyncio.create_task(use(place, scene, builds, build_id))
    build = await (work(place, world, build_id) if place.shared else drive(world, build_id))
    await user
    place.note("over", build.outcome)
    await builds.close()


async def drive(world: Adapters, build_id: str) -> Build:
    """Run the build, again after each pause, and tidy up as the program does."""
    while not (build := await run(replace(world, stay=False), build_id)).is_terminal:
        while build.control is Control.PAUSED:
            await asyncio.sleep(POLL_SECONDS)
            build = await world.builds.load(build_id)
    assert world.workspace is not None
    await world.workspace.forget(build_id)
    return build


class Hints:
    """Every hint reaches the one worker there is."""

    def __init__(self) -> None:
        self.hand: Worker | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    async def advance(self, build_id: str) -> None:
        assert self.hand is not None
        self._begin(self.hand.advance(build_id))

    async def perform(self, build_id: str, key: str) -> None:
        assert self.hand is not None
        self._begin(self.hand.perform(build_id, key))

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._tasks)


async def work(place: Place, world: Adapters, build_id: str) -> Build:
    """Be a worker until the build is over. Each life has a home of its own, as if it were on another machine."""
    store: Any = world.builds
    home = place.folder / "home" / f"worker-{len(place.homes())}"
    home.mkdir()
    clock = await StoreClock.open(store)
    workspace = GitWorkspace(home, os.environ, hub=str(place.hub))
    await workspace.create_hub()
    own = replace(world, clock=clock, workspace=workspace, scratch=home / "scratch")

    async def world_of(_options: Options) -> Adapters:
        return own

    hints = Hints()
    hand = Worker(store, store, hints, clock, this_process(), world_of, slots=2)
    hints.hand = hand
    works = [asyncio.create_task(renew_leases(hand)), asyncio.create_task(poll(hand, hints))]
    build: Build = await store.load(build_id)
    while not build.is_terminal:
        await asyncio.sleep(POLL_SECONDS)
        build = await store.load(build_id)
    await hand.close()
    await hints.close()
    for task in works:
        task.cancel()
    await asyncio.gather(*works, return_exceptions=True)
    await workspace.forget(build_id)
    return build


def one_life(place: Place, kill: int = 0) -> int:
    """Fork, live, be killed at the point of this number (0: at none), and give the wait status back.

    The names of the points that were passed are in the file `points` afterwards, one a line.
    """
    points = place.folder / "points"
    points.write_text("")
    child = os.fork()
    if child:
        return _await(child, points)
    code = 1
    try:
        os.dup2(os.open(place.folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        os.environ.update(HOME=str(place.folder / "user"), TMPDIR=str(place.folder / "tmp"), ANTHROPIC_API_KEY=CANARY)
        tempfile.tempdir = None  # what the parent found does not count
        arm(_fuse(points, kill))
        asyncio.run(live(place))
        code = 0
    finally:
        # Printed here because the child must never take the parent's way out.
        if code:
            traceback.print_exc()
        os._exit(code)


def _await(child: int, points: Path) -> int:
    """The wait status. A life that hangs is killed like by a failpoint, but by SIGABRT, so that it does not pass for one."""
    passed, moved = 0, time.monotonic()
    while time.monotonic() < moved + LONGEST_STILL_SECONDS:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if (now := points.stat().st_size) != passed:
            passed, moved = now, time.monotonic()
        time.sleep(0.002)
    os.kill(child, signal.SIGABRT)
    return os.waitpid(child, 0)[1]


def _fuse(points: Path, kill: int) -> Callable[[str], None]:
    out = os.open(points, os.O_WRONLY | os.O_APPEND)
    passed = count(1)
    lock = threading.Lock()

    def hit(name: str) -> None:
        with lock:  # the store passes its points in a thread of its own
            os.write(out, f"{name}\n".encode())
            if next(passed) == kill:
                os.kill(os.getpid(), signal.SIGKILL)

    return hit
