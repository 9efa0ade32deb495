"""One life of a build with a real agent behind the gateway; it may end itself with kill -9 when the agent is done.

`python -m tests.engine.second_life FOLDER HOME AGENT PROVIDER CHECKPOINT_SECONDS [SECONDS]`: with SECONDS, it dies so long after
the agent has said that it is finished, and nobody has heard it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from buildwright.agents.claude import ClaudeAgent
from buildwright.agents.direct import DirectAgent
from buildwright.core.activity import Activity, Finished
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.adapters import Adapters
from buildwright.engine.held_build import run
from buildwright.gateway import GatewayModel, LocalGateway
from buildwright.ports import Agent, Assignment, Briefing, BriefingRequest, Message
from buildwright.sandbox import Bubblewrap, NoSandbox
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import this_process
from buildwright.wiring import SystemClock
from buildwright.workspace import GitWorkspace
from tests.engine.harness import tasks


class Mortal:
    """An agent whose process dies when it has finished."""

    def __init__(self, agent: Agent, seconds: float) -> None:
        self._agent = agent
        self._seconds = seconds
        self.name, self.resumes = agent.name, agent.resumes
        self.touches_files, self.uses_model = agent.touches_files, agent.uses_model

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        async for activity in self._agent.run(assignment, inbox):
            if isinstance(activity, Finished):
                await asyncio.sleep(self._seconds)
                os.kill(os.getpid(), signal.SIGKILL)
            yield activity


async def brief(_request: BriefingRequest) -> Briefing:
    return Briefing("Write a.txt, b.txt and c.txt.", "")


async def main(
    folder: Path, home: Path, name: str, provider: str, checkpoint_seconds: float, dies: float | None
) -> None:
    clock = SystemClock()
    builds = await SqliteBuilds.open(folder / "state.db", folder / "artifacts")
    rows = await builds.rows()
    if rows:
        build_id = rows[0].build_id
    else:
        options = Options(agent=name, sandbox="none", gates=False, model="claude-sonnet-4-5")
        spec = Spec(title="second life", graph=tasks("a"))
        build_id = await commands.create(
            builds, clock, commands.NewBuild(spec, options, str(folder / "repository"), "", "p", "u")
        )
    path = os.pathsep.join((os.environ["PATH"], str(Path(sys.executable).parent)))
    agents: dict[str, Agent] = {
        "direct": DirectAgent(GatewayModel()),
        "claude": ClaudeAgent(NoSandbox(), path, retries=1),
        "claude in a box": ClaudeAgent(Bubblewrap(), path, retries=1),
    }
    agent = agents[name]
    gateway = LocalGateway({"ANTHROPIC_API_KEY": "sk-12345678", "ANTHROPIC_BASE_URL": provider}, home, answers=builds)
    world = Adapters(
        builds=builds,
        clock=clock,
        agent=agent if dies is None else Mortal(agent, dies),
        holder=this_process(),
        scratch=home / "scratch",
        brief=brief,
        workspace=GitWorkspace(home, {}),
        gateway=gateway,
        checkpoint_seconds=checkpoint_seconds,
    )
    await run(world, build_id)
    await gateway.close()
    await builds.close()


if __name__ == "__main__":
    _, where, at, which, url, every, *rest = sys.argv
    asyncio.run(main(Path(where), Path(at), which, url, float(every), float(rest[0]) if rest else None))
