"""What `cluster status` shows: servers, workers, what is in flight, what waits. Shows no URL: passwords stand in them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from buildwright.wiring.crew import state_of

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.cli.table import Cell
    from buildwright.jobs.processes import Known
    from buildwright.jobs.server_life import Facts
    from buildwright.ports import Posted, WorkerRow
    from buildwright.settings import Settings


class View(NamedTuple):
    """A cluster as it is seen from here."""

    up: bool
    database: str
    """Host, port and name."""
    keeper: Known | None
    """None when the servers are not kept on this machine."""
    servers: tuple[Facts, ...]
    trouble: str
    unreachable: str
    """Why the board could not be asked; "" when it could."""
    workers: tuple[WorkerRow, ...]
    posted: tuple[Posted, ...]
    now: datetime | None
    """By the clock of the database."""


async def look_at(settings: Settings) -> View:
    """The cluster of these settings. Raises CouldNot when its own files cannot be read."""
    from buildwright.cli.session import session
    from buildwright.errors import CouldNot
    from buildwright.jobs.keeper import STATE
    from buildwright.jobs.processes import Known
    from buildwright.jobs.servers import PostgresServer, RedisServer
    from buildwright.jobs.state import load
    from buildwright.settings import SHARED

    if not settings.database_url:
        return View(False, "", None, (), "", "", (), (), None)
    ours = not any(settings.environment.get(name) for name in SHARED)
    state = (load(settings.cluster / STATE) if ours else None) or {}
    kept = (PostgresServer(settings.cluster / "postgres"), RedisServer(settings.cluster / "redis")) if state else ()
    servers = tuple(facts for facts in (server.facts() for server in kept) if facts is not None)
    url = urlsplit(settings.database_url)
    where = f"{url.hostname}:{url.port or 5432}{url.path}"
    view = View(
        True, where, Known(*state["keeper"]) if state else None, servers, state.get("trouble", ""), "", (), (), None
    )
    if any(not server.alive for server in servers):
        gone = " and ".join(server.title for server in servers if not server.alive)
        return view._replace(unreachable=f"{gone} does not run")
    try:
        async with session(here=True) as app:
            workers, posted = await app.board.workers(), await app.board.board()
            return view._replace(workers=tuple(workers), posted=tuple(posted), now=await app.board.time())
    except CouldNot as error:
        return view._replace(unreachable=str(error))


def fields_of(view: View) -> dict[str, Any]:
    """The view as a JSON object. Times in seconds."""
    keeper = view.keeper
    return {
        "up": view.up,
        "database": view.database,
        "keeper": None if keeper is None else {"pid": keeper.pid, "alive": keeper.alive},
        "servers": [server._asdict() for server in view.servers],
        "trouble": view.trouble,
        "unreachable": view.unreachable,
        "workers": [_worker_fields(worker) for worker in view.workers],
        "actions": [_action_fields(view, row) for row in view.posted if row.live],
        "waiting": [_action_fields(view, row) for row in view.posted if row.wanted and not row.live],
    }


def say_what_runs(output: Output, view: View) -> None:
    """The cluster in two lines."""
    for server in view.servers:
        output.print(f"{server.title} {server.version} on 127.0.0.1, port {server.port}, process {server.pid}")
    slots = sum(worker.slots for worker in view.workers)
    count = len(view.workers)
    output.print(f"{count} {'worker' if count == 1 else 'workers'} with {slots} {'slot' if slots == 1 else 'slots'}")


def print_view(output: Output, view: View) -> None:
    """Everything, for people."""
    _print_servers(output, view)
    if view.unreachable:
        output.say(f"The board cannot be asked: {view.unreachable}", style="red")
        return
    if view.workers:
        output.print()
        _print_workers(output, view)
    else:
        output.print("No worker has signed on.")
    for title, rows in (
        ("In flight", [row for row in view.posted if row.live]),
        ("Waiting", [row for row in view.posted if row.wanted and not row.live]),
    ):
        if rows:
            output.print()
            output.print(title, style="bold")
            _print_actions(output, view, rows)
    if not view.posted:
        output.print("Nothing is in flight, nothing waits.")


def _print_servers(output: Output, view: View) -> None:
    from buildwright.cli.invocation import typed

    if view.keeper is None:
        output.print(f"Database {view.database}")
        return
    for server in view.servers:
        what = f"port {server.port}, process {server.pid}" if server.alive else "does not run"
        output.print(f"{server.title} {server.version}: {what}", style="" if server.alive else "red")
    if view.keeper.alive:
        output.print(f"Keeper: process {view.keeper.pid}")
    else:
        output.print("Keeper: has died; what it kept runs on, and is not started again", style="red")
        output.say(typed("To bring it back: buildwright cluster up"))
    if view.trouble:
        output.say(view.trouble, style="red")


def _print_workers(output: Output, view: View) -> None:
    from buildwright.cli.table import Column, Piece, table

    colours = {"alive": "green", "suspect": "yellow", "gone": "red"}
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
        fields = _worker_fields(worker)
        rows.append(
            [
                worker.name,
                Piece(state_of(worker), colours[state_of(worker)]),
                f"{worker.busy}/{worker.slots}",
                str(fields["report"].get("performed", "")),
                _short(fields["report"].get("queue_p50")),
                _short(fields["report"].get("queue_p95")),
                _short(worker.silent_seconds),
                _place(worker.holder),
            ]
        )
    output.lines(table(columns, rows, output.width))


def _print_actions(output: Output, view: View, rows: list[Posted]) -> None:
    from buildwright.cli.table import Column, table

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


def _worker_fields(worker: WorkerRow) -> dict[str, Any]:
    try:
        report = json.loads(worker.report)
    except ValueError:
        report = {}
    return worker._asdict() | {"state": state_of(worker), "report": report if isinstance(report, dict) else {}}


def _action_fields(view: View, row: Posted) -> dict[str, Any]:
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


def _by(view: View, row: Posted) -> str:
    """The name of the worker that has the action, else the holder itself; "" when nobody has it."""
    if not row.live:
        return ""
    names = {worker.holder: worker.name for worker in view.workers}
    return names.get(row.holder, row.holder)


def _place(holder: str) -> str:
    """`host:pid` of a holder string."""
    host, _, pid = holder.rpartition(":")[0].rpartition(":")
    return f"{host.partition('/')[0]}:{pid}"


def _short(seconds: float | None) -> str:
    if not isinstance(seconds, int | float):
        return ""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
