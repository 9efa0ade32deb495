"""Homes to ask over HTTP: one with a single build, one with 100,000 of them and a long journal. Measures nothing."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from buildwright.core.event import AgentFinished, AnyEvent, PlanMade, TargetPrepared, TaskStarted, TokensUsed
from buildwright.core.graph import Graph
from buildwright.core.limits import Delivery, Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine.commands import NewBuild
from buildwright.settings import Settings
from buildwright.wiring import open_app

USER = "bench"
TASKS = 100
"""Tasks of every build that is looked at: what is compared is the store around it, not the size of the answer."""
_PADDING = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO {table} ({columns}) SELECT printf('00000000-0000-4000-8000-%012x', n.i), {rest} FROM n, {table} WHERE build_id = ?
"""


class Home(NamedTuple):
    """A home, and the builds in it that are looked at."""

    place: Path
    build: str
    """Of a few hundred events."""
    long: str
    """Of as many events as were asked for; "" without one."""


def environment_of(place: Path) -> dict[str, str]:
    """What a server on the home is started with: no limit on how often."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR", "HOME") if name in os.environ}
    return {**kept, "USER": USER, "BUILDWRIGHT_HOME": str(place), "BUILDWRIGHT_RATE_BUILDS": "off"}


async def make_home(place: Path, builds: int = 0, events: int = 0) -> Home:
    """A home with one build; and `builds` more, and one of `events` events, unless they are 0."""
    settings = Settings.load(environment_of(place), directory=place.parent)
    async with open_app(settings) as app:
        graph = Graph(tasks=tuple(Task(id=f"t{i}", title=f"Task {i}") for i in range(TASKS)))
        spec = Spec(title="Looked at", form="tasks", graph=graph)
        options = Options(agent="noop", lanes=False, gates=False, delivery=Delivery(kind="none"))

        async def made(length: int) -> str:
            build_id = await app.start(NewBuild(spec, options))
            journal = _journal(graph, length)
            for i in range(0, len(journal), 1000):
                await app.builds.append(build_id, 1 + i, journal[i : i + 1000], app.clock.now())
            await app.builds.keep_snapshot(await app.builds.load(build_id))
            return build_id

        small = await made(5 * TASKS)
        long = await made(events) if events else ""
    if builds:
        await asyncio.to_thread(_fill, settings.database, small, builds)
    return Home(place, small, long)


def _journal(graph: Graph, length: int) -> list[AnyEvent]:
    """All but the first event of a build whose last task is at work, `length` events long with it."""
    each = max(1, (length - 3) // TASKS - 2)
    journal: list[AnyEvent] = [TargetPrepared(commit="", tree=""), PlanMade(graph=graph)]
    for task in graph.tasks:
        journal.append(TaskStarted(task=task.id, attempt=1))
        journal += [TokensUsed(task=task.id, attempt=1, model="m", input_tokens=100, output_tokens=10)] * each
        journal.append(AgentFinished(task=task.id, attempt=1, summary="Done."))
    return journal[:-1]


def _fill(database: Path, template: str, builds: int) -> None:
    """Many more builds, each with the first events of the template: far faster than to make them one by one."""
    with sqlite3.connect(database) as connection:
        for table, more in (("build_runs", ""), ("events", " AND seq <= 3")):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            rest = ", ".join(f'"{name}"' for name in columns if name != "build_id")
            copy = _PADDING.format(table=table, columns=f"build_id, {rest}", rest=rest) + more
            connection.execute(copy, (builds, template))
        connection.execute(
            "UPDATE build_runs SET control = 'finished', phase = 'ready', outcome = 'succeeded' "
            "WHERE build_id LIKE '00000000-0000-4000-8000-%'"
        )
    connection.close()
