"""What agents, gates and tools say reaches the log, the journal and listeners only cleaned, however it was cut."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from buildwright.core import event as e
from buildwright.core.activity import Activity, Finished, Ran, Said
from buildwright.core.build import Build
from buildwright.core.finding import Evidence, Finding, Report
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.secrets import MASK, Masker
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine import commands
from buildwright.engine.action_context import ActionContext
from buildwright.engine.build_log import BuildLog
from buildwright.engine.messages import Inboxes
from buildwright.gateway import LocalGateway
from buildwright.ports import Assignment, Builds, Judged, Judgement, LogEntry, Message, ModelEndpoint, PlanRevision
from buildwright.store.journal_sqlite import SqliteBuilds
from tests.adapters.memory_store import MemoryBuilds
from tests.engine.harness import make_site, tasks

KEY = "k3y-Zq9-w7Tb2xV5mR8/Lp0"
RED = f"\x1b[31m{KEY}\x1b[0m\u202e"


class Talker:
    """An agent that says what it is given, and does nothing."""

    name = "talker"
    resumes = False
    touches_files = True
    uses_model: Literal["always", "if given", "never"] = "never"

    def __init__(self, activities: Sequence[Activity]) -> None:
        self._activities = activities

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        for activity in self._activities:
            yield activity


class Talking:
    """A gate whose command says what it is given, piece by piece, and that refuses in the same words."""

    name = "talking"
    needs_files = False

    def __init__(self, pieces: Sequence[str]) -> None:
        self._pieces = pieces

    async def judge(self, judged: Judged) -> list[Judgement]:
        assert judged.on_output is not None
        for piece in self._pieces:
            judged.on_output(piece)
        finding = Finding(code="x", message="".join(self._pieces), file=f"a\x1b[0m{KEY}", fix=RED)
        return [Judgement(Report(gate="talking", ok=False, findings=(finding,)), b"")]


def cuts(text: str) -> list[list[str]]:
    return [[text[:cut], text[cut:]] for cut in range(1, len(text))]


async def what_is_known_of(
    tmp_path: Path, builds: Builds, activities: Sequence[Activity], pieces: Sequence[str]
) -> tuple[list[str], str, list[str]]:
    """The log of a build in which that was said, its journal as text, and what a listener heard."""
    site = make_site(tmp_path, builds, None, [Talking(pieces)])
    heard: list[LogEntry] = []
    await site.start(tasks("a"), limits={"attempts": 1}, accept_base=True)
    await site.run(agent=Talker(activities), mask=Masker([KEY]), on_log=heard.append)
    log = await builds.read_log(site.build_id, limit=10_000)
    assert {(entry.kind, entry.text) for entry in heard} >= {
        (line.kind, line.text) for line in log if line.kind == "said"
    }
    journal = "\n".join(e.encode(recorded.event) for recorded in await builds.read(site.build_id))
    return [f"{line.kind}: {line.text}" for line in log], journal, [entry.text for entry in heard]


async def test_a_secret_cut_between_pieces_is_nowhere(tmp_path: Path) -> None:
    text = f"before {RED} after"
    activities: list[Activity] = []
    for first, second in cuts(text):
        activities += [Said(text=first, more=True), Said(text=second)]
    activities += [Ran(command=f"echo {RED}", output=RED), Finished(ok=False, failure="crashed", summary=RED)]
    log, journal, heard = await what_is_known_of(tmp_path, MemoryBuilds(), activities, [])
    assert log.count(f"said: before {MASK} after") == len(text) - 1
    assert f"ran: $ echo {MASK}" in log
    assert "\x1b" not in "".join((*log, *heard))
    for told in ("\n".join(log), journal, "\n".join(heard)):
        assert not any(KEY[start : start + 8] in told for start in range(len(KEY) - 7))
    assert "\\u001b" not in journal
    assert "\\u202e" not in journal


async def test_a_secret_cut_between_pieces_of_a_gates_output_is_nowhere(tmp_path: Path) -> None:
    pieces = [piece for cut in cuts(f"{RED}\n") for piece in cut]
    done = [Finished(ok=True)]

    class Writer(Talker):
        async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
            (assignment.lane / "a.txt").write_text("a")
            async for activity in super().run(assignment, inbox):
                yield activity

    builds = MemoryBuilds()
    site = make_site(tmp_path, builds, None, [Talking(pieces)])
    heard: list[LogEntry] = []
    await site.start(tasks("a"), accept_base=True)
    await site.run(agent=Writer(done), mask=Masker([KEY]), on_log=heard.append)
    log = [line.text for line in await builds.read_log(site.build_id, limit=10_000) if line.kind == "gate"]
    assert log.count(MASK) >= len(RED)
    journal = "\n".join(e.encode(recorded.event) for recorded in await builds.read(site.build_id))
    for told in ("\n".join(log), journal, "\n".join(entry.text for entry in heard)):
        assert not any(KEY[start : start + 8] in told for start in range(len(KEY) - 7))
    assert not {"\\u001b", "\\u202e"} & {journal[n : n + 6] for n in range(len(journal))}


class Printing:
    """A gate whose command prints the key, with the evidence of its whole output."""

    name = "printing"
    needs_files = False

    async def judge(self, judged: Judged) -> list[Judgement]:
        output = f"the key is {KEY} and \udcff\n".encode("utf-8", "surrogateescape")
        evidence = Evidence(
            tree=judged.tree,
            command="show",
            exit_code=0,
            seconds=0.1,
            output_digest=hashlib.sha256(output).hexdigest(),
            started_at=datetime.now(UTC),
        )
        return [Judgement(Report(gate="printing", ok=True, evidence=evidence), output)]


async def test_the_whole_output_is_kept_without_the_secret(tmp_path: Path) -> None:
    builds = MemoryBuilds()
    site = make_site(tmp_path, builds, None, [Printing()])
    await site.start(tasks("a"), limits={"attempts": 1}, accept_base=True)
    await site.run(agent=Talker([Finished(ok=True)]), mask=Masker([KEY]))
    judged = [stored.event for stored in await builds.read(site.build_id) if isinstance(stored.event, e.BaseJudged)]
    evidence = judged[0].verdict.reports[0].evidence
    assert evidence is not None
    kept = await builds.get_artifact(evidence.output_digest)
    assert kept == f"the key is {MASK} and ".encode() + b"\xff\n"


async def test_pieces_of_a_line_make_one_line(tmp_path: Path) -> None:
    activities: list[Activity] = [
        Said(text="one, ", more=True),
        Said(text="two\nthr", more=True),
        Said(text="ee"),
        Said(text="half", more=True),
        Ran(command="ls"),
        Said(text="10%\r50%\r", more=True),
        Said(text="100%\r\n"),
        Said(text="last", more=True),
        Finished(ok=False, failure="crashed"),
    ]
    log, _, _ = await what_is_known_of(tmp_path, MemoryBuilds(), activities, [])
    assert [line for line in log if line.startswith(("said", "ran"))] == [
        "said: one, two",
        "said: three",
        "said: half",
        "ran: $ ls",
        "said: 100%",
        "said: last",
    ]


async def test_what_an_attempt_tells_on_its_way_is_cleaned_too(tmp_path: Path) -> None:
    """The name of a model, for example, is what the provider's answer says."""
    told: list[e.AnyEvent | None] = []
    site = make_site(tmp_path, MemoryBuilds())
    world = replace(site.world(), mask=Masker([KEY]))
    build = await site.builds.load(await site.start(tasks("a")))

    async def guard() -> None:
        """Nothing else may have it."""

    async with BuildLog(world, site.build_id) as logbook:
        one = asyncio.Semaphore()
        bench = ActionContext(world, logbook, Inboxes(), one, newest=lambda: build, tell=told.append, guard=guard)
        bench.report(e.TokensUsed(model=RED, input_tokens=3))
    assert told == [e.TokensUsed(model=MASK, input_tokens=3)]


class ColorfulPlanner:
    """A planner whose model writes with colors and knows a secret."""

    def __init__(self, *milestones: str, needs: Sequence[str] = ()) -> None:
        self._milestones = milestones
        self._needs = tuple(needs)

    async def plan(self, spec: Spec, context: str, model: str, door: ModelEndpoint) -> Graph:
        made = [
            Task(id=f"t{place}", title=f"{RED}{place}", goal=RED, milestone=name)
            for place, name in enumerate(self._milestones)
        ]
        made[-1] = made[-1].model_copy(update={"depends_on": self._needs})
        return Graph(tasks=tuple(made), milestones=self._milestones)

    async def revise(self, build: Build, context: str, model: str, door: ModelEndpoint) -> PlanRevision:
        return PlanRevision((Task(id="more", title=f"{RED}more"),))


async def planned(tmp_path: Path, planner: ColorfulPlanner) -> list[e.AnyEvent]:
    """What the journal has of a plan that a model made."""
    builds = MemoryBuilds()
    site = make_site(tmp_path, builds)
    chosen = Options(agent="scripted", lanes=False, gates=False, on_failure="fail")
    site.build_id = await commands.create(
        builds, site.clock, commands.NewBuild(Spec(title="x", text="y"), chosen, project_id="p", user_id="u")
    )
    gateway = LocalGateway({"ANTHROPIC_API_KEY": "test-key-of-nobody"}, tmp_path / "gateway")
    try:
        await site.run(
            planner=planner, gateway=gateway, agent=Talker([Finished(ok=True)]), mask=Masker([KEY]), workspace=None
        )
    finally:
        await gateway.close()
    events = [recorded.event for recorded in await builds.read(site.build_id)]
    return [event for event in events if isinstance(event, e.PlanMade | e.PlanRejected)]


async def test_a_models_plan_is_cleaned(tmp_path: Path) -> None:
    (plan,) = await planned(tmp_path, ColorfulPlanner(f"{RED}1", f"{RED}2"))
    assert isinstance(plan, e.PlanMade)
    assert plan.graph.milestones == (f"{MASK}1", f"{MASK}2")
    assert [task.milestone for task in plan.graph.tasks] == [f"{MASK}1", f"{MASK}2"]
    assert [(task.title, task.goal) for task in plan.graph.tasks] == [(f"{MASK}0", MASK), (f"{MASK}1", MASK)]


async def test_a_models_plan_that_cannot_be_built_when_cleaned_is_refused(tmp_path: Path) -> None:
    """Its third milestone becomes its first, and depends on the second."""
    (refused,) = await planned(tmp_path, ColorfulPlanner("one", "two", "\x1b[31mone\x1b[0m", needs=["t1"]))
    assert isinstance(refused, e.PlanRejected)
    assert "cannot be built" in refused.message


async def test_a_build_has_ended_when_its_last_words_are_in_its_log(tmp_path: Path) -> None:
    """Who follows the log leaves then."""
    journal = await SqliteBuilds.open(tmp_path / "state.db", tmp_path / "artifacts")
    try:
        site = make_site(tmp_path, journal)
        written: list[int] = []

        def look(recorded: e.Recorded, build: Build) -> None:
            if isinstance(recorded.event, e.BuildFinished):
                with closing(sqlite3.connect(tmp_path / "state.db")) as store:
                    written.extend(store.execute("SELECT count(*) FROM logs WHERE text LIKE '%last words'").fetchone())

        await site.start(tasks("a"), limits={"attempts": 1}, accept_base=True, on_failure="fail")
        await site.run(agent=Talker([Said(text="last words"), Finished(ok=False)]), on_event=look)
        assert written == [1]
    finally:
        await journal.close()


class Slow:
    """A store that takes its time to write a log."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.lines: list[str] = []

    async def write_log(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        self.begun.set()
        await self.go_on.wait()
        self.lines += [entry.text for entry in entries]


async def test_lines_that_are_being_written_when_a_build_ends_are_written(tmp_path: Path) -> None:
    slow = Slow()
    world = replace(make_site(tmp_path, MemoryBuilds()).world(), builds=slow)  # type: ignore[arg-type]

    async def a_build() -> None:
        async with BuildLog(world, "b") as logbook:
            logbook.note("said", "one")
            await slow.begun.wait()
            logbook.note("said", "two")

    ending = asyncio.create_task(a_build())
    await slow.begun.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    slow.go_on.set()
    await ending
    assert slow.lines == ["one", "two"]
