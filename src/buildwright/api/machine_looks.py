"""What a server sees of itself and its machine. Must never look twice at once: a look starts programs."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from buildwright.errors import BuildwrightError
from buildwright.maintenance.agents_here import AgentState, agents_here
from buildwright.maintenance.home_parts import parts_of
from buildwright.maintenance.machine import QUICK, examine
from buildwright.sandbox import choose
from buildwright.views.server import (
    MachineCheck,
    ServerAgent,
    ServerAgents,
    ServerHome,
    ServerHomePart,
    ServerPage,
    ServerSandbox,
)

if TYPE_CHECKING:
    from buildwright.ports import Clock
    from buildwright.settings import Settings

FRESH = timedelta(seconds=10)
"""A look is shown that long before another one is taken."""
FRESH_STARTS = timedelta(minutes=5)
"""As long as this a start of the agents is shown."""


class _Common(NamedTuple):
    """What every user may see of the machine."""

    at: datetime
    sandbox: ServerSandbox
    agents: list[AgentState]


class _Inside(NamedTuple):
    """What only owners of the server may see."""

    at: datetime
    checks: tuple[MachineCheck, ...]
    home: ServerHome


class MachineLooks:
    """The looks of one server, each kept for some seconds."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._turn = asyncio.Lock()
        self._common: _Common | None = None
        self._inside: _Inside | None = None
        self._started: ServerAgents | None = None

    async def page(self, version: str, address: str, *, sees_all: bool) -> ServerPage:
        """Return the page without the settings; checks and home only with `sees_all`."""
        async with self._turn:
            common = await self._look()
            inside = await self._look_inside() if sees_all else None
        page = ServerPage(
            version=version,
            address=address,
            as_of=common.at,
            sees_all=sees_all,
            health="works" if common.sandbox.name else "broken",
            sandbox=common.sandbox,
            agents=tuple(_agent(one, sees_all=sees_all) for one in common.agents if sees_all or not _is_of_a_file(one)),
        )
        if inside is None:
            return page
        is_broken = any(check.state == "broken" for check in inside.checks)
        health = "broken" if is_broken else page.health
        return page.model_copy(update={"health": health, "checks": inside.checks, "home": inside.home})

    async def start_agents(self) -> ServerAgents:
        """Start each agent that is installed once in the sandbox, and return what came of it. Raises BadSettings."""
        async with self._turn:
            now = self._clock.now()
            if self._started is None or now - self._started.as_of > FRESH_STARTS:
                states = await agents_here(self._settings, "")
                agents = tuple(_agent(one, sees_all=True, was_started=True) for one in states)
                self._started = ServerAgents(as_of=now, agents=agents)
            return self._started

    async def _look(self) -> _Common:
        now = self._clock.now()
        if self._common is None or now - self._common.at > FRESH:
            agents = await agents_here(self._settings, "", start=False)
            self._common = _Common(now, await _sandbox(self._settings), agents)
        return self._common

    async def _look_inside(self) -> _Inside:
        now = self._clock.now()
        if self._inside is None or now - self._inside.at > FRESH:
            results = await examine(self._settings, QUICK)
            checks = tuple(
                MachineCheck(
                    name=one.name,
                    state="works" if one.ok else "broken" if one.required else "lacking",
                    found=one.found or "absent",
                    costs="" if one.ok else one.costs,
                    fix="" if one.ok else one.fix,
                )
                for one in results
            )
            self._inside = _Inside(now, checks, await asyncio.to_thread(_home, self._settings))
        return self._inside


async def _sandbox(settings: Settings) -> ServerSandbox:
    try:
        sandbox = await choose("auto", settings.tag, settings.environment)
    except BuildwrightError as error:
        return ServerSandbox(name="", trouble=error.message, fix=error.fix or "")
    if sandbox.name == "none":
        fix = "install bubblewrap, and unset BUILDWRIGHT_SANDBOX"
        return ServerSandbox(name="none", trouble="agents and checks have the rights of the server", fix=fix)
    return ServerSandbox(name=sandbox.name, limits=sandbox.limits)


def _home(settings: Settings) -> ServerHome:
    parts = parts_of(settings.home)
    return ServerHome(
        path=str(settings.home),
        bytes=sum(part.bytes for part in parts),
        files=sum(part.files for part in parts),
        whole=all(part.whole for part in parts),
        parts=tuple(
            ServerHomePart(name=part.name, bytes=part.bytes, files=part.files, whole=part.whole, goes=part.goes)
            for part in parts
        ),
    )


def _is_of_a_file(one: AgentState) -> bool:
    """Return whether it is of the file of the user whose process the server is, or says what is wrong in that."""
    return bool(one.own) or not one.title


def _agent(one: AgentState, *, sees_all: bool, was_started: bool = False) -> ServerAgent:
    """Return what a page shows of an agent; without `sees_all` nothing of the machine's folders, nor of the user's file."""
    agent = ServerAgent(
        name=one.name,
        title=one.title,
        state="installed" if one.found else "not installed",
        tried=one.tried,
    )
    if was_started and one.found:
        agent = agent.model_copy(update={"state": "does not start" if one.trouble else "works", "version": one.version})
    if not sees_all:
        return agent
    more = {"trouble": one.trouble, "found": one.found, "install": one.install, "asked": one.asked}
    return agent.model_copy(update=more)
