"""The driver by itself, over the queue that workers share: what goes in one commit, and what becomes of each arrival."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.action import RunAgent
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.build_cache import BuildCache, Snapshots
from buildwright.engine.driver import Driver
from buildwright.engine.running_action import ClaimedAction
from buildwright.engine.shared_build import SharedBuilds
from buildwright.engine.worker import Worker
from buildwright.errors import BuildIsRunning, DiskFull, LostLease, StaleVersion, StoreFailed, Unstorable
from buildwright.wiring import SystemClock
from buildwright.wiring.adapters import NoHints
from tests.adapters.clock import ManualClock
from tests.adapters.memory_store import MemoryBuilds
from tests.adapters.scripted_agent import Sleep
from tests.engine.harness import make_site, tasks
from tests.store.process import take

HERE, ELSEWHERE = "here:1:1", "elsewhere:1:1"


class Board:
    """The real queue; it counts settlements, and `trouble` is what the next of them end with, done or not.

    `refusal` returns what it always answers to such events. With a `turn`, a settlement waits for it, and `waits` says so.
    """

    def __init__(self, builds: MemoryBuilds) -> None:
        self._builds = builds
        self.settled: list[tuple[str, ...]] = []
        """For each settlement that was made, the types of its events."""
        self.trouble: list[tuple[Exception, bool]] = []
        self.refusal: Callable[[list[AnyEvent]], Exception | None] = lambda _: None
        self.turn: asyncio.Event | None = None
        self.waits = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builds, name)

    async def settle(self, build_id: str, expected: int, events: Any, *more: Any) -> Any:
        await asyncio.sleep(0)
        if self.turn is not None:
            self.waits = True
            await self.turn.wait()
        if refused := self.refusal(list(events)):
            raise refused
        trouble, done = self.trouble.pop(0) if self.trouble else (None, True)
        answer = None
        if done:
            answer = await self._builds.settle(build_id, expected, events, *more)
            self.settled.append(tuple(recorded.event.type for recorded in answer[0]))
        if trouble is not None:
            raise trouble
        return answer


class Place:
    """A build whose tasks are all being worked on in this process, each under a lease."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.builds = MemoryBuilds(self.clock.now)
        self.board = Board(self.builds)
        board: Any = self.board
        self.shared = SharedBuilds(self.builds, board, NoHints(), self.clock, self._note)
        self.build_id = ""
        self.said: list[tuple[str, Any]] = []
        """Of each event of the log, its name and its level."""

    def _note(self, what: str, **fields: Any) -> None:
        self.said.append((what, fields.get("level")))

    @property
    def driver(self) -> Driver:
        return self.shared.driver(self.build_id)

    async def begin(self, *names: str) -> list[ClaimedAction]:
        options = Options(agent="noop", lanes=False, gates=False, limits=Limits(concurrency=len(names)))
        new = commands.NewBuild(Spec(title="t", graph=tasks(*names)), options, "", "", "p", "u")
        self.build_id = await commands.create(self.builds, self.clock, new)
        build = await self.driver.record()
        self.board.settled.clear()
        return [await self.claim(build, name) for name in names]

    async def claim(self, build: Build, name: str, holder: str = HERE) -> ClaimedAction:
        action = RunAgent(name, build.task(name).attempt)
        lease = await take(self.builds, self.build_id, action.key, holder, 60.0)
        assert lease is not None
        board: Any = self.board
        return ClaimedAction(board, lease, action, build, asyncio.get_running_loop().time())

    async def types(self) -> list[str]:
        return [recorded.event.type for recorded in await self.builds.read(self.build_id)]


def finished(claimed: ClaimedAction) -> list[AnyEvent]:
    assert isinstance(claimed.action, RunAgent)
    return [e.AgentFinished(task=claimed.action.task, attempt=claimed.action.attempt)]


def paid(claimed: ClaimedAction) -> AnyEvent:
    assert isinstance(claimed.action, RunAgent)
    return e.TokensUsed(task=claimed.action.task, attempt=1, model="m", input_tokens=1, cost_usd=Decimal("0.25"))


async def ends(place: Place, claimed: Iterable[ClaimedAction]) -> list[Build | BaseException]:
    """What each of them gets that ends now."""
    recording = (place.driver.record(finished(one), one, ended=True) for one in claimed)
    return await asyncio.gather(*recording, return_exceptions=True)


async def test_what_ends_while_a_commit_is_under_way_shares_the_next_one() -> None:
    place = Place()
    first, *others = await place.begin(*"abcdef")
    recording = asyncio.create_task(place.driver.record(finished(first), first, ended=True))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # its commit is under way
    answers = await ends(place, others)
    await recording
    assert [types.count("agent.finished") for types in place.board.settled] == [1, 5]
    assert {build.done for build in answers if isinstance(build, Build)} == {6}
    assert await place.builds.board(place.build_id) == []
    assert (await place.types())[-1] == "build.finished"


async def test_what_ends_while_a_commit_waits_for_another_process_goes_into_it() -> None:
    place = Place()
    first, *others = await place.begin(*"abcdef")
    place.board.turn = asyncio.Event()
    recording = asyncio.create_task(place.driver.record(finished(first), first, ended=True))
    while not place.board.waits:
        await asyncio.sleep(0)
    elsewhere = await place.builds.load(place.build_id)
    await place.builds.append(place.build_id, elsewhere.version, [paid(others[0])], place.clock.now())
    ending = asyncio.create_task(ends(place, others))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    place.board.turn.set()
    assert (await recording).done == 6
    await ending
    assert [types.count("agent.finished") for types in place.board.settled] == [6]
    assert (await place.types()).count("agent.finished") == 6


async def test_a_lost_lease_costs_the_others_of_a_commit_nothing_and_what_was_paid_counts() -> None:
    place = Place()
    kept, lost, told = await place.begin(*"abc")
    for one in (lost, told):
        await place.builds.drop(one.lease)
        await place.claim(one.build, one.key.split("/")[1], ELSEWHERE)
    place.driver.hand_in([paid(told)], told)
    recording = (
        place.driver.record(finished(kept), kept, ended=True),
        place.driver.record([*finished(lost), paid(lost)], lost, ended=True),
    )
    after, refused = await asyncio.gather(*recording, return_exceptions=True)
    assert isinstance(after, Build)
    assert isinstance(refused, LostLease)
    assert (kept.lost, lost.lost, told.lost) == (False, True, True)
    build = await place.builds.load(place.build_id)
    assert (build.done, build.usage.cost_usd) == (1, Decimal("0.50"))


async def test_a_build_ends_only_with_the_last_of_its_actions() -> None:
    place = Place()
    first, second = await place.begin(*"ab")
    await commands.ask(place.builds, place.clock, place.build_id, commands.StopBuild())
    assert not (await place.driver.record()).is_terminal
    assert {row.key: row.wanted for row in await place.builds.board(place.build_id)} == {
        first.key: False,
        second.key: False,
    }
    assert not (await place.driver.record((), first, ended=True)).is_terminal
    assert (await place.driver.record((), second, ended=True)).outcome == "stopped"
    assert (await place.types()).count("build.finished") == 1


async def test_two_processes_that_commit_at_once_both_record_all() -> None:
    place = Place()
    here, there = await place.begin(*"ab")
    board: Any = place.board
    other = SharedBuilds(place.builds, board, NoHints(), place.clock, lambda *_, **__: None)
    await asyncio.gather(
        place.driver.record(finished(here), here, ended=True),
        other.driver(place.build_id).record(finished(there), there, ended=True),
    )
    assert (await place.types()).count("agent.finished") == 2
    assert (await place.builds.load(place.build_id)).outcome == "succeeded"


@pytest.mark.parametrize("arrived", [False, True])
async def test_facts_wait_for_the_store_and_are_recorded_once(arrived: bool) -> None:
    """Whether the try that broke had been carried out, or not."""
    place = Place()
    (only,) = await place.begin("a")
    place.board.trouble = [(StoreFailed("away"), arrived)]
    recording = asyncio.create_task(place.driver.record([paid(only), *finished(only)], only, ended=True))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not recording.done()
    await place.clock.advance(60.0)
    build = await recording
    assert (build.done, build.usage.cost_usd) == (1, Decimal("0.25"))
    assert (await place.types()).count("tokens.used") == 1


async def test_a_process_that_is_to_end_waits_for_no_store_and_a_look_at_a_build_never_does() -> None:
    place = Place()
    (only,) = await place.begin("a")
    place.board.trouble = [(DiskFull("full"), False)] * 2
    with pytest.raises(DiskFull):
        await place.driver.record()
    place.shared.patient = False
    with pytest.raises(DiskFull):
        await place.driver.record(finished(only), only, ended=True)
    assert (await place.driver.record(finished(only), only, ended=True)).done == 1


@pytest.mark.parametrize("error", [ValueError("a bug"), BuildIsRunning("by another")])
async def test_what_an_action_reports_and_cannot_be_recorded_is_said(error: Exception) -> None:
    """Nobody waits for it: the action ends, and knows of an error of ours."""
    place = Place()
    (only,) = await place.begin("a")
    place.board.refusal = lambda _: error
    driver = place.driver
    driver.hand_in([paid(only)], only)
    await driver.quiet()
    assert only.lost
    assert only.bug is (error if isinstance(error, ValueError) else None)
    assert ("not-recorded", "error") in place.said
    place.board.refusal = lambda _: None
    assert (await driver.record()).version == 4, "the driver goes on"


async def test_a_worker_raises_the_bug_by_which_a_report_was_not_recorded(tmp_path: Path) -> None:
    builds = MemoryBuilds()
    board: Any = Board(builds)
    site = make_site(tmp_path, builds, {("a", 1): [Sleep(60)]})
    await site.start(tasks("a"), lanes=False, gates=False)

    async def world(_options: Options) -> Any:
        return replace(site.world(), workspace=None)

    worker = Worker(builds, board, NoHints(), SystemClock(), HERE, world)
    await worker.advance(site.build_id)
    key = (await builds.board(site.build_id))[0].key
    performing = asyncio.create_task(worker.perform(site.build_id, key))
    while not site.agent.assignments:
        await asyncio.sleep(0.01)
    bug = ValueError("a bug")
    board.refusal = lambda events: bug if any(isinstance(event, e.AgentHeartbeat) for event in events) else None
    (claimed,) = worker.claimed_actions.values()
    worker.report_alive(claimed)
    with pytest.raises(ValueError, match="a bug"):
        await asyncio.wait_for(performing, 20)
    board.refusal = lambda _: None
    await worker.perform(site.build_id, key)
    assert len(site.agent.assignments) == 1, "not paid for again at once"


async def seconds(place: Place, number: int, until: asyncio.Task[Build] | None = None) -> None:
    """Let so many seconds pass, one by one."""
    for _ in range(number):
        for _ in range(20):
            await asyncio.sleep(0)
        if until is not None and until.done():
            break
        await place.clock.advance(1.0)


@pytest.mark.parametrize("alone", [True, False])
async def test_a_fact_that_the_store_refuses_for_good_is_tried_less_and_less_often(alone: bool) -> None:
    place = Place()
    bad, *others = await place.begin(*("a" if alone else "abc"))
    refused, tries = paid(bad), []

    def refusal(events: Sequence[AnyEvent]) -> Exception | None:
        if refused not in events:
            return None
        tries.append(events)
        return Unstorable("invalid value")

    place.board.refusal = refusal
    driver = place.driver
    waiting = asyncio.create_task(driver.record([refused, *finished(bad)], bad, ended=True))
    for one in others:
        driver.hand_in(finished(one), one, ended=True)
    await seconds(place, 600)
    assert 10 < len(tries) < 25
    assert place.said.count(("not-recorded", "warning")) == len(tries)
    late = asyncio.create_task(driver.record())
    await seconds(place, 3, until=late)
    assert late.done(), "what arrives meanwhile waits no longer for it than before"
    place.board.refusal = lambda _: None
    await seconds(place, 70, until=waiting)
    assert (await waiting).outcome == "succeeded"


async def test_a_fact_that_the_store_refuses_for_good_holds_up_no_other() -> None:
    place = Place()
    bad, *others = await place.begin(*"abc")
    refused = paid(bad)
    place.board.refusal = lambda events: Unstorable("invalid value") if refused in events else None
    driver = place.driver
    waiting = asyncio.create_task(driver.record([refused, *finished(bad)], bad, ended=True))
    recording = asyncio.gather(*(driver.record(finished(one), one, ended=True) for one in others))
    for _ in range(100):
        for _ in range(20):
            await asyncio.sleep(0)
        if recording.done():
            break
        await place.clock.advance(1.0)
    assert recording.done()
    assert (await place.builds.load(place.build_id)).done == 2
    assert not waiting.done(), "what was paid is not forgotten"
    assert not bad.lost
    place.board.refusal = lambda _: None
    await seconds(place, 64, until=waiting)
    assert (await waiting).outcome == "succeeded"
    assert (await place.builds.load(place.build_id)).usage.cost_usd == Decimal("0.25")


async def test_what_one_action_reports_stays_in_order_when_the_store_refuses_a_part() -> None:
    place = Place()
    bad, other = await place.begin(*"ab")
    refused = paid(bad)
    place.board.refusal = lambda events: Unstorable("invalid value") if refused in events else None
    driver = place.driver
    driver.hand_in([refused], bad)
    ending = asyncio.create_task(driver.record(finished(bad), bad, ended=True))
    recording = asyncio.create_task(driver.record(finished(other), other, ended=True))
    while not recording.done():
        for _ in range(20):
            await asyncio.sleep(0)
        await place.clock.advance(1.0)
    assert not ending.done()
    place.board.refusal = lambda _: None
    while not ending.done():
        for _ in range(20):
            await asyncio.sleep(0)
        await place.clock.advance(1.0)
    types = await place.types()
    assert types.index("tokens.used") > types.index("agent.finished")
    assert types.count("agent.finished") == 2
    assert types[types.index("tokens.used") + 1] == "agent.finished"


async def test_time_ends_a_pause_by_the_clock_of_the_store() -> None:
    """The clock of this machine's event loop stands still while the machine sleeps."""
    place = Place()
    await place.begin("a")
    driver = place.driver
    await commands.ask(place.builds, place.clock, place.build_id, commands.PauseBuild("wait"))
    paused = await driver.record()
    assert paused.pause is not None
    await place.clock.advance(paused.options.limits.pause_seconds - 1)
    assert (await driver.record()).pause is not None
    await place.clock.advance(2)
    assert (await driver.record()).pause is None


async def test_a_snapshot_that_is_ahead_of_its_journal_undoes_no_commit() -> None:
    """A journal that was put back from a backup: an error here would have the same facts recorded twice."""
    place = Place()
    await place.begin("a")
    build = await place.builds.load(place.build_id)
    ahead = replace(build, version=build.version + 1000)
    with pytest.raises(StaleVersion):
        await place.builds.keep_snapshot(ahead)
    await Snapshots(place.builds, build).keep(ahead, at_rest=True)
    await Snapshots(place.builds, build).keep(replace(ahead, id="gone"), at_rest=True)


async def test_an_old_state_is_not_at_hand() -> None:
    place = Place()
    await place.begin("a")
    known = BuildCache(place.builds)
    build = await known.newest(place.build_id)
    await asyncio.sleep(0.02)
    assert known.glance(place.build_id) is build
    assert known.glance(place.build_id, 60.0) is build
    assert known.glance(place.build_id, 0.01) is None
    assert await known.newest(place.build_id) == build
    assert known.glance(place.build_id, 60.0) is not None
