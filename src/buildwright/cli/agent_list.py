"""What `doctor --agents` shows: every agent that is a program, and whether it starts in the sandbox here."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildwright.cli.output import Output
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
    """What it says of itself in the sandbox, "" when it does not start there."""
    tried: str
    """The version that our tests drive."""
    models: tuple[str, ...]
    """What the names of its models begin with."""
    resumes: bool
    events: bool
    """Whether it tells what it does in a form of its own."""
    install: str
    trouble: str
    """Why it does not start, "" if it does."""


async def list_agents(output: Output, settings: Settings) -> None:
    """Print the agents, two lines for each."""
    states = await agents_here(settings)
    if output.json:
        output.data({"agents": [state._asdict() for state in states]})
        return
    for state in states:
        glyph, style = (output.glyphs.dot, "yellow") if state.trouble else (output.glyphs.done, "green")
        output.print(f"{glyph} {state.name:<9} {state.trouble or state.version} (tried: {state.tried})", style=style)
        output.print(f"  {'':<9} {state.found or state.install}")


async def agents_here(settings: Settings) -> list[AgentState]:
    """Start every installed agent once, to ask its version, in the sandbox that a build would have. Raises BadSettings."""
    from buildwright.agents.acp_agents import KNOWN_AGENTS
    from buildwright.agents.programs import PROGRAMS
    from buildwright.sandbox import choose

    sandbox = await choose("auto", home=settings.tag, environment=settings.environment)
    # One after the other: some take a gigabyte, or unpack themselves.
    states = [await _state(name, settings, sandbox) for name in PROGRAMS]
    return [*states, *[await _state_by_protocol(known, settings, sandbox) for known in KNOWN_AGENTS]]


async def _state_by_protocol(known: KnownAgent, settings: Settings, sandbox: Sandbox) -> AgentState:
    """Have the program greet us by the Agent Client Protocol, in which it tells its version and what it can do."""
    from buildwright.agents.acp import introduce
    from buildwright.agents.acp_agents import PREFIX
    from buildwright.agents.finding import find
    from buildwright.errors import BuildwrightError
    from buildwright.wiring.adapters import path_of

    path = path_of(settings)
    place = await asyncio.to_thread(find, known.program, path)
    version, resumes, trouble = "", False, "" if place is not None else "it is not installed"
    if place is not None:
        with tempfile.TemporaryDirectory(prefix="buildwright-") as folder:
            try:
                version, resumes = await introduce(f"{PREFIX}{known.command}", sandbox, path, Path(folder))
            except BuildwrightError as error:
                trouble = str(error)
    return AgentState(
        name=f"{PREFIX}{known.command}",
        title=known.title,
        found=str(place or ""),
        version=version,
        tried=known.tried,
        models=known.models,
        resumes=resumes,
        events=True,
        install=known.install,
        trouble=trouble,
    )


async def _state(name: str, settings: Settings, sandbox: Sandbox) -> AgentState:
    from buildwright.agents.finding import find
    from buildwright.agents.programs import program
    from buildwright.wiring.adapters import path_of

    one, path = program(name), path_of(settings)
    place = await asyncio.to_thread(find, one.program, path)
    version, trouble = (
        ("", "it is not installed") if place is None else await _start((str(place), one.version_option), path, sandbox)
    )
    return AgentState(
        name=name,
        title=one.title,
        found=str(place or ""),
        version=version,
        tried=one.tried,
        models=one.models,
        resumes=one.session_files is not None,
        events=one.read is not None,
        install=one.install,
        trouble=trouble,
    )


async def _start(argv: tuple[str, ...], path: str, sandbox: Sandbox) -> tuple[str, str]:
    """Return the version that the program tells in the sandbox, and why it tells none."""
    from buildwright.errors import BuildwrightError
    from buildwright.ports import Command

    said = bytearray()
    with tempfile.TemporaryDirectory(prefix="buildwright-") as folder:
        home = Path(folder)
        env = {"PATH": f"{Path(argv[0]).parent}:{path}", "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}
        command = Command(argv, home, env, seconds=_PATIENCE_SECONDS)
        try:
            done = await sandbox.run(command, said.extend)
        except BuildwrightError as error:
            return "", str(error)
    lines = said.decode("utf-8", "replace").strip().splitlines()
    if done.exit_code != 0:
        return "", f"it ended with {done.exit_code}: {lines[-1] if lines else 'it said nothing'}"
    # Some warn first, and codex names a folder in that.
    found = _VERSION.search("\n".join(lines))
    return found[0] if found else "unknown", ""
