"""The world of a build, put together: agent, sandbox, gates, workspace, gateway. Decides nothing, and carries nothing out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.limits import Options
from buildwright.ports import Builds, Clock, Gate
from buildwright.settings import Settings
from buildwright.store.holders import this_process
from buildwright.wiring.adapters import (
    LazyDiagnoser,
    LazyPlanner,
    agent_for,
    briefer,
    masker_of,
    path_of,
    plan_context,
)

if TYPE_CHECKING:
    from buildwright.engine.world import World
    from buildwright.gateway import LocalGateway
    from buildwright.ports import Sandbox
    from buildwright.workspace import GitWorkspace

PLAIN = frozenset({"noop", "sleep", "touch"})
"""Agents that ask no model and run no command."""

Observe = Callable[[Action, Build, float | None], AbstractContextManager[object]]


class Worlds:
    """What worlds of one process are made of; a sandbox is chosen once for each name."""

    def __init__(self, settings: Settings, builds: Builds) -> None:
        self._settings = settings
        self._builds = builds
        self._sandboxes: dict[str, Sandbox] = {}

    def bare(self, clock: Clock) -> World:
        """Enough to bring a build that is asked to stop to its end: that needs no effect."""
        from buildwright.agents.plain import NoopAgent
        from buildwright.engine.world import World

        return World(
            builds=self._builds,
            clock=clock,
            agent=NoopAgent(),
            holder=this_process(),
            scratch=self._settings.home / "scratch",
            brief=briefer(None),
        )

    async def whole(
        self,
        options: Options,
        clock: Clock,
        workspace: GitWorkspace | None,
        gateway: LocalGateway | None,
        observe: Observe,
    ) -> World:
        """All that carrying out the actions of a build takes. Raises BadSettings (an agent or sandbox that cannot be had)."""
        from buildwright.engine.world import World

        sandbox = await self.sandbox(options)
        return World(
            builds=self._builds,
            clock=clock,
            agent=agent_for(options, self._settings, sandbox),
            holder=this_process(),
            scratch=self._settings.home / "scratch",
            brief=briefer(workspace),
            workspace=workspace,
            gates=self._gates(options, sandbox),
            gateway=gateway,
            mask=masker_of(self._settings),
            observe=observe,
            planner=LazyPlanner(),
            diagnoser=LazyDiagnoser(),
            plan_context=plan_context(workspace),
        )

    async def sandbox(self, options: Options) -> Sandbox | None:
        """The sandbox of the build, None when it runs no foreign command. Raises BadSettings."""
        if not options.lanes and options.agent in PLAIN:
            return None
        if options.sandbox not in self._sandboxes:
            from buildwright.sandbox import choose

            self._sandboxes[options.sandbox] = await choose(options.sandbox, home=self._settings.tag)
        return self._sandboxes[options.sandbox]

    async def end_orphans(self) -> None:
        """End what commands of a process of ours that was killed still do: nobody waits for it, and lanes are reused."""
        from buildwright.sandbox import end_orphans

        await asyncio.to_thread(end_orphans, self._settings.tag)

    def _gates(self, options: Options, sandbox: Sandbox | None) -> tuple[Gate, ...]:
        if not options.gates or not options.lanes or sandbox is None:
            return ()
        from buildwright.gates import gates

        return gates(sandbox, path_of(self._settings), self._settings.home / "setups")


async def warm_up(options: Options) -> None:
    """What the first attempt will need is loaded while the plan is made."""
    if options.agent == "claude":
        from buildwright.agents.claude import warm_up

        await asyncio.to_thread(warm_up)
