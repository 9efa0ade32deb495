"""Many workers in a simulated world: each hears hints, and may die, freeze or lose the store at any time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from buildwright.core.limits import Options
from buildwright.engine.adapters import Adapters
from buildwright.engine.poll import poll, renew_leases
from buildwright.engine.worker import Worker
from buildwright.errors import CouldNot
from tests.adapters.memory_store import MemoryBuilds
from tests.simulation.embedded import engine_world
from tests.simulation.hints import Broker, Hint, SimulatedJobs
from tests.simulation.process import START, Process, at_once
from tests.simulation.scenario import BUILD
from tests.simulation.store import SimulatedBoard, SimulatedBuilds
from tests.simulation.world import Broken, SimulatedWorld

SETTLING = 45.0
"""Virtual seconds after the end of the build in which everything must come to rest."""


class SimulatedWorker:
    """One life of a worker."""

    def __init__(self, world: SimulatedWorld, broker: Broker, board: MemoryBuilds, name: str) -> None:
        self.process = world.process(name)
        self.leaving = asyncio.Event()
        self._world = world
        self._board = SimulatedBoard(self.process, board)
        self._jobs = SimulatedJobs(self.process, broker)
        self._hints = broker.listen(self.process)
        self._broker = broker
        self._doing: set[asyncio.Task[None]] = set()
        self.main = self.process.start(self._work())

    async def _work(self) -> None:
        """Until it is asked to leave."""
        engine = engine_world(self._world, self.process, told=False)

        async def worlds(_: Options) -> Adapters:
            return engine

        builds = SimulatedBuilds(self.process, self._world.store)
        worker = Worker(builds, self._board, self._jobs, self.process, engine.holder, worlds, slots=2)
        if engine.workspace is not None:
            await self._patiently(lambda: engine.workspace.forget(BUILD))  # type: ignore[union-attr]
        running = [
            asyncio.create_task(renew_leases(worker), name="tend"),
            asyncio.create_task(poll(worker, self._jobs), name="patrol"),
            asyncio.create_task(self._hear(worker), name="hear"),
        ]
        leaving = asyncio.create_task(self.leaving.wait())
        await asyncio.wait([leaving, *running], return_when=asyncio.FIRST_COMPLETED)
        self._broker.leave(self.process)
        await worker.close()
        for task in (leaving, *running):
            task.cancel()
        ended = await asyncio.gather(*running, return_exceptions=True)
        await asyncio.gather(*self._doing)
        if worker.claimed_actions:
            raise Broken(f"{self.process.name} has closed and still has {sorted(worker.claimed_actions)}")
        for outcome in ended:
            if outcome is not None and not isinstance(outcome, asyncio.CancelledError):
                raise outcome

    async def _patiently(self, ask: Callable[[], object]) -> None:
        while True:
            try:
                await ask()  # type: ignore[misc]
            except CouldNot:
                await asyncio.sleep(1.0)
            else:
                return

    async def _hear(self, worker: Worker) -> None:
        while True:
            hint = await self._hints.get()
            task = asyncio.create_task(self._do(worker, hint), name=f"hint {hint.key}")
            self._doing.add(task)
            task.add_done_callback(self._doing.discard)

    async def _do(self, worker: Worker, hint: Hint) -> None:
        try:
            await (worker.perform(*hint) if hint.key else worker.advance(hint.build_id))
        except CouldNot:
            self._world.luck.seen["hint came to nothing"] += 1


class Cluster:
    """All workers of a world. A place whose worker has died gets a new one after a while."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self._draw = random.Random(f"cluster/{world.scenario.seed}")
        self._broker = Broker(world.loop, world.luck)
        self._board = world.store
        self._workers: dict[int, SimulatedWorker] = {}
        self._over = asyncio.Event()
        world.git.on_begin = self._may_begin

    async def live(self) -> None:
        """From the build's beginning until it has ended and everything rests."""
        world = self._world
        await world.store.create(BUILD, [world.scenario.created()], START)
        self._broker.send(Hint(BUILD, ""))
        places = [asyncio.create_task(self._place(number)) for number in range(world.scenario.workers)]
        others = [asyncio.create_task(world.caller(number)) for number in range(world.scenario.callers)]
        others += [asyncio.create_task(world.approver())] if world.scenario.approves else []
        others += [asyncio.create_task(world.patient()), asyncio.create_task(world.fate(self._victims))]
        others += [asyncio.create_task(self._wipes())]
        await self._until_over(places)
        await asyncio.gather(*others)
        await asyncio.sleep(SETTLING)
        await self._at_rest()
        self._over.set()
        await asyncio.gather(*places)

    async def _until_over(self, places: list[asyncio.Task[None]]) -> None:
        while not (await self._world.build()).is_terminal:
            await asyncio.sleep(5.0)
            for place in places:
                if place.done():
                    place.result()
                    raise Broken("a worker has left before the build was over")

    async def _place(self, number: int) -> None:
        """One worker after the other in this place."""
        over = asyncio.create_task(self._over.wait())
        for life in range(1, 50):
            worker = SimulatedWorker(self._world, self._broker, self._board, f"worker{number}.{life}")
            self._workers[number] = worker
            death = asyncio.create_task(worker.process.died.wait())
            await asyncio.wait([worker.main, death, over], return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
            if not worker.process.alive:
                await worker.process.kill()
                self._broker.leave(worker.process)
                await asyncio.sleep(self._draw.choice([0.5, 10.0, 60.0]))
                continue
            if over.done() or worker.main.done():
                worker.leaving.set()
                await worker.main
                if worker.process.left:
                    raise Broken(f"{worker.process.name} has left and left {worker.process.left} running")
                return
        raise Broken("a worker dies again and again")

    def _victims(self) -> list[Process]:
        return [worker.process for worker in self._workers.values() if worker.process.alive]

    async def _wipes(self) -> None:
        """Redis loses everything, once in a while."""
        for _ in range(self._world.scenario.outages):
            await asyncio.sleep(self._draw.uniform(0, self._world.scenario.calm_after))
            self._world.luck.seen["redis wiped"] += 1
            self._broker.wipe()

    def _may_begin(self, process: Process, kind: str, build_id: str, commit: str) -> None:
        """Whoever begins to land or deliver must be the one who has the action, by the store's word."""
        rows = at_once(self._board.board(build_id))
        holder = next((row.holder for row in rows if row.live and row.key.startswith(kind) and commit in row.key), "")
        if holder != f"host:{process.name}:1":
            self._world.broken.append(
                f"{process.name} begins to {kind} {commit[:8]}, but {holder or 'nobody'} has that"
            )

    async def _at_rest(self) -> None:
        rows = await self._board.board(BUILD)
        if rows:
            raise Broken(f"the build is over, and on the board is {rows}")
        due = await self._board.due(0.0)
        if due.builds or due.actions:
            raise Broken(f"the build is over, and due is {due}")
