"""Runs a build in the foreground: live view, Ctrl-C, termination, summary. Must never decide what the build does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from buildwright.cli.argv0 import typed
from buildwright.cli.event_text import EventLine
from buildwright.cli.exit_codes import Exit, exit_for, exit_of
from buildwright.cli.github_actions import ActionsGroups, in_actions
from buildwright.cli.live import LiveView, status_line
from buildwright.cli.output import Output, one_line
from buildwright.cli.reporting import PLAIN, Reporting, report_end
from buildwright.cli.runners_text import nobody, nobody_there
from buildwright.cli.summary import estimate_words, outcome_words, print_summary, summary_fields
from buildwright.core.build import Build
from buildwright.core.event import PlanMade, Recorded
from buildwright.engine.commands import PauseBuild
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import BuildwrightError
from buildwright.store.kept_views import keep_view
from buildwright.wiring.estimate import awaited_estimate, begun_estimate, outcome_of
from buildwright.wiring.notify import Notifier, listeners_of

if TYPE_CHECKING:
    from buildwright.client import Client

_LAST_SECONDS = 2.0
"""Seconds that agents have to end after a second Ctrl-C, before the process ends."""


async def drive(
    app: Client, build_id: str, output: Output, since: Build | None = None, reporting: Reporting = PLAIN
) -> Build:
    """Run the build and show it until it ends, waits for the user, or the user detaches. Raises BuildIsRunning.

    With `since`, an older state of the build, the events after that state are shown first.
    """
    detach = asyncio.Event()
    leave = "leave" if app.in_cluster or app.elsewhere else "stop safely"
    view = LiveView(output, app.clock, detail=reporting.detail, pause=toggled(app), leave=leave)
    view.build = since or await app.builds.load(build_id)
    listeners = listeners_of(app.settings.user_file, reporting.notify)
    notifier = Notifier(listeners, lambda trouble: output.say(f"warning: {trouble}", style="yellow", wrap=True))
    groups = ActionsGroups(output, view.build) if in_actions() and reporting.folds(output) else None
    told = [view.on_event, *([groups.see] if groups is not None else []), *([notifier.see] if listeners else [])]
    estimating = _Estimating(app, view)
    if reporting.detail != "none" and not output.json:
        told.append(estimating.see)

    def on_event(recorded: Recorded, build: Build) -> None:
        for tell in told:
            tell(recorded, build)

    try:
        async with view.shown():
            with _signals(app, view, detach, build_id):
                return await app.run(build_id, on_event, view.on_log, detach, since=since)
    finally:
        await estimating.close()
        if groups is not None:
            groups.close()
        await notifier.close()


class _Estimating:
    """Says what a plan that a model has made is likely to take, as its first agents begin. Of a list that is said before."""

    def __init__(self, app: Client, view: LiveView) -> None:
        self._app = app
        self._view = view
        self._telling: asyncio.Task[None] | None = None

    def see(self, recorded: Recorded, build: Build) -> None:
        """Begin to make the estimate when the plan is there."""
        if isinstance(recorded.event, PlanMade) and build.spec.graph is None:
            self._telling = asyncio.create_task(self._tell(build))

    async def close(self) -> None:
        """Wait for an estimate that is being made."""
        if self._telling is not None:
            await asyncio.gather(self._telling, return_exceptions=True)

    async def _tell(self, build: Build) -> None:
        with suppress(BuildwrightError):  # an estimate is no reason to hold a build up
            if (found := await begun_estimate(self._app.builds, build)) is not None:
                self._view.say(EventLine("dot", estimate_words(found)))


def toggled(app: Client) -> Callable[[Build], Awaitable[object]]:
    """Return what pauses a build, or lets one go on that its user has paused. Raises BuildwrightError, awaited."""

    def toggle(build: Build) -> Awaitable[object]:
        return app.ask(build.id, ResumeBuild() if build.pause is not None else PauseBuild())

    return toggle


async def drive_to_the_end(
    app: Client,
    build_id: str,
    output: Output,
    reporting: Reporting = PLAIN,
    *,
    introduce: bool = False,
    since: Build | None = None,
) -> int:
    """Run the build as `drive` does, print its summary, and return the exit code that tells how it ended.

    With `introduce` it says first which build it takes up, and where that stands.
    """
    if introduce and not (output.json or reporting.quiet):
        build = await app.builds.load(build_id)
        output.say(f"Build {build.id}")
        output.say(f"{one_line(build.spec.title)}: {status_line(build, app.clock.now())}")
    build, code = await tell_end(app, await drive(app, build_id, output, since, reporting), output)
    await report_end(app, build, output, reporting)
    return code


async def tell_end(app: Client, build: Build, output: Output) -> tuple[Build, Exit]:
    """Print the summary of a build that is no longer watched.

    Returns the build with its place of delivery, and the exit code that tells its state.
    """
    build, late = await brought_home(app, build, output)
    code = late or exit_of(build)
    known = awaited = None
    with suppress(BuildwrightError):  # how it went is told all the same
        known, awaited = await outcome_of(app.builds, build), await awaited_estimate(app.builds, build)
    if output.json:
        missing = nobody_there(await app.crew(build.id), build.id)
        summary = summary_fields(build, app.clock.now(), missing=missing)
        fields = {
            **summary,
            "estimated": known and known.model_dump(mode="json"),
            "estimate": awaited and awaited.model_dump(mode="json"),
        }
        output.data({"type": "summary", "exit": int(code), **fields})
    elif code is not Exit.INTERRUPTED:
        print_summary(output, build, app.clock.now())
        if known is not None:
            output.say(outcome_words(known), wrap=True)
        if awaited is not None:
            output.say(estimate_words(awaited), wrap=True)
    return build, code


async def brought_home(app: Client, build: Build, output: Output) -> tuple[Build, Exit]:
    """Bring the result from the hub to the user's repository unless it is there, and say so; keep the build's view.

    Returns the build with its place of delivery, and Exit.DONE or the exit code of the error that prevented it.
    """
    try:
        there, now = await app.bring_home(build)
    except BuildwrightError as error:
        place = build.delivered.rpartition(" ")[0] or "the hub"
        output.say(f"error: the result is in {place}; it cannot be brought to {build.repository}: {error}", style="red")
        fix = f"{error.fix.rstrip('.')}; then: " if error.fix else ""
        output.say(typed(f"  fix: {fix}buildwright run {build.id[:8]}"))
        return build, exit_for(error)
    if now:
        output.say(f"The result was brought from the hub to {there.repository}.")
    if not (app.elsewhere or app.in_cluster):
        keep_view(app.settings.home, there, app.clock.now())
    return there, Exit.DONE


@contextmanager
def _signals(app: Client, view: LiveView, detach: asyncio.Event, build_id: str) -> Iterator[None]:
    """Handle Ctrl-C, termination and a closed terminal: the first detaches, the second ends the process."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def on_signal() -> None:
        if detach.is_set():
            view.release()  # the process may end without another word
            if task is not None:
                task.cancel()
            loop.call_later(_LAST_SECONDS, os._exit, Exit.INTERRUPTED)
            return
        detach.set()
        if app.in_cluster:
            view.say(EventLine("pause", "no longer watching; the workers continue the build"))
            view.say(EventLine("again", typed(f"watch it: buildwright run {build_id[:8]}")))
            view.say(EventLine("again", typed(f"end it: buildwright stop {build_id[:8]}")))
            return
        view.say(EventLine("pause", "stopping safely; nothing is lost (again: stop at once)"))
        view.say(EventLine("again", typed(f"continue it with: buildwright run {build_id}")))

    # A signal that is ignored when we start (nohup, a background job of a script) stays ignored.
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


async def run_detached(app: Client, build_id: str, output: Output, reporting: Reporting = PLAIN) -> int:
    """Leave the build to the workers, or to a new process, and say how to watch it. Returns the exit code."""
    if app.in_cluster:
        return await _left_to_workers(app, build_id, output)
    pid, log = await run_in_background(app, build_id, reporting)
    said = f"It runs in the background (process {pid}); its output goes to {log}."
    return _tell_detached(output, build_id, {"pid": pid, "log": log}, said)


async def run_in_background(app: Client, build_id: str, reporting: Reporting = PLAIN) -> tuple[int, Path]:
    """Start a process of its own that runs the build; return its number, and the file for its output."""
    log = app.settings.home / "detached" / f"{build_id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "buildwright",
            "run",
            build_id,
            *reporting.arguments(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    return process.pid, log


def left_to_its_process(build_id: str, output: Output) -> int:
    """Say that the process that runs a build takes in what was changed of it. Returns the exit code."""
    return _tell_detached(output, build_id, {"pid": None, "log": None}, "The process that runs it takes that in.")


async def _left_to_workers(app: Client, build_id: str, output: Output) -> int:
    """Say that the workers carry the build out, or that it waits for one. Returns the exit code."""
    crew = await app.crew(build_id)
    said = "The workers run it." if crew.is_there else f"It waits for workers. {nobody(crew, build_id)}"
    return _tell_detached(output, build_id, {"pid": None, "log": None, "workers": crew.workers}, said)


def _tell_detached(output: Output, build_id: str, fields: dict[str, object], said: str) -> Exit:
    """Say what carries the build out from now on, and how to watch it; return the exit code."""
    if output.json:
        output.data({"build": build_id, "detached": True, **fields})
        return Exit.DONE
    output.print(build_id)
    output.say(said)
    output.say(typed(f"Watch it: buildwright status {build_id[:8]} --watch"))
    return Exit.DONE
