"""Every agent that a build can name here: whether it is installed, and whether it starts in the sandbox. Starts none unasked."""

from __future__ import annotations

import asyncio
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildwright.core.terminal import strip_controls
from buildwright.settings import Settings

if TYPE_CHECKING:
    from buildwright.agents.acp_agents import KnownAgent
    from buildwright.ports import Sandbox

_PATIENCE_SECONDS = 60.0
_VERSION = re.compile(r"\b\d+\.\d+\.\d+(?:-[\w.]*\w)?")


class AgentState(NamedTuple):
    """One agent, as `--json` prints it."""

    name: str
    title: str
    found: str
    """Where its program is, "" if it is not installed."""
    version: str
    """What it says of itself in the sandbox, "" when it does not start there, or was not asked."""
    tried: str
    """The version that our tests drive."""
    models: tuple[str, ...]
    """What the names of its models begin with; () for any."""
    protocols: tuple[str, ...]
    """By whose protocols it asks them; () for none of its own."""
    resumes: bool
    told: str
    """When it hears what the user says meanwhile."""
    budget: bool
    """Whether all that it asks is counted, and held to the budget."""
    events: bool
    """Whether it tells what it does in a form of its own."""
    install: str
    trouble: str
    """Why it does not start, "" if it does."""
    own: str = ""
    """The file that says something of it."""
    asked: tuple[str, ...] = ()
    """What it asked for when it was started here, and may not reach."""


_NEXT, _AFTER = "at its next attempt", "after its turn, and continues"
_MAKERS = ("anthropic", "openai", "google")


async def agents_here(settings: Settings, repository: str = ".", *, start: bool = True) -> list[AgentState]:
    """Return every known agent, and those of the user's files for a repository ("": of the user's own alone).

    With `start` each is started once, to ask its version, in the sandbox that a build would have. Raises BadSettings.
    """
    from buildwright.agents.acp_agents import KNOWN_AGENTS, PREFIX
    from buildwright.core.agents import KNOWN
    from buildwright.errors import BadSettings
    from buildwright.sandbox import choose
    from buildwright.wiring.own_agents import OwnAgents, own_agents

    sandbox = await choose("auto", home=settings.tag, environment=settings.environment) if start else None
    own, wrong = OwnAgents(), ""
    try:
        own = own_agents(settings, repository)
    except BadSettings as error:  # the other agents are shown all the same
        wrong = f"{error.message} Fix: {error.fix}"
    # One after the other: some take a gigabyte, or unpack themselves.
    states = {name: await _state(name, settings, sandbox) for name in KNOWN}
    for known in KNOWN_AGENTS:
        states[f"{PREFIX}{known.command}"] = await _state_by_protocol(known, settings, sandbox)
    for one in own.agents:
        if one.base in states:
            title = f"{one.base}, as {one.name}" if one.agent else states[one.base].title
            states[one.name] = states[one.base]._replace(name=one.name, title=title, own=str(own.sources[one.name]))
    if wrong:
        states[""] = states["shell"]._replace(name="yours", title="", found="", install="", trouble=wrong)
    return list(states.values())


async def _state_by_protocol(known: KnownAgent, settings: Settings, sandbox: Sandbox | None) -> AgentState:
    """Have the program greet us by the Agent Client Protocol, in which it tells its version and what it can do."""
    from buildwright.agents.acp import introduce
    from buildwright.agents.acp_agents import PREFIX
    from buildwright.agents.finding import find
    from buildwright.core.model_names import maker_of
    from buildwright.errors import BuildwrightError
    from buildwright.temporary_folders import temporary_folder
    from buildwright.wiring.adapters import path_of

    path = path_of(settings)
    place = await asyncio.to_thread(find, known.program, path)
    version, trouble = "", "" if place is not None else "it is not installed"
    resumes = True  # all that are known do; one that is started says so itself
    asked: list[str] = []
    if place is not None and sandbox is not None:
        with temporary_folder("buildwright-") as folder:
            try:
                version, resumes = await introduce(f"{PREFIX}{known.command}", sandbox, path, folder, asked.append)
            except BuildwrightError as error:
                trouble = str(error)
    return AgentState(
        name=f"{PREFIX}{known.command}",
        title=known.title,
        found=str(place or ""),
        version=version,
        tried=known.tried,
        models=known.models,
        protocols=tuple(dict.fromkeys(map(maker_of, known.models))),
        resumes=resumes,
        told=_AFTER,
        budget=True,
        events=True,
        install=known.install,
        trouble=trouble,
        asked=tuple(asked),
    )


async def _state(name: str, settings: Settings, sandbox: Sandbox | None) -> AgentState:
    from buildwright.core.agents import PROGRAMS
    from buildwright.core.model_names import maker_of
    from buildwright.wiring.adapters import path_of

    if name not in PROGRAMS:
        return await _ours(name, settings, sandbox)
    from buildwright.agents.finding import find
    from buildwright.agents.programs import program

    one, path = program(name), path_of(settings)
    place = await asyncio.to_thread(find, one.program, path)
    version, trouble, asked = await _try(place, (str(place), one.version_option), path, sandbox)
    return AgentState(
        name=name,
        title=one.title,
        found=str(place or ""),
        version=version,
        tried=one.tried,
        models=one.models,
        protocols=tuple(dict.fromkeys(map(maker_of, one.models))),
        resumes=one.session_files is not None,
        told=_AFTER if one.session_files is not None else _NEXT,
        budget=True,
        events=one.read is not None,
        install=one.install,
        trouble=trouble,
        asked=asked,
    )


async def _ours(name: str, settings: Settings, sandbox: Sandbox | None) -> AgentState:
    from buildwright.core.agents import OURS
    from buildwright.wiring.adapters import path_of

    path = path_of(settings)
    state = AgentState(
        name=name,
        title=OURS[name],
        found="part of Buildwright",
        version=metadata.version("buildwright"),
        tried="",
        models=(),
        protocols=_MAKERS,
        resumes=True,
        told="at its next turn",
        budget=True,
        events=True,
        install="",
        trouble="",
    )
    match name:
        case "claude":
            from buildwright.agents.claude import find_claude

            place = find_claude(path)
            version, trouble, asked = await _try(place, (str(place), "--version"), path, sandbox)
            install = f"{sys.executable} -m pip install 'buildwright[claude]'"
            return state._replace(
                found=str(place or ""),
                version=version,
                trouble=trouble,
                install=install,
                models=("claude-",),
                protocols=("anthropic",),
                asked=asked,
            )
        case "shell":
            place = Path("/bin/sh")
            _, trouble, _ = await _try(place, (str(place), "-c", "echo 1.0.0"), path, sandbox)
            told = "in a file, at once"
            return state._replace(
                found=str(place), trouble=trouble, protocols=(), resumes=False, told=told, events=False
            )
        case _:
            return state


class _Started(NamedTuple):
    """What came of a start of a program."""

    version: str = ""
    trouble: str = ""
    """Why it tells no version."""
    asked: tuple[str, ...] = ()


async def _try(place: Path | None, argv: tuple[str, ...], path: str, sandbox: Sandbox | None) -> _Started:
    if place is None:
        return _Started(trouble="it is not installed")
    return _Started() if sandbox is None else await _start(argv, path, sandbox)


async def _start(argv: tuple[str, ...], path: str, sandbox: Sandbox) -> _Started:
    """Have the program tell its version in the sandbox."""
    from buildwright.errors import BuildwrightError
    from buildwright.ports import Command, Reach
    from buildwright.temporary_folders import temporary_folder

    said, asked = bytearray(), list[str]()
    with temporary_folder("buildwright-") as home:
        env = {"PATH": f"{Path(argv[0]).parent}:{path}", "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}
        command = Command(argv, home, env, seconds=_PATIENCE_SECONDS, reach=Reach(), on_refused=asked.append)
        try:
            done = await sandbox.run(command, said.extend)
        except BuildwrightError as error:
            return _Started(trouble=str(error))
    lines = strip_controls(said.decode("utf-8", "replace")).strip().splitlines()
    if done.exit_code != 0:
        why = f"it ended with {done.exit_code}: {lines[-1] if lines else 'it said nothing'}"
        return _Started(trouble=why, asked=tuple(asked))
    # Some warn first, and codex names a folder in that.
    found = _VERSION.search("\n".join(lines))
    return _Started(found[0] if found else "unknown", asked=tuple(asked))
