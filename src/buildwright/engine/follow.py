"""Following a build: the events of its journal after a known state, with the build after each. Must never write.

The journal may be the store of this machine, the one that workers share, or that of a server over HTTP.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import NamedTuple

from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import Recorded, StepRequested
from buildwright.engine.steps import Decided
from buildwright.ports import ActionQueue, BuildReader, Builds, LogEntry, LogLine

SHORTEST_SECONDS = 0.05
LONGEST_SECONDS = 0.25
"""Longest wait between looks at the journal, in seconds: shortest after news, doubled after a look without any."""
MOST_LINES = 1000
"""Log lines that one look reads."""

OnEvent = Callable[[Recorded, Build], None]
OnLog = Callable[[LogEntry], None]


class News(NamedTuple):
    """The result of one look at a build; without steps and lines when nothing has happened since the look before."""

    build: Build
    steps: Sequence[Decided] = ()
    lines: Sequence[LogLine] = ()
    more: bool = False
    """Whether more is there already and comes next: too early to judge whether the build has ended or rests."""

    def tell(self, on_event: OnEvent | None, on_log: OnLog | None) -> None:
        """Call `on_event` for each event, then `on_log` for each log line."""
        if on_event is not None:
            for recorded, build in self.steps:
                on_event(recorded, build)
        if on_log is not None:
            for line in self.lines:
                on_log(LogEntry(line.at, line.task, line.attempt, line.kind, line.text))


class Onlooker(NamedTuple):
    """The callbacks of a caller that watches a build, and when it stops watching."""

    on_event: OnEvent | None
    on_log: OnLog | None
    detach: asyncio.Event
    stay: bool
    """Whether to go on while the build waits for a user."""


async def catch_up(journal: BuildReader, build: Build) -> list[Decided]:
    """Return the events after a state, each with the build after it. Raises NotFound, StoreFailed."""
    steps = []
    for recorded in await journal.read(build.id, after=build.version):
        build = apply(build, recorded)
        steps.append(Decided(recorded, build))
    return steps


async def follow(
    journal: BuildReader, since: Build, *, log_after: int | None = None, task: str = "", seconds: float = math.inf
) -> AsyncGenerator[News, None]:
    """Yield the news of a build after the state `since`, look by look, until the caller leaves or after `seconds`.

    With `log_after`, the log lines after that number come too, of all tasks or of `task`. A look that finds nothing is
    yielded as well, so that the caller can judge whether to go on. Holds nothing open between looks. Raises NotFound,
    StoreFailed.
    """
    time = asyncio.get_running_loop().time  # not the time of day, which can jump
    until, period, build = time() + seconds, SHORTEST_SECONDS, since
    while True:
        steps = await catch_up(journal, build)
        build = steps[-1].build if steps else build
        lines: list[LogLine] = []
        if log_after is not None:
            lines = await journal.read_log(build.id, after=log_after, task=task, limit=MOST_LINES)
            log_after = lines[-1].seq if lines else log_after
        more = len(lines) == MOST_LINES
        yield News(build, steps, lines, more)
        if more:
            continue
        left = until - time()
        if left <= 0:
            return
        period = SHORTEST_SECONDS if steps or lines else min(2 * period, LONGEST_SECONDS)
        await asyncio.sleep(min(period, left))


async def follow_to_rest(builds: Builds, board: ActionQueue, build: Build, onlooker: Onlooker) -> Build:
    """Tell an onlooker what workers do after `build`. Returns the build once it has ended, waits for a user with
    nothing left running, or the onlooker detaches. Raises StoreFailed."""
    newest = await builds.read_log(build.id, limit=1, tail=True)
    async for news in follow(builds, build, log_after=newest[-1].seq if newest else 0):
        build = news.build
        news.tell(onlooker.on_event, onlooker.on_log)
        if news.more:
            continue
        if build.is_terminal or onlooker.detach.is_set():
            break
        if build.waits_for_user and not onlooker.stay:
            rows = await board.board(build.id)
            if not any(row.live for row in rows) and await builds.version(build.id) == build.version:
                break
    return build


async def stepped(
    journal: BuildReader,
    build_id: str,
    step_id: str,
    seconds: float = math.inf,
    on_event: OnEvent | None = None,
    since: Build | None = None,
) -> Build:
    """Return a build driven by hand once it has made the step or rests, else as it is after `seconds`.

    `on_event` gets every event after `since`, which may be a state from before the step was asked for; without it,
    after the state found first. Raises NotFound, StoreFailed.
    """
    build = since or await journal.load(build_id)
    asked = since is None or (build.step is not None and build.step.id == step_id)
    async for news in follow(journal, build, seconds=seconds):
        build = news.build
        news.tell(on_event, None)
        asked = asked or any(
            isinstance(step.recorded.event, StepRequested) and step.recorded.event.id == step_id for step in news.steps
        )
        if asked and (build.step is None or build.step.id != step_id):
            break
    return build
