"""How long after an interrupt the last process of an agent is gone, for each agent that is installed, under load.

python -m bench.interrupt
python -m bench.interrupt --agent codex --agent 'acp:gemini --acp' --times 20

The agents are the real programs, in bubblewrap, against a cassette. Each is interrupted while it runs a command that has
started another in the background, which ignores the signals that ask it to end. One that runs no commands (aider) is
interrupted while it waits for an answer. As many processes as there are processors do nothing but count meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from bench.interrupt_table import tables
from bench.machine import load
from buildwright.agents.acp import AcpAgent, command_words
from buildwright.agents.acp_agents import KNOWN_AGENTS, PREFIX
from buildwright.agents.claude import ClaudeAgent, find_claude
from buildwright.agents.finding import find
from buildwright.agents.program_agent import ProgramAgent
from buildwright.agents.programs import PROGRAMS, program
from buildwright.agents.shell import ShellAgent
from buildwright.core.limits import Limits, Options
from buildwright.core.task import Task
from buildwright.gateway import LocalGateway
from buildwright.ports import Agent, Assignment, ModelAccess
from buildwright.sandbox import Bubblewrap

_STARTS_WITHIN = 120.0
_COMMAND = "(trap '' TERM INT HUP; touch here; while :; do sleep 1; done) & sleep 3600"
_TOOLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Bash", "command", {"description": "wait"}),
    ("exec_command", "cmd", {}),
    ("run_shell_command", "command", {"description": "wait", "is_background": False}),
    ("bash", "command", {"description": "wait"}),
)
"""The tools by which agents run a command, the name of the command in their input, and what else they ask for."""


def known() -> tuple[str, ...]:
    """Every agent that runs a program."""
    return ("shell", "claude", *PROGRAMS, *(f"{PREFIX}{one.command}" for one in KNOWN_AGENTS))


def installed(agent: str, path: str) -> bool:
    """Whether the agent's program is on this machine."""
    if agent in PROGRAMS:
        return find(program(agent).program, path) is not None
    if agent == "claude":
        return find_claude(path) is not None
    return agent == "shell" or find(command_words(agent)[0], path) is not None


def _agent(name: str, path: str, kept: Path) -> Agent:
    sandbox = Bubblewrap()
    if name in PROGRAMS:
        return ProgramAgent(program(name), sandbox, path, kept=kept)
    if name == "claude":
        return ClaudeAgent(sandbox, path)
    return ShellAgent(sandbox, path) if name == "shell" else AcpAgent(name, sandbox, path, kept=kept)


def _cassette(folder: Path) -> Path:
    """Write the answers: a call of whichever tool the agent has; silence for one that has none."""
    entries = [
        {"when": {"tool": tool}, "reply": {"tools": [{"name": tool, "input": {key: _COMMAND, **more}}]}}
        for tool, key, more in _TOOLS
    ]
    silence = {"reply": {"text": "x"}, "faults": [{"kind": "hang", "seconds": 3600, "times": 99}]}
    file = folder / "cassette.yaml"
    file.write_text(json.dumps({"version": 1, "turns": [*entries, silence]}))
    return file


def _make_lane(folder: Path) -> None:
    for name in ("lane", "home"):
        (folder / name).mkdir(parents=True)
    git = ("git", "-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "-C", str(folder / "lane"))
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "Start"], check=True)


async def _all_gone(pids: set[int]) -> None:
    """Wait for processes that are not ours to wait for: they send no event."""
    while pids:
        await asyncio.sleep(0.002)
        pids = set(filter(_alive, pids))


@asynccontextmanager
async def _assignment(gateway: LocalGateway, folder: Path) -> AsyncIterator[Assignment]:
    await asyncio.to_thread(_make_lane, folder)
    task = Task(id="T1", title="a task")
    plain = Assignment("bench", task, 1, folder / "lane", folder / "home", "Do it.", Limits(), command=_COMMAND)
    access = ModelAccess("bench", "T1", 1, Options(cassette=str(_cassette(folder))), plain.lane)
    door = await gateway.open(access)
    try:
        yield replace(plain, door=door)
    finally:
        await gateway.shut(door)


async def _play(agent: Agent, assignment: Assignment) -> None:
    async for _ in agent.run(assignment, asyncio.Queue()):
        pass


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


async def one(gateway: LocalGateway, name: str, path: str, kept: Path) -> float:
    """Interrupt the agent once; return the seconds until its last process was gone. Raises SystemExit."""
    with tempfile.TemporaryDirectory(prefix="buildwright-bench-", ignore_cleanup_errors=True) as folder:
        async with _assignment(gateway, Path(folder)) as assignment:
            before = {process.pid for process in psutil.Process().children(recursive=True)}
            running = asyncio.create_task(_play(_agent(name, path, kept), assignment))
            sign, began = assignment.lane / "here", time.perf_counter()
            # aider has no tool: its one request is under way some seconds after its start.
            while not sign.exists() and not (name == "aider" and time.perf_counter() - began > 15):
                if running.done() or time.perf_counter() - began > _STARTS_WITHIN:
                    running.cancel()
                    raise SystemExit(f"{name} has not run its command: {running}")
                await asyncio.sleep(0.05)
            ours = {process.pid for process in psutil.Process().children(recursive=True)} - before
            began = time.perf_counter()
            running.cancel()
            await _all_gone(ours)
            seconds = time.perf_counter() - began
            with suppress(asyncio.CancelledError):
                await running
            return seconds


@contextmanager
def busy() -> Iterator[None]:
    """Keep every processor busy meanwhile."""
    argv = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(argv) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.send_signal(signal.SIGKILL)
            burner.wait()


async def measure(agents: tuple[str, ...], times: int, path: str, state: Path) -> dict[str, Any]:
    """Interrupt each agent so many times, in turns; seconds by agent."""
    found: dict[str, list[float]] = {agent: [] for agent in agents}
    gateway = LocalGateway({}, state)
    try:
        with busy():
            for _ in range(times):
                for agent in agents:
                    found[agent].append(await one(gateway, agent, path, state))
    finally:
        await gateway.close()
    return {"load": round(load(), 2), "seconds": found}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.interrupt", description="Interrupt agents and time it.")
    parser.add_argument("--times", type=int, default=1, help="how often each agent is interrupted (default 1)")
    parser.add_argument("--agent", action="append", default=[], help="an agent; without it every one that is installed")
    parser.add_argument("--state", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--tiny", action="store_true", help="once each, to see that it works")
    given = parser.parse_args()
    path = os.environ.get("PATH", os.defpath)
    agents = tuple(given.agent) or tuple(agent for agent in known() if installed(agent, path))
    state = given.state or Path(tempfile.mkdtemp(prefix="buildwright-bench-"))
    state.mkdir(parents=True, exist_ok=True)
    try:
        found = asyncio.run(measure(agents, 1 if given.tiny else given.times, path, state))
    finally:
        shutil.rmtree(state, ignore_errors=True)
    for table in tables([found]):
        for row in (table.header, *table.rows):
            print(f"{row[0]:<24}", *(f"{cell:>8}" for cell in row[1:]))
    print(json.dumps({"interrupt": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
