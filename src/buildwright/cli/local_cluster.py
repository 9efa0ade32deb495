"""Starts, ends and shows the cluster of this machine. Must never print a URL: it may hold a password."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from contextlib import AbstractContextManager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output
from buildwright.cli.session import local_session
from buildwright.cli.table import Cell, Column, TableCell, table
from buildwright.core.figures import count
from buildwright.errors import BadSettings, Conflict, CouldNot, Refused, ToolMissing
from buildwright.ports import QueuedAction, WorkerRow
from buildwright.settings import SHARED, Settings
from buildwright.supervisor.processes import ProcessId, ended, send
from buildwright.supervisor.servers import POSTGRES, REDIS, LocalServer
from buildwright.supervisor.state import load, locked
from buildwright.supervisor.supervisor import (
    LOG,
    STATE,
    ClusterSize,
    Supervisor,
    is_settled,
    own_command,
    request_size,
    start_supervisor,
    supervisor_of,
    wanted_size,
)
from buildwright.wiring.runners import state_of

_READY_SECONDS = 120.0
_END_SECONDS = 120.0
_LOOK_SECONDS = 0.1
_PACKAGES = ("asyncpg", "celery", "redis")
_MOST_DEATHS = 4
_COLOURS = {"alive": "green", "suspect": "yellow", "gone": "red"}


async def bring_up(output: Output, workers: int | None, slots: int | None) -> int:
    """Start what is not running, and wait until every worker has signed on.

    `workers` and `slots` are None to keep the former numbers. Returns the exit code. Raises BadSettings, Refused,
    ToolMissing, Conflict, CouldNot.
    """
    settings = Settings.load()
    _refuse_foreign(settings)
    size = _size(settings, workers, slots)
    _check_tools(settings)
    with _alone(settings.cluster):
        request_size(settings.cluster, size)
        supervisor = supervisor_of(settings.cluster)
        if supervisor is None:
            supervisor = start_supervisor(settings.cluster, settings.environment, own_command("cluster", "keep"))
        await _until_ready(settings.cluster, supervisor, size, output)
        await _until_signed_on(settings.cluster)
    view = await _look_at(Settings.load())
    if output.json:
        output.data(_fields(view))
        return Exit.DONE
    for server in view.servers:
        output.print(f"{server.title} {server.version} on 127.0.0.1, port {server.port}, process {server.pid}")
    slots = sum(worker.slots for worker in view.workers)
    output.print(f"{count(len(view.workers), 'worker')} with {count(slots, 'slot')}")
    next_step = "The workers now run the builds of this home. Next: buildwright build SPEC --repo PATH"
    output.say(typed(next_step))
    return Exit.DONE


async def take_down(output: Output, *, now: bool) -> int:
    """End the workers and servers; with `now`, without waiting for actions. Raises BadSettings, Conflict, CouldNot."""
    settings = Settings.load()
    _refuse_foreign(settings)
    unfinished = None
    said = f"No cluster is up in {settings.home}."
    if (settings.cluster / STATE).exists():
        with _alone(settings.cluster):
            unfinished = await _unfinished()
            await _end(settings, now, output)
        said = "The cluster is down. What was built is kept."
    if output.json:
        output.data({"up": False, "unfinished": unfinished})
        return Exit.DONE
    output.print(said)
    if unfinished:
        are = "is" if unfinished == 1 else "are"
        output.say(typed(f"{count(unfinished, 'build')} {are} unfinished. To continue: buildwright cluster up"))
    return Exit.DONE


async def show(output: Output) -> int:
    """Print the servers and workers, the actions in flight and those that wait. Raises CouldNot."""
    settings = Settings.load()
    view = await _look_at(settings)
    if output.json:
        output.data(_fields(view))
    elif not view.up:
        output.print(f"No cluster is up in {settings.home}.")
        output.say(typed("Next: buildwright cluster up"))
    else:
        _print(output, view)
    return Exit.UNREACHABLE if view.unreachable else Exit.DONE


async def supervise() -> int:
    """Run the supervisor of this home's cluster in this process, until a signal ends it."""
    settings = Settings.load()
    await Supervisor(settings.cluster, settings.environment, _worker_command).run()
    return Exit.DONE


def _worker_command(name: str, slots: int) -> list[str]:
    return own_command("worker", "--name", name, "--slots", str(slots))


def _refuse_foreign(settings: Settings) -> None:
    """Raise BadSettings when the environment names a cluster: its servers are not ours to start or end."""
    if settings.names_cluster:
        named = [name for name in SHARED if settings.environment.get(name)]
        raise BadSettings(
            f"{', '.join(named)} name a cluster already, whose servers are not run from here",
            fix=f"start a worker of it with `buildwright worker`, or first: unset {' '.join(named)}",
        )


def _size(settings: Settings, workers: int | None, slots: int | None) -> ClusterSize:
    """Return the size that is asked for; None keeps the former number. Raises Refused outside 1 to 64."""
    before = wanted_size(settings.cluster)
    size = ClusterSize(before.workers if workers is None else workers, before.slots if slots is None else slots)
    for name, number in size._asdict().items():
        if not 1 <= number <= 64:
            raise Refused(f"--{name} {number} cannot be", fix="give 1 to 64")
    return size


def _check_tools(settings: Settings) -> None:
    """Check that all packages and programs are there, before anything starts. Raises ToolMissing, BadSettings."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        fix = f"{sys.executable} -m pip install 'buildwright[cluster]'"
        raise ToolMissing(f"a cluster needs packages that are not installed: {', '.join(missing)}", fix=fix)
    if shutil.which("git") is None:
        raise ToolMissing("git is not installed", fix="install git with your system's packages")
    for server in _servers(settings):
        server.program()


def _servers(settings: Settings) -> tuple[LocalServer, ...]:
    return LocalServer(settings.cluster / "postgres", POSTGRES), LocalServer(settings.cluster / "redis", REDIS)


def _alone(folder: Path) -> AbstractContextManager[None]:
    """Hold a lock, so that one `up` or `down` runs at a time in this home. Raises Conflict."""
    what = "another `cluster up` or `cluster down` is at work in this home"
    taken = Conflict(what, fix="wait until it is done, then see `buildwright cluster status`")
    return locked(folder / "command.lock", taken)


async def _until_ready(folder: Path, supervisor: ProcessId, size: ClusterSize, output: Output) -> None:
    """Wait until the supervisor has started all servers and `size` workers. Raises CouldNot."""
    said, state = "", dict[str, Any]()
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                state = load(folder / STATE) or {}
                if state.get("keeper", [0])[0] == supervisor.pid and is_settled(state, size):
                    return
                if not supervisor.alive:
                    raise CouldNot("the cluster's supervisor has ended", fix=f"see {folder / LOG}")
                news = "Starting workers ..." if state.get("database_url") else "Starting servers ..."
                news = state.get("trouble") or news
                if news != said:
                    output.say(news)
                    said = news
                _check_deaths(folder, state.get("workers", {}))
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        why = state.get("trouble") or "it takes too long"
        raise CouldNot(f"the cluster is not ready: {why}", fix=f"see {folder / LOG}") from None


async def _until_signed_on(folder: Path) -> None:
    """Wait until every worker of the supervisor has signed on in the action queue. Raises CouldNot."""
    missing = dict[str, Any]()
    try:
        async with asyncio.timeout(_READY_SECONDS), local_session() as app:
            while True:
                started = (load(folder / STATE) or {}).get("workers", {})
                on_board = {worker.holder.split(":")[-2] for worker in await app.board.workers()}
                missing = {name: worker for name, worker in started.items() if str(worker["pid"]) not in on_board}
                if started and not missing:
                    return
                _check_deaths(folder, missing)
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        log = folder / "workers" / next(iter(missing), "w1") / "worker.log"
        raise CouldNot(f"workers do not start: {', '.join(missing)}", fix=f"see {log}") from None


def _check_deaths(folder: Path, workers: dict[str, Any]) -> None:
    """Raise CouldNot when a worker has died four times."""
    for name, worker in workers.items():
        if worker["deaths"] >= _MOST_DEATHS:
            log = folder / "workers" / name / "worker.log"
            raise CouldNot(f"worker {name} keeps ending", fix=f"see {log}")


async def _unfinished() -> int | None:
    """Return the number of builds that have not ended; None when the database does not answer."""
    try:
        async with local_session() as app:
            return sum(1 for row in await app.builds.rows(limit=10_000) if not row.outcome)
    except CouldNot:
        return None


async def _end(settings: Settings, now: bool, output: Output) -> None:
    """End the supervisor and all it runs; when it has died, end what it left running. Raises CouldNot."""
    supervisor = supervisor_of(settings.cluster)
    output.say("Ending the workers, Redis and PostgreSQL ...")
    if supervisor is None:
        await Supervisor(settings.cluster, {}, _worker_command, output.say).end(at_once=now)
        return
    send(supervisor, signal.SIGQUIT if now else signal.SIGTERM)
    if not await ended(supervisor, _END_SECONDS):
        fix = f"see {settings.cluster / LOG}, or try `buildwright cluster down --now`"
        raise CouldNot("the cluster does not end", fix=fix)


class ServerRow(NamedTuple):
    """A server that the supervisor of this home keeps alive, as `cluster status` shows it."""

    title: str
    pid: int
    alive: bool
    port: int
    version: str


class ClusterView(NamedTuple):
    """The cluster as `cluster status` shows it."""

    up: bool = False
    database: str = ""
    """Host, port and name of the database, without user and password."""
    supervisor: ProcessId | None = None
    """None when no supervisor of this home keeps the servers."""
    servers: tuple[ServerRow, ...] = ()
    trouble: str = ""
    unreachable: str = ""
    """Why the action queue could not be read; "" when it could."""
    workers: tuple[WorkerRow, ...] = ()
    posted: tuple[QueuedAction, ...] = ()
    now: datetime | None = None
    """The time by the clock of the database."""

    @property
    def in_flight(self) -> list[QueuedAction]:
        return [row for row in self.posted if row.live]

    @property
    def waiting(self) -> list[QueuedAction]:
        return [row for row in self.posted if row.wanted and not row.live]


async def _look_at(settings: Settings) -> ClusterView:
    """Return the cluster that these settings name. Raises CouldNot when its own files cannot be read."""
    if not settings.database_url:
        return ClusterView()
    url = urlsplit(settings.database_url)
    view = ClusterView(True, f"{url.hostname}:{url.port or 5432}{url.path}")
    ours = not settings.names_cluster
    state = load(settings.cluster / STATE) if ours else None
    if state:
        found = [(server.kind.title, server.record) for server in _servers(settings)]
        rows = tuple(
            ServerRow(title, one.process.pid, one.process.alive, one.port, one.version) for title, one in found if one
        )
        view = view._replace(supervisor=ProcessId(*state["keeper"]), servers=rows, trouble=state.get("trouble", ""))
    if dead := [server.title for server in view.servers if not server.alive]:
        return view._replace(unreachable=f"{' and '.join(dead)} does not run")
    try:
        async with local_session() as app:
            workers, posted = await app.board.workers(), await app.board.board()
            return view._replace(workers=tuple(workers), posted=tuple(posted), now=await app.board.time())
    except CouldNot as error:
        return view._replace(unreachable=str(error))


def _fields(view: ClusterView) -> dict[str, Any]:
    """Return the view as `--json` prints it. Durations are in seconds."""
    supervisor = view.supervisor
    return {
        "up": view.up,
        "database": view.database,
        "supervisor": None if supervisor is None else {"pid": supervisor.pid, "alive": supervisor.alive},
        "servers": [server._asdict() for server in view.servers],
        "trouble": view.trouble,
        "unreachable": view.unreachable,
        "workers": [
            worker._asdict() | {"state": state_of(worker), "report": _report(worker)} for worker in view.workers
        ],
        "actions": [_action_fields(view, row) for row in view.in_flight],
        "waiting": [_action_fields(view, row) for row in view.waiting],
    }


def _action_fields(view: ClusterView, row: QueuedAction) -> dict[str, Any]:
    return {
        "build": row.build_id,
        "key": row.key,
        "wanted": row.wanted,
        "since": row.wanted_at,
        "waited": (view.now - row.wanted_at).total_seconds() if view.now and not row.live else None,
        "by": _by(view, row),
        "token": row.token,
        "expires_at": row.expires_at,
    }


def _report(worker: WorkerRow) -> dict[str, Any]:
    """Return what a worker last reported of its work, {} when that is not a JSON object."""
    try:
        report = json.loads(worker.report)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _print(output: Output, view: ClusterView) -> None:
    """Print the view for people: servers, workers, actions."""
    _print_servers(output, view)
    if view.unreachable:
        output.say(f"The queue cannot be read: {view.unreachable}", style="red")
        return
    if view.workers:
        output.print()
        _print_workers(output, view)
    else:
        output.print("No worker has started.")
    for title, rows in (("In flight", view.in_flight), ("Waiting", view.waiting)):
        if rows:
            output.print()
            output.print(title, style="bold")
            _print_actions(output, view, rows)
    if not view.posted:
        output.print("Nothing is running, nothing waits.")


def _print_servers(output: Output, view: ClusterView) -> None:
    if view.supervisor is None:
        output.print(f"Database {view.database}")
        return
    for server in view.servers:
        what = f"port {server.port}, process {server.pid}" if server.alive else "does not run"
        output.print(f"{server.title} {server.version}: {what}", style="" if server.alive else "red")
    if view.supervisor.alive:
        output.print(f"Supervisor: process {view.supervisor.pid}")
    else:
        output.print("Supervisor: has died; its servers and workers still run, and are not started again", style="red")
        output.say(typed("To start it again: buildwright cluster up"))
    if view.trouble:
        output.say(view.trouble, style="red")


def _print_workers(output: Output, view: ClusterView) -> None:
    columns = (
        Column("worker"),
        Column("state"),
        Column("busy", right=True),
        Column("done", right=True, leaves=1),
        Column("queue p50", right=True, leaves=2),
        Column("queue p95", right=True),
        Column("silent", right=True, leaves=3),
        Column("host and process", leaves=4),
    )
    rows: list[list[Cell]] = []
    for worker in view.workers:
        report, state = _report(worker), state_of(worker)
        host, _, pid = worker.holder.rpartition(":")[0].rpartition(":")
        rows.append(
            [
                worker.name,
                TableCell(state, _COLOURS[state]),
                f"{worker.busy}/{worker.slots}",
                str(report.get("performed", "")),
                _short(report.get("queue_p50")),
                _short(report.get("queue_p95")),
                _short(worker.silent_seconds),
                f"{host.partition('/')[0]}:{pid}",
            ]
        )
    output.lines(table(columns, rows, output.width))


def _print_actions(output: Output, view: ClusterView, rows: list[QueuedAction]) -> None:
    columns = (Column("build"), Column("action"), Column("since", right=True), Column("by"))
    lines = [
        (
            row.build_id[:8],
            row.key + ("" if row.wanted else " (not wanted any more)"),
            _short((view.now - row.wanted_at).total_seconds() if view.now else None),
            _by(view, row),
        )
        for row in rows
    ]
    output.lines(table(columns, lines, output.width))


def _by(view: ClusterView, row: QueuedAction) -> str:
    """Return the name of the worker that has the action, else its holder; "" when no worker has it."""
    names = {worker.holder: worker.name for worker in view.workers}
    return names.get(row.holder, row.holder) if row.live else ""


def _short(seconds: float | None) -> str:
    """Format seconds for a narrow column; "" for None."""
    if not isinstance(seconds, int | float):
        return ""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
