"""Agents, a gate, a planner and a gateway for simulated worlds. The seed, the task and the attempt decide what an agent does.

So an attempt that is begun again after a crash does the same again, as a replayed model would. Must never touch a file.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from buildwright.core.activity import Activity, Finished, Heard, Said, Wrote
from buildwright.core.build import Build
from buildwright.core.finding import Finding, Report
from buildwright.core.graph import Graph
from buildwright.core.spec import Spec
from buildwright.errors import AgentFailed, BadGraph, CouldNot, GateBroken, ModelFailed, UnsafePath
from buildwright.ports import (
    Assignment,
    Judged,
    Judgement,
    Message,
    ModelAccess,
    ModelEndpoint,
    Notice,
    PlanRevision,
    Spend,
)
from tests.simulation.git import Files, SimulatedGit
from tests.simulation.process import Luck, Process

Behaviour = Literal[
    "right",
    "slow",
    "wrong",
    "nothing",
    "crash",
    "clash",
    "overloaded",
    "unsafe",
    "mute",
    "hang",
    "refuse",
    "listen",
    "ask",
]
HARMLESS: tuple[Behaviour, ...] = ("right", "slow")
CURABLE: tuple[Behaviour, ...] = ("wrong", "nothing", "crash", "hang", "unsafe")
"""What an attempt may do that another attempt makes good, without a person."""
ODD: tuple[Behaviour, ...] = ("clash", "overloaded", "mute", "refuse", "listen")


class Work(NamedTuple):
    """What a task leaves behind when it is done right: its own file, a line in a shared one, a file it deletes ("" for none)."""

    own: str
    shared: str = ""
    deletes: str = ""


@dataclass(slots=True)
class Ledger:
    """What the models' provider has really charged: every spend has its own number of input tokens."""

    spends: list[Spend] = field(default_factory=list)
    open_doors: dict[str, list[Spend]] = field(default_factory=dict)


class SimulatedGateway:
    """The port Gateway for one process. What it has metered and not yet told is lost when the process dies."""

    def __init__(self, process: Process, ledger: Ledger) -> None:
        self._process = process
        self._ledger = ledger
        self._opened = 0
        self._shut: set[str] = set()

    async def open(self, access: ModelAccess) -> ModelEndpoint:
        self._opened += 1
        token = f"{self._process.name}/{self._opened}/{access.build_id}/{access.task}/{access.attempt}"
        self._ledger.open_doors[token] = []
        return ModelEndpoint("http://simulated", token)

    def charge(self, door: ModelEndpoint) -> None:
        """A request of an agent or planner is answered, and paid for."""
        if not self._process.alive:
            return
        _, _, build_id, task, attempt = door.token.split("/")
        number = len(self._ledger.spends) + 1
        spend = Spend(build_id, task, int(attempt), "simulated", number, 1, 0, 0, "0.01")
        self._ledger.spends.append(spend)
        self._ledger.open_doors[door.token].append(spend)

    def noticed(self, build_id: str) -> list[Notice]:
        return []

    def limit(self, door: ModelEndpoint) -> None:
        return None

    def trouble(self, door: ModelEndpoint) -> None:
        return None

    def denied(self, door: ModelEndpoint) -> tuple[str, ...]:
        return ()

    def metered(self, door: ModelEndpoint) -> list[Spend]:
        taken = self._ledger.open_doors.pop(door.token, [])
        if door.token not in self._shut:
            self._ledger.open_doors[door.token] = []
        return taken

    async def shut(self, door: ModelEndpoint) -> None:
        self._shut.add(door.token)

    async def close(self) -> None:
        """Nothing to let go of."""


class SimulatedAgent:
    """Does its task right, wrong, slowly, never, or not at all. `tame`: all but the first attempts do it right."""

    name = "simulated"
    touches_files = True
    uses_model: Literal["always", "if given", "never"] = "if given"

    def __init__(
        self, process: Process, git: SimulatedGit, gateway: SimulatedGateway, works: Mapping[str, Work], seed: str
    ) -> None:
        self.resumes = False
        self.tame = False
        self.asks = False
        """Whether some attempts do what asks for consent instead of what is wrong."""
        self._process = process
        self._git = git
        self._gateway = gateway
        self._works = works
        self._seed = seed

    def behaviour(self, task: str, attempt: int) -> Behaviour:
        """What an attempt does; a function of the seed, the task and the attempt."""
        draw = random.Random(f"{self._seed}/{task}/{attempt}")
        if draw.random() < 0.5 or (self.tame and attempt > 1):
            return draw.choice(HARMLESS)
        chosen = draw.choice(CURABLE if self.tame else (*CURABLE, *ODD))
        other = random.Random(f"{self._seed}/{task}/{attempt}/asks")
        return "ask" if self.asks and chosen in {"wrong", "crash", "nothing"} and other.random() < 0.7 else chosen

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        """See `ports.Agent`. Raises AgentFailed, UnsafePath where its behaviour is so."""
        task, draw = assignment.task.id, self._process.luck.draw
        behaviour = self.behaviour(task, assignment.attempt)
        self._process.agents.add((task, assignment.attempt))
        self._process.luck.seen[f"agent: {behaviour}"] += 1
        self._process.trace.note(self._process.name, f"agent {task}/{assignment.attempt}: {behaviour}")
        if behaviour == "refuse":
            raise AgentFailed("the agent is not installed")
        for _ in range(draw.randrange(1, 4)):
            yield Said(text="thinking")
            await asyncio.sleep(draw.randrange(1, 20) / 4)
            if assignment.door is not None and behaviour != "nothing":
                self._gateway.charge(assignment.door)
            if not inbox.empty():
                heard = [inbox.get_nowait().id for _ in range(inbox.qsize())]
                yield Heard(message_ids=tuple(heard))
        async for activity in self._end(behaviour, assignment, inbox):
            yield activity

    async def _end(
        self, behaviour: Behaviour, assignment: Assignment, inbox: asyncio.Queue[Message]
    ) -> AsyncIterator[Activity]:
        if behaviour in {"hang", "slow"}:
            limit = assignment.limits.task_seconds
            await asyncio.sleep(10 * limit if behaviour == "hang" else limit / 3)
        if behaviour == "listen":
            yield Heard(message_ids=((await inbox.get()).id,))
        if behaviour == "unsafe":
            raise UnsafePath("../outside leaves the lane")
        if behaviour == "mute":
            return
        if behaviour in {"crash", "overloaded"}:
            failure: Literal["crashed", "overloaded"] = "crashed" if behaviour == "crash" else "overloaded"
            yield Finished(ok=False, failure=failure, summary="it broke")
            return
        if behaviour != "nothing" and self.touches_files:
            files = self._git.folders.get(assignment.lane)
            if files is None or not self._process.alive:
                raise AgentFailed("the lane is gone")
            leave(self._works[assignment.task.id], assignment.task.id, files, behaviour)
            yield Wrote(path=self._works[assignment.task.id].own, size_bytes=1)
        yield Finished(ok=True, summary="done", conversation=f"{assignment.conversation}.")


def leave(work: Work, task: str, files: dict[str, str], behaviour: Behaviour = "right") -> None:
    """Do a task in a set of files, well or badly. What is there already of a shared file stays, in order."""
    bad = {"wrong": "wrong\n", "clash": "only one\n", "ask": "asks\n"}
    files[work.own] = f"{task}\n{bad.get(behaviour, '')}"
    if work.shared:
        lines = files.get(work.shared, "").splitlines()
        marks = ("<<<<<<<", "=======", ">>>>>>>")
        kept = {line for line in lines if line not in marks}
        files[work.shared] = "".join(f"{line}\n" for line in sorted({*kept, task}))
    if work.deletes:
        files.pop(work.deletes, None)


def refusals(files: Files) -> list[str]:
    """What the gate has against a tree. Two files that both claim to be the only one are only wrong together."""
    found = [path for path, text in files.items() if "wrong\n" in text or "<<<<<<<" in text]
    claims = [path for path, text in files.items() if "only one\n" in text]
    return [*found, *(claims if len(claims) > 1 else [])]


def asking(files: Files) -> list[str]:
    """Files of a tree whose changes ask for a person's consent."""
    return [path for path, text in files.items() if "asks\n" in text]


class SimulatedGate:
    """Judges a tree by its content alone."""

    name = "content"
    needs_files = True

    def __init__(self, process: Process, git: SimulatedGit) -> None:
        self._process = process
        self._git = git

    async def judge(self, judged: Judged) -> list[Judgement]:
        def effect() -> list[Finding]:
            if judged.files is None or judged.files not in self._git.folders:
                raise GateBroken("the checkout is gone")
            files = self._git.folders[judged.files]
            own = judged.patch.paths if judged.patch is not None else tuple(files)
            asks = [Finding(code="reach.asks", message="asks", file=path) for path in asking(files) if path in own]
            return [*(Finding(code="content.wrong", message="wrong", file=path) for path in refusals(files)), *asks]

        findings = tuple(await self._process.request("gate.judge", effect, _gate_broken, 8.0, ends=True))
        report = Report(gate=self.name, kind="test", ok=not findings, findings=findings)
        return [Judgement(report, f"{len(findings)} findings".encode())]


def _gate_broken(message: str) -> CouldNot:
    return GateBroken(message)


class SimulatedPlanner:
    """The port Planner: it knows the graph, and sometimes does not find it."""

    def __init__(self, process: Process, gateway: SimulatedGateway, graph: Graph, luck: Luck) -> None:
        self._process = process
        self._gateway = gateway
        self._graph = graph
        self._luck = luck

    async def plan(self, spec: Spec, context: str, model: str, door: ModelEndpoint) -> Graph:
        await asyncio.sleep(1.0)
        self._gateway.charge(door)
        if self._luck.strikes("planner.model"):
            raise ModelFailed("the model is overloaded", kind="overloaded")
        if self._luck.strikes("planner.graph"):
            raise BadGraph("a cycle")
        return self._graph

    async def revise(self, build: Build, context: str, model: str, door: ModelEndpoint) -> PlanRevision:
        await asyncio.sleep(1.0)
        self._gateway.charge(door)
        return PlanRevision()
