"""Keeps the workers of one machine alive, and their PostgreSQL and Redis. Must never touch a build.

Everything lies below one folder, `cluster` in the home. The supervisor alone writes `cluster.json`; `cluster up` writes
the wanted size in `wanted.json`. When the supervisor is killed all others run on, and the next one adopts them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.errors import BuildwrightError, Conflict, CouldNot
from buildwright.supervisor.processes import ProcessId, end, ended, exit_reason, find_marked, identify, launch, send
from buildwright.supervisor.servers import POSTGRES, REDIS, LocalServer
from buildwright.supervisor.state import load, locked, save

STATE, WANTED, LOG, LOCK = "cluster.json", "wanted.json", "supervisor.log", "keeper.lock"
MARK = "BUILDWRIGHT_KEPT"
"""The environment variable of a worker that has the path of its home, by which the next supervisor finds it."""

_LOOK_SECONDS = 0.25
_GRACE_SECONDS = 20.0
"""How long a worker that is told to end may take to release its work."""
_HEALTHY_SECONDS = 60.0
"""A process that has run this long is restarted at once when it dies."""
_LONGEST_PAUSE = 30.0

WorkerCommand = Callable[[str, int], Sequence[str]]
"""Makes the command line of a worker from its name and its slots."""


class ClusterSize(NamedTuple):
    """The number of workers, and of actions that each carries out at once."""

    workers: int = 4
    slots: int = 2


def wanted_size(folder: Path) -> ClusterSize:
    """Return the requested size, at first the default. Raises CouldNot."""
    fields = load(folder / WANTED)
    try:
        return ClusterSize() if fields is None else ClusterSize(int(fields["workers"]), int(fields["slots"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CouldNot(f"{folder / WANTED} is damaged", fix="remove it, and say again how many workers") from error


def request_size(folder: Path, size: ClusterSize) -> None:
    """Request a size; a live supervisor sees it within a second. Raises CouldNot, DiskFull."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    save(folder / WANTED, size._asdict())


def supervisor_of(folder: Path) -> ProcessId | None:
    """Return the live supervisor of a cluster; None when there is none. Raises CouldNot."""
    state = load(folder / STATE)
    found = None if state is None else ProcessId(*state["keeper"])
    return found if found is not None and found.alive else None


def worker_homes(folder: Path) -> list[Path]:
    """Return the homes of all workers that the supervisor of the folder has ever started."""
    return sorted(path for path in (folder / "workers").glob("*") if path.is_dir())


def is_settled(state: Mapping[str, Any], size: ClusterSize) -> bool:
    """Return whether a supervisor's state has the size: that many workers live, and none is about to end."""
    live = [worker for worker in state["workers"].values() if ProcessId(worker["pid"], worker["start"]).alive]
    there = [worker for worker in live if not worker["leaving"] and worker["slots"] == size.slots]
    return state["phase"] == "up" and not state["trouble"] and len(live) == len(there) == size.workers


def own_command(*words: str) -> list[str]:
    """Return the command line of this program with the same Python; it never imports from its working folder."""
    return [sys.executable, "-P", "-m", "buildwright", *words]


def start_supervisor(folder: Path, environment: Mapping[str, str], command: Sequence[str]) -> ProcessId:
    """Start a supervisor, which outlives this process. Raises OSError."""
    paths = [os.path.abspath(part) for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]  # noqa: PTH100
    settled = dict(environment) | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})
    return launch(command, cwd=folder, environment=settled, log=folder / LOG)


class Supervisor:
    """The supervisor of the cluster below `folder`. Workers get `environment`, and the addresses of the cluster."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        command: WorkerCommand,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._folder = folder
        self._say = say or _log
        self._environment = environment
        self._command = command
        self._servers = [
            Supervised(LocalServer(folder / "postgres", POSTGRES)),
            Supervised(LocalServer(folder / "redis", REDIS)),
        ]
        self._workers: dict[str, SupervisedWorker] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._recorded: dict[str, Any] | None = None
        self._trouble = ""
        self._phase = "starting"

    async def run(self) -> None:
        """Keep everything alive until SIGTERM; SIGQUIT ends it at once. Raises Conflict when another one runs."""
        with self._alone():
            signals = Signals()
            self._say(f"supervisor starts as process {os.getpid()}")
            self._adopt()
            while not signals.end.is_set():
                await self._attend()
                with suppress(TimeoutError):
                    await asyncio.wait_for(signals.end.wait(), _LOOK_SECONDS)
            await self._end(signals.at_once)

    async def end(self, *, at_once: bool) -> None:
        """End what a dead supervisor left behind. Raises Conflict when one is running."""
        hurry = asyncio.Event()
        if at_once:
            hurry.set()
        with self._alone():
            self._adopt()
            await self._end(hurry)

    def _alone(self) -> AbstractContextManager[None]:
        taken = Conflict(
            f"another supervisor already runs the cluster in {self._folder}", fix="see `buildwright cluster status`"
        )
        return locked(self._folder / LOCK, taken)

    def _adopt(self) -> None:
        """Find the workers of a dead supervisor. The servers are found when they are started."""
        state = load(self._folder / STATE) or {"workers": {}}
        for home in worker_homes(self._folder):
            for process in find_marked(f"{MARK}={home}")[:1]:
                worker = self._workers[home.name] = SupervisedWorker(home.name, process)
                fields = state["workers"].get(home.name, {})
                if fields.get("pid") == process.pid:
                    worker.slots, worker.urls = fields["slots"], (state["database_url"], state["redis_url"])
                self._say(f"worker {home.name} runs already, as process {process.pid}")

    async def _attend(self) -> None:
        """Start everything that should run and does not, and record the state."""
        for server in self._servers:
            await server.attend(self._say)
        trouble = next((server.trouble for server in self._servers if server.trouble), "")
        try:
            if all(self._urls()):
                self._attend_workers(wanted_size(self._folder))
                self._phase = "up"
        except (BuildwrightError, OSError) as error:
            trouble = trouble or _words(error)
        if trouble and trouble != self._trouble:
            self._say(trouble)
        self._trouble = trouble
        with suppress(BuildwrightError):  # a full disk must not end the supervision
            self._record()

    def _attend_workers(self, size: ClusterSize) -> None:
        names = [f"w{number}" for number in range(1, size.workers + 1)]
        for name in [name for name, worker in self._workers.items() if name not in names and not worker.process.alive]:
            del self._workers[name]
        for worker in self._workers.values():
            if worker.name not in names or worker.slots != size.slots or worker.urls != self._urls():
                self._dismiss(worker)
        for name in names:
            worker = self._workers.setdefault(name, SupervisedWorker(name, ProcessId(0, "")))
            if not worker.process.alive and worker.backoff.ready():
                self._start_worker(worker, size.slots)

    def _start_worker(self, worker: SupervisedWorker, slots: int) -> None:
        home = self._folder / "workers" / worker.name
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        worker.slots, worker.urls, worker.leaving = slots, self._urls(), False
        own = {
            "DATABASE_URL": worker.urls[0],
            "REDIS_URL": worker.urls[1],
            "BUILDWRIGHT_HUB": str(self._folder / "hub.git"),
            "BUILDWRIGHT_HOME": str(home),
            MARK: str(home),
        }
        if worker.process.pid:
            reason = exit_reason(worker.process)
            self._say(f"worker {worker.name} (process {worker.process.pid}) has ended {reason}".rstrip())
        worker.backoff.started()
        command, environment = self._command(worker.name, slots), {**self._environment, **own}
        worker.process = launch(command, cwd=home, environment=environment, log=home / "worker.log")
        self._say(f"worker {worker.name} starts as process {worker.process.pid}")

    def _dismiss(self, worker: SupervisedWorker) -> None:
        """Tell a worker to end, without waiting for it. It is started again if its name is still wanted."""
        if worker.process.alive and not worker.leaving:
            self._say(f"worker {worker.name} (process {worker.process.pid}) is told to end")
            worker.leaving = True
            task = asyncio.create_task(worker.leave(asyncio.Event(), self._say))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _end(self, at_once: asyncio.Event) -> None:
        """End the workers, then Redis, then PostgreSQL."""
        self._phase = "stopping"
        with suppress(BuildwrightError):
            self._record()
        self._say("ending, at once" if at_once.is_set() else "ending")
        await asyncio.gather(*self._ending, *(worker.leave(at_once, self._say) for worker in self._workers.values()))
        for supervised in reversed(self._servers):
            await supervised.server.stop(at_once=at_once.is_set())
        (self._folder / STATE).unlink(missing_ok=True)
        self._say("everything has ended")

    def _urls(self) -> tuple[str, str]:
        postgres, redis = self._servers
        return postgres.url, redis.url

    def _record(self) -> None:
        database_url, redis_url = self._urls() if all(self._urls()) else ("", "")
        state = {
            "phase": self._phase,
            "trouble": self._trouble,
            "database_url": database_url,
            "redis_url": redis_url,
            "hub": str(self._folder / "hub.git"),
            "keeper": identify(os.getpid()),
            "workers": {worker.name: worker.fields() for worker in self._workers.values()},
        }
        if state != self._recorded:
            save(self._folder / STATE, state)
            self._recorded = state


class Signals:
    """The signals that end a supervisor: SIGTERM and SIGINT set `end`, SIGQUIT also `at_once`."""

    def __init__(self) -> None:
        self.end, self.at_once = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            asyncio.get_running_loop().add_signal_handler(number, self._take, number)

    def _take(self, number: signal.Signals) -> None:
        self.end.set()
        if number is signal.SIGQUIT:
            self.at_once.set()


class Backoff:
    """When a dead process may be started again: at once, then later and later while it dies early."""

    def __init__(self) -> None:
        self.deaths = 0
        self._started_at: float | None = None
        self._not_before = 0.0

    def started(self) -> None:
        self._started_at = time.monotonic()

    def ready(self) -> bool:
        """Return whether the process may be started; to be asked repeatedly while it is dead."""
        now = time.monotonic()
        if self._started_at is not None:
            self.deaths = 1 if now - self._started_at >= _HEALTHY_SECONDS else self.deaths + 1
            self._not_before = now + (0 if self.deaths == 1 else min(_LONGEST_PAUSE, 0.25 * 2**self.deaths))
            self._started_at = None
        return now >= self._not_before


class Supervised:
    """A server that is restarted when it is gone. `url` is "" until it has answered."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.url = self.trouble = ""
        self._backoff = Backoff()

    async def attend(self, say: Callable[[str], None]) -> None:
        title = self.server.kind.title
        try:
            if (self.url and self.server.process.alive) or not self._backoff.ready():
                return
            if self.url:
                say(f"{title} has ended")
            self._backoff.started()
            self.url, self.trouble = await self.server.start(), ""
            say(f"{title} runs as process {self.server.process.pid}")
        except (BuildwrightError, OSError) as error:
            self.trouble = _words(error)


class SupervisedWorker:
    """A worker that is restarted when it dies, or that is about to end."""

    def __init__(self, name: str, process: ProcessId) -> None:
        self.name = name
        self.process = process
        self.slots = 0
        """0 when an earlier supervisor started it and died before recording it."""
        self.urls = ("", "")
        """The URLs of the database and the Redis that it was started with."""
        self.leaving = False
        self.backoff = Backoff()

    def fields(self) -> dict[str, Any]:
        return {**self.process._asdict(), "slots": self.slots, "leaving": self.leaving, "deaths": self.backoff.deaths}

    async def leave(self, at_once: asyncio.Event, say: Callable[[str], None]) -> None:
        """End it: by SIGTERM, so that it releases its work, or by SIGKILL if that takes too long or `at_once`."""
        self.leaving = True
        if not at_once.is_set():
            send(self.process, signal.SIGTERM)
            waits = [asyncio.create_task(ended(self.process, _GRACE_SECONDS)), asyncio.create_task(at_once.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if self.process.alive:
                say(f"worker {self.name} (process {self.process.pid}) has not ended by itself")
        await end(self.process)


def _words(error: Exception) -> str:
    fix = error.fix if isinstance(error, BuildwrightError) else ""
    return f"{error} ({fix})" if fix else str(error)


def _log(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}\n")
    sys.stderr.flush()
