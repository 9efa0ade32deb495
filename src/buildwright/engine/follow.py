"""Watching a build that workers carry out: its events and log lines, as they come, to whoever looks on. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.ports import Board, Builds, Clock, LogEntry

POLL_SECONDS = 0.1
MOST_LINES = 1000


class Onlooker(NamedTuple):
    """Who is told, and when they have seen enough."""

    on_event: Callable[[Recorded, Build], None] | None
    on_log: Callable[[LogEntry], None] | None
    detach: asyncio.Event
    stay: bool
    """Go on while the build waits for a user."""


async def follow(builds: Builds, board: Board, clock: Clock, build: Build, log_seq: int, onlooker: Onlooker) -> Build:
    """Tell of everything after `build` and after log line `log_seq`, until the build is over, or waits for a user with
    nothing left running, or the onlooker has seen enough. Raises StoreFailed."""
    while True:
        for recorded in await builds.read(build.id, after=build.version):
            build = apply(build, recorded)
            if onlooker.on_event is not None:
                onlooker.on_event(recorded, build)
        lines = await builds.read_log(build.id, after=log_seq, limit=MOST_LINES)
        for line in lines:
            log_seq = line.seq
            if onlooker.on_log is not None:
                onlooker.on_log(LogEntry(line.at, line.task, line.attempt, line.kind, line.text))
        if len(lines) == MOST_LINES:
            continue
        if build.is_terminal or onlooker.detach.is_set():
            return build
        if build.waits_for_user and not onlooker.stay:
            rows = await board.board(build.id)
            if not any(row.live for row in rows) and await builds.version(build.id) == build.version:
                return build
        await clock.sleep(POLL_SECONDS)
