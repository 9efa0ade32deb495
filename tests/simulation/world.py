"""One simulated world: its loop, its store and git, its processes, and the fate that befalls them. Knows no engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from buildwright.core.build import Build, Control, unapproved
from buildwright.core.limits import Check
from buildwright.core.options_change import OptionsChange
from buildwright.engine import commands
from buildwright.engine.resume_command import Choice, ResumeBuild
from buildwright.engine.task_commands import RedoTask, UndoTask
from buildwright.errors import CouldNot, IllegalMove, NotFound
from tests.adapters.memory_store import MemoryBuilds
from tests.simulation.agents import Ledger
from tests.simulation.git import SimulatedGit
from tests.simulation.loop import SimulatedLoop
from tests.simulation.process import START, Luck, Process, Trace
from tests.simulation.scenario import BUILD, REPOSITORY, Scenario
from tests.simulation.store import SimulatedBuilds

MOST_ANSWERS = 8
"""Pauses that the patient user of a wild world answers before giving the build up."""
MOST_CHECKS = 3
"""Checks that this user names in one build."""


class Broken(Exception):
    """An invariant does not hold."""


class LiveRedo(RedoTask):
    """A command of the users here, who leave a build alone that has ended."""

    reopens = False


class LiveResume(ResumeBuild):
    """The same of going on."""

    reopens = False


class LiveUndo(UndoTask):
    """The same of taking back."""

    reopens = False


@dataclass
class SimulatedWorld:
    """Everything that outlives a process."""

    scenario: Scenario
    loop: SimulatedLoop
    luck: Luck
    trace: Trace
    store: MemoryBuilds
    git: SimulatedGit = field(default_factory=SimulatedGit)
    ledger: Ledger = field(default_factory=Ledger)
    processes: list[Process] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What was seen on the way that must never be."""

    @classmethod
    def make(cls, scenario: Scenario, loop: SimulatedLoop) -> SimulatedWorld:
        luck = Luck(f"faults/{scenario.seed}", scenario.chances)
        world = cls(scenario, loop, luck, Trace(loop), MemoryBuilds(lambda: START + timedelta(seconds=loop.time())))
        git = world.git
        git.repositories[REPOSITORY] = git.commit(git.tree(scenario.base), "", "base")
        return world

    def store_time(self) -> datetime:
        """The store's own clock: the one that decides about leases."""
        return START + timedelta(seconds=self.loop.time())

    def process(self, name: str) -> Process:
        made = Process(name, self.loop, self.luck, self.trace)
        self.processes.append(made)
        return made

    async def build(self) -> Build:
        """The truth, as the store has it."""
        return await self.store.load(BUILD)

    # --- Users ----------------------------------------------------------------------------------------------------

    async def caller(self, number: int) -> None:
        """A user in a hurry: a few commands at random moments."""
        process = self.process(f"user{number}.1")
        builds, draw = SimulatedBuilds(process, self.store), random.Random(f"caller/{self.scenario.seed}/{number}")
        for _ in range(draw.randrange(1, 4)):
            await asyncio.sleep(draw.randrange(1, 400) / 4)
            names = ("pause", "go", "retry", "say", "say")
            name = draw.choice(names if self.scenario.tame else (*names, "skip", "stop"))
            if self.scenario.redoes and draw.random() < 0.5:
                name = draw.choice(("redo", "undo"))
            try:
                if name == "pause":
                    await commands.ask(builds, process, BUILD, commands.PauseBuild("wait"))
                elif name == "say":
                    task = draw.choice(["", *self.scenario.works])
                    await commands.ask(builds, process, BUILD, commands.SendMessage("hello", task))
                elif name in {"redo", "undo"}:
                    kind = LiveRedo if name == "redo" else LiveUndo
                    task, all_ = draw.choice(list(self.scenario.works)), draw.random() < 0.7
                    await commands.ask(builds, process, BUILD, kind(task, with_dependents=all_))
                elif name == "stop":
                    await commands.ask(builds, process, BUILD, commands.StopBuild())
                else:
                    await commands.ask(builds, process, BUILD, LiveResume(name))  # type: ignore[arg-type]
            except (IllegalMove, NotFound, CouldNot) as refused:
                self.luck.seen[f"command refused: {type(refused).__name__}"] += 1
            else:
                self.luck.seen[f"command: {name}"] += 1

    async def approver(self) -> None:
        """A user who lets most of what asks for consent pass, whatever the build does at that moment."""
        process = self.process("approver.1")
        draw = random.Random(f"approver/{self.scenario.seed}")
        while not (build := await self.build()).is_terminal:
            states = sorted(build.tasks.items())
            for found in [one for _, state in states for one in unapproved(state) if one.can_be_approved]:
                if draw.random() < 0.2:
                    continue
                try:
                    wanted = commands.ApproveFinding(found.fingerprint, "fine")
                    after, _ = await commands.ask(self.store, process, BUILD, wanted)
                except (IllegalMove, NotFound) as refused:
                    self.luck.seen[f"approval refused: {type(refused).__name__}"] += 1
                else:
                    again = any(after.task(task).phase is not state.phase for task, state in states)
                    self.luck.seen["approved, judged again" if again else "approved"] += 1
            await asyncio.sleep(draw.randrange(1, 12))

    async def patient(self) -> None:
        """A user who answers every pause sooner or later, until the build has ended."""
        process = self.process("patient.1")
        draw = random.Random(f"patient/{self.scenario.seed}")
        answers = 0
        while not (await self.build()).is_terminal:
            await asyncio.sleep(draw.randrange(10, 100))
            build = await self.build()
            if build.control is not Control.PAUSED:
                continue
            answers += 1
            choice, budget = self._answer(build, draw, answers)
            checks = self._other_checks(build, choice)
            try:
                await commands.ask(self.store, process, BUILD, LiveResume(choice, budget_usd=budget, options=checks))
            except IllegalMove:
                self.luck.seen["answer came late"] += 1
            else:
                self.luck.seen[f"answered {choice}"] += 1

    def _answer(self, build: Build, draw: random.Random, answers: int) -> tuple[Choice, Decimal | None]:
        assert build.pause is not None
        budget = build.usage.cost_usd + 1 if build.pause.reason == "budget" else None
        if self.scenario.tame:
            return ("retry" if build.failed else "go"), budget
        if answers > MOST_ANSWERS:
            return "abort", None
        if build.failed:
            return draw.choice(("retry", "retry", "skip", "abort")), budget
        return draw.choice(("go", "go", "go", "abort")), budget

    def _other_checks(self, build: Build, choice: Choice) -> OptionsChange | None:
        """Let a user name another check now and then: what was judged by the others counts no more.

        Always where nothing that lands later may prove the final tree: with a task that is given up, or when all are done.
        """
        number = len(build.options.checks) + 1
        if self.scenario.tame or number > MOST_CHECKS or choice == "abort":
            return None
        draw = random.Random(f"checks/{self.scenario.seed}/{number}/{build.version}")
        if choice != "skip" and not build.all_tasks_done and draw.random() > 0.3:
            return None
        self.luck.seen["other checks"] += 1
        return OptionsChange(checks=(*build.options.checks, Check(name=f"check-{number}", command="true")))

    # --- Fate -----------------------------------------------------------------------------------------------------

    def fates(self) -> list[tuple[float, str]]:
        """What is to befall the processes, and when."""
        chosen, draw = self.scenario, random.Random(f"fate/{self.scenario.seed}")
        kinds = ["death"] * chosen.deaths + ["freeze"] * chosen.freezes + ["jump"] * chosen.jumps
        kinds += ["outage"] * chosen.outages
        kinds += ["cut"] * (chosen.outages if chosen.workers > 1 else 0)
        return sorted((draw.uniform(0, chosen.calm_after), kind) for kind in kinds)

    async def fate(self, victims: Callable[[], list[Process]]) -> None:
        """Let it befall whoever lives then, and end all trouble after a while."""
        draw = random.Random(f"victims/{self.scenario.seed}")
        for at, kind in self.fates():
            await asyncio.sleep(max(0.0, at - self.loop.time()))
            living = victims()
            if kind == "outage":
                self._cut_off(living, draw.choice([1.0, 10.0, 90.0]), kind)
            elif living:
                self._befall(draw.choice(living), kind, draw)
        await asyncio.sleep(max(0.0, self.scenario.calm_after - self.loop.time()))
        self.luck.calm = True
        for process in self.processes:
            process.fuse = 0
        self.trace.note("fate", "from here on nothing goes wrong")

    def _befall(self, victim: Process, kind: str, draw: random.Random) -> None:
        self.luck.seen[f"fate: {kind}"] += 1
        if kind in {"death", "freeze"} and draw.random() < 0.6:
            victim.fuse = draw.randrange(1, 25)
            victim.fuse_freezes = draw.choice([5.0, 40.0, 200.0]) if kind == "freeze" else 0.0
        elif kind == "death":
            victim.die()
        elif kind == "freeze":
            victim.freeze(draw.choice([5.0, 40.0, 200.0]))
        elif kind == "jump":
            victim.skew += draw.choice([-86_400.0, -300.0, 300.0, 86_400.0])
            self.trace.note(victim.name, f"its clock is {victim.skew:+.0f} s off")
        elif kind == "cut":
            self._cut_off([victim], draw.choice([10.0, 120.0]), kind)

    def _cut_off(self, processes: list[Process], seconds: float, kind: str) -> None:
        self.luck.seen["fate: outage"] += kind == "outage"
        for process in processes:
            process.cut_off = True
            self.trace.note(process.name, f"no connection to the store for {seconds:g} s")

            def again(process: Process = process) -> None:
                process.cut_off = False

            self.loop.call_later(seconds, again)
