"""The adapters of a build, each imported when it is first asked for: agent, sandbox, gates, workspace, gateway, planner.

Must never decide or carry out anything.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from buildwright.core.build import Build
from buildwright.core.finding import Diagnosis
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.secrets import Masker, masker
from buildwright.errors import BadSettings
from buildwright.ports import Agent, Briefing, BriefingRequest, Workspace
from buildwright.settings import SECRETS, Settings

if TYPE_CHECKING:
    from buildwright.engine.adapters import Adapters
    from buildwright.ports import Sandbox


from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from buildwright.core.action import Action
from buildwright.ports import Builds, Clock, Gate
from buildwright.store.lease_holders import this_process

if TYPE_CHECKING:
    from buildwright.engine.adapters import Adapters
    from buildwright.gateway import LocalGateway
    from buildwright.ports import Sandbox
    from buildwright.workspace import GitWorkspace


_SECRET_NAME = re.compile(r"(?:TOKEN|SECRET|PASSWORD|PASSWD|(?:API|ACCESS|SECRET|PRIVATE|SIGNING)_?KEY)$")
_SURE = 16
"""Characters. What is shorter and only named like a secret may well be a word (`TOKEN=disabled`)."""

AGENTS_OF_OTHERS = "buildwright.agents"
"""Entry point group: a callable `(settings, sandbox) -> Agent` registered by another package."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class NoHints:
    """Nobody is told: the workers look for themselves."""

    async def advance(self, build_id: str) -> None:
        """Nothing."""

    async def perform(self, build_id: str, key: str) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


async def no_world(_options: Options) -> Adapters:
    """For a hand that only advances."""
    raise AssertionError("a hand that only advances carries out nothing")


class LazyPlanner:
    """The planner, whose model library is imported when it is first asked."""

    async def plan(self, *arguments: Any) -> Graph:
        from buildwright.advisors.planner import ModelPlanner

        return await ModelPlanner().plan(*arguments)


class LazyDiagnoser:
    """The diagnoser, likewise."""

    async def diagnose(self, *arguments: Any) -> Diagnosis:
        from buildwright.advisors.diagnoser import ModelDiagnoser

        return await ModelDiagnoser().diagnose(*arguments)


def with_cassette(options: Options) -> Options:
    """The options with the path of their cassette made absolute. Raises BadSettings when no file is there."""
    if not options.cassette:
        return options
    path = Path(options.cassette).expanduser().absolute()
    if not path.is_file():
        raise BadSettings(f"there is no cassette {path}", fix="give the path of a cassette file")
    return options.model_copy(update={"cassette": str(path)})


def agent_for(options: Options, settings: Settings, sandbox: Sandbox | None) -> Agent:
    """The agent of a build. Raises BadSettings when it cannot be had."""
    match options.agent:
        case "direct":
            from buildwright.agents.direct import DirectAgent
            from buildwright.gateway import GatewayModel

            return DirectAgent(GatewayModel())
        case "claude":
            if find_spec("claude_agent_sdk") is None:
                raise BadSettings(
                    "the agent claude needs the Claude Agent SDK, which is not installed",
                    fix=f"{sys.executable} -m pip install 'buildwright[claude]'",
                )
            from buildwright.agents.claude import ClaudeAgent

            return ClaudeAgent(path_of(settings), home=settings.tag)
        case "shell":
            from buildwright.agents.shell import ShellAgent

            assert sandbox is not None
            return ShellAgent(sandbox, path_of(settings))
        case "noop" | "sleep" | "touch":
            from buildwright.agents.plain import PLAIN_AGENTS

            return PLAIN_AGENTS[options.agent]()
        case name:
            return _agent_of_others(name, settings, sandbox)


def masker_of(settings: Settings) -> Masker:
    """Takes out of a text the secrets of these settings, and all of a known shape.

    Of the settings: the keys of models, the passwords in addresses, and whatever long value a variable has that is called
    a token, a secret, a password or a key.
    """
    own = {settings.environment.get(name, "") for name in SECRETS}
    own |= {value for name, value in settings.environment.items() if len(value) >= _SURE and _SECRET_NAME.search(name)}
    return masker(frozenset((*own, *settings.passwords)))


def masked(settings: Settings, text: str) -> str:
    """The text without the secrets of these settings."""
    return masker_of(settings)(text)


def _agent_of_others(name: str, settings: Settings, sandbox: Sandbox | None) -> Agent:
    from importlib.metadata import entry_points

    known = ["direct", "claude", "shell"]
    for entry in entry_points(group=AGENTS_OF_OTHERS):
        if entry.name == name:
            return cast("Agent", entry.load()(settings, sandbox))
        known.append(entry.name)
    raise BadSettings(f"there is no agent {name!r}", fix=f"choose one of {', '.join(known)}")


def path_of(settings: Settings) -> str:
    """PATH for agents and gates: the user's, and as the last resort the tools installed beside this Python."""
    return os.pathsep.join((settings.environment.get("PATH", os.defpath), str(Path(sys.executable).parent)))


def briefer(workspace: Workspace | None) -> Callable[[BriefingRequest], Awaitable[Briefing]]:
    """What makes an attempt's briefing."""

    async def brief(request: BriefingRequest) -> Briefing:
        from buildwright.agents.briefing import brief_attempt

        return await brief_attempt(request, workspace)

    return brief


def plan_context(workspace: Workspace | None) -> Callable[[Build], Awaitable[str]]:
    """What tells the planner of the repository."""

    async def context(build: Build) -> str:
        from buildwright.agents.briefing import describe_repository

        return await describe_repository(build.id, build.base_tree, workspace) if workspace is not None else ""

    return context


PLAIN = frozenset({"noop", "sleep", "touch"})
"""Agents that ask no model and run no command."""

Observe = Callable[[Action, Build, float | None], AbstractContextManager[object]]


class AdapterFactory:
    """Makes the adapters of the builds of one process; chooses a sandbox once for each name."""

    def __init__(self, settings: Settings, builds: Builds) -> None:
        self._settings = settings
        self._builds = builds
        self._sandboxes: dict[str, Sandbox] = {}

    def bare(self, clock: Clock) -> Adapters:
        """Return what brings a build that is asked to stop to its end: that needs no effect."""
        from buildwright.agents.plain import NoopAgent
        from buildwright.engine.adapters import Adapters

        return Adapters(
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
    ) -> Adapters:
        """Return what carrying out the actions of a build needs. Raises BadSettings (no such agent or sandbox)."""
        from buildwright.engine.adapters import Adapters

        sandbox = await self.sandbox(options)
        return Adapters(
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
        """Return the sandbox of the build, None when it runs no foreign command. Raises BadSettings."""
        if not options.lanes and options.agent in PLAIN:
            return None
        if options.sandbox not in self._sandboxes:
            from buildwright.sandbox import choose

            self._sandboxes[options.sandbox] = await choose(options.sandbox, home=self._settings.tag)
        return self._sandboxes[options.sandbox]

    async def end_orphans(self) -> None:
        """End the commands that a killed process of this home left running: lanes are reused."""
        from buildwright.sandbox import end_orphans

        await asyncio.to_thread(end_orphans, self._settings.tag)

    def _gates(self, options: Options, sandbox: Sandbox | None) -> tuple[Gate, ...]:
        if not options.gates or not options.lanes or sandbox is None:
            return ()
        from buildwright.gates import gates

        return gates(sandbox, path_of(self._settings), self._settings.home / "setups")


async def warm_up(options: Options) -> None:
    """Load what the first attempt will need while the plan is made."""
    if options.agent == "claude":
        from buildwright.agents.claude import warm_up

        await asyncio.to_thread(warm_up)
