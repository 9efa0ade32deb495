"""Keeps a one-machine cluster alive: PostgreSQL, Redis and the workers; what dies is started again. Never touches a build.

Everything lives below one folder, `cluster` in the home. The keeper alone writes `cluster.json`; what it should keep is
asked of it through `wanted.json`. When it is killed the others run on, and the next keeper finds them and goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.errors import BuildwrightError, Conflict, CouldNot, GitFailed
from buildwright.jobs.processes import Known, begin, carrying, end, ended, fresh_log, how_it_ended, seen, send, start_of
from buildwright.jobs.servers import PostgresServer, RedisServer
from buildwright.jobs.state import load, save, try_lock

STATE, WANTED, LOG = "cluster.json", "wanted.json", "keeper.log"
MARK = "BUILDWRIGHT_KEPT"
"""What a worker carries in its environment, so that the next keeper finds it: the path of its folder."""

_LOOK_SECONDS = 0.25
_GRACE_SECONDS = 20.0
"""How long a worker may take to put down what it has."""
_HEALTHY_SECONDS = 60.0
"""Who has run so long has earned an immediate new start when it dies."""
_LONGEST_PAUSE = 30.0

Command = Callable[[str, int], Sequence[str]]
"""The command line of a worker, from its name and its slots."""


class Wanted(NamedTuple):
    """How many workers there are to be, and how many actions each carries out at once."""

    workers: int = 4
    slots: int = 2


def wanted(folder: Path) -> Wanted | None:
    """What was asked for last; None when nothing ever was. Raises CouldNot."""
    fields = load(folder / WANTED)
    if fields is None:
        return None
    try:
        return Wanted(int(fields["workers"]), int(fields["slots"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CouldNot(f"{folder / WANTED} is damaged", fix="take it away, and say again how many workers") from error


def want(folder: Path, wish: Wanted) -> None:
    """Ask for it; a keeper that runs sees it within a moment. Raises CouldNot, DiskFull."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    save(folder / WANTED, wish._asdict())


def keeper_of(folder: Path) -> Known | None:
    """The keeper that runs there."""
    state = load(folder / STATE)
    found = None if state is None else Known(*state["keeper"])
    return found if found is not None and found.alive else None


def worker_homes(folder: Path) -> list[Path]:
    """The homes of the workers that are or were kept there."""
    return sorted(path for path in (folder / "workers").glob("*") if path.is_dir())


def is_settled(state: Mapping[str, Any], wish: Wanted) -> bool:
    """Whether a keeper's state is what is asked for: that many workers run, and none is leaving."""
    workers = [worker for worker in state["workers"].values() if start_of(worker["pid"]) == worker["start"]]
    there = [worker for worker in workers if not worker["leaving"] and worker["slots"] in {0, wish.slots}]
    return state["phase"] == "up" and not state["trouble"] and len(workers) == len(there) == wish.workers


def own_command(*words: str) -> list[str]:
    """This program, as another process of the same Python. Never from the current folder, whatever lies there."""
    return [sys.executable, "-P", "-m", "buildwright", *words]


def start_keeper(folder: Path, environment: Mapping[str, str], command: Sequence[str]) -> Known:
    """Start a keeper, which outlives this process. Raises OSError."""
    paths = [os.path.abspath(part) for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]  # noqa: PTH100
    settled = dict(environment) | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})
    return begin(command, cwd=folder, environment=settled, log=fresh_log(folder / LOG))


class Keeper:
    """One keeper of the cluster below `folder`. `environment` is what workers get, and ours beside it."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], command: Command, say: Callable[[str], None] | None = None
    ) -> None:
        self._folder = folder
        self._say = say or _say
        self._environment = environment
        self._command = command
        self._postgres = _Kept(PostgresServer(folder / "postgres"))
        self._redis = _Kept(RedisServer(folder / "redis"))
        self._workers: dict[str, _Worker] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._written: dict[str, Any] | None = None
        self._trouble = ""
        self._phase = "starting"

    async def run(self) -> None:
        """Keep everything alive until SIGTERM; SIGQUIT ends it at once. Raises Conflict when another keeper is here."""
        with self._alone():
            told = _Told()
            self._say(f"keeper starts as process {os.getpid()}")
            self._adopt()
            while not told.to_end.is_set():
                await self._attend()
                await told.within(_LOOK_SECONDS)
            await self._end(told.at_once)

    async def end(self, *, at_once: bool) -> None:
        """End what a keeper that has died left behind. Raises Conflict when one is here."""
        with self._alone():
            self._adopt()
            hurry = asyncio.Event()
            if at_once:
                hurry.set()
            await self._end(hurry)

    async def _end(self, at_once: asyncio.Event) -> None:
        """End the workers, then Redis, then PostgreSQL."""
        self._phase = "stopping"
        with suppress(BuildwrightError):
            self._record()
        self._say("ending, at once" if at_once.is_set() else "ending")
        await asyncio.gather(*self._leaving, *(worker.leave(at_once, self._say) for worker in self._workers.values()))
        await self._redis.server.stop(at_once=at_once.is_set())
        await self._postgres.server.stop(at_once=at_once.is_set())
        (self._folder / STATE).unlink(missing_ok=True)
        self._say("everything has ended")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = try_lock(self._folder / "keeper.lock")
        if lock is None:
            raise Conflict(f"another keeper keeps the cluster in {self._folder}", fix="buildwright cluster status")
        try:
            yield
        finally:
            os.close(lock)

    def _adopt(self) -> None:
        """Find the workers of a keeper that has died. The servers find themselves."""
        recorded = (load(self._folder / STATE) or {}).get("workers", {})
        for folder in worker_homes(self._folder):
            for process in carrying(f"{MARK}={folder}"):
                if folder.name not in self._workers:
                    worker = _Worker(folder.name, process)
                    fields = recorded.get(folder.name, {})
                    worker.slots = fields.get("slots", 0) if fields.get("pid") == process.pid else 0
                    self._workers[folder.name] = worker
                    self._say(f"worker {folder.name} runs already, as process {process.pid}")

    async def _attend(self) -> None:
        """Look after everything once."""
        before = self._urls()
        for kept in (self._postgres, self._redis):
            await kept.attend(self._say)
        trouble = self._postgres.trouble or self._redis.trouble
        try:
            self._make_hub()
            if self._urls():
                if before and before != self._urls():
                    self._say("a server has moved to another port: the workers start anew")
                    self._dismiss(list(self._workers))
                self._attend_workers(wanted(self._folder) or Wanted())
                self._phase = "up"
        except (BuildwrightError, OSError) as error:
            trouble = trouble or _words(error)
        if trouble and trouble != self._trouble:
            self._say(trouble)
        self._trouble = trouble
        with suppress(BuildwrightError):  # a full disk keeps nobody from being kept alive
            self._record()

    def _attend_workers(self, wish: Wanted) -> None:
        names = [f"w{number}" for number in range(1, wish.workers + 1)]
        for name, worker in list(self._workers.items()):
            if name not in names and not worker.process.alive:
                del self._workers[name]
        changed = [name for name, worker in self._workers.items() if worker.slots not in {0, wish.slots}]
        self._dismiss([name for name in self._workers if name not in names or name in changed])
        for name in names:
            worker = self._workers.setdefault(name, _Worker(name, Known(0, "")))
            if not worker.process.alive and worker.patience.ready():
                self._begin(worker, wish.slots)

    def _begin(self, worker: _Worker, slots: int) -> None:
        home = self._folder / "workers" / worker.name
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = {
            "DATABASE_URL": self._postgres.url,
            "REDIS_URL": self._redis.url,
            "BUILDWRIGHT_HUB": str(self._folder / "hub.git"),
            "BUILDWRIGHT_HOME": str(home),
            MARK: str(home),
        }
        if worker.process.pid:
            self._say(
                f"worker {worker.name} (process {worker.process.pid}) has ended {how_it_ended(worker.process)}".rstrip()
            )
        worker.patience.begun()
        worker.process = begin(
            self._command(worker.name, slots),
            cwd=home,
            environment={**self._environment, **own},
            log=fresh_log(home / "worker.log"),
        )
        worker.slots, worker.leaving = slots, False
        self._say(f"worker {worker.name} starts as process {worker.process.pid}")

    def _dismiss(self, names: Sequence[str]) -> None:
        for name in names:
            worker = self._workers[name]
            if worker.process.alive and not worker.leaving:
                self._say(f"worker {name} (process {worker.process.pid}) is told to end")
                task = asyncio.create_task(worker.leave(asyncio.Event(), self._say))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)

    def _urls(self) -> tuple[str, str] | None:
        return (self._postgres.url, self._redis.url) if self._postgres.url and self._redis.url else None

    def _make_hub(self) -> None:
        """The bare repository through which the workers hand each other commits."""
        import subprocess

        hub = self._folder / "hub.git"
        if hub.exists():
            return
        new = self._folder / "hub.new"
        command = ["git", "init", "--quiet", "--bare", "--template=", str(new)]
        clean = {"PATH": self._environment.get("PATH", os.defpath), "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
        try:
            subprocess.run(command, env=clean, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise GitFailed("git is not installed", fix="install git with your system's packages") from error
        except subprocess.CalledProcessError as error:
            raise GitFailed(f"the hub {hub} could not be made: {error.stderr.strip()[:300]}") from error
        new.rename(hub)

    def _record(self) -> None:
        postgres, redis = self._urls() or ("", "")
        state = {
            "phase": self._phase,
            "trouble": self._trouble,
            "database_url": postgres,
            "redis_url": redis,
            "hub": str(self._folder / "hub.git"),
            "keeper": seen(os.getpid()),
            "workers": {worker.name: worker.fields() for worker in self._workers.values()},
        }
        if state != self._written:
            save(self._folder / STATE, state)
            self._written = state


class _Told:
    """What signals have told the keeper: to end, or to end at once."""

    def __init__(self) -> None:
        self.to_end, self.at_once = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.to_end.set)
        loop.add_signal_handler(signal.SIGQUIT, self._both)

    def _both(self) -> None:
        self.at_once.set()
        self.to_end.set()

    async def within(self, seconds: float) -> None:
        """Wait so long, or until told."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.to_end.wait()


class _Patience:
    """When something that died may be started again: at once, then later and later while it does not stay alive."""

    def __init__(self) -> None:
        self._begun_at: float | None = None
        self.deaths = 0
        self._not_before = 0.0

    def begun(self) -> None:
        self._begun_at = time.monotonic()

    def ready(self) -> bool:
        """Asked again and again while it is dead."""
        now = time.monotonic()
        if self._begun_at is not None:
            self.deaths = 1 if now - self._begun_at >= _HEALTHY_SECONDS else self.deaths + 1
            self._not_before = now + (0 if self.deaths == 1 else min(_LONGEST_PAUSE, 0.25 * 2**self.deaths))
            self._begun_at = None
        return now >= self._not_before


class _Kept:
    """A server that is kept alive. `url` is "" until it has answered."""

    def __init__(self, server: PostgresServer | RedisServer) -> None:
        self.server = server
        self.url = ""
        self.trouble = ""
        self._patience = _Patience()

    async def attend(self, say: Callable[[str], None]) -> None:
        if (self.url and self.server.alive()) or not self._patience.ready():
            return
        if self.url:
            say(f"{self.server.title} has ended")
        self._patience.begun()
        try:
            self.url, self.trouble = await self.server.start(), ""
            say(f"{self.server.title} runs as process {self.server.process().pid}")
        except (BuildwrightError, OSError) as error:
            self.trouble = _words(error)


class _Worker:
    """A worker that is kept alive, or is leaving."""

    def __init__(self, name: str, process: Known) -> None:
        self.name = name
        self.process = process
        self.slots = 0
        """0 when a keeper before us started it and did not say."""
        self.leaving = False
        self.patience = _Patience()

    def fields(self) -> dict[str, Any]:
        return {**self.process._asdict(), "slots": self.slots, "leaving": self.leaving, "deaths": self.patience.deaths}

    async def leave(self, at_once: asyncio.Event, say: Callable[[str], None]) -> None:
        """Let it put down what it has, unless there is no time."""
        self.leaving = True
        if not at_once.is_set():
            send(self.process, signal.SIGTERM)
            waiting = asyncio.create_task(ended(self.process, _GRACE_SECONDS))
            hurry = asyncio.create_task(at_once.wait())
            await asyncio.wait((waiting, hurry), return_when=asyncio.FIRST_COMPLETED)
            for task in (waiting, hurry):
                task.cancel()
            if self.process.alive:
                say(f"worker {self.name} (process {self.process.pid}) has not ended by itself")
        await end(self.process)


def _words(error: Exception) -> str:
    fix = error.fix if isinstance(error, BuildwrightError) else ""
    return f"{error} ({fix})" if fix else str(error)


def _say(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}\n")
    sys.stderr.flush()
