"""`cluster`: PostgreSQL, Redis and workers on this machine: start, end, look at. Holds no server: `jobs` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from buildwright.cli.invocation import typed

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.jobs.keeper import Wanted
    from buildwright.settings import Settings

cluster = App(name="cluster", help_format="plaintext", version_flags=(), default_parameter=Parameter(negative=()))

_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]
_READY_SECONDS = 120.0
_END_SECONDS = 120.0
_LOOK_SECONDS = 0.1
_PACKAGES = ("asyncpg", "celery", "redis")
_MOST_DEATHS = 4


@cluster.command
async def up(
    *,
    workers: Annotated[int | None, Parameter(help="How many workers (4 at first, then as many as before).")] = None,
    slots: Annotated[int | None, Parameter(help="Agents at once in each worker (2 at first, then as before).")] = None,
    json: _Json = False,
) -> int:
    """Start PostgreSQL, Redis and workers on this machine, without root or Docker, and keep them alive.

    From then on builds of this home are carried out by the workers. Again with another number it starts or ends
    workers. Keys of models are those of the environment in which the cluster was started.
    """
    from buildwright.cli.cluster_view import fields_of, look_at, say_what_runs
    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.jobs.keeper import keeper_of, own_command, start_keeper, want
    from buildwright.settings import Settings

    output, settings = Output(json), Settings.load()
    _own(settings)
    wish = _wish(settings, workers, slots)
    await _check_tools(settings)
    with _alone(settings.cluster):
        want(settings.cluster, wish)
        keeper = keeper_of(settings.cluster)
        if keeper is None:
            keeper = start_keeper(settings.cluster, settings.environment, own_command("cluster", "keep"))
        await _until_ready(settings.cluster, keeper.pid, wish, output)
        await _until_signed_on(settings.cluster)
    view = await look_at(Settings.load())
    if output.json:
        output.data(fields_of(view))
        return Exit.DONE
    say_what_runs(output, view)
    output.say(
        typed("Builds of this home are now carried out by the workers. Next: buildwright build SPEC --repo PATH")
    )
    return Exit.DONE


@cluster.command
async def down(
    *,
    now: Annotated[bool, Parameter(help="Do not wait until the workers have put down what they have.")] = False,
    json: _Json = False,
) -> int:
    """End the workers, Redis and PostgreSQL of this machine. Builds are kept, and `cluster up` goes on with them."""
    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.jobs.keeper import STATE
    from buildwright.settings import Settings

    output, settings = Output(json), Settings.load()
    _own(settings)
    if not (settings.cluster / STATE).exists():
        if output.json:
            output.data({"up": False, "unfinished": None})
        else:
            output.print(f"No cluster is up in {settings.home}.")
        return Exit.DONE
    with _alone(settings.cluster):
        unfinished = await _unfinished()
        await _end(settings, now, output)
    if output.json:
        output.data({"up": False, "unfinished": unfinished})
        return Exit.DONE
    output.print("The cluster is down. What was built is kept.")
    if unfinished:
        which = "1 build is" if unfinished == 1 else f"{unfinished} builds are"
        output.say(typed(f"{which} unfinished. To go on: buildwright cluster up"))
    return Exit.DONE


@cluster.command
async def status(*, json: _Json = False) -> int:
    """Show the servers and workers, what they do, how long work waits, and what waits now.

    Shows the cluster of this home, or the one that DATABASE_URL, REDIS_URL and BUILDWRIGHT_HUB name.
    """
    from buildwright.cli.cluster_view import fields_of, look_at, print_view
    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.settings import Settings

    output, settings = Output(json), Settings.load()
    view = await look_at(settings)
    if output.json:
        output.data(fields_of(view))
    elif not view.up:
        output.print(f"No cluster is up in {settings.home}.")
        output.say(typed("Next: buildwright cluster up"))
    else:
        print_view(output, view)
    return Exit.UNREACHABLE if view.unreachable else Exit.DONE


@cluster.command(show=False)
async def keep() -> int:
    """Keep the cluster of this home alive until told to end. Started by `cluster up`."""
    from buildwright.cli.exits import Exit
    from buildwright.jobs.keeper import Keeper, own_command
    from buildwright.settings import Settings

    def worker(name: str, slots: int) -> list[str]:
        return own_command("worker", "--name", name, "--slots", str(slots))

    settings = Settings.load()
    await Keeper(settings.cluster, settings.environment, worker).run()
    return Exit.DONE


def _own(settings: Settings) -> None:
    """Refuse where the environment names a cluster: its servers are somebody else's. Raises BadSettings."""
    from buildwright.errors import BadSettings
    from buildwright.settings import SHARED

    named = [name for name in SHARED if settings.environment.get(name)]
    if named:
        raise BadSettings(
            f"{', '.join(named)} name a cluster already, whose servers are not kept here",
            fix=f"start a worker of it with `buildwright worker`, or first: unset {' '.join(named)}",
        )


def _wish(settings: Settings, workers: int | None, slots: int | None) -> Wanted:
    from buildwright.errors import Refused
    from buildwright.jobs.keeper import Wanted, wanted

    before = wanted(settings.cluster) or Wanted()
    wish = Wanted(before.workers if workers is None else workers, before.slots if slots is None else slots)
    if not 1 <= wish.workers <= 64:
        raise Refused(f"--workers {wish.workers} cannot be", fix="give 1 to 64")
    if not 1 <= wish.slots <= 64:
        raise Refused(f"--slots {wish.slots} cannot be", fix="give 1 to 64")
    return wish


async def _check_tools(settings: Settings) -> None:
    """What can be known beforehand. Raises ToolMissing, BadSettings."""
    import sys
    from importlib.util import find_spec

    from buildwright.errors import ToolMissing
    from buildwright.jobs.programs import find_postgres, find_redis

    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        fix = f"{sys.executable} -m pip install 'buildwright[cluster]'"
        raise ToolMissing(f"a cluster needs packages that are not installed: {', '.join(missing)}", fix=fix)
    await find_postgres(settings.cluster / "postgres" / "data")
    await find_redis()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One `up` or `down` at a time. Raises Conflict."""
    import os

    from buildwright.errors import Conflict
    from buildwright.jobs.state import try_lock

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = try_lock(folder / "command.lock")
    if lock is None:
        raise Conflict(
            "another `cluster up` or `cluster down` is at work in this home",
            fix="wait until it is done, then see `buildwright cluster status`",
        )
    try:
        yield
    finally:
        os.close(lock)


async def _until_ready(folder: Path, keeper: int, wish: Wanted, output: Output) -> None:
    """Wait until the keeper has what it should keep. Raises CouldNot."""
    import asyncio

    from buildwright.errors import CouldNot
    from buildwright.jobs.keeper import LOG, STATE, is_settled
    from buildwright.jobs.processes import start_of
    from buildwright.jobs.state import load

    said, state = "", None
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                state = load(folder / STATE) or {}
                if state.get("keeper", [0])[0] == keeper and is_settled(state, wish):
                    return
                if not start_of(keeper):
                    raise CouldNot("the keeper of the cluster has ended", fix=f"see {folder / LOG}")
                news = state.get("trouble") or (
                    "Starting workers ..." if state.get("database_url") else "Starting servers ..."
                )
                if news != said:
                    output.say(news)
                    said = news
                for name, worker in state.get("workers", {}).items():
                    if worker["deaths"] >= _MOST_DEATHS:
                        log = folder / "workers" / name / "worker.log"
                        raise CouldNot(f"worker {name} ends again and again", fix=f"see {log}")
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        why = (state or {}).get("trouble") or "it takes too long"
        raise CouldNot(f"the cluster is not ready: {why}", fix=f"see {folder / LOG}") from None


async def _until_signed_on(folder: Path) -> None:
    """Wait until every worker that is kept here stands on the board. Raises CouldNot."""
    import asyncio

    from buildwright.cli.session import session
    from buildwright.errors import CouldNot
    from buildwright.jobs.keeper import STATE
    from buildwright.jobs.state import load

    missing: list[str] = []
    try:
        async with asyncio.timeout(_READY_SECONDS), session(here=True) as app:
            while True:
                state = load(folder / STATE) or {}
                on_board = {worker.holder.split(":")[-2] for worker in await app.board.workers()}
                kept = state.get("workers", {})
                missing = [name for name, worker in kept.items() if str(worker["pid"]) not in on_board]
                if kept and not missing:
                    return
                for name in missing:
                    if kept[name]["deaths"] >= _MOST_DEATHS:
                        raise CouldNot(
                            f"worker {name} ends again and again", fix=f"see {folder / 'workers' / name / 'worker.log'}"
                        )
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        log = folder / "workers" / (missing or ["w1"])[0] / "worker.log"
        raise CouldNot(f"workers do not sign on: {', '.join(missing)}", fix=f"see {log}") from None


async def _unfinished() -> int | None:
    """How many builds of the cluster have not ended; None when it cannot be asked."""
    from buildwright.cli.session import session
    from buildwright.errors import CouldNot

    try:
        async with session(here=True) as app:
            return sum(1 for row in await app.builds.rows(limit=10_000) if not row.outcome)
    except CouldNot:
        return None


async def _end(settings: Settings, now: bool, output: Output) -> None:
    """End the keeper and with it everything, or, where it has died, what it has left. Raises CouldNot."""
    import signal

    from buildwright.errors import CouldNot
    from buildwright.jobs.keeper import LOG, Keeper, keeper_of, own_command
    from buildwright.jobs.processes import ended, send

    keeper = keeper_of(settings.cluster)
    output.say("Ending the workers, Redis and PostgreSQL ...")
    if keeper is None:
        left = Keeper(settings.cluster, {}, lambda *_: own_command(), output.say)
        await left.end(at_once=now)
        return
    send(keeper, signal.SIGQUIT if now else signal.SIGTERM)
    if not await ended(keeper, _END_SECONDS):
        fix = f"see {settings.cluster / LOG}, or try `buildwright cluster down --now`"
        raise CouldNot("the cluster does not end", fix=fix)
