"""The embedded engine in a simulated world: one life of the program after the other, until the build has ended."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from buildwright.core.build import Build, Control
from buildwright.core.event import Recorded
from buildwright.engine.adapters import Adapters
from buildwright.engine.held_build import run
from buildwright.engine.perform import forget_lanes
from buildwright.errors import BuildIsRunning, CouldNot, LostLease
from buildwright.ports import Briefing, BriefingRequest
from tests.simulation.agents import SimulatedAgent, SimulatedGate, SimulatedGateway, SimulatedPlanner
from tests.simulation.git import SimulatedWorkspace
from tests.simulation.process import START, Process
from tests.simulation.scenario import BUILD
from tests.simulation.store import SimulatedBuilds
from tests.simulation.world import Broken, SimulatedWorld

LEASE_SECONDS = 30.0


async def brief(request: BriefingRequest) -> Briefing:
    return Briefing(f"do {request.task.id}", request.state.reason)


def engine_world(
    world: SimulatedWorld, process: Process, detach: asyncio.Event | None = None, *, told: bool = True
) -> Adapters:
    """Everything the engine of this process is given."""
    chosen = world.scenario
    gateway = SimulatedGateway(process, world.ledger)
    agent = SimulatedAgent(process, world.git, gateway, chosen.works, str(chosen.seed))
    agent.asks = chosen.approves
    agent.tame, agent.resumes, agent.touches_files = chosen.tame, chosen.resumes, chosen.options.lanes
    heard: list[int] = []

    def on_event(recorded: Recorded, build: Build) -> None:
        if recorded.seq != build.version or (heard and recorded.seq != heard[-1] + 1):
            raise Broken(f"{process.name} was told of event {recorded.seq} after {heard[-1:]}")
        heard.append(recorded.seq)

    return Adapters(
        builds=SimulatedBuilds(process, world.store),
        clock=process,
        agent=agent,
        holder=f"host:{process.name}:1",
        scratch=Path("/simulated/scratch"),
        brief=brief,
        workspace=SimulatedWorkspace(process, world.git),
        gates=[SimulatedGate(process, world.git)],
        gateway=gateway,
        planner=SimulatedPlanner(process, gateway, chosen.graph, world.luck),
        on_event=on_event if told else None,
        stay=chosen.stay,
        lease_seconds=LEASE_SECONDS,
        poll_seconds=1.0,
        load=lambda: float(chosen.seed % 2 * 1000),
        detach=detach or asyncio.Event(),
    )


async def _run(world: Adapters) -> Build:
    """As the program does: what has ended is cleared away."""
    build = await run(world, BUILD)
    if build.is_terminal and world.workspace is not None:
        await forget_lanes(world.workspace, build, world.mask)
    return build


class Lives:
    """The lives of the program on one build."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self._draw = random.Random(f"lives/{world.scenario.seed}")
        self._now: Process | None = None
        self._ghosts: list[tuple[Process, asyncio.Task[Build]]] = []

    async def live(self) -> None:
        """Begin one life after the other until one of them sees the build ended."""
        world, draw = self._world, self._draw
        await world.store.create(BUILD, [world.scenario.created()], START)
        others = [asyncio.create_task(world.caller(number)) for number in range(world.scenario.callers)]
        others += [asyncio.create_task(world.approver())] if world.scenario.approves else []
        others += [asyncio.create_task(world.patient()), asyncio.create_task(world.fate(self._victims))]
        for number in range(1, 200):
            build = await self._life(number)
            if build is not None and build.is_terminal:
                break
            while (await world.build()).control is Control.PAUSED:
                await asyncio.sleep(draw.randrange(1, 20))
            await asyncio.sleep(draw.choice([0.0, 1.0, 5.0, 40.0]))
        else:
            raise Broken("the build does not end")
        for process, main in self._ghosts:
            await asyncio.wait([main, asyncio.create_task(process.died.wait())], return_when=asyncio.FIRST_COMPLETED)
            await self._end(process, main)
        await asyncio.gather(*others)

    def _victims(self) -> list[Process]:
        return [] if self._now is None or not self._now.alive or not self._now.left else [self._now]

    async def _life(self, number: int) -> Build | None:
        """What the run returned; None when it ended in another way, or when somebody else has to take over."""
        world, draw = self._world, self._draw
        process = world.process(f"engine.{number}")
        detach = asyncio.Event()
        main = process.start(_run(engine_world(world, process, detach)))
        self._now = process
        death = asyncio.create_task(process.died.wait())
        if not world.luck.calm and draw.random() < 0.1:
            world.luck.seen["detached"] += 1
            world.loop.call_later(draw.uniform(0, 60), detach.set)
        while not main.done() and process.alive:
            await asyncio.wait([main, death], timeout=15.0, return_when=asyncio.FIRST_COMPLETED)
            if process.frozen and draw.random() < 0.5:
                world.luck.seen["another takes over"] += 1
                self._ghosts.append((process, main))
                death.cancel()
                return None
        death.cancel()
        return await self._end(process, main)

    async def _end(self, process: Process, main: asyncio.Task[Build]) -> Build | None:
        if not process.alive:
            await process.kill()
            return None
        return self._ended(process, main)

    def _ended(self, process: Process, main: asyncio.Task[Build]) -> Build | None:
        """Which ways of ending there are, and that nothing is left running after any of them."""
        if process.alive and process.left:
            raise Broken(f"{process.name} has ended and left {process.left} running")
        try:
            return main.result()
        except (BuildIsRunning, LostLease, CouldNot) as error:
            self._world.luck.seen[f"run ended: {type(error).__name__}"] += 1
            return None
