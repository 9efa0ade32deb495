"""Up to eight users at once, a build that moves by dice, processes that come and go: exactly the legal commands win.

The journal is the order in which things happened. Each command that was acknowledged must be in it, where a small model of
its own says it was legal; each that was refused must have met a state in which it was not.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from buildwright.core import action as a
from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build, is_undone
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.graph import Graph
from buildwright.core.judged_base import base_refusal
from buildwright.core.limits import Options
from buildwright.core.snapshot import dump
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.deliver_command import DeliverBuild
from buildwright.engine.messages import Inboxes
from buildwright.engine.resume_command import ResumeBuild
from buildwright.engine.task_commands import RedoTask
from buildwright.errors import IllegalMove, NotFound, StaleVersion
from buildwright.ports import Builds, Lease, Message
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import this_process
from tests.adapters.memory_store import MemoryBuilds
from tests.core.machine import START, graphs, options, outcome
from tests.faults.amount import amount

COMMANDS = ("pause", "go", "retry", "skip", "redo", "deliver", "abort", "stop", "say")


class Ticking:
    """Every look at the clock is a second later."""

    def __init__(self) -> None:
        self.ticks = 0

    def now(self) -> Any:
        self.ticks += 1
        return START + timedelta(seconds=self.ticks)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Yielding:
    """A store whose answers take some turns of the event loop, so that callers get into each other's way."""

    def __init__(self, builds: Builds, roll: Callable[[int], int]) -> None:
        self._builds = builds
        self._roll = roll

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._builds, name)

        async def late(*arguments: Any, **more: Any) -> Any:
            for _ in range(self._roll(4)):
                await asyncio.sleep(0)
            answer = await method(*arguments, **more)
            for _ in range(self._roll(3)):
                await asyncio.sleep(0)
            return answer

        return late


class Asked(NamedTuple):
    """A command, the version of the journal when it was asked for and answered, and the answer."""

    command: str
    began: int
    ended: int
    refused: str
    fix: str


def control_after(control: str, event: AnyEvent) -> str:
    """The model: what an event makes of the state that commands are judged by. Knows nothing of `apply`."""
    match event:
        case e.BuildPaused():
            return "paused"
        case e.BuildResumed():
            return "running"
        case e.StopRequested():
            return "stopping"
        case e.BuildFinished():
            return "over"
        case e.BuildReopened():
            return "running"
        case e.DeliveryRequested():
            return "delivering"
        case _:
            return control


class Facts(NamedTuple):
    """What the model knows of a build beside its control."""

    failed: bool
    asks: bool
    """A failed task waits for a choice."""
    left: bool
    """An ended build can go on."""
    first: str
    """How far the first task is, whose change is to be taken back and made anew."""
    result: bool
    """Something has landed, and no audit refuses it."""


def is_legal(command: str, control: str, facts: Facts) -> bool:
    """The model: which command is legal."""
    match command:
        case "go" | "retry" | "skip" if control == "over":
            return facts.left and (facts.failed if command == "skip" else not (facts.failed and command == "go"))
        case "redo":
            return control in {"running", "paused", "over"} and facts.first in {"done", "skipped", "failed"}
        case "deliver":
            return control == "over" and facts.result
        case "pause":
            return control == "running"
        case "stop":
            return control in {"running", "paused", "delivering"}
        case "say":
            return control in {"running", "paused"}
        case "go":
            return control == "paused" and not facts.asks
        case "skip":
            return control == "paused" and facts.failed
        case _:
            return control == "paused"


def how_far(build: Build) -> str:
    """How far the first task is, "busy" when another one works on top of it."""
    if build.plan is None:
        return "waiting"
    busy = {"working", "judging", "merging", "rejected"}
    above = {build.task(one).phase.value for one in build.plan.needing("T0") if not is_undone(build.task(one))}
    phase = build.task("T0").phase.value
    return "busy" if phase in {"done", "skipped"} and busy & above else phase


class Users(RuleBasedStateMachine):
    """One build in one store. A worker moves it by dice; users talk in; processes end and others open the store again."""

    open_store: Callable[[Path], Awaitable[Builds]]
    store: Builds

    @initialize(graph=graphs(most=5), chosen=options(), seed=st.integers(0, 2**32))
    def begin(self, graph: Graph, chosen: Options, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="users-"))
        self.runner = asyncio.Runner()
        self.clock = Ticking()
        # Not Hypothesis's own dice: threads of a store throw them in no fixed order.
        self.roll: Callable[[int], int] = random.Random(seed).randrange
        self.asked: list[Asked] = []
        self.moves = 0
        self.stopped_at: int | None = None
        self.late: list[str] = []
        self.builds: Any = None
        self.runner.run(self.open(Spec(title="t", graph=graph), chosen))

    async def open(self, spec: Spec | None = None, chosen: Options | None = None) -> None:
        """A process begins: it opens the store, takes the lease, and has no attempt under way."""
        store = await type(self).open_store(self.folder) if self.builds is None else self.store
        self.store = store
        self.builds = Yielding(store, self.roll)
        if spec is not None and chosen is not None:
            repository = "/r" if chosen.lanes else ""
            self.build_id = await commands.create(
                store, self.clock, commands.NewBuild(spec, chosen, repository, "", "p", "u")
            )
        self.lease: Lease = await store.acquire(self.build_id, this_process(), 10_000.0)
        self.conversations = Inboxes()
        self.inboxes: dict[str, tuple[int, ExitStack, asyncio.Queue[Message]]] = {}

    @rule()
    def reopen(self) -> None:
        """The process ends and another one goes on: whatever was said of the build before holds."""

        async def again() -> None:
            before = dump(await self.store.load(self.build_id))
            await self.store.release(self.lease)
            await self.store.close()
            if not isinstance(self.store, MemoryBuilds):
                self.builds = None
            await self.open()
            assert dump(await self.store.load(self.build_id)) == before

        self.runner.run(again())

    @rule(times=st.integers(1, 8))
    def work(self, times: int) -> None:
        self.runner.run(self.move(times))

    @rule(
        wanted=st.lists(st.sampled_from(COMMANDS[:-2] * 2 + COMMANDS[-1:] * 3), min_size=1, max_size=8),
        moves=st.integers(0, 4),
        end=st.integers(0, 11),
    )
    def talk(self, wanted: list[str], moves: int, end: int) -> None:
        """Everybody at once, while the build goes on. A stop is rare, or every build would be a short one."""
        callers = [*wanted[:7], "stop"] if end == 0 else wanted

        async def all_at_once() -> None:
            await asyncio.gather(self.move(moves), *(self.ask(command) for command in callers))

        self.runner.run(all_at_once())

    async def ask(self, command: str) -> None:
        began, refused, fix = await self.store.version(self.build_id), "", ""
        try:
            match command:
                case "pause":
                    await commands.ask(self.builds, self.clock, self.build_id, commands.PauseBuild())
                case "stop":
                    await commands.ask(self.builds, self.clock, self.build_id, commands.StopBuild())
                    self.stopped_at = self.moves
                case "redo":
                    await commands.ask(self.builds, self.clock, self.build_id, RedoTask("T0", with_dependents=True))
                case "deliver":
                    await commands.ask(self.builds, self.clock, self.build_id, DeliverBuild())
                case "say":
                    await commands.ask(self.builds, self.clock, self.build_id, commands.SendMessage("hello"))
                case choice:
                    await commands.ask(self.builds, self.clock, self.build_id, ResumeBuild(choice))  # type: ignore[arg-type]
        except (IllegalMove, NotFound) as illegal:
            refused, fix = str(illegal), str(illegal.fix or "")
        self.asked.append(Asked(command, began, await self.store.version(self.build_id), refused, fix))

    async def move(self, times: int) -> None:
        """The worker: look, do one thing, record it by the lease; what came too late is not recorded."""
        for _ in range(times):
            self.moves += 1
            looked = self.moves
            build = await self.builds.load(self.build_id)
            facts = list(await self.facts(build, looked))
            if not facts:
                return
            try:
                await self.builds.append(self.build_id, build.version, facts, self.clock.now(), self.lease.token)
            except StaleVersion:
                continue

    async def facts(self, build: Build, looked: int) -> list[AnyEvent]:
        decision = decide(build)
        if decision.facts:
            return list(decision.facts)
        actions = [action for action in decision.actions if not isinstance(action, a.MakePlan)]
        if build.is_terminal or not actions or (not decision.start and self.roll(3) == 0):
            return []
        chosen = actions[self.roll(len(actions))]
        goes_on = build.past_end is not None or "build.reopened" in build.moments
        if self.stopped_at is not None and looked > self.stopped_at and not goes_on:
            self.late.append(chosen.key)
        heard = self.hear(build, chosen) if isinstance(chosen, a.RunAgent) else []
        return heard or outcome(build, chosen, self.roll)

    def hear(self, build: Build, action: a.RunAgent) -> list[AnyEvent]:
        """What the agent of an attempt takes in now, as `engine.attempt` signs for it."""
        attempt, open_inbox, inbox = self.inboxes.get(action.task, (0, ExitStack(), asyncio.Queue()))
        if attempt != action.attempt:
            open_inbox.close()
            inbox = open_inbox.enter_context(self.conversations.inbox(build, action.task))
            self.inboxes[action.task] = (action.attempt, open_inbox, inbox)
        self.conversations.offer(build)
        unsigned = {note.id for note in build.notes_to_agents}
        heard = [inbox.get_nowait().id for _ in range(inbox.qsize())]
        return [
            e.MessageDelivered(id=message, task=action.task, attempt=action.attempt)
            for message in heard
            if message in unsigned
        ]

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.runner.run(self.judge())
        finally:
            self.runner.run(self.store.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    async def judge(self) -> None:
        journal = await self.store.read(self.build_id)
        assert [recorded.seq for recorded in journal] == list(range(1, len(journal) + 1))
        assert dump(fold(journal)) == dump(await self.store.load(self.build_id))
        assert self.late == [], "an effect began after a stop had been acknowledged"
        self.judge_commands(journal)
        receipts = Counter((r.event.id, r.event.task) for r in journal if isinstance(r.event, e.MessageDelivered))
        assert set(receipts.values()) <= {1}, "a message was signed for twice"
        sent = {r.event.id for r in journal if isinstance(r.event, e.MessageSent)}
        assert {message for message, _ in receipts} <= sent
        kinds = [type(recorded.event) for recorded in journal]
        for place in [place for place, kind in enumerate(kinds) if kind is e.StopRequested]:
            after = kinds[place + 1 : place + 3]
            assert after[:1] in ([], [e.BuildFinished])
            assert after[1:] in ([], [e.BuildReopened], [e.DeliveryRequested])
        self.judge_deliveries(journal)

    def judge_deliveries(self, journal: list[Recorded]) -> None:
        """Nothing but its delivery happens to a build that is delivered after its end, and it ends as it had."""
        ended: e.BuildFinished | None = None
        delivering = False
        for recorded in journal:
            match recorded.event:
                case e.BuildFinished() as event:
                    assert not delivering or event == ended, "a later delivery changed how the build had ended"
                    ended, delivering = event, False
                case e.DeliveryRequested():
                    delivering = True
                case event:
                    of_delivery = (e.BuildDelivered, e.DeliveryFailed, e.StopRequested)
                    assert not delivering or isinstance(event, of_delivery), f"{event} came into a later delivery"

    def judge_commands(self, journal: list[Recorded]) -> None:
        states = ["running"]
        for recorded in journal[1:]:
            states.append(control_after(states[-1], recorded.event))
        builds = [fold(journal[: place + 1]) for place in range(len(journal))]

        def legal(command: str, version: int) -> bool:
            before = builds[version - 1]
            asks = bool(before.failed) and before.options.on_failure == "pause"
            ends_so_again = before.options.on_failure == "fail" and bool(base_refusal(before))
            left = before.outcome != "succeeded" and not ends_so_again
            result = before.options.lanes and before.head != before.base and not before.audit_refusals
            facts = Facts(bool(before.failed), asks, left, how_far(before), result)
            return is_legal(command, states[version - 1], facts)

        for asked in self.asked:
            met = range(asked.began, asked.ended + 1)
            if asked.refused:
                assert asked.fix, f"{asked} does not say what to do instead"
                assert any(not legal(asked.command, version) for version in met), f"{asked} was legal all the time"
            else:
                assert any(legal(asked.command, version) for version in met), f"{asked} was never legal"
        won = Counter(asked.command for asked in self.asked if not asked.refused)
        said = Counter(type(recorded.event) for recorded in journal)
        by_users = sum(isinstance(r.event, e.BuildPaused) and r.event.reason == "user" for r in journal)
        assert by_users == won["pause"]
        # A redone task that had failed ends the pause for it; a redone one of an ended build opens it.
        answers = won["go"] + won["retry"] + won["skip"]
        assert answers <= said[e.BuildResumed] + said[e.BuildReopened] <= answers + won["redo"]
        assert said[e.StopRequested] == won["stop"] + won["abort"]
        assert said[e.MessageSent] == won["say"]
        assert said[e.DeliveryRequested] == won["deliver"]


async def open_memory(_folder: Path) -> Builds:
    return MemoryBuilds()


async def open_sqlite(folder: Path) -> Builds:
    return await SqliteBuilds.open(folder / "state.db", folder / "artifacts")


def check(opening: Callable[[Path], Awaitable[Builds]], examples: int) -> None:
    class These(Users):
        open_store = staticmethod(opening)

    run_state_machine_as_test(
        These,
        settings=settings(
            max_examples=examples,
            stateful_step_count=amount(20, 50),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


@pytest.mark.timeout(7200)
def test_exactly_the_legal_commands_win_in_memory() -> None:
    check(open_memory, amount(40, 2000))


@pytest.mark.timeout(7200)
def test_exactly_the_legal_commands_win_on_sqlite() -> None:
    check(open_sqlite, amount(8, 400))


@pytest.mark.timeout(7200)
def test_exactly_the_legal_commands_win_on_postgresql(tables_url: str) -> None:
    async def open_postgres(_folder: Path) -> Builds:
        return await PostgresBuilds.open(tables_url)

    check(open_postgres, amount(6, 200))
