"""Runs a build in the foreground: the live view, Ctrl-C and termination, and the summary at the end. Decides nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from buildwright.cli.exits import Exit, exit_of
from buildwright.cli.invocation import typed
from buildwright.cli.live import LiveView
from buildwright.cli.output import Output
from buildwright.cli.summary import print_summary, summary_fields
from buildwright.cli.wording import Line
from buildwright.core.build import Build

if TYPE_CHECKING:
    from buildwright.wiring import App

_LAST_SECONDS = 2.0
"""After a second Ctrl-C, agents have this long to end before the process does."""


async def drive(app: App, build_id: str, output: Output) -> Build:
    """Run the build until it ends, pauses or is detached from, showing it meanwhile. Raises BuildIsRunning."""
    detach = asyncio.Event()
    view = LiveView(output, app.clock)
    async with view.shown():
        with _signals(view, detach, build_id):
            return await app.run(build_id, on_event=view.on_event, on_log=view.on_log, detach=detach)


async def drive_to_the_end(app: App, build_id: str, output: Output) -> int:
    """Run the build, print its summary, and return the exit code that tells how it ended."""
    build = await drive(app, build_id, output)
    code = exit_of(build)
    if output.json:
        output.data({"type": "summary", "exit": int(code), **summary_fields(build, app.clock.now())})
    elif code is not Exit.INTERRUPTED:
        print_summary(output, build, app.clock.now())
    return code


@contextmanager
def _signals(view: LiveView, detach: asyncio.Event, build_id: str) -> Iterator[None]:
    """Ctrl-C, termination or a closed terminal: once detaches from the build, twice ends the process."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def on_signal() -> None:
        if detach.is_set():
            if task is not None:
                task.cancel()
            loop.call_later(_LAST_SECONDS, os._exit, Exit.INTERRUPTED)
            return
        detach.set()
        view.say(Line("pause", "letting go; what is recorded is safe (again: end at once)"))
        view.say(Line("again", typed(f"go on with: buildwright run {build_id}")))

    # What is ignored when we start (nohup, a background job of a script) stays ignored.
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    watched = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]
    for number in watched:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    except asyncio.CancelledError:
        if detach.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in watched:
            loop.remove_signal_handler(number)


async def run_detached(app: App, build_id: str, output: Output) -> int:
    """Start a process of its own that runs the build, and tell where to look. Returns the exit code."""
    log = app.settings.home / "detached" / f"{build_id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "buildwright",
            "run",
            build_id,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    if output.json:
        output.data({"build": build_id, "detached": True, "pid": process.pid, "log": log})
        return Exit.DONE
    output.print(build_id)
    output.say(f"It runs on its own (process {process.pid}); its output goes to {log}.")
    output.say(typed(f"Watch it: buildwright status {build_id[:8]} --watch"))
    return Exit.DONE
