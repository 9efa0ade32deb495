"""What chaos is done to: PostgreSQL, Redis, a hub, a repository and workers, each a process of its own, below one folder.

Nothing of the product is replaced: workers are `buildwright worker`, builds are made as `buildwright build` makes them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from buildwright.core.graph import Graph
from buildwright.core.limits import Check, Limits, Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine.commands import NewBuild
from buildwright.settings import Settings
from buildwright.supervisor.processes import ProcessId, ended, exit_reason, launch, send
from buildwright.wiring import App, open_app
from tests.chaos.line import Line
from tests.git import git
from tests.servers import PostgresServer, RedisServer

ROOT = Path(__file__).parents[2]
TASKS = {"t1": "", "t2": "", "t3": "", "t4": "t1", "t5": "t1 t2", "t6": "t3", "t7": "t4 t5", "t8": "t6 t7"}
REFUSED, BROKEN = "t3", "t5"
"""The first attempt of one task does not pass the check, that of another ends with an exit code."""
GRACE_SECONDS = 15.0
"""How long a worker may take to end when it is told to, whatever else is down."""

_AGENT = f"""
sleep {{work}}
case "$BUILDWRIGHT_TASK_ID-$BUILDWRIGHT_ATTEMPT" in {BROKEN}-1) exit 1;; {REFUSED}-1) word=BAD;; *) word=good;; esac
mkdir -p tasks
echo "$word" > "tasks/$BUILDWRIGHT_TASK_ID.txt"
"""
_CHECK = "! grep -rqs BAD tasks"
_FAKETIME = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


@dataclass
class Worker:
    """One worker process after the other, under one name, in one home."""

    name: str
    home: Path
    environment: dict[str, str]
    slots: int
    process: ProcessId = field(default_factory=lambda: ProcessId(0, ""))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever does something to it."""
    resting: bool = False
    """It is down on purpose."""
    lives: list[int] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.home.with_suffix(".log")

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        words = ("worker", "--name", self.name, "--slots", str(self.slots), "--json")
        command = [sys.executable, "-P", "-m", "buildwright", *words]
        self.process = launch(command, cwd=self.home, environment=self.environment, log=self.log)
        self.lives.append(self.process.pid)

    async def kill(self, *, whole: bool = False) -> None:
        """kill -9; `whole` takes everything it has started with it, as when its machine dies."""
        victims = [psutil.Process(self.process.pid)] if self.process.alive else []
        if whole and victims:
            with suppress(psutil.NoSuchProcess):
                victims += victims[0].children(recursive=True)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGKILL)
        await ended(self.process, 10)

    async def end(self) -> float:
        """Tell it to end; the seconds that took. It is killed when it does not."""
        begun = time.monotonic()
        send(self.process, signal.SIGTERM)
        if not await ended(self.process, GRACE_SECONDS):
            send(self.process, signal.SIGABRT)  # its log then says where it hangs
            await ended(self.process, 2)
            await self.kill(whole=True)
        return time.monotonic() - begun


class Stand:
    """Everything, running. `trouble` collects what must not happen and is seen while it happens."""

    def __init__(self, folder: Path, heartbeat: float, work: float) -> None:
        self.folder = folder
        self.postgres = PostgresServer(folder / "postgres")
        self.redis = RedisServer(folder / "redis")
        self.hub, self.repository = folder / "hub.git", folder / "repository"
        self.workers: list[Worker] = []
        self.trouble: Counter[str] = Counter()
        self.servers = asyncio.Lock()
        """Held while a server is down on purpose."""
        self.heartbeat = heartbeat
        self.line: Line | None = None
        self.clock_file = folder / "clock"
        self.builds: list[str] = []
        self.tree = ""
        self._work = work
        self._app: App | None = None

    @property
    def app(self) -> App:
        assert self._app is not None
        return self._app

    @classmethod
    @asynccontextmanager
    async def standing(
        cls,
        folder: Path,
        *,
        workers: int = 4,
        heartbeat: float = 2.0,
        work: float = 0.1,
        lined: bool = False,
        faked: bool = False,
    ) -> AsyncIterator[Stand]:
        """Everything up; at the end nothing of it runs. `lined`: one worker reaches PostgreSQL over a line; `faked`: the
        clocks of half the workers are ours."""
        stand = cls(folder, heartbeat, work)
        try:
            await stand._begin(workers, lined=lined, faked=faked)
            async with open_app(Settings.load(stand._environment("driver"), folder)) as app:
                stand._app = app
                keeping = asyncio.create_task(stand._keep())
                try:
                    yield stand
                finally:
                    keeping.cancel()
                    await asyncio.gather(keeping, return_exceptions=True)
        finally:
            await asyncio.gather(*(worker.kill(whole=True) for worker in stand.workers))
            if stand.line is not None:
                await stand.line.close()
            await stand.redis.stop(at_once=True)
            await stand.postgres.stop(at_once=True)

    async def _begin(self, workers: int, *, lined: bool, faked: bool) -> None:
        self._make_repositories()
        await self.postgres.start()
        await self.redis.start()
        if lined:
            parts = urlsplit(self.postgres.url())
            assert parts.hostname is not None
            assert parts.port is not None
            self.line = Line(parts.hostname, parts.port)
            await self.line.open()
        self.set_clocks(0)
        for number in range(1, workers + 1):
            environment = self._environment(f"w{number}")
            if self.line is not None and number == 1:
                environment["DATABASE_URL"] = self.line.through(self.postgres.url())
            if faked and number % 2:
                environment |= self._faked()
            self.workers.append(Worker(f"w{number}", self.folder / f"w{number}", environment, slots=2))
        for worker in self.workers:
            worker.start()

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "PYTHONFAULTHANDLER": "1",
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT / "src"),
            "BUILDWRIGHT_HOME": str(self.folder / name),
            "BUILDWRIGHT_HUB": str(self.hub),
            "DATABASE_URL": self.postgres.url(),
            "REDIS_URL": self.redis.url(),
        }

    def _faked(self) -> dict[str, str]:
        found = [path for pattern in _FAKETIME for path in Path("/").glob(pattern[1:])]
        if not found:
            raise FileNotFoundError("libfaketime is missing: apt-get install faketime")
        return {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set_clocks(self, seconds: int) -> None:
        """Set the faked clocks so much ahead of, or behind, the true time. They jump at once."""
        new = self.clock_file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.clock_file)

    def _make_repositories(self) -> None:
        """A repository, a hub, both keeping a log of every ref; and the tree that every build must end with."""
        self.repository.mkdir(parents=True)
        git(self.repository, "init", "-q")
        git(self.repository, "config", "core.logAllRefUpdates", "always")
        (self.repository / "README.md").write_text("hello\n")
        git(self.repository, "add", "-A")
        git(self.repository, "commit", "-q", "-m", "start")
        git(self.folder, "init", "-q", "--bare", str(self.hub))
        git(self.hub, "config", "core.logAllRefUpdates", "always")
        (self.repository / "tasks").mkdir()
        for task in TASKS:
            (self.repository / "tasks" / f"{task}.txt").write_text("good\n")
        git(self.repository, "add", "-A")
        self.tree = git(self.repository, "write-tree")
        git(self.repository, "rm", "-q", "-r", "-f", "tasks")

    async def _keep(self) -> None:
        """What a keeper does: a worker that has ended by itself is started again, and counted as trouble."""
        while True:
            for worker in self.workers:
                if not worker.lock.locked() and not worker.resting and not worker.process.alive:
                    self.trouble[f"worker ended by itself {exit_reason(worker.process)}"] += 1
                    worker.start()
            await asyncio.sleep(0.25)

    # --- builds -----------------------------------------------------------------------------------------------------

    async def build(self, *, pause_seconds: float = 1800.0, apart: bool = False) -> str:
        """Ask for one more build, as `buildwright build` does; one `apart` is not expected to succeed."""
        graph = Graph(
            tasks=tuple(
                Task(id=name, title=f"do {name}", depends_on=tuple(needs.split())) for name, needs in TASKS.items()
            )
        )
        options = Options(
            agent="shell",
            agent_command=_AGENT.format(work=self._work),
            checks=(Check(name="no-bad", command=_CHECK, kind="other"),),
            sandbox="none",
            limits=Limits(heartbeat_seconds=self.heartbeat, pause_seconds=pause_seconds, stuck_after=100),
        )
        build_id = await self.app.start(NewBuild(Spec(title="chaos", graph=graph), options, str(self.repository)))
        if not apart:
            self.builds.append(build_id)
        return build_id

    async def unfinished(self) -> dict[str, str]:
        """Builds that are not over, and how they stand: running, paused ..."""
        rows = await self.app.builds.rows(limit=100_000)
        return {row.build_id: row.control for row in rows if not row.outcome and row.build_id in set(self.builds)}

    # --- servers ----------------------------------------------------------------------------------------------------

    async def bring_back(self, server: PostgresServer | RedisServer) -> None:
        """Start a server again where it was. A port that somebody else has for a moment is waited for."""
        before = server.url()
        if await server.start() != before:
            raise RuntimeError(f"{server.title} came back on another port; run this again")

    def strangers(self) -> Iterator[str]:
        """Processes that work below the folder and are neither servers nor workers of ours, by their command lines."""
        own = {worker.process.pid for worker in self.workers}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                told = [process.cwd(), *process.cmdline()]
                mine = any(str(self.folder) in part for part in told)
                server = process.cwd().startswith((str(self.postgres.folder), str(self.redis.folder)))
                if mine and not server and process.pid not in own | {os.getpid()} and process.status() != "zombie":
                    yield f"{process.pid} {' '.join(process.cmdline())[:120]}"
