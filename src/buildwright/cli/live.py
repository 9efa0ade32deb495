"""The live view of a build: lines that stay, and below them one region that changes. Must never clear the screen.

Without a terminal there are only the lines. With `--json` there is only one JSON line on stdout for each event.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

from buildwright.cli.event_text import STYLES, EventLine, count, tell
from buildwright.cli.output import Output, one_line
from buildwright.cli.table import duration, money, tokens
from buildwright.core.build import Build
from buildwright.core.event import Recorded, event_fields
from buildwright.ports import Clock, LogEntry
from buildwright.views.overview import headline, running_tasks, seconds_of, task_counts

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from buildwright.stream_client import Notice

_REFRESH_SECONDS = 0.2
_MOST_RUNNING = 8
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class LiveView:
    """The live view of one build. It is given every event and log entry, and prints those that people need."""

    def __init__(self, output: Output, clock: Clock) -> None:
        self._output = output
        self._clock = clock
        self.build: Build | None = None
        """The newest state, which the region shows; None before the first event."""
        self._doing: dict[str, str] = {}
        self._frame = 0

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[LiveView]:
        """Show the changing region until the end of the block, if the terminal can redraw one."""
        if self._output.json or not self._output.can_animate:
            yield self
            return
        from rich.live import Live

        console = self._output.talk
        with Live(self, console=console, transient=True, auto_refresh=False, redirect_stdout=False) as live:
            ticker = asyncio.create_task(self._tick(live))
            try:
                yield self
            finally:
                ticker.cancel()
                await asyncio.gather(ticker, return_exceptions=True)

    def on_event(self, recorded: Recorded, build: Build) -> None:
        """Print the line of an event; `build` is the state after it."""
        self.build = build
        if self._output.json:
            self._output.data({"build": build.id, **event_fields(recorded)})
            return
        line = tell(recorded, build)
        if line is not None:
            self.say(line)

    def on_log(self, entry: LogEntry) -> None:
        """Remember what a task does now, for the next refresh of the region."""
        text = one_line(entry.text, 100)
        if entry.task and text:
            self._doing[entry.task] = f"{entry.kind}: {text}"

    def notice(self, notice: Notice) -> None:
        """Say that the connection to the server is lost, or is back."""
        self.say(EventLine("again" if notice.connected else "pause", notice.text))

    def say(self, line: EventLine) -> None:
        """Print a line that stays."""
        sign = getattr(self._output.glyphs, line.tone)
        self._output.say(f"{sign} {line.text}", style=STYLES[line.tone])

    def __rich__(self) -> RenderableType:
        """Return the region as it is now. Rich calls this at each refresh, and for each line printed between two."""
        if self.build is None:
            return ""
        return region(self.build, self._clock.now(), self._doing, self._frame, self._output)

    async def _tick(self, live: Live) -> None:
        """Redraw the region a few times a second, until cancelled."""
        while True:
            self._frame += 1
            live.refresh()
            await asyncio.sleep(_REFRESH_SECONDS)


def region(build: Build, now: datetime, doing: dict[str, str], frame: int, output: Output) -> RenderableType:
    """Return the changing region: one line for the build, and one for each running task that fits.

    `doing` has what each task does now; `frame` counts the refreshes and turns the spinner.
    """
    from rich.console import Group
    from rich.text import Text

    fancy = output.glyphs.more == "…"
    spinner = _SPINNER[frame % len(_SPINNER)] if fancy else "|/-\\"[frame % 4]
    lines = [Text(f"{spinner} {status_line(build, now)}", style="bold", no_wrap=True, overflow="ellipsis")]
    running = running_tasks(build)
    room = max(1, min(_MOST_RUNNING, output.talk.height - 4))
    for task_id in running[:room]:
        state = build.task(task_id)
        took = (now - (state.attempt_at or now)).total_seconds()
        again = f" attempt {state.attempt}" if state.attempt > 1 else ""
        text = f"  {task_id}  {state.phase.value}{again} {duration(max(0.0, took))}  {doing.get(task_id, '')}"
        lines.append(Text(text.rstrip(), style="dim", no_wrap=True, overflow="ellipsis"))
    if len(running) > room:
        lines.append(Text(f"  and {len(running) - room} more", style="dim"))
    return Group(*lines)


def status_line(build: Build, now: datetime) -> str:
    """Return the build in one line: state, tasks, time, tokens and money."""
    counts = task_counts(build)
    done = counts.pop("done", 0)
    parts = [headline(build)]
    if build.total:
        parts.append(f"{done} of {count(build.total, 'task')} done")
        parts += [f"{number} {phase}" for phase, number in counts.items()]
    parts.append(duration(seconds_of(build, now)))
    if build.usage.tokens:
        parts.append(f"{tokens(build.usage.tokens)} tokens")
        parts.append(money(build.usage.cost_usd) + (" + unpriced" if build.usage.unpriced else ""))
    return "  ".join(parts)
