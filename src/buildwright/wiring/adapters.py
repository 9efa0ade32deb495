"""Adapters of a build: agent, sandbox, gates, workspace, gateway, planner. Must never decide or carry out anything.

Each adapter is imported at its first use, so that a command which needs few of them starts quickly.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from buildwright.agents.acp_agents import is_acp
from buildwright.agents.programs import PROGRAMS, program
from buildwright.core.agents import ANY_ACP, KNOWN
from buildwright.core.build import Build
from buildwright.core.finding import Diagnosis
from buildwright.core.graph import Graph
from buildwright.core.lessons import LessonDraft
from buildwright.core.limits import Options
from buildwright.core.review import Review
from buildwright.core.sealed import SealedTests
from buildwright.core.secrets import Masker, masker
from buildwright.errors import BadSettings
from buildwright.kept_verdicts import KeptVerdicts
from buildwright.ports import Agent, Briefing, BriefingRequest, Furnished, Judged, Workspace
from buildwright.settings import SECRETS, Settings

if TYPE_CHECKING:
    from buildwright.engine.adapters import Adapters
    from buildwright.ports import Sandbox


from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from buildwright.core.action import Action
from buildwright.ports import Builds, Clock, Gate, GateTools, PlanRevision, SealedTrial
from buildwright.store.lease_holders import this_process
from buildwright.wiring.forges import forge_opener
from buildwright.wiring.own_agents import secrets_of, variables_of

if TYPE_CHECKING:
    from buildwright.engine.adapters import Adapters
    from buildwright.gateway import LocalGateway
    from buildwright.ports import Sandbox
    from buildwright.workspace import GitWorkspace


_SECRET_NAME = re.compile(r"(?:TOKEN|SECRET|PASSWORD|PASSWD|(?:API|ACCESS|SECRET|PRIVATE|SIGNING)_?KEY)$")
_SURE = 16
"""Fewest characters of a secret known only by its variable's name. A shorter value may be a word (`TOKEN=disabled`)."""

_OWN_TOOLS = str(Path(sys.executable).parent)
"""The folder of the tools that are installed beside this Python: an agent's last resort."""

AGENTS_OF_OTHERS = "buildwright.agents"
"""Entry point group: a callable `(settings, sandbox) -> Agent` registered by another package."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class NoHints:
    """Hints that go nowhere, for a process without Redis: workers look for themselves."""

    async def advance(self, build_id: str) -> None:
        """Do nothing."""

    async def perform(self, build_id: str, key: str) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


async def no_world(_options: Options) -> Adapters:
    """Raise AssertionError: a worker that only advances builds never needs adapters."""
    raise AssertionError("a worker that only advances carries out nothing")


class LazyPlanner:
    """The planner, whose model library is imported at the first call."""

    async def plan(self, *arguments: Any) -> Graph:
        from buildwright.advisors.planner import ModelPlanner

        return await ModelPlanner().plan(*arguments)

    async def revise(self, *arguments: Any) -> PlanRevision:
        from buildwright.advisors.planner import ModelPlanner

        return await ModelPlanner().revise(*arguments)


class LazyDiagnoser:
    """The diagnoser, whose model library is imported at the first call."""

    async def diagnose(self, *arguments: Any) -> Diagnosis:
        from buildwright.advisors.diagnoser import ModelDiagnoser

        return await ModelDiagnoser().diagnose(*arguments)


class LazySealer:
    """The sealer, whose model library is imported at the first call."""

    async def seal(self, *arguments: Any) -> SealedTests:
        from buildwright.advisors.sealer import ModelSealer

        return await ModelSealer().seal(*arguments)


class LazyLessonWriter:
    """The advisor that words lessons, whose model library is imported at the first call."""

    @property
    def instructions(self) -> str:
        from buildwright.advisors.lesson_writer import ModelLessonWriter

        return ModelLessonWriter().instructions

    async def word(self, *arguments: Any) -> LessonDraft:
        from buildwright.advisors.lesson_writer import ModelLessonWriter

        return await ModelLessonWriter().word(*arguments)


class LazyReviewer:
    """The reviewer, whose model library is imported at the first call."""

    async def review(self, *arguments: Any) -> Review:
        from buildwright.advisors.reviewer import ModelReviewer

        return await ModelReviewer().review(*arguments)


def with_cassette(options: Options) -> Options:
    """Return the options with an absolute path to their cassette. Raises BadSettings when there is no such file."""
    if not options.cassette:
        return options
    path = Path(options.cassette).expanduser().absolute()
    if not path.is_file():
        raise BadSettings(f"there is no cassette {path}", fix="give the path of a cassette file")
    return options.model_copy(update={"cassette": str(path)})


def agent_for(options: Options, settings: Settings, sandbox: Sandbox | None, name: str = "") -> Agent:
    """Return an agent by the name that the options know it by; the build's, unless another is named.

    Raises BadSettings when it is unknown or not installed, or may not be as a file of settings has it.
    """
    name = name or options.agent
    own = options.own(name)
    if own.of_project and (own.arguments or own.env) and sandbox is not None and sandbox.name == "none":
        raise BadSettings(
            f"the project's file gives the agent {name} arguments or variables, and no sandbox holds it",
            fix="leave --sandbox none out, or put [agents." + name + "] into your own file of options",
        )
    env = variables_of(own, options, settings.environment)
    if sandbox is None and (own.base in {"claude", "shell", *PROGRAMS} or is_acp(own.base)):
        raise BadSettings(
            f"the agent {name} runs commands, and this build has no sandbox", fix=f"say --agent {name} at its start"
        )
    match own.base:
        case "direct":
            from buildwright.agents.direct import DirectAgent
            from buildwright.gateway import GatewayModel
            from buildwright.gateway.access import context_window_of

            def window(model: str) -> int:
                own = next((one.context for one in options.models if model in {one.id, one.model}), 0)
                return options.context_tokens or own or context_window_of(model)

            return DirectAgent(GatewayModel(), window=window)
        case "claude":
            if find_spec("claude_agent_sdk") is None:
                raise BadSettings(
                    "the agent claude needs the Claude Agent SDK, which is not installed",
                    fix=f"{sys.executable} -m pip install 'buildwright[claude]'",
                )
            from buildwright.agents.claude import ClaudeAgent

            return ClaudeAgent(cast("Sandbox", sandbox), path_of(settings), own.arguments, env)
        case "shell":
            from buildwright.agents.shell import ShellAgent

            return ShellAgent(cast("Sandbox", sandbox), path_of(settings), env)
        case "noop" | "sleep" | "touch":
            from buildwright.agents.plain import PLAIN_AGENTS

            return PLAIN_AGENTS[own.base]()
        case base if base in PROGRAMS:
            from buildwright.agents.program_agent import ProgramAgent

            where = (cast("Sandbox", sandbox), path_of(settings))
            return ProgramAgent(program(base), *where, own.arguments, env, settings.home)
        case base if is_acp(base):
            from buildwright.agents.acp import AcpAgent

            return AcpAgent(base, cast("Sandbox", sandbox), path_of(settings), env, kept=settings.home)
        case base:
            return _agent_of_others(base, options, settings, sandbox)


def masker_of(settings: Settings, options: Options | None = None) -> Masker:
    """Return a function that masks, in a text, the secrets of these settings and all secrets of a known shape.

    Secrets of the settings are keys of models, passwords in addresses, and every long value of a variable whose name
    ends like that of a token, secret, password or key; with options also what their agents get as secrets.
    """
    own = {settings.environment.get(name, "") for name in SECRETS}
    own |= {value for name, value in settings.environment.items() if len(value) >= _SURE and _SECRET_NAME.search(name)}
    of_agents = secrets_of(options, settings.environment) if options is not None else ()
    return masker(frozenset((*own, *settings.passwords, *of_agents)))


def masked(settings: Settings, text: str) -> str:
    """Return the text without the secrets of these settings."""
    return masker_of(settings)(text)


def _agent_of_others(name: str, options: Options, settings: Settings, sandbox: Sandbox | None) -> Agent:
    from importlib.metadata import entry_points

    known = [*KNOWN, ANY_ACP, *(own.name for own in options.agents if own.agent)]
    for entry in entry_points(group=AGENTS_OF_OTHERS):
        if entry.name == name:
            return cast("Agent", entry.load()(settings, sandbox))
        known.append(entry.name)
    close = get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    raise BadSettings(f"there is no agent {name!r}{meant}", fix=f"choose one of {', '.join(known)}")


def path_of(settings: Settings) -> str:
    """Return PATH for agents: the user's, then as a last resort the tools installed beside this Python."""
    return os.pathsep.join((project_path_of(settings), _OWN_TOOLS))


def project_path_of(settings: Settings) -> str:
    """Return PATH for what judges a project: the user's. A linter beside this Python is ours, and may be another one."""
    return settings.environment.get("PATH", os.defpath)


def briefer(workspace: Workspace | None) -> Callable[[BriefingRequest], Awaitable[Briefing]]:
    """Return the function that makes an attempt's briefing."""

    async def brief(request: BriefingRequest) -> Briefing:
        from buildwright.agents.briefing import brief_attempt

        return await brief_attempt(request, workspace)

    return brief


def plan_context(workspace: GitWorkspace | None) -> Callable[[Build], Awaitable[str]]:
    """Return the function that describes a build's repository to the planner; without a workspace it returns ""."""

    async def context(build: Build) -> str:
        from buildwright.wiring.code_map import planner_context, spec_words

        if workspace is None:
            return ""
        about = spec_words(build.spec, build.new_spec)
        return await planner_context(workspace, build.id, build.head_tree, about, build.options.part)

    return context


PLAIN = frozenset({"noop", "sleep", "touch"})
"""Agents that ask no model and run no command."""

Observe = Callable[[Action, Build, float | None], AbstractContextManager[object]]


class AdapterFactory:
    """The maker of adapters for the builds of one process. It chooses a sandbox once for each name."""

    def __init__(self, settings: Settings, builds: Builds) -> None:
        self._settings = settings
        self._builds = builds
        self._sandboxes: dict[str, Sandbox] = {}

    def bare(self, clock: Clock) -> Adapters:
        """Return the adapters that end a build which was asked to stop: ending it needs no effect."""
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
        """Return the adapters to carry out the actions of a build. Raises BadSettings (no such agent or sandbox)."""
        from buildwright.advisors.instructions import instruction_digests
        from buildwright.engine.adapters import Adapters, HiredAgent

        sandbox = await self.sandbox(options)
        gates = self._gates(options, sandbox)

        def hire(asked: Options, name: str) -> HiredAgent:
            agent = agent_for(asked, self._settings, sandbox, name)
            return HiredAgent(agent, self._furnish(asked, asked.own(name).base, sandbox, gates))

        hired = hire(options, options.agent)
        return Adapters(
            builds=self._builds,
            clock=clock,
            agent=hired.agent,
            hire=hire,
            holder=this_process(),
            scratch=self._settings.home / "scratch",
            brief=briefer(workspace),
            workspace=workspace,
            gates=gates,
            furnish=hired.furnish,
            gateway=gateway,
            mask=masker_of(self._settings, options),
            observe=observe,
            open_forge=forge_opener(self._settings),
            planner=LazyPlanner(),
            diagnoser=LazyDiagnoser(),
            sealer=LazySealer(),
            sealed_trial=self._sealed_trial(options, sandbox),
            reviewer=LazyReviewer(),
            lesson_writer=LazyLessonWriter(),
            instructions=instruction_digests(),
            plan_context=plan_context(workspace),
            kept=KeptVerdicts(self._settings.home / "verdicts"),
            environment={**self._settings.environment, "PATH": path_of(self._settings)},
        )

    async def sandbox(self, options: Options) -> Sandbox | None:
        """Return the sandbox of the build, None when the build runs no foreign command. Raises BadSettings."""
        if not options.lanes and PLAIN.issuperset(options.as_of(name).agent for name in options.agents_for(None)):
            return None
        if options.sandbox not in self._sandboxes:
            from buildwright.sandbox import choose

            self._sandboxes[options.sandbox] = await choose(
                options.sandbox, home=self._settings.tag, environment=self._settings.environment
            )
        return self._sandboxes[options.sandbox].named_for(options.project)

    async def end_orphans(self) -> None:
        """End the commands that a killed process of this home left running: lanes are used again."""
        from buildwright.sandbox import end_orphans

        await asyncio.to_thread(end_orphans, self._settings.tag)

    def _sealed_trial(self, options: Options, sandbox: Sandbox | None) -> SealedTrial | None:
        if not options.sealed_tests or sandbox is None:
            return None
        from buildwright.gates.sealed import SealedRunner

        return SealedRunner(GateTools(sandbox, project_path_of(self._settings), self._settings.home / "setups"))

    def _furnish(
        self, options: Options, agent: str, sandbox: Sandbox | None, gates: tuple[Gate, ...]
    ) -> Callable[[Judged, Path], Awaitable[Furnished]] | None:
        """Return what makes lanes ready for a known agent; None for those that only write files.

        It is the gate of the checks itself: with another search path or cache of set-ups, each would be made once more.
        """
        if not options.lanes or sandbox is None or agent in {*PLAIN, "direct"}:
            return None
        from buildwright.gates.checks import ChecksGate
        from buildwright.ports import GateTools

        tools = GateTools(sandbox, project_path_of(self._settings), self._settings.home / "setups")
        checks = next((gate for gate in gates if isinstance(gate, ChecksGate)), None) or ChecksGate(tools)
        # Claude Code runs beside the sandbox, and what agents of other packages do is not known.
        in_sandbox = agent == "shell" or agent in PROGRAMS or is_acp(agent)
        return partial(checks.furnish, last=_OWN_TOOLS, share=in_sandbox)

    def _gates(self, options: Options, sandbox: Sandbox | None) -> tuple[Gate, ...]:
        if not options.gates or not options.lanes or sandbox is None:
            return ()
        from buildwright.gates import gates
        from buildwright.wiring.allowed import COMPILED_RULES, allowed_secrets

        home = self._settings.home
        allowed = partial(allowed_secrets, self._settings)
        return gates(sandbox, project_path_of(self._settings), home / "setups", home / COMPILED_RULES, allowed)


async def warm_up(options: Options) -> None:
    """Load the modules that the first attempt needs, while the plan is being made."""
    if any(options.as_of(name).agent == "claude" for name in options.agents_for(None)):
        from buildwright.agents.claude import warm_up

        await asyncio.to_thread(warm_up)
