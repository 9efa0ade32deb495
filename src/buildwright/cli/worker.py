"""The verb `worker`: runs this process as a worker of a cluster. Must never hold an engine rule."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.session import keep_warnings
from buildwright.errors import BadSettings, Refused
from buildwright.settings import Settings


async def worker(
    *,
    slots: Annotated[int, Parameter(help="Agents at once in this worker, and as many checks and merges.")] = 2,
    name: Annotated[str, Parameter(help="What to call it; the name of this machine when left out.")] = "",
    json: Annotated[bool, Parameter(help="The log as JSON lines, also on a terminal.")] = False,
    metrics_port: Annotated[int, Parameter(help="Serve metrics for Prometheus on this port; 0 for not at all.")] = 0,
) -> None:
    """Carry out actions of builds for as long as it runs, together with all workers of the same database.

    Needs DATABASE_URL, REDIS_URL and BUILDWRIGHT_HUB, and a BUILDWRIGHT_HOME of its own. Keys of models come from
    its environment. Ctrl-C or termination saves what it has, and other workers take over at once.
    """
    import asyncio
    import signal
    import socket
    import sys

    from buildwright.maintenance.files import tidy
    from buildwright.maintenance.retention_rules import default_age
    from buildwright.telemetry.logs import open_log
    from buildwright.wiring import masker_of
    from buildwright.wiring.worker import app_when_there, work

    if slots < 1:
        raise Refused(f"--slots {slots} leaves no room for work", fix="give 1 or more")
    settings = Settings.load()
    if not settings.redis_url:
        raise BadSettings(
            "a worker needs the database, Redis and the hub that all workers share",
            fix="set DATABASE_URL, REDIS_URL and BUILDWRIGHT_HUB, or let `buildwright cluster up` start workers here",
        )
    if not 0 <= metrics_port <= 65535:
        raise Refused(f"--metrics-port {metrics_port} is not a port", fix="give one from 1 to 65535, or 0 for none")
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    called = name or socket.gethostname()
    log = open_log(sys.stdout, masker_of(settings), json=json or not sys.stdout.isatty(), worker=called)
    age = default_age(settings.environment)
    async with app_when_there(settings, ending, log) as app:
        if app is not None:
            keep_warnings(settings.home / "warnings.log")
            home, environment, builds, clock = settings.home, settings.environment, app.builds, app.clock
            host = environment.get("BUILDWRIGHT_METRICS_HOST", "") or "127.0.0.1"
            with app.telemetry.serving(host, metrics_port, log):
                await work(app, called, slots, ending, log, lambda: tidy(home, environment, builds, clock.now(), age))
