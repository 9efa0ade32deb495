"""The newest state of builds that this process has seen, so that looking again costs only the events since.

Must never be more than a cache: it starts empty, and a build that drops out of it is loaded again.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from weakref import WeakValueDictionary

from buildwright.core.apply import fold
from buildwright.core.build import Build
from buildwright.engine.one_question import OneQuestion
from buildwright.errors import CouldNot, NotFound, StaleVersion
from buildwright.ports import Builds

MOST_KEPT = 256
SNAPSHOT_EVERY = 500
"""Fewest events between snapshots; also at least twice the tasks, so that their cost per event is constant."""


class BuildCache:
    """Builds by id; the least recently used one is forgotten first."""

    def __init__(self, builds: Builds, most: int = MOST_KEPT) -> None:
        self._builds = builds
        self._most = most
        self._newest: OrderedDict[str, Build] = OrderedDict()
        self._seen_at: dict[str, float] = {}
        """By build: when its state was the newest, on the event loop's clock."""
        self._snapshots: dict[str, Snapshots] = {}
        self._questions = WeakValueDictionary[str, OneQuestion[Build]]()

    async def at_least(self, build_id: str, version: int) -> Build:
        """Return the build as of that event or a later one, without reading the store if that is known."""
        known = self.glance(build_id)
        return known if known is not None and known.version >= version else await self.newest(build_id)

    async def newest(self, build_id: str) -> Build:
        """Return the build as of its last event. Raises NotFound, StoreFailed."""
        question = self._questions.get(build_id)
        if question is None:
            question = self._questions[build_id] = OneQuestion(partial(self._ask, build_id))
        return await question.answer()

    async def _ask(self, build_id: str) -> Build:
        known = self._newest.get(build_id)
        if known is None:
            known = await self._builds.load(build_id)
        else:
            known = fold(await self._builds.read(build_id, after=known.version), known)
        return self.learn(known)

    def glance(self, build_id: str, seconds: float = math.inf) -> Build | None:
        """Return the known state of a build without reading the store; None when unknown, or older than `seconds`."""
        known = self._newest.get(build_id)
        if known is not None and asyncio.get_running_loop().time() - self._seen_at[build_id] > seconds:
            return None
        return known

    def learn(self, build: Build) -> Build:
        """Keep a state, unless a newer one is known; returns the newer of both."""
        known = self._newest.get(build.id)
        if known is None or known.version < build.version:
            known = self._newest[build.id] = build
        self._newest.move_to_end(build.id)
        self._seen_at[build.id] = asyncio.get_running_loop().time()
        while len(self._newest) > self._most:
            forgotten, _ = self._newest.popitem(last=False)
            self._snapshots.pop(forgotten, None)
            self._seen_at.pop(forgotten, None)
        return known

    def snapshots(self, build: Build) -> Snapshots:
        """Return what stores snapshots of a build; the first is due when enough has happened after this state."""
        return self._snapshots.setdefault(build.id, Snapshots(self._builds, build))


class Snapshots:
    """Stores a snapshot of a build now and then; a failure costs only time at the next load."""

    def __init__(self, builds: Builds, build: Build) -> None:
        self._builds = builds
        self._newest = build.version

    async def keep(self, build: Build, *, at_rest: bool = False) -> None:
        """Store a snapshot if the last one is long ago; `at_rest` when nothing will happen for a while."""
        spacing = SNAPSHOT_EVERY if at_rest else max(SNAPSHOT_EVERY, 2 * build.total)
        if build.version - self._newest >= spacing:
            self._newest = build.version
            # The events are recorded: a journal that was put back, or is gone, must not have them recorded again.
            with suppress(CouldNot, StaleVersion, NotFound):
                await self._builds.keep_snapshot(build)
