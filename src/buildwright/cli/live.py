"""The live view of a build: lines that stay, and below them one region that changes. Must never clear the screen.

Without a terminal there are only the lines, and a heartbeat that says what runs when there was none for a while. With
`--json` there is only one JSON line on stdout for each event. Where the user can type, keys steer the view and the build.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from buildwright.cli.current_steps import CurrentSteps, waiting_rows
from buildwright.cli.event_text import STYLES, EventLine, tell
from buildwright.cli.keys import Keys, keys_taken
from buildwright.cli.log_text import log_rows
from buildwright.cli.output import Output, clean, shortened
from buildwright.cli.table import duration, tokens
from buildwright.core.build import Build
from buildwright.core.event import Recorded, event_fields
from buildwright.core.figures import count, money
from buildwright.errors import BuildwrightError
from buildwright.ports import Clock, LogEntry
from buildwright.views.overview import headline, running_tasks, seconds_of, task_counts

if TYPE_CHECKING:
    from rich.console import RenderableType

    from buildwright.cli.redrawn import Redrawn
    from buildwright.ports import BuildReader
    from buildwright.stream_client import Notice

_REFRESH_SECONDS = 0.2
_LOOK_BACK = 200
"""Lines at the end of the log that tell what runs."""
_MOST_RUNNING = 8
_MOST_WAITING = 3
_MOST_IN_LINE = 4
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class LiveView:
    """The live view of one build. It is given every event and log entry, and prints those that people need.

    Without a terminal a heartbeat comes after `beat_seconds` without a line. `detail` `none` leaves everything out but
    what the caller says itself; with `all`, log entries are printed as well. `pause` is called with the state of the
    build when the user presses `p`; it pauses the build, or lets one go on that the user has paused. `leave` says what one
    Ctrl-C does, which the key `q` stands for.
    """

    def __init__(
        self,
        output: Output,
        clock: Clock,
        beat_seconds: float = 30.0,
        detail: Literal["none", "events", "all"] = "events",
        pause: Callable[[Build], Awaitable[object]] | None = None,
        leave: str = "leave",
    ) -> None:
        self._output = output
        self._clock = clock
        self.build: Build | None = None
        """The newest state, which the region shows; None before the first event."""
        self._steps = CurrentSteps()
        self._frame = 0
        self._beat_seconds = beat_seconds
        self._detail = detail
        self._said = asyncio.Event()
        self._pause = pause
        self._leave = leave
        self._pausing: asyncio.Task[None] | None = None
        self._left = False
        self._keys: Keys | None = None

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[LiveView]:
        """Show until the end of the block the changing region, or heartbeats where it cannot be redrawn."""
        if self._output.json or self._detail == "none":
            yield self
            return
        if not self._output.can_animate:
            async with _beside(self._beat()):
                yield self
            return
        from buildwright.cli.redrawn import Redrawn

        with Redrawn(self._output.talk, self._drawn) as redrawn:
            async with _beside(self._tick(redrawn)):
                if not self._output.can_ask:
                    yield self
                    return
                with keys_taken(self._on_key) as self._keys:
                    yield self

    def release(self) -> None:
        """Leave the terminal as it was before its keys were taken; nothing happens where they were not."""
        if self._keys is not None:
            self._keys.stop()

    async def look_back(self, journal: BuildReader, build_id: str) -> None:
        """Learn from the end of the log what runs already. Raises StoreFailed."""
        for line in await journal.read_log(build_id, limit=_LOOK_BACK, tail=True):
            self._steps.hear(line)

    def on_event(self, recorded: Recorded, build: Build) -> None:
        """Print the line of an event; `build` is the state after it."""
        self.build = build
        self._steps.see(recorded)
        if self._detail == "none":
            return
        if self._output.json:
            self._output.data({"build": build.id, **event_fields(recorded)})
            return
        line = tell(recorded, build)
        if line is not None:
            self.say(line)

    def on_log(self, entry: LogEntry) -> None:
        """Remember what a task does now, for the next refresh of the region."""
        self._steps.hear(entry)
        if self._detail == "all":
            self._said.set()
            for row in log_rows(entry):
                self._output.say(row, style="dim")

    def notice(self, notice: Notice) -> None:
        """Say that the connection to the server is lost, or is back."""
        self.say(EventLine("again" if notice.connected else "pause", notice.text))

    def say(self, line: EventLine) -> None:
        """Print a line that stays."""
        self._said.set()
        sign = getattr(self._output.glyphs, line.tone)
        self._output.say(f"{sign} {line.text}", style=STYLES[line.tone], wrap=True)

    def _drawn(self) -> RenderableType:
        """Return the region as it is now, for each refresh and each line printed between two."""
        if self.build is None:
            return ""
        keys = self._key_words() if self._keys is not None and self._keys.taken else ""
        return region(self.build, self._clock.now(), self._steps, self._frame, self._output, keys)

    def _key_words(self) -> str:
        """Return what the keys do now."""
        pause = self.build.pause if self.build is not None else None
        toggles = self._pause is not None and (pause is None or pause.reason == "user")
        words = ["p continue" if pause is not None else "p pause"] if toggles else []
        return "  ".join([*words, "l hide the log" if self._detail == "all" else "l show the log", f"q {self._leave}"])

    def _on_key(self, key: str) -> None:
        """Do what the user wants with a key: `p` pauses or continues, `l` shows the log or hides it, `q` is one Ctrl-C."""
        match key.lower():
            case "l":
                self._detail = "events" if self._detail == "all" else "all"
            case "q" if not self._left:
                self._left = True
                signal.raise_signal(signal.SIGINT)
            case "p" if self._pause is not None and self.build is not None and not self._is_pausing():
                self._pausing = asyncio.create_task(self._ask_pause(self._pause(self.build)), name="pause")

    def _is_pausing(self) -> bool:
        return self._pausing is not None and not self._pausing.done()

    async def _ask_pause(self, asked: Awaitable[object]) -> None:
        """Wait for the answer of `pause`, and say why it was refused."""
        try:
            await asked
        except BuildwrightError as error:
            self.say(EventLine("bad", str(error)))

    async def _beat(self) -> None:
        """Say what runs whenever no line has come for a while, until cancelled."""
        while True:
            self._said.clear()
            try:
                async with asyncio.timeout(self._beat_seconds):
                    await self._said.wait()
            except TimeoutError:
                if self.build is not None:
                    self.say(EventLine("dot", heartbeat(self.build, self._clock.now(), self._steps)))

    async def _tick(self, redrawn: Redrawn) -> None:
        """Redraw the region a few times a second, until cancelled."""
        while True:
            self._frame += 1
            redrawn.refresh()
            await asyncio.sleep(_REFRESH_SECONDS)


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Let `work` run until the end of the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def region(
    build: Build, now: datetime, steps: CurrentSteps, frame: int, output: Output, keys: str = ""
) -> RenderableType:
    """Return the changing region: one line for the build, one for each running task that fits, then waiting ones.

    `frame` counts the refreshes and turns the spinner; `keys` says in a last line what can be pressed.
    """
    from rich.console import Group
    from rich.text import Text

    fancy = output.glyphs.more == "…"
    spinner = _SPINNER[frame % len(_SPINNER)] if fancy else "|/-\\"[frame % 4]
    sign = output.glyphs.pause if _lets_finish(build) else spinner
    lines = [Text(f"{sign} {status_line(build, now)}", style="bold", no_wrap=False, overflow="fold")]
    room = max(1, min(_MOST_RUNNING, output.talk.height - 4 - bool(keys)))
    rows = list(steps.rows(build, now, output.talk.width - 2))
    shown = rows[:room] + ([f"and {len(rows) - room} more"] if len(rows) > room else [])
    shown += waiting_rows(build, min(_MOST_WAITING, max(0, room - len(rows))))
    shown += [keys] if keys else []
    fitting = (shortened(clean(row), output.talk.width - 2) for row in shown)
    lines += [Text(f"  {row}", style="dim", no_wrap=True, overflow="ellipsis") for row in fitting]
    return Group(*lines)


def heartbeat(build: Build, now: datetime, steps: CurrentSteps) -> str:
    """Return in one line what runs now, for output in which nothing is redrawn."""
    rows = [" ".join(row.split()) for row in steps.rows(build, now)]
    more = [f"{len(rows) - _MOST_IN_LINE} more"] if len(rows) > _MOST_IN_LINE else []
    return "; ".join([" ".join(status_line(build, now).split("  ")), *rows[:_MOST_IN_LINE], *more])


def _lets_finish(build: Build) -> bool:
    """Whether the build is paused and only lets end what runs."""
    return build.pause is not None and bool(running_tasks(build))


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
    if build.usage.tokens or build.budget_usd is not None:
        limit = f" of {money(build.budget_usd)}" if build.budget_usd is not None else ""
        parts.append(money(build.usage.cost_usd) + limit + (" + unpriced" if build.usage.unpriced else ""))
    if _lets_finish(build):
        parts.append("lets running agents finish")
    return "  ".join(parts)
